//! Starting programs.
//!
//! [`spawn`] goes through posix_spawn(3): its time does not grow with our memory, unlike that of fork(2), and it can give the
//! program a session of its own and a clean signal mask, unlike std's `Command`. [`spawn_sibling`] starts one that is not our
//! child but our parent's. Both give the program the same start: no signal blocked, none ignored, and no descriptor but
//! those that are named.
//!
//! When it fails, [`diagnose`] finds out which step it was.

use std::ffi::{CStr, CString};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::sync::atomic::{AtomicI32, Ordering};

pub use crate::diagnose::{Diagnosis, Step, diagnose, resolve_program};

use crate::child::{Child, reap};
use crate::errno::check;
use crate::identity::open_pidfd;

/// What to start, and how.
#[derive(Clone, Copy, Debug)]
pub struct Spawn<'a> {
    /// The file to run: absolute, or relative to `cwd`. PATH is not searched; see [`resolve_program`].
    pub program: &'a CStr,
    /// The arguments, from `argv[0]` on.
    pub argv: &'a [CString],
    /// The whole environment, as `NAME=value`.
    pub env: &'a [CString],
    /// The folder to start in; ours if it is `None`.
    pub cwd: Option<&'a CStr>,
    /// The descriptors it gets, each with the number it is to have. Those of ours that are not named are close-on-exec.
    pub fds: &'a [(BorrowedFd<'a>, RawFd)],
    /// Whether it leads a session and a process group of its own, without a terminal.
    pub session: bool,
}

/// Starts a program as our child, and returns once it was executed or could not be.
///
/// The kernel lets us go on when the program is certain to take our place, and only then sets it up: its arguments and
/// environment may show in /proc a moment later.
///
/// The error is that of the step that failed (execve(2), chdir(2), …), and then there is no child; [`diagnose`] says more.
pub fn spawn(spawn: &Spawn<'_>) -> io::Result<Child> {
    // Without a descriptor to hold the child by it would run unheld. So it is made sure beforehand that there is one.
    drop(open_pidfd(rustix::process::getpid().as_raw_nonzero().get())?);
    let pid = posix_spawn(spawn)?;
    Child::hold(pid).inspect_err(|_| {
        // SAFETY: it is our child and was not reaped, so the number is still its own.
        unsafe { libc::kill(pid, libc::SIGKILL) };
        // It is dead or dying, so this does not wait for long; that it cannot be reaped is no news beside the error.
        let _ = reap(pid);
    })
}

fn posix_spawn(spawn: &Spawn<'_>) -> io::Result<i32> {
    let fds = Assignments::plan(spawn.fds)?;
    let attributes = Attributes::new(spawn.session)?;
    let actions = FileActions::new(&fds, spawn.cwd)?;
    let (argv, env) = (null_terminated(spawn.argv), null_terminated(spawn.env));
    let mut pid = 0;
    // SAFETY: every pointer is to something that lives until the call returns, and by then the child has left our memory.
    // The strings are not written to, though the type says so for the sake of old C.
    let result = unsafe {
        libc::posix_spawn(
            &raw mut pid,
            spawn.program.as_ptr(),
            &raw const actions.0,
            &raw const attributes.0,
            argv.as_ptr().cast(),
            env.as_ptr().cast(),
        )
    };
    returned(result).map(|()| pid)
}

/// The result of those C functions that return their error.
fn returned(result: libc::c_int) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(result)) }
}

fn null_terminated(strings: &[CString]) -> Vec<*const libc::c_char> {
    strings.iter().map(|string| string.as_ptr()).chain([ptr::null()]).collect()
}

/// Which descriptor becomes which number, in an order in which none is overwritten before it was used.
struct Assignments {
    pairs: Vec<(RawFd, RawFd)>,
    /// Copies that stand in for those that would be; they live until the child has them.
    _copies: Vec<OwnedFd>,
}

impl Assignments {
    fn plan(fds: &[(BorrowedFd<'_>, RawFd)]) -> io::Result<Self> {
        let beyond = fds.iter().map(|&(_, target)| target).max().unwrap_or(0).saturating_add(1);
        let mut pairs = Vec::with_capacity(fds.len());
        let mut copies = Vec::new();
        for (source, target) in fds {
            let mut source = source.as_raw_fd();
            if pairs.iter().any(|&(_, earlier)| earlier == source) {
                // SAFETY: the source is borrowed, so open. What the call returns is new and nobody else's.
                let copy = unsafe { OwnedFd::from_raw_fd(check(libc::fcntl(source, libc::F_DUPFD_CLOEXEC, beyond))?) };
                source = copy.as_raw_fd();
                copies.push(copy);
            }
            pairs.push((source, *target));
        }
        Ok(Self { pairs, _copies: copies })
    }
}

/// posix_spawnattr_t, destroyed when dropped.
struct Attributes(libc::posix_spawnattr_t);

impl Attributes {
    fn new(session: bool) -> io::Result<Self> {
        let mut raw = MaybeUninit::uninit();
        // SAFETY: the init function initialises it, and says whether it did.
        let mut attributes = unsafe {
            returned(libc::posix_spawnattr_init(raw.as_mut_ptr()))?;
            Self(raw.assume_init())
        };
        let session = if session { libc::c_int::from(libc::POSIX_SPAWN_SETSID) } else { 0 };
        let flags = libc::POSIX_SPAWN_SETSIGMASK | libc::POSIX_SPAWN_SETSIGDEF | session;
        // The flags are a handful of low bits, so this holds.
        let flags = libc::c_short::try_from(flags).map_err(|_| io::ErrorKind::InvalidInput)?;
        // With every bit set, also those of the signals that glibc keeps for itself and that sigfillset(3) leaves out:
        // otherwise it has them ignored in the child (seen with glibc 2.36), and an exec does not change that.
        let mut all = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: a signal set is an array of bits, of which any are valid.
        let all = unsafe {
            all.as_mut_ptr().write_bytes(0xff, 1);
            all.assume_init()
        };
        let none = no_signals();
        // SAFETY: the attributes are initialised, and the sets are live and copied.
        unsafe {
            returned(libc::posix_spawnattr_setflags(&raw mut attributes.0, flags))?;
            returned(libc::posix_spawnattr_setsigmask(&raw mut attributes.0, &raw const none))?;
            returned(libc::posix_spawnattr_setsigdefault(&raw mut attributes.0, &raw const all))?;
        }
        Ok(attributes)
    }
}

impl Drop for Attributes {
    fn drop(&mut self) {
        // SAFETY: it was initialised in `new`, and is not used again.
        unsafe { libc::posix_spawnattr_destroy(&raw mut self.0) };
    }
}

/// posix_spawn_file_actions_t, destroyed when dropped.
struct FileActions(libc::posix_spawn_file_actions_t);

impl FileActions {
    /// The descriptors first, then the folder: they were opened by us and do not depend on it.
    fn new(fds: &Assignments, cwd: Option<&CStr>) -> io::Result<Self> {
        let mut raw = MaybeUninit::uninit();
        // SAFETY: the init function initialises it, and says whether it did.
        let mut actions = unsafe {
            returned(libc::posix_spawn_file_actions_init(raw.as_mut_ptr()))?;
            Self(raw.assume_init())
        };
        for &(source, target) in &fds.pairs {
            // Where both are the same number, glibc makes the descriptor inheritable (since 2.29).
            // SAFETY: the actions are initialised; numbers are checked by the callee.
            returned(unsafe { libc::posix_spawn_file_actions_adddup2(&raw mut actions.0, source, target) })?;
        }
        if let Some(cwd) = cwd {
            // SAFETY: as above; the path is copied.
            returned(unsafe { libc::posix_spawn_file_actions_addchdir_np(&raw mut actions.0, cwd.as_ptr()) })?;
        }
        Ok(actions)
    }
}

impl Drop for FileActions {
    fn drop(&mut self) {
        // SAFETY: it was initialised in `new`, and is not used again.
        unsafe { libc::posix_spawn_file_actions_destroy(&raw mut self.0) };
    }
}

fn no_signals() -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: sigemptyset initialises the set and cannot fail.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        set.assume_init()
    }
}

fn all_signals() -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: sigfillset initialises the set and cannot fail.
    unsafe {
        libc::sigfillset(set.as_mut_ptr());
        set.assume_init()
    }
}

/// How much stack the child of [`spawn_sibling`] has until it runs its program. It calls half a dozen C functions.
const SIBLING_STACK: usize = 64 * 1024;

/// Starts a program whose parent is our parent, and returns its pid once it was executed.
///
/// That is how a supervisor has another one started outside its own tree (clone(2), `CLONE_PARENT`). Our parent reaps it,
/// also if it could not be executed, which is an error here, with the errno of the step that failed. A process that is the
/// init of its pid namespace has no siblings: `EINVAL`.
pub fn spawn_sibling(spawn: &Spawn<'_>) -> io::Result<i32> {
    let fds = Assignments::plan(spawn.fds)?;
    let (argv, env) = (null_terminated(spawn.argv), null_terminated(spawn.env));
    let mut stack = crate::memory::Scratch::new(SIBLING_STACK)?;
    let launch = Launch { spawn, argv: &argv, env: &env, fds: &fds.pairs, errno: AtomicI32::new(0) };
    let flags = libc::CLONE_PARENT | libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
    let blocked = SignalsBlocked::new()?;
    // SAFETY: the child has our memory but a stack of its own, whose upper end is given, as stacks grow down; a mapping
    // begins and ends on a page, so it is aligned. CLONE_VFORK keeps us from going on, and so from freeing anything, until
    // the child has executed its program or ended.
    let pid = unsafe {
        let top = stack.as_mut_ptr_range().end;
        libc::clone(run_sibling, top.cast(), flags, (&raw const launch).cast_mut().cast())
    };
    let pid = check(pid);
    drop(blocked);
    match (pid, launch.errno.load(Ordering::Relaxed)) {
        (pid, 0) => pid,
        (_, errno) => Err(io::Error::from_raw_os_error(errno)),
    }
}

/// How many signals the kernel has, on all machines but MIPS.
const SIGNALS: libc::c_long = 64;

/// What the child of [`spawn_sibling`] needs, made beforehand so that it does not have to allocate.
struct Launch<'a> {
    spawn: &'a Spawn<'a>,
    argv: &'a [*const libc::c_char],
    env: &'a [*const libc::c_char],
    fds: &'a [(RawFd, RawFd)],
    /// Why it could not be executed; 0 if it was.
    errno: AtomicI32,
}

extern "C" fn run_sibling(launch: *mut libc::c_void) -> libc::c_int {
    // SAFETY: `spawn_sibling` gave us a pointer to its `launch`, and is waiting for us.
    let launch = unsafe { &*launch.cast::<Launch<'_>>() };
    // SAFETY: only functions that signal-safety(7) lists are called.
    unsafe {
        execute(launch);
        launch.errno.store(*libc::__errno_location(), Ordering::Relaxed);
    }
    127
}

/// The steps of a child on its way to its program. Returns only if one of them failed, with the reason in errno.
///
/// # Safety
///
/// To be called in a process that was just cloned with our memory, and with all signals blocked: it allocates nothing,
/// takes no lock, and leaves no trace in what it shares with us but errno.
unsafe fn execute(launch: &Launch<'_>) {
    // SAFETY: each call gets live, terminated strings and arrays; see above for the rest.
    unsafe {
        if launch.spawn.session && libc::setsid() == -1 {
            return;
        }
        // Signal actions were copied for the child, memory was not: a handler of ours must not run in it.
        // The kernel is asked directly, as glibc would not let us at the signals that it keeps for itself. In the kernel's
        // own structure, too, zeroes are the default; it is no larger than glibc's. SIGKILL and SIGSTOP are refused.
        let default = MaybeUninit::<libc::sigaction>::zeroed();
        let no_previous = ptr::null_mut::<libc::sigaction>();
        for signal in 1..=SIGNALS {
            libc::syscall(libc::SYS_rt_sigaction, signal, default.as_ptr(), no_previous, SIGNALS / 8);
        }
        for &(source, target) in launch.fds {
            let result =
                if source == target { libc::fcntl(source, libc::F_SETFD, 0) } else { libc::dup2(source, target) };
            if result == -1 {
                return;
            }
        }
        if launch.spawn.cwd.is_some_and(|cwd| libc::chdir(cwd.as_ptr()) == -1) {
            return;
        }
        let none = no_signals();
        if libc::sigprocmask(libc::SIG_SETMASK, &raw const none, ptr::null_mut()) == -1 {
            return;
        }
        libc::execve(launch.spawn.program.as_ptr(), launch.argv.as_ptr(), launch.env.as_ptr());
    }
}

/// All signals blocked in this thread, until it is dropped.
struct SignalsBlocked(libc::sigset_t);

impl SignalsBlocked {
    fn new() -> io::Result<Self> {
        let (all, mut before) = (all_signals(), no_signals());
        // SAFETY: both sets are live; the mask is this thread's own.
        returned(unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before) })?;
        Ok(Self(before))
    }
}

impl Drop for SignalsBlocked {
    fn drop(&mut self) {
        // SAFETY: it is the mask that was in force before.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.0, ptr::null_mut()) };
    }
}

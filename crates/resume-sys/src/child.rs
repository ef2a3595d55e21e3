//! Our own children: held, signalled, reaped.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::process::{getpid, set_child_subreaper};

use crate::errno::check;
use crate::identity::{Identity, identify, open_pidfd, signal_pidfd};

/// A child that was not reaped yet. Whoever reaps it drops this.
#[derive(Debug)]
pub struct Child {
    pid: i32,
    pidfd: OwnedFd,
}

impl Child {
    /// Holds a process that was just started. Nobody but us can reap it, so the number cannot have been given again.
    pub(crate) fn hold(pid: i32) -> io::Result<Self> {
        Ok(Self { pid, pidfd: open_pidfd(pid)? })
    }

    /// Its number: to show, and to match against [`reap_any`].
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// What names it in a file that outlives us. Fails once the child was reaped.
    pub fn identity(&self) -> io::Result<Identity> {
        identify(self.pid)
    }

    /// Sends `signal` (0: only checks that we may). One that has ended is no error: it cannot be asked for more.
    pub fn signal(&self, signal: i32) -> io::Result<()> {
        signal_pidfd(self.pidfd.as_fd(), signal)
    }
}

impl AsFd for Child {
    /// The pidfd: readable for ever once the child has ended.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitStatus {
    /// It exited with this code.
    Code(u8),
    /// This signal ended it, with or without a core dump.
    Signal(i32),
}

/// A child that is no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reaped {
    /// Its number, which may be given to another process from now on.
    pub pid: i32,
    /// How it ended.
    pub status: WaitStatus,
    /// The largest resident size that it, or one that it waited for, ever had, in bytes (getrusage(2), `ru_maxrss`).
    pub peak_memory: u64,
}

/// Reaps one dead child and says how it ended; `None` if no child is dead now. Never waits (waitid(2), `WNOHANG`).
///
/// As a subreaper we get children that we never started: the caller matches the number against those it knows.
pub fn reap_any() -> Option<Reaped> {
    let (info, usage) = wait(libc::P_ALL, 0, libc::WEXITED | libc::WNOHANG | libc::__WALL).ok()?;
    // SAFETY: waitid has filled in the part of the structure that is about a child.
    let (pid, status) = unsafe { (info.si_pid(), info.si_status()) };
    if pid == 0 {
        return None;
    }
    let status = match info.si_code {
        libc::CLD_EXITED => WaitStatus::Code(u8::try_from(status & 0xff).unwrap_or(u8::MAX)),
        // Killed, or killed with a core dump: waitid was asked for nothing else.
        _ => WaitStatus::Signal(status),
    };
    let peak_memory = u64::try_from(usage.ru_maxrss).unwrap_or(0) * 1024;
    Some(Reaped { pid, status, peak_memory })
}

/// Whether there is any child of this process, dead or alive: one call, without a look at /proc.
pub(crate) fn exists_any() -> bool {
    let options = libc::WEXITED | libc::WSTOPPED | libc::WNOHANG | libc::WNOWAIT | libc::__WALL;
    !wait(libc::P_ALL, 0, options).is_err_and(|error| error.raw_os_error() == Some(libc::ECHILD))
}

/// Waits for this one child to end and reaps it.
pub(crate) fn reap(pid: i32) -> io::Result<()> {
    let id = libc::id_t::try_from(pid).map_err(|_| io::ErrorKind::InvalidInput)?;
    wait(libc::P_PID, id, libc::WEXITED | libc::__WALL).map(drop)
}

/// The system call itself, which unlike the C library's function also tells what the child used.
fn wait(kind: libc::idtype_t, id: libc::id_t, options: libc::c_int) -> io::Result<(libc::siginfo_t, libc::rusage)> {
    loop {
        // SAFETY: both are plain data, for which zeroes are valid; a pid of zero is how WNOHANG says "none".
        let (mut info, mut usage): (libc::siginfo_t, libc::rusage) = unsafe { MaybeUninit::zeroed().assume_init() };
        // SAFETY: `info` and `usage` are live, and waitid(2) writes nothing else.
        let result = unsafe { libc::syscall(libc::SYS_waitid, kind, id, &raw mut info, options, &raw mut usage) };
        match check(if result == 0 { 0 } else { -1 }) {
            Ok(_) => return Ok((info, usage)),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// From now on descendants whose parent dies become our children, however they daemonised (prctl(2),
/// `PR_SET_CHILD_SUBREAPER`). It is kept over an exec, and not inherited by children.
pub fn become_subreaper() -> io::Result<()> {
    Ok(set_child_subreaper(Some(getpid()))?)
}

//! Signals that come to us.
//!
//! A handler sets a flag and writes a byte to a pipe, which the event loop watches. Nothing is blocked, unlike with
//! signalfd(2): a blocked signal would stay blocked in what we start, and our services would be deaf to SIGTERM.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};

use rustix::io::{read, retry_on_intr};
use rustix::pipe::{PipeFlags, pipe_with};

use crate::errno::check;

/// Bit N-1 is set while signal N has come and was not yet drained.
static PENDING: AtomicU64 = AtomicU64::new(0);
/// The writing end of `PIPE`, where the handler finds it without touching a lock.
static WRITER: AtomicI32 = AtomicI32::new(-1);
/// Made once and never closed, so that a handler can at no moment write to a descriptor that has become another file.
static PIPE: OnceLock<(OwnedFd, OwnedFd)> = OnceLock::new();
/// Whether a `SignalPipe` lives.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// The signals that came since the last [`SignalPipe::drain`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SignalSet(u64);

impl SignalSet {
    /// Whether `signal` came, once or more often.
    pub fn contains(self, signal: i32) -> bool {
        self.0 & bit(signal) != 0
    }

    /// Whether none came.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// Handlers for some signals, and a descriptor that is readable when one of them has come.
///
/// Signals belong to the process, so there is at most one of these. Dropping it puts back what was there before.
#[derive(Debug)]
pub struct SignalPipe {
    previous: Vec<(i32, Disposition)>,
}

impl SignalPipe {
    /// Takes over `signals`: from now on each shows up in [`SignalPipe::drain`] and does nothing else.
    ///
    /// They are unblocked too, in case whoever started us had blocked them. While another `SignalPipe` lives this fails
    /// with the kind `AlreadyExists`.
    pub fn install(signals: &[i32]) -> io::Result<Self> {
        if TAKEN.swap(true, Ordering::AcqRel) {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "the signal handlers are installed already"));
        }
        // From here on an early return drops `taken`, which gives back whatever was taken.
        let mut taken = Self { previous: Vec::with_capacity(signals.len()) };
        let (_, writer) = open_pipe()?;
        WRITER.store(writer.as_raw_fd(), Ordering::Release);
        PENDING.store(0, Ordering::Release);
        for &signal in signals {
            taken.previous.push((signal, handle(signal)?));
        }
        unblock(signals)?;
        Ok(taken)
    }

    /// The descriptor to poll for reading.
    pub fn as_fd(&self) -> BorrowedFd<'_> {
        PIPE.get().expect("a pipe is opened before there is a SignalPipe").0.as_fd()
    }

    /// Takes what came since the last call.
    ///
    /// The same signal coming twice is told once, as the kernel does; none is ever lost. The set may be empty although
    /// the descriptor was readable, if the signal came during the call before.
    pub fn drain(&mut self) -> SignalSet {
        let mut bytes = [0; 64];
        // The bytes go first: a signal that comes after they are read writes another one, so its flag is never overlooked.
        while retry_on_intr(|| read(self.as_fd(), &mut bytes)).is_ok_and(|length| length == bytes.len()) {}
        SignalSet(PENDING.swap(0, Ordering::AcqRel))
    }
}

impl AsFd for SignalPipe {
    fn as_fd(&self) -> BorrowedFd<'_> {
        SignalPipe::as_fd(self)
    }
}

impl Drop for SignalPipe {
    fn drop(&mut self) {
        for (signal, previous) in self.previous.drain(..).rev() {
            // SAFETY: `previous` is what sigaction(2) itself returned for this signal.
            unsafe { libc::sigaction(signal, &raw const previous.0, ptr::null_mut()) };
        }
        TAKEN.store(false, Ordering::Release);
    }
}

/// Ignores `signal` from now on. Programs started by [`crate::spawn`] do not inherit this.
pub fn ignore(signal: i32) -> io::Result<()> {
    set_disposition(signal, libc::SIG_IGN, 0).map(drop)
}

/// Whether `signal` is ignored, as `nohup` leaves SIGHUP for what it starts.
pub fn is_ignored(signal: i32) -> io::Result<bool> {
    let mut current = Disposition::empty();
    // SAFETY: with no new action given, sigaction(2) only writes the current one to `current`.
    check(unsafe { libc::sigaction(signal, ptr::null(), &raw mut current.0) })?;
    Ok(current.0.sa_sigaction == libc::SIG_IGN)
}

/// What happens when a signal comes, as sigaction(2) describes it.
#[derive(Clone, Copy)]
struct Disposition(libc::sigaction);

impl Disposition {
    fn empty() -> Self {
        // SAFETY: a sigaction holds integers and an optional function; all zero bytes are valid: SIG_DFL, no flags, an empty mask.
        Self(unsafe { MaybeUninit::zeroed().assume_init() })
    }
}

impl std::fmt::Debug for Disposition {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Disposition").finish_non_exhaustive()
    }
}

fn handle(signal: i32) -> io::Result<Disposition> {
    // A stopped child is no news for a supervisor, and would wake it.
    let flags = if signal == libc::SIGCHLD { libc::SA_RESTART | libc::SA_NOCLDSTOP } else { libc::SA_RESTART };
    set_disposition(signal, on_signal as *const () as libc::sighandler_t, flags)
}

fn set_disposition(signal: i32, handler: libc::sighandler_t, flags: libc::c_int) -> io::Result<Disposition> {
    let mut wanted = Disposition::empty();
    wanted.0.sa_sigaction = handler;
    wanted.0.sa_flags = flags;
    let mut previous = Disposition::empty();
    // SAFETY: both structures are live. The handler is SIG_IGN or `on_signal`, which is safe to run at any moment.
    check(unsafe { libc::sigaction(signal, &raw const wanted.0, &raw mut previous.0) })?;
    Ok(previous)
}

fn unblock(signals: &[i32]) -> io::Result<()> {
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: sigemptyset initialises the set before anything reads it; the mask changed is this thread's own.
    let result = unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        for &signal in signals {
            libc::sigaddset(set.as_mut_ptr(), signal);
        }
        libc::pthread_sigmask(libc::SIG_UNBLOCK, set.as_ptr(), ptr::null_mut())
    };
    if result == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(result)) }
}

fn open_pipe() -> io::Result<&'static (OwnedFd, OwnedFd)> {
    if let Some(pipe) = PIPE.get() {
        return Ok(pipe);
    }
    // Only the holder of `TAKEN` comes here, so no other thread can have set it in between.
    let pipe = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
    Ok(PIPE.get_or_init(|| pipe))
}

fn bit(signal: i32) -> u64 {
    signal
        .checked_sub(1)
        .and_then(|shift| u32::try_from(shift).ok())
        .and_then(|shift| 1u64.checked_shl(shift))
        .unwrap_or(0)
}

/// Runs on top of whatever the process was doing: it may only use atomics and calls that signal-safety(7) lists.
extern "C" fn on_signal(signal: libc::c_int) {
    PENDING.fetch_or(bit(signal), Ordering::AcqRel);
    // SAFETY: errno is this thread's own and is put back, as the code below us may be about to read it. write(2) gets one
    // live byte and a descriptor that is never closed; if the pipe is full, the loop is going to wake up anyway.
    unsafe {
        let errno = *libc::__errno_location();
        libc::write(WRITER.load(Ordering::Acquire), [0u8].as_ptr().cast(), 1);
        *libc::__errno_location() = errno;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_knows_signals_from_1_to_64_and_nothing_else() {
        let set = SignalSet(bit(1) | bit(15) | bit(64));
        assert!(set.contains(1) && set.contains(15) && set.contains(64));
        assert!(
            !set.contains(2) && !set.contains(0) && !set.contains(-1) && !set.contains(65) && !set.contains(i32::MIN)
        );
        assert!(SignalSet::default().is_empty());
    }
}

//! Which process it is: a number alone does not say, since numbers are given again.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::ptr;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::procfs::read_stat;

/// What tells one process from every other one since the machine was booted.
///
/// Across boots it needs the [`boot_id`] beside it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Identity {
    /// The number.
    pub pid: i32,
    /// When it was started, in clock ticks since boot: field 22 of /proc/PID/stat, proc(5). An exec does not change it.
    pub start_ticks: u64,
}

/// The text that is new with every boot (/proc/sys/kernel/random/boot_id), without its newline.
pub fn boot_id() -> io::Result<String> {
    let mut text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
    text.truncate(text.trim_end().len());
    Ok(text)
}

/// Who has the number `pid` now; a zombie still does. The kind of the error is `NotFound` if nobody has.
///
/// By the time this returns it may be over. To act on a process, hold it with [`Process::open`].
pub fn identify(pid: i32) -> io::Result<Identity> {
    Ok(Identity { pid, start_ticks: read_stat(pid)?.start_ticks })
}

/// A process that is not our child, held so that it cannot be mistaken for another.
#[derive(Debug)]
pub struct Process {
    identity: Identity,
    pidfd: OwnedFd,
}

impl Process {
    /// Holds the process `identity`; `None` if it is no more, whoever may have its number now, or is but a zombie.
    pub fn open(identity: &Identity) -> io::Result<Option<Process>> {
        let pidfd = match open_pidfd(identity.pid) {
            // ESRCH: nobody has the number. The others, by kernel: it has become the number of a mere thread.
            Err(error) if matches!(error.raw_os_error(), Some(libc::ESRCH | libc::EINVAL | libc::ENOENT)) => {
                return Ok(None);
            }
            other => other?,
        };
        let process = Process { identity: identity.clone(), pidfd };
        // The number is looked at only now: what it names, as long as the pidfd is alive, is what the pidfd holds.
        match identify(identity.pid) {
            Ok(found) if found == *identity && process.is_alive() => Ok(Some(process)),
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(_) | Err(_) => Ok(None),
        }
    }

    /// Who it is.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Sends `signal` (0: only checks that we may). One that is gone already is no error: it cannot be asked for more.
    pub fn signal(&self, signal: i32) -> io::Result<()> {
        signal_pidfd(self.pidfd.as_fd(), signal)
    }

    /// Whether any thread of it still runs; a zombie does not live.
    pub fn is_alive(&self) -> bool {
        is_alive(self.pidfd.as_fd())
    }
}

impl AsFd for Process {
    /// The pidfd: readable for ever once the process has ended.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }
}

/// pidfd_open(2).
pub(crate) fn open_pidfd(pid: i32) -> io::Result<OwnedFd> {
    let pid = if pid > 0 { Pid::from_raw(pid) } else { None };
    let pid = pid.ok_or_else(|| io::Error::from_raw_os_error(libc::ESRCH))?;
    // A pidfd is close-on-exec without being asked.
    Ok(pidfd_open(pid, PidfdFlags::empty())?)
}

/// pidfd_send_signal(2), where `ESRCH` is good news.
pub(crate) fn signal_pidfd(pidfd: BorrowedFd<'_>, signal: i32) -> io::Result<()> {
    let no_info = ptr::null::<libc::siginfo_t>();
    // SAFETY: the descriptor lives through the call, and without a siginfo the kernel makes one itself.
    let result = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), signal, no_info, 0) };
    if result == 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    if error.raw_os_error() == Some(libc::ESRCH) { Ok(()) } else { Err(error) }
}

/// A pidfd is readable from the moment when the last thread has ended.
pub(crate) fn is_alive(pidfd: BorrowedFd<'_>) -> bool {
    let mut fds = [PollFd::from_borrowed_fd(pidfd, PollFlags::IN)];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    // If it cannot be asked it counts as alive: to treat a living process as dead would double it.
    rustix::io::retry_on_intr(|| poll(&mut fds, Some(&at_once))).map_or(true, |ready| ready == 0)
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    fn own_pid() -> i32 {
        i32::try_from(std::process::id()).unwrap()
    }

    #[test]
    fn we_can_hold_ourselves() {
        let identity = identify(own_pid()).unwrap();
        let process = Process::open(&identity).unwrap().unwrap();
        assert!(process.is_alive());
        assert_eq!(process.identity(), &identity);
        process.signal(0).unwrap();
    }

    #[test]
    fn a_number_with_another_start_time_is_refused() {
        let mut identity = identify(own_pid()).unwrap();
        identity.start_ticks += 1;
        assert!(Process::open(&identity).unwrap().is_none());
    }

    #[test]
    fn numbers_that_name_nobody_are_refused() {
        for pid in [0, -1, i32::MIN, i32::MAX] {
            assert!(Process::open(&Identity { pid, start_ticks: 1 }).unwrap().is_none());
            assert!(identify(pid).is_err());
        }
    }

    #[test]
    fn a_zombie_has_an_identity_but_is_not_alive() {
        let mut child = Command::new("/bin/cat").stdin(Stdio::piped()).spawn().unwrap();
        let identity = identify(i32::try_from(child.id()).unwrap()).unwrap();
        let process = Process::open(&identity).unwrap().unwrap();
        drop(child.stdin.take());
        // The pidfd tells the end; until `wait` the child is a zombie.
        poll(&mut [PollFd::new(&process, PollFlags::IN)], None).unwrap();
        assert!(!process.is_alive());
        assert_eq!(identify(identity.pid).unwrap(), identity);
        assert!(Process::open(&identity).unwrap().is_none());
        child.wait().unwrap();
        process.signal(libc::SIGTERM).unwrap();
        assert!(Process::open(&identity).unwrap().is_none());
    }

    #[test]
    fn a_boot_has_a_name() {
        let id = boot_id().unwrap();
        assert_eq!(id.len(), 36);
        assert_eq!(id, boot_id().unwrap());
    }
}

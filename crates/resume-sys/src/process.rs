//! What concerns this process as a whole.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::Mode;
use rustix::io::{FdFlags, fcntl_getfd, fcntl_setfd};

use crate::dirs::{list, open_dir};

/// Sets which permission bits new files never get (umask(2)).
pub fn set_umask(mask: u32) {
    rustix::process::umask(Mode::from_raw_mode(mask));
}

/// Leaves the terminal and the session we were started in, and leads a new one (setsid(2)).
///
/// Fails with `EPERM` if we lead a process group already.
pub fn new_session() -> io::Result<()> {
    rustix::process::setsid()?;
    Ok(())
}

/// The program file that we run, by its path.
///
/// If it was replaced by another file, as an update does, it is the path of the new one. If it was only deleted, it is the
/// path where it used to be.
pub fn executable() -> io::Result<PathBuf> {
    let link = std::fs::read_link("/proc/self/exe")?;
    if link.exists() { Ok(link) } else { Ok(without_deleted(link.into_os_string())) }
}

/// proc(5) marks a file that has no name any more.
fn without_deleted(link: OsString) -> PathBuf {
    let path = link.as_bytes().strip_suffix(b" (deleted)").map(|path| OsStr::from_bytes(path).to_owned());
    path.unwrap_or(link).into()
}

/// How many columns the terminal has; `None` if `fd` is no terminal or does not know.
pub fn terminal_width(fd: BorrowedFd<'_>) -> Option<u16> {
    rustix::termios::tcgetwinsize(fd).ok().map(|size| size.ws_col).filter(|&columns| columns > 0)
}

/// How many lines the terminal has; `None` if `fd` is no terminal or does not know.
pub fn terminal_height(fd: BorrowedFd<'_>) -> Option<u16> {
    rustix::termios::tcgetwinsize(fd).ok().map(|size| size.ws_row).filter(|&lines| lines > 0)
}

/// Whether `fd` is a terminal.
pub fn is_terminal(fd: BorrowedFd<'_>) -> bool {
    rustix::termios::isatty(fd)
}

/// Whether programs that we exec get this descriptor; no other descriptor of ours should be like that for long.
pub fn set_inheritable(fd: BorrowedFd<'_>, on: bool) -> io::Result<()> {
    let flags = fcntl_getfd(fd)?;
    let wanted = if on { flags.difference(FdFlags::CLOEXEC) } else { flags | FdFlags::CLOEXEC };
    Ok(fcntl_setfd(fd, wanted)?)
}

/// Closes all descriptors from `first` on, which whoever started us left open: a pipe that someone waits to see the end
/// of, a lock, a terminal.
///
/// To be called before this process has opened any itself: those it would close too.
pub fn close_inherited(first: RawFd) -> io::Result<()> {
    let first = libc::c_uint::try_from(first).map_err(|_| io::ErrorKind::InvalidInput)?;
    // SAFETY: closing descriptors harms no memory; that nobody here relies on them is what the caller promises.
    let result = unsafe { libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, 0) };
    if result == 0 {
        return Ok(());
    }
    match io::Error::last_os_error() {
        // Linux before 5.9 does not know it (ENOSYS), nor do some seccomp filters (EPERM).
        error if matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EPERM)) => close_one_by_one(first),
        error => Err(error),
    }
}

fn close_one_by_one(first: libc::c_uint) -> io::Result<()> {
    let dir = open_dir(Path::new("/proc/self/fd"))?;
    for name in list(dir.as_fd())? {
        let number = name.to_str().and_then(|name| name.parse::<RawFd>().ok());
        // The listing itself is among them.
        let number = number.filter(|&number| number != dir.as_raw_fd());
        if let Some(number) = number.filter(|&number| libc::c_uint::try_from(number).is_ok_and(|it| it >= first)) {
            // SAFETY: as above. One that is gone meanwhile gives EBADF, which is what was wanted.
            unsafe { libc::close(number) };
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::CommandExt;
    use std::process::{Command, Stdio};

    use super::*;

    /// The descriptors of a child that calls `prepare` before its program, while a stray one is inheritable.
    fn descriptors_after(prepare: fn()) -> String {
        let (reader, _writer) = rustix::pipe::pipe().unwrap();
        let mut command = Command::new("/bin/ls");
        command.arg("/proc/self/fd").stdout(Stdio::piped());
        // SAFETY: between fork and exec it closes or marks descriptors, which is what is tested.
        unsafe {
            command.pre_exec(move || {
                prepare();
                Ok(())
            })
        };
        let output = command.output().unwrap();
        drop(reader);
        String::from_utf8(output.stdout).unwrap().replace('\n', " ")
    }

    #[test]
    fn what_was_left_open_for_us_can_be_closed() {
        // The fourth is that of the listing itself.
        const NONE: &str = "0 1 2 3 ";
        assert_ne!(descriptors_after(|| ()), NONE);
        assert_eq!(descriptors_after(|| close_inherited(3).unwrap()), NONE);
        assert_eq!(descriptors_after(|| close_one_by_one(3).unwrap()), NONE, "what older kernels get");
        assert_eq!(close_inherited(-1).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }

    #[test]
    fn a_descriptor_can_be_kept_from_children_and_given_to_them() {
        let (reader, _writer) = crate::socket::pair().unwrap();
        let mut command = Command::new("/bin/sh");
        command.args(["-c", &format!("test -e /proc/self/fd/{}", reader.as_raw_fd())]);
        assert!(!command.status().unwrap().success());
        set_inheritable(reader.as_fd(), true).unwrap();
        assert!(command.status().unwrap().success());
        set_inheritable(reader.as_fd(), false).unwrap();
        assert!(!command.status().unwrap().success());
    }

    #[test]
    fn our_own_program_is_found() {
        assert_eq!(executable().unwrap(), std::env::current_exe().unwrap());
        assert_eq!(without_deleted("/a/b (deleted)".into()), Path::new("/a/b"));
        assert_eq!(without_deleted("/a/b".into()), Path::new("/a/b"));
    }

    #[test]
    fn a_pipe_is_no_terminal() {
        let (reader, _writer) = crate::socket::pair().unwrap();
        assert!(!is_terminal(reader.as_fd()));
        assert_eq!(terminal_width(reader.as_fd()), None);
    }
}

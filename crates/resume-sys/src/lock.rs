//! The lock that says "a supervisor lives here".
//!
//! An open file description lock (fcntl(2), `F_OFD_SETLK`): it goes with the last descriptor of its description, so also
//! when its holder is killed, and it survives an exec that keeps the descriptor. Unlike the older kind it is not lost when
//! some other part of the process closes the same file.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat, fstat, openat, statat};
use rustix::io::{Errno, FdFlags, fcntl_setfd};

use crate::errno::check;

/// How often to try again when the lock file is replaced while we take it.
const REPLACEMENTS: u32 = 16;

/// A lock that is held. Dropping it gives it back; the file stays.
#[derive(Debug)]
pub struct Lock {
    file: OwnedFd,
}

impl Lock {
    /// Takes the lock file `name` of the folder `dir`, making it (0600) if it is missing; `None` if somebody holds it.
    ///
    /// A symbolic link or anything else that is no regular file is an error. What was locked is what the name leads to when
    /// this returns, also if the file was deleted and made anew meanwhile.
    pub fn try_acquire(dir: BorrowedFd<'_>, name: &str) -> io::Result<Option<Lock>> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        for _ in 0..REPLACEMENTS {
            let file = openat(dir, name, flags, Mode::RUSR | Mode::WUSR)?;
            let opened = fstat(&file)?;
            check_regular(&opened)?;
            if !set_lock(file.as_fd())? {
                return Ok(None);
            }
            match statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(named) if (named.st_dev, named.st_ino) == (opened.st_dev, opened.st_ino) => {
                    return Ok(Some(Lock { file }));
                }
                // We hold a lock on a file that nobody else will ever find.
                Ok(_) | Err(Errno::NOENT) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(io::Error::new(io::ErrorKind::ResourceBusy, format!("`{name}` is replaced again and again")))
    }

    /// Whether anybody, this process included, holds the lock file `name` of the folder `dir`. It is never taken for that,
    /// so a check can keep nobody out. No file, no holder.
    pub fn is_held(dir: BorrowedFd<'_>, name: &str) -> io::Result<bool> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let file = match openat(dir, name, flags, Mode::empty()) {
            Err(Errno::NOENT) => return Ok(false),
            other => other?,
        };
        let mut lock = whole_file();
        // SAFETY: `lock` is live; with F_OFD_GETLK fcntl(2) only reads and writes that.
        check(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_GETLK, &raw mut lock) })?;
        Ok(i32::from(lock.l_type) != libc::F_UNLCK)
    }

    /// Takes up a lock that came with an open descriptor, over an exec; `None` if another description holds it.
    pub fn from_fd(file: OwnedFd) -> io::Result<Option<Lock>> {
        fcntl_setfd(&file, FdFlags::CLOEXEC)?;
        // To lock again what one holds changes nothing.
        Ok(set_lock(file.as_fd())?.then_some(Lock { file }))
    }
}

impl AsFd for Lock {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

fn check_regular(stat: &Stat) -> io::Result<()> {
    if FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile {
        Ok(())
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, "the lock is not a regular file"))
    }
}

/// Tries to lock the whole file; false if another description holds it.
fn set_lock(file: BorrowedFd<'_>) -> io::Result<bool> {
    let lock = whole_file();
    // SAFETY: `lock` is live; with F_OFD_SETLK fcntl(2) only reads it.
    match check(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &raw const lock) }) {
        Ok(_) => Ok(true),
        Err(error) if matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::EACCES)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// A write lock over all bytes, those to come too.
fn whole_file() -> libc::flock {
    // The constants are small; the fields are shorts. For OFD locks the pid must be 0.
    #[allow(clippy::cast_possible_truncation, reason = "F_WRLCK is 1 and SEEK_SET is 0")]
    let (l_type, l_whence) = (libc::F_WRLCK as libc::c_short, libc::SEEK_SET as libc::c_short);
    libc::flock { l_type, l_whence, l_start: 0, l_len: 0, l_pid: 0 }
}

//! A signal when something in a folder is deleted (fcntl(2), `F_NOTIFY`).
//!
//! Unlike inotify it needs no descriptor, of which an account may have only 128 for that (`max_user_instances`): too few for
//! a process a service.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use crate::errno::check;

/// The signal that says so.
pub const SIGNAL: i32 = libc::SIGIO;

/// Of `linux/fcntl.h`; the libc crate does not have them.
const DN_DELETE: libc::c_uint = 0x0000_0008;
const DN_MULTISHOT: libc::c_uint = 0x8000_0000;

/// From now on [`SIGNAL`] is sent to this process whenever a name in `dir` is deleted, for as long as `dir` stays open.
///
/// It must be handled: by default it ends the process.
pub fn signal_on_delete(dir: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: F_NOTIFY takes flags and touches no memory of ours.
    check(unsafe { libc::fcntl(dir.as_raw_fd(), libc::F_NOTIFY, DN_DELETE | DN_MULTISHOT) }).map(drop)
}

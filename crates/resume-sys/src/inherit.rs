//! Descriptors that whoever started us passed on, by number.

use std::io;
use std::os::fd::{AsFd, FromRawFd, OwnedFd, RawFd};
use std::path::Path;

use crate::dirs::{list, open_dir};
use crate::process::{close_inherited, set_inheritable};

/// Closes every inherited descriptor but 0, 1, 2 and `kept`, which from now on is ours alone and kept from children.
///
/// `kept` must be 3, the first one after the standard ones, and open. To be called before this process has opened any
/// descriptor itself, and once.
pub fn keep_only(kept: Option<RawFd>) -> io::Result<Option<OwnedFd>> {
    const FIRST: RawFd = 3;
    let Some(number) = kept else {
        close_inherited(FIRST)?;
        return Ok(None);
    };
    // SAFETY: F_GETFD reads a flag and takes any number.
    if number != FIRST || unsafe { libc::fcntl(number, libc::F_GETFD) } < 0 {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    close_inherited(FIRST + 1)?;
    // SAFETY: the descriptor is open, was passed to this process for this use, and nothing else here knows of it.
    let owned = unsafe { OwnedFd::from_raw_fd(number) };
    set_inheritable(owned.as_fd(), false)?;
    Ok(Some(owned))
}

/// The file mode creation mask (umask(2)) of this process, from `/proc/self/status`; umask(2) itself cannot be asked
/// without changing it.
pub fn umask() -> Option<u32> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let mask = status.lines().find_map(|line| line.strip_prefix("Umask:"))?;
    u32::from_str_radix(mask.trim(), 8).ok()
}

/// How many descriptors this process, and what it starts, may have (getrlimit(2), `RLIMIT_NOFILE`, the soft limit).
pub fn descriptor_limit() -> u64 {
    rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// Keeps every descriptor but 0, 1 and 2 from the programs that we start, without closing any: whoever started us may
/// have left some open that we know nothing of.
pub fn keep_from_children() -> io::Result<()> {
    let dir = open_dir(Path::new("/proc/self/fd"))?;
    for name in list(dir.as_fd())? {
        if let Some(number) = name.to_str().and_then(|name| name.parse::<RawFd>().ok()).filter(|number| *number > 2) {
            // SAFETY: F_SETFD sets a flag; a descriptor that is gone meanwhile gives EBADF, which is as good.
            unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) };
        }
    }
    Ok(())
}

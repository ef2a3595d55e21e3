//! Named pipes, through which a program's output comes to us and survives us (fifo(7)).

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, fcntl_getfl, fcntl_setfl, fstat, mkfifoat, openat, statat};
use rustix::io::Errno;
use rustix::pipe::{fcntl_getpipe_size, fcntl_setpipe_size};

/// Makes the FIFO `name` in the folder `dir`, readable and writable by its owner alone (0600).
///
/// One that is there already and is ours is fine; anything else under that name is an error of kind `AlreadyExists`.
pub fn make(dir: BorrowedFd<'_>, name: &str) -> io::Result<()> {
    match mkfifoat(dir, name, Mode::RUSR | Mode::WUSR) {
        Err(Errno::EXIST) => {}
        other => return Ok(other?),
    }
    let found = statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)?;
    if FileType::from_raw_mode(found.st_mode) != FileType::Fifo {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("`{name}` is there and is no FIFO")));
    }
    if found.st_uid != crate::account::effective_uid() {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("the FIFO `{name}` belongs to another user")));
    }
    Ok(())
}

/// Opens the FIFO for reading, without waiting for a writer; reads from it do not wait either.
pub fn open_reader(dir: BorrowedFd<'_>, name: &str) -> io::Result<OwnedFd> {
    open(dir, name, OFlags::RDONLY)
}

/// Opens the FIFO for writing only, as a program expects of its stdout: its writes wait when the pipe is full.
///
/// The opening itself never waits: someone must hold a reading end, else it fails with `ENXIO`.
pub fn open_writer(dir: BorrowedFd<'_>, name: &str) -> io::Result<OwnedFd> {
    let fifo = open(dir, name, OFlags::WRONLY)?;
    fcntl_setfl(&fifo, fcntl_getfl(&fifo)?.difference(OFlags::NONBLOCK))?;
    Ok(fifo)
}

fn open(dir: BorrowedFd<'_>, name: &str, access: OFlags) -> io::Result<OwnedFd> {
    let flags = access | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NOCTTY;
    let fifo = openat(dir, name, flags, Mode::empty())?;
    if FileType::from_raw_mode(fstat(&fifo)?.st_mode) == FileType::Fifo {
        Ok(fifo)
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, format!("`{name}` is no FIFO")))
    }
}

/// How many bytes wait in the pipe (`FIONREAD`).
pub fn readable_bytes(fifo: BorrowedFd<'_>) -> io::Result<usize> {
    Ok(usize::try_from(rustix::io::ioctl_fionread(fifo)?).unwrap_or(usize::MAX))
}

/// How many bytes the pipe can hold.
pub fn pipe_size(fifo: BorrowedFd<'_>) -> io::Result<usize> {
    Ok(fcntl_getpipe_size(fifo)?)
}

/// Makes the pipe hold at least `bytes`, and returns how many it holds now (fcntl(2), `F_SETPIPE_SZ`).
///
/// The kind `PermissionDenied` (`EPERM`) is normal: a user may have only so many big pipes (pipe(7), `pipe-user-pages-soft`).
/// `ResourceBusy` says that more bytes wait in it than would fit.
pub fn set_pipe_size(fifo: BorrowedFd<'_>, bytes: usize) -> io::Result<usize> {
    Ok(fcntl_setpipe_size(fifo, bytes)?)
}

/// What a read found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadOutcome {
    /// So many bytes, at least one unless the buffer was empty.
    Data(usize),
    /// Nothing now; a writer is there.
    WouldBlock,
    /// Nothing, and no writer. With a FIFO this is not for ever: the next writer may come.
    EndOfFile,
}

/// Reads what is there from a descriptor that does not wait.
pub fn read(fifo: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<ReadOutcome> {
    let empty = buffer.is_empty();
    match rustix::io::retry_on_intr(|| rustix::io::read(fifo, &mut *buffer)) {
        Ok(0) if !empty => Ok(ReadOutcome::EndOfFile),
        Ok(length) => Ok(ReadOutcome::Data(length)),
        Err(Errno::AGAIN) => Ok(ReadOutcome::WouldBlock),
        Err(error) => Err(error.into()),
    }
}

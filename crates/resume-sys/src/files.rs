//! Small files that are written whole and read whole.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, RenameFlags};
use rustix::fs::{fstat, fsync, linkat, openat, renameat, renameat_with, statat, unlinkat};
use rustix::io::Errno;

/// Puts `bytes` into the file `name` of the folder `dir` so that whoever opens it, at any moment, finds the old contents
/// whole or the new ones whole. The file is 0600.
///
/// `durable`: the new contents also survive a power cut that comes after the return (fsync(2)). After an error the old file
/// stands, and nothing is left beside it; only if it was the last step that failed, the syncing of the folder, the new one
/// may stand already. The caller is the only writer of the folder: the file beside it has a fixed name (`.NAME.new`), and
/// one left by a dead writer is replaced.
pub fn write_atomically(dir: BorrowedFd<'_>, name: &str, bytes: &[u8], durable: bool) -> io::Result<()> {
    let beside = format!(".{name}.new");
    let written = write_new(dir, &beside, bytes, durable).and_then(|()| Ok(renameat(dir, beside.as_str(), dir, name)?));
    if let Err(error) = written {
        // That it cannot be removed either is not the news; the next write will replace it.
        let _ = unlinkat(dir, beside.as_str(), AtFlags::empty());
        return Err(error);
    }
    if durable {
        fsync(dir)?;
    }
    Ok(())
}

fn write_new(dir: BorrowedFd<'_>, name: &str, bytes: &[u8], durable: bool) -> io::Result<()> {
    let file = create_new(dir, name)?;
    let mut rest = bytes;
    while !rest.is_empty() {
        match rustix::io::retry_on_intr(|| rustix::io::write(&file, rest))? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            written => rest = rest.get(written..).unwrap_or_default(),
        }
    }
    if durable {
        fsync(&file)?;
    }
    Ok(())
}

fn create_new(dir: BorrowedFd<'_>, name: &str) -> io::Result<OwnedFd> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mode = Mode::RUSR | Mode::WUSR;
    match openat(dir, name, flags, mode) {
        Err(Errno::EXIST) => {
            unlinkat(dir, name, AtFlags::empty())?;
            Ok(openat(dir, name, flags, mode)?)
        }
        other => Ok(other?),
    }
}

/// Opens the file `name` of the folder `dir` for reading.
///
/// A symbolic link, or anything else that is no regular file, is an error. It never waits for another process.
pub fn open_file(dir: BorrowedFd<'_>, name: &str) -> io::Result<OwnedFd> {
    open_regular(dir, name).map(|(file, _)| file)
}

fn open_regular(dir: BorrowedFd<'_>, name: &str) -> io::Result<(OwnedFd, rustix::fs::Stat)> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = openat(dir, name, flags, Mode::empty())?;
    let stat = fstat(&file)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("`{name}` is not a regular file")));
    }
    Ok((file, stat))
}

/// Reads the whole file `name` of the folder `dir`, as [`open_file`] opens it.
///
/// One of more than `limit` bytes is an error of the kind `FileTooLarge`.
pub fn read_file(dir: BorrowedFd<'_>, name: &str, limit: usize) -> io::Result<Vec<u8>> {
    let (file, stat) = open_regular(dir, name)?;
    let size = usize::try_from(stat.st_size).unwrap_or(usize::MAX);
    let too_large = || io::Error::new(io::ErrorKind::FileTooLarge, format!("`{name}` holds more than {limit} bytes"));
    if size > limit {
        return Err(too_large());
    }
    // One byte more than expected, so that one read finds the end as well: of a regular file it gives less than was asked
    // for only there.
    let mut bytes = Vec::with_capacity(size + 1);
    loop {
        let room = bytes.spare_capacity_mut();
        let asked = room.len();
        let read = rustix::io::retry_on_intr(|| read_into(file.as_fd(), &mut bytes))?;
        if bytes.len() > limit {
            return Err(too_large());
        }
        if read < asked {
            return Ok(bytes);
        }
        bytes.reserve(8192);
    }
}

/// Appends one read(2) to `bytes`, as much as fits into what it has reserved.
fn read_into(file: BorrowedFd<'_>, bytes: &mut Vec<u8>) -> rustix::io::Result<usize> {
    rustix::io::read(file, rustix::buffer::spare_capacity(bytes))
}

/// Renames `old` to `new`, and fails with the kind `AlreadyExists` rather than replace anything.
///
/// Where the file system cannot do that in one step (NFS), it does it in a way that cannot lose anything either: a folder
/// may then replace an empty folder, and a file exists under both names for a moment.
pub fn rename_noreplace(old_dir: BorrowedFd<'_>, old: &str, new_dir: BorrowedFd<'_>, new: &str) -> io::Result<()> {
    match renameat_with(old_dir, old, new_dir, new, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS) => rename_in_two_steps(old_dir, old, new_dir, new),
        other => Ok(other?),
    }
}

fn rename_in_two_steps(old_dir: BorrowedFd<'_>, old: &str, new_dir: BorrowedFd<'_>, new: &str) -> io::Result<()> {
    let stat = statat(old_dir, old, AtFlags::SYMLINK_NOFOLLOW)?;
    if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
        // rename(2) never replaces a folder that holds anything, nor a file by a folder.
        return match renameat(old_dir, old, new_dir, new) {
            Err(Errno::NOTEMPTY | Errno::NOTDIR) => Err(io::ErrorKind::AlreadyExists.into()),
            other => Ok(other?),
        };
    }
    linkat(old_dir, old, new_dir, new, AtFlags::empty())?;
    Ok(unlinkat(old_dir, old, AtFlags::empty())?)
}

/// The null device, open for reading and writing: what programs get as stdin.
pub fn open_null() -> io::Result<OwnedFd> {
    Ok(openat(rustix::fs::CWD, "/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, symlink};
    use std::path::Path;

    use super::*;
    use crate::dirs::{list, open_dir};

    fn names(dir: &OwnedFd) -> Vec<String> {
        let mut names: Vec<_> = list(dir.as_fd()).unwrap().into_iter().map(|it| it.into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn open(folder: &tempfile::TempDir) -> OwnedFd {
        open_dir(folder.path()).unwrap()
    }

    #[test]
    fn a_file_is_replaced_whole_and_private() {
        let folder = tempfile::tempdir().unwrap();
        let dir = open(&folder);
        let long = vec![0xa5; 100_000];
        for (bytes, durable) in [(&b"first"[..], false), (b"", true), (long.as_slice(), true)] {
            write_atomically(dir.as_fd(), "state.json", bytes, durable).unwrap();
            assert_eq!(read_file(dir.as_fd(), "state.json", 100_000).unwrap(), bytes);
            assert_eq!(names(&dir), ["state.json"]);
        }
        assert_eq!(folder.path().join("state.json").metadata().unwrap().mode() & 0o7777, 0o600);
    }

    #[test]
    fn what_a_dead_writer_left_is_replaced_even_if_it_is_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let dir = open(&folder);
        let victim = folder.path().join("victim");
        fs::write(&victim, "untouched").unwrap();
        symlink(&victim, folder.path().join(".a.new")).unwrap();
        write_atomically(dir.as_fd(), "a", b"new", false).unwrap();
        assert_eq!(fs::read_to_string(&victim).unwrap(), "untouched");
        assert_eq!(names(&dir), ["a", "victim"]);
    }

    #[test]
    fn a_failed_write_leaves_nothing_and_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let dir = open(&folder);
        // A folder cannot be replaced by a file, so the last step fails.
        fs::create_dir(folder.path().join("a")).unwrap();
        write_atomically(dir.as_fd(), "a", b"new", true).unwrap_err();
        assert_eq!(names(&dir), ["a"]);
        // A name that is too long cannot even be begun.
        write_atomically(dir.as_fd(), &"n".repeat(252), b"new", true).unwrap_err();
        assert_eq!(names(&dir), ["a"]);
    }

    #[test]
    fn a_write_that_cannot_begin_keeps_the_old_file() {
        let folder = tempfile::tempdir().unwrap();
        let dir = open(&folder);
        write_atomically(dir.as_fd(), "a", b"old", false).unwrap();
        fs::create_dir(folder.path().join(".a.new")).unwrap();
        write_atomically(dir.as_fd(), "a", b"new", false).unwrap_err();
        assert_eq!(read_file(dir.as_fd(), "a", 10).unwrap(), b"old");
    }

    #[test]
    fn only_a_regular_file_within_the_limit_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let dir = open(&folder);
        fs::write(folder.path().join("file"), "12345").unwrap();
        symlink("file", folder.path().join("link")).unwrap();
        crate::fifo::make(dir.as_fd(), "fifo").unwrap();
        assert_eq!(read_file(dir.as_fd(), "file", 5).unwrap(), b"12345");
        assert_eq!(read_file(dir.as_fd(), "file", 4).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        assert_eq!(read_file(dir.as_fd(), "link", 5).unwrap_err().raw_os_error(), Some(libc::ELOOP));
        assert_eq!(read_file(dir.as_fd(), "fifo", 5).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        assert_eq!(read_file(dir.as_fd(), "none", 5).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_file_that_says_nothing_of_its_size_is_read_to_its_end() {
        let dir = open_dir(Path::new("/proc/self/task/..")).unwrap();
        let maps = read_file(dir.as_fd(), "smaps", 1 << 24).unwrap();
        assert!(maps.len() > 4096, "so that it takes more than one read");
        assert_eq!(read_file(dir.as_fd(), "smaps", 100).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
    }

    #[test]
    fn a_rename_replaces_nothing() {
        for rename in [rename_noreplace, rename_in_two_steps] {
            let folder = tempfile::tempdir().unwrap();
            let dir = open(&folder);
            let path = |name| folder.path().join(name);
            fs::write(path("file"), "1").unwrap();
            fs::create_dir(path("folder")).unwrap();
            fs::create_dir(path("taken")).unwrap();
            fs::write(path("taken/x"), "1").unwrap();
            for old in ["file", "folder"] {
                let error = rename(dir.as_fd(), old, dir.as_fd(), "taken").unwrap_err();
                assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
            }
            let error = rename(dir.as_fd(), "folder", dir.as_fd(), "file").unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
            rename(dir.as_fd(), "file", dir.as_fd(), "file2").unwrap();
            rename(dir.as_fd(), "folder", dir.as_fd(), "folder2").unwrap();
            assert_eq!(rename(dir.as_fd(), "file", dir.as_fd(), "x").unwrap_err().kind(), io::ErrorKind::NotFound);
            assert_eq!(names(&dir), ["file2", "folder2", "taken"]);
        }
    }

    #[test]
    fn the_null_device_is_empty_and_takes_everything() {
        let null = open_null().unwrap();
        assert_eq!(rustix::io::read(&null, &mut [0; 8]).unwrap(), 0);
        assert_eq!(rustix::io::write(&null, b"gone").unwrap(), 4);
    }
}

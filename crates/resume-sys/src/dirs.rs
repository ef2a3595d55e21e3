//! Folders, held by descriptor, so that what happens inside cannot be led elsewhere by a link put in the way.

use std::ffi::{CStr, OsStr, OsString};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Mode, OFlags, RawDir};
use rustix::fs::{chmodat, fstat, mkdirat, openat, unlinkat};
use rustix::io::Errno;
use rustix::path::Arg;

/// How deep [`remove_tree`] goes: each level takes a descriptor and some stack.
const DEEPEST: u32 = 200;

/// Opens a folder. The last name of `path` may not be a symbolic link; those before it may.
pub fn open_dir(path: &Path) -> io::Result<OwnedFd> {
    open_at(CWD, path)
}

/// Opens the folder `name` of the folder `parent`; a symbolic link is refused.
pub fn open_dir_at(parent: BorrowedFd<'_>, name: &str) -> io::Result<OwnedFd> {
    open_at(parent, name)
}

fn open_at(parent: BorrowedFd<'_>, name: impl Arg) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(openat(parent, name, flags, Mode::empty())?)
}

/// Makes the folder `name` in `parent`, for its owner alone (0700, whatever the umask), and opens it.
///
/// One that is there already is opened and left as it is: [`ownership`] tells whether to trust it.
pub fn create_private_dir(parent: BorrowedFd<'_>, name: &str) -> io::Result<OwnedFd> {
    create_at(parent, OsStr::new(name))
}

/// Makes the folder `path` and all that are missing above it, each for its owner alone, and opens it.
pub fn create_private_dir_all(path: &Path) -> io::Result<OwnedFd> {
    match open_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        other => return other,
    }
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::NotFound.into());
    };
    match parent.as_os_str().as_bytes() {
        b"" => create_at(CWD, name),
        _ => match open_above(parent) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                create_at(create_private_dir_all(parent)?.as_fd(), name)
            }
            other => create_at(other?.as_fd(), name),
        },
    }
}

/// Opens a folder above ours, which may well be a link (`/home` often is).
fn open_above(path: &Path) -> io::Result<OwnedFd> {
    Ok(openat(CWD, path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?)
}

fn create_at(parent: BorrowedFd<'_>, name: &OsStr) -> io::Result<OwnedFd> {
    let made = match mkdirat(parent, name, Mode::RWXU) {
        Ok(()) => true,
        Err(Errno::EXIST) => false,
        Err(error) => return Err(error.into()),
    };
    if made {
        // A umask may have taken bits away that the owner needs, even to open it, or a folder with set-group-id handed on
        // its own. So it is held without being opened, and its mode set by way of that, not of its name.
        let node =
            openat(parent, name, OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
        if Mode::from_raw_mode(fstat(&node)?.st_mode) != Mode::RWXU {
            chmodat(CWD, format!("/proc/self/fd/{}", node.as_raw_fd()), Mode::RWXU, AtFlags::empty())?;
        }
    }
    open_at(parent, name)
}

/// Removes `name` from the folder `parent`, with all that it holds if it is a folder. Nothing there: done already.
///
/// Links are removed, not followed. After an error a part may be gone.
pub fn remove_tree(parent: BorrowedFd<'_>, name: &str) -> io::Result<()> {
    remove_at(parent, OsStr::new(name), DEEPEST)
}

fn remove_at(parent: BorrowedFd<'_>, name: &OsStr, depth: u32) -> io::Result<()> {
    match unlinkat(parent, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => return Ok(()),
        // EISDIR is what Linux says, EPERM what POSIX says.
        Err(Errno::ISDIR | Errno::PERM) => {}
        Err(error) => return Err(error.into()),
    }
    let Some(depth) = depth.checked_sub(1) else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the folders are nested too deep"));
    };
    let dir = match open_at(parent, name) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        // It is no folder after all: then it was the removal that is not permitted.
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => return Err(Errno::PERM.into()),
        other => other?,
    };
    for entry in list(dir.as_fd())? {
        remove_at(dir.as_fd(), &entry, depth)?;
    }
    match unlinkat(parent, name, AtFlags::REMOVEDIR) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// The names in a folder, in no order, without `.` and `..`.
pub fn list(dir: BorrowedFd<'_>) -> io::Result<Vec<OsString>> {
    let mut names = Vec::new();
    for_each_name(dir, &mut [MaybeUninit::uninit(); 4096], |name| {
        names.push(OsString::from_vec(name.to_bytes().to_vec()));
    })?;
    Ok(names)
}

/// Calls `take` for each name in a folder; `buffer` says how much is read at once.
pub(crate) fn for_each_name(
    dir: BorrowedFd<'_>,
    buffer: &mut [MaybeUninit<u8>],
    mut take: impl FnMut(&CStr),
) -> io::Result<()> {
    // Opened anew, because a descriptor remembers how far it was read.
    let own = open_at(dir, c".")?;
    let mut entries = RawDir::new(own, buffer);
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let name = entry.file_name();
        if name != c"." && name != c".." {
            take(name);
        }
    }
    Ok(())
}

/// Whose something is, and who may do what with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ownership {
    /// The owner.
    pub uid: u32,
    /// The permission bits, with set-id and sticky ones: at most `0o7777`.
    pub mode: u32,
}

/// Whose the file or folder behind `fd` is.
pub fn ownership(fd: BorrowedFd<'_>) -> io::Result<Ownership> {
    let stat = fstat(fd)?;
    Ok(Ownership { uid: stat.st_uid, mode: stat.st_mode & 0o7777 })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    use super::*;

    #[test]
    fn a_folder_is_made_private_and_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let parent = open_dir(folder.path()).unwrap();
        for _ in 0..2 {
            let made = create_private_dir(parent.as_fd(), "web").unwrap();
            let expected = Ownership { uid: crate::account::effective_uid(), mode: 0o700 };
            assert_eq!(ownership(made.as_fd()).unwrap(), expected);
        }
        open_dir_at(parent.as_fd(), "web").unwrap();
    }

    #[test]
    fn a_folder_of_a_shared_group_folder_is_private_all_the_same() {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o2777)).unwrap();
        let made = create_private_dir_all(&folder.path().join("a")).unwrap();
        assert_eq!(ownership(made.as_fd()).unwrap().mode, 0o700);
    }

    #[test]
    fn one_that_is_there_is_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("open")).unwrap();
        fs::set_permissions(folder.path().join("open"), fs::Permissions::from_mode(0o777)).unwrap();
        let parent = open_dir(folder.path()).unwrap();
        let found = create_private_dir(parent.as_fd(), "open").unwrap();
        assert_eq!(ownership(found.as_fd()).unwrap().mode, 0o777);
    }

    #[test]
    fn all_missing_folders_are_made_and_links_above_are_followed() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("real")).unwrap();
        symlink("real", folder.path().join("link")).unwrap();
        let path = folder.path().join("link/a/b/c");
        for _ in 0..2 {
            create_private_dir_all(&path).unwrap();
        }
        for part in ["real/a", "real/a/b", "real/a/b/c"] {
            assert_eq!(folder.path().join(part).metadata().unwrap().mode() & 0o7777, 0o700);
        }
        assert!(create_private_dir_all(Path::new("")).is_err());
    }

    #[test]
    fn what_is_no_folder_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let parent = open_dir(folder.path()).unwrap();
        fs::write(folder.path().join("file"), "").unwrap();
        fs::create_dir(folder.path().join("real")).unwrap();
        symlink("real", folder.path().join("link")).unwrap();
        for name in ["file", "link"] {
            assert_eq!(open_dir(&folder.path().join(name)).unwrap_err().raw_os_error(), Some(libc::ENOTDIR));
            assert!(open_dir_at(parent.as_fd(), name).is_err());
            assert!(create_private_dir(parent.as_fd(), name).is_err());
            assert!(create_private_dir_all(&folder.path().join(name)).is_err());
        }
    }

    #[test]
    fn a_tree_is_removed_and_no_link_is_followed() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        fs::create_dir_all(at("kept/inner")).unwrap();
        fs::write(at("kept/inner/file"), "precious").unwrap();
        fs::create_dir_all(at("tree/a/b")).unwrap();
        fs::write(at("tree/a/file"), "x").unwrap();
        symlink("../kept", at("tree/link")).unwrap();
        symlink(at("kept/inner/file"), at("tree/a/b/link")).unwrap();
        symlink("nowhere", at("tree/dangling")).unwrap();
        let parent = open_dir(folder.path()).unwrap();
        crate::fifo::make(open_dir(&at("tree")).unwrap().as_fd(), "fifo").unwrap();
        for _ in 0..2 {
            remove_tree(parent.as_fd(), "tree").unwrap();
            assert!(!at("tree").exists());
        }
        assert_eq!(fs::read_to_string(at("kept/inner/file")).unwrap(), "precious");

        symlink("kept", at("link")).unwrap();
        remove_tree(parent.as_fd(), "link").unwrap();
        assert!(at("link").symlink_metadata().is_err() && at("kept/inner/file").exists());
        remove_tree(parent.as_fd(), "kept").unwrap();
    }

    #[test]
    fn a_tree_that_is_nested_too_deep_is_an_error_and_no_crash() {
        let folder = tempfile::tempdir().unwrap();
        let mut dir = open_dir(folder.path()).unwrap();
        for _ in 0..=DEEPEST + 1 {
            dir = create_private_dir(dir.as_fd(), "d").unwrap();
        }
        let parent = open_dir(folder.path()).unwrap();
        assert_eq!(remove_tree(parent.as_fd(), "d").unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }

    #[test]
    fn a_listing_names_everything_once_and_can_be_repeated() {
        let folder = tempfile::tempdir().unwrap();
        let mut expected: Vec<OsString> =
            (0..500).map(|number| format!("a-rather-long-name-{number}").into()).collect();
        expected.push(OsString::from_vec(b"\xff".to_vec()));
        for name in &expected {
            fs::write(folder.path().join(name), "").unwrap();
        }
        expected.sort();
        let dir = open_dir(folder.path()).unwrap();
        for _ in 0..2 {
            let mut names = list(dir.as_fd()).unwrap();
            names.sort();
            assert_eq!(names, expected);
        }
    }
}

//! Waiting for changes of files: inotify(7), for those who follow a log.

use std::ffi::{OsStr, OsString};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::inotify::{self, CreateFlags, Reader, WatchFlags};
use rustix::io::Errno;

/// What may happen to a file or a folder; a set of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kinds(u32);

impl Kinds {
    /// A file was written or cut.
    pub const MODIFY: Self = Self(libc::IN_MODIFY);
    /// A name appeared in the folder, as a new file.
    pub const CREATE: Self = Self(libc::IN_CREATE);
    /// A name was removed from the folder.
    pub const DELETE: Self = Self(libc::IN_DELETE);
    /// A name of the folder was renamed; this is about the old one.
    pub const MOVED_FROM: Self = Self(libc::IN_MOVED_FROM);
    /// A name appeared in the folder by renaming.
    pub const MOVED_TO: Self = Self(libc::IN_MOVED_TO);
    /// The watched thing itself was deleted.
    pub const DELETE_SELF: Self = Self(libc::IN_DELETE_SELF);
    /// The watched thing itself was renamed; it is watched on.
    pub const MOVE_SELF: Self = Self(libc::IN_MOVE_SELF);
    /// Told without being asked for: there was more than the kernel's queue holds, so anything may have happened. Its
    /// event has the id -1.
    pub const OVERFLOW: Self = Self(libc::IN_Q_OVERFLOW);
    /// Told without being asked for: this watch is over, and its id will mean nothing more.
    pub const GONE: Self = Self(libc::IN_IGNORED);

    /// Both sets together.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether everything of `other` is in this set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether anything of `other` is in this set.
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchEvent {
    /// Which watch saw it.
    pub id: i32,
    /// What happened.
    pub kinds: Kinds,
    /// Which name of a watched folder it is about; `None` if it is the watched thing itself.
    pub name: Option<OsString>,
}

/// A set of watched files and folders.
#[derive(Debug)]
pub struct Watcher {
    inotify: OwnedFd,
}

impl Watcher {
    /// Watches nothing yet. A user may have only so many (`EMFILE`, /proc/sys/fs/inotify/max_user_instances).
    pub fn new() -> io::Result<Self> {
        Ok(Self { inotify: inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)? })
    }

    /// Watches `path`, a file or a folder, for `kinds`, and returns the id that its events will carry.
    ///
    /// A symbolic link is watched itself. What is watched already keeps its id and gets the new kinds. Once a user watches
    /// too much it fails with the kind `StorageFull` (/proc/sys/fs/inotify/max_user_watches).
    pub fn add(&self, path: &Path, kinds: Kinds) -> io::Result<i32> {
        let flags = WatchFlags::from_bits_retain(kinds.0) | WatchFlags::DONT_FOLLOW;
        Ok(inotify::add_watch(&self.inotify, path, flags)?)
    }

    /// Watches it no more. Events that wait already are still told, the last of them with [`Kinds::GONE`].
    pub fn remove(&self, id: i32) -> io::Result<()> {
        Ok(inotify::remove_watch(&self.inotify, id)?)
    }

    /// Takes what has happened, oldest first. Never waits: poll the descriptor for that.
    pub fn read(&self) -> io::Result<Vec<WatchEvent>> {
        let mut events = Vec::new();
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut reader = Reader::new(&self.inotify, &mut buffer);
        loop {
            match reader.next() {
                Ok(event) => events.push(WatchEvent {
                    id: event.wd(),
                    kinds: Kinds(event.events().bits()),
                    name: event.file_name().map(|name| OsStr::from_bytes(name.to_bytes()).to_owned()),
                }),
                Err(Errno::AGAIN) => return Ok(events),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl AsFd for Watcher {
    /// Readable when something has happened.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inotify.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_happens_in_a_folder_is_told_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let watcher = Watcher::new().unwrap();
        let kinds = Kinds::CREATE.or(Kinds::MODIFY).or(Kinds::DELETE).or(Kinds::MOVED_FROM).or(Kinds::MOVED_TO);
        let id = watcher.add(folder.path(), kinds).unwrap();
        assert!(watcher.read().unwrap().is_empty());
        fs::write(folder.path().join("current.log"), "line\n").unwrap();
        fs::rename(folder.path().join("current.log"), folder.path().join("00000001.log")).unwrap();
        fs::remove_file(folder.path().join("00000001.log")).unwrap();
        let events = watcher.read().unwrap();
        let seen: Vec<_> =
            events.iter().map(|it| (it.id, it.kinds, it.name.as_deref().unwrap().to_str().unwrap())).collect();
        let expected = [
            (id, Kinds::CREATE, "current.log"),
            (id, Kinds::MODIFY, "current.log"),
            (id, Kinds::MOVED_FROM, "current.log"),
            (id, Kinds::MOVED_TO, "00000001.log"),
            (id, Kinds::DELETE, "00000001.log"),
        ];
        assert_eq!(seen, expected);
    }

    #[test]
    fn a_watch_ends_with_what_it_watches() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "").unwrap();
        let watcher = Watcher::new().unwrap();
        let id = watcher.add(&path, Kinds::DELETE_SELF).unwrap();
        fs::remove_file(&path).unwrap();
        let events = watcher.read().unwrap();
        assert!(events.iter().any(|it| it.kinds.contains(Kinds::DELETE_SELF)));
        assert_eq!(events.last(), Some(&WatchEvent { id, kinds: Kinds::GONE, name: None }));
        assert!(watcher.remove(id).is_err());
        assert_eq!(watcher.add(&path, Kinds::MODIFY).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_watch_that_was_removed_sees_nothing_more() {
        let folder = tempfile::tempdir().unwrap();
        let watcher = Watcher::new().unwrap();
        let id = watcher.add(folder.path(), Kinds::CREATE).unwrap();
        watcher.remove(id).unwrap();
        fs::write(folder.path().join("file"), "").unwrap();
        assert_eq!(watcher.read().unwrap(), [WatchEvent { id, kinds: Kinds::GONE, name: None }]);
    }
}

//! The folder of a log: the names in it, and what may be done to them.
//!
//! ```text
//! current.log    the text of the live segment
//! 00000003.log   the text of a closed one; renaming to it is what closes a segment
//! 00000003.idx   the index of a segment, live or closed
//! ```

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;

use resume_sys::dirs;
use rustix::fs::{AtFlags, Mode, OFlags, openat, renameat, statat, unlinkat};
use rustix::io::Errno;

/// The text of the live segment.
pub(crate) const LIVE: &str = "current.log";

pub(crate) fn text_name(number: u64) -> String {
    format!("{number:08}.log")
}

pub(crate) fn index_name(number: u64) -> String {
    format!("{number:08}.idx")
}

/// No log gets as far as this number; a file that bears a greater one is not ours.
const LAST_NUMBER: u64 = 1 << 53;

/// A folder, held open.
#[derive(Clone, Debug)]
pub(crate) struct Folder {
    fd: Arc<OwnedFd>,
}

/// A segment as a listing shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) number: u64,
    /// Whether its text is there under its number, so that it is closed.
    pub(crate) text: bool,
    pub(crate) index: bool,
}

/// What is in a folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Listing {
    /// The segments, oldest first.
    pub(crate) segments: Vec<Found>,
    /// Whether there is a live text.
    pub(crate) live_text: bool,
}

impl Listing {
    /// The highest number of any segment; 0 if there is none.
    pub(crate) fn last(&self) -> u64 {
        self.segments.last().map_or(0, |found| found.number)
    }

    /// The segment to which the live text belongs: the last that has an index, if its text has no number yet. Whatever
    /// text a stranger put there has no index.
    pub(crate) fn live(&self) -> Option<u64> {
        self.segments.iter().rfind(|found| found.index).filter(|found| !found.text).map(|found| found.number)
    }
}

impl Folder {
    /// Opens it for reading.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { fd: Arc::new(dirs::open_dir(path)?) })
    }

    /// Opens it, making it and what is missing above it.
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        Ok(Self { fd: Arc::new(dirs::create_private_dir_all(path)?) })
    }

    /// What tells it from another folder that once has the same name.
    pub(crate) fn identity(&self) -> io::Result<(u64, u64)> {
        let stat = rustix::fs::fstat(&*self.fd)?;
        Ok((stat.st_dev, stat.st_ino))
    }

    pub(crate) fn list(&self) -> io::Result<Listing> {
        let mut live_text = false;
        let mut files = Vec::new();
        for name in dirs::list(self.fd.as_fd())? {
            let name = name.to_str().unwrap_or_default();
            live_text |= name == LIVE;
            files.extend(parse(name));
        }
        files.sort_unstable();
        let mut segments: Vec<Found> = Vec::new();
        for (number, is_text) in files {
            if segments.last().is_none_or(|last| last.number != number) {
                segments.push(Found { number, text: false, index: false });
            }
            if let Some(last) = segments.last_mut() {
                last.text |= is_text;
                last.index |= !is_text;
            }
        }
        Ok(Listing { segments, live_text })
    }

    /// Opens a file for reading; none if there is no such file, or only something else of that name.
    pub(crate) fn read(&self, name: &str) -> io::Result<Option<File>> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        match openat(&*self.fd, name, flags, Mode::empty()) {
            Ok(fd) => Ok(Some(File::from(fd)).filter(|file| file.metadata().is_ok_and(|found| found.is_file()))),
            Err(Errno::NOENT | Errno::LOOP | Errno::NXIO) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Opens a file that is there for adding to it.
    pub(crate) fn append(&self, name: &str) -> io::Result<File> {
        self.open_at(name, OFlags::WRONLY | OFlags::APPEND | OFlags::NONBLOCK)
    }

    /// Makes a file that is not there yet, for adding to it.
    pub(crate) fn create_new(&self, name: &str) -> io::Result<File> {
        self.open_at(name, OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE | OFlags::EXCL)
    }

    fn open_at(&self, name: &str, flags: OFlags) -> io::Result<File> {
        let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let file = File::from(openat(&*self.fd, name, flags, Mode::RUSR | Mode::WUSR)?);
        if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("not a regular file")) }
    }

    pub(crate) fn exists(&self, name: &str) -> bool {
        statat(&*self.fd, name, AtFlags::SYMLINK_NOFOLLOW).is_ok()
    }

    /// The size of a file; 0 if there is none.
    pub(crate) fn size(&self, name: &str) -> u64 {
        statat(&*self.fd, name, AtFlags::SYMLINK_NOFOLLOW).map_or(0, |stat| u64::try_from(stat.st_size).unwrap_or(0))
    }

    /// Closes the live segment: from now on its text has its number.
    pub(crate) fn number_live(&self, number: u64) -> io::Result<()> {
        Ok(renameat(&*self.fd, LIVE, &*self.fd, text_name(number))?)
    }

    /// Deletes a segment, the index first: a text without one is still text, an index without its text would take the
    /// live text for its own.
    pub(crate) fn remove(&self, number: u64) -> io::Result<()> {
        self.unlink(&index_name(number)).and(self.unlink(&text_name(number)))
    }

    /// Removes a file; one that is gone already is fine.
    pub(crate) fn unlink(&self, name: &str) -> io::Result<()> {
        match unlinkat(&*self.fd, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// The number in a file's name, and whether it is a text; none if it is no name of ours.
fn parse(name: &str) -> Option<(u64, bool)> {
    let (stem, is_text) = match name.strip_suffix(".log") {
        Some(stem) => (stem, true),
        None => (name.strip_suffix(".idx")?, false),
    };
    let number = stem.parse().ok()?;
    // Written in one way only, so that no two names mean one segment.
    ((1..=LAST_NUMBER).contains(&number) && format!("{number:08}") == stem).then_some((number, is_text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_segments_read_back() {
        for number in [1, 99_999_999, 100_000_000, LAST_NUMBER] {
            assert_eq!(parse(&text_name(number)), Some((number, true)));
            assert_eq!(parse(&index_name(number)), Some((number, false)));
        }
        for name in [
            "current.log",
            "0.idx",
            "00000000.log",
            "000000001.log",
            "1.log",
            "+0000001.log",
            "00000001.log.zst",
            "18446744073709551615.log",
        ] {
            assert_eq!(parse(name), None, "{name}");
        }
    }

    #[test]
    fn a_listing_can_be_asked_again_and_shows_what_changed() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open(dir.path()).unwrap();
        assert_eq!(folder.list().unwrap(), Listing::default());
        folder.create_new(&index_name(1)).unwrap();
        folder.create_new(LIVE).unwrap();
        let listing = folder.list().unwrap();
        assert_eq!((listing.live(), listing.live_text, listing.last()), (Some(1), true, 1));
        folder.number_live(1).unwrap();
        assert_eq!(folder.list().unwrap().segments, [Found { number: 1, text: true, index: true }]);
        folder.remove(1).unwrap();
        folder.remove(1).unwrap();
        assert_eq!(folder.list().unwrap(), Listing::default());
    }
}

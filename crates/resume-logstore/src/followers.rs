//! Waiting for many logs at once, by inotify(7).
//!
//! A log's folder is watched for writes and for names that come and go; while it does not exist, the nearest folder
//! above it is, for names that come. Nothing wakes us while nothing is written.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use resume_sys::watch::{Kinds, Watcher};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::{Filter, Follower, Moment, Record, Start};

/// What may happen in a log's folder that a reader must know of.
const IN_LOG: Kinds = Kinds::MODIFY
    .or(Kinds::CREATE)
    .or(Kinds::DELETE)
    .or(Kinds::MOVED_FROM)
    .or(Kinds::MOVED_TO)
    .or(Kinds::DELETE_SELF)
    .or(Kinds::MOVE_SELF);
/// What may happen in a folder above one that does not exist.
const ABOVE: Kinds = Kinds::CREATE.or(Kinds::MOVED_TO).or(Kinds::DELETE_SELF).or(Kinds::MOVE_SELF);

#[derive(Debug)]
struct Followed {
    follower: Follower,
    path: PathBuf,
    /// The watch that tells of it, and whether that is on the log's own folder.
    watch: Option<(i32, bool)>,
    /// Whether something may be new.
    stirred: bool,
}

/// Follows many logs at once, with no wakeup while none of them is written.
#[derive(Debug)]
pub struct Followers {
    watcher: Watcher,
    followed: Vec<Followed>,
}

impl Followers {
    /// Follows nothing yet. A user may have only so many (`EMFILE`, /proc/sys/fs/inotify/max_user_instances).
    pub fn new() -> io::Result<Self> {
        Ok(Self { watcher: Watcher::new()?, followed: Vec::new() })
    }

    /// Follows one more log, whose folder need not exist yet; the number returned stands beside its records.
    pub fn add(&mut self, dir: &Path, filter: Filter, start: Start) -> usize {
        let follower = Follower::new(dir, filter, start);
        // Absolute, so that the folders above it can be named; that fails for an empty path alone.
        let path = std::path::absolute(dir).unwrap_or_else(|_| PathBuf::from("/"));
        self.followed.push(Followed { follower, path, watch: None, stirred: true });
        self.followed.len() - 1
    }

    /// Returns what is new in any of the logs, each log's in order, without waiting. To be called once after adding,
    /// then whenever the descriptor is readable or the deadline has passed.
    pub fn poll(&mut self, now: Moment) -> io::Result<Vec<(usize, Record)>> {
        self.read_events()?;
        let mut new = Vec::new();
        let mut records = Vec::new();
        for (index, followed) in self.followed.iter_mut().enumerate() {
            if followed.watch.is_none_or(|(_, own)| !own) {
                // First the watch, then the look: what comes between the two is seen by one of them.
                followed.watch = Some(watch(&self.watcher, &followed.path)?);
            }
            let due = followed.follower.deadline().is_some_and(|deadline| deadline <= now.boottime);
            if std::mem::take(&mut followed.stirred) || due {
                followed.follower.poll(now, &mut records)?;
                new.extend(records.drain(..).map(|record| (index, record)));
            }
        }
        Ok(new)
    }

    /// Waits until there is something new, or until the time is up, and returns it.
    pub fn next(&mut self, timeout: Option<Duration>) -> io::Result<Vec<(usize, Record)>> {
        let end = timeout.map(|timeout| Moment::now().boottime + timeout);
        loop {
            let now = Moment::now();
            let new = self.poll(now)?;
            if !new.is_empty() || end.is_some_and(|end| end <= now.boottime) {
                return Ok(new);
            }
            let until = self.deadline().into_iter().chain(end).min();
            let left = until.map(|until| until.saturating_sub(Moment::now().boottime));
            let left = left.and_then(|left| Timespec::try_from(left).ok());
            match poll(&mut [PollFd::new(&self.watcher, PollFlags::IN)], left.as_ref()) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The moment (since boot) at which [`Followers::poll`] is due even if the descriptor is silent.
    pub fn deadline(&self) -> Option<Duration> {
        self.followed.iter().filter_map(|followed| followed.follower.deadline()).min()
    }

    fn read_events(&mut self) -> io::Result<()> {
        for event in self.watcher.read()? {
            let lost = event.kinds.intersects(Kinds::OVERFLOW);
            let moved = Kinds::DELETE_SELF.or(Kinds::MOVE_SELF).or(Kinds::GONE);
            for followed in &mut self.followed {
                let Some((id, own)) = followed.watch else { continue };
                if lost || id == event.id {
                    followed.stirred = true;
                    if !own || event.kinds.intersects(moved) {
                        followed.watch = None;
                    }
                }
            }
            if event.kinds.intersects(Kinds::MOVE_SELF) {
                // It would go on to tell of what happens elsewhere. One that is gone already needs no removal.
                drop(self.watcher.remove(event.id));
            }
        }
        Ok(())
    }
}

/// Watches a log's folder or, if there is none, the nearest folder above it that there is.
fn watch(watcher: &Watcher, path: &Path) -> io::Result<(i32, bool)> {
    loop {
        if let Some(id) = try_watch(watcher, path, IN_LOG)? {
            return Ok((id, true));
        }
        let mut missing = path;
        let id = loop {
            let above = missing.parent().ok_or(io::ErrorKind::NotFound)?;
            match try_watch(watcher, above, ABOVE)? {
                Some(id) => break id,
                None => missing = above,
            }
        };
        // What we are waiting for may have come before the watch.
        if !missing.exists() {
            return Ok((id, false));
        }
    }
}

fn try_watch(watcher: &Watcher, path: &Path, kinds: Kinds) -> io::Result<Option<i32>> {
    match watcher.add(path, kinds) {
        Ok(id) => Ok(Some(id)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

impl AsFd for Followers {
    /// Readable when something changed in one of the logs.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.watcher.as_fd()
    }
}

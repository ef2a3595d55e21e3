//! Waiting for a supervisor to come or to go.

use std::io;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;

use resume_sys::poll::{Interest, Poller};
use resume_sys::watch::{Kinds, Watcher};

/// How long to wait for a change of the directory before looking again; the end of a lock shows in no directory.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(20);

/// What comes and goes in a service's directory: its socket above all.
#[derive(Debug)]
pub(crate) struct Changes {
    watcher: Watcher,
    poller: Poller,
}

impl Changes {
    /// Watches from now on; what changed before must be looked for.
    pub(crate) fn of(directory: &Path) -> io::Result<Self> {
        let (watcher, poller) = (Watcher::new()?, Poller::new()?);
        watcher.add(directory, Kinds::CREATE.or(Kinds::DELETE).or(Kinds::MOVED_TO).or(Kinds::DELETE_SELF))?;
        poller.add(watcher.as_fd(), 0, Interest::READ)?;
        Ok(Self { watcher, poller })
    }

    /// Returns at the next change, or after a short while without.
    pub(crate) fn wait(&self) -> io::Result<()> {
        let mut events = Vec::new();
        self.poller.wait(&mut events, Some(LOOK_AGAIN_AFTER))?;
        if events.is_empty() {
            return Ok(());
        }
        self.watcher.read().map(drop)
    }
}

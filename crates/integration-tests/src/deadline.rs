//! How long a test waits for what must come.

use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use resume_sys::poll::{Interest, Poller};

/// How long anything may take, on a machine that is busy with all the other tests.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A moment after which a test has waited long enough.
#[derive(Clone, Debug)]
pub struct Deadline {
    at: Instant,
    what: String,
}

impl Deadline {
    /// [`PATIENCE`] from now; `what` is waited for, for the message.
    pub fn new(what: impl Into<String>) -> Self {
        Self { at: Instant::now() + PATIENCE, what: what.into() }
    }

    /// The time that is left. Fails the test if there is none.
    #[track_caller]
    pub fn left(&self) -> Duration {
        let left = self.at.saturating_duration_since(Instant::now());
        assert!(!left.is_zero(), "waited {PATIENCE:?} in vain for {}", self.what);
        left
    }

    /// Waits until one of `descriptors` is readable or closed, and returns their indexes.
    #[track_caller]
    pub fn wait(&self, descriptors: &[BorrowedFd<'_>]) -> Vec<usize> {
        let poller = Poller::new().expect("an epoll can be made");
        for (index, descriptor) in descriptors.iter().enumerate() {
            poller.add(*descriptor, index as u64, Interest::READ).expect("the descriptor can be polled");
        }
        let mut events = Vec::new();
        while events.is_empty() {
            poller.wait(&mut events, Some(self.left())).expect("epoll waits");
        }
        events.iter().filter_map(|event| usize::try_from(event.key).ok()).collect()
    }
}

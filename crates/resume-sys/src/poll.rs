//! Waiting for descriptors: level-triggered epoll(7).
//!
//! Level-triggered means that what is left unread is told again. Three rules come with it (each was broken once, and cost
//! lines of output): [`Poller::remove`] comes before the close, since a child that was just started may hold a copy of the
//! descriptor for a moment and keep it registered; keys carry a generation number, so that an event for what was closed a
//! moment ago is recognised; and a FIFO whose last writer is gone is taken out, or it reports its end without pause.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};

/// How many events one wait takes; what is more comes with the next.
const EVENTS_A_WAIT: usize = 64;

/// What to be woken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interest(EventFlags);

impl Interest {
    /// Nothing but [`Event::hangup`], which cannot be declined.
    pub const NONE: Self = Self(EventFlags::empty());
    /// There is something to read, or to accept, or the end.
    pub const READ: Self = Self(EventFlags::IN);
    /// There is room to write.
    pub const WRITE: Self = Self(EventFlags::OUT);
    /// Both.
    pub const READ_WRITE: Self = Self(EventFlags::IN.union(EventFlags::OUT));
}

/// What is true of one descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// The key it was added with.
    pub key: u64,
    /// A read will not wait: it gives bytes, the end or an error.
    pub readable: bool,
    /// A write will not wait: it takes bytes or gives an error.
    pub writable: bool,
    /// The other side is gone altogether, or the descriptor is broken. Bytes may be left to read.
    pub hangup: bool,
}

/// A set of descriptors to wait for.
#[derive(Debug)]
pub struct Poller {
    epoll: OwnedFd,
}

impl Poller {
    /// An empty set.
    pub fn new() -> io::Result<Self> {
        Ok(Self { epoll: epoll::create(CreateFlags::CLOEXEC)? })
    }

    /// Watches `fd`, whose events will carry `key`. A regular file is refused (`EPERM`): it is always ready.
    pub fn add(&self, fd: BorrowedFd<'_>, key: u64, interest: Interest) -> io::Result<()> {
        Ok(epoll::add(&self.epoll, fd, EventData::new_u64(key), interest.0)?)
    }

    /// Changes the key and the interest of a descriptor that is watched.
    pub fn modify(&self, fd: BorrowedFd<'_>, key: u64, interest: Interest) -> io::Result<()> {
        Ok(epoll::modify(&self.epoll, fd, EventData::new_u64(key), interest.0)?)
    }

    /// Stops watching `fd`. To be called before the descriptor is closed, always.
    pub fn remove(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        Ok(epoll::delete(&self.epoll, fd)?)
    }

    /// Waits until something is ready or `timeout` is over (`None`: for ever), and puts what is ready into `events`.
    ///
    /// A signal ends the wait with no events. The timeout is rounded up to the millisecond, so that a deadline is never
    /// found to be still ahead; one of more than 24 days may end early.
    pub fn wait(&self, events: &mut Vec<Event>, timeout: Option<Duration>) -> io::Result<()> {
        events.clear();
        let mut ready = [MaybeUninit::<epoll::Event>::uninit(); EVENTS_A_WAIT];
        let timeout = timeout.map(in_whole_milliseconds);
        let ready = match epoll::wait(&self.epoll, &mut ready, timeout.as_ref()) {
            Ok((ready, _)) => ready,
            Err(rustix::io::Errno::INTR) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        events.extend(ready.iter().map(|event| {
            let flags = event.flags;
            let hangup = flags.intersects(EventFlags::HUP | EventFlags::ERR);
            Event {
                key: event.data.u64(),
                readable: hangup || flags.contains(EventFlags::IN),
                writable: flags.intersects(EventFlags::OUT | EventFlags::ERR),
                hangup,
            }
        }));
        Ok(())
    }
}

/// `timeout` rounded up to what epoll_wait(2) can count: whole milliseconds, at most `i32::MAX` of them.
fn in_whole_milliseconds(timeout: Duration) -> Timespec {
    let millis = timeout.as_nanos().div_ceil(1_000_000);
    let millis = i32::try_from(millis).unwrap_or(i32::MAX);
    Timespec { tv_sec: i64::from(millis / 1000), tv_nsec: i64::from(millis % 1000) * 1_000_000 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_is_rounded_up_and_never_overflows() {
        let whole = |timeout| {
            let whole = in_whole_milliseconds(timeout);
            (whole.tv_sec, whole.tv_nsec)
        };
        assert_eq!(whole(Duration::ZERO), (0, 0));
        assert_eq!(whole(Duration::from_nanos(1)), (0, 1_000_000));
        assert_eq!(whole(Duration::from_millis(1001)), (1, 1_000_000));
        assert_eq!(whole(Duration::from_micros(1_999_001)), (2, 0));
        assert_eq!(whole(Duration::MAX), (i64::from(i32::MAX) / 1000, i64::from(i32::MAX) % 1000 * 1_000_000));
    }
}

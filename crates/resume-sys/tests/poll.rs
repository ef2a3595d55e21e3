//! Waiting. In a binary of its own: a child that another test starts would hold copies of the pipes for a moment.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use resume_sys::clock::boottime;
use resume_sys::poll::{Event, Interest, Poller};

fn pipe() -> (OwnedFd, OwnedFd) {
    rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC | rustix::pipe::PipeFlags::NONBLOCK).unwrap()
}

#[test]
fn what_is_left_unread_is_told_again() {
    let (reader, writer) = pipe();
    let poller = Poller::new().unwrap();
    poller.add(reader.as_fd(), 7, Interest::READ).unwrap();
    let mut events = Vec::new();
    poller.wait(&mut events, Some(Duration::ZERO)).unwrap();
    assert!(events.is_empty());
    rustix::io::write(&writer, b"x").unwrap();
    for _ in 0..2 {
        poller.wait(&mut events, None).unwrap();
        assert_eq!(events, [Event { key: 7, readable: true, writable: false, hangup: false }]);
    }
}

#[test]
fn the_end_of_a_pipe_is_readable_and_a_hangup() {
    let (reader, writer) = pipe();
    let poller = Poller::new().unwrap();
    poller.add(reader.as_fd(), 1, Interest::READ).unwrap();
    drop(writer);
    let mut events = Vec::new();
    poller.wait(&mut events, None).unwrap();
    assert_eq!(events, [Event { key: 1, readable: true, writable: false, hangup: true }]);
}

#[test]
fn a_pipe_without_reader_is_writable_and_a_hangup() {
    let (reader, writer) = pipe();
    let poller = Poller::new().unwrap();
    poller.add(writer.as_fd(), u64::MAX, Interest::WRITE).unwrap();
    drop(reader);
    let mut events = Vec::new();
    poller.wait(&mut events, None).unwrap();
    assert_eq!(events, [Event { key: u64::MAX, readable: true, writable: true, hangup: true }]);
}

#[test]
fn interest_can_be_changed_and_taken_back() {
    let (reader, writer) = pipe();
    let poller = Poller::new().unwrap();
    rustix::io::write(&writer, b"x").unwrap();
    poller.add(reader.as_fd(), 1, Interest::NONE).unwrap();
    let mut events = Vec::new();
    poller.wait(&mut events, Some(Duration::ZERO)).unwrap();
    assert!(events.is_empty());
    poller.modify(reader.as_fd(), 2, Interest::READ_WRITE).unwrap();
    poller.wait(&mut events, None).unwrap();
    assert_eq!(events.first().map(|event| event.key), Some(2));
    poller.remove(reader.as_fd()).unwrap();
    poller.wait(&mut events, Some(Duration::ZERO)).unwrap();
    assert!(events.is_empty());
}

#[test]
fn a_timeout_is_never_met_early() {
    let poller = Poller::new().unwrap();
    let mut events = Vec::new();
    for timeout in [Duration::from_nanos(1), Duration::from_micros(1500), Duration::from_millis(3)] {
        let deadline = boottime() + timeout;
        poller.wait(&mut events, Some(timeout)).unwrap();
        assert!(boottime() >= deadline);
    }
}

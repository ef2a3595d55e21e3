//! The pipes of output. In a binary of its own: a child that another test starts would hold copies of their ends for a moment.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;

use resume_sys::dirs::open_dir;
use resume_sys::fifo::{ReadOutcome, make, open_reader, open_writer, pipe_size, read, readable_bytes, set_pipe_size};
use rustix::fs::{OFlags, fcntl_getfl};

#[test]
fn output_arrives_and_the_end_is_told_and_a_new_writer_may_come() {
    let folder = tempfile::tempdir().unwrap();
    let dir = open_dir(folder.path()).unwrap();
    make(dir.as_fd(), "out").unwrap();
    make(dir.as_fd(), "out").unwrap();
    assert_eq!(folder.path().join("out").symlink_metadata().unwrap().mode() & 0o7777, 0o600);
    assert_eq!(open_writer(dir.as_fd(), "out").unwrap_err().raw_os_error(), Some(libc::ENXIO));

    let reader = open_reader(dir.as_fd(), "out").unwrap();
    let mut buffer = [0; 16];
    assert_eq!(read(reader.as_fd(), &mut buffer).unwrap(), ReadOutcome::EndOfFile);
    for _ in 0..2 {
        let writer = open_writer(dir.as_fd(), "out").unwrap();
        assert!(!fcntl_getfl(&writer).unwrap().contains(OFlags::NONBLOCK), "a program's write must wait");
        assert_eq!(read(reader.as_fd(), &mut buffer).unwrap(), ReadOutcome::WouldBlock);
        rustix::io::write(&writer, b"words").unwrap();
        assert_eq!(readable_bytes(reader.as_fd()).unwrap(), 5);
        assert_eq!(read(reader.as_fd(), &mut buffer).unwrap(), ReadOutcome::Data(5));
        assert_eq!(buffer.get(..5), Some(&b"words"[..]));
        assert_eq!(read(reader.as_fd(), &mut []).unwrap(), ReadOutcome::Data(0));
        drop(writer);
        assert_eq!(read(reader.as_fd(), &mut buffer).unwrap(), ReadOutcome::EndOfFile);
    }
}

#[test]
fn last_words_wait_while_anyone_holds_a_reading_end() {
    let folder = tempfile::tempdir().unwrap();
    let dir = open_dir(folder.path()).unwrap();
    make(dir.as_fd(), "out").unwrap();
    let keeper = open_reader(dir.as_fd(), "out").unwrap();
    rustix::io::write(open_writer(dir.as_fd(), "out").unwrap(), b"last words").unwrap();
    let supervisor = open_reader(dir.as_fd(), "out").unwrap();
    drop(keeper);
    assert_eq!(read(supervisor.as_fd(), &mut [0; 16]).unwrap(), ReadOutcome::Data(10));
}

#[test]
fn the_size_of_a_pipe_can_be_asked_and_changed() {
    let folder = tempfile::tempdir().unwrap();
    let dir = open_dir(folder.path()).unwrap();
    make(dir.as_fd(), "out").unwrap();
    let reader = open_reader(dir.as_fd(), "out").unwrap();
    let small = set_pipe_size(reader.as_fd(), 1).unwrap();
    assert!(small >= 1);
    assert_eq!(pipe_size(reader.as_fd()).unwrap(), small);
    assert!(set_pipe_size(reader.as_fd(), small + 1).unwrap() > small);
}

#[test]
fn what_is_no_fifo_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let dir = open_dir(folder.path()).unwrap();
    std::fs::write(folder.path().join("file"), "x").unwrap();
    std::os::unix::fs::symlink("out", folder.path().join("link")).unwrap();
    make(dir.as_fd(), "out").unwrap();
    for name in ["file", "link"] {
        assert_eq!(make(dir.as_fd(), name).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert!(open_reader(dir.as_fd(), name).is_err());
        assert!(open_writer(dir.as_fd(), name).is_err());
    }
    assert_eq!(open_reader(dir.as_fd(), "none").unwrap_err().kind(), io::ErrorKind::NotFound);
}

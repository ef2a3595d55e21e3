//! A disk that is full in the middle of a write. One test only: the limit that plays it belongs to the whole process.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::os::fd::AsFd;

use resume_sys::dirs::{list, open_dir};
use resume_sys::files::{read_file, write_atomically};
use resume_sys::signal::ignore;
use rustix::process::{Resource, Rlimit, setrlimit};

#[test]
fn a_write_that_does_not_fit_keeps_the_old_file_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let dir = open_dir(folder.path()).unwrap();
    write_atomically(dir.as_fd(), "state.json", b"old", true).unwrap();
    // As on a full disk, the first part of a write succeeds and the rest fails.
    ignore(libc::SIGXFSZ).unwrap();
    setrlimit(Resource::Fsize, Rlimit { current: Some(10_000), maximum: None }).unwrap();
    for durable in [false, true] {
        let error = write_atomically(dir.as_fd(), "state.json", &vec![b'n'; 20_000], durable).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::FileTooLarge);
        assert_eq!(list(dir.as_fd()).unwrap(), ["state.json"]);
        assert_eq!(read_file(dir.as_fd(), "state.json", 100).unwrap(), b"old");
    }
    write_atomically(dir.as_fd(), "state.json", &[b'n'; 10_000], true).unwrap();
    assert_eq!(fs::metadata(folder.path().join("state.json")).unwrap().len(), 10_000);
}

//! The lock. In a binary of its own: a child that another test starts would hold a copy of it for a moment.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, symlink};

use resume_sys::dirs::open_dir;
use resume_sys::lock::Lock;
use rustix::fs::{Mode, OFlags, openat};
use rustix::io::FdFlags;

#[test]
fn one_holds_it_and_others_see_that() {
    let folder = tempfile::tempdir().unwrap();
    let dir = open_dir(folder.path()).unwrap();
    assert!(!Lock::is_held(dir.as_fd(), "lock").unwrap(), "no file, no holder");
    assert!(!folder.path().join("lock").exists(), "asking makes no file");
    let lock = Lock::try_acquire(dir.as_fd(), "lock").unwrap().unwrap();
    assert_eq!(folder.path().join("lock").metadata().unwrap().mode() & 0o7777, 0o600);
    assert!(Lock::is_held(dir.as_fd(), "lock").unwrap());
    assert!(Lock::is_held(dir.as_fd(), "lock").unwrap(), "asking does not take it away");
    assert!(Lock::try_acquire(dir.as_fd(), "lock").unwrap().is_none());
    drop(lock);
    assert!(!Lock::is_held(dir.as_fd(), "lock").unwrap());
    assert!(Lock::try_acquire(dir.as_fd(), "lock").unwrap().is_some());
}

#[test]
fn it_goes_on_through_another_descriptor_of_the_same_description() {
    let folder = tempfile::tempdir().unwrap();
    let dir = open_dir(folder.path()).unwrap();
    let lock = Lock::try_acquire(dir.as_fd(), "lock").unwrap().unwrap();
    let carried = rustix::io::dup(&lock).unwrap();
    drop(lock);
    assert!(Lock::is_held(dir.as_fd(), "lock").unwrap());
    let lock = Lock::from_fd(carried).unwrap().unwrap();
    assert!(rustix::io::fcntl_getfd(&lock).unwrap().contains(FdFlags::CLOEXEC));
    let stranger = openat(&dir, "lock", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()).unwrap();
    assert!(Lock::from_fd(stranger).unwrap().is_none());
}

#[test]
fn a_new_file_under_the_name_is_another_lock() {
    let folder = tempfile::tempdir().unwrap();
    let dir = open_dir(folder.path()).unwrap();
    let _old = Lock::try_acquire(dir.as_fd(), "lock").unwrap().unwrap();
    std::fs::remove_file(folder.path().join("lock")).unwrap();
    assert!(Lock::try_acquire(dir.as_fd(), "lock").unwrap().is_some());
}

#[test]
fn what_is_no_regular_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let dir = open_dir(folder.path()).unwrap();
    symlink("/etc/passwd", folder.path().join("link")).unwrap();
    assert_eq!(Lock::try_acquire(dir.as_fd(), "link").unwrap_err().raw_os_error(), Some(libc::ELOOP));
    assert_eq!(Lock::is_held(dir.as_fd(), "link").unwrap_err().raw_os_error(), Some(libc::ELOOP));
    resume_sys::fifo::make(dir.as_fd(), "fifo").unwrap();
    assert_eq!(Lock::try_acquire(dir.as_fd(), "fifo").unwrap_err().kind(), io::ErrorKind::InvalidInput);
}

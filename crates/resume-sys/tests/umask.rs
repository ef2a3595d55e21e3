//! What is made private, whatever the umask. One test only: the umask belongs to the whole process.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;

use resume_sys::dirs::{create_private_dir, create_private_dir_all, open_dir};
use resume_sys::files::write_atomically;
use resume_sys::lock::Lock;
use resume_sys::process::set_umask;
use resume_sys::{fifo, socket};

#[test]
fn everything_is_for_the_owner_alone_under_any_umask() {
    let folder = tempfile::tempdir().unwrap();
    let mode_of = |name: &str| folder.path().join(name).symlink_metadata().unwrap().mode() & 0o7777;
    let dir = open_dir(folder.path()).unwrap();
    let dir = dir.as_fd();
    for (index, umask) in [0, 0o022, 0o077].into_iter().enumerate() {
        set_umask(umask);
        let name = |what: &str| format!("{what}-{index}");
        create_private_dir(dir, &name("dir")).unwrap();
        create_private_dir_all(&folder.path().join(name("all")).join("inner")).unwrap();
        write_atomically(dir, &name("file"), b"x", false).unwrap();
        fifo::make(dir, &name("fifo")).unwrap();
        let _lock = Lock::try_acquire(dir, &name("lock")).unwrap().unwrap();
        let _listener = socket::listen(dir, &name("socket")).unwrap();
        for what in ["dir", "all", "all-inner"] {
            let path = name(what.split('-').next().unwrap()) + if what.ends_with("inner") { "/inner" } else { "" };
            assert_eq!(mode_of(&path), 0o700, "{path} under {umask:o}");
        }
        for what in ["file", "fifo", "lock", "socket"] {
            assert_eq!(mode_of(&name(what)), 0o600, "{what} under {umask:o}");
        }
    }
    // A umask that takes from the owner what a folder needs.
    set_umask(0o777);
    create_private_dir(dir, "strict").unwrap();
    assert_eq!(mode_of("strict"), 0o700);
    set_umask(0o077);
}

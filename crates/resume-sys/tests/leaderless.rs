//! A process whose first thread has ended looks like a zombie, and lives.
//!
//! The test starts its own program once more, as such a process.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![allow(unsafe_code, reason = "to end the first thread alone, as no program should")]

mod common;

use std::ffi::CString;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;

use common::{Shell, strings, wait};
use resume_sys::child::WaitStatus;
use resume_sys::identity::Process;
use resume_sys::spawn::{Spawn, spawn};
use resume_sys::tree::{ProcessTable, descendants, kill_descendants};

const LEADERLESS: &str = "RESUME_SYS_TEST_LEADERLESS";

#[test]
fn a_process_without_its_first_thread_is_alive_and_can_be_killed() {
    if std::env::var_os(LEADERLESS).is_some() {
        return lose_the_leader();
    }
    let program = CString::new(std::env::current_exe().unwrap().as_os_str().as_bytes()).unwrap();
    let name = "a_process_without_its_first_thread_is_alive_and_can_be_killed";
    let argv = strings(&["leaderless", "--exact", name, "--nocapture"]);
    let env = strings(&[&format!("{LEADERLESS}=1")]);
    let (reader, writer) = std::io::pipe().unwrap();
    let fds = [(writer.as_fd(), 1)];
    let spec = Spawn { program: &program, argv: &argv, env: &env, cwd: None, fds: &fds, session: true };
    let child = spawn(&spec).unwrap();
    drop(writer);
    let mut reader = reader.into();
    while !common::read_line(&mut reader).ends_with("without leader") {}

    let own = i32::try_from(std::process::id()).unwrap();
    let found = descendants(own);
    let [info, grandchild] = &found[..] else { panic!("{found:?}") };
    assert_eq!((info.state, info.threads), (b'Z', 2), "so it looks");
    assert_eq!(grandchild.parent, child.pid(), "a child of its other thread");
    assert_eq!(ProcessTable::read().unwrap().descendants(own).count(), 2);
    assert!(Process::open(&info.identity).unwrap().is_some_and(|process| process.is_alive()));

    assert_eq!(kill_descendants(own, &mut |_| false).len(), 2);
    assert_eq!(wait(&child), WaitStatus::Signal(libc::SIGKILL));
    assert!(Process::open(&info.identity).unwrap().is_none());
}

/// The part of the strange process. A test does not run in the first thread, so that one is made to end by a signal.
fn lose_the_leader() {
    let _child = spawn(&Shell::new("exec sleep 1000").spec(&[])).unwrap();
    // SAFETY: the handler is safe to run at any moment, and the signal goes to a thread of ours.
    unsafe {
        libc::signal(libc::SIGUSR1, end_this_thread as *const () as libc::sighandler_t);
        let first = libc::getpid();
        assert_eq!(libc::syscall(libc::SYS_tgkill, first, first, libc::SIGUSR1), 0);
    }
    // Only the kernel can say when it is gone.
    while !std::fs::read_to_string("/proc/self/stat").unwrap().contains(") Z ") {
        std::thread::yield_now();
    }
    println!("without leader");
    loop {
        std::thread::park();
    }
}

extern "C" fn end_this_thread(_signal: libc::c_int) {
    // SAFETY: it ends this thread and nothing else. The stack and all that is on it stay where they are.
    unsafe { libc::syscall(libc::SYS_exit, 0) };
}

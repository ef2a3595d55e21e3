//! What a program finds when it starts, though we block, ignore and handle signals and hold many files open.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![allow(unsafe_code, reason = "to block signals, as nothing in the library does")]

mod common;

use std::os::fd::AsFd;

use common::{Shell, output_of};
use resume_sys::files::open_null;
use resume_sys::inherit::keep_from_children;
use resume_sys::signal::{SignalPipe, ignore, is_ignored};
use rustix::fs::{Mode, OFlags, openat};

#[test]
fn a_program_starts_with_no_signal_blocked_or_ignored_and_no_descriptor_of_ours() {
    keep_from_children().unwrap();
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let _files: Vec<_> =
        (0..20).map(|_| openat(rustix::fs::CWD, "/etc/passwd", flags, Mode::empty()).unwrap()).collect();
    let _signals = SignalPipe::install(&[libc::SIGTERM, libc::SIGUSR1]).unwrap();
    ignore(libc::SIGPIPE).unwrap();
    ignore(libc::SIGHUP).unwrap();
    assert!(is_ignored(libc::SIGHUP).unwrap() && !is_ignored(libc::SIGTERM).unwrap());
    block(&[libc::SIGINT, libc::SIGUSR2, libc::SIGCHLD, libc::SIGRTMAX()]);
    assert_ne!(status_of("self", "SigBlk"), "0000000000000000", "we do block");

    let null = open_null().unwrap();
    // `cat` is executed by the very process that we start; a shell might tidy up by itself.
    let argv = common::strings(&["cat", "/proc/self/status"]);
    let spec = resume_sys::spawn::Spawn {
        program: c"/bin/cat",
        argv: &argv,
        env: &[],
        cwd: None,
        fds: &[(null.as_fd(), 0), (null.as_fd(), 2)],
        session: true,
    };
    let status = output_of(&spec);
    for field in ["SigBlk", "SigIgn", "SigCgt", "SigPnd", "ShdPnd"] {
        assert!(status.contains(&format!("{field}:\t0000000000000000\n")), "{field} in {status}");
    }
    // 3 is the listing itself.
    let shell = Shell::new("ls /proc/self/fd");
    assert_eq!(output_of(&shell.spec(&[(null.as_fd(), 0), (null.as_fd(), 2)])), "0\n1\n2\n3\n");
}

fn status_of(process: &str, field: &str) -> String {
    // The mask is that of a thread, and the test does not run in the first one.
    let text = std::fs::read_to_string(format!("/proc/thread-{process}/status")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(field)).unwrap();
    line.trim_start_matches(':').trim().to_owned()
}

fn block(signals: &[i32]) {
    let mut set = std::mem::MaybeUninit::uninit();
    // SAFETY: the set is initialised before it is used, and the mask is this thread's own.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        for &signal in signals {
            libc::sigaddset(set.as_mut_ptr(), signal);
        }
        assert_eq!(libc::pthread_sigmask(libc::SIG_BLOCK, set.as_ptr(), std::ptr::null_mut()), 0);
    }
}

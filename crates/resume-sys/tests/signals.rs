//! Signals that come to us. One test only: handlers belong to the whole process.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![allow(unsafe_code, reason = "to send a signal to one thread, as nothing in the library does")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use resume_sys::identity::{Process, identify};
use resume_sys::poll::{Interest, Poller};
use resume_sys::signal::{SignalPipe, ignore, is_ignored};

#[test]
fn signals_are_told_once_each_and_never_lost() {
    let own = i32::try_from(std::process::id()).unwrap();
    let own = Process::open(&identify(own).unwrap()).unwrap().unwrap();
    let poller = Poller::new().unwrap();
    let mut events = Vec::new();

    // So that one that is delivered late, after all is over, does no harm.
    ignore(libc::SIGUSR1).unwrap();
    ignore(libc::SIGUSR2).unwrap();
    let mut pipe = SignalPipe::install(&[libc::SIGUSR1, libc::SIGUSR2, libc::SIGCHLD]).unwrap();
    assert!(!is_ignored(libc::SIGUSR1).unwrap());
    poller.add(pipe.as_fd(), 1, Interest::READ).unwrap();
    assert!(pipe.drain().is_empty());
    let second = SignalPipe::install(&[libc::SIGTERM]).unwrap_err();
    assert_eq!(second.kind(), std::io::ErrorKind::AlreadyExists);

    // The same one many times and another: which of the threads runs the handlers is the kernel's choice.
    for _ in 0..1000 {
        own.signal(libc::SIGUSR1).unwrap();
    }
    own.signal(libc::SIGUSR2).unwrap();
    let (mut first, mut other) = (false, false);
    while !(first && other) {
        poller.wait(&mut events, None).unwrap();
        let came = pipe.drain();
        first |= came.contains(libc::SIGUSR1);
        other |= came.contains(libc::SIGUSR2);
        assert!(!came.contains(libc::SIGCHLD) && !came.contains(libc::SIGTERM));
    }

    // A burst from another thread while we drain all the time: what it sends last is always seen.
    for _ in 0..200 {
        let sender = std::thread::spawn({
            let own = Process::open(own.identity()).unwrap().unwrap();
            move || {
                for _ in 0..20 {
                    own.signal(libc::SIGUSR2).unwrap();
                }
                own.signal(libc::SIGUSR1).unwrap();
            }
        });
        while !pipe.drain().contains(libc::SIGUSR1) {
            poller.wait(&mut events, None).unwrap();
        }
        sender.join().unwrap();
    }
    // A wait that a signal breaks off gives no events. Nothing is watched here, so only that can end it.
    let idle = Poller::new().unwrap();
    let ended = Arc::new(AtomicBool::new(false));
    // SAFETY: it only tells who we are.
    let here = unsafe { libc::pthread_self() };
    let sender = std::thread::spawn({
        let ended = Arc::clone(&ended);
        move || {
            while !ended.load(Ordering::Acquire) {
                // SAFETY: the thread waits for this one to end, so it is there.
                unsafe { libc::pthread_kill(here, libc::SIGUSR1) };
                std::thread::yield_now();
            }
        }
    });
    idle.wait(&mut events, None).unwrap();
    ended.store(true, Ordering::Release);
    sender.join().unwrap();
    assert!(events.is_empty());

    // One is gone: what was there before is there again, and another can be made.
    drop(pipe);
    assert!(is_ignored(libc::SIGUSR1).unwrap());
    assert_eq!(SignalPipe::install(&[libc::SIGKILL]).unwrap_err().raw_os_error(), Some(libc::EINVAL));
    let mut pipe = SignalPipe::install(&[libc::SIGALRM]).expect("a failed one does not stay in the way");
    assert!(!pipe.drain().contains(libc::SIGALRM));
}

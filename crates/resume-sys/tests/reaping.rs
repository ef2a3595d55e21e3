//! A subreaper and its tree. One test only: it reaps every child that there is.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::os::fd::AsFd;

use common::{Shell, at_each_end, read_line};
use resume_sys::child::{Reaped, WaitStatus, become_subreaper, reap_any};
use resume_sys::identity::{Process, identify};
use resume_sys::signal::SignalPipe;
use resume_sys::spawn::spawn;
use resume_sys::tree::{self, ProcessTable, descendants, has_children, kill_descendants, signal_descendants};

#[test]
fn a_whole_tree_is_found_and_ended_even_one_that_daemonised_twice() {
    let own = i32::try_from(std::process::id()).unwrap();
    become_subreaper().unwrap();
    let mut signals = SignalPipe::install(&[libc::SIGCHLD]).unwrap();
    assert!(!has_children());
    assert_eq!(reap_any(), None);

    each_end_is_reported(&mut signals);
    a_spared_tree_is_left_alone(own, &mut signals);

    // A child, its child, and a daemon: of a parent that has ended, and in a session of its own. All are deaf to SIGTERM.
    let (mut reader, writer) = pipe();
    let shell = Shell::new(
        "trap '' TERM
         sleep 1000 &
         (setsid sh -c 'echo daemon $$; exec sleep 1000' &)
         exec sleep 1000",
    );
    let child = spawn(&shell.spec(&[(writer.as_fd(), 1)])).unwrap();
    let daemon = read_line(&mut reader).strip_prefix("daemon ").unwrap().parse::<i32>().unwrap();
    drop(writer);
    // The shell between it and its grandparent may still be about to end; then the daemon becomes ours.
    at_each_end(&mut signals, || {
        while let Some(Reaped { status, .. }) = reap_any() {
            assert_eq!(status, WaitStatus::Code(0));
        }
        (tree::descendants(own).iter().any(|info| info.identity.pid == daemon && info.parent == own)).then_some(())
    });

    let found = descendants(own);
    assert_eq!(found.len(), 3, "{found:?}");
    let daemon_info = found.iter().find(|info| info.identity.pid == daemon).unwrap();
    assert_ne!(daemon_info.session, child.pid());
    assert_eq!(daemon_info.identity, identify(daemon).unwrap());
    assert_eq!(found.iter().filter(|info| info.session == child.pid()).count(), 2);
    let from_table: Vec<_> = ProcessTable::read().unwrap().descendants(own).map(|info| info.identity.pid).collect();
    let pids: Vec<_> = found.iter().map(|info| info.identity.pid).collect();
    assert_eq!(sorted(from_table), sorted(pids.clone()));
    assert_eq!(descendants(child.pid()).len(), 1, "the child of the child");

    let asked = signal_descendants(own, libc::SIGTERM, &mut |_| false);
    assert_eq!(asked.len(), 3);
    assert_eq!(reap_any(), None, "all of them ignore it");

    let held = Process::open(&daemon_info.identity).unwrap().unwrap();
    let (mut killed, mut reaped) = (Vec::new(), Vec::new());
    at_each_end(&mut signals, || {
        killed.extend(kill_descendants(own, &mut |_| false).into_iter().map(|info| info.identity.pid));
        while let Some(Reaped { pid, status, .. }) = reap_any() {
            // The shell that the daemon came from has ended by itself; it is ours if its parent did not come to reap it.
            let expected = if pids.contains(&pid) { WaitStatus::Signal(libc::SIGKILL) } else { WaitStatus::Code(0) };
            assert_eq!(status, expected);
            reaped.push(pid);
        }
        (!has_children()).then_some(())
    });
    // Not each of them need have come to us: a parent that is being killed may still reap a child that is quicker to die.
    assert!(killed.contains(&daemon) && reaped.contains(&daemon) && reaped.contains(&child.pid()));
    assert!(found.iter().all(|info| Process::open(&info.identity).unwrap().is_none()) && !held.is_alive());
    assert!(descendants(own).is_empty() && kill_descendants(own, &mut |_| false).is_empty());
    child.signal(libc::SIGKILL).unwrap();
}

fn each_end_is_reported(signals: &mut SignalPipe) {
    let cases = [
        ("exit 0", WaitStatus::Code(0)),
        ("exit 255", WaitStatus::Code(255)),
        ("kill -KILL $$", WaitStatus::Signal(libc::SIGKILL)),
        ("ulimit -c 0; kill -SEGV $$", WaitStatus::Signal(libc::SIGSEGV)),
        // A stop is not an end, and is not told.
        ("(kill -STOP $$; kill -CONT $$); exit 7", WaitStatus::Code(7)),
    ];
    for (script, expected) in cases {
        let child = spawn(&Shell::new(script).spec(&[])).unwrap();
        assert!(has_children(), "alive or dead, it is there until it is reaped");
        assert_eq!(at_each_end(signals, end), (child.pid(), expected), "{script}");
        assert!(!has_children());
    }
}

fn a_spared_tree_is_left_alone(own: i32, signals: &mut SignalPipe) {
    let (mut reader, writer) = pipe();
    let spared_shell = Shell::new("sleep 1000 & echo ready; exec sleep 1000");
    let spared = spawn(&spared_shell.spec(&[(writer.as_fd(), 1)])).unwrap();
    assert_eq!(read_line(&mut reader), "ready");
    let other = spawn(&Shell::new("exec sleep 1000").spec(&[])).unwrap();
    let killed = kill_descendants(own, &mut |info| info.identity.pid == spared.pid());
    let killed: Vec<_> = killed.iter().map(|info| info.identity.pid).collect();
    assert_eq!(killed, [other.pid()]);
    assert_eq!(at_each_end(signals, end), (other.pid(), WaitStatus::Signal(libc::SIGKILL)));
    assert_eq!(descendants(own).len(), 2);
    at_each_end(signals, || {
        kill_descendants(own, &mut |_| false);
        while reap_any().is_some() {}
        (!has_children()).then_some(())
    });
}

fn pipe() -> (std::os::fd::OwnedFd, std::os::fd::OwnedFd) {
    rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap()
}

fn sorted(mut pids: Vec<i32>) -> Vec<i32> {
    pids.sort_unstable();
    pids
}

/// The next child that has ended, and how.
fn end() -> Option<(i32, WaitStatus)> {
    reap_any().map(|reaped| (reaped.pid, reaped.status))
}

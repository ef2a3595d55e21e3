//! A process that is started beside us and not below us.
//!
//! The test starts its own program once more, as `launcher`; what that one starts as its sibling is a child of the test.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::ffi::CString;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;

use common::{at_each_end, strings};
use resume_sys::child::{WaitStatus, reap_any};
use resume_sys::signal::{SignalPipe, ignore};
use resume_sys::spawn::{Spawn, spawn, spawn_sibling};

const LAUNCHER: &str = "RESUME_SYS_TEST_LAUNCHER";

#[test]
fn a_sibling_has_our_parent_and_a_clean_start() {
    if std::env::var_os(LAUNCHER).is_some() {
        return launch();
    }
    let mut signals = SignalPipe::install(&[libc::SIGCHLD]).unwrap();
    let own = std::process::id();
    let program = CString::new(std::env::current_exe().unwrap().as_os_str().as_bytes()).unwrap();
    let mut argv = strings(&["launcher", "--exact", "a_sibling_has_our_parent_and_a_clean_start", "--nocapture"]);
    argv.push(c"--test-threads=1".into());
    let env = strings(&[&format!("{LAUNCHER}=1")]);
    // Pipes of their own, so that their lines do not run into each other.
    let (of_launcher, launcher_writer) = std::io::pipe().unwrap();
    let (of_sibling, sibling_writer) = std::io::pipe().unwrap();
    let fds = [(launcher_writer.as_fd(), 1), (sibling_writer.as_fd(), 2)];
    let launcher = spawn(&Spawn { program: &program, argv: &argv, env: &env, cwd: None, fds: &fds, session: true });
    let launcher = launcher.unwrap();
    drop((launcher_writer, sibling_writer));
    let [output, told] = [of_launcher, of_sibling].map(|pipe| std::io::read_to_string(pipe).unwrap());

    let mut ends = Vec::new();
    at_each_end(&mut signals, || {
        ends.extend(std::iter::from_fn(reap_any).map(|reaped| (reaped.pid, reaped.status)));
        (ends.len() == 4).then_some(())
    });
    let end_of = |pid: i32| ends.iter().find(|end| end.0 == pid).unwrap().1;
    assert_eq!(end_of(launcher.pid()), WaitStatus::Code(0), "{output}{told}");
    let sibling: i32 = field(&output, "sibling").parse().unwrap();
    assert_eq!(end_of(sibling), WaitStatus::Code(3));
    assert_eq!(ends.iter().filter(|end| end.1 == WaitStatus::Code(127)).count(), 2, "those that could not be executed");

    assert_eq!(field(&told, "PPid:"), own.to_string());
    assert_eq!(field(&told, "folder"), "/usr");
    assert_eq!(field(&told, "session"), format!("{sibling} {sibling}"));
    for mask in ["SigBlk:", "SigIgn:"] {
        assert_eq!(field(&told, mask), "0000000000000000", "{mask}");
    }
    assert_eq!(field(&told, "descriptors"), "0 1 2 3");
    assert_eq!(field(&output, "parent"), "unharmed");
}

/// What follows the word on its line.
fn field<'a>(output: &'a str, word: &str) -> &'a str {
    let line = output.lines().find_map(|line| line.strip_prefix(word));
    line.unwrap_or_else(|| panic!("no {word} in {output}")).trim()
}

/// The part of the launcher.
fn launch() {
    // The test runner has begun a line.
    println!();
    resume_sys::inherit::keep_from_children().unwrap();
    ignore(libc::SIGPIPE).unwrap();
    let mut signals = SignalPipe::install(&[libc::SIGTERM, libc::SIGUSR1]).unwrap();
    // Read by the shell itself, because it blocks signals while it waits for another program.
    let script = "while read line; do echo \"$line\"; done </proc/self/status
        echo folder `pwd`
        echo session `cut -d' ' -f5,6 /proc/$$/stat`
        echo descriptors `ls /proc/self/fd`
        exit 3";
    let (argv, env) = (strings(&["sh", "-c", script]), strings(&["PATH=/usr/bin:/bin"]));
    let null = resume_sys::files::open_null().unwrap();
    let stderr = std::io::stderr();
    // Done one after the other as they stand, the second would overwrite what the third needs.
    let fds = [(null.as_fd(), 0), (null.as_fd(), 2), (stderr.as_fd(), 1)];
    let good = Spawn { program: c"/bin/sh", argv: &argv, env: &env, cwd: Some(c"/usr"), fds: &fds, session: true };

    let error = spawn_sibling(&Spawn { program: c"/no/such/program", ..good }).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::ENOENT));
    let error = spawn_sibling(&Spawn { cwd: Some(c"/dev/null"), ..good }).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::ENOTDIR));
    let sibling = spawn_sibling(&good).unwrap();

    println!("sibling {sibling}");
    let untouched = !resume_sys::tree::has_children() && signals.drain().is_empty();
    println!("parent {}", if untouched { "unharmed" } else { "harmed" });
}

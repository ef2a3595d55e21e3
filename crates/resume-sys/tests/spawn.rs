//! Starting programs, real ones.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![allow(unsafe_code, reason = "to see which descriptor is the lowest free one")]

mod common;

use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use common::{Shell, output_of, read_line, strings, wait};
use resume_sys::child::WaitStatus;
use resume_sys::files::open_null;
use resume_sys::spawn::{Spawn, spawn};
use resume_sys::tree::{command_line_of, environment_of};

#[test]
fn a_program_gets_its_arguments_environment_and_folder() {
    let folder = tempfile::tempdir().unwrap();
    let cwd = CString::new(folder.path().canonicalize().unwrap().as_os_str().as_bytes()).unwrap();
    let argv = strings(&["sh", "-c", "pwd; echo \"$0|$1|$2\"; env", "zero", "a b", ""]);
    let env = strings(&["ONE=1", "TWO=a b\nc"]);
    let spec = Spawn { program: c"/bin/sh", argv: &argv, env: &env, cwd: Some(&cwd), fds: &[], session: false };
    let output = output_of(&spec);
    let folder = cwd.to_str().unwrap();
    assert!(output.starts_with(&format!("{folder}\nzero|a b|\n")), "{output}");
    assert!(output.contains("ONE=1\n") && output.contains("TWO=a b\nc\n"), "{output}");
    assert!(!output.contains("CARGO"), "ours is not inherited");
}

#[test]
fn a_relative_program_is_found_in_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let cwd = CString::new(folder.path().as_os_str().as_bytes()).unwrap();
    std::os::unix::fs::symlink("/bin/echo", folder.path().join("speak")).unwrap();
    let argv = strings(&["speak", "words"]);
    let spec = Spawn { program: c"./speak", argv: &argv, env: &[], cwd: Some(&cwd), fds: &[], session: false };
    assert_eq!(output_of(&spec), "words\n");
}

#[test]
fn a_program_leads_a_session_if_it_is_asked_to() {
    let shell = Shell::new("cut -d' ' -f5,6 /proc/$$/stat; echo $$");
    let session = output_of(&shell.spec(&[]));
    let [ids, pid] = session.lines().collect::<Vec<_>>()[..] else { panic!("{session}") };
    assert_eq!(ids, format!("{pid} {pid}"));
    let ours = output_of(&Spawn { session: false, ..shell.spec(&[]) });
    assert!(!ours.starts_with(ours.lines().last().unwrap()));
}

#[test]
fn descriptors_get_their_numbers_whatever_their_own_are() {
    // Made so that every source has the number that another one is to get: a circle, one that stays, and a double.
    let sources: Vec<OwnedFd> = ["a", "b", "c", "d"].iter().map(|text| text_file(text)).collect();
    let numbers: Vec<_> = sources.iter().map(AsRawFd::as_raw_fd).collect();
    let [a, b, c, d] = numbers[..] else { panic!() };
    let [from_a, from_b, from_c, from_d] = [0, 1, 2, 3].map(|index| sources[index].as_fd());
    let fds = [(from_a, b), (from_b, c), (from_c, a), (from_d, d), (from_d, 90), (from_a, 91)];
    let shell =
        Shell::new(&format!("for number in {a} {b} {c} {d} 90 91; do eval \"head -c1 /proc/self/fd/$number\"; done"));
    assert_eq!(output_of(&shell.spec(&fds)), "cabdda");
}

/// A file that holds this text, read from the start by whoever opens it again through /proc.
fn text_file(text: &str) -> OwnedFd {
    let file = tempfile::tempfile().unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, text.as_bytes(), 0).unwrap();
    file.into()
}

#[test]
fn the_errno_is_that_of_the_step_that_failed_and_there_is_no_child() {
    let argv = strings(&["x"]);
    let good = Spawn { program: c"/bin/true", argv: &argv, env: &[], cwd: None, fds: &[], session: true };
    let null = open_null().unwrap();
    let nowhere = [(null.as_fd(), -1)];
    let failures = [
        (Spawn { program: c"/no/such/program", ..good }, libc::ENOENT),
        (Spawn { program: c"/etc", ..good }, libc::EACCES),
        (Spawn { program: c"/dev/null", ..good }, libc::EACCES),
        (Spawn { program: c"", ..good }, libc::ENOENT),
        (Spawn { cwd: Some(c"/no/such/folder"), ..good }, libc::ENOENT),
        (Spawn { cwd: Some(c"/dev/null"), ..good }, libc::ENOTDIR),
        (Spawn { fds: &nowhere, ..good }, libc::EBADF),
    ];
    for (spec, errno) in failures {
        assert_eq!(spawn(&spec).unwrap_err().raw_os_error(), Some(errno), "{spec:?}");
    }
    let own = i32::try_from(std::process::id()).unwrap();
    for info in resume_sys::tree::ProcessTable::read().unwrap().descendants(own) {
        assert_ne!(info.name, "x", "a failed start has left a process");
    }
    assert_eq!(wait(&spawn(&good).unwrap()), WaitStatus::Code(0));
}

#[test]
fn a_child_can_be_named_signalled_and_seen_to_end() {
    let shell = Shell::new("read line");
    let (reader, _writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
    let child = spawn(&shell.spec(&[(reader.as_fd(), 0)])).unwrap();
    assert_eq!(child.identity().unwrap(), resume_sys::identity::identify(child.pid()).unwrap());
    child.signal(0).unwrap();
    child.signal(libc::SIGTERM).unwrap();
    assert_eq!(wait(&child), WaitStatus::Signal(libc::SIGTERM));
    child.signal(libc::SIGTERM).expect("that it has ended already is no error");
    child.identity().unwrap_err();
}

#[test]
fn a_big_environment_is_refused_and_not_cut() {
    let env = vec![CString::new("X=".to_owned() + &"x".repeat(100_000)).unwrap(); 100];
    let argv = strings(&["true"]);
    let spec = Spawn { program: c"/bin/true", argv: &argv, env: &env, cwd: None, fds: &[], session: true };
    let error = spawn(&spec).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::E2BIG));
    let diagnosis = resume_sys::spawn::diagnose(&spec, libc::E2BIG);
    let expected = "making a process for `/bin/true`: the arguments and environment are too long";
    assert_eq!(diagnosis.to_string(), expected);
}

#[test]
fn a_hundred_starts_leave_no_descriptor_behind() {
    let argv = strings(&["true"]);
    let spec = Spawn { program: c"/bin/true", argv: &argv, env: &[], cwd: None, fds: &[], session: true };
    let statuses: Vec<_> = (0..100).map(|_| wait(&spawn(&spec).unwrap())).collect();
    assert!(statuses.iter().all(|&status| status == WaitStatus::Code(0)));
    // The lowest free number tells whether any were kept; other tests of this process have a few at a time.
    // SAFETY: the copy is owned by nobody else.
    let lowest = unsafe { OwnedFd::from_raw_fd(libc::dup(0)) };
    assert!(lowest.as_raw_fd() < 80);
}

#[test]
fn what_a_process_was_started_with_can_be_read() {
    let argv = strings(&["sh", "-c", "echo up; read line", "a b", ""]);
    let env = strings(&["ONE=1", "TWO=a\nb"]);
    let pipe = || rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
    let ((stdin, _kept_open), (mut up, stdout)) = (pipe(), pipe());
    let fds = [(stdin.as_fd(), 0), (stdout.as_fd(), 1)];
    let spec = Spawn { program: c"/bin/sh", argv: &argv, env: &env, cwd: None, fds: &fds, session: true };
    let child = spawn(&spec).unwrap();
    assert_eq!(read_line(&mut up), "up");
    let expected: Vec<_> = argv.iter().map(|word| word.to_bytes().to_vec()).collect();
    assert_eq!(command_line_of(child.pid()).unwrap(), expected);
    assert_eq!(environment_of(child.pid()).unwrap(), b"ONE=1\0TWO=a\nb\0");
    child.signal(libc::SIGKILL).unwrap();
    // The pidfd tells the end; until it is reaped it is a zombie.
    rustix::event::poll(&mut [rustix::event::PollFd::new(&child, rustix::event::PollFlags::IN)], None).unwrap();
    assert!(command_line_of(child.pid()).unwrap().is_empty());
    assert!(environment_of(child.pid()).unwrap_or_default().is_empty());
    assert_eq!(wait(&child), WaitStatus::Signal(libc::SIGKILL));
}

//! What the tests that start programs share.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::ffi::{CStr, CString};
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use std::process::{Command, Stdio};

use resume_sys::child::{Child, WaitStatus};
use resume_sys::clock::boottime;
use resume_sys::poll::{Interest, Poller};
use resume_sys::signal::SignalPipe;
use resume_sys::spawn::{Spawn, spawn};
use rustix::process::{WaitId, WaitIdOptions, waitid};

/// Far longer than anything here takes; a test that waits so long has failed.
pub(crate) const PATIENCE: std::time::Duration = std::time::Duration::from_mins(1);

/// The strings as C has them.
pub(crate) fn strings(words: &[&str]) -> Vec<CString> {
    words.iter().map(|word| CString::new(*word).unwrap()).collect()
}

/// `/bin/sh -c script name`, with these descriptors.
pub(crate) struct Shell {
    argv: Vec<CString>,
    env: Vec<CString>,
}

impl Shell {
    pub(crate) fn new(script: &str) -> Self {
        Self { argv: strings(&["sh", "-c", script, "name"]), env: strings(&["PATH=/usr/bin:/bin"]) }
    }

    pub(crate) fn spec<'a>(&'a self, fds: &'a [(BorrowedFd<'a>, RawFd)]) -> Spawn<'a> {
        Spawn { program: c"/bin/sh", argv: &self.argv, env: &self.env, cwd: None, fds, session: true }
    }
}

/// What a program that is started like this prints, after a good end.
pub(crate) fn output_of(spec: &Spawn<'_>) -> String {
    let (mut reader, writer) = std::io::pipe().unwrap();
    let mut fds = spec.fds.to_vec();
    fds.push((writer.as_fd(), 1));
    let child = spawn(&Spawn { fds: &fds, ..*spec }).unwrap();
    drop(fds);
    drop(writer);
    let mut output = String::new();
    reader.read_to_string(&mut output).unwrap();
    assert_eq!(wait(&child), WaitStatus::Code(0), "it printed {output:?}");
    output
}

/// Waits for the end of one child and reaps it.
pub(crate) fn wait(child: &Child) -> WaitStatus {
    let status = waitid(WaitId::PidFd(child.as_fd()), WaitIdOptions::EXITED).unwrap().unwrap();
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => WaitStatus::Code(u8::try_from(code).unwrap()),
        (None, signal) => WaitStatus::Signal(signal.unwrap()),
    }
}

/// Waits until `check` gives something, looking again whenever SIGCHLD comes.
pub(crate) fn at_each_end<T>(signals: &mut SignalPipe, mut check: impl FnMut() -> Option<T>) -> T {
    let poller = Poller::new().unwrap();
    poller.add(signals.as_fd(), 0, Interest::READ).unwrap();
    let deadline = boottime() + PATIENCE;
    loop {
        if let Some(found) = check() {
            return found;
        }
        let left = deadline.checked_sub(boottime()).expect("it did not happen in time");
        poller.wait(&mut Vec::new(), Some(left)).unwrap();
        signals.drain();
    }
}

/// Reads until there is a whole line.
pub(crate) fn read_line(from: &mut OwnedFd) -> String {
    let mut line = Vec::new();
    let mut byte = [0];
    while rustix::io::read(&*from, &mut byte).unwrap() == 1 && byte != *b"\n" {
        line.push(byte[0]);
    }
    String::from_utf8(line).unwrap()
}

/// Writes a file by the hand of another process.
///
/// If this process had it open for writing, a child that another test starts just then would hold it open as well, and
/// executing it would fail (`ETXTBSY`).
pub(crate) fn write_program(path: &CStr, contents: &[u8], mode: &str) {
    let path = path.to_str().unwrap();
    let mut writer = Command::new("/bin/sh")
        .args(["-c", "cat >\"$1\" && chmod \"$2\" \"$1\"", "sh", path, mode])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut writer.stdin.take().unwrap(), contents).unwrap();
    assert!(writer.wait().unwrap().success());
}

//! A command that runs beside its test.

use std::io::{self, PipeReader, Read};
use std::os::fd::AsFd;
use std::process::{Child, Command, ExitStatus, Stdio};

use resume_sys::socket;

use crate::deadline::Deadline;
use crate::outcome::Outcome;
use crate::processes::{self, Ending};

/// One of its streams, as far as it has come.
#[derive(Debug)]
struct Stream {
    /// Gone at its end.
    pipe: Option<PipeReader>,
    bytes: Vec<u8>,
}

impl Stream {
    fn new(pipe: PipeReader) -> Self {
        socket::set_nonblocking(pipe.as_fd(), true).expect("a pipe can be made non-blocking");
        Self { pipe: Some(pipe), bytes: Vec::new() }
    }

    /// Takes what is there.
    fn read(&mut self) {
        let mut buffer = [0; 8192];
        while let Some(pipe) = &mut self.pipe {
            match pipe.read(&mut buffer) {
                Ok(0) => self.pipe = None,
                Ok(length) => self.bytes.extend_from_slice(&buffer[..length]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
                Err(error) => panic!("reading the output of a command: {error}"),
            }
        }
    }
}

/// A command that was started and may still run. It is killed when its test forgets it.
#[derive(Debug)]
pub struct Running {
    command: String,
    child: Child,
    ending: Ending,
    stdout: Stream,
    stderr: Stream,
    /// How much of stdout [`Running::line`] has given out.
    taken: usize,
    status: Option<ExitStatus>,
}

impl Running {
    /// Starts `command` with both its outputs caught. Its stdin is empty unless it was set.
    #[track_caller]
    pub fn start(mut command: Command) -> Self {
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        let shown = words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
        let (stdout, stdout_end) = io::pipe().expect("a pipe can be made");
        let (stderr, stderr_end) = io::pipe().expect("a pipe can be made");
        command.stdout(stdout_end).stderr(stderr_end);
        let child = command.spawn().unwrap_or_else(|error| panic!("cannot start `{shown}`: {error}"));
        // It holds our copies of the writing ends; with them the end of the output would never be seen.
        drop(command);
        let ending = Ending::of(processes::number(child.id()));
        Self {
            command: shown,
            child,
            ending,
            stdout: Stream::new(stdout),
            stderr: Stream::new(stderr),
            taken: 0,
            status: None,
        }
    }

    /// Like [`Running::start`], with nothing to read on its stdin.
    #[track_caller]
    pub(crate) fn without_stdin(mut command: Command) -> Self {
        command.stdin(Stdio::null());
        Self::start(command)
    }

    /// Its process id.
    pub fn pid(&self) -> i32 {
        processes::number(self.child.id())
    }

    /// Sends it a signal, by number.
    pub fn signal(&self, signal: i32) {
        self.ending.signal(signal);
    }

    /// Waits for the next whole line of its stdout and returns it without its end, or `None` at the end of its stdout.
    #[track_caller]
    pub fn line(&mut self) -> Option<String> {
        let deadline = Deadline::new(format!("a line on stdout of `{}`", self.command));
        loop {
            let unread = &self.stdout.bytes[self.taken..];
            if let Some(end) = unread.iter().position(|byte| *byte == b'\n') {
                let line = String::from_utf8_lossy(&unread[..end]).into_owned();
                self.taken += end + 1;
                return Some(line);
            }
            self.stdout.pipe.as_ref()?;
            self.wait_for_output(&deadline);
        }
    }

    /// Waits for a line of its stdout that holds `part`, passing over others, and returns it.
    #[track_caller]
    pub fn line_with(&mut self, part: &str) -> String {
        loop {
            match self.line() {
                Some(line) if line.contains(part) => return line,
                Some(_) => (),
                None => panic!("expected a line with `{part}` on stdout of {}", self.so_far()),
            }
        }
    }

    /// Waits until `part` stands anywhere in what it has written to its stderr.
    #[track_caller]
    pub fn stderr_with(&mut self, part: &str) {
        let deadline = Deadline::new(format!("`{part}` on stderr of `{}`", self.command));
        while !String::from_utf8_lossy(&self.stderr.bytes).contains(part) {
            assert!(self.stderr.pipe.is_some(), "expected `{part}` on stderr of {}", self.so_far());
            self.wait_for_output(&deadline);
        }
    }

    /// Closes our end of its stdout, as a pager does that is left.
    pub fn close_stdout(&mut self) {
        self.stdout.pipe = None;
    }

    /// Waits until both its outputs are closed and it has ended. That its outputs close is part of what is expected: who
    /// holds them longer would keep a shell's `$(…)` waiting.
    #[track_caller]
    pub fn outcome(mut self) -> Outcome {
        let deadline = Deadline::new(format!("the end of `{}`", self.command));
        while self.stdout.pipe.is_some() || self.stderr.pipe.is_some() {
            self.wait_for_output(&deadline);
        }
        self.ending.wait();
        self.so_far()
    }

    fn so_far(&mut self) -> Outcome {
        if !self.ending.is_alive() {
            self.status = self.child.wait().ok();
        }
        let (stdout, stderr) = (self.stdout.bytes.clone(), self.stderr.bytes.clone());
        Outcome::new(self.command.clone(), self.status.unwrap_or_default(), stdout, stderr)
    }

    #[track_caller]
    fn wait_for_output(&mut self, deadline: &Deadline) {
        let open = [&self.stdout, &self.stderr].into_iter().filter_map(|stream| stream.pipe.as_ref());
        let open: Vec<_> = open.map(AsFd::as_fd).collect();
        deadline.wait(&open);
        self.stdout.read();
        self.stderr.read();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // One that has ended already cannot be killed, and that is all right.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

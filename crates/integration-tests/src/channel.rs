//! Words from a program under test to its test, through a FIFO.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use resume_sys::dirs;
use resume_sys::fifo::{self, ReadOutcome};

use crate::deadline::Deadline;

/// A FIFO that programs write lines to. It is held open for writing too, so that it never ends.
#[derive(Debug)]
pub struct Channel {
    path: String,
    reader: OwnedFd,
    _writer: OwnedFd,
    unread: Vec<u8>,
}

impl Channel {
    /// Makes the FIFO `name` in `folder`.
    pub(crate) fn new(folder: &Path, name: &str) -> Self {
        let dir = dirs::open_dir(folder).expect("the sandbox is there");
        fifo::make(dir.as_fd(), name).expect("a FIFO can be made");
        let reader = fifo::open_reader(dir.as_fd(), name).expect("the FIFO opens for reading");
        let writer = fifo::open_writer(dir.as_fd(), name).expect("the FIFO opens for writing");
        let path = folder.join(name).to_str().expect("the path of a sandbox is text").to_owned();
        Self { path, reader, _writer: writer, unread: Vec::new() }
    }

    /// Where it is, to be given to a program.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The next line, which is waited for.
    #[track_caller]
    pub fn line(&mut self) -> String {
        let deadline = Deadline::new("a line from a program under test");
        loop {
            if let Some(end) = self.unread.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.unread.drain(..=end).collect();
                return String::from_utf8_lossy(&line[..end]).into_owned();
            }
            let mut buffer = [0; 4096];
            match fifo::read(self.reader.as_fd(), &mut buffer).expect("the FIFO can be read") {
                ReadOutcome::Data(length) => self.unread.extend_from_slice(&buffer[..length]),
                ReadOutcome::WouldBlock | ReadOutcome::EndOfFile => {
                    deadline.wait(&[self.reader.as_fd()]);
                }
            }
        }
    }

    /// Waits for the next line, which must be `expected`.
    #[track_caller]
    pub fn expect(&mut self, expected: &str) {
        assert_eq!(self.line(), expected);
    }

    /// Waits for the next line, which must be `word` and a number, as in `child 123`; returns the number.
    #[track_caller]
    pub fn expect_pid(&mut self, word: &str) -> i32 {
        let line = self.line();
        let number = line.strip_prefix(word).and_then(|rest| rest.trim().parse().ok());
        number.unwrap_or_else(|| panic!("expected `{word} PID`, got `{line}`"))
    }

    /// Whether nothing waits to be read now. To prove that nothing was said, provoke the next word and see that it is next.
    pub fn is_empty(&self) -> bool {
        self.unread.is_empty() && fifo::readable_bytes(self.reader.as_fd()).is_ok_and(|waiting| waiting == 0)
    }
}

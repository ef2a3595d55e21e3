//! The FIFOs that take a program's output, and the log behind them.
//!
//! There is one FIFO an instance and stream, in the service's directory. We hold the reading end for as long as we look
//! after the service, so that it and what is in it outlive a run; the program gets a write-only end, as under a shell.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use resume_core::layout::{self, Stream};
use resume_sys::fifo::{self, ReadOutcome};

/// One stream of one instance.
#[derive(Debug)]
pub(crate) struct Output {
    reader: OwnedFd,
    /// The generation under which it is polled, while somebody may write.
    pub(crate) polled: Option<u32>,
}

/// The ends of a FIFO that a program is given.
pub(crate) struct ProgramEnds {
    /// Its stdout or stderr.
    pub(crate) writer: OwnedFd,
    /// A reading end that nobody reads: while the program holds it, its writes wait for us instead of failing, even if
    /// every process of ours is killed in one moment. It is opened anew, so that the program cannot change the mode of
    /// the one we read.
    pub(crate) guard: OwnedFd,
}

/// How a reading ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Drained {
    /// Nothing is there now; somebody may still write.
    Empty,
    /// Nobody can write any more.
    Closed,
    /// The bound was reached first.
    Bounded,
}

impl Output {
    /// Makes the FIFO if it is not there and opens our end.
    pub(crate) fn open(dir: BorrowedFd<'_>, instance: u32, stream: Stream) -> io::Result<Self> {
        let name = layout::fifo(instance, stream);
        fifo::make(dir, &name)?;
        Ok(Self { reader: fifo::open_reader(dir, &name)?, polled: None })
    }

    /// Opens the ends for a program that is about to start.
    pub(crate) fn program_ends(dir: BorrowedFd<'_>, instance: u32, stream: Stream) -> io::Result<ProgramEnds> {
        let name = layout::fifo(instance, stream);
        Ok(ProgramEnds { writer: fifo::open_writer(dir, &name)?, guard: fifo::open_reader(dir, &name)? })
    }

    /// Reads once. A failing read is treated as an end: there is nothing better to do with a broken pipe.
    pub(crate) fn read(&self, buffer: &mut [u8]) -> ReadOutcome {
        fifo::read(self.reader.as_fd(), buffer).unwrap_or(ReadOutcome::EndOfFile)
    }

    /// How much waits to be read.
    pub(crate) fn waiting(&self) -> usize {
        fifo::readable_bytes(self.reader.as_fd()).unwrap_or(0)
    }
}

impl AsFd for Output {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.reader.as_fd()
    }
}

//! The FIFOs that take a program's output, and the log behind them.
//!
//! There is one FIFO an instance and stream, in the service's directory. We hold the reading end for as long as we look
//! after the service, so that it and what is in it outlive a run; the program gets a write-only end, as under a shell.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use resume_core::layout::{self, Stream};
use resume_sys::clock;
use resume_sys::fifo::{self, ReadOutcome};
use resume_sys::poll::Interest;

use crate::event_loop::{Mode, Supervisor};
use crate::key::{self, Source};
use crate::perform::number;

/// How long after a large read the buffer's memory is kept.
const KEEP_BUFFER: Duration = Duration::from_secs(1);
/// Reads up to this size touch a page or two, which are not worth giving back.
const SMALL_READ: usize = 8 << 10;

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

impl Supervisor {
    /// Makes sure that the FIFOs of an instance are there and open.
    pub(crate) fn open_outputs(&mut self, index: usize) -> io::Result<()> {
        let instance = number(index);
        for (slot, stream) in Stream::ALL.into_iter().enumerate() {
            if self.instances[index].outputs[slot].is_none() {
                self.instances[index].outputs[slot] = Some(Output::open(self.dir.as_fd(), instance, stream)?);
            }
        }
        Ok(())
    }

    /// Waits for output: somebody holds the writing ends now.
    pub(crate) fn poll_outputs(&mut self, index: usize) {
        for slot in 0..Stream::ALL.len() {
            let echo_full = matches!(&self.mode, Mode::Foreground { echoes, .. } if echoes[slot].is_full());
            let generation = self.next_generation();
            let Some(output) = &mut self.instances[index].outputs[slot] else { continue };
            if output.polled.is_some() || echo_full {
                continue;
            }
            let source = Source::Output(u32::try_from(2 * index + slot).unwrap_or(u32::MAX));
            match self.poller.add(output.as_fd(), key::pack(source, generation), Interest::READ) {
                Ok(()) => output.polled = Some(generation),
                Err(error) => self.warn(format!("waiting for output: {error}")),
            }
        }
    }

    fn unpoll_output(&mut self, index: usize, slot: usize) {
        if let Some(output) = &mut self.instances[index].outputs[slot]
            && output.polled.take().is_some()
        {
            let _ = self.poller.remove(output.as_fd());
        }
    }

    /// Output has come, or its end.
    pub(crate) fn readable(&mut self, value: u32, generation: u32) {
        let (index, slot) = (value as usize / 2, value as usize % 2);
        let output = self.instances.get(index).and_then(|instance| instance.outputs[slot].as_ref());
        if output.is_some_and(|output| output.polled == Some(generation)) {
            self.read_output(index, slot, 1);
        }
    }

    /// Reads what is there of both streams, at the end of a run: all that its processes wrote, and not more than a pipe
    /// holds of what others still write.
    pub(crate) fn drain(&mut self, index: usize) {
        for slot in 0..Stream::ALL.len() {
            let waiting = self.instances[index].outputs[slot].as_ref().map_or(0, Output::waiting);
            self.read_output(index, slot, waiting.saturating_add(1));
        }
    }

    /// Reads one stream until `least` bytes have come, or nothing is there, or nobody can write any more.
    fn read_output(&mut self, index: usize, slot: usize, least: usize) {
        let instance = number(index);
        let run = self.service.instance(index).run();
        let mut come = 0;
        while come < least {
            let Some(output) = &self.instances[index].outputs[slot] else { return };
            let length = match output.read(&mut self.scratch) {
                ReadOutcome::Data(length) => length,
                ReadOutcome::WouldBlock => return,
                ReadOutcome::EndOfFile => {
                    // A FIFO that nobody writes is always readable: waiting for it would be a busy loop.
                    self.unpoll_output(index, slot);
                    return;
                }
            };
            come += length;
            let bytes = &self.scratch[..length];
            self.journal.append(instance, run, Stream::ALL[slot], bytes);
            if let Mode::Foreground { echoes, .. } = &mut self.mode {
                echoes[slot].write(bytes);
            }
            if length > SMALL_READ {
                self.release_at = Some(clock::boottime() + KEEP_BUFFER);
            }
            self.hold_back(slot);
        }
    }

    /// Stops reading a stream whose echo is full, until there is room.
    fn hold_back(&mut self, slot: usize) {
        let generation = self.next_generation();
        let Mode::Foreground { echoes, .. } = &mut self.mode else { return };
        let echo = &mut echoes[slot];
        if !echo.is_full() || echo.polled.is_some() {
            return;
        }
        let source = Source::Echo(u32::try_from(slot).unwrap_or(0));
        let Some(pipe) = echo.pipe() else { return };
        if self.poller.add(pipe, key::pack(source, generation), Interest::WRITE).is_ok() {
            echo.polled = Some(generation);
            for index in 0..self.instances.len() {
                self.unpoll_output(index, slot);
            }
        }
    }

    /// There is room for what was held back.
    pub(crate) fn echo_writable(&mut self, slot: usize, generation: u32) {
        let Mode::Foreground { echoes, .. } = &mut self.mode else { return };
        let Some(echo) = echoes.get_mut(slot).filter(|echo| echo.polled == Some(generation)) else { return };
        if let Some(pipe) = echo.pipe() {
            let _ = self.poller.remove(pipe);
        }
        echo.polled = None;
        echo.flush();
        if echo.is_full() {
            self.hold_back(slot);
        } else {
            for index in 0..self.instances.len() {
                self.poll_outputs(index);
            }
        }
    }
}

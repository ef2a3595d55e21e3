//! The program's output on our own stdout and stderr, in the foreground.
//!
//! A terminal may stand still and a pipe may be read slowly; neither may stop us from answering a signal or a client.
//! So a thread of its own does the waiting, fed through a pipe that we only ever write to without waiting. When that
//! pipe is full, what is left over is kept and the program's output is not read until it is gone: the program then
//! waits for its reader, as it would without us.

use std::fs::File;
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::thread::JoinHandle;

use resume_core::layout::Stream;
use resume_sys::poll::{Interest, Poller};
use resume_sys::socket;

/// The way of one stream to our own.
pub(crate) struct Echo {
    pipe: Option<PipeWriter>,
    leftover: Vec<u8>,
    thread: Option<JoinHandle<()>>,
    /// The generation under which the pipe is polled, while something is left over.
    pub(crate) polled: Option<u32>,
}

impl Echo {
    /// Starts the thread for one stream.
    pub(crate) fn start(stream: Stream) -> io::Result<Self> {
        let (reader, writer) = io::pipe()?;
        socket::set_nonblocking(writer.as_fd(), true)?;
        let copy = move || match stream {
            Stream::Stdout => copy(reader, io::stdout().as_fd()),
            Stream::Stderr => copy(reader, io::stderr().as_fd()),
        };
        let thread = std::thread::Builder::new().name("echo".to_owned()).spawn(copy)?;
        Ok(Self { pipe: Some(writer), leftover: Vec::new(), thread: Some(thread), polled: None })
    }

    /// Passes bytes on, keeping what does not fit.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.leftover.extend_from_slice(bytes);
        self.flush();
    }

    /// Passes on what was kept.
    pub(crate) fn flush(&mut self) {
        let Some(mut pipe) = self.pipe.as_ref() else {
            self.leftover.clear();
            return;
        };
        let mut passed = 0;
        while passed < self.leftover.len() {
            match pipe.write(&self.leftover[passed..]) {
                Ok(length) => passed += length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => {
                    // The thread has left, because nobody reads our stdout any more. The log goes on.
                    self.pipe = None;
                    self.leftover.clear();
                    return;
                }
            }
        }
        self.leftover.drain(..passed);
    }

    /// Whether more may come.
    pub(crate) fn is_full(&self) -> bool {
        !self.leftover.is_empty()
    }

    /// The pipe, to be polled for room.
    pub(crate) fn pipe(&self) -> Option<BorrowedFd<'_>> {
        self.pipe.as_ref().map(AsFd::as_fd)
    }
}

impl Drop for Echo {
    /// Waits until everything has been written.
    fn drop(&mut self) {
        if let Some(mut pipe) = self.pipe.take() {
            let _ = socket::set_nonblocking(pipe.as_fd(), false);
            let _ = pipe.write_all(&self.leftover);
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Writes all, waiting for room even where whoever shares our stdout has made it non-blocking.
fn write_patiently(to: &mut File, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match to.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(length) => bytes = &bytes[length..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let poller = Poller::new()?;
                poller.add(to.as_fd(), 0, Interest::WRITE)?;
                poller.wait(&mut Vec::new(), None)?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn copy(mut from: PipeReader, to: BorrowedFd<'_>) {
    // Past the buffer of the standard library, which cannot tell how much of it a full pipe has taken.
    let Ok(mut to) = to.try_clone_to_owned().map(File::from) else { return };
    let mut buffer = [0; 8192];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return,
            Ok(length) => {
                if write_patiently(&mut to, &buffer[..length]).is_err() {
                    return;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
            Err(_) => return,
        }
    }
}

//! One connection: its bytes in, its bytes out, and what it waits for.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use resume_core::wire::{Frames, MAX_MESSAGE, Terminator, TooLong};
use resume_sys::poll::Interest;
use resume_sys::socket;

use crate::waiting::Waiting;

/// The most that may wait to be taken by a client that does not read.
const MAX_QUEUE: usize = 2 * MAX_MESSAGE;

/// A connected client.
pub(crate) struct Client {
    socket: OwnedFd,
    /// Of its registration.
    pub(crate) generation: u32,
    /// When it last asked something, to know who was silent longest.
    pub(crate) turn: u64,
    frames: Frames,
    queue: Vec<u8>,
    /// How its last request ended; its answers end alike.
    terminator: Terminator,
    /// What it waits for; nothing further of it is read until then.
    pub(crate) waiting: Option<Waiting>,
    /// A descriptor that came with its last bytes.
    passed: Option<OwnedFd>,
    /// It will send nothing more. It may still read.
    ended: bool,
    broken: bool,
}

impl Client {
    pub(crate) fn new(socket: OwnedFd, generation: u32, turn: u64) -> Self {
        Self {
            socket,
            generation,
            turn,
            frames: Frames::default(),
            queue: Vec::new(),
            terminator: Terminator::Nul,
            waiting: None,
            passed: None,
            ended: false,
            broken: false,
        }
    }

    /// Takes what has arrived, at most one buffer full: others wait as well.
    pub(crate) fn receive(&mut self, buffer: &mut [u8]) {
        if !self.is_read() {
            return;
        }
        match socket::recv_with_fd(self.socket.as_fd(), buffer) {
            Ok((0, _)) => self.ended = true,
            Ok((length, passed)) => {
                self.frames.push(&buffer[..length]);
                if passed.is_some() {
                    self.passed = passed;
                }
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => (),
            Err(_) => self.broken = true,
        }
    }

    /// The next whole request, unless an earlier one is still unanswered.
    pub(crate) fn next_request(&mut self) -> Result<Option<Vec<u8>>, TooLong> {
        if self.waiting.is_some() || self.broken {
            return Ok(None);
        }
        Ok(self.frames.next_frame()?.map(|(frame, terminator)| {
            self.terminator = terminator;
            frame
        }))
    }

    /// How answers to the last request end.
    pub(crate) fn terminator(&self) -> Terminator {
        self.terminator
    }

    /// The descriptor that came with the last request.
    pub(crate) fn take_passed(&mut self) -> Option<OwnedFd> {
        self.passed.take()
    }

    /// Sends a message, or as much of it as the client takes now; the rest waits in a bounded queue.
    pub(crate) fn send(&mut self, message: &[u8]) {
        self.queue.extend_from_slice(message);
        self.flush();
        if self.queue.len() > MAX_QUEUE {
            self.broken = true;
        }
    }

    /// Sends what waits.
    pub(crate) fn flush(&mut self) {
        let mut sent = 0;
        while sent < self.queue.len() {
            match socket::send(self.socket.as_fd(), &self.queue[sent..]) {
                Ok(length) => sent += length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => {
                    self.broken = true;
                    break;
                }
            }
        }
        self.queue.drain(..sent);
        if self.queue.is_empty() {
            // What one large answer took is not kept for a connection's life.
            self.queue = Vec::new();
        }
    }

    /// Ends the connection as soon as what waits is sent.
    pub(crate) fn hang_up(&mut self) {
        self.broken = true;
    }

    /// Whether there is nothing more to do for it.
    pub(crate) fn is_done(&self) -> bool {
        self.broken || (self.ended && self.queue.is_empty() && self.waiting.is_none())
    }

    /// Whether it waits for nothing but events, if anything, and has nothing to take.
    pub(crate) fn is_idle(&self) -> bool {
        matches!(self.waiting, None | Some(Waiting::Events)) && self.queue.is_empty()
    }

    /// Whether it may say more: not while it waits, nor after its end.
    pub(crate) fn is_read(&self) -> bool {
        !self.ended && self.waiting.is_none()
    }

    /// What to poll it for.
    pub(crate) fn interest(&self) -> Interest {
        match (self.is_read(), self.queue.is_empty()) {
            (true, true) => Interest::READ,
            (true, false) => Interest::READ_WRITE,
            (false, false) => Interest::WRITE,
            (false, true) => Interest::NONE,
        }
    }
}

impl AsFd for Client {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

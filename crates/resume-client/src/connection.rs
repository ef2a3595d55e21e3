//! One connection to a supervisor: a request, then its answer.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Instant;

use resume_core::layout;
use resume_core::wire::{self, Call, Frames, NoReply};
use resume_sys::poll::{Interest, Poller};
use resume_sys::{account, socket};
use serde::Deserialize;

/// A connection to a supervisor, and who answers there.
#[derive(Debug)]
pub struct Connection {
    socket: OwnedFd,
    supervisor: i32,
    frames: Frames,
}

/// Why a call has no answer.
#[derive(Debug, thiserror::Error)]
pub enum CallFailure {
    /// The other side ended the connection instead of answering.
    #[error("the connection ended before the answer")]
    Gone,
    /// The time was up.
    #[error("there was no answer in time")]
    TimedOut,
    /// The request is longer than a message can be.
    #[error("the request is longer than {} bytes", wire::MAX_MESSAGE)]
    TooLong,
    /// A system call failed.
    #[error("talking to the supervisor: {}", crate::home::describe(.0))]
    Io(#[from] io::Error),
    /// What was answered is no result.
    #[error(transparent)]
    Reply(#[from] NoReply),
}

impl Connection {
    /// Connects to the supervisor that listens in an open service directory.
    ///
    /// One that runs as anybody but the owner, root or ourselves is refused with `PermissionDenied`: it is an impostor.
    pub fn open(directory: BorrowedFd<'_>) -> io::Result<Self> {
        let socket = socket::connect(directory, layout::SOCKET)?;
        let peer = socket::peer(socket.as_fd())?;
        let owner = resume_sys::dirs::ownership(directory)?.uid;
        if ![0, owner, account::effective_uid()].contains(&peer.uid) {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        Ok(Self::from_socket(socket, peer.pid))
    }

    /// Takes a socket whose other end was given to a supervisor.
    pub fn from_socket(socket: OwnedFd, supervisor: i32) -> Self {
        Self { socket, supervisor, frames: Frames::default() }
    }

    /// The pid of the supervisor.
    pub fn supervisor(&self) -> i32 {
        self.supervisor
    }

    /// Asks, and waits for the answer; for ever where there is no deadline.
    pub fn call<P: for<'a> Deserialize<'a>>(
        &mut self,
        call: &Call,
        deadline: Option<Instant>,
    ) -> Result<P, CallFailure> {
        self.send(call, None)?;
        let frame = self.receive(deadline)?;
        Ok(wire::parse_reply(&frame)?.0)
    }

    /// The same, with a descriptor that goes along with the request.
    pub(crate) fn call_passing<P: for<'a> Deserialize<'a>>(
        &mut self,
        call: &Call,
        passed: BorrowedFd<'_>,
        deadline: Option<Instant>,
    ) -> Result<P, CallFailure> {
        self.send(call, Some(passed))?;
        let frame = self.receive(deadline)?;
        Ok(wire::parse_reply(&frame)?.0)
    }

    fn send(&mut self, call: &Call, mut passed: Option<BorrowedFd<'_>>) -> Result<(), CallFailure> {
        let mut message = call.to_message();
        if message.len() > wire::MAX_MESSAGE {
            return Err(CallFailure::TooLong);
        }
        message.push(0);
        let mut rest = message.as_slice();
        while !rest.is_empty() {
            let sent = match passed {
                Some(fd) => socket::send_with_fd(self.socket.as_fd(), rest, fd),
                None => socket::send(self.socket.as_fd(), rest),
            };
            match sent {
                Ok(length) => {
                    rest = &rest[length..];
                    // It went with the first byte.
                    passed = None;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
                Err(error) => return Err(ended(error)),
            }
        }
        Ok(())
    }

    fn receive(&mut self, deadline: Option<Instant>) -> Result<Vec<u8>, CallFailure> {
        let mut buffer = [0; 16 << 10];
        loop {
            match self.frames.next_frame() {
                Ok(Some((frame, _))) => return Ok(frame),
                Ok(None) => (),
                Err(wire::TooLong) => return Err(CallFailure::TooLong),
            }
            if let Some(deadline) = deadline {
                wait_readable(self.socket.as_fd(), deadline)?;
            }
            match socket::recv(self.socket.as_fd(), &mut buffer) {
                Ok(0) => return Err(CallFailure::Gone),
                Ok(length) => self.frames.push(&buffer[..length]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
                Err(error) => return Err(ended(error)),
            }
        }
    }
}

/// Tells the end of a connection from what is really wrong.
fn ended(error: io::Error) -> CallFailure {
    match error.kind() {
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset | io::ErrorKind::NotConnected => CallFailure::Gone,
        _ => CallFailure::Io(error),
    }
}

fn wait_readable(socket: BorrowedFd<'_>, deadline: Instant) -> Result<(), CallFailure> {
    let poller = Poller::new()?;
    poller.add(socket, 0, Interest::READ)?;
    let mut events = Vec::new();
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        poller.wait(&mut events, Some(left))?;
        if !events.is_empty() {
            return Ok(());
        }
        if left.is_zero() {
            return Err(CallFailure::TimedOut);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use resume_core::wire::{CallError, StopParameters, StopReply};

    use super::*;

    /// Answers one request with these bytes, then hangs up.
    fn answering(bytes: &'static [u8]) -> (Connection, std::thread::JoinHandle<Vec<u8>>) {
        let (ours, theirs) = socket::pair().unwrap();
        let server = std::thread::spawn(move || {
            let mut request = Vec::new();
            let mut buffer = [0; 1024];
            while !request.ends_with(&[0]) {
                let length = socket::recv(theirs.as_fd(), &mut buffer).unwrap();
                request.extend_from_slice(&buffer[..length]);
            }
            for piece in bytes.chunks(7) {
                assert_eq!(socket::send(theirs.as_fd(), piece).unwrap(), piece.len());
            }
            request
        });
        (Connection::from_socket(ours, 1), server)
    }

    #[test]
    fn an_answer_is_put_together_from_its_pieces() {
        let (mut connection, server) = answering(b"{\"parameters\":{\"killed\":[{\"pid\":7,\"name\":\"sh\"}]}}\0");
        let reply: StopReply = connection.call(&Call::Stop(StopParameters::default()), None).unwrap();
        assert_eq!(reply.killed[0].pid, 7);
        assert!(server.join().unwrap().starts_with(b"{\"method\":\"dev.resume.Supervisor.Stop\""));
    }

    #[test]
    fn an_error_answered_is_told_from_a_connection_that_ended() {
        let (mut connection, _server) =
            answering(b"{\"error\":\"dev.resume.Supervisor.NoSuchInstance\",\"parameters\":{\"instance\":3}}\0");
        let error = connection.call::<StopReply>(&Call::Status, None).unwrap_err();
        assert!(matches!(error, CallFailure::Reply(NoReply::Call(CallError::NoSuchInstance(3)))), "{error}");
        let (mut connection, _server) = answering(b"{\"parameters\":{");
        let error = connection.call::<StopReply>(&Call::Status, None).unwrap_err();
        assert!(matches!(error, CallFailure::Gone), "{error}");
    }

    #[test]
    fn an_answer_that_never_comes_ends_with_the_deadline() {
        let (ours, theirs) = socket::pair().unwrap();
        let mut connection = Connection::from_socket(ours, 1);
        let deadline = Instant::now() + Duration::from_millis(5);
        let error = connection.call::<StopReply>(&Call::Status, Some(deadline)).unwrap_err();
        assert!(matches!(error, CallFailure::TimedOut), "{error}");
        assert!(Instant::now() >= deadline);
        drop(theirs);
    }

    #[test]
    fn a_request_beyond_the_bound_is_not_sent() {
        let (ours, _theirs) = socket::pair().unwrap();
        let environment = Some(vec!["x".repeat(wire::MAX_MESSAGE).as_str().into()]);
        let call = Call::Restart(wire::RestartParameters { environment, ..Default::default() });
        let error = Connection::from_socket(ours, 1).call::<StopReply>(&call, None).unwrap_err();
        assert!(matches!(error, CallFailure::TooLong));
    }
}

//! A client of `control.sock` that is not ours: raw bytes over a socket.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use serde_json::{Value, json};

use crate::deadline::PATIENCE;

/// One connection.
#[derive(Debug)]
pub struct Client {
    stream: UnixStream,
    unread: Vec<u8>,
}

impl Client {
    /// Connects to the socket at `path`.
    #[track_caller]
    pub fn connect(path: &Path) -> Self {
        let stream = UnixStream::connect(path).expect("the supervisor takes connections");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket takes a timeout");
        stream.set_write_timeout(Some(PATIENCE)).expect("a socket takes a timeout");
        Self { stream, unread: Vec::new() }
    }

    /// Sends bytes as they are.
    #[track_caller]
    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the supervisor takes what is sent");
    }

    /// Sends as much of `bytes` as is taken before the other side closes, and says whether that was all.
    pub fn try_send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// The next message that ends with `terminator`, or `None` if the other side closes instead.
    #[track_caller]
    pub fn message(&mut self, terminator: u8) -> Option<Value> {
        loop {
            if let Some(end) = self.unread.iter().position(|byte| *byte == terminator) {
                let message: Vec<u8> = self.unread.drain(..=end).collect();
                return Some(serde_json::from_slice(&message[..end]).expect("a message is JSON"));
            }
            let mut buffer = [0; 4096];
            match self.stream.read(&mut buffer) {
                Ok(0) => return None,
                Ok(length) => self.unread.extend_from_slice(&buffer[..length]),
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("waited in vain for an answer: {error}"),
            }
        }
    }

    /// Calls a method of `dev.resume.Supervisor`, and returns the whole answer.
    #[track_caller]
    pub fn call(&mut self, method: &str, parameters: &Value) -> Value {
        self.call_of(&format!("dev.resume.Supervisor.{method}"), parameters)
    }

    /// Calls a method by its full name, and returns the whole answer.
    #[track_caller]
    pub fn call_of(&mut self, method: &str, parameters: &Value) -> Value {
        let mut request = json!({ "method": method, "parameters": parameters }).to_string().into_bytes();
        request.push(0);
        self.send(&request);
        self.message(0).unwrap_or_else(|| panic!("the supervisor closed instead of an answer to {method}"))
    }
}

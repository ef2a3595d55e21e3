//! The least of a client for HTTP.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::deadline::PATIENCE;

/// Asks the server at `port` of this machine for `path` and returns the body of its answer, which must be a good one.
#[track_caller]
pub fn get(port: u16, path: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("the server takes connections");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket takes a timeout");
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("the server takes a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("the server answers");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((answer.as_str(), ""));
    assert!(head.starts_with("HTTP/1.1 200 "), "{answer}");
    // Chunks are of no interest; the bodies that tests ask for come in one.
    body.to_owned()
}

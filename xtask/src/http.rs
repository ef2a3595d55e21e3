//! As much of an HTTP client as it takes to ask the example server one question.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// How long a server may take for one answer.
const ANSWER: Duration = Duration::from_secs(5);
/// The pause between two attempts to reach a server that does not listen yet: nobody tells us when it does.
const PAUSE: Duration = Duration::from_millis(20);

/// A port of the loopback interface that nothing listens on.
///
/// It lies below the range from which the kernel takes the ports of outgoing connections (`ip_local_port_range`, from
/// 32768 unless it was changed), so nobody is given it in the meantime, and it stays free while a server restarts.
pub(crate) fn free_port() -> Result<u16> {
    const FIRST: u16 = 20_000;
    const RANGE: u16 = 10_000;

    let start = u16::try_from(std::process::id() % u32::from(RANGE)).unwrap_or(0);
    (0..RANGE)
        .map(|step| FIRST + (start + step) % RANGE)
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .context("no port is free on 127.0.0.1")
}

/// Whether anything accepts connections on `port`.
pub(crate) fn listens(port: u16) -> bool {
    TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)), ANSWER).is_ok()
}

/// Asks `http://127.0.0.1:PORT/` until an answer satisfies `wanted`, and returns its body.
///
/// Fails with the last trouble when `patience` is over.
pub(crate) fn ask(port: u16, patience: Duration, wanted: impl Fn(&str) -> bool) -> Result<String> {
    let deadline = Instant::now() + patience;
    loop {
        let trouble = match get(port) {
            Ok(body) if wanted(&body) => return Ok(body),
            Ok(body) => anyhow::anyhow!("it answered {}", body.trim()),
            Err(error) => error,
        };
        if Instant::now() >= deadline {
            return Err(trouble.context(format!("no fit answer from 127.0.0.1:{port} within {} s", patience.as_secs())));
        }
        std::thread::sleep(PAUSE);
    }
}

fn get(port: u16) -> Result<String> {
    let mut stream = TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)), ANSWER)?;
    stream.set_read_timeout(Some(ANSWER))?;
    stream.write_all(b"GET / HTTP/1.0\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    body(&answer)
}

fn body(answer: &str) -> Result<String> {
    let (head, body) = answer.split_once("\r\n\r\n").context("the answer has no end of its head")?;
    let status = head.split_whitespace().nth(1).unwrap_or_default();
    if status != "200" {
        bail!("the server answered with status {status}");
    }
    Ok(body.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_follows_the_empty_line() {
        assert_eq!(body("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nhello\n").unwrap(), "hello\n");
    }

    #[test]
    fn any_status_but_200_is_an_error() {
        assert!(body("HTTP/1.1 503 Service Unavailable\r\n\r\n").is_err());
        assert!(body("").is_err());
    }

    #[test]
    fn a_server_is_asked_until_its_answer_fits() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = std::thread::spawn(move || {
            for text in ["old", "new"] {
                let (mut client, _) = listener.accept().unwrap();
                let mut request = [0; 256];
                assert!(client.read(&mut request).unwrap() > 0);
                client.write_all(format!("HTTP/1.1 200 OK\r\n\r\n{text}").as_bytes()).unwrap();
            }
        });
        assert_eq!(ask(port, Duration::from_secs(5), |body| body == "new").unwrap(), "new");
        server.join().unwrap();
    }
}

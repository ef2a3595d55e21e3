//! Which ports and sockets a process listens on, as proc(5) tells it.
//!
//! `/proc/PID/net` lists the sockets of the network namespace that the process is in, each with an inode; the links in
//! `/proc/PID/fd` say which of these inodes it holds. The texts are read without trust: a socket may go between the two
//! looks, and a path chosen by anybody stands in one of them. A line that cannot be read is passed over.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Read};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use crate::dirs::{list, open_dir};

/// More than any of these texts should ever hold; what is beyond is not read.
const MAX_TEXT: u64 = 64 << 20;
/// The state of a TCP socket that listens (`TCP_LISTEN` in include/net/tcp_states.h).
const TCP_LISTEN: u8 = 0x0a;
/// The state of a UDP socket that is connected to nobody, so that anybody can send to it (`TCP_CLOSE`).
const UDP_UNCONNECTED: u8 = 0x07;
/// The flag of a UNIX socket that listens (`__SO_ACCEPTCON` in include/uapi/linux/net.h).
const ACCEPTS: u32 = 0x1_0000;
/// The type of a UNIX socket for datagrams (`SOCK_DGRAM`): it takes them without listening.
const DATAGRAM: u32 = 2;

/// Reads one line of a table; none for what is not listened on.
type Parse = fn(&[u8]) -> Option<Listening>;

/// Where something can be reached.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Address {
    /// A TCP port that is listened on.
    Tcp(SocketAddr),
    /// A UDP port that takes what anybody sends.
    Udp(SocketAddr),
    /// A UNIX socket by its path as it was bound; one with a leading `@` is an abstract name.
    Unix(OsString),
}

/// A socket that can be reached, and the inode by which its holders are found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listening {
    /// Where.
    pub address: Address,
    /// Which socket it is.
    pub inode: u64,
}

/// What is listened on in the network namespace of `pid`. A protocol that this kernel does not have is passed over; the
/// kind of the error is `NotFound` if the process is gone.
pub fn listening_around(pid: i32) -> io::Result<Vec<Listening>> {
    let mut found = Vec::new();
    let tables: [(&str, Parse); 5] =
        [("tcp", parse_tcp), ("tcp6", parse_tcp), ("udp", parse_udp), ("udp6", parse_udp), ("unix", parse_unix)];
    let mut read = 0;
    let mut missing = None;
    for (name, parse) in tables {
        match read_table(&format!("/proc/{pid}/net/{name}"), parse, &mut found) {
            Ok(()) => read += 1,
            Err(error) if error.kind() == io::ErrorKind::NotFound => missing = Some(error),
            Err(error) => return Err(error),
        }
    }
    match missing {
        Some(error) if read == 0 => Err(error),
        Some(_) | None => Ok(found),
    }
}

/// What tells the network namespace of a process from others: two processes with the same text share it.
pub fn network_of(pid: i32) -> io::Result<OsString> {
    Ok(std::fs::read_link(format!("/proc/{pid}/ns/net"))?.into_os_string())
}

/// The inodes of all sockets that a process holds. Another user's process is refused (`PermissionDenied`).
pub fn sockets_of(pid: i32) -> io::Result<BTreeSet<u64>> {
    let path = format!("/proc/{pid}/fd");
    let names = list(open_dir(Path::new(&path))?.as_fd())?;
    // One may be closed by now, which is no harm.
    let links = names.iter().filter_map(|name| std::fs::read_link(Path::new(&path).join(name)).ok());
    Ok(links.filter_map(|link| socket_inode(link.as_os_str().as_encoded_bytes())).collect())
}

/// The number in `socket:[123]`.
fn socket_inode(link: &[u8]) -> Option<u64> {
    str::from_utf8(link.strip_prefix(b"socket:[")?.strip_suffix(b"]")?).ok()?.parse().ok()
}

fn read_table(path: &str, parse: Parse, found: &mut Vec<Listening>) -> io::Result<()> {
    let file = std::fs::File::open(path)?;
    for line in BufReader::new(file.take(MAX_TEXT)).split(b'\n') {
        found.extend(parse(&line?));
    }
    Ok(())
}

fn parse_tcp(line: &[u8]) -> Option<Listening> {
    let (address, state, inode) = parse_internet(line)?;
    (state == TCP_LISTEN).then_some(Listening { address: Address::Tcp(address), inode })
}

fn parse_udp(line: &[u8]) -> Option<Listening> {
    let (address, state, inode) = parse_internet(line)?;
    let open = state == UDP_UNCONNECTED && address.port() != 0;
    open.then_some(Listening { address: Address::Udp(address), inode })
}

/// The address, the state and the inode of a line of `tcp`, `tcp6`, `udp` or `udp6`:
/// `0: 0100007F:0BB8 00000000:0000 0A 00000000:00000000 00:00000000 00000000 1000 0 12345 1 …`.
fn parse_internet(line: &[u8]) -> Option<(SocketAddr, u8, u64)> {
    let mut fields = str::from_utf8(line).ok()?.split_ascii_whitespace();
    let (address, port) = fields.nth(1)?.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let state = u8::from_str_radix(fields.nth(1)?, 16).ok()?;
    let inode = fields.nth(5)?.parse().ok()?;
    Some((SocketAddr::new(parse_ip(address)?, port), state, inode))
}

/// An address as the kernel prints it: words of 32 bits, each as a number of this machine's byte order.
fn parse_ip(text: &str) -> Option<IpAddr> {
    if !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let word = |at: usize| Some(u32::from_str_radix(text.get(at..at + 8)?, 16).ok()?.to_ne_bytes());
    match text.len() {
        8 => Some(Ipv4Addr::from(word(0)?).into()),
        32 => {
            let mut octets = [0; 16];
            for (index, octets) in octets.chunks_exact_mut(4).enumerate() {
                octets.copy_from_slice(&word(index * 8)?);
            }
            Some(Ipv6Addr::from(octets).into())
        }
        _ => None,
    }
}

/// A line of `unix`: `0000000000000000: 00000002 00000000 00010000 0001 01 12345 /run/x.sock`.
fn parse_unix(line: &[u8]) -> Option<Listening> {
    // The path is all that follows the inode and a space, spaces included.
    let mut rest = line;
    let mut fields = [&[][..]; 7];
    for field in &mut fields {
        rest = rest.trim_ascii_start();
        let end = rest.iter().position(u8::is_ascii_whitespace)?;
        (*field, rest) = rest.split_at_checked(end)?;
    }
    let path = rest.strip_prefix(b" ").filter(|path| !path.is_empty())?;
    let number = |text: &[u8], radix| u64::from_str_radix(str::from_utf8(text).ok()?, radix).ok();
    let (flags, kind) = (number(fields[3], 16)?, number(fields[4], 16)?);
    let reachable = flags & u64::from(ACCEPTS) != 0 || kind == u64::from(DATAGRAM);
    let inode = number(fields[6], 10)?;
    reachable.then(|| Listening { address: Address::Unix(OsString::from_vec(path.to_vec())), inode })
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, UdpSocket};
    use std::os::fd::{AsRawFd, OwnedFd};
    use std::os::unix::net::{UnixDatagram, UnixListener};

    use super::*;

    fn own_pid() -> i32 {
        i32::try_from(std::process::id()).unwrap()
    }

    fn inode(socket: impl Into<OwnedFd>) -> u64 {
        let socket = socket.into();
        let link = std::fs::read_link(format!("/proc/self/fd/{}", socket.as_raw_fd())).unwrap();
        std::mem::forget(socket);
        socket_inode(link.as_os_str().as_encoded_bytes()).unwrap()
    }

    /// What is heard of a socket of ours.
    fn found(socket: impl Into<OwnedFd>) -> Option<Address> {
        let inode = inode(socket);
        assert!(sockets_of(own_pid()).unwrap().contains(&inode));
        let all = listening_around(own_pid()).unwrap();
        all.into_iter().find(|listening| listening.inode == inode).map(|listening| listening.address)
    }

    #[test]
    fn sockets_that_can_be_reached_are_found_with_their_addresses() {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = tcp.local_addr().unwrap();
        assert_eq!(found(tcp), Some(Address::Tcp(address)));
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = udp.local_addr().unwrap();
        assert_eq!(found(udp), Some(Address::Udp(address)));
        if let Ok(tcp) = TcpListener::bind("[::1]:0") {
            let address = tcp.local_addr().unwrap();
            assert_eq!(found(tcp), Some(Address::Tcp(address)));
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a socket");
        let unix = UnixListener::bind(&path).unwrap();
        assert_eq!(found(unix), Some(Address::Unix(path.into())));
        let path = folder.path().join("datagrams");
        let unix = UnixDatagram::bind(&path).unwrap();
        assert_eq!(found(unix), Some(Address::Unix(path.into())));
    }

    #[test]
    fn a_connection_is_nothing_that_is_listened_on() {
        let (tcp, _other) = crate::socket::pair().unwrap();
        assert_eq!(found(tcp), None);
    }

    #[test]
    fn addresses_are_read_in_the_byte_order_of_the_machine() {
        if cfg!(target_endian = "little") {
            assert_eq!(parse_ip("0100007F"), Some(IpAddr::from([127, 0, 0, 1])));
            let loopback = "00000000000000000000000001000000";
            assert_eq!(parse_ip(loopback), Some(Ipv6Addr::LOCALHOST.into()));
        }
        for text in ["", "0100007", "0100007G", "01000é7F", "+100007F", "000000000000000000000000010000000"] {
            assert_eq!(parse_ip(text), None, "{text}");
        }
    }

    #[test]
    fn a_line_cut_anywhere_is_refused_or_read_and_never_panics() {
        let tcp = b"   0: 0100007F:0BB8 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 12345 1";
        let unix = b"0000000000000000: 00000002 00000000 00010000 0001 01 12345 /run/a b.sock";
        assert_eq!(parse_tcp(tcp).map(|it| it.inode), Some(12345));
        assert_eq!(parse_udp(tcp), None);
        assert_eq!(parse_unix(unix), Some(Listening { address: Address::Unix("/run/a b.sock".into()), inode: 12345 }));
        for line in [&tcp[..], unix] {
            for end in 0..line.len() {
                for part in [&line[..end], &line[end..]] {
                    let _ = (parse_tcp(part), parse_udp(part), parse_unix(part));
                }
            }
        }
        assert_eq!(parse_unix(b"\xff \xff \xff \xff \xff \xff \xff \xff"), None);
    }

    #[test]
    fn nobody_listens_around_a_process_that_is_not_there() {
        assert_eq!(listening_around(i32::MAX).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(sockets_of(i32::MAX).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert!(network_of(i32::MAX).is_err());
        assert!(network_of(own_pid()).is_ok());
    }
}

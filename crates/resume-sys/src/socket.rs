//! UNIX domain stream sockets (unix(7)), at names inside a folder that we hold open.
//!
//! A socket address has room for 108 bytes, a path has 4096. So the address always goes through our descriptor of the
//! folder, `/proc/self/fd/N/NAME`, which is short however deep the folder lies.

use std::fmt::Write as _;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, fchmod, fcntl_getfl, fcntl_setfl, fstat, openat, statat, unlinkat};
use rustix::io::{Errno, retry_on_intr};
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    self, AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags, SocketType,
};

use crate::errno::check;

/// How many clients may wait to be accepted.
const BACKLOG: i32 = 128;

/// Makes the socket `name` in the folder `dir` and listens on it; accepting does not wait.
///
/// Nobody but the owner can connect (0600), from the first moment. A socket that is there already is taken for a stale one
/// and replaced: the caller holds the lock that says so. Anything else under that name is an error (`AlreadyExists`).
pub fn listen(dir: BorrowedFd<'_>, name: &str) -> io::Result<OwnedFd> {
    let listener = new_socket(SocketFlags::CLOEXEC | SocketFlags::NONBLOCK)?;
    // bind(2) gives the name the mode of the socket, less the umask; that mode can be set beforehand, on Linux.
    fchmod(&listener, Mode::RUSR | Mode::WUSR)?;
    remove_stale(dir, name)?;
    net::bind(&listener, &address_in(dir, name)?)?;
    net::listen(&listener, BACKLOG)?;
    Ok(listener)
}

fn remove_stale(dir: BorrowedFd<'_>, name: &str) -> io::Result<()> {
    match statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(found) if FileType::from_raw_mode(found.st_mode) == FileType::Socket => {
            Ok(unlinkat(dir, name, AtFlags::empty())?)
        }
        Ok(_) => Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("`{name}` is there and is no socket"))),
        Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Connects to the socket `name` of the folder `dir`. Reads and writes on what is returned wait.
///
/// A symbolic link is refused. The kind `ConnectionRefused` says that nobody listens any more; `NotFound`, that there is no
/// such name. If more clients wait already than the listener has room for, this waits; see [`connect_within`].
pub fn connect(dir: BorrowedFd<'_>, name: &str) -> io::Result<OwnedFd> {
    connect_to(dir, name, None)
}

/// The same, but waits for a listener that does not accept for no longer than `limit`: then the kind is `WouldBlock`.
pub fn connect_within(dir: BorrowedFd<'_>, name: &str, limit: Duration) -> io::Result<OwnedFd> {
    connect_to(dir, name, Some(limit))
}

fn connect_to(dir: BorrowedFd<'_>, name: &str, limit: Option<Duration>) -> io::Result<OwnedFd> {
    // The name is looked up once: what is checked is what is connected to.
    let node = openat(dir, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
    if FileType::from_raw_mode(fstat(&node)?.st_mode) != FileType::Socket {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("`{name}` is no socket")));
    }
    let mut path = String::new();
    // Writing to a string cannot fail.
    let _ = write!(path, "/proc/self/fd/{}", node.as_raw_fd());
    let address = SocketAddrUnix::new(path.as_str())?;
    let socket = new_socket(SocketFlags::CLOEXEC)?;
    if limit.is_some() {
        // To connect counts as sending. A limit of zero would mean none.
        set_socket_timeout(&socket, Timeout::Send, limit.map(|limit| limit.max(Duration::from_millis(1))))?;
    }
    retry_on_intr(|| net::connect(&socket, &address))?;
    if limit.is_some() {
        set_socket_timeout(&socket, Timeout::Send, None)?;
    }
    Ok(socket)
}

/// Takes the next client, whose socket does not wait either; `None` if there is none, or it has left again.
pub fn accept(listener: BorrowedFd<'_>) -> io::Result<Option<OwnedFd>> {
    match net::accept_with(listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK) {
        Ok(client) => Ok(Some(client)),
        Err(Errno::AGAIN | Errno::INTR | Errno::CONNABORTED) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Two sockets that are connected to each other. Reads and writes wait.
pub fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(net::socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?)
}

/// Whether reads and writes return `WouldBlock` instead of waiting.
pub fn set_nonblocking(socket: BorrowedFd<'_>, on: bool) -> io::Result<()> {
    let flags = fcntl_getfl(socket)?;
    let wanted = if on { flags | OFlags::NONBLOCK } else { flags.difference(OFlags::NONBLOCK) };
    if wanted != flags {
        fcntl_setfl(socket, wanted)?;
    }
    Ok(())
}

/// Who is at the other end: as it was when it connected or began to listen (`SO_PEERCRED`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its number, or 0 if it has none in our pid namespace. It may have passed the connection on, or be gone.
    pub pid: i32,
    /// Its effective user.
    pub uid: u32,
    /// Its effective group.
    pub gid: u32,
}

/// Who is at the other end of a connection.
pub fn peer(socket: BorrowedFd<'_>) -> io::Result<Peer> {
    let mut credentials = libc::ucred { pid: 0, uid: u32::MAX, gid: u32::MAX };
    let mut length = libc::socklen_t::try_from(size_of::<libc::ucred>()).unwrap_or(0);
    // rustix is not asked, as its type has no room for a pid of 0.
    // SAFETY: getsockopt(2) writes at most `length` bytes to a structure that has as many.
    check(unsafe {
        let fd = socket.as_raw_fd();
        libc::getsockopt(fd, libc::SOL_SOCKET, libc::SO_PEERCRED, (&raw mut credentials).cast(), &raw mut length)
    })?;
    Ok(Peer { pid: credentials.pid, uid: credentials.uid, gid: credentials.gid })
}

/// Sends what fits, and returns how much that was. If the other end is gone the kind is `BrokenPipe`, and no signal comes.
pub fn send(socket: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    Ok(retry_on_intr(|| net::send(socket, bytes, SendFlags::NOSIGNAL))?)
}

/// Receives what is there, and returns how much that was: 0 at the end.
pub fn recv(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    Ok(retry_on_intr(|| net::recv(socket, &mut *buffer, RecvFlags::empty()))?.0)
}

/// The same as [`send`], with a descriptor beside the first byte. There must be at least one byte.
pub fn send_with_fd(socket: BorrowedFd<'_>, bytes: &[u8], passed: BorrowedFd<'_>) -> io::Result<usize> {
    if bytes.is_empty() {
        // The kernel would drop the descriptor without a word.
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let fds = [passed];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    control.push(SendAncillaryMessage::ScmRights(&fds));
    Ok(retry_on_intr(|| net::sendmsg(socket, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL))?)
}

/// The same as [`recv`], with the descriptor that came beside the bytes, if one did.
///
/// It is close-on-exec. Of several only the first is kept; the others are closed.
pub fn recv_with_fd(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<(usize, Option<OwnedFd>)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received =
        retry_on_intr(|| net::recvmsg(socket, &mut [IoSliceMut::new(buffer)], &mut control, RecvFlags::CMSG_CLOEXEC))?;
    let mut first = None;
    // Those for which there was no room the kernel has closed. Every other one becomes owned here, so none is leaked.
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(fds) = message {
            for fd in fds {
                first.get_or_insert(fd);
            }
        }
    }
    Ok((received.bytes, first))
}

fn new_socket(flags: SocketFlags) -> io::Result<OwnedFd> {
    Ok(net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?)
}

fn address_in(dir: BorrowedFd<'_>, name: &str) -> io::Result<SocketAddrUnix> {
    if name.contains('/') {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the name of a socket has no slash"));
    }
    Ok(SocketAddrUnix::new(format!("/proc/self/fd/{}/{name}", dir.as_raw_fd()))?)
}

//! Sockets. In a binary of its own: a child that another test starts would hold copies of them for a moment.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, symlink};
use std::path::PathBuf;
use std::time::Duration;

use resume_sys::account::effective_uid;
use resume_sys::dirs::{create_private_dir_all, open_dir};
use resume_sys::socket::{self, Peer, accept, connect, connect_within, listen, pair, peer, set_nonblocking};
use rustix::io::{FdFlags, fcntl_getfd};

fn folder() -> (tempfile::TempDir, OwnedFd) {
    let folder = tempfile::tempdir().unwrap();
    let dir = open_dir(folder.path()).unwrap();
    (folder, dir)
}

fn own_pid() -> i32 {
    i32::try_from(std::process::id()).unwrap()
}

#[test]
fn a_client_and_a_server_talk_and_know_each_other() {
    let (folder, dir) = folder();
    let listener = listen(dir.as_fd(), "control.sock").unwrap();
    assert!(accept(listener.as_fd()).unwrap().is_none(), "nobody is there, and it does not wait");
    let client = connect(dir.as_fd(), "control.sock").unwrap();
    let server = accept(listener.as_fd()).unwrap().unwrap();
    for fd in [&listener, &client, &server] {
        assert!(fcntl_getfd(fd).unwrap().contains(FdFlags::CLOEXEC));
    }
    let us = Peer { pid: own_pid(), uid: effective_uid(), gid: fs::metadata("/proc/self").unwrap().gid() };
    assert_eq!(peer(client.as_fd()).unwrap(), us);
    assert_eq!(peer(server.as_fd()).unwrap(), us);

    let mut buffer = [0; 16];
    let error = socket::recv(server.as_fd(), &mut buffer).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::WouldBlock, "the server's side does not wait");
    assert_eq!(socket::send(client.as_fd(), b"question").unwrap(), 8);
    assert_eq!(socket::recv(server.as_fd(), &mut buffer).unwrap(), 8);
    assert_eq!(socket::send(server.as_fd(), b"answer").unwrap(), 6);
    assert_eq!(socket::recv(client.as_fd(), &mut buffer).unwrap(), 6, "the client's side waits");
    drop(server);
    assert_eq!(socket::recv(client.as_fd(), &mut buffer).unwrap(), 0);
    let error = socket::send(client.as_fd(), b"more").unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe, "an error and no signal");

    drop(listener);
    let error = connect(dir.as_fd(), "control.sock").unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    assert!(folder.path().join("control.sock").exists());
    let _again = listen(dir.as_fd(), "control.sock").expect("a stale one is replaced");
    connect(dir.as_fd(), "control.sock").unwrap();
}

#[test]
fn a_path_longer_than_an_address_works() {
    let (folder, _dir) = folder();
    let deep: PathBuf = folder.path().join("d".repeat(120)).join("e".repeat(120));
    let dir = create_private_dir_all(&deep).unwrap();
    let listener = listen(dir.as_fd(), "control.sock").unwrap();
    assert!(deep.join("control.sock").symlink_metadata().unwrap().file_type().is_socket());
    let _client = connect(dir.as_fd(), "control.sock").unwrap();
    assert!(accept(listener.as_fd()).unwrap().is_some());
}

#[test]
fn what_is_no_socket_is_refused() {
    let (folder, dir) = folder();
    let path = |name| folder.path().join(name);
    fs::write(path("file"), "precious").unwrap();
    let _listener = listen(dir.as_fd(), "real").unwrap();
    symlink("real", path("link")).unwrap();
    for name in ["file", "link"] {
        assert_eq!(connect(dir.as_fd(), name).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        assert_eq!(listen(dir.as_fd(), name).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    }
    assert_eq!(fs::read_to_string(path("file")).unwrap(), "precious");
    assert_eq!(connect(dir.as_fd(), "none").unwrap_err().kind(), io::ErrorKind::NotFound);
    assert_eq!(listen(dir.as_fd(), "a/b").unwrap_err().kind(), io::ErrorKind::InvalidInput);
    assert!(listen(dir.as_fd(), &"n".repeat(200)).is_err());
}

#[test]
fn a_listener_that_never_accepts_does_not_hold_a_client_for_ever() {
    let (_folder, dir) = folder();
    let _listener = listen(dir.as_fd(), "control.sock").unwrap();
    let mut waiting = Vec::new();
    let error = loop {
        match connect_within(dir.as_fd(), "control.sock", Duration::from_millis(5)) {
            Ok(client) => waiting.push(client),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    assert!(waiting.len() >= 128);
}

#[test]
fn a_socket_can_be_made_not_to_wait() {
    let (here, _there) = pair().unwrap();
    for _ in 0..2 {
        set_nonblocking(here.as_fd(), true).unwrap();
        assert_eq!(socket::recv(here.as_fd(), &mut [0]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    }
    set_nonblocking(here.as_fd(), false).unwrap();
    assert!(!rustix::fs::fcntl_getfl(&here).unwrap().contains(rustix::fs::OFlags::NONBLOCK));
}

#[test]
fn a_descriptor_goes_over_a_socket() {
    let (here, there) = pair().unwrap();
    let file = tempfile::tempfile().unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, b"contents", 0).unwrap();
    assert_eq!(socket::send_with_fd(here.as_fd(), b"take", file.as_fd()).unwrap(), 4);
    socket::send(here.as_fd(), b"plain").unwrap();
    let error = socket::send_with_fd(here.as_fd(), b"", file.as_fd()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);

    let mut buffer = [0; 16];
    let (length, passed) = socket::recv_with_fd(there.as_fd(), &mut buffer).unwrap();
    let passed = passed.unwrap();
    assert_eq!(buffer.get(..length), Some(&b"take"[..]));
    assert!(fcntl_getfd(&passed).unwrap().contains(FdFlags::CLOEXEC));
    assert_eq!(std::io::read_to_string(fs::File::from(passed)).unwrap(), "contents");
    let (length, passed) = socket::recv_with_fd(there.as_fd(), &mut buffer).unwrap();
    assert_eq!((buffer.get(..length), passed.is_none()), (Some(&b"plain"[..]), true));
    drop(here);
    assert!(matches!(socket::recv_with_fd(there.as_fd(), &mut buffer), Ok((0, None))));
}

#[test]
fn of_many_descriptors_one_is_kept_and_none_leaked() {
    use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
    let (here, there) = pair().unwrap();
    for count in [2, 3, 8] {
        // The ends of pipes tell when the last copy of them is gone.
        let (readers, writers): (Vec<_>, Vec<_>) = (0..count).map(|_| rustix::pipe::pipe().unwrap()).unzip();
        let borrowed: Vec<_> = writers.iter().map(AsFd::as_fd).collect();
        let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(8))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        assert!(control.push(SendAncillaryMessage::ScmRights(&borrowed)));
        sendmsg(&here, &[io::IoSlice::new(b"x")], &mut control, SendFlags::empty()).unwrap();
        drop(borrowed);
        drop(writers);
        let (_, kept) = socket::recv_with_fd(there.as_fd(), &mut [0; 4]).unwrap();
        let open = |reader: &OwnedFd| {
            rustix::fs::fcntl_setfl(reader, rustix::fs::OFlags::NONBLOCK).unwrap();
            rustix::io::read(reader, &mut [0; 1]) == Err(rustix::io::Errno::AGAIN)
        };
        let still_open: Vec<bool> = readers.iter().map(open).collect();
        assert_eq!(still_open.iter().position(|&open| open), Some(0));
        assert_eq!(still_open.iter().filter(|&&open| open).count(), 1, "of {count}");
        drop(kept);
    }
}

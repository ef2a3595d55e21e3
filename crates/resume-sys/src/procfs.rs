//! The texts of proc(5), read without trust: a process may vanish between any two bytes, and chooses its own name.

use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::{read, retry_on_intr};

/// What one line of /proc/PID/stat says, as far as we want to know.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) name: OsString,
    pub(crate) state: u8,
    pub(crate) parent: i32,
    pub(crate) group: i32,
    pub(crate) session: i32,
    pub(crate) cpu_ticks: u64,
    pub(crate) cpu_ticks_of_dead_children: u64,
    pub(crate) threads: u32,
    pub(crate) start_ticks: u64,
    pub(crate) resident_pages: u64,
}

/// Reads /proc/PID/stat. The kind of the error is `NotFound` if there is no such process.
pub(crate) fn read_stat(pid: i32) -> io::Result<Stat> {
    let mut path = ShortText::new();
    // A path of this form always fits.
    let _ = write!(path, "/proc/{pid}/stat");
    read_stat_at(CWD, path.as_str())
}

/// The same for a path relative to an open directory, which spares the kernel the walk through /proc.
pub(crate) fn read_stat_at(dir: impl AsFd, path: &str) -> io::Result<Stat> {
    // The longest line: a name of at most 64 bytes and 51 numbers of at most 20 digits.
    let mut buffer = [0; 1280];
    let file = open(dir, path)?;
    let length = retry_on_intr(|| read(&file, &mut buffer)).map_err(vanished)?;
    parse_stat(buffer.get(..length).unwrap_or_default())
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "/proc/PID/stat is not what proc(5) says"))
}

/// Opens a file of /proc for reading. The kind of the error is `NotFound` if the process is gone.
pub(crate) fn open(dir: impl AsFd, path: &str) -> io::Result<OwnedFd> {
    openat(dir, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).map_err(vanished)
}

/// A process that vanishes while its file is read gives `ESRCH`; one that vanished before, `ENOENT`. Both are one thing.
pub(crate) fn vanished(error: rustix::io::Errno) -> io::Error {
    if error == rustix::io::Errno::SRCH { io::ErrorKind::NotFound.into() } else { error.into() }
}

/// Parses a line of /proc/PID/stat. The name is in parentheses and may hold anything, `) ` too: so the fields are counted
/// from the last closing one.
fn parse_stat(line: &[u8]) -> Option<Stat> {
    let open = line.iter().position(|&byte| byte == b'(')?;
    let close = line.iter().rposition(|&byte| byte == b')')?;
    let name = OsStr::from_bytes(line.get(open + 1..close)?).to_owned();
    let rest = str::from_utf8(line.get(close + 1..)?).ok()?;
    // The numbers in the comments are those of the fields in proc(5).
    let mut fields = rest.split_ascii_whitespace();
    let state = *fields.next()?.as_bytes().first()?; // 3
    let parent = fields.next()?.parse().ok()?; // 4
    let group = fields.next()?.parse().ok()?; // 5
    let session = fields.next()?.parse().ok()?; // 6
    let user = number(fields.nth(7)?)?; // 14
    let system = number(fields.next()?)?; // 15
    let children_user = number(fields.next()?)?; // 16
    let children_system = number(fields.next()?)?; // 17
    let threads = fields.nth(2)?.parse().ok()?; // 20
    let start_ticks = fields.nth(1)?.parse().ok()?; // 22
    let resident_pages = number(fields.nth(1)?)?; // 24
    Some(Stat {
        name,
        state,
        parent,
        group,
        session,
        cpu_ticks: user.saturating_add(system),
        cpu_ticks_of_dead_children: children_user.saturating_add(children_system),
        threads,
        start_ticks,
        resident_pages,
    })
}

/// Some of these are signed in the kernel; below zero there is nothing.
fn number(text: &str) -> Option<u64> {
    text.parse::<i128>().ok().map(|number| u64::try_from(number.max(0)).unwrap_or(u64::MAX))
}

/// Room for a short path on the stack. What does not fit is an error of the `write!`.
pub(crate) struct ShortText {
    bytes: [u8; 64],
    length: usize,
}

impl ShortText {
    pub(crate) fn new() -> Self {
        Self { bytes: [0; 64], length: 0 }
    }

    pub(crate) fn as_str(&self) -> &str {
        self.bytes.get(..self.length).and_then(|bytes| str::from_utf8(bytes).ok()).unwrap_or_default()
    }
}

impl std::fmt::Write for ShortText {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let end = self.length + text.len();
        self.bytes.get_mut(self.length..end).ok_or(std::fmt::Error)?.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAIL: &str =
        " S 41 42 43 0 -1 4194560 1 2 3 4 100 20 7 3 20 0 5 0 987654 1000000 256 18446744073709551615 1 1";

    #[test]
    fn the_fields_are_found_behind_any_name() {
        for name in ["sh", "a) (b", "", ")", "((", "x) R 1 1 1", "\u{1F980}\n"] {
            let stat = parse_stat(format!("7 ({name}){TAIL}").as_bytes()).unwrap();
            let expected = Stat {
                name: name.into(),
                state: b'S',
                parent: 41,
                group: 42,
                session: 43,
                cpu_ticks: 120,
                cpu_ticks_of_dead_children: 10,
                threads: 5,
                start_ticks: 987_654,
                resident_pages: 256,
            };
            assert_eq!(stat, expected);
        }
    }

    #[test]
    fn a_name_may_be_no_text() {
        let mut line = b"7 (\xff\xfe)".to_vec();
        line.extend_from_slice(TAIL.as_bytes());
        assert_eq!(parse_stat(&line).unwrap().name.as_bytes(), b"\xff\xfe");
    }

    #[test]
    fn a_line_cut_anywhere_is_refused_or_read_and_never_panics() {
        let line = format!("7 (a) (b){TAIL}");
        for end in 0..line.len() {
            let _ = parse_stat(&line.as_bytes()[..end]);
            let _ = parse_stat(&line.as_bytes()[end..]);
        }
        assert_eq!(parse_stat(b""), None);
        assert_eq!(parse_stat(b")("), None);
        assert_eq!(parse_stat(b"1 (x) S 1"), None);
    }

    #[test]
    fn our_own_line_is_read() {
        let stat = read_stat(i32::try_from(std::process::id()).unwrap()).unwrap();
        assert!(stat.threads >= 1 && stat.start_ticks > 0 && stat.resident_pages > 0);
        assert_eq!(read_stat(i32::MAX).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}

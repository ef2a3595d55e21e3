//! The processes below a process, as /proc shows them.
//!
//! What is read is true of the moment when it was read: processes are born and die all the time. Whoever wants the end of a
//! whole tree therefore becomes a subreaper ([`crate::child::become_subreaper`]), so that nothing falls out of it, and goes
//! round until [`has_children`] says no.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::{self, Read};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::OnceLock;

use crate::child::exists_any;
use crate::dirs::{for_each_name, open_dir};
use crate::identity::{Identity, Process};
use crate::procfs::{self, ShortText, Stat, read_stat, read_stat_at};

/// More than the kernel accepts as arguments and environment of a program; only root can make it more afterwards.
const MAX_TEXT: u64 = 16 << 20;

/// What /proc says of one process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessInfo {
    /// Who it is.
    pub identity: Identity,
    /// The pid of its parent.
    pub parent: i32,
    /// Its process group.
    pub group: i32,
    /// Its session.
    pub session: i32,
    /// One letter: `R` running, `S` sleeping, `D` in a wait that cannot be broken off, `T` stopped, … (proc(5)).
    pub state: u8,
    /// How many threads it has.
    pub threads: u32,
    /// The CPU time it has used, in ticks: see [`clock_ticks_per_second`].
    pub cpu_ticks: u64,
    /// The same of those of its descendants that have ended and were waited for.
    pub cpu_ticks_of_dead_children: u64,
    /// How much memory is resident, with what it shares with others.
    pub memory_bytes: u64,
    /// The name it goes by, at most 15 bytes and at its own choice.
    pub name: OsString,
}

impl ProcessInfo {
    fn new(pid: i32, stat: Stat) -> Self {
        Self {
            identity: Identity { pid, start_ticks: stat.start_ticks },
            parent: stat.parent,
            group: stat.group,
            session: stat.session,
            state: stat.state,
            threads: stat.threads,
            cpu_ticks: stat.cpu_ticks,
            cpu_ticks_of_dead_children: stat.cpu_ticks_of_dead_children,
            memory_bytes: stat.resident_pages.saturating_mul(page_size()),
            name: stat.name,
        }
    }

    /// Whether nothing of it runs any more. One whose first thread alone has ended looks like a zombie, and lives.
    fn has_ended(&self) -> bool {
        matches!(self.state, b'Z' | b'X' | b'x') && self.threads <= 1
    }
}

/// Whether this process has any child, alive or dead and not reaped yet.
///
/// It is one call (waitid(2), `WNOWAIT`) and, unlike a look at /proc, cannot miss one.
pub fn has_children() -> bool {
    exists_any()
}

/// All living processes below `root`, parents before their children. `root` itself is not among them.
///
/// The caller knows who `root` is: itself, or a child that it has not reaped.
pub fn descendants(root: i32) -> Vec<ProcessInfo> {
    descendants_but(root, &mut |_| false)
}

/// The same without those that `spare` says yes to, and without all that is below them.
fn descendants_but(root: i32, spare: &mut dyn FnMut(&ProcessInfo) -> bool) -> Vec<ProcessInfo> {
    if !has_children_files() {
        let table = ProcessTable::read().unwrap_or_default();
        return table.walk(root, spare).into_iter().cloned().collect();
    }
    let mut found = Vec::new();
    // Every pid that was met. It keeps a process that moves to another parent meanwhile from being told twice.
    let mut met = BTreeSet::from([root]);
    let mut ahead = Vec::new();
    append_children(root, u32::MAX, &mut ahead);
    let mut next = 0;
    while let Some(&pid) = ahead.get(next) {
        next += 1;
        // Whose parent is none of ours was given this number only after it was listed.
        let Some(info) = look_at(pid).filter(|info| met.contains(&info.parent)) else { continue };
        if !met.insert(pid) || spare(&info) {
            continue;
        }
        append_children(pid, info.threads, &mut ahead);
        if !info.has_ended() {
            found.push(info);
        }
    }
    found
}

fn look_at(pid: i32) -> Option<ProcessInfo> {
    // Whatever the error is, there is nothing to be told about it.
    read_stat(pid).ok().map(|stat| ProcessInfo::new(pid, stat))
}

/// Appends the children of all threads of `pid`; none if it is gone.
fn append_children(pid: i32, threads: u32, children: &mut Vec<i32>) {
    if threads <= 1 {
        return append_children_of_thread(pid, pid, children);
    }
    let mut path = ShortText::new();
    let _ = write!(path, "/proc/{pid}/task");
    let Ok(dir) = open_dir(Path::new(path.as_str())) else { return };
    // A process that ends meanwhile has no threads, and then no children either.
    let _ = for_each_name(dir.as_fd(), &mut [MaybeUninit::uninit(); 2048], |name| {
        if let Some(thread) = name.to_str().ok().and_then(|name| name.parse().ok()) {
            append_children_of_thread(pid, thread, children);
        }
    });
}

fn append_children_of_thread(pid: i32, thread: i32, children: &mut Vec<i32>) {
    let mut path = ShortText::new();
    let _ = write!(path, "/proc/{pid}/task/{thread}/children");
    let Ok(mut file) = procfs::open(rustix::fs::CWD, path.as_str()).map(std::fs::File::from) else { return };
    let mut buffer = [0; 1024];
    // A number may be cut by the end of the buffer, so its digits are carried over.
    let mut number = 0i32;
    while let Ok(length @ 1..) = file.read(&mut buffer) {
        for &byte in buffer.get(..length).unwrap_or_default() {
            if byte.is_ascii_digit() {
                number = number.saturating_mul(10).saturating_add(i32::from(byte - b'0'));
            } else if number > 0 {
                children.push(number);
                number = 0;
            }
        }
    }
}

/// Whether the kernel was built with `CONFIG_PROC_CHILDREN`.
fn has_children_files() -> bool {
    static FOUND: OnceLock<bool> = OnceLock::new();
    *FOUND.get_or_init(|| Path::new("/proc/thread-self/children").exists())
}

/// Every process there is, read once: for a question about many trees.
#[derive(Debug, Default)]
pub struct ProcessTable {
    /// In the order of their pids.
    processes: Vec<ProcessInfo>,
    /// Indexes into `processes`, in the order of the parents' pids.
    by_parent: Vec<usize>,
}

impl ProcessTable {
    /// Reads /proc from end to end. What is hidden from us there (`hidepid`) is missing.
    pub fn read() -> io::Result<Self> {
        let proc = open_dir(Path::new("/proc"))?;
        let mut pids: Vec<i32> = Vec::new();
        for_each_name(proc.as_fd(), &mut vec![MaybeUninit::uninit(); 32 * 1024], |name| {
            pids.extend(name.to_str().ok().and_then(|name| name.parse::<i32>().ok()));
        })?;
        let processes = pids.into_iter().filter_map(|pid| look_at_in(&proc, pid)).collect();
        Ok(Self::new(processes))
    }

    fn new(mut processes: Vec<ProcessInfo>) -> Self {
        processes.sort_unstable_by_key(|info| info.identity.pid);
        let mut by_parent: Vec<usize> = (0..processes.len()).collect();
        by_parent.sort_by_key(|&index| processes.get(index).map(|info| info.parent));
        Self { processes, by_parent }
    }

    /// What it says of the process with this number.
    pub fn get(&self, pid: i32) -> Option<&ProcessInfo> {
        let index = self.processes.binary_search_by_key(&pid, |info| info.identity.pid).ok()?;
        self.processes.get(index)
    }

    /// All living processes below `root`, parents before their children. `root` itself is not among them.
    pub fn descendants(&self, root: i32) -> impl Iterator<Item = &ProcessInfo> {
        self.walk(root, &mut |_| false).into_iter()
    }

    fn walk(&self, root: i32, spare: &mut dyn FnMut(&ProcessInfo) -> bool) -> Vec<&ProcessInfo> {
        let mut met = BTreeSet::from([root]);
        let mut ahead: Vec<&ProcessInfo> = self.children(root).collect();
        let mut found = Vec::new();
        let mut next = 0;
        while let Some(&info) = ahead.get(next) {
            next += 1;
            // The table was not read in one moment, so that numbers that were given anew may make it a circle.
            if !met.insert(info.identity.pid) || spare(info) {
                continue;
            }
            ahead.extend(self.children(info.identity.pid));
            if !info.has_ended() {
                found.push(info);
            }
        }
        found
    }

    fn children(&self, parent: i32) -> impl Iterator<Item = &ProcessInfo> {
        let parent_at = |index: &usize| self.processes.get(*index).map_or(i32::MAX, |info| info.parent);
        let start = self.by_parent.partition_point(|index| parent_at(index) < parent);
        let indexes = self.by_parent.iter().skip(start).take_while(move |index| parent_at(index) == parent);
        indexes.filter_map(|&index| self.processes.get(index))
    }
}

fn look_at_in(proc: &OwnedFd, pid: i32) -> Option<ProcessInfo> {
    let mut path = ShortText::new();
    let _ = write!(path, "{pid}/stat");
    read_stat_at(proc, path.as_str()).ok().map(|stat| ProcessInfo::new(pid, stat))
}

/// Sends `signal` to every living process below `root`, but not to those that `spare` says yes to, nor below them; returns
/// those it was sent to.
///
/// Each is held and its identity checked first, so that nobody else is hit. One that we may not signal is not returned.
/// This is one round: what was born meanwhile is found by the next.
pub fn signal_descendants(root: i32, signal: i32, spare: &mut dyn FnMut(&ProcessInfo) -> bool) -> Vec<ProcessInfo> {
    let mut signalled = descendants_but(root, spare);
    signalled.retain(|info| match Process::open(&info.identity) {
        Ok(Some(process)) => process.signal(signal).is_ok(),
        Ok(None) | Err(_) => false,
    });
    signalled
}

/// [`signal_descendants`] with SIGKILL, parents first, so that none sees a child die and starts another.
pub fn kill_descendants(root: i32, spare: &mut dyn FnMut(&ProcessInfo) -> bool) -> Vec<ProcessInfo> {
    signal_descendants(root, libc::SIGKILL, spare)
}

/// How many ticks of `/proc` a second has (sysconf(3), `_SC_CLK_TCK`): 100, in practice.
pub fn clock_ticks_per_second() -> u64 {
    system_value(libc::_SC_CLK_TCK, 100)
}

/// How many bytes a page has.
pub fn page_size() -> u64 {
    system_value(libc::_SC_PAGESIZE, 4096)
}

fn system_value(name: libc::c_int, default: u64) -> u64 {
    // SAFETY: sysconf(3) takes a number and gives one.
    let value = unsafe { libc::sysconf(name) };
    u64::try_from(value).ok().filter(|&value| value > 0).unwrap_or(default)
}

/// The environment that a process was started with: `NAME=value`, each ended by a NUL.
///
/// What the process has written there since is what is told. Another user's is refused (`PermissionDenied`); one that is
/// gone is `NotFound`; a zombie's is either that or empty. It is empty, too, for a moment while a program is executed.
pub fn environment_of(pid: i32) -> io::Result<Vec<u8>> {
    read_text(pid, "environ")
}

/// The arguments that a process was started with, or what it has put in their place.
///
/// There are none for a zombie, nor for a moment while a program is executed.
pub fn command_line_of(pid: i32) -> io::Result<Vec<Vec<u8>>> {
    let text = read_text(pid, "cmdline")?;
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let text = text.strip_suffix(b"\0").unwrap_or(&text);
    Ok(text.split(|&byte| byte == 0).map(<[u8]>::to_vec).collect())
}

fn read_text(pid: i32, file: &str) -> io::Result<Vec<u8>> {
    let mut path = ShortText::new();
    let _ = write!(path, "/proc/{pid}/{file}");
    let file = std::fs::File::from(procfs::open(rustix::fs::CWD, path.as_str())?);
    let mut text = Vec::new();
    match file.take(MAX_TEXT).read_to_end(&mut text) {
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Err(io::ErrorKind::NotFound.into()),
        other => other.map(|_| text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: i32, parent: i32, state: u8, threads: u32) -> ProcessInfo {
        ProcessInfo {
            identity: Identity { pid, start_ticks: 1 },
            parent,
            group: pid,
            session: pid,
            state,
            threads,
            cpu_ticks: 0,
            cpu_ticks_of_dead_children: 0,
            memory_bytes: 0,
            name: "x".into(),
        }
    }

    fn pids(table: &ProcessTable, root: i32) -> Vec<i32> {
        table.descendants(root).map(|info| info.identity.pid).collect()
    }

    #[test]
    fn a_table_tells_the_tree_below_a_process_parents_first() {
        let table = ProcessTable::new(vec![
            process(30, 10, b'S', 1),
            process(20, 10, b'S', 1),
            process(1, 0, b'S', 1),
            process(25, 20, b'R', 1),
            process(10, 1, b'S', 1),
            process(40, 30, b'S', 1),
        ]);
        assert_eq!(pids(&table, 10), [20, 30, 25, 40]);
        assert_eq!(pids(&table, 25), []);
        assert_eq!(pids(&table, 99), []);
        assert_eq!(table.get(25).map(|info| info.parent), Some(20));
        assert!(table.get(26).is_none());
        let spared: Vec<_> = table.walk(10, &mut |info| info.identity.pid == 20);
        assert_eq!(spared.len(), 2, "neither the spared one nor what is below it");
    }

    #[test]
    fn what_has_ended_is_left_out_but_not_what_is_below_it() {
        let table = ProcessTable::new(vec![
            process(2, 1, b'Z', 1),
            process(3, 2, b'S', 1),
            process(4, 1, b'Z', 2),
            process(5, 1, b'X', 1),
            process(6, 1, b'T', 1),
        ]);
        assert_eq!(pids(&table, 1), [4, 6, 3], "4 is a process whose first thread alone has ended");
    }

    #[test]
    fn a_table_that_runs_in_circles_is_walked_once() {
        let table = ProcessTable::new(vec![process(1, 1, b'S', 1), process(2, 3, b'S', 1), process(3, 2, b'S', 1)]);
        assert_eq!(pids(&table, 1), []);
        assert_eq!(pids(&table, 2), [3]);
    }

    #[test]
    fn we_are_in_the_table_with_our_parent_above_us() {
        let own = i32::try_from(std::process::id()).unwrap();
        let table = ProcessTable::read().unwrap();
        let info = table.get(own).unwrap();
        assert_eq!(u32::try_from(info.parent).unwrap(), std::os::unix::process::parent_id());
        assert!(info.memory_bytes >= page_size() && info.threads >= 1);
        assert!(table.descendants(info.parent).any(|info| info.identity.pid == own));
        assert!(descendants(info.parent).iter().any(|info| info.identity.pid == own));
        assert!(clock_ticks_per_second() > 0);
    }

    #[test]
    fn nobody_is_below_a_process_that_is_not_there() {
        for pid in [0, -1, i32::MAX] {
            assert_eq!(descendants(pid), []);
        }
        assert_eq!(environment_of(i32::MAX).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(command_line_of(i32::MAX).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}

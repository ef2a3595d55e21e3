//! What the kernel says of processes, so that no test has to take the program's word for it.

use std::collections::BTreeMap;
use std::fs;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use resume_sys::identity::{self, Process};
use resume_sys::tree;

use crate::deadline::Deadline;

/// The end of a process, which can be waited for. To be made while the process is known to live, so that a number that
/// is given again is never mistaken for it.
#[derive(Debug)]
pub struct Ending {
    pid: i32,
    /// None if it had ended already.
    process: Option<Process>,
}

impl Ending {
    /// Holds the process that has this number now.
    #[track_caller]
    pub fn of(pid: i32) -> Self {
        let process = match identity::identify(pid) {
            Ok(identity) => Process::open(&identity).expect("a process can be held"),
            Err(_) => None,
        };
        Self { pid, process }
    }

    /// Whether it has not ended yet. A zombie has.
    pub fn is_alive(&self) -> bool {
        self.process.as_ref().is_some_and(Process::is_alive)
    }

    /// Waits until it has ended.
    #[track_caller]
    pub fn wait(&self) {
        if let Some(process) = &self.process {
            Deadline::new(format!("the end of process {}", self.pid)).wait(&[process.as_fd()]);
        }
    }

    /// Sends it a signal; one that has ended takes it without a word.
    #[track_caller]
    pub fn signal(&self, signal: i32) {
        if let Some(process) = &self.process {
            process.signal(signal).expect("our own process takes a signal");
        }
    }
}

/// Sends a signal to the process that has this number now, which must live.
#[track_caller]
pub fn signal(pid: i32, number: i32) {
    let ending = Ending::of(pid);
    assert!(ending.is_alive(), "process {pid} is gone already");
    ending.signal(number);
}

/// A look at one process through `/proc`.
#[derive(Clone, Debug)]
pub struct Look {
    /// Its number.
    pub pid: i32,
    /// Its environment.
    pub environment: BTreeMap<String, String>,
    /// Its open descriptors, and what each is.
    pub descriptors: BTreeMap<i32, PathBuf>,
    /// The lines of `/proc/PID/status`, by their names.
    pub status: BTreeMap<String, String>,
    /// Its working directory.
    pub cwd: PathBuf,
}

impl Look {
    /// Looks at a process that lives and is ours.
    #[track_caller]
    pub fn at(pid: i32) -> Self {
        let folder = PathBuf::from(format!("/proc/{pid}"));
        let alive = |what: &str| format!("process {pid} lives and shows its {what}");
        let environment = tree::environment_of(pid).unwrap_or_else(|_| panic!("{}", alive("environment")));
        let status = fs::read_to_string(folder.join("status")).unwrap_or_else(|_| panic!("{}", alive("status")));
        let entries = fs::read_dir(folder.join("fd")).unwrap_or_else(|_| panic!("{}", alive("descriptors")));
        let descriptor = |entry: fs::DirEntry| {
            let number = entry.file_name().to_str()?.parse().ok()?;
            Some((number, fs::read_link(entry.path()).ok()?))
        };
        Self {
            pid,
            environment: variables(&environment),
            descriptors: entries.filter_map(Result::ok).filter_map(descriptor).collect(),
            status: status.lines().filter_map(|line| line.split_once(':')).map(trimmed).collect(),
            cwd: fs::read_link(folder.join("cwd")).unwrap_or_else(|_| panic!("{}", alive("working directory"))),
        }
    }

    /// A set of signals out of its status, such as `SigIgn`, bit N-1 for signal N.
    #[track_caller]
    pub fn signals(&self, set: &str) -> u64 {
        u64::from_str_radix(&self.status[set], 16).expect("the kernel writes hexadecimal numbers")
    }

    /// The number of its session.
    #[track_caller]
    pub fn session(&self) -> i32 {
        // The last of these is the innermost name space's, which is ours.
        let session = self.status["NSsid"].split_whitespace().next_back();
        session.and_then(|session| session.parse().ok()).expect("the kernel writes numbers")
    }
}

fn variables(environment: &[u8]) -> BTreeMap<String, String> {
    let entries = environment.split(|byte| *byte == 0).map(String::from_utf8_lossy);
    entries.filter_map(|entry| entry.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned()))).collect()
}

fn trimmed((key, value): (&str, &str)) -> (String, String) {
    (key.to_owned(), value.trim().to_owned())
}

/// The living children of a process.
pub fn children_of(pid: i32) -> Vec<i32> {
    let all = tree::descendants(pid).into_iter();
    all.filter(|process| process.parent == pid).map(|process| process.identity.pid).collect()
}

/// The living processes whose environment has an entry that starts with `prefix`, with their command lines.
///
/// Supervisors come first: whoever ends them all must end those first, or they bring others back.
pub fn find_by_environment(prefix: &Path) -> Vec<(i32, String)> {
    let prefix = prefix.as_os_str().as_bytes();
    let entries = fs::read_dir("/proc").expect("`/proc` is mounted");
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    let marked = |pid: &i32| {
        let environment = tree::environment_of(*pid).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|entry| entry.starts_with(prefix))
    };
    let described = |pid: i32| {
        let words = tree::command_line_of(pid).unwrap_or_default();
        (pid, words.iter().map(|word| String::from_utf8_lossy(word)).collect::<Vec<_>>().join(" "))
    };
    let mut found: Vec<_> = pids.filter(marked).map(described).collect();
    found.sort_by_key(|(pid, command)| (!is_supervisor(command), *pid));
    found
}

pub(crate) fn is_supervisor(command: &str) -> bool {
    command.split(' ').nth(1) == Some("--supervise")
}

/// A process id as the kernel has it.
pub(crate) fn number(pid: u32) -> i32 {
    i32::try_from(pid).expect("a process id is positive")
}

//! Processes of `resume` that outlived what started them: the demo and the tests must leave none.
//!
//! Every process of ours, and every program that we supervise, has `RESUME_HOME` in its environment, so whatever runs for
//! the homes below a folder can be found. See [`crate::scratch`] for the folder.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::run;

/// How long a process that has been told to leave may take to be gone.
const PATIENCE: Duration = Duration::from_secs(10);
/// The pause between two looks: the end of a stranger's process is announced to nobody.
const PAUSE: Duration = Duration::from_millis(50);

/// A process with a home below the folder that was asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Leftover {
    pub(crate) pid: u32,
    pub(crate) command: String,
}

/// The processes whose `RESUME_HOME` lies in `folder`, in the order of their numbers.
///
/// Zombies have no environment any more and are not among them. Neither is a process in the middle of its exec: who
/// wants to be sure looks twice.
pub(crate) fn below(folder: &Path) -> Vec<Leftover> {
    let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
    let mut found: Vec<Leftover> = processes
        .filter_map(Result::ok)
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| {
            fs::read(format!("/proc/{pid}/environ"))
                .is_ok_and(|environ| has_home_below(&environ, folder.as_os_str().as_bytes()))
        })
        .map(|pid| Leftover { pid, command: command(pid) })
        .collect();
    found.sort_by_key(|leftover| leftover.pid);
    found
}

/// The same; only what two looks agree on is nothing.
fn below_for_sure(folder: &Path) -> Vec<Leftover> {
    let found = below(folder);
    if !found.is_empty() {
        return found;
    }
    std::thread::sleep(PAUSE);
    below(folder)
}

/// Waits until no process has its home in `folder`; fails with a list of them if some stay.
pub(crate) fn wait_for_none(folder: &Path) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let left = below_for_sure(folder);
        if left.is_empty() {
            return Ok(());
        }
        if Instant::now() >= deadline {
            let lines: Vec<String> =
                left.iter().map(|leftover| format!("  {} {}", leftover.pid, leftover.command)).collect();
            bail!("processes are left over:\n{}", lines.join("\n"));
        }
        std::thread::sleep(PAUSE);
    }
}

/// Kills what is left below `folder`: for a chore that failed half-way, in a folder of its own.
///
/// A supervisor may be about to start the next run, so it looks again until nothing is left, or gives up.
pub(crate) fn kill(folder: &Path) {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        let left = below_for_sure(folder);
        if left.is_empty() {
            return;
        }
        for leftover in left {
            run::succeeds(Command::new("sh").args(["-c", &format!("kill -9 {}", leftover.pid)]));
        }
        std::thread::sleep(PAUSE);
    }
}

fn has_home_below(environ: &[u8], folder: &[u8]) -> bool {
    environ
        .split(|byte| *byte == 0)
        .filter_map(|variable| variable.strip_prefix(b"RESUME_HOME="))
        .filter_map(|home| home.strip_prefix(folder))
        .any(|rest| rest.is_empty() || rest.starts_with(b"/"))
}

fn command(pid: u32) -> String {
    let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&words).replace('\0', " ").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::process::Stdio;

    use super::*;

    #[test]
    fn a_home_is_below_a_folder_only_at_a_whole_name() {
        let environ = b"PATH=/bin\0RESUME_HOME=/tmp/demo/home\0";
        assert!(has_home_below(environ, b"/tmp"));
        assert!(has_home_below(environ, b"/tmp/demo/home"));
        assert!(!has_home_below(environ, b"/tmp/dem"));
        assert!(!has_home_below(environ, b"/var/tmp"));
        assert!(!has_home_below(b"PATH=/bin\0", b"/tmp"));
    }

    #[test]
    fn a_process_with_a_home_below_the_folder_is_found_and_killed() {
        let folder = std::env::temp_dir().join(format!("resume-leftovers-{}", std::process::id()));
        let mut child = Command::new("cat")
            .env("RESUME_HOME", folder.join("home"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // Its environment can be read only once its exec is over: when it answers.
        child.stdin.as_mut().unwrap().write_all(b"?").unwrap();
        child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        assert_eq!(below(&folder), [Leftover { pid: child.id(), command: "cat".into() }]);
        kill(&folder);
        assert!(!child.wait().unwrap().success());
        wait_for_none(&folder).unwrap();
    }
}

//! Whether the kernel killed a process for want of memory.
//!
//! Two things tell: the kernel's log, which names the process but which often only root may read, and the counter of
//! kills in our own control group, which names nobody. Where neither can be read, nothing is known.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::time::Duration;

/// How far the log's clock, which nobody corrects, may have run away.
const CLOCK_DRIFT: Duration = Duration::from_mins(1);
/// How many messages of the kernel's log are looked at, the latest of them.
const MAX_MESSAGES: usize = 100_000;

/// Whether the kernel's log says that the process `pid` was killed for want of memory at `since` (the time since boot) or
/// later; `None` if the log may not be read.
pub fn log_says_killed(pid: i32, since: Duration) -> Option<bool> {
    let mut log = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open("/dev/kmsg").ok()?;
    // A message longer than this is refused (EINVAL), so it is as large as any can be.
    let mut message = [0; 8192];
    let mut seen = false;
    for _ in 0..MAX_MESSAGES {
        match log.read(&mut message) {
            Ok(0) => break,
            Ok(length) => {
                seen = true;
                if names(&message[..length], pid, since) {
                    return Some(true);
                }
            }
            // Messages were overwritten while we read: the next read goes on behind the gap.
            Err(error) if error.raw_os_error() == Some(libc::EPIPE) => {}
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    seen.then_some(false)
}

/// Whether a message of `/dev/kmsg` (`PRIORITY,NUMBER,MICROSECONDS,FLAGS;TEXT`) says so.
fn names(message: &[u8], pid: i32, since: Duration) -> bool {
    let message = String::from_utf8_lossy(message);
    let Some((head, text)) = message.split_once(';') else { return false };
    let micros = head.split(',').nth(2).and_then(|field| field.parse().ok()).unwrap_or(0);
    let victim = text.split_once("Killed process ").map(|(_, rest)| rest);
    let named = victim.and_then(|rest| rest.split(|c: char| !c.is_ascii_digit()).next()?.parse::<i32>().ok());
    let recent = Duration::from_micros(micros) + crate::clock::suspended() + CLOCK_DRIFT >= since;
    named == Some(pid) && recent
}

/// How many processes of our own control group the kernel has killed for want of memory; `None` if that is not told.
pub fn kills_in_own_group() -> Option<u64> {
    let groups = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    groups.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':');
        let (_, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
        let file = match controllers {
            "" => format!("/sys/fs/cgroup{path}/memory.events"),
            "memory" => format!("/sys/fs/cgroup/memory{path}/memory.oom_control"),
            _ => return None,
        };
        let mut text = String::new();
        File::open(file).ok()?.read_to_string(&mut text).ok()?;
        text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.parse().ok())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_names_its_victim() {
        let message =
            b"6,1183,9000000,-;Memory cgroup out of memory: Killed process 4711 (node) total-vm:1kB\n SUBSYSTEM=x\n";
        assert!(names(message, 4711, Duration::from_secs(9)));
        assert!(!names(message, 471, Duration::from_secs(9)));
        assert!(!names(message, 4711, Duration::from_secs(1_000_000)), "an earlier process of this number");
        assert!(!names(b"6,1,2,-;Killed process ", 1, Duration::ZERO));
        assert!(!names(b"garbage", 1, Duration::ZERO));
    }
}

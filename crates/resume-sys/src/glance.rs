//! A quick look at one process that is not ours.

use std::io;

use crate::procfs::read_stat;

/// What one read of /proc/PID/stat tells about a process: no more than what is needed to know it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Glance {
    /// When it was started, in clock ticks since boot; with the pid, its identity within this boot.
    pub start_ticks: u64,
    /// Its parent's pid; 0 if that is outside of our pid namespace.
    pub parent: i32,
    /// Whether it has not ended. A zombie has, but not one whose first thread alone has ended.
    pub alive: bool,
}

/// Looks at the process that has the number `pid` now. The kind of the error is `NotFound` if nobody has.
pub fn glance(pid: i32) -> io::Result<Glance> {
    let stat = read_stat(pid)?;
    // The letters of proc(5): zombie, and dead in two spellings.
    let alive = !matches!(stat.state, b'Z' | b'X' | b'x') || stat.threads > 1;
    Ok(Glance { start_ticks: stat.start_ticks, parent: stat.parent, alive })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn we_are_alive_and_have_the_parent_that_we_have() {
        let own = i32::try_from(std::process::id()).unwrap();
        let glance = glance(own).unwrap();
        assert!(glance.alive && glance.start_ticks > 0);
        assert_eq!(u32::try_from(glance.parent).unwrap(), std::os::unix::process::parent_id());
    }

    #[test]
    fn nobody_has_a_number_that_is_none() {
        assert_eq!(glance(i32::MAX).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}

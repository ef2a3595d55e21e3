//! Giving up being root.

use std::ffi::CString;
use std::io;
use std::process::{Command, Stdio};

use crate::errno::check;

/// Becomes the user `uid`, with the groups of its account, for good: real, effective and saved ids of every thread
/// (setgroups(2), setgid(2), setuid(2)).
///
/// Only root can. A user that no account is known for gets no group but its own number, and an error of reading
/// /etc/passwd is returned before anything has changed. It may start `getent` and `id`, so it is for the CLI.
pub fn become_user(uid: u32) -> io::Result<()> {
    let (gid, groups) = groups_of(uid)?;
    // SAFETY: `groups` is a live array of as many ids as the length says.
    check(unsafe { libc::setgroups(groups.len(), groups.as_ptr()) })?;
    // SAFETY: no memory is handed over.
    check(unsafe { libc::setgid(gid) })?;
    // SAFETY: no memory is handed over.
    check(unsafe { libc::setuid(uid) })?;
    // SAFETY: no memory is handed over.
    if uid != 0 && unsafe { libc::setuid(0) } == 0 {
        return Err(io::Error::other("the rights of root could not be given up"));
    }
    Ok(())
}

/// The primary group of an account, and all its groups.
fn groups_of(uid: u32) -> io::Result<(u32, Vec<u32>)> {
    let passwd = match std::fs::read("/etc/passwd") {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        other => other?,
    };
    let account = account_in(&passwd, uid).or_else(|| account_in(&ask("getent", &["passwd", &uid.to_string()])?, uid));
    let Some((name, gid)) = account else { return Ok((uid, vec![uid])) };
    let listed = ask("id", &["-G", "--", &name]).unwrap_or_default();
    let listed = String::from_utf8_lossy(&listed);
    let mut groups: Vec<u32> = listed.split_ascii_whitespace().filter_map(|group| group.parse().ok()).collect();
    if !groups.contains(&gid) {
        groups.push(gid);
    }
    Ok((gid, groups))
}

/// What a program prints, if it ends well.
fn ask(program: &str, arguments: &[&str]) -> Option<Vec<u8>> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then_some(output.stdout)
}

/// The name and primary group of `uid` in text as passwd(5) has it.
fn account_in(passwd: &[u8], uid: u32) -> Option<(String, u32)> {
    passwd.split(|&byte| byte == b'\n').find_map(|line| {
        let fields: Vec<&str> = str::from_utf8(line).ok()?.split(':').collect();
        let [name, _, number, gid, ..] = fields[..] else { return None };
        let usable = !name.is_empty() && CString::new(name).is_ok();
        (usable && number.parse() == Ok(uid)).then_some((name.to_owned(), gid.parse().ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_primary_group_stands_behind_the_uid() {
        let passwd = b"root:x:0:0::/root:/bin/sh\nbroken\n:x:5:5\nweb:x:33:1033:web,,,:/var/www:/bin/sh\n";
        assert_eq!(account_in(passwd, 33), Some(("web".to_owned(), 1033)));
        assert_eq!(account_in(passwd, 0), Some(("root".to_owned(), 0)));
        assert_eq!(account_in(passwd, 5), None);
        assert_eq!(account_in(passwd, 7), None);
    }

    #[test]
    fn a_user_without_an_account_has_no_group_of_anyone_else() {
        assert_eq!(groups_of(4_000_000_123).unwrap(), (4_000_000_123, vec![4_000_000_123]));
    }
}

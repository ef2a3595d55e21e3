//! Who we are, and where that account lives.
//!
//! A statically linked glibc has no name service switch, so accounts are read from /etc/passwd and, where they come from
//! elsewhere (LDAP, systemd-homed), asked from the `getent` program.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// The uid that our accesses are judged by (geteuid(2)).
pub fn effective_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// The home directory of the account `uid`, or `None` if nobody knows such an account.
///
/// It may start a process and wait for it, so it is for the CLI, not for a supervisor. An error is one of reading /etc/passwd.
pub fn home_of(uid: u32) -> io::Result<Option<PathBuf>> {
    let passwd = match std::fs::read("/etc/passwd") {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        other => other?,
    };
    Ok(home_in(&passwd, uid).or_else(|| {
        let uid_text = uid.to_string();
        let answer = Command::new("getent")
            .args(["passwd", &uid_text])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output()
            // Where there is no `getent` there is nobody else to ask.
            .ok()?;
        home_in(&answer.stdout, uid)
    }))
}

/// The home directory of `uid` in text as passwd(5) has it.
fn home_in(passwd: &[u8], uid: u32) -> Option<PathBuf> {
    passwd.split(|&byte| byte == b'\n').find_map(|line| {
        let mut fields = line.split(|&byte| byte == b':');
        let number = str::from_utf8(fields.nth(2)?).ok()?;
        let home = fields.nth(2)?;
        (number.parse() == Ok(uid) && home.starts_with(b"/")).then(|| PathBuf::from(OsStr::from_bytes(home)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_home_is_the_sixth_field_of_the_line_with_the_uid() {
        let passwd = b"root:x:0:0:root:/root:/bin/sh\n# 7:7:7\n\nbroken:x\nodd:x:1000:1000:::/bin/sh\nx:x:7:7:X,,,:/home/\xffx:\n";
        assert_eq!(home_in(passwd, 0), Some(PathBuf::from("/root")));
        assert_eq!(home_in(passwd, 7), Some(PathBuf::from(OsStr::from_bytes(b"/home/\xffx"))));
        assert_eq!(home_in(passwd, 1000), None, "an account without a home has none");
        assert_eq!(home_in(passwd, 8), None);
        assert_eq!(home_in(b"", 0), None);
    }

    #[test]
    fn an_account_that_nobody_knows_has_no_home() {
        assert_eq!(home_of(4_000_000_123).unwrap(), None);
    }

    #[test]
    fn the_effective_uid_is_the_owner_of_what_we_make() {
        use std::os::unix::fs::MetadataExt;
        let file = tempfile::NamedTempFile::new().unwrap();
        assert_eq!(file.as_file().metadata().unwrap().uid(), effective_uid());
    }
}

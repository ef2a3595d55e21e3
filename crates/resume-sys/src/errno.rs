//! Error numbers as people read them.

use std::io;

/// The kernel's text for `errno`, in the grammar of our messages: lower case, no final period, no number.
pub fn describe(errno: i32) -> String {
    let text = io::Error::from_raw_os_error(errno).to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut letters = text.chars();
    match (letters.next(), letters.clone().next()) {
        // `RFS specific error` begins with a name, which keeps its capitals.
        (Some(first), Some(second)) if second.is_lowercase() => first.to_lowercase().chain(letters).collect(),
        _ => text.to_owned(),
    }
}

/// Whether the same call may succeed later with nothing changed by anyone: a shortage, or a program that is being written.
pub fn is_transient(errno: i32) -> bool {
    matches!(errno, libc::EAGAIN | libc::ENOMEM | libc::EMFILE | libc::ENFILE | libc::ETXTBSY)
}

/// Turns the -1 of a C function into the error that `errno` names.
pub(crate) fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_lower_case_and_has_no_number() {
        assert_eq!(describe(libc::ENOENT), "no such file or directory");
        assert_eq!(describe(libc::EACCES), "permission denied");
        assert_eq!(describe(libc::ERFKILL), "operation not possible due to RF-kill");
        assert!(describe(99_999).starts_with("unknown error"));
    }
}

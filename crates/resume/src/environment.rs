//! The environment that a program is given.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use resume_core::os_text::OsText;

use crate::args::ServiceOptions;
use crate::env_file;
use crate::error::{CliError, Result};

/// Variables that were meant for the shell's own parent, not for a program that runs beyond it.
const LEFT_OUT: [&[u8]; 3] = [b"NOTIFY_SOCKET", b"RESUME_SERVICE", b"RESUME_INSTANCE"];
/// And those that begin with one of these.
const LEFT_OUT_PREFIXES: [&[u8]; 2] = [b"WATCHDOG_", b"LISTEN_"];

/// Names and values, in the order in which the names came first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Environment(Vec<(OsString, OsString)>);

impl Environment {
    /// That of this process, less what a program must not inherit.
    pub(crate) fn of_caller() -> Self {
        Self::of(std::env::vars_os())
    }

    fn of(variables: impl Iterator<Item = (OsString, OsString)>) -> Self {
        Self(variables.filter(|(name, _)| is_inherited(name)).collect())
    }

    /// The caller's, then the files in their order, then the options.
    pub(crate) fn for_service(options: &ServiceOptions) -> Result<Self> {
        let mut environment = Self::of_caller();
        for path in &options.env_file {
            for (name, value) in env_file::read(path)? {
                environment.set(name.into(), value);
            }
        }
        for variable in &options.env {
            let (name, value) = split(variable)?;
            environment.set(name, value);
        }
        Ok(environment)
    }

    fn set(&mut self, name: OsString, value: OsString) {
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => *known = value,
            None => self.0.push((name, value)),
        }
    }

    /// The value of a variable.
    pub(crate) fn get(&self, name: &str) -> Option<&OsStr> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_os_str())
    }

    /// As it stands in a spec.
    pub(crate) fn into_texts(self) -> Vec<OsText> {
        let text = |(name, value): (OsString, OsString)| {
            let mut text = name.into_vec();
            text.push(b'=');
            text.extend_from_slice(value.as_bytes());
            OsString::from_vec(text).into()
        };
        self.0.into_iter().map(text).collect()
    }
}

fn is_inherited(name: &OsStr) -> bool {
    let name = name.as_bytes();
    !LEFT_OUT.contains(&name) && !LEFT_OUT_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Splits `NAME=VALUE`.
fn split(variable: &OsStr) -> Result<(OsString, OsString)> {
    let bytes = variable.as_bytes();
    match bytes.iter().position(|byte| *byte == b'=') {
        Some(end) if end > 0 => {
            let (name, value) = (&bytes[..end], &bytes[end + 1..]);
            Ok((OsStr::from_bytes(name).to_owned(), OsStr::from_bytes(value).to_owned()))
        }
        Some(_) | None => {
            Err(CliError::usage(format!("`--env {}`: expected `NAME=VALUE`", variable.to_string_lossy())))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(environment: Environment) -> Vec<String> {
        environment.into_texts().iter().map(OsText::to_string_lossy).collect()
    }

    fn of(variables: &[(&str, &str)]) -> Environment {
        Environment::of(variables.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))))
    }

    #[test]
    fn what_was_meant_for_our_own_parent_is_left_out() {
        let environment = of(&[
            ("HOME", "/h"),
            ("NOTIFY_SOCKET", "x"),
            ("WATCHDOG_USEC", "x"),
            ("LISTEN_FDS", "x"),
            ("RESUME_SERVICE", "x"),
            ("RESUME_INSTANCE", "x"),
            ("RESUME_SERVICES", "kept"),
        ]);
        assert_eq!(texts(environment), ["HOME=/h", "RESUME_SERVICES=kept"]);
    }

    #[test]
    fn options_come_over_files_and_files_over_the_caller() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("env");
        std::fs::write(&file, "A=file\nB=file\n").unwrap();
        let options = ServiceOptions { env: vec!["B=option=1".into()], env_file: vec![file], ..Default::default() };
        let environment = Environment::for_service(&options).unwrap();
        assert_eq!(environment.get("A"), Some("file".as_ref()));
        assert_eq!(environment.get("B"), Some("option=1".as_ref()));
        assert_eq!(environment.get("PATH"), std::env::var_os("PATH").as_deref());
    }

    #[test]
    fn a_variable_needs_a_name_and_may_be_empty_or_no_text() {
        assert_eq!(split("A=".as_ref()).unwrap(), ("A".into(), OsString::new()));
        assert_eq!(split(OsStr::from_bytes(b"A=\xff")).unwrap().1.as_bytes(), b"\xff");
        for wrong in ["A", "=x", ""] {
            assert!(split(wrong.as_ref()).unwrap_err().message.ends_with("expected `NAME=VALUE`"));
        }
    }
}

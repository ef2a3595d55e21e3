//! What the person wants of a service, as it stands in `spec.json`.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::name::ServiceName;
use crate::os_text::OsText;
use crate::signal::Signal;
use crate::units;

/// The version of the file's format that this program writes.
pub const VERSION: u32 = 1;
/// The largest number of instances of one service.
pub const MAX_INSTANCES: u32 = 1000;

/// The validated description of a service.
///
/// Readers ignore fields they do not know; a field that is missing has its default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spec {
    /// The format's version.
    pub version: u32,
    /// The service's name, the same as that of its directory.
    pub name: ServiceName,
    /// Whether the person wants it up.
    pub desired: Desired,
    /// The program and its arguments, as they were typed. Never empty.
    pub command: Vec<OsText>,
    /// The words before the command, where it cannot run by itself: `node`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub interpreter: Vec<OsText>,
    /// Where it runs; absolute.
    pub cwd: OsText,
    /// Its whole environment, `NAME=VALUE` each.
    pub environment: Vec<OsText>,
    /// Which permissions the files that it makes do not get, as umask(2) has it.
    #[serde(default = "usual_umask", serialize_with = "write_octal", deserialize_with = "read_octal")]
    pub umask: u32,
    /// The group that `@GROUP` selects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Whether it was last taken up by `resume run`: a boot does not start it again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub foreground: bool,
    /// How many copies run.
    #[serde(default = "one")]
    pub instances: u32,
    /// When to start it again.
    #[serde(default)]
    pub restart: RestartPolicy,
    /// How to end it.
    #[serde(default)]
    pub stop: StopPolicy,
    /// What to keep of its output.
    #[serde(default)]
    pub log: LogPolicy,
}

/// Whether a service should run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Desired {
    /// It should.
    Up,
    /// It should not.
    Down,
}

/// After which ends a run is followed by another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RestartOn {
    /// After each.
    Always,
    /// After a code that is no success code, or a signal.
    OnFailure,
    /// After none.
    Never,
}

/// When to start a service again after its run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RestartPolicy {
    /// After which ends.
    pub on: RestartOn,
    /// The codes that are no failure.
    pub success_codes: Vec<u8>,
    /// How many short runs in a row are restarted; 0: any number.
    pub max_restarts: u32,
    /// A run that is shorter is a short run.
    #[serde(serialize_with = "write_duration", deserialize_with = "read_duration")]
    pub min_uptime: Duration,
    /// The pause after the first short run.
    #[serde(serialize_with = "write_duration", deserialize_with = "read_duration")]
    pub backoff_min: Duration,
    /// The longest pause.
    #[serde(serialize_with = "write_duration", deserialize_with = "read_duration")]
    pub backoff_max: Duration,
}

impl Default for RestartPolicy {
    fn default() -> Self {
        Self {
            on: RestartOn::Always,
            success_codes: vec![0],
            max_restarts: 16,
            min_uptime: Duration::from_secs(1),
            backoff_min: Duration::from_millis(100),
            backoff_max: Duration::from_secs(30),
        }
    }
}

/// How to end a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StopPolicy {
    /// The signal that asks it to end.
    pub signal: Signal,
    /// How long it has before it is killed.
    #[serde(serialize_with = "write_duration", deserialize_with = "read_duration")]
    pub timeout: Duration,
}

impl Default for StopPolicy {
    fn default() -> Self {
        Self { signal: Signal::TERM, timeout: Duration::from_secs(10) }
    }
}

/// What to keep of the output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LogPolicy {
    /// The bytes to keep at the most.
    pub max_size: u64,
}

impl Default for LogPolicy {
    fn default() -> Self {
        Self { max_size: 64 << 20 }
    }
}

/// Why a text is no spec.
#[derive(Debug, thiserror::Error)]
pub enum InvalidSpec {
    /// It is no JSON of the right shape.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// A newer `resume` wrote it.
    #[error("it has format version {0}, this program reads up to {VERSION}")]
    Version(u32),
    /// A value that cannot be.
    #[error("{0}")]
    Value(&'static str),
}

impl Spec {
    /// Reads the text of a `spec.json`.
    pub fn parse(text: &[u8]) -> Result<Self, InvalidSpec> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        let Versioned { version } = serde_json::from_slice(text)?;
        if version > VERSION {
            return Err(InvalidSpec::Version(version));
        }
        let spec: Self = serde_json::from_slice(text)?;
        spec.validate()?;
        Ok(spec)
    }

    /// Checks what the types alone do not hold.
    pub fn validate(&self) -> Result<(), InvalidSpec> {
        let problem = if self.command.is_empty() {
            "`command` is empty"
        } else if !self.cwd.as_path().is_absolute() {
            "`cwd` is not absolute"
        } else if !(1..=MAX_INSTANCES).contains(&self.instances) {
            "`instances` is not in 1 to 1000"
        } else if self.restart.backoff_min > self.restart.backoff_max {
            "`backoff_min` is longer than `backoff_max`"
        } else {
            return Ok(());
        };
        Err(InvalidSpec::Value(problem))
    }

    /// The text for `spec.json`.
    pub fn to_json(&self) -> Vec<u8> {
        let mut text = serde_json::to_vec_pretty(self).expect("a spec has only string keys and finite numbers");
        text.push(b'\n');
        text
    }

    /// What is executed: the interpreter, if any, then the command.
    pub fn argv(&self) -> impl Iterator<Item = &OsText> {
        self.interpreter.iter().chain(&self.command)
    }
}

fn one() -> u32 {
    1
}

fn usual_umask() -> u32 {
    0o022
}

// `&u32` is what serde passes.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn write_octal<S: Serializer>(mode: &u32, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format!("{mode:04o}"))
}

fn read_octal<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let text = String::deserialize(deserializer)?;
    let mode = u32::from_str_radix(&text, 8).ok().filter(|mode| *mode <= 0o777);
    mode.ok_or_else(|| serde::de::Error::custom(format_args!("`{text}` is no umask, expected octal digits up to 0777")))
}

fn write_duration<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&units::format_duration(*duration))
}

fn read_duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    units::parse_duration(&text).map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: &str =
        r#"{"version":1,"name":"web","desired":"up","command":["node","a.js"],"cwd":"/","environment":[]}"#;

    #[test]
    fn a_missing_field_has_its_default_and_an_unknown_one_is_ignored() {
        let text = LEAST.replace("\"cwd\"", "\"later\":{},\"cwd\"");
        let spec = Spec::parse(text.as_bytes()).unwrap();
        assert_eq!(spec.restart, RestartPolicy::default());
        assert_eq!(spec.stop.signal, Signal::TERM);
        assert_eq!((spec.instances, spec.umask, spec.log.max_size), (1, 0o022, 64 << 20));
    }

    #[test]
    fn a_spec_reads_back_as_it_was_written() {
        let mut spec = Spec::parse(LEAST.as_bytes()).unwrap();
        spec.restart.min_uptime = Duration::from_millis(1_500);
        spec.group = Some("g".into());
        spec.umask = 0o007;
        assert_eq!(Spec::parse(&spec.to_json()).unwrap(), spec);
    }

    #[test]
    fn what_is_no_spec_is_refused_by_name() {
        for (change, with, says) in [
            ("\"version\":1", "\"version\":2", "format version 2"),
            ("[\"node\",\"a.js\"]", "[]", "`command` is empty"),
            ("\"/\"", "\".\"", "`cwd` is not absolute"),
            ("\"web\"", "\"a/b\"", "not '/'"),
            ("\"up\"", "\"up\",\"instances\":0", "`instances`"),
            ("\"up\"", "\"up\",\"stop\":{\"signal\":\"NOPE\"}", "unknown signal"),
            ("\"up\"", "\"up\",\"umask\":\"0888\"", "no umask"),
            ("{\"version\"", "\"version\"", "expected"),
        ] {
            let text = LEAST.replace(change, with);
            let error = Spec::parse(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}

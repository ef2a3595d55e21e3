//! What the messages of the socket carry: parameters and answers, field by field as in
//! `docs/dev.resume.Supervisor.varlink`.

use serde::{Deserialize, Serialize};

use crate::event_record::EventRecord;
use crate::os_text::OsText;
use crate::signal::Signal;
use crate::status::Status;

/// Of `GetInterfaceDescription`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DescriptionParameters {
    /// The interface's name.
    pub interface: String,
}

/// Of `Start`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StartParameters {
    /// Which instances; all if none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instances: Option<Vec<u32>>,
    /// Whether to answer only once they are running.
    #[serde(deserialize_with = "null_as_default")]
    pub wait: bool,
    /// Whether to forget the service if it cannot be spawned.
    #[serde(deserialize_with = "null_as_default")]
    pub fresh: bool,
}

/// Of `Stop`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StopParameters {
    /// Which instances; all if none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instances: Option<Vec<u32>>,
    /// Whether to kill at once.
    #[serde(deserialize_with = "null_as_default")]
    pub now: bool,
}

/// Of `Restart`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RestartParameters {
    /// Which instances; all if none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instances: Option<Vec<u32>>,
    /// Whether to answer only once they are running.
    #[serde(deserialize_with = "null_as_default")]
    pub wait: bool,
    /// The environment from now on, `NAME=VALUE` each.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<Vec<OsText>>,
}

/// Of `Delete`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DeleteParameters {
    /// Whether to leave the log.
    #[serde(deserialize_with = "null_as_default")]
    pub keep_logs: bool,
}

/// Of `Signal`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignalParameters {
    /// Its name, as in `SIGHUP`.
    pub signal: Signal,
    /// Which instances; all if none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instances: Option<Vec<u32>>,
    /// Whether to send it to the whole tree, not to the main process alone.
    #[serde(default, deserialize_with = "null_as_default")]
    pub tree: bool,
}

/// Of `Reset`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ResetParameters {
    /// Which instances; all if none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instances: Option<Vec<u32>>,
}

/// Of `Events`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EventsParameters {
    /// Only those with a higher number; only those to come, if none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<u64>,
}

/// Of `Launch`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaunchParameters {
    /// The home, absolute.
    pub home: OsText,
    /// The directory of the service, absolute.
    pub directory: OsText,
}

/// The answer to `Status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusReply {
    /// The service's status.
    pub status: Status,
}

/// An instance that is up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    /// Its number.
    pub index: u32,
    /// Its main process.
    pub pid: Option<i32>,
}

/// The answer to `Start` and `Restart`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartReply {
    /// The instances asked for.
    pub instances: Vec<Started>,
}

/// A process that had to be killed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Killed {
    /// Its number.
    pub pid: i32,
    /// The name the kernel has for it, at most 15 bytes.
    pub name: String,
}

/// The answer to `Stop` and `Delete`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopReply {
    /// What did not end in time.
    pub killed: Vec<Killed>,
}

/// The answer to `Signal`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignalReply {
    /// How many processes it was sent to.
    pub sent: usize,
}

/// One of the answers to `Events`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventsReply {
    /// The event.
    pub event: EventRecord,
}

/// The answer to a method that has nothing to say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {}

/// The answer to `Launch`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaunchReply {
    /// The new supervisor's.
    pub pid: i32,
}

/// Of [`crate::wire::CallError::SpawnFailed`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpawnFailed {
    /// The instance.
    pub instance: u32,
    /// What failed.
    #[serde(flatten)]
    pub error: crate::exit::SpawnError,
}

impl std::fmt::Display for SpawnFailed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.error.fmt(f)
    }
}

/// Of [`crate::wire::CallError::StartFailed`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartFailed {
    /// The instance.
    pub instance: u32,
    /// The run that ended.
    pub run: u64,
    /// What the instance is now.
    pub state: String,
    /// The exit code, if it left with one.
    pub code: Option<u8>,
    /// The signal that ended it, if one did.
    pub signal: Option<String>,
    /// The short word of the contract.
    pub reason: String,
    /// The short runs in a row, this one among them.
    pub short_runs: u32,
    /// How many of them are restarted.
    pub max_restarts: u32,
    /// Why it gave up, if it did.
    pub failure: Option<String>,
}

/// Varlink clients may send null for what they leave out.
fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

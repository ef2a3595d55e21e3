//! What is true of a service: the document that its supervisor writes to `state.json` and answers to `Status`.

use serde::{Deserialize, Serialize};

use crate::name::ServiceName;
use crate::os_text::OsText;
use crate::spec::Desired;
use crate::time::Timestamp;

/// The version of the document that this program writes.
pub const VERSION: u32 = 1;

/// The state of an instance or service; see the contract's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StateWord {
    // In the order of the contract, the least well first: a service's state is the least of its instances'.
    /// It gave up.
    Failed,
    /// Its supervisor is gone and not back yet. Seen only from outside, never written by a supervisor.
    Lost,
    /// It waits to restart.
    Backoff,
    /// It was asked to end, or what its main process left behind is being ended.
    Stopping,
    /// It is spawned, not yet ready.
    Starting,
    /// It is up.
    Running,
    /// It ended by itself and the policy leaves it.
    Exited,
    /// A person stopped it.
    Stopped,
}

impl StateWord {
    /// The word itself.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Lost => "lost",
            Self::Backoff => "backoff",
            Self::Stopping => "stopping",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Exited => "exited",
            Self::Stopped => "stopped",
        }
    }

    /// Whether nothing runs and nothing will by itself.
    pub fn is_down(self) -> bool {
        matches!(self, Self::Failed | Self::Exited | Self::Stopped)
    }
}

/// A process beyond doubt: no other process of this machine has had or will have all three.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessIdentity {
    /// Its number.
    pub pid: i32,
    /// Field 22 of `/proc/PID/stat`: clock ticks from boot to its start.
    pub start_ticks: u64,
    /// `/proc/sys/kernel/random/boot_id`.
    pub boot_id: String,
}

/// The status of one service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The format's version.
    pub version: u32,
    /// The service's name.
    pub name: ServiceName,
    /// What the person wants.
    pub desired: Desired,
    /// What is executed.
    pub command: Vec<OsText>,
    /// Where.
    pub cwd: OsText,
    /// The service's group.
    pub group: Option<String>,
    /// The version of the program that supervises it.
    pub resume_version: String,
    /// The process that supervises it, or did last.
    pub supervisor: ProcessIdentity,
    /// Each instance, in the order of their numbers.
    pub instances: Vec<InstanceStatus>,
    /// What the supervisor could not do, latest last; bounded.
    #[serde(default)]
    pub warnings: Vec<String>,
}

/// The status of one instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceStatus {
    /// Its number, from 0.
    pub index: u32,
    /// Its state.
    pub state: StateWord,
    /// What the person wants of it.
    pub desired: Desired,
    /// Its main process while that lives.
    pub process: Option<ProcessIdentity>,
    /// When the present run began, if there is one.
    pub started_at: Option<Timestamp>,
    /// When the restart is due, in `backoff`.
    pub restart_at: Option<Timestamp>,
    /// The number of the present or last run; 0 before the first.
    pub run: u64,
    /// The automatic restarts since a person last started it.
    pub restarts: u64,
    /// The short runs in a row.
    pub short_runs: u32,
    /// How the last run ended.
    pub last_exit: Option<LastExit>,
    /// Why it gave up, in `failed`.
    pub failure: Option<String>,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastExit {
    /// When.
    pub at: Timestamp,
    /// The exit code, if it left with one.
    pub code: Option<u8>,
    /// The signal that ended it, if one did.
    pub signal: Option<String>,
    /// The short word of the contract.
    pub reason: String,
    /// The number of the run.
    pub run: u64,
    /// How long the run lasted, in milliseconds.
    pub uptime_ms: u64,
}

/// Why a text is no status.
#[derive(Debug, thiserror::Error)]
pub enum InvalidStatus {
    /// It is no JSON of the right shape: torn, or never ours.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// A newer `resume` wrote it.
    #[error("it has format version {0}, this program reads up to {VERSION}")]
    Version(u32),
}

impl Status {
    /// Reads the text of a `state.json`.
    pub fn parse(text: &[u8]) -> Result<Self, InvalidStatus> {
        let status: Self = serde_json::from_slice(text)?;
        if status.version > VERSION {
            return Err(InvalidStatus::Version(status.version));
        }
        Ok(status)
    }

    /// The state of the service: the least well of its instances'.
    pub fn state(&self) -> StateWord {
        let states = self.instances.iter().map(|instance| instance.state);
        states.min().unwrap_or(StateWord::Stopped)
    }
}

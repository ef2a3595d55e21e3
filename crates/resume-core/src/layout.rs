//! Where things are: the names inside a home and inside a service's directory.
//!
//! ```text
//! HOME/services/NAME/   spec.json  state.json  lock  control.sock  events.jsonl  log/  0.stdout  0.stderr …
//! ```

use std::path::{Path, PathBuf};

use crate::name::ServiceName;

/// The folder of a home that holds a directory for each service.
pub const SERVICES: &str = "services";
/// What the person wants; see [`crate::spec`].
pub const SPEC: &str = "spec.json";
/// What is true; see [`crate::status`].
pub const STATE: &str = "state.json";
/// Locked by the one process that may write here.
pub const LOCK: &str = "lock";
/// Where the supervisor listens.
pub const SOCKET: &str = "control.sock";
/// The folder of the log's segments and indexes.
pub const LOG: &str = "log";

/// The history of the service; see [`crate::event_record`].
pub const EVENTS: &str = "events.jsonl";
/// The part of the history before that.
pub const EVENTS_OLD: &str = "events.old.jsonl";

/// The two streams that a program writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Descriptor 1.
    Stdout,
    /// Descriptor 2.
    Stderr,
}

impl Stream {
    /// Both, in the order of their descriptors.
    pub const ALL: [Self; 2] = [Self::Stdout, Self::Stderr];

    /// Its word in the contract.
    pub fn word(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

/// The directory of one service.
pub fn service_dir(home: &Path, name: &ServiceName) -> PathBuf {
    home.join(SERVICES).join(name.as_str())
}

/// The name of the FIFO that takes one stream of one instance, inside the service's directory.
pub fn fifo(instance: u32, stream: Stream) -> String {
    format!("{instance}.{}", stream.word())
}

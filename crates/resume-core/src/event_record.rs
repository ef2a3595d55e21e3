//! The history of a service: one JSON object a line, for each change of state and each end of a run.
//!
//! The lines stand in `events.jsonl` in the service's directory and, once that is full, in `events.old.jsonl`; `resume events`
//! prints them as they are, `resume why` reads the ends among them. Each has a number one higher than the one before, so
//! that a reader can go on where it stopped.

use serde::{Deserialize, Serialize};

use crate::name::ServiceName;
use crate::status::StateWord;
use crate::time::Timestamp;

/// The version of the lines that this program writes.
pub const VERSION: u32 = 1;

/// One line. Readers ignore fields and kinds that they do not know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventRecord {
    /// The format's version.
    pub version: u32,
    /// The number of the event among the service's, from 1.
    pub seq: u64,
    /// When.
    pub time: Timestamp,
    /// The service.
    pub service: ServiceName,
    /// The instance.
    pub instance: u32,
    /// The run: the present one or the last.
    pub run: u64,
    /// What happened.
    #[serde(flatten)]
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub enum What {
    /// The state of the instance has changed.
    State {
        /// To this.
        state: StateWord,
        /// Its main process, if it lives.
        pid: Option<i32>,
        /// What more there is to say: when it restarts, why it gave up.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        detail: Option<String>,
    },
    /// A run has ended.
    Ended {
        /// The exit code, if it left with one.
        code: Option<u8>,
        /// The signal that ended it, if one did.
        signal: Option<String>,
        /// The short word of the contract.
        reason: String,
        /// How long the run lasted, in milliseconds.
        uptime_ms: u64,
        /// The largest resident size that its main process, or one that it waited for, ever had.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        peak_memory_bytes: Option<u64>,
        /// Why it could not be spawned, if it could not.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        detail: Option<String>,
    },
    /// An event of a later version.
    #[serde(other)]
    Unknown,
}

impl EventRecord {
    /// Reads one line; `None` for one that is torn, or of a version that this program does not know.
    pub fn parse(line: &[u8]) -> Option<Self> {
        let record: Self = serde_json::from_slice(line).ok()?;
        (record.version <= VERSION).then_some(record)
    }

    /// The line, with its line feed.
    pub fn to_line(&self) -> Vec<u8> {
        let mut line = serde_json::to_vec(self).expect("an event has only string keys and finite numbers");
        line.push(b'\n');
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_reads_back_and_a_torn_or_newer_one_is_passed_over() {
        let record = EventRecord {
            version: VERSION,
            seq: 7,
            time: Timestamp::from_micros(1),
            service: ServiceName::new("web").unwrap(),
            instance: 0,
            run: 3,
            what: What::Ended {
                code: Some(1),
                signal: None,
                reason: "exit".into(),
                uptime_ms: 12,
                peak_memory_bytes: None,
                detail: None,
            },
        };
        let line = record.to_line();
        assert_eq!(EventRecord::parse(&line), Some(record));
        for end in 0..line.len() - 1 {
            assert_eq!(EventRecord::parse(&line[..end]), None);
        }
        let newer = String::from_utf8(line).unwrap().replace("\"version\":1", "\"version\":2");
        assert_eq!(EventRecord::parse(newer.as_bytes()), None);
    }

    #[test]
    fn a_kind_that_is_not_known_is_still_an_event() {
        let line = br#"{"version":1,"seq":1,"time":"2026-11-22T15:04:05.000000Z","service":"web","instance":0,"run":1,"event":"later","x":1}"#;
        assert_eq!(EventRecord::parse(line).unwrap().what, What::Unknown);
    }
}

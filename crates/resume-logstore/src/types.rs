//! The words that writer and readers share.

use std::time::Duration;

use resume_core::layout::Stream;
use resume_core::time::Timestamp;

/// A moment by both clocks: the wall's, which records carry, and the one that only goes forward, for deadlines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Microseconds since 1970 UTC.
    pub wall_micros: u64,
    /// The time since boot, suspended time included (`CLOCK_BOOTTIME`).
    pub boottime: Duration,
}

impl Moment {
    /// Asks both clocks.
    pub fn now() -> Self {
        Self { wall_micros: resume_sys::clock::wall_micros(), boottime: resume_sys::clock::boottime() }
    }
}

/// Where bytes come from: one stream of one run of one instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// The number of the instance.
    pub instance: u32,
    /// The number of the run, from 1.
    pub run: u64,
    /// Which descriptor of the program.
    pub stream: Stream,
}

/// The stream of a record, in the contract's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordStream {
    /// The program's standard output.
    Stdout,
    /// The program's standard error.
    Stderr,
    /// The supervisor's own account.
    Resume,
    /// The program's bytes, but what the index knew of them is lost.
    Unknown,
}

impl RecordStream {
    /// Its word on the screen and in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
            Self::Resume => "resume",
            Self::Unknown => "unknown",
        }
    }
}

impl From<Stream> for RecordStream {
    fn from(stream: Stream) -> Self {
        match stream {
            Stream::Stdout => Self::Stdout,
            Stream::Stderr => Self::Stderr,
        }
    }
}

/// One log entry: a line, or a line with the lines that belong to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// When its first bytes were captured; none if that is lost.
    pub time: Option<Timestamp>,
    /// Where it stands among others by time: `time`, or the best that is known where there is none.
    pub order: Timestamp,
    /// The instance; none if it concerns the whole service, or is lost.
    pub instance: Option<u32>,
    /// The run; none if it concerns no run, or is lost.
    pub run: Option<u64>,
    /// Which stream it came by.
    pub stream: RecordStream,
    /// Its bytes, without the final newline.
    pub text: Vec<u8>,
    /// Whether a final newline followed `text` (false for a line that is not finished, and in the stream `resume`).
    pub newline: bool,
    /// Whether it is not whole: cut at 1 MiB, torn by a crash, or its end was dropped.
    pub truncated: bool,
    /// Whether it is closed; one that is not may still grow.
    pub complete: bool,
    /// Its number among the program's records, from 0 for the first since the log began. In the stream `resume`: the
    /// number of the program's record that comes next.
    pub number: u64,
}

/// Which records are asked for; what is none lets everything through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only this stream.
    pub stream: Option<RecordStream>,
    /// Only this instance.
    pub instance: Option<u32>,
    /// Only this run.
    pub run: Option<u64>,
    /// Only what was captured at this moment or later.
    pub since: Option<Timestamp>,
    /// Only what was captured before this moment.
    pub until: Option<Timestamp>,
}

//! The service's log, seen from the supervisor: nothing that it cannot do ends us.

use std::path::Path;
use std::time::Duration;

use resume_core::layout::Stream;
use resume_logstore::{Moment, Retention, Source, Writer};

/// The log of one service.
pub(crate) struct Journal {
    writer: Option<Writer>,
}

impl Journal {
    /// Opens the log, repairing what a kill left half done. Without one, output is read and lost, and the warning says so.
    pub(crate) fn open(dir: &Path, max_size: u64) -> (Self, Option<String>) {
        match Writer::open(dir, Retention { max_bytes: max_size }, Moment::now()) {
            Ok(writer) => (Self { writer: Some(writer) }, None),
            Err(error) => (Self { writer: None }, Some(format!("opening the log: {error}"))),
        }
    }

    /// Adds what a program wrote.
    pub(crate) fn append(&mut self, instance: u32, run: u64, stream: Stream, bytes: &[u8]) {
        if let Some(writer) = &mut self.writer {
            writer.append(Moment::now(), Source { instance, run, stream }, bytes);
        }
    }

    /// Adds a sentence of our own.
    pub(crate) fn note(&mut self, about: Option<(u32, u64)>, text: &str) {
        if let Some(writer) = &mut self.writer {
            writer.note(Moment::now(), about, text);
        }
    }

    /// Closes what a run left open: its last line, its last record.
    pub(crate) fn end_of_run(&mut self, instance: u32, run: u64) {
        if let Some(writer) = &mut self.writer {
            writer.end_of_run(Moment::now(), instance, run);
        }
    }

    /// Writes what is held back, before we leave.
    pub(crate) fn flush(&mut self) {
        if let Some(writer) = &mut self.writer {
            writer.flush(Moment::now());
        }
    }

    /// Empties the log.
    pub(crate) fn clear(&mut self) {
        if let Some(writer) = &mut self.writer {
            writer.clear(Moment::now());
        }
    }

    /// When [`Journal::tick`] wants to be called.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        self.writer.as_ref().and_then(Writer::deadline)
    }

    /// Closes what has been open for long enough.
    pub(crate) fn tick(&mut self) {
        if let Some(writer) = &mut self.writer {
            writer.tick(Moment::now());
        }
    }

    /// Why nothing can be written at present.
    pub(crate) fn problem(&self) -> Option<String> {
        self.writer.as_ref().and_then(Writer::problem)
    }

    /// The highest number of a run of this instance that the log knows.
    pub(crate) fn last_run(&self, instance: u32) -> u64 {
        self.writer.as_ref().and_then(|writer| writer.last_run(instance)).unwrap_or(0)
    }
}

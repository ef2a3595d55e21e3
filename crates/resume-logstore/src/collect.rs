//! Records on their way to whoever asked, and their bytes on theirs.

use std::collections::VecDeque;
use std::io::{self, Write};

use resume_core::time::Timestamp;

use crate::group::{Head, Output};
use crate::{Record, RecordStream};

/// Hands out records in the order in which they began, each once it is closed.
///
/// One that stands within a line for long is handed out when its line ends, so that the others need not wait.
#[derive(Debug, Default)]
pub(crate) struct Collector {
    /// The records from key `first` on.
    waiting: VecDeque<Slot>,
    first: u64,
    parked: Vec<(u64, Record)>,
    ready: VecDeque<Record>,
}

#[derive(Debug)]
enum Slot {
    Open(Record),
    Closed(Record),
    /// It was parked.
    Empty,
}

impl Collector {
    /// The next record, if there is one.
    pub(crate) fn next(&mut self) -> Option<Record> {
        if let Some(record) = self.ready.pop_front() {
            return Some(record);
        }
        while let Some(slot) = self.waiting.front() {
            if matches!(slot, Slot::Open(_)) {
                return None;
            }
            let slot = self.waiting.pop_front();
            self.first += 1;
            if let Some(Slot::Closed(record)) = slot {
                return Some(record);
            }
        }
        None
    }

    /// Hands out what is left, as it stands.
    pub(crate) fn finish(&mut self) {
        self.first += self.waiting.len() as u64;
        for slot in self.waiting.drain(..) {
            match slot {
                Slot::Open(record) => self.ready.push_back(finished(record, false, false)),
                Slot::Closed(record) => self.ready.push_back(record),
                Slot::Empty => {}
            }
        }
        let parked = self.parked.drain(..).map(|(_, record)| finished(record, false, false));
        self.ready.extend(parked);
    }

    fn slot(&mut self, key: u64) -> Option<&mut Slot> {
        let index = usize::try_from(key.checked_sub(self.first)?).ok()?;
        self.waiting.get_mut(index)
    }

    fn is_parked(&self, key: u64) -> Option<usize> {
        self.parked.iter().position(|parked| parked.0 == key)
    }
}

/// Gives a record its final form.
fn finished(mut record: Record, complete: bool, truncated: bool) -> Record {
    record.newline = record.text.pop_if(|last| *last == b'\n').is_some();
    record.complete = complete;
    record.truncated |= truncated;
    record
}

impl Output for Collector {
    fn begin(&mut self, key: u64, head: Head) {
        let record = Record {
            time: head.micros.map(Timestamp::from_micros),
            order: Timestamp::from_micros(head.order),
            instance: head.run.map(|run| run.0),
            run: head.run.map(|run| run.1),
            stream: head.stream,
            text: Vec::new(),
            newline: false,
            truncated: false,
            complete: false,
            number: head.number,
        };
        if self.waiting.is_empty() {
            self.first = key;
        }
        self.waiting.push_back(Slot::Open(record));
    }

    fn text(&mut self, key: u64, text: &[u8]) -> io::Result<()> {
        if let Some(Slot::Open(record)) = self.slot(key) {
            record.text.extend_from_slice(text);
        } else if let Some(at) = self.is_parked(key) {
            self.parked[at].1.text.extend_from_slice(text);
        }
        Ok(())
    }

    fn close(&mut self, key: u64, truncated: bool) {
        if let Some(at) = self.is_parked(key) {
            let (_, record) = self.parked.swap_remove(at);
            self.ready.push_back(finished(record, true, truncated));
        } else if let Some(slot) = self.slot(key)
            && let Slot::Open(record) = std::mem::replace(slot, Slot::Empty)
        {
            *slot = Slot::Closed(finished(record, true, truncated));
        }
    }

    fn park(&mut self, key: u64) {
        if let Some(slot) = self.slot(key)
            && let Slot::Open(record) = std::mem::replace(slot, Slot::Empty)
        {
            self.parked.push((key, record));
        }
    }
}

/// Writes the program's bytes, as they come.
pub(crate) struct Raw<'a> {
    pub(crate) sink: &'a mut dyn Write,
}

impl Output for Raw<'_> {
    fn begin(&mut self, _key: u64, head: Head) {
        debug_assert!(head.stream != RecordStream::Resume, "the account is no part of what the program wrote");
    }

    fn text(&mut self, _key: u64, text: &[u8]) -> io::Result<()> {
        self.sink.write_all(text)
    }

    fn close(&mut self, _key: u64, _truncated: bool) {}

    fn park(&mut self, _key: u64) {}
}

//! The service's history on disk; see `resume_core::event_record`.
//!
//! A line is appended for each event and nothing is synced: it may lose its end in a power cut, and is read over a torn
//! line. It is bounded: a full file becomes the old one, whose place it takes.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use resume_core::event_record::{EventRecord, VERSION, What};
use resume_core::layout;
use resume_core::name::ServiceName;
use resume_core::time::Timestamp;
use resume_sys::clock;

/// The size at which a file is full: more than a thousand events.
const MAX_FILE: u64 = 256 << 10;
/// How much of the end of a file is searched for its last whole line.
const TAIL: u64 = 8 << 10;

/// The writer of the history.
pub(crate) struct History {
    dir: PathBuf,
    file: Option<File>,
    size: u64,
    seq: u64,
    /// Whether the last line may have been written in part.
    torn: bool,
}

impl History {
    /// Goes on where the history ends; one that cannot be written is none, and the warning says so.
    pub(crate) fn open(dir: &Path) -> (Self, Option<String>) {
        let mut history = Self { dir: dir.to_path_buf(), file: None, size: 0, seq: 0, torn: false };
        let warning = history.go_on().err().map(|error| format!("opening `{}`: {error}", layout::EVENTS));
        (history, warning)
    }

    fn go_on(&mut self) -> io::Result<()> {
        let mut file = File::options().read(true).append(true).create(true).open(self.dir.join(layout::EVENTS))?;
        self.size = file.seek(SeekFrom::End(0))?;
        let tail = read_tail(&mut file, self.size)?;
        if !tail.is_empty() && !tail.ends_with(b"\n") {
            file.write_all(b"\n")?;
            self.size += 1;
        }
        self.seq = last_seq(&tail).unwrap_or(0);
        if self.seq == 0
            && let Ok(mut old) = File::open(self.dir.join(layout::EVENTS_OLD))
        {
            let length = old.seek(SeekFrom::End(0))?;
            self.seq = last_seq(&read_tail(&mut old, length)?).unwrap_or(0);
        }
        self.file = Some(file);
        Ok(())
    }

    /// The next event, numbered and dated.
    pub(crate) fn record(&mut self, service: &ServiceName, instance: u32, run: u64, what: What) -> EventRecord {
        self.seq += 1;
        let time = Timestamp::from_micros(clock::wall_micros());
        EventRecord { version: VERSION, seq: self.seq, time, service: service.clone(), instance, run, what }
    }

    /// Hands on the events with a higher number than `since`, in their order, as far as they are kept.
    pub(crate) fn replay(&self, since: u64, mut take: impl FnMut(EventRecord)) {
        for name in [layout::EVENTS_OLD, layout::EVENTS] {
            let Ok(file) = File::open(self.dir.join(name)) else { continue };
            for line in BufReader::new(file).split(b'\n').map_while(Result::ok) {
                if let Some(record) = EventRecord::parse(&line).filter(|record| record.seq > since) {
                    take(record);
                }
            }
        }
    }

    /// Puts an event on disk.
    pub(crate) fn add(&mut self, record: &EventRecord) -> io::Result<()> {
        let line = record.to_line();
        if self.size >= MAX_FILE {
            self.turn()?;
        }
        if let Some(file) = &mut self.file {
            if std::mem::take(&mut self.torn) {
                file.write_all(b"\n").inspect_err(|_| self.torn = true)?;
            }
            file.write_all(&line).inspect_err(|_| self.torn = true)?;
            self.size += line.len() as u64;
        }
        Ok(())
    }

    /// Makes the full file the old one and begins another.
    fn turn(&mut self) -> io::Result<()> {
        match std::fs::rename(self.dir.join(layout::EVENTS), self.dir.join(layout::EVENTS_OLD)) {
            // An earlier attempt came as far as this.
            Err(error) if error.kind() == io::ErrorKind::NotFound => (),
            other => other?,
        }
        let file = File::options().append(true).create(true).open(self.dir.join(layout::EVENTS))?;
        self.file = Some(file);
        self.size = 0;
        Ok(())
    }
}

fn read_tail(file: &mut File, length: u64) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
    let mut tail = Vec::new();
    file.take(TAIL).read_to_end(&mut tail)?;
    Ok(tail)
}

/// The number of the last line that can be read.
fn last_seq(tail: &[u8]) -> Option<u64> {
    tail.rsplit(|byte| *byte == b'\n').find_map(EventRecord::parse).map(|record| record.seq)
}

#[cfg(test)]
mod tests {
    use super::*;
    use resume_core::status::StateWord;

    fn add(history: &mut History) {
        let name = ServiceName::new("web").unwrap();
        let what = What::State { state: StateWord::Running, pid: Some(1), detail: None };
        let record = history.record(&name, 0, 1, what);
        history.add(&record).unwrap();
    }

    fn numbers(dir: &Path) -> Vec<u64> {
        let mut all = Vec::new();
        for name in [layout::EVENTS_OLD, layout::EVENTS] {
            let text = std::fs::read(dir.join(name)).unwrap_or_default();
            all.extend(text.split(|byte| *byte == b'\n').filter_map(EventRecord::parse).map(|record| record.seq));
        }
        all
    }

    #[test]
    fn numbers_go_on_after_a_new_start_and_a_torn_line() {
        let dir = tempfile::tempdir().unwrap();
        let (mut history, None) = History::open(dir.path()) else { panic!() };
        add(&mut history);
        add(&mut history);
        let path = dir.path().join(layout::EVENTS);
        let text = std::fs::read(&path).unwrap();
        std::fs::write(&path, &text[..text.len() - 5]).unwrap();
        add(&mut History::open(dir.path()).0);
        assert_eq!(numbers(dir.path()), [1, 2]);
        add(&mut History::open(dir.path()).0);
        assert_eq!(numbers(dir.path()), [1, 2, 3]);
    }

    #[test]
    fn it_is_bounded_and_keeps_the_latest() {
        let dir = tempfile::tempdir().unwrap();
        let (mut history, _) = History::open(dir.path());
        for _ in 0..5_000 {
            add(&mut history);
        }
        let numbers = numbers(dir.path());
        assert_eq!(*numbers.last().unwrap(), 5_000);
        assert!(numbers.len() > 1_000 && numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]));
        let size = |name| std::fs::metadata(dir.path().join(name)).unwrap().len();
        assert!(size(layout::EVENTS) + size(layout::EVENTS_OLD) < 2 * MAX_FILE + 1_000);
        std::fs::write(dir.path().join(layout::EVENTS), "").unwrap();
        assert!(History::open(dir.path()).0.seq > 1_000);
    }
}

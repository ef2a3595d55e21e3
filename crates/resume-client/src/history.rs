//! Reading the history of a service: what its supervisor put on record, see `resume_core::event_record`.
//!
//! The history stands in two files. A full `events.jsonl` becomes `events.old.jsonl`, whose place it takes, and another
//! is begun. [`read`] takes what is there, at one moment; [`Tail`] goes on from there as it grows. Both pass over lines
//! that are torn, and neither loses nor doubles an event while the files change places.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;

use resume_core::event_record::EventRecord;
use resume_core::layout;
use resume_core::name::ServiceName;
use resume_sys::files;

use crate::services::Services;

/// The most that is read of one file at once: its writer begins another long before.
const MAX_FILE: u64 = 16 << 20;
/// How much of the end of a file is searched for its last whole line.
const TAIL: u64 = 8 << 10;

/// An event, and the line that it stands in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEvent {
    /// What the line says.
    pub record: EventRecord,
    /// The line as it was written, without its line feed.
    pub line: Vec<u8>,
}

/// All events of a service that are kept, in the order of their numbers. A service without a history has none.
pub fn read(services: &Services, name: &ServiceName) -> io::Result<Vec<StoredEvent>> {
    let Some(directory) = services.open(name)? else { return Ok(Vec::new()) };
    // The present file first: should it take the place of the old one meanwhile, some events are met twice. The other
    // way round some would be missed.
    let present = events_of(directory.as_fd(), layout::EVENTS)?;
    let mut events = events_of(directory.as_fd(), layout::EVENTS_OLD)?;
    let last = events.last().map_or(0, |event| event.record.seq);
    let doubled = present.first().is_some_and(|first| events.iter().any(|event| event.line == first.line));
    events.extend(present.into_iter().filter(|event| !doubled || event.record.seq > last));
    Ok(events)
}

fn events_of(directory: BorrowedFd<'_>, name: &str) -> io::Result<Vec<StoredEvent>> {
    let Some(file) = open(directory, name)? else { return Ok(Vec::new()) };
    let mut text = Vec::new();
    file.take(MAX_FILE).read_to_end(&mut text)?;
    Ok(text.split(|byte| *byte == b'\n').filter_map(parse).collect())
}

fn open(directory: BorrowedFd<'_>, name: &str) -> io::Result<Option<File>> {
    match files::open_file(directory, name) {
        Ok(file) => Ok(Some(file.into())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn parse(line: &[u8]) -> Option<StoredEvent> {
    EventRecord::parse(line).map(|record| StoredEvent { record, line: line.to_vec() })
}

/// Which events a [`Tail`] begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// Those to come after the first [`Tail::poll`].
    Now,
    /// Those with a higher number than this, as far as they are kept.
    After(u64),
}

/// The history of one service as it grows.
///
/// It outlives what happens to the files: one that is full and gives way to another, a service that is deleted and made
/// anew under the same name, whose numbers begin at 1 again.
#[derive(Debug)]
pub struct Tail {
    name: ServiceName,
    since: Since,
    /// The directory that the numbers belong to.
    directory: Option<(u64, u64)>,
    /// The file that grows, read up to here.
    file: Option<File>,
    /// The beginning of a line whose end is not there yet.
    torn: Vec<u8>,
    /// The highest number that was told or passed over.
    last: u64,
}

impl Tail {
    /// Begins with the next [`Tail::poll`]; the service need not be there yet.
    pub fn new(name: ServiceName, since: Since) -> Self {
        Self { name, since, directory: None, file: None, torn: Vec::new(), last: 0 }
    }

    /// The service.
    pub fn name(&self) -> &ServiceName {
        &self.name
    }

    /// What is new since the last call, in order. Never waits.
    pub fn poll(&mut self, services: &Services) -> io::Result<Vec<StoredEvent>> {
        let mut events = Vec::new();
        self.read_on(&mut events)?;
        let Some(directory) = services.open(&self.name)? else { return Ok(events) };
        let directory = File::from(directory);
        let identity = identity(&directory)?;
        if self.directory.replace(identity) != Some(identity) {
            self.begin(directory.as_fd())?;
        }
        let Some(present) = open(directory.as_fd(), layout::EVENTS)? else { return Ok(events) };
        if self.file.as_ref().is_some_and(|file| is_same(file, &present)) {
            return Ok(events);
        }
        // What we read has given way to another. To it was added until then, so its rest comes first.
        self.read_on(&mut events)?;
        if let Some(old) = open(directory.as_fd(), layout::EVENTS_OLD)?
            && !self.file.as_ref().is_some_and(|file| is_same(file, &old))
        {
            self.take(old, &mut events)?;
        }
        self.take(present, &mut events)?;
        Ok(events)
    }

    /// Begins with the history in this directory, which is another one than before, or the first.
    fn begin(&mut self, directory: BorrowedFd<'_>) -> io::Result<()> {
        (self.file, self.last) = (None, 0);
        match std::mem::replace(&mut self.since, Since::After(0)) {
            Since::After(seq) => self.last = seq,
            Since::Now => {
                let Some(mut file) = open(directory, layout::EVENTS)? else { return Ok(()) };
                let length = file.seek(SeekFrom::End(0))?;
                let start = length.saturating_sub(TAIL);
                file.seek(SeekFrom::Start(start))?;
                let mut tail = Vec::new();
                file.by_ref().take(length - start).read_to_end(&mut tail)?;
                // A line that is just being written is to come.
                let end = tail.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
                self.torn = tail.split_off(end);
                self.last = tail.rsplit(|byte| *byte == b'\n').find_map(parse).map_or(0, |event| event.record.seq);
                self.file = Some(file);
            }
        }
        Ok(())
    }

    fn take(&mut self, file: File, events: &mut Vec<StoredEvent>) -> io::Result<()> {
        self.file = Some(file);
        self.torn.clear();
        self.read_on(events)
    }

    fn read_on(&mut self, events: &mut Vec<StoredEvent>) -> io::Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        let mut text = std::mem::take(&mut self.torn);
        file.take(MAX_FILE).read_to_end(&mut text)?;
        let end = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        self.torn = text.split_off(end);
        for event in text.split(|byte| *byte == b'\n').filter_map(parse) {
            if event.record.seq > self.last {
                self.last = event.record.seq;
                events.push(event);
            }
        }
        Ok(())
    }
}

fn identity(file: &File) -> io::Result<(u64, u64)> {
    let metadata = file.metadata()?;
    Ok((metadata.dev(), metadata.ino()))
}

fn is_same(one: &File, other: &File) -> bool {
    matches!((identity(one), identity(other)), (Ok(one), Ok(other)) if one == other)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;
    use std::path::PathBuf;

    use resume_core::event_record::{VERSION, What};
    use resume_core::status::StateWord;
    use resume_core::time::Timestamp;

    use super::*;
    use crate::home::{Home, Sources};

    /// A home with the directory of a service `web`.
    struct Stage {
        _folder: tempfile::TempDir,
        services: Services,
        directory: PathBuf,
    }

    fn name() -> ServiceName {
        ServiceName::new("web").unwrap()
    }

    fn stage() -> Stage {
        let folder = tempfile::tempdir().unwrap();
        let sources = Sources { option: Some(folder.path().join("home")), ..Sources::default() };
        let services = Home::locate(sources).unwrap().create().unwrap();
        let directory = services.directory(&name());
        fs::create_dir(&directory).unwrap();
        Stage { _folder: folder, services, directory }
    }

    fn line(seq: u64) -> Vec<u8> {
        let what = What::State { state: StateWord::Running, pid: Some(1), detail: None };
        let time = Timestamp::from_micros(seq);
        EventRecord { version: VERSION, seq, time, service: name(), instance: 0, run: 1, what }.to_line()
    }

    impl Stage {
        fn add(&self, bytes: &[u8]) {
            let path = self.directory.join(layout::EVENTS);
            fs::OpenOptions::new().append(true).create(true).open(path).unwrap().write_all(bytes).unwrap();
        }

        fn turn(&self) {
            fs::rename(self.directory.join(layout::EVENTS), self.directory.join(layout::EVENTS_OLD)).unwrap();
        }

        fn read(&self) -> Vec<u64> {
            numbers(read(&self.services, &name()).unwrap())
        }

        fn poll(&self, tail: &mut Tail) -> Vec<u64> {
            numbers(tail.poll(&self.services).unwrap())
        }
    }

    fn numbers(events: Vec<StoredEvent>) -> Vec<u64> {
        events.into_iter().map(|event| event.record.seq).collect()
    }

    #[test]
    fn a_history_is_read_from_both_files_over_torn_lines() {
        let stage = stage();
        assert_eq!(stage.read(), [0; 0]);
        stage.add(&line(1));
        stage.add(&line(2)[..20]);
        stage.add(b"\n");
        stage.add(&line(2));
        stage.turn();
        stage.add(&line(3));
        stage.add(&line(4)[..30]);
        assert_eq!(stage.read(), [1, 2, 3]);
        let events = read(&stage.services, &name()).unwrap();
        assert_eq!([&events[0].line[..], b"\n"].concat(), line(1));
    }

    #[test]
    fn what_is_met_in_both_files_is_told_once() {
        let stage = stage();
        stage.add(&[line(1), line(2)].concat());
        fs::copy(stage.directory.join(layout::EVENTS), stage.directory.join(layout::EVENTS_OLD)).unwrap();
        stage.add(&line(3));
        assert_eq!(stage.read(), [1, 2, 3]);
    }

    #[test]
    fn a_tail_begins_where_it_is_told_to() {
        let stage = stage();
        stage.add(&[line(1), line(2), line(3)].concat());
        let mut from_two = Tail::new(name(), Since::After(1));
        let mut from_now = Tail::new(name(), Since::Now);
        assert_eq!(stage.poll(&mut from_two), [2, 3]);
        assert_eq!(stage.poll(&mut from_now), [0; 0]);
        stage.add(&line(4)[..10]);
        assert_eq!(stage.poll(&mut from_two), [0; 0]);
        stage.add(&line(4)[10..]);
        assert_eq!(stage.poll(&mut from_two), [4]);
        assert_eq!(stage.poll(&mut from_now), [4]);
        assert_eq!(stage.poll(&mut from_now), [0; 0]);
    }

    #[test]
    fn a_line_that_is_half_written_when_a_tail_begins_is_to_come() {
        let stage = stage();
        stage.add(&[line(1), line(2)[..9].to_vec()].concat());
        let mut tail = Tail::new(name(), Since::Now);
        assert_eq!(stage.poll(&mut tail), [0; 0]);
        stage.add(&line(2)[9..]);
        assert_eq!(stage.poll(&mut tail), [2]);
    }

    #[test]
    fn a_tail_goes_on_over_files_that_change_places() {
        let stage = stage();
        stage.add(&line(1));
        let mut tail = Tail::new(name(), Since::After(0));
        assert_eq!(stage.poll(&mut tail), [1]);
        stage.add(&line(2));
        stage.turn();
        assert_eq!(stage.poll(&mut tail), [2], "there is no other file yet");
        stage.add(&line(3));
        assert_eq!(stage.poll(&mut tail), [3]);
        stage.add(&line(4));
        stage.turn();
        stage.add(&line(5));
        stage.turn();
        stage.add(&line(6));
        assert_eq!(stage.poll(&mut tail), [4, 5, 6], "two turns between two looks");
    }

    #[test]
    fn a_service_that_is_made_anew_begins_anew() {
        let stage = stage();
        let mut tail = Tail::new(name(), Since::Now);
        stage.add(&[line(1), line(2)].concat());
        assert_eq!(stage.poll(&mut tail), [0; 0]);
        // Kept aside, so that the new one is sure to have another inode.
        fs::rename(&stage.directory, stage.directory.with_file_name(".gone")).unwrap();
        assert_eq!(stage.poll(&mut tail), [0; 0]);
        fs::create_dir(&stage.directory).unwrap();
        assert_eq!(stage.poll(&mut tail), [0; 0]);
        stage.add(&line(1));
        assert_eq!(stage.poll(&mut tail), [1]);
    }

    #[test]
    fn a_link_in_the_place_of_a_history_is_refused() {
        let stage = stage();
        std::os::unix::fs::symlink("/etc/passwd", stage.directory.join(layout::EVENTS)).unwrap();
        assert!(read(&stage.services, &name()).is_err());
        assert!(Tail::new(name(), Since::Now).poll(&stage.services).is_err());
    }
}

//! One stream of one instance, as the writer sees it: lines that are not finished, and where records start.

use std::time::Duration;

use resume_core::record::{PlainLines, Splitter};

use crate::Source;
use crate::format::{Cause, Marks};

/// How long a line may stand unfinished before it is written as it is, and how long a silence closes a record.
pub(crate) const PATIENCE: Duration = Duration::from_millis(100);
/// The same in the unit of the index. That a silence closes a record is part of the format.
pub(crate) const SILENCE_MICROS: u64 = 100_000;
/// The longest record; what goes on beyond is another one.
pub(crate) const RECORD_LIMIT: usize = 1 << 20;
/// A buffer that grew beyond this is given back.
const KEPT_BUFFER: usize = 4096;

/// Bytes of the held line that wait.
#[derive(Debug, Default)]
struct Held {
    bytes: Vec<u8>,
    /// When the first of them came (since boot).
    since: Duration,
}

/// What the writer knows of one stream of one instance.
#[derive(Debug)]
pub(crate) struct SourceState {
    pub(crate) source: Source,
    splitter: Splitter,
    held: Held,
    /// Whether the last piece that was looked at ended within its line.
    in_line: bool,
    /// The bytes of the open record so far.
    record_len: usize,
    /// Whether what comes belongs to a record that was dropped.
    skipping: bool,
    on_disk: OnDisk,
    /// What could not be written and is not accounted for in the log yet.
    pub(crate) dropped: Dropped,
}

/// What was written of a run.
#[derive(Clone, Copy, Debug, Default)]
struct OnDisk {
    /// The time of the last batch.
    last_micros: u64,
    /// Whether it ended within its line.
    in_line: bool,
    /// Whether there was any.
    any: bool,
}

/// What could not be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Dropped {
    pub(crate) records: u64,
    pub(crate) bytes: u64,
    /// Why the last of it could not.
    pub(crate) cause: Cause,
    /// Whether the beginning of its first record was written.
    pub(crate) torn: bool,
}

impl Default for Dropped {
    fn default() -> Self {
        Self { records: 0, bytes: 0, cause: Cause::Failure, torn: false }
    }
}

impl Dropped {
    pub(crate) fn add(&mut self, records: u64, bytes: u64, cause: Cause) {
        *self = Self { records: self.records + records, bytes: self.bytes + bytes, cause, torn: self.torn };
    }
}

/// What a look at some text found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Scan {
    /// So many bytes at the front belong to a record that was dropped.
    pub(crate) skipped: usize,
    /// So many bytes, those included, were looked at.
    pub(crate) end: usize,
    /// How many records start in them.
    pub(crate) starts: u64,
    /// Whether the first line that is not skipped starts one.
    pub(crate) first_starts: bool,
    /// Whether they end within a line.
    pub(crate) open_line: bool,
}

impl SourceState {
    pub(crate) fn new(source: Source) -> Self {
        Self {
            source,
            splitter: Splitter::default(),
            held: Held::default(),
            in_line: false,
            record_len: 0,
            skipping: false,
            on_disk: OnDisk::default(),
            dropped: Dropped::default(),
        }
    }

    /// A stream that an earlier writer of the log left within a line.
    pub(crate) fn within_a_line(source: Source) -> Self {
        let on_disk = OnDisk { in_line: true, any: true, last_micros: 0 };
        Self { in_line: true, on_disk, ..Self::new(source) }
    }

    /// Begins another run. What the last one left open must have been written.
    pub(crate) fn begin_run(&mut self, run: u64) {
        self.source.run = run;
        self.on_disk.any = false;
        self.close();
    }

    /// Closes the open line and record.
    pub(crate) fn close(&mut self) {
        self.splitter.close();
        self.in_line = false;
        self.on_disk.in_line = false;
        self.skipping = false;
        self.record_len = 0;
    }

    /// An entry of any source has been or will be written at this time, and a long silence ends with it.
    pub(crate) fn close_if_silent(&mut self, micros: u64) {
        if !self.in_line && micros.abs_diff(self.on_disk.last_micros) >= SILENCE_MICROS {
            self.splitter.close();
            self.skipping = false;
        }
    }

    /// A batch was written at this time, and ended within a line or not.
    pub(crate) fn written(&mut self, micros: u64, open_line: bool) {
        self.on_disk = OnDisk { last_micros: micros, in_line: open_line, any: true };
    }

    /// A batch could not be written: neither can the rest of its last record be.
    pub(crate) fn not_written(&mut self, scan: Scan, bytes: u64, cause: Cause) {
        self.dropped.torn |= self.dropped.bytes == 0 && !scan.first_starts;
        self.dropped.add(scan.starts, bytes, cause);
        self.skipping = true;
        self.on_disk.in_line = false;
    }

    /// Whether the last piece that was written ended within its line, which may still go on.
    pub(crate) fn is_in_line_on_disk(&self) -> bool {
        self.on_disk.in_line
    }

    /// Whether anything of this run was written.
    pub(crate) fn wrote(&self) -> bool {
        self.on_disk.any
    }

    /// Keeps the unfinished line's bytes for later.
    pub(crate) fn hold(&mut self, bytes: &[u8], now: Duration) {
        if bytes.is_empty() {
            return;
        }
        if self.held.bytes.is_empty() {
            self.held.since = now;
        }
        self.held.bytes.extend_from_slice(bytes);
    }

    /// How many bytes wait.
    pub(crate) fn held_len(&self) -> usize {
        self.held.bytes.len()
    }

    /// When they have waited for long enough.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        (!self.held.bytes.is_empty()).then(|| self.held.since + PATIENCE)
    }

    /// Takes the bytes that wait; the buffer is given back by [`SourceState::put_back`].
    pub(crate) fn take_held(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.held.bytes)
    }

    /// Keeps a buffer for the next line, unless it is a large one.
    pub(crate) fn put_back(&mut self, mut buffer: Vec<u8>) {
        if buffer.capacity() <= KEPT_BUFFER && self.held.bytes.is_empty() {
            buffer.clear();
            self.held.bytes = buffer;
        }
    }

    /// Looks at text that directly follows what was looked at before, marks its lines and adds them to `scan`.
    ///
    /// Returns whether it came to the end of the text. It ends before where a record reaches its limit, or the marks are
    /// full; the batch then ends there, and the rest of the text is looked at in the next.
    pub(crate) fn scan(&mut self, text: &[u8], scan: &mut Scan, marks: &mut Marks) -> bool {
        let mut from = 0;
        if self.in_line && !text.is_empty() {
            // The rest of a line that was begun before: the splitter has seen its beginning.
            from = memchr::memchr(b'\n', text).map_or(text.len(), |at| at + 1);
            let within_batch = scan.end > 0;
            if within_batch && self.record_len >= RECORD_LIMIT {
                // A record starts here, and a batch can say so only of its beginning and of what follows a newline.
                return false;
            }
            if !self.piece(&text[..from], false, within_batch, scan, marks) {
                return false;
            }
        }
        while from < text.len() {
            if marks.is_full() {
                return false;
            }
            let plain = self.splitter.plain_lines(&text[from..]);
            if plain.count > 0 {
                self.plain_lines(plain, scan, marks);
                from += plain.bytes;
            }
            let rest = &text[from..];
            let line = &rest[..memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1)];
            if !line.is_empty() {
                from += line.len();
                let starts = self.splitter.line(line);
                if !self.piece(line, starts, false, scan, marks) {
                    return false;
                }
            }
        }
        true
    }

    /// Takes whole lines that each start a record into the batch; none of them comes near the limit of a record.
    fn plain_lines(&mut self, plain: PlainLines, scan: &mut Scan, marks: &mut Marks) {
        self.skipping = false;
        self.record_len = plain.last;
        scan.first_starts |= scan.end == scan.skipped;
        scan.open_line = false;
        scan.starts += plain.count as u64;
        scan.end += plain.bytes;
        marks.push(true, plain.count as u64);
    }

    /// Takes a line, or a part of one, into the batch; `marked` says that the batch has a mark for it, because it has its
    /// beginning. Returns false if the limit of a record cut it.
    #[inline]
    fn piece(&mut self, piece: &[u8], starts: bool, marked: bool, scan: &mut Scan, marks: &mut Marks) -> bool {
        let starts = starts || self.record_len >= RECORD_LIMIT;
        if starts {
            self.record_len = 0;
            self.skipping = false;
        }
        let length = piece.len().min(RECORD_LIMIT - self.record_len);
        self.record_len += length;
        self.in_line = length < piece.len() || piece.last() != Some(&b'\n');
        scan.open_line = self.in_line;
        if self.skipping {
            scan.skipped += length;
        } else {
            scan.first_starts |= starts && scan.end == scan.skipped;
            scan.starts += u64::from(starts);
            if !marked {
                marks.push(starts, 1);
            }
        }
        scan.end += length;
        length == piece.len()
    }
}

//! The bytes of an index: a header, then entries that are only ever added. `docs/log-format.md` is this page for a
//! stranger.
//!
//! ```text
//! header   magic (8)  version u16  header length u16  check u16  zero u16  segment u64  first record u64  base time u64
//! entry    head u8  body length varint  body  check u16
//! ```
//!
//! Times, sources and record numbers are kept as differences from entry to entry, in a [`Chain`]. All of this is total:
//! whatever the bytes are, decoding ends in an entry, in [`Decoded::Incomplete`] or in [`Decoded::Corrupt`].

use resume_core::layout::Stream;

use crate::Source;

/// How an index begins. The first byte is no text, so that `grep` takes the file for what it is.
pub(crate) const MAGIC: [u8; 8] = *b"\x93RSMIDX\n";
/// The version of what follows the magic.
pub(crate) const VERSION: u16 = 1;
/// The length of the header that we write.
pub(crate) const HEADER_LEN: usize = 40;
/// The most bytes of an entry's body. A writer stays far below; beyond it, a length is taken for damage.
const MAX_BODY: u64 = 64 << 10;
/// The longest text of a note; what is longer is cut.
pub(crate) const MAX_NOTE: usize = 4096;

const BATCH: u8 = 1;
const NOTE: u8 = 2;
const DROPPED: u8 = 3;
const OPENED: u8 = 4;
const END: u8 = 5;
const KIND: u8 = 0x0f;
/// The stream is stderr.
const STDERR: u8 = 0x10;
/// The entry names its instance and run; else they are those of the entry before that had any.
const SOURCE: u8 = 0x20;
/// The entry is about no instance.
const NOBODY: u8 = 0x40;
/// The batch ends within a line.
const OPEN_LINE: u8 = 0x80;
/// What was dropped begins with the end of a record.
const TORN: u8 = 0x80;

/// The header of an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// The segment's number.
    pub(crate) segment: u64,
    /// The number of the first record that starts in it.
    pub(crate) first_record: u64,
    /// What the time of the first entry is the difference to: when the segment was begun.
    pub(crate) base_micros: u64,
}

impl Header {
    pub(crate) fn encode(&self) -> [u8; HEADER_LEN] {
        let mut bytes = [0; HEADER_LEN];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..10].copy_from_slice(&VERSION.to_le_bytes());
        bytes[10..12].copy_from_slice(&(u16::try_from(HEADER_LEN).unwrap_or(0)).to_le_bytes());
        bytes[16..24].copy_from_slice(&self.segment.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.first_record.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.base_micros.to_le_bytes());
        let check = header_check(&bytes);
        bytes[12..14].copy_from_slice(&check.to_le_bytes());
        bytes
    }

    /// Reads a header and its length, which a later version may have made greater.
    pub(crate) fn decode(bytes: &[u8]) -> Decoded<(Self, usize)> {
        let Some(fixed) = bytes.first_chunk::<HEADER_LEN>() else {
            return if MAGIC.starts_with(&bytes[..bytes.len().min(8)]) {
                Decoded::Incomplete
            } else {
                Decoded::Corrupt
            };
        };
        let number = |at: usize| fixed[at..at + 8].iter().rev().fold(0, |n, byte| n << 8 | u64::from(*byte));
        let length = usize::from(u16::from_le_bytes([fixed[10], fixed[11]]));
        if fixed[..8] != MAGIC || fixed[8..10] != VERSION.to_le_bytes() || length < HEADER_LEN {
            return Decoded::Corrupt;
        }
        let Some(whole) = bytes.get(..length) else { return Decoded::Incomplete };
        if fixed[12..14] != header_check(whole).to_le_bytes() {
            return Decoded::Corrupt;
        }
        let header = Self { segment: number(16), first_record: number(24), base_micros: number(32) };
        Decoded::Whole((header, length))
    }
}

/// The check of a header: over all of it but the check's own two bytes.
fn header_check(bytes: &[u8]) -> u16 {
    crc(crc(CRC_START, &bytes[..12]), &bytes[14..])
}

/// What became of an attempt to read something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Decoded<T> {
    /// It is there.
    Whole(T),
    /// It may be there once there are more bytes.
    Incomplete,
    /// It will never be there.
    Corrupt,
}

/// What entries are written as differences to. It moves on with each entry that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Chain {
    micros: u64,
    instance: u32,
    run: u64,
}

impl Chain {
    /// The state before the first entry of a segment.
    pub(crate) fn new(header: &Header) -> Self {
        Self { micros: header.base_micros, instance: 0, run: 0 }
    }
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// When it was written, in microseconds since 1970.
    pub(crate) micros: u64,
    pub(crate) kind: Kind,
}

/// What an entry says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// So many bytes of text come from this source.
    Batch(Batch),
    /// A line of the supervisor's own account.
    Note { about: Option<(u32, u64)>, text: String },
    /// Records that are missing here because they could not be written; notes where there is no source. `torn` says that they begin with the end of a record whose beginning was written.
    Dropped { source: Option<Source>, records: u64, bytes: u64, cause: Cause, torn: bool },
    /// A writer was opened, or the segment begun; with what was known by then.
    Opened { runs: Vec<Known> },
    /// All output of this run has been written; what is open is closed.
    End { instance: u32, run: u64 },
    /// A later version wrote something that can be passed over.
    Unknown,
}

/// What is known of an instance when a segment begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) instance: u32,
    /// Its highest run so far.
    pub(crate) run: u64,
    /// Whether the text of its stdout, and of its stderr, ends within a line.
    pub(crate) in_line: [bool; 2],
}

/// Some of the program's bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Batch {
    pub(crate) source: Source,
    /// How many bytes of the text it owns.
    pub(crate) length: u64,
    /// How many records start in it.
    pub(crate) starts: u64,
    /// Whether it ends within a line.
    pub(crate) open_line: bool,
    pub(crate) marks: Marks,
}

/// Why records were dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The disk, or the quota, is full.
    NoSpace,
    /// The file system failed or is read-only.
    Failure,
    /// There were more than the rate limit allows.
    RateLimit,
    /// A later version knows.
    Other(u8),
}

impl Cause {
    fn code(self) -> u8 {
        match self {
            Self::NoSpace => 1,
            Self::Failure => 2,
            Self::RateLimit => 3,
            Self::Other(code) => code,
        }
    }

    fn from_code(code: u8) -> Self {
        match code {
            1 => Self::NoSpace,
            2 => Self::Failure,
            3 => Self::RateLimit,
            code => Self::Other(code),
        }
    }

    /// In words for a person.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::NoSpace => "no space left on the device",
            Self::Failure => "the file system failed",
            Self::RateLimit => "more than the rate limit allows",
            Self::Other(_) => "unknown reason",
        }
    }
}

/// Which lines of a batch start a record: numbers of lines that start one and of lines that continue one, in turn. The
/// last number is left out, so that a batch in which every line starts a record has no marks at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    counts: Vec<u8>,
    /// While marks are made: the kind of the run that is being counted, and its length so far.
    continues: bool,
    length: u64,
}

/// At so many bytes of marks a writer ends its batch, so that no entry grows large.
const FULL_MARKS: usize = 512;

impl Marks {
    /// Adds so many lines that all start a record, or all continue one. For a writer.
    #[inline]
    pub(crate) fn push(&mut self, starts: bool, lines: u64) {
        if starts == self.continues {
            put(&mut self.counts, self.length);
            self.continues = !self.continues;
            self.length = 0;
        }
        self.length += lines;
    }

    /// Whether the batch had better end here.
    pub(crate) fn is_full(&self) -> bool {
        self.counts.len() >= FULL_MARKS
    }

    /// Makes them ready for the next batch.
    pub(crate) fn clear(&mut self) {
        self.counts.clear();
        self.continues = false;
        self.length = 0;
    }

    /// Whether each of the lines, in order, starts a record; without end. For a reader.
    pub(crate) fn read(&self) -> MarkReader<'_> {
        let mut reader = MarkReader { counts: &self.counts, starts: true, left: 0 };
        reader.left = reader.count();
        reader
    }
}

/// Goes through [`Marks`].
#[derive(Debug)]
pub(crate) struct MarkReader<'a> {
    counts: &'a [u8],
    starts: bool,
    left: u64,
}

impl MarkReader<'_> {
    fn count(&mut self) -> u64 {
        take(&mut self.counts).unwrap_or(u64::MAX)
    }

    /// Whether the next line starts a record.
    pub(crate) fn next(&mut self) -> bool {
        while self.left == 0 {
            self.starts = !self.starts;
            self.left = self.count();
        }
        self.left -= 1;
        self.starts
    }
}

/// Adds an entry to `out`. `offset` is where in the index it will stand.
pub(crate) fn encode(entry: &Entry, offset: u64, chain: &mut Chain, out: &mut Vec<u8>) {
    let start = out.len();
    let mut body = Body { head: 0, chain, bytes: Vec::with_capacity(24) };
    body.time(entry.micros);
    match &entry.kind {
        Kind::Batch(batch) => {
            body.head = BATCH | if batch.open_line { OPEN_LINE } else { 0 };
            body.source(batch.source);
            put(&mut body.bytes, batch.length);
            put(&mut body.bytes, batch.starts);
            body.bytes.extend_from_slice(&batch.marks.counts);
        }
        Kind::Note { about, text } => {
            body.head = NOTE;
            match about {
                Some((instance, run)) => body.run(*instance, *run),
                None => body.head |= NOBODY,
            }
            body.bytes.extend_from_slice(text.as_bytes());
        }
        Kind::Dropped { source, records, bytes, cause, torn } => {
            body.head = DROPPED | if *torn { TORN } else { 0 };
            match source {
                Some(source) => body.source(*source),
                None => body.head |= NOBODY,
            }
            put(&mut body.bytes, *records);
            put(&mut body.bytes, *bytes);
            body.bytes.push(cause.code());
        }
        Kind::Opened { runs } => {
            body.head = OPENED;
            for known in runs {
                let [out, err] = known.in_line.map(u64::from);
                put(&mut body.bytes, u64::from(known.instance) << 2 | err << 1 | out);
                put(&mut body.bytes, known.run);
            }
        }
        Kind::End { instance, run } => {
            body.head = END;
            body.run(*instance, *run);
        }
        Kind::Unknown => return,
    }
    let Body { head, bytes, .. } = body;
    out.push(head);
    put(out, bytes.len() as u64);
    out.extend_from_slice(&bytes);
    let check = entry_check(offset, &out[start..]);
    out.extend_from_slice(&check.to_le_bytes());
}

struct Body<'a> {
    head: u8,
    chain: &'a mut Chain,
    bytes: Vec<u8>,
}

impl Body<'_> {
    fn time(&mut self, micros: u64) {
        let difference = micros.wrapping_sub(self.chain.micros).cast_signed();
        put(&mut self.bytes, ((difference << 1) ^ (difference >> 63)).cast_unsigned());
        self.chain.micros = micros;
    }

    fn run(&mut self, instance: u32, run: u64) {
        if (instance, run) != (self.chain.instance, self.chain.run) {
            self.head |= SOURCE;
            put(&mut self.bytes, u64::from(instance));
            put(&mut self.bytes, run);
            (self.chain.instance, self.chain.run) = (instance, run);
        }
    }

    fn source(&mut self, source: Source) {
        self.head |= match source.stream {
            Stream::Stdout => 0,
            Stream::Stderr => STDERR,
        };
        self.run(source.instance, source.run);
    }
}

/// Reads the entry that stands at the start of `bytes` and at `offset` of its index: the entry, its length, and the
/// chain after it.
pub(crate) fn decode(bytes: &[u8], offset: u64, chain: Chain) -> Decoded<(Entry, usize, Chain)> {
    let Some((&head, mut rest)) = bytes.split_first() else { return Decoded::Incomplete };
    if head & KIND == 0 {
        return Decoded::Corrupt;
    }
    let Some(length) = take(&mut rest) else {
        return if rest.len() < LONGEST_VARINT { Decoded::Incomplete } else { Decoded::Corrupt };
    };
    if length > MAX_BODY {
        return Decoded::Corrupt;
    }
    let Some((body, rest)) = usize::try_from(length).ok().and_then(|length| rest.split_at_checked(length)) else {
        return Decoded::Incomplete;
    };
    let Some((check, rest)) = rest.split_first_chunk::<2>() else { return Decoded::Incomplete };
    let total = bytes.len() - rest.len();
    if u16::from_le_bytes(*check) != entry_check(offset, &bytes[..total - 2]) {
        return Decoded::Corrupt;
    }
    let mut after = chain;
    match decode_body(head, body, &mut after) {
        Some(entry) => {
            // What we do not know must not move what we know.
            let chain = if entry.kind == Kind::Unknown { chain } else { after };
            Decoded::Whole((entry, total, chain))
        }
        None => Decoded::Corrupt,
    }
}

fn decode_body(head: u8, mut body: &[u8], chain: &mut Chain) -> Option<Entry> {
    if !matches!(head & KIND, BATCH..=END) {
        return Some(Entry { micros: chain.micros, kind: Kind::Unknown });
    }
    let difference = take(&mut body)?;
    let difference = (difference >> 1).cast_signed() ^ -((difference & 1).cast_signed());
    chain.micros = chain.micros.wrapping_add_signed(difference);
    if head & SOURCE != 0 {
        chain.instance = u32::try_from(take(&mut body)?).ok()?;
        chain.run = take(&mut body)?;
    }
    let run = (head & NOBODY == 0).then_some((chain.instance, chain.run));
    let stream = if head & STDERR == 0 { Stream::Stdout } else { Stream::Stderr };
    let source = run.map(|(instance, run)| Source { instance, run, stream });
    let kind = match head & KIND {
        BATCH => {
            let (length, starts) = (take(&mut body)?, take(&mut body)?);
            let marks = Marks { counts: body.to_vec(), ..Marks::default() };
            Kind::Batch(Batch { source: source?, length, starts, open_line: head & OPEN_LINE != 0, marks })
        }
        NOTE => Kind::Note { about: run, text: String::from_utf8_lossy(body).into_owned() },
        DROPPED => {
            let (records, bytes) = (take(&mut body)?, take(&mut body)?);
            let (cause, torn) = (Cause::from_code(*body.first()?), head & TORN != 0);
            Kind::Dropped { source, records, bytes, cause, torn }
        }
        END => run.map(|(instance, run)| Kind::End { instance, run })?,
        OPENED => {
            let mut runs = Vec::new();
            while !body.is_empty() {
                let (first, run) = (take(&mut body)?, take(&mut body)?);
                let in_line = [first & 1 != 0, first & 2 != 0];
                runs.push(Known { instance: u32::try_from(first >> 2).ok()?, run, in_line });
            }
            Kind::Opened { runs }
        }
        _later => Kind::Unknown,
    };
    Some(Entry { micros: chain.micros, kind })
}

const LONGEST_VARINT: usize = 10;

/// Adds a number in base 128, lowest digit first; each byte but the last has its high bit set.
fn put(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push((number & 0x7f) as u8);
}

/// Takes such a number off the front; leaves `bytes` alone if there is none.
fn take(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for (index, byte) in bytes.iter().enumerate().take(LONGEST_VARINT) {
        let digit = u64::from(byte & 0x7f);
        if index == LONGEST_VARINT - 1 && digit > 1 {
            return None;
        }
        number |= digit << (7 * index);
        if byte & 0x80 == 0 {
            *bytes = &bytes[index + 1..];
            return Some(number);
        }
    }
    None
}

/// The check of an entry: over its place in the index, its head, its length and its body.
fn entry_check(offset: u64, bytes: &[u8]) -> u16 {
    crc(crc(CRC_START, &offset.to_le_bytes()), bytes)
}

const CRC_START: u16 = 0xffff;

/// What four zero bits do to the remainders that begin with these four bits, in CRC-16/IBM-3740 (polynomial 0x1021).
const CRC_STEPS: [u16; 16] = {
    let mut steps = [0; 16];
    let mut high = 0;
    while high < 16 {
        let mut remainder = high << 12;
        let mut bit = 0;
        while bit < 4 {
            remainder = (remainder << 1) ^ if remainder & 0x8000 == 0 { 0 } else { 0x1021 };
            bit += 1;
        }
        steps[high as usize] = remainder;
        high += 1;
    }
    steps
};

fn crc(start: u16, bytes: &[u8]) -> u16 {
    let step = |crc: u16, four: u8| (crc << 4) ^ CRC_STEPS[usize::from(crc >> 12 ^ u16::from(four))];
    bytes.iter().fold(start, |crc, byte| step(step(crc, byte >> 4), byte & 0x0f))
}

#[cfg(test)]
#[path = "format_tests.rs"]
pub(crate) mod tests;

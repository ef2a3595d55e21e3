//! Reading an index from its beginning, also while it is being written.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};

use crate::format::{Chain, Decoded, Entry, Header, decode};

/// How much is read at once.
const CHUNK: usize = 8 << 10;

/// What stands next in an index.
#[derive(Debug)]
pub(crate) enum Next<'a> {
    Entry(&'a Entry),
    /// Nothing yet: the index ends here, or within an entry that may still be completed.
    Nothing,
    /// What stands here is no entry, and nothing that follows can be found.
    Damaged,
}

/// A place in an index.
#[derive(Debug)]
pub(crate) struct Cursor {
    file: File,
    /// What was read and not used: the bytes from `used` on are those from `offset` of the file on.
    buffer: Vec<u8>,
    used: usize,
    offset: u64,
    /// None before the header was read.
    header: Option<(Header, Chain)>,
    /// The entry that was looked at but not passed, with what passing it means.
    next: Option<(Entry, usize, Chain)>,
}

impl Cursor {
    pub(crate) fn new(file: File) -> Self {
        Self { file, buffer: Vec::new(), used: 0, offset: 0, header: None, next: None }
    }

    /// The header; none if it is not there yet, or damaged.
    pub(crate) fn header(&mut self) -> io::Result<Option<Header>> {
        self.read_header()?;
        Ok(self.header.map(|(header, _)| header))
    }

    /// How many bytes of the index have been passed.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// What the next entry is a difference to.
    pub(crate) fn chain(&self) -> Option<Chain> {
        self.header.map(|(_, chain)| chain)
    }

    /// Whether the index still has a name in some folder.
    pub(crate) fn has_name(&self) -> bool {
        self.file.metadata().is_ok_and(|found| found.nlink() > 0)
    }

    /// Looks at the next entry, reading on if need be. It stays the next until [`Cursor::take`].
    pub(crate) fn peek(&mut self) -> io::Result<Next<'_>> {
        if self.next.is_none() {
            let Some(chain) = self.read_header()? else { return Ok(self.end()) };
            match self.decode(|bytes, offset| decode(bytes, offset, chain))? {
                Some(next) => self.next = Some(next),
                None => return Ok(self.end()),
            }
        }
        Ok(self.next.as_ref().map_or(Next::Nothing, |next| Next::Entry(&next.0)))
    }

    /// Takes the entry that [`Cursor::peek`] has shown, and goes past it.
    pub(crate) fn take(&mut self) -> Option<Entry> {
        let (entry, length, after) = self.next.take()?;
        if let Some((_, chain)) = &mut self.header {
            *chain = after;
        }
        self.advance(length);
        Some(entry)
    }

    /// Reads the next entry anew when it is asked for: a writer takes back what it could not write whole, and may have
    /// written something else in its place.
    pub(crate) fn forget(&mut self) {
        self.next = None;
        self.buffer.clear();
        self.used = 0;
    }

    fn read_header(&mut self) -> io::Result<Option<Chain>> {
        if self.header.is_none()
            && let Some((header, length)) = self.decode(|bytes, _| Header::decode(bytes))?
        {
            self.header = Some((header, Chain::new(&header)));
            self.advance(length);
        }
        Ok(self.chain())
    }

    fn advance(&mut self, length: usize) {
        self.used += length;
        self.offset += length as u64;
    }

    /// Decodes what stands here; none if there is nothing whole.
    fn decode<T>(&mut self, decode: impl Fn(&[u8], u64) -> Decoded<T>) -> io::Result<Option<T>> {
        loop {
            match decode(&self.buffer[self.used..], self.offset) {
                Decoded::Whole(whole) => return Ok(Some(whole)),
                Decoded::Incomplete if self.fill()? => {}
                Decoded::Incomplete | Decoded::Corrupt => return Ok(None),
            }
        }
    }

    /// Says why there is nothing whole: because the file ends, or because of what stands in it.
    fn end(&mut self) -> Next<'static> {
        let rest = &self.buffer[self.used..];
        let damaged = match self.header {
            None => matches!(Header::decode(rest), Decoded::Corrupt),
            Some((_, chain)) => matches!(decode(rest, self.offset, chain), Decoded::Corrupt),
        };
        self.forget();
        if damaged { Next::Damaged } else { Next::Nothing }
    }

    /// Reads on; false at the end of the file.
    fn fill(&mut self) -> io::Result<bool> {
        self.buffer.drain(..self.used);
        self.used = 0;
        let have = self.buffer.len();
        self.buffer.resize(have + CHUNK, 0);
        let read = loop {
            match self.file.read_at(&mut self.buffer[have..], self.offset + have as u64) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        self.buffer.truncate(have + *read.as_ref().unwrap_or(&0));
        Ok(read? > 0)
    }
}

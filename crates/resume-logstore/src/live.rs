//! The live segment, as its writer sees it: two files that grow together.
//!
//! An entry of the index is written before the text that it owns, so that after a kill at any instant every byte of the
//! text has an owner. Whatever is written is written whole: if it cannot be, both files are cut back to where they were.

use std::fs::File;
use std::io::{self, IoSlice, Write};
use std::os::unix::fs::MetadataExt;

use crate::folder::{Folder, LIVE, index_name};
use crate::format::{Chain, Entry, Header, Kind, Known, encode};

/// The live segment of a log.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) number: u64,
    index: File,
    index_len: u64,
    text: File,
    text_len: u64,
    chain: Chain,
    /// The bytes of the entry that is being written.
    scratch: Vec<u8>,
    /// A failed write could not be taken back: the files do not agree, and nothing may be added to them.
    broken: bool,
}

impl Live {
    /// Begins a segment in a folder that has no live text.
    pub(crate) fn begin(folder: &Folder, header: &Header, runs: Vec<Known>) -> io::Result<Self> {
        let name = index_name(header.segment);
        let index = folder.create_new(&name)?;
        // A segment with an index alone would be taken for a live one: both files, or none.
        let begun = folder.create_new(LIVE).and_then(|text| {
            let mut live = Self {
                number: header.segment,
                index,
                index_len: 0,
                text,
                text_len: 0,
                chain: Chain::new(header),
                scratch: Vec::new(),
                broken: false,
            };
            live.write_header(header, runs).map(|()| live).inspect_err(|_| drop(folder.unlink(LIVE)))
        });
        begun.inspect_err(|_| drop(folder.unlink(&name)))
    }

    fn write_header(&mut self, header: &Header, runs: Vec<Known>) -> io::Result<()> {
        let mut bytes = header.encode().to_vec();
        let opened = Entry { micros: header.base_micros, kind: Kind::Opened { runs } };
        encode(&opened, bytes.len() as u64, &mut self.chain, &mut bytes);
        self.index.write_all(&bytes)?;
        self.index_len = bytes.len() as u64;
        Ok(())
    }

    /// Goes on with a segment whose files are whole and in agreement.
    pub(crate) fn resume(
        folder: &Folder,
        number: u64,
        index_len: u64,
        text_len: u64,
        chain: Chain,
    ) -> io::Result<Self> {
        let index = folder.append(&index_name(number))?;
        let text = folder.append(LIVE)?;
        Ok(Self { number, index, index_len, text, text_len, chain, scratch: Vec::new(), broken: false })
    }

    /// The bytes of both files.
    pub(crate) fn len(&self) -> u64 {
        self.index_len + self.text_len
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.broken
    }

    /// Whether nobody else has deleted, cut or added to the files.
    pub(crate) fn is_intact(&self) -> io::Result<bool> {
        let same = |file: &File, length| file.metadata().map(|found| found.nlink() > 0 && found.len() == length);
        Ok(same(&self.index, self.index_len)? && same(&self.text, self.text_len)?)
    }

    /// Whether the text still has a name.
    pub(crate) fn has_name(&self) -> bool {
        self.text.metadata().is_ok_and(|found| found.nlink() > 0)
    }

    /// Adds an entry and the text that it owns, whole or not at all.
    pub(crate) fn write(&mut self, entry: &Entry, text: [&[u8]; 2]) -> io::Result<()> {
        if self.broken {
            return Err(io::Error::other("an earlier write failed and could not be taken back"));
        }
        let mut chain = self.chain;
        self.scratch.clear();
        encode(entry, self.index_len, &mut chain, &mut self.scratch);
        let written = self.index.write_all(&self.scratch).and_then(|()| write_both(&mut self.text, text));
        if let Err(error) = written {
            // The text first: a kill between the two must leave no text without an owner.
            let undone = self.text.set_len(self.text_len).and(self.index.set_len(self.index_len));
            self.broken = undone.is_err();
            return Err(error);
        }
        self.chain = chain;
        self.index_len += self.scratch.len() as u64;
        self.text_len += (text[0].len() + text[1].len()) as u64;
        Ok(())
    }
}

fn write_both(file: &mut File, text: [&[u8]; 2]) -> io::Result<()> {
    if text[0].is_empty() {
        return file.write_all(text[1]);
    }
    let mut slices = [IoSlice::new(text[0]), IoSlice::new(text[1])];
    let mut left = &mut slices[..];
    IoSlice::advance_slices(&mut left, 0);
    while !left.is_empty() {
        match file.write_vectored(left) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut left, written),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

//! As much of elf(5) as it takes to see which loader a program needs.

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

/// The part of a program that names its loader.
const PT_INTERP: u32 = 3;
/// The kernel accepts no longer name.
const MAX_NAME: usize = 4096;
/// No program has more parts; a damaged one may say so.
const MAX_PARTS: u64 = 512;

/// The loader that an ELF program of our byte order asks for; `None` if it asks for none, or is no such program.
///
/// The file may be anything: only a few hundred bytes of it are read, and nothing in it is relied on.
pub(crate) fn loader(file: &File) -> Option<PathBuf> {
    let header = Bytes::read(file, 0, 64)?;
    let order = if cfg!(target_endian = "little") { 1 } else { 2 };
    if !header.0.starts_with(b"\x7fELF") || header.0.get(5) != Some(&order) {
        return None;
    }
    // A 32-bit program has the same fields, but narrower and so at other places.
    let wide = header.0.get(4)? == &2;
    let (table, size, count) = if wide {
        (header.u64(32)?, header.u16(54)?, header.u16(56)?)
    } else {
        (u64::from(header.u32(28)?), header.u16(42)?, header.u16(44)?)
    };
    (0..u64::from(count).min(MAX_PARTS)).find_map(|index| {
        let part = Bytes::read(file, table.checked_add(index * u64::from(size))?, if wide { 56 } else { 32 })?;
        if part.u32(0)? != PT_INTERP {
            return None;
        }
        let (offset, length) =
            if wide { (part.u64(8)?, part.u64(32)?) } else { (u64::from(part.u32(4)?), u64::from(part.u32(16)?)) };
        let length = usize::try_from(length).ok().filter(|&length| length <= MAX_NAME)?;
        let name = Bytes::read(file, offset, length)?;
        Some(PathBuf::from(OsStr::from_bytes(name.0.strip_suffix(b"\0")?)))
    })
}

/// A piece of a file.
struct Bytes(Vec<u8>);

impl Bytes {
    fn read(file: &File, offset: u64, length: usize) -> Option<Self> {
        let mut bytes = vec![0; length];
        file.read_exact_at(&mut bytes, offset).ok()?;
        Some(Self(bytes))
    }

    fn u16(&self, at: usize) -> Option<u16> {
        Some(u16::from_ne_bytes(*self.0.get(at..)?.first_chunk()?))
    }

    fn u32(&self, at: usize) -> Option<u32> {
        Some(u32::from_ne_bytes(*self.0.get(at..)?.first_chunk()?))
    }

    fn u64(&self, at: usize) -> Option<u64> {
        Some(u64::from_ne_bytes(*self.0.get(at..)?.first_chunk()?))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// A program of our kind that asks for a loader of this name, and holds nothing else.
    fn program_with_loader(name: &str) -> Vec<u8> {
        // Ours tells class, byte order and machine.
        let own = std::fs::read("/proc/self/exe").unwrap();
        let mut program = own.get(..64).unwrap().to_vec();
        let mut put = |at: usize, bytes: &[u8]| program.get_mut(at..at + bytes.len()).unwrap().copy_from_slice(bytes);
        put(32, &64u64.to_ne_bytes());
        put(54, &56u16.to_ne_bytes());
        put(56, &1u16.to_ne_bytes());
        let length = u64::try_from(name.len() + 1).unwrap();
        program.extend(PT_INTERP.to_ne_bytes());
        program.extend(4u32.to_ne_bytes());
        for field in [120, 0, 0, length, length, 1] {
            program.extend(field.to_ne_bytes());
        }
        program.extend(name.as_bytes());
        program.push(0);
        program
    }

    fn loader_of(program: &[u8]) -> Option<PathBuf> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(program).unwrap();
        loader(&file)
    }

    #[test]
    fn the_loader_of_a_program_is_found() {
        assert_eq!(loader_of(&program_with_loader("/lib/ld.so")), Some("/lib/ld.so".into()));
        assert_eq!(loader_of(b"#!/bin/sh\n"), None);
        let shell = File::open("/bin/sh").unwrap();
        assert!(loader(&shell).is_none_or(|loader| loader.exists()));
    }

    #[test]
    fn a_damaged_program_has_none_or_another_and_never_panics() {
        let program = program_with_loader("/lib/ld.so");
        for end in 0..program.len() {
            assert_eq!(loader_of(program.get(..end).unwrap()), None);
        }
        for at in 0..120 {
            let mut damaged = program.clone();
            damaged[at] ^= 0xff;
            let _ = loader_of(&damaged);
        }
    }
}

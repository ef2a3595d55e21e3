//! However a stream of bytes is cut into chunks, the messages in it are the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use resume_core::wire::{Frames, Terminator};

fuzz_target!(|input: (u8, &[u8])| {
    let (size, bytes) = input;
    let mut frames = Frames::default();
    let mut found = Vec::new();
    for chunk in bytes.chunks(usize::from(size).max(1)) {
        frames.push(chunk);
        while let Ok(Some(frame)) = frames.next_frame() {
            found.push(frame);
        }
    }
    assert_eq!(found, expected(bytes));
    let last = bytes.iter().rposition(|byte| is_end(*byte)).map_or(0, |end| end + 1);
    assert_eq!(frames.pending(), bytes.len() - last);
});

/// The same in the simplest way; no input of the fuzzer is longer than a message may be.
fn expected(bytes: &[u8]) -> Vec<(Vec<u8>, Terminator)> {
    let whole = bytes.split_inclusive(|byte| is_end(*byte)).filter_map(|piece| piece.split_last());
    let ended = whole.filter_map(|(end, frame)| match end {
        0 => Some((frame.to_vec(), Terminator::Nul)),
        b'\n' => Some((frame.to_vec(), Terminator::LineFeed)),
        _ => None,
    });
    ended.filter(|(frame, _)| !frame.iter().all(u8::is_ascii_whitespace)).collect()
}

fn is_end(byte: u8) -> bool {
    matches!(byte, 0 | b'\n')
}

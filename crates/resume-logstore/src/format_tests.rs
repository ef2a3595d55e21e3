use proptest::prelude::*;

use super::*;

#[test]
fn the_check_is_the_crc_that_the_documentation_names() {
    assert_eq!(crc(CRC_START, b"123456789"), 0x29b1);
}

#[test]
fn an_index_stays_what_it_is() {
    // The bytes of version 1, kept here so that no change of the code can change them unseen.
    let header = Header { segment: 3, first_record: 1000, base_micros: 1_795_359_845_000_000 };
    assert_eq!(
        hex(&header.encode()),
        "9352534d4944580a01002800f39e00000300000000000000e8030000000000004023cec9de600600"
    );
    let mut chain = Chain::new(&header);
    let mut bytes = Vec::new();
    let source = Source { instance: 1, run: 300, stream: Stream::Stderr };
    let mut marks = Marks::default();
    for starts in [true, true, false, true] {
        marks.push(starts, 1);
    }
    for kind in [
        Kind::Opened { runs: vec![Known { instance: 1, run: 7, in_line: [true, false] }] },
        Kind::Batch(Batch { source, length: 80, starts: 3, open_line: true, marks }),
        Kind::Note { about: Some((1, 300)), text: "exited".to_owned() },
        Kind::Dropped { source: Some(source), records: 5, bytes: 500, cause: Cause::NoSpace, torn: true },
        Kind::End { instance: 1, run: 300 },
    ] {
        let offset = bytes.len() as u64;
        encode(&Entry { micros: chain.micros + 1000, kind }, offset, &mut chain, &mut bytes);
    }
    assert_eq!(
        hex(&bytes),
        "0404d00f0507ed2db109d00f01ac0250030201a38e0208d00f65786974656499899306d00f05f40301b72a0502d00f83c2"
    );
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

fn sources() -> impl Strategy<Value = Source> {
    (0..3_u32, prop_oneof![1..4_u64, any::<u64>()], any::<bool>()).prop_map(|(instance, run, out)| Source {
        instance,
        run,
        stream: if out { Stream::Stdout } else { Stream::Stderr },
    })
}

fn knowns() -> impl Strategy<Value = Known> {
    (any::<u32>(), any::<u64>(), any::<[bool; 2]>()).prop_map(|(instance, run, in_line)| Known {
        instance,
        run,
        in_line,
    })
}

fn kinds() -> impl Strategy<Value = Kind> {
    let batch = (sources(), any::<u64>(), any::<u64>(), any::<bool>(), prop::collection::vec(any::<bool>(), 0..40));
    prop_oneof![
        batch.prop_map(|(source, length, starts, open_line, lines)| {
            Kind::Batch(Batch { source, length, starts, open_line, marks: marked(&lines) })
        }),
        (prop::option::of((any::<u32>(), any::<u64>())), ".{0,40}")
            .prop_map(|(about, text)| Kind::Note { about, text }),
        (prop::option::of(sources()), any::<u64>(), any::<u64>(), any::<u8>(), any::<bool>()).prop_map(
            |(source, records, bytes, cause, torn)| {
                Kind::Dropped { source, records, bytes, cause: Cause::from_code(cause), torn }
            }
        ),
        prop::collection::vec(knowns(), 0..9).prop_map(|runs| Kind::Opened { runs }),
        (any::<u32>(), any::<u64>()).prop_map(|(instance, run)| Kind::End { instance, run }),
    ]
}

/// The marks of some lines as they are read, without what a writer keeps beside them.
fn marked(lines: &[bool]) -> Marks {
    let mut marks = Marks::default();
    for starts in lines {
        marks.push(*starts, 1);
    }
    Marks { counts: marks.counts, ..Marks::default() }
}

/// Entries with any values in them, also such as no writer would write.
pub(crate) fn entries() -> impl Strategy<Value = Vec<Entry>> {
    let micros = prop_oneof![1_795_359_845_000_000..1_795_359_846_000_000_u64, any::<u64>()];
    prop::collection::vec((micros, kinds()).prop_map(|(micros, kind)| Entry { micros, kind }), 1..12)
}

const HEADER: Header = Header { segment: 1, first_record: 0, base_micros: 1_795_359_845_000_000 };

fn encode_all(entries: &[Entry]) -> Vec<u8> {
    let (mut chain, mut bytes) = (Chain::new(&HEADER), Vec::new());
    for entry in entries {
        let offset = bytes.len() as u64;
        encode(entry, offset, &mut chain, &mut bytes);
    }
    bytes
}

/// The entries up to the first that is not whole.
fn decode_all(bytes: &[u8]) -> Vec<Entry> {
    let (mut chain, mut at, mut entries) = (Chain::new(&HEADER), 0, Vec::new());
    while let Decoded::Whole((entry, length, after)) = decode(&bytes[at..], at as u64, chain) {
        entries.push(entry);
        chain = after;
        at += length;
    }
    entries
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded(entries in entries()) {
        prop_assert_eq!(decode_all(&encode_all(&entries)), entries);
    }

    #[test]
    fn a_header_reads_back(segment: u64, first_record: u64, base_micros: u64) {
        let header = Header { segment, first_record, base_micros };
        prop_assert_eq!(Header::decode(&header.encode()), Decoded::Whole((header, HEADER_LEN)));
        for length in 0..HEADER_LEN {
            prop_assert_eq!(Header::decode(&header.encode()[..length]), Decoded::Incomplete);
        }
    }

    #[test]
    fn one_wrong_bit_spares_what_stands_before_it(entries in entries(), at: prop::sample::Index, bit in 0..8) {
        let mut bytes = encode_all(&entries);
        let at = at.index(bytes.len());
        bytes[at] ^= 1_u8 << bit;
        let found = decode_all(&bytes);
        let whole = (0..=entries.len()).rev().find(|count| encode_all(&entries[..*count]).len() <= at).unwrap_or(0);
        prop_assert!(found.len() >= whole && found[..whole] == entries[..whole]);
    }

    #[test]
    fn a_cut_index_is_incomplete_and_not_corrupt(entries in entries(), at: prop::sample::Index) {
        let bytes = encode_all(&entries);
        let bytes = &bytes[..at.index(bytes.len())];
        let found = decode_all(bytes);
        let used = encode_all(&found).len();
        let mut chain = Chain::new(&HEADER);
        encode_all(&found);
        for entry in &found {
            encode(entry, 0, &mut chain, &mut Vec::new());
        }
        prop_assert!(!matches!(decode(&bytes[used..], used as u64, chain), Decoded::Corrupt));
    }

    #[test]
    fn no_bytes_make_the_decoder_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), offset: u64) {
        let _ = decode(&bytes, offset, Chain::new(&HEADER));
        let _ = Header::decode(&bytes);
    }

    #[test]
    fn zeros_are_no_entry(length in 1..100_usize, offset: u64) {
        prop_assert_eq!(decode(&vec![0; length], offset, Chain::new(&HEADER)), Decoded::Corrupt);
    }

    #[test]
    fn marks_say_what_was_marked(lines in prop::collection::vec(any::<bool>(), 0..300)) {
        let marks = marked(&lines);
        let mut found = marks.read();
        for starts in lines {
            prop_assert_eq!(found.next(), starts);
        }
    }
}

//! Folders that no writer made: whatever stands in them, nothing panics, and a writer can go on.

use std::fs;
use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;
use resume_core::layout::Stream;
use resume_core::time::Timestamp;

use crate::format::tests::entries;
use crate::format::{Chain, Header, encode};
use crate::{Filter, Follower, Moment, Reader, Record, Retention, Source, Start, Writer};

const NOW: Moment = Moment { wall_micros: 1_795_359_845_000_000, boottime: Duration::from_secs(100) };

/// The bytes of an index: one that says what it likes, or noise.
fn indexes() -> impl Strategy<Value = Vec<u8>> {
    let hostile = (any::<u64>(), entries()).prop_map(|(first_record, entries)| {
        let header = Header { segment: 1, first_record, base_micros: NOW.wall_micros };
        let (mut chain, mut bytes) = (Chain::new(&header), header.encode().to_vec());
        for entry in entries {
            let offset = bytes.len() as u64;
            encode(&entry, offset, &mut chain, &mut bytes);
        }
        bytes
    });
    prop_oneof![4 => hostile, 1 => prop::collection::vec(any::<u8>(), 0..200)]
}

fn texts() -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![Just(b"\n".to_vec()), Just(b"  more\n".to_vec()), prop::collection::vec(any::<u8>(), 0..80)];
    prop::collection::vec(line, 0..20).prop_map(|lines| lines.concat())
}

fn records(dir: &Path, filter: &Filter, last: Option<usize>) -> Vec<Record> {
    Reader::open(dir).unwrap().records(filter, last).unwrap().map(Result::unwrap).collect()
}

fn raw(dir: &Path, filter: &Filter) -> Vec<u8> {
    let mut bytes = Vec::new();
    Reader::open(dir).unwrap().raw(filter, None, &mut bytes).unwrap();
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_stands_in_a_folder_it_is_read_and_gone_on_with(
        first in (indexes(), texts()),
        live in (indexes(), texts()),
        count in 0..10_usize,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path();
        fs::write(dir.join("00000001.idx"), &first.0).unwrap();
        fs::write(dir.join("00000001.log"), &first.1).unwrap();
        fs::write(dir.join("00000002.idx"), &live.0).unwrap();
        fs::write(dir.join("current.log"), &live.1).unwrap();
        let some_time = Some(Timestamp::from_micros(NOW.wall_micros));
        for filter in [
            Filter::default(),
            Filter { instance: Some(0), ..Filter::default() },
            Filter { since: some_time, ..Filter::default() },
            Filter { until: some_time, ..Filter::default() },
        ] {
            let _ = raw(dir, &filter);
            let _ = records(dir, &filter, None);
            // An index that lies about its records gets as many as it asks for.
            let _ = records(dir, &filter, Some(count));
        }
        let reader = Reader::open(dir).unwrap();
        let _ = (reader.totals().unwrap(), reader.last_run(0).unwrap());
        let mut follower = Follower::new(dir, Filter::default(), Start::Last(count));
        let mut followed = Vec::new();
        follower.poll(NOW, &mut followed).unwrap();
        let mut writer = Writer::open(dir, Retention::default(), NOW).unwrap();
        writer.append(NOW, Source { instance: 7, run: 1, stream: Stream::Stdout }, b"after\n");
        writer.end_of_run(NOW, 7, 1);
        let of_ours = Filter { instance: Some(7), ..Filter::default() };
        prop_assert!(raw(dir, &of_ours).ends_with(b"after\n"));
        let later = Moment { wall_micros: NOW.wall_micros + 1_000_000, ..NOW };
        follower.poll(later, &mut followed).unwrap();
        prop_assert!(followed.iter().any(|record| record.text == b"after"));
    }
}

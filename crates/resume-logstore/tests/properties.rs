//! What holds for whatever a program writes, and however it arrives.

#![allow(clippy::unwrap_used, reason = "a failed step of a test is a failed test, in its helpers too")]

mod common;

use common::{ERR, Log, OUT, records};
use proptest::prelude::*;
use resume_logstore::{Filter, Follower, Moment, Record, RecordStream, Source, Start};

/// What may happen to a log.
#[derive(Clone, Debug)]
enum Step {
    Append(Source, Vec<u8>),
    Pass(u64),
    Note,
    EndOfRun,
    /// The writer leaves in order, and another one comes.
    Replace,
    /// A follower looks.
    Look,
}

/// Lines that lead somewhere, and bytes that lead nowhere.
fn texts() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => prop::sample::select(vec![
            "one line\n", "2026 another\n", "\n", "  indented\n", "}\n", "Traceback (most recent call last):\n",
            "  File \"a.py\", line 1\n", "ValueError: x\n", "Error: y\n", "    at f (a.js:1:2)\n", "no newline", "goroutine 1 [running]:\n",
        ]).prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..60),
    ];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let source =
        (0..2_u32, any::<bool>()).prop_map(|(instance, out)| Source { instance, ..if out { OUT } else { ERR } });
    let step = prop_oneof![
        8 => (source, texts()).prop_map(|(source, text)| Step::Append(source, text)),
        2 => (0..300_u64).prop_map(Step::Pass),
        1 => Just(Step::Note),
        1 => Just(Step::EndOfRun),
        1 => Just(Step::Replace),
        2 => Just(Step::Look),
    ];
    prop::collection::vec(step, 0..40)
}

/// What was written, by stream.
#[derive(Default)]
struct Written([Vec<u8>; 4]);

impl Written {
    fn of(&mut self, source: Source) -> &mut Vec<u8> {
        let stream = usize::from(source.stream == ERR.stream);
        &mut self.0[usize::try_from(source.instance).unwrap() * 2 + stream]
    }
}

/// Does the steps on a log with small segments, and lets a follower see them.
fn play(steps: &[Step], max_bytes: u64) -> (Log, Written, Vec<Record>) {
    let mut log = Log::with_max(max_bytes);
    let mut written = Written::default();
    let mut run = 1;
    let mut follower = Follower::new(&log.dir(), Filter::default(), Start::Beginning);
    let mut seen = Vec::new();
    for step in steps {
        match step {
            Step::Append(source, text) => {
                let source = Source { run, ..*source };
                written.of(source).extend_from_slice(text);
                log.append(source, text);
            }
            Step::Pass(millis) => log.pass(*millis),
            Step::Note => log.note("a note"),
            Step::EndOfRun => {
                for instance in 0..2 {
                    let now = log.now();
                    log.writer().end_of_run(now, instance, run);
                }
                run += 1;
            }
            Step::Replace => {
                let now = log.now();
                log.writer().flush(now);
                log.reopen();
            }
            Step::Look => follower.poll(log.now(), &mut seen).unwrap(),
        }
    }
    for instance in 0..2 {
        let now = log.now();
        log.writer().end_of_run(now, instance, run);
    }
    log.pass(1000);
    follower.poll(log.now(), &mut seen).unwrap();
    (log, written, seen)
}

fn joined(records: &[Record], source: Source) -> Vec<u8> {
    let mut bytes = Vec::new();
    for record in records {
        if record.instance == Some(source.instance) && record.stream == source.stream.into() {
            bytes.extend_from_slice(&record.text);
            bytes.extend(record.newline.then_some(b'\n'));
        }
    }
    bytes
}

/// Records in the order of their beginning; one whose line stood unfinished for long is handed out later.
fn by_number(mut records: Vec<Record>) -> Vec<Record> {
    records.sort_by_key(|record| (record.number, record.stream != RecordStream::Resume));
    records
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn every_byte_is_read_back_in_its_stream(steps in steps()) {
        let (log, mut written, _) = play(&steps, 64 << 20);
        let records = log.records();
        for source in [OUT, ERR, Source { instance: 1, ..OUT }, Source { instance: 1, ..ERR }] {
            let filter = Filter { instance: Some(source.instance), stream: Some(source.stream.into()), ..Filter::default() };
            prop_assert_eq!(&log.raw_of(&filter, None), written.of(source));
            // A record whose line is finished late is handed out late, so that the order is looked at by number.
            prop_assert_eq!(&joined(&by_number(records.clone()), source), written.of(source));
        }
        prop_assert_eq!(log.raw(), log.text_files());
    }

    #[test]
    fn a_follower_sees_what_a_reader_sees(steps in steps()) {
        let (log, _, seen) = play(&steps, 64 << 20);
        let expected = by_number(log.records());
        let seen = by_number(seen);
        prop_assert_eq!(seen, expected);
    }

    #[test]
    fn the_last_records_are_the_last_of_all(steps in steps(), count in 0..30_usize) {
        let (log, _, _) = play(&steps, 64 << 20);
        for stream in [None, Some(RecordStream::Stdout), Some(RecordStream::Resume)] {
            let filter = Filter { stream, ..Filter::default() };
            let all = by_number(records(&log.dir(), &filter, None));
            let last = by_number(records(&log.dir(), &filter, Some(count)));
            prop_assert_eq!(&last[..], &all[all.len().saturating_sub(count)..]);
        }
    }

    #[test]
    fn records_do_not_depend_on_how_the_bytes_arrive(
        out in prop::collection::vec(texts(), 0..8),
        cuts in prop::collection::vec(1..40_usize, 1..20),
    ) {
        let bytes = out.concat();
        let mut whole = Log::new();
        whole.append(OUT, &bytes);
        let mut pieces = Log::new();
        let (mut rest, mut cuts) = (&bytes[..], cuts.iter().cycle());
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(rest.len().min(*cuts.next().unwrap()));
            pieces.append(OUT, piece);
            pieces.append(ERR, "another\n");
            rest = after;
        }
        whole.end_of_run(1);
        pieces.end_of_run(1);
        let filter = Filter { stream: Some(RecordStream::Stdout), ..Filter::default() };
        let texts = |log: &Log| -> Vec<Vec<u8>> { records(&log.dir(), &filter, None).into_iter().map(|record| record.text).collect() };
        prop_assert_eq!(texts(&pieces), texts(&whole));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn retention_keeps_the_newest_records_whole(
        steps in prop::collection::vec(steps(), 1..4),
        long in prop::collection::vec((any::<prop::sample::Index>(), 1..30_000_usize), 0..30),
    ) {
        let mut steps = steps.concat();
        for (at, length) in long {
            let at = at.index(steps.len() + 1);
            steps.insert(at, Step::Append(OUT, [vec![b'x'; length], b"\n  more\n".to_vec()].concat()));
        }
        let (small, _, _) = play(&steps, 64 << 10);
        let (large, _, _) = play(&steps, 64 << 20);
        prop_assert!(small.disk_bytes() <= 64 << 10, "{} bytes", small.disk_bytes());
        let (kept, all) = (by_number(small.records()), by_number(large.records()));
        // Segments are read one by one, and the last record of all is always there.
        for record in &kept {
            prop_assert!(all.contains(record) || record.stream == RecordStream::Resume, "{record:?}");
        }
        prop_assert_eq!(kept.last(), all.last());
    }
}

#[test]
fn a_moment_can_be_asked_of_the_system() {
    let first = Moment::now();
    assert!(Moment::now().boottime >= first.boottime && first.wall_micros > 0);
}

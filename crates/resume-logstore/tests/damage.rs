//! Files that a crash, a power cut or a stranger has left in pieces.

#![allow(clippy::unwrap_used, reason = "a failed step of a test is a failed test, in its helpers too")]

mod common;

use std::fs;
use std::path::Path;

use common::{ERR, Log, OUT, moment, records};
use resume_logstore::{Filter, Follower, Reader, Record, RecordStream, Retention, Source, Start, Writer};

/// A small log of one segment with all kinds of entries, and its records.
fn sample() -> (Log, Vec<Record>) {
    let mut log = Log::new();
    log.note("started");
    log.append(OUT, "one\ntwo\n  continued\nthree\n");
    log.pass(30);
    log.append(ERR, "Traceback (most recent call last):\n");
    log.append(OUT, "between\n");
    log.append(ERR, "  File \"a.py\", line 1\nValueError: x\n");
    log.pass(2000);
    log.append(Source { instance: 1, run: 7, ..OUT }, "of another instance\n");
    log.append(OUT, "unfinished");
    log.pass(500);
    log.append(OUT, " and finished\n");
    log.end_of_run(1);
    log.note("exited with code 1");
    log.append(Source { run: 2, ..OUT }, b"\0\xff\nthe end\n");
    let records = log.records();
    assert_eq!(records.len(), 11, "{records:#?}");
    (log, records)
}

/// Does something to a file of a copy of the log, and returns the copy's folder.
fn damaged(log: &Log, name: &str, damage: impl FnOnce(&mut Vec<u8>)) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for file in log.names() {
        fs::copy(log.dir().join(&file), copy.path().join(&file)).unwrap();
    }
    let mut bytes = fs::read(copy.path().join(name)).unwrap();
    damage(&mut bytes);
    fs::write(copy.path().join(name), bytes).unwrap();
    copy
}

/// Reads a log in every way, and lets a writer go on with it: nothing may panic, and nothing that is readable may go.
#[track_caller]
fn survives(dir: &Path) -> Vec<Record> {
    let before = records(dir, &Filter::default(), None);
    let text = {
        let mut bytes = Vec::new();
        Reader::open(dir).unwrap().raw(&Filter::default(), None, &mut bytes).unwrap();
        bytes
    };
    for count in [0, 1, 5, 100] {
        let last = records(dir, &Filter::default(), Some(count));
        assert!(last.len() <= count);
    }
    let mut writer = Writer::open(dir, Retention::default(), moment(60_000_000)).unwrap();
    assert_eq!(writer.problem(), None);
    writer.append(moment(60_000_000), Source { run: 9, ..OUT }, b"after the damage\n");
    let after = records(dir, &Filter::default(), None);
    let ours = after.last().unwrap();
    assert_eq!((ours.text.as_slice(), ours.run, ours.truncated), (&b"after the damage"[..], Some(9), false));
    let mut bytes = Vec::new();
    Reader::open(dir).unwrap().raw(&Filter::default(), None, &mut bytes).unwrap();
    assert!(bytes.starts_with(&text) && bytes.ends_with(b"after the damage\n"), "the text is not what it was");
    let mut followed = Vec::new();
    Follower::new(dir, Filter::default(), Start::Beginning).poll(moment(120_000_000), &mut followed).unwrap();
    assert_eq!(followed.last().map(|record| record.text.as_slice()), Some(&b"after the damage"[..]));
    before
}

/// How many of the undamaged records, from the first, are there as they were. They are compared in the order in which
/// they were handed out.
fn intact(found: &[Record], expected: &[Record]) -> usize {
    found.iter().zip(expected).take_while(|(found, expected)| found == expected).count()
}

/// The size of a file.
fn all_of(log: &Log, name: &str) -> usize {
    fs::read(log.dir().join(name)).unwrap().len()
}

#[test]
fn an_index_cut_at_any_byte_gives_every_record_before_the_cut_and_all_of_the_text() {
    let (log, expected) = sample();
    let text = log.raw();
    let mut previous = 0;
    for length in 0..all_of(&log, "00000001.idx") {
        let copy = damaged(&log, "00000001.idx", |bytes| bytes.truncate(length));
        let mut raw = Vec::new();
        Reader::open(copy.path()).unwrap().raw(&Filter::default(), None, &mut raw).unwrap();
        assert!(raw == text, "the text of an index cut at {length} is not whole");
        let found = survives(copy.path());
        let whole = intact(&found, &expected);
        assert!(whole >= previous.max(1) - 1, "cut at {length}: {whole} of {previous}");
        previous = previous.max(whole);
    }
    assert!(previous >= expected.len() - 2, "{previous}");
}

#[test]
fn an_index_with_a_tail_of_zeros_or_noise_gives_every_record_before_it() {
    let (log, expected) = sample();
    for filler in [0, 0x55] {
        for length in 0..all_of(&log, "00000001.idx") {
            let cut = damaged(&log, "00000001.idx", |bytes| bytes.truncate(length));
            let whole = intact(&survives(cut.path()), &expected);
            let copy = damaged(&log, "00000001.idx", |bytes| bytes[length..].fill(filler));
            let found = intact(&survives(copy.path()), &expected);
            assert!(found + 1 >= whole, "{filler:#x} from {length} on: {found} instead of {whole}");
        }
    }
}

#[test]
fn any_wrong_bit_in_an_index_spares_the_records_before_it() {
    let (log, expected) = sample();
    for at in 0..all_of(&log, "00000001.idx") {
        let cut = damaged(&log, "00000001.idx", |bytes| bytes.truncate(at));
        let whole = intact(&records(cut.path(), &Filter::default(), None), &expected);
        for bit in 0..8 {
            let copy = damaged(&log, "00000001.idx", |bytes| bytes[at] ^= 1_u8 << bit);
            // One of eight is enough to see that a writer can go on; it is the slow part.
            let found =
                if bit == at % 8 { survives(copy.path()) } else { records(copy.path(), &Filter::default(), None) };
            let found = intact(&found, &expected);
            assert!(found + 1 >= whole, "bit {bit} of byte {at}: {found} instead of {whole}");
        }
    }
}

#[test]
fn a_text_cut_at_any_byte_gives_every_whole_record_before_the_cut() {
    let (log, expected) = sample();
    let text = log.raw();
    for length in 0..text.len() {
        let copy = damaged(&log, "current.log", |bytes| bytes.truncate(length));
        let found = survives(copy.path());
        for record in &expected {
            let last_line = record.text.rsplit(|b| *b == b'\n').next().unwrap();
            let end =
                text.windows(last_line.len()).position(|part| part == last_line).map(|at| at + last_line.len() + 1);
            // The supervisor's own account stands in the index.
            if record.stream == RecordStream::Resume || end.unwrap() <= length {
                assert!(found.contains(record), "cut at {length}: {record:?} is missing");
            }
        }
    }
}

#[test]
fn any_wrong_bit_in_a_text_harms_the_records_of_its_batch_alone() {
    let (log, expected) = sample();
    for at in 0..all_of(&log, "current.log") {
        for bit in 0..8 {
            let copy = damaged(&log, "current.log", |bytes| bytes[at] ^= 1_u8 << bit);
            let found = records(copy.path(), &Filter::default(), None);
            let lost = expected.iter().filter(|record| !found.contains(record)).count();
            assert!(lost <= 3, "bit {bit} of byte {at}: {lost} records are not there");
        }
    }
}

#[test]
fn without_its_index_a_text_is_read_with_what_cannot_be_known_left_out() {
    let (log, expected) = sample();
    let copy = damaged(&log, "00000001.idx", Vec::clear);
    fs::remove_file(copy.path().join("00000001.idx")).unwrap();
    // A live text whose index is gone is given a number by the next writer.
    let found = survives(copy.path());
    assert!(found.is_empty());
    let found = records(copy.path(), &Filter::default(), None);
    let (last, found) = found.split_last().unwrap();
    assert_eq!(last.text, b"after the damage");
    assert!(found.iter().all(|record| record.stream == RecordStream::Unknown && record.time.is_none()));
    let trace = expected.iter().find(|record| record.text == b"one").unwrap();
    assert_eq!(found[0].text, trace.text);
}

#[test]
fn after_a_kill_between_entry_and_text_the_log_goes_on() {
    let mut log = Log::new();
    log.append(OUT, "one\ntwo\n");
    log.append(OUT, "three\nfour\n");
    log.writer = None;
    let text = fs::read(log.dir().join("current.log")).unwrap();
    for length in 8..text.len() {
        let copy = damaged(&log, "current.log", |bytes| bytes.truncate(length));
        let found = survives(copy.path());
        let texts: Vec<_> = found.iter().map(|record| record.text.clone()).collect();
        let expected: Vec<_> =
            text[..length].split_inclusive(|b| *b == b'\n').map(|line| line.trim_ascii_end().to_vec()).collect();
        assert_eq!(texts, expected, "killed at {length}");
        assert_eq!(records(copy.path(), &Filter::default(), Some(2)).len(), 2);
    }
}

#[test]
fn a_crash_at_each_step_of_a_rotation_loses_nothing() {
    let mut log = Log::new();
    log.append(OUT, "one\n");
    log.writer = None;
    // The text has its number; the next segment is not begun.
    fs::rename(log.dir().join("current.log"), log.dir().join("00000001.log")).unwrap();
    assert_eq!(log.raw(), b"one\n");
    log.reopen();
    log.append(OUT, "two\n");
    log.writer = None;
    assert_eq!(log.raw(), b"one\ntwo\n");
    // The next index is there, its header is not; then half of it; then its text is not.
    fs::rename(log.dir().join("current.log"), log.dir().join("00000002.log")).unwrap();
    for header in [&b""[..], b"\x93RSMIDX\n\x01\0", &fs::read(log.dir().join("00000002.idx")).unwrap()[..40]] {
        fs::write(log.dir().join("00000003.idx"), header).unwrap();
        assert_eq!(log.raw(), b"one\ntwo\n");
        log.reopen();
        log.append(OUT, "three\n");
        assert_eq!(log.raw(), b"one\ntwo\nthree\n");
        assert_eq!(log.last(2), ["two", "three"]);
        log.writer = None;
        for name in log.names().iter().filter(|name| !name.starts_with("00000001") && !name.starts_with("00000002")) {
            fs::remove_file(log.dir().join(name)).unwrap();
        }
    }
}

#[test]
fn strange_files_in_the_folder_are_left_alone() {
    let mut log = Log::new();
    log.append(OUT, "one\n");
    log.writer = None;
    fs::write(log.dir().join("notes.txt"), "mine").unwrap();
    fs::write(log.dir().join("7.log"), "mine").unwrap();
    fs::create_dir(log.dir().join("00000009.log")).unwrap();
    log.reopen();
    log.append(OUT, "two\n");
    assert_eq!(log.raw(), b"one\ntwo\n");
    assert_eq!(fs::read(log.dir().join("notes.txt")).unwrap(), b"mine");
    assert_eq!(log.names().len(), 5, "{:?}", log.names());
}

#[test]
fn a_log_that_somebody_else_cuts_or_deletes_goes_on() {
    let mut log = Log::new();
    log.append(OUT, "one\n");
    fs::write(log.dir().join("current.log"), "").unwrap();
    log.pass(2000);
    log.append(OUT, "two\n");
    assert_eq!(log.texts().last().unwrap().1, "two");
    fs::remove_file(log.dir().join("current.log")).unwrap();
    log.pass(2000);
    log.append(OUT, "three\n");
    let texts = log.texts();
    assert!(texts.iter().filter(|(stream, _)| *stream == RecordStream::Resume).count() == 2, "{texts:?}");
    assert_eq!(log.last(1), ["three"]);
    fs::remove_dir_all(log.dir()).unwrap();
    log.pass(2000);
    log.append(OUT, "four\n");
    assert_eq!(log.texts().last().unwrap().1, "four");
    assert_eq!(log.raw(), b"four\n");
    log.reopen();
    log.append(OUT, "five\n");
    assert_eq!(log.raw(), b"four\nfive\n");
}

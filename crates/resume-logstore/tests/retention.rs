//! The log stays within its bound, whatever comes.

#![allow(clippy::unwrap_used, reason = "a failed step of a test is a failed test, in its helpers too")]

mod common;

use std::fs;

use common::{ERR, Log, OUT};

/// The blocks that the folder's files take on disk, as `du` counts them.
fn disk_blocks(log: &Log) -> u64 {
    use std::os::unix::fs::MetadataExt;
    fs::read_dir(log.dir()).unwrap().map(|entry| entry.unwrap().metadata().unwrap().blocks() * 512).sum()
}

#[test]
fn a_flood_of_a_hundred_megabytes_stays_under_two() {
    let cap = 2 << 20;
    let mut log = Log::with_max(cap);
    let mut number = 0_u64;
    let mut most = (0, 0);
    while number < 1_000_000 {
        let mut block = Vec::new();
        while block.len() < 64 << 10 {
            block.extend_from_slice(format!("{number:099}\n").as_bytes());
            number += 1;
        }
        // As pipes do, in pieces that end anywhere.
        block.chunks(65_536).for_each(|chunk| log.append(OUT, chunk));
        if number.is_multiple_of(7) {
            log.append(ERR, "a word on the other stream\n");
        }
        most = (most.0.max(log.disk_bytes()), most.1.max(disk_blocks(&log)));
    }
    assert!(most.0 <= cap && most.1 <= cap * 105 / 100, "{most:?}");
    let records = log.records();
    assert_eq!(records.last().unwrap().text, format!("{:099}", number - 1).as_bytes());
    // Within one segment of the bound.
    assert!(log.disk_bytes() > cap * 3 / 4, "only {} bytes are kept", log.disk_bytes());
    let first: u64 = String::from_utf8_lossy(&records[0].text).parse().unwrap();
    assert_eq!(records.iter().filter(|record| record.stream == OUT.stream.into()).count() as u64, number - first);
}

#[test]
fn records_are_dropped_whole_and_never_cut_by_retention() {
    let mut log = Log::with_max(64 << 10);
    for number in 0..3000 {
        log.append(ERR, format!("Error: number {number}\n    at one (a.js:1:1)\n    at two (a.js:2:2)\n"));
        log.append(OUT, format!("{number} and so on, for as long as it takes to fill a segment\n"));
    }
    log.end_of_run(1);
    let records = log.records();
    for record in &records {
        let text = String::from_utf8_lossy(&record.text);
        let lines = if record.stream == ERR.stream.into() { 3 } else { 1 };
        assert_eq!(text.lines().count(), lines, "{text}");
        assert!(!record.truncated);
    }
    assert!(records.len() > 500 && log.disk_bytes() <= 64 << 10);
}

#[test]
fn a_crash_loop_that_prints_nothing_does_not_grow_for_ever() {
    let mut log = Log::with_max(64 << 10);
    for _ in 0..5000 {
        log.note("started");
        log.note("exited with code 1");
        log.pass(1000);
    }
    assert!(log.disk_bytes() <= 64 << 10, "{}", log.disk_bytes());
    assert_eq!(log.last(1), ["exited with code 1"]);
    assert!(log.records().len() > 500);
}

#[test]
fn a_smaller_bound_takes_effect_at_once() {
    let mut log = Log::with_max(8 << 20);
    for number in 0..50_000 {
        log.append(OUT, format!("{number:099}\n"));
    }
    log.writer().set_retention(resume_logstore::Retention { max_bytes: 2 << 20 });
    assert!(log.disk_bytes() <= 2 << 20);
    assert_eq!(log.last(1), [format!("{:099}", 49_999)]);
    log.retention.max_bytes = 1 << 20;
    log.reopen();
    log.append(OUT, "after\n");
    assert!(log.disk_bytes() <= 2 << 20 && log.last(1) == ["after"]);
}

#[test]
fn a_record_larger_than_half_of_the_log_does_not_break_the_bound() {
    let mut log = Log::with_max(256 << 10);
    for _ in 0..20 {
        log.append(ERR, "Traceback (most recent call last):\n");
        for _ in 0..3000 {
            log.append(ERR, "  File \"a.py\", line 1, in a function that calls itself\n");
            assert!(log.writer().disk_bytes() <= 256 << 10);
        }
    }
    log.append(ERR, "ValueError: at last\nnext\n");
    assert!(log.disk_bytes() <= 256 << 10);
    assert_eq!(log.last(1), ["next"]);
}

#[test]
fn lines_of_one_byte_do_not_make_the_index_outgrow_the_bound() {
    let mut log = Log::with_max(128 << 10);
    for _ in 0..100 {
        // Every other line continues the one before: the worst case for the marks.
        log.append(OUT, "a\n b\n".repeat(2000));
        assert!(log.writer().disk_bytes() <= 128 << 10);
    }
    let records = log.records();
    assert!(records.iter().all(|record| record.text == b"a\n b"));
    assert_eq!(log.writer().stats().records, 200_000);
}

//! What is written is what is read.

mod common;

use common::{EPOCH, ERR, Log, OUT, moment, records};
use resume_core::time::Timestamp;
use resume_logstore::RecordStream::{Resume, Stderr, Stdout};
use resume_logstore::{Filter, Source};

fn texts(found: &[(resume_logstore::RecordStream, String)]) -> Vec<(resume_logstore::RecordStream, &str)> {
    found.iter().map(|(stream, text)| (*stream, text.as_str())).collect()
}

#[test]
fn lines_and_the_account_stand_in_the_order_in_which_they_came() {
    let mut log = Log::new();
    log.note("started");
    log.append(OUT, "one\ntwo\n");
    log.pass(5);
    log.append(ERR, "warning\n");
    log.append(OUT, "three\n");
    log.end_of_run(1);
    log.note("exited with code 0");
    let found = log.texts();
    let expected = [
        (Resume, "started"),
        (Stdout, "one"),
        (Stdout, "two"),
        (Stderr, "warning"),
        (Stdout, "three"),
        (Resume, "exited with code 0"),
    ];
    assert_eq!(texts(&found), expected);
    let records = log.records();
    assert_eq!(records[3].time, Some(Timestamp::from_micros(EPOCH + 5000)));
    assert_eq!(records.iter().map(|record| record.number).collect::<Vec<_>>(), [0, 0, 1, 2, 3, 4]);
    assert!(records.iter().all(|record| record.complete && !record.truncated && record.instance == Some(0)));
}

#[test]
fn the_text_file_holds_the_programs_bytes_alone() {
    let mut log = Log::new();
    log.note("started");
    log.append(OUT, "one\n");
    log.append(ERR, b"\0\xff\xfe not UTF-8 \0\n");
    log.append(OUT, "no last newline");
    log.end_of_run(1);
    log.note("exited");
    let expected = b"one\n\0\xff\xfe not UTF-8 \0\nno last newline";
    assert_eq!(std::fs::read(log.dir().join("current.log")).unwrap(), expected);
    assert_eq!(log.raw(), expected);
    assert_eq!(log.names(), ["00000001.idx", "current.log"]);
    let last = log.records().into_iter().rev().find(|record| record.stream == Stdout).unwrap();
    assert_eq!((last.text.as_slice(), last.newline, last.truncated), (&b"no last newline"[..], false, false));
}

#[test]
fn a_line_written_in_pieces_is_one_record_and_others_do_not_cut_it_in_the_text() {
    let mut log = Log::new();
    log.append(OUT, "begin");
    log.append(ERR, "error 1\n");
    log.pass(50);
    log.append(OUT, ", middle");
    log.append(ERR, "error 2\n");
    log.append(OUT, ", end\nnext\n");
    assert_eq!(log.raw(), b"error 1\nerror 2\nbegin, middle, end\nnext\n");
    assert_eq!(
        texts(&log.texts()),
        [(Stderr, "error 1"), (Stderr, "error 2"), (Stdout, "begin, middle, end"), (Stdout, "next")]
    );
}

#[test]
fn a_line_that_stands_unfinished_is_written_after_a_while_and_still_is_one_record() {
    let mut log = Log::new();
    log.append(OUT, "half");
    assert_eq!(log.writer().deadline(), Some(moment(100_000).boottime));
    assert_eq!(log.raw(), b"");
    log.pass(100);
    assert_eq!((log.writer().deadline(), log.raw()), (None, b"half".to_vec()));
    let unfinished = log.records();
    assert!(!unfinished[0].complete && !unfinished[0].newline);
    log.pass(60_000);
    log.append(ERR, "between\n");
    log.pass(60_000);
    log.append(OUT, " a line\n");
    let found = log.records();
    let found: Vec<_> = found.iter().map(|record| (record.stream, record.text.as_slice(), record.truncated)).collect();
    // The line comes where it was finished.
    assert_eq!(found, [(Stderr, &b"between"[..], false), (Stdout, b"half a line", false)]);
}

#[test]
fn a_trace_is_one_record_though_the_other_stream_talks_between_its_lines() {
    let mut log = Log::new();
    log.append(ERR, "Traceback (most recent call last):\n  File \"a.py\", line 1, in <module>\n");
    log.append(OUT, "working\nworking\n");
    log.append(ERR, "    f()\nValueError: no\nnext\n");
    assert_eq!(
        texts(&log.texts()),
        [
            (
                Stderr,
                "Traceback (most recent call last):\n  File \"a.py\", line 1, in <module>\n    f()\nValueError: no"
            ),
            (Stdout, "working"),
            (Stdout, "working"),
            (Stderr, "next"),
        ]
    );
}

#[test]
fn silence_closes_a_record() {
    let mut log = Log::new();
    log.append(OUT, "one\n");
    log.pass(99);
    log.append(OUT, "  continued\n");
    log.pass(100);
    log.append(OUT, "  indented, but too late\n");
    assert_eq!(texts(&log.texts()), [(Stdout, "one\n  continued"), (Stdout, "  indented, but too late")]);
}

#[test]
fn a_line_of_ten_megabytes_comes_back_byte_for_byte_and_in_records_of_one() {
    for size in [1000, 4096, 65_536, 99_991, 1 << 20] {
        let mut log = Log::new();
        let mut line: Vec<u8> = (0..10 << 20).map(|at| b'a' + u8::try_from(at % 23).unwrap()).collect();
        line.push(b'\n');
        line.extend_from_slice(b"next\n");
        for chunk in line.chunks(size) {
            log.append(OUT, chunk);
        }
        assert!(log.raw() == line, "in chunks of {size}");
        let records = log.records();
        assert_eq!(records.len(), 12, "in chunks of {size}");
        for (index, record) in records[..10].iter().enumerate() {
            assert_eq!((record.text.len(), record.truncated, record.newline), (1 << 20, true, false), "record {index}");
        }
        // The newline of the long line stands alone: what came before it was full.
        assert_eq!((records[10].text.len(), records[10].newline), (0, true));
        assert_eq!(records[11].text, b"next");
    }
}

#[test]
fn the_last_records_are_found_over_all_segments() {
    let mut log = Log::with_max(64 << 10);
    for number in 0..3000 {
        log.append(if number % 3 == 0 { ERR } else { OUT }, format!("line {number:06}\n"));
    }
    assert!(log.names().len() > 4, "{:?}", log.names());
    for count in [0, 1, 20, 1000, 2500] {
        let expected: Vec<_> = (3000 - count..3000).map(|number| format!("line {number:06}")).collect();
        assert_eq!(log.last(count), expected, "the last {count}");
    }
    let all = log.records().len();
    assert_eq!(log.last(all + 7).len(), all);
    let filter = Filter { stream: Some(Stderr), ..Filter::default() };
    let found = records(&log.dir(), &filter, Some(2));
    assert_eq!(found.iter().map(|record| record.text.as_slice()).collect::<Vec<_>>(), [b"line 002994", b"line 002997"]);
    assert_eq!(log.raw_of(&filter, Some(2)), b"line 002994\nline 002997\n");
}

#[test]
fn a_filter_lets_through_what_it_names() {
    let mut log = Log::new();
    let web = |instance, run| Source { instance, run, ..OUT };
    for run in 1..=3 {
        log.append(web(0, run), format!("run {run} of 0\n  with more\n"));
        log.append(web(1, run), format!("run {run} of 1\n"));
        log.pass(1000);
    }
    let ask = |filter: Filter| -> Vec<String> {
        records(&log.dir(), &filter, None).into_iter().map(|record| String::from_utf8(record.text).unwrap()).collect()
    };
    assert_eq!(ask(Filter { run: Some(2), ..Filter::default() }), ["run 2 of 0\n  with more", "run 2 of 1"]);
    assert_eq!(ask(Filter { instance: Some(1), ..Filter::default() }), ["run 1 of 1", "run 2 of 1", "run 3 of 1"]);
    let since = Some(Timestamp::from_micros(EPOCH + 1_000_000));
    let until = Some(Timestamp::from_micros(EPOCH + 2_000_000));
    assert_eq!(ask(Filter { since, until, ..Filter::default() }), ["run 2 of 0\n  with more", "run 2 of 1"]);
    assert_eq!(log.reader().last_run(1).unwrap(), Some(3));
    assert_eq!(log.reader().last_run(7).unwrap(), None);
}

#[test]
fn another_writer_goes_on_where_the_last_one_stopped() {
    let mut log = Log::new();
    log.append(OUT, "one\ntwo, be");
    let now = log.now();
    log.writer().flush(now);
    log.reopen();
    assert_eq!(log.writer().last_run(0), Some(1));
    log.append(OUT, "gun before\n");
    log.pass(500);
    log.reopen();
    log.append(Source { run: 2, ..OUT }, "three\n");
    assert_eq!(texts(&log.texts()), [(Stdout, "one"), (Stdout, "two, begun before"), (Stdout, "three")]);
    assert_eq!(log.names(), ["00000001.idx", "current.log"]);
    assert_eq!(log.records().last().unwrap().number, 2);
    assert_eq!(log.writer().last_run(0), Some(2));
}

#[test]
fn clearing_leaves_an_empty_log_that_goes_on() {
    let mut log = Log::with_max(64 << 10);
    for _ in 0..2000 {
        log.append(OUT, "a line of the first part\n");
    }
    let now = log.now();
    log.writer().clear(now);
    assert_eq!((log.records().len(), log.raw().len(), log.names().len()), (0, 0, 2));
    log.append(OUT, "after\n");
    assert_eq!(log.last(5), ["after"]);
    assert_eq!(log.records()[0].number, 2000);
    assert_eq!(log.writer().last_run(0), Some(1));
}

#[test]
fn a_slow_service_pays_little_for_its_index() {
    let mut log = Log::new();
    let before = log.disk_bytes();
    for _ in 0..100 {
        log.append(OUT, [b'x'; 99]);
        log.append(OUT, "\n");
        log.pass(60_000);
    }
    let index = log.disk_bytes() - before - 100 * 100;
    assert!(index <= 100 * 11, "{index} bytes of index for 100 lines");
}

#[test]
fn files_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let log = Log::new();
    for name in log.names() {
        let mode = std::fs::metadata(log.dir().join(&name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o600, "{name}");
    }
    assert_eq!(std::fs::metadata(log.dir()).unwrap().permissions().mode() & 0o7777, 0o700);
}

//! Following logs as they grow, by inotify and with real time.

#![allow(clippy::unwrap_used, reason = "a failed step of a test is a failed test, in its helpers too")]

mod common;

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use common::{ERR, Log, OUT};
use resume_logstore::{Filter, Follower, Followers, Moment, Record, RecordStream, Retention, Start, Writer};

/// Waits for records until so many are there. A test that hangs fails by this, and never waits for it otherwise.
fn wait_for(followers: &mut Followers, count: usize) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    while found.len() < count {
        let new = followers.next(Some(Duration::from_secs(30))).unwrap();
        assert!(!new.is_empty(), "nothing came after {found:?}");
        found.extend(new.into_iter().map(|(log, record)| (log, String::from_utf8(record.text).unwrap())));
    }
    found
}

fn open(dir: &Path, max_bytes: u64) -> Writer {
    Writer::open(dir, Retention { max_bytes }, Moment::now()).unwrap()
}

fn is_quiet(followers: &Followers) -> bool {
    let mut fds = [rustix::event::PollFd::new(followers, rustix::event::PollFlags::IN)];
    let readable = rustix::event::poll(&mut fds, Some(&rustix::event::Timespec::default())).unwrap();
    readable == 0 && followers.deadline().is_none()
}

#[test]
fn the_last_records_come_first_and_then_what_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("log");
    let mut writer = open(&dir, 64 << 20);
    writer.append(Moment::now(), OUT, b"one\ntwo\nthree\n");
    let mut followers = Followers::new().unwrap();
    followers.add(&dir, Filter::default(), Start::Last(2));
    assert_eq!(wait_for(&mut followers, 2), [(0, "two".to_owned()), (0, "three".to_owned())]);
    writer.append(Moment::now(), OUT, b"four\n");
    assert_eq!(wait_for(&mut followers, 1), [(0, "four".to_owned())]);
    assert!(is_quiet(&followers), "it would wake up though nothing is written");
}

#[test]
fn nothing_of_before_comes_when_only_what_comes_is_wanted() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("log");
    let mut writer = open(&dir, 64 << 10);
    for _ in 0..3000 {
        writer.append(Moment::now(), OUT, b"a line of before\n");
    }
    let mut followers = Followers::new().unwrap();
    followers.add(&dir, Filter::default(), Start::Last(0));
    assert_eq!(followers.poll(Moment::now()).unwrap(), []);
    writer.append(Moment::now(), OUT, b"after\n");
    assert_eq!(wait_for(&mut followers, 1), [(0, "after".to_owned())]);
}

#[test]
fn every_line_comes_once_and_in_order_over_many_rotations() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("log");
    let writing = {
        let dir = dir.clone();
        thread::spawn(move || {
            // Segments of 128 KiB, and room for all of them.
            let mut writer = open(&dir, 64 << 20);
            writer.set_retention(Retention { max_bytes: 1 << 20 });
            for number in 0..8000 {
                writer.append(Moment::now(), OUT, format!("{number:099}\n").as_bytes());
            }
            writer.end_of_run(Moment::now(), 0, 1);
            writer.disk_bytes()
        })
    };
    let mut followers = Followers::new().unwrap();
    followers.add(&dir, Filter::default(), Start::Beginning);
    let found = wait_for(&mut followers, 8000);
    for (number, (_, text)) in found.iter().enumerate() {
        assert_eq!(text.parse(), Ok(number));
    }
    assert!(writing.join().unwrap() > 512 << 10);
    assert!(fs::read_dir(&dir).unwrap().count() > 6);
}

#[test]
fn a_log_that_does_not_exist_yet_is_followed_from_its_beginning() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("services/web/log");
    let mut followers = Followers::new().unwrap();
    followers.add(&dir, Filter::default(), Start::Last(0));
    assert_eq!(followers.poll(Moment::now()).unwrap(), []);
    let writing = thread::spawn(move || {
        let mut writer = open(&dir, 64 << 20);
        writer.append(Moment::now(), OUT, b"first\n");
    });
    assert_eq!(wait_for(&mut followers, 1), [(0, "first".to_owned())]);
    writing.join().unwrap();
}

#[test]
fn deletion_and_recreation_of_the_folder_is_followed() {
    let folder = tempfile::tempdir().unwrap();
    let service = folder.path().join("services/web");
    let dir = service.join("log");
    let mut followers = Followers::new().unwrap();
    followers.add(&dir, Filter::default(), Start::Beginning);
    for round in 0..5 {
        let mut writer = open(&dir, 64 << 20);
        writer.append(Moment::now(), OUT, format!("round {round}\nunfinished {round}").as_bytes());
        writer.flush(Moment::now());
        if round % 2 == 0 {
            // It has to be seen before it goes; otherwise it never was.
            assert_eq!(wait_for(&mut followers, 1)[0].1, format!("round {round}"));
            fs::remove_dir_all(&service).unwrap();
            assert_eq!(wait_for(&mut followers, 1)[0].1, format!("unfinished {round}"));
        } else {
            assert_eq!(wait_for(&mut followers, 1)[0].1, format!("round {round}"));
            fs::rename(&dir, service.join(format!("old-{round}"))).unwrap();
            assert_eq!(wait_for(&mut followers, 1)[0].1, format!("unfinished {round}"));
        }
    }
}

#[test]
fn many_logs_are_followed_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut followers = Followers::new().unwrap();
    let dirs: Vec<_> = (0..20).map(|number| folder.path().join(format!("{number}/log"))).collect();
    let mut writers: Vec<_> = dirs.iter().map(|dir| open(dir, 64 << 20)).collect();
    for dir in &dirs {
        followers.add(dir, Filter::default(), Start::Last(0));
    }
    assert_eq!(followers.poll(Moment::now()).unwrap(), []);
    for round in 0..3 {
        for (number, writer) in writers.iter_mut().enumerate() {
            writer.append(Moment::now(), ERR, format!("{number} in {round}\n").as_bytes());
        }
        let mut found = wait_for(&mut followers, 20);
        found.sort();
        let expected: Vec<_> = (0..20).map(|number| (number, format!("{number} in {round}"))).collect();
        assert_eq!(found, expected);
    }
    assert!(is_quiet(&followers));
}

#[test]
fn a_trace_comes_whole_though_it_is_written_line_by_line() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("log");
    let mut writer = open(&dir, 64 << 20);
    let mut followers = Followers::new().unwrap();
    followers.add(&dir, Filter::default(), Start::Last(0));
    let now = Moment::now();
    let trace = "Error: no\n    at a (a.js:1:1)\n    at b (a.js:2:1)\n";
    let mut early = followers.poll(now).unwrap();
    for line in trace.split_inclusive('\n') {
        // One moment for all: how long this takes here must not matter.
        writer.append(now, ERR, line.as_bytes());
        early.extend(followers.poll(now).unwrap());
    }
    assert_eq!(early, []);
    assert_eq!(wait_for(&mut followers, 1), [(0, trace.trim_end().to_owned())]);
}

#[test]
fn last_words_without_a_newline_come_when_the_run_has_ended() {
    let mut log = Log::new();
    let mut follower = Follower::new(&log.dir(), Filter::default(), Start::Beginning);
    let mut found = Vec::new();
    log.append(OUT, "last words");
    log.pass(5000);
    follower.poll(log.now(), &mut found).unwrap();
    assert_eq!((found.len(), follower.deadline()), (0, None));
    log.end_of_run(1);
    log.note("exited with code 1");
    follower.poll(log.now(), &mut found).unwrap();
    let texts: Vec<_> = found.iter().map(|record: &Record| record.text.as_slice()).collect();
    assert_eq!(texts, [&b"last words"[..], b"exited with code 1"]);
}

#[test]
fn a_follower_that_is_too_slow_is_told_what_it_missed() {
    let mut log = Log::with_max(64 << 10);
    let mut follower = Follower::new(&log.dir(), Filter::default(), Start::Beginning);
    let mut found = Vec::new();
    log.append(OUT, "one\n");
    log.pass(1000);
    follower.poll(log.now(), &mut found).unwrap();
    for number in 0..20_000 {
        log.append(OUT, format!("line {number:06}\n"));
    }
    log.end_of_run(1);
    follower.poll(log.now(), &mut found).unwrap();
    let gap = found.iter().position(|record| record.stream == RecordStream::Resume).unwrap();
    assert_eq!(found[0].text, b"one");
    assert_eq!(found[gap].text, b"some of the log was deleted before it could be shown");
    assert_eq!(found.last().unwrap().text, b"line 019999");
    assert_eq!(found.iter().filter(|record| record.stream == RecordStream::Resume).count(), 1);
}

#[test]
fn clearing_the_log_does_not_confuse_a_follower() {
    let mut log = Log::new();
    let mut follower = Follower::new(&log.dir(), Filter::default(), Start::Beginning);
    let mut found = Vec::new();
    for round in 0..3 {
        log.append(OUT, format!("before {round}\n"));
        log.pass(1000);
        follower.poll(log.now(), &mut found).unwrap();
        let now = log.now();
        log.writer().clear(now);
        log.append(OUT, format!("after {round}\n"));
        log.pass(1000);
        follower.poll(log.now(), &mut found).unwrap();
    }
    let texts: Vec<_> = found.iter().map(|record| String::from_utf8_lossy(&record.text).into_owned()).collect();
    assert_eq!(texts, ["before 0", "after 0", "before 1", "after 1", "before 2", "after 2"]);
}

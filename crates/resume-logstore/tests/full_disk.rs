//! A disk that is full, and one that cannot be written, for real: a small tmpfs in a mount namespace of its own.

#![allow(clippy::unwrap_used, reason = "a failed step of a test is a failed test, in its helpers too")]

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;

use common::{ERR, OUT, moment, records};
use resume_logstore::{Filter, RecordStream, Retention, Writer};

/// Set in the process that has the namespace: the folder to mount on.
const INNER: &str = "RESUME_TEST_MOUNT";

/// Runs the test of this name again in a mount namespace of its own, where `inner` is called with a tmpfs of 256 KiB.
fn on_a_small_disk(name: &str, inner: impl FnOnce(&Path)) {
    if let Some(disk) = std::env::var_os(INNER) {
        run("mount", &["-t", "tmpfs", "-o", "size=256k", "tmpfs"], Path::new(&disk));
        inner(Path::new(&disk));
        return;
    }
    let disk = tempfile::tempdir().unwrap();
    let test = std::env::current_exe().unwrap();
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "--"]).arg(test);
    let output = command.args([name, "--exact", "--nocapture"]).env(INNER, disk.path()).output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if err.starts_with("unshare:") {
        println!("not tried, because namespaces are not allowed here: {err}");
        return;
    }
    assert!(output.status.success() && out.contains("1 passed"), "{out}\n{err}");
}

fn run(program: &str, arguments: &[&str], path: &Path) {
    assert!(Command::new(program).args(arguments).arg(path).status().unwrap().success(), "{program} {arguments:?}");
}

/// Takes all the space that is left.
fn fill(disk: &Path) {
    let mut size = 128 << 10;
    for number in 0.. {
        match fs::write(disk.join(format!("filler-{number}")), vec![b'x'; size]) {
            Ok(()) => {}
            Err(_) if size > 1 => size /= 2,
            Err(_) => return,
        }
    }
}

fn make_room(disk: &Path) {
    for number in 0.. {
        if fs::remove_file(disk.join(format!("filler-{number}"))).is_err() {
            return;
        }
    }
}

fn texts(log: &Path) -> Vec<(RecordStream, String)> {
    let records = records(log, &Filter::default(), None);
    records.into_iter().map(|record| (record.stream, String::from_utf8(record.text).unwrap())).collect()
}

/// The records and bytes that the log itself says were dropped.
fn accounted(found: &[(RecordStream, String)]) -> (u64, u64) {
    let mut sum = (0, 0);
    for (_, text) in found.iter().filter(|(_, text)| text.starts_with("dropped ") && !text.contains("of resume:")) {
        let numbers: Vec<u64> =
            text.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse().ok()).collect();
        sum = (sum.0 + numbers[0], sum.1 + numbers[1]);
    }
    sum
}

#[test]
fn what_a_full_disk_does_not_take_is_dropped_whole_and_accounted_for() {
    on_a_small_disk("what_a_full_disk_does_not_take_is_dropped_whole_and_accounted_for", |disk| {
        let log = disk.join("log");
        let mut writer = Writer::open(&log, Retention::default(), moment(0)).unwrap();
        writer.append(moment(0), OUT, b"before\n");
        fill(disk);
        // The file's last page has some room left.
        let line = [b'y'; 99].iter().copied().chain([b'\n']).collect::<Vec<_>>();
        let mut written = 0;
        while writer.problem().is_none() {
            writer.append(moment(2), OUT, &line);
            written += 1;
        }
        assert!(writer.problem().unwrap().contains("No space left on device"), "{:?}", writer.problem());
        let dropped = writer.stats();
        assert_eq!((dropped.dropped_records, dropped.dropped_bytes), (1, 100));
        // Now that page is filled as well, so that nothing at all fits.
        let mut small = 0;
        while small == 0 || writer.problem().is_none() {
            writer.append(moment(2), ERR, b"\n");
            small += 1;
        }
        writer.append(moment(3), ERR, b"next\n");
        writer.append(moment(4), OUT, b"  continues what was dropped\nlost\n");
        writer.note(moment(5), Some((0, 1)), "lost");
        make_room(disk);
        writer.append(moment(6), OUT, b"  still of what was dropped\nafter\n");
        assert_eq!(writer.problem(), None);
        let stats = writer.stats();
        assert_eq!(stats.dropped_records, 4, "the long line, an empty one, `next` and `lost`");
        let found = texts(&log);
        assert_eq!(accounted(&found), (stats.dropped_records, stats.dropped_bytes), "{found:?}");
        let kept: Vec<_> = found.iter().filter(|(stream, _)| *stream != RecordStream::Resume).collect();
        assert_eq!(kept.len(), 1 + (written - 1) + (small - 1) + 1, "{found:?}");
        assert_eq!(found.last().unwrap().1, "after");
        let text = fs::read(log.join("current.log")).unwrap();
        let expected = [b"before\n".to_vec(), line.repeat(written - 1), b"\n".repeat(small - 1), b"after\n".to_vec()];
        assert!(text == expected.concat(), "what was dropped left something behind");
        drop(writer);
        let mut writer = Writer::open(&log, Retention::default(), moment(7)).unwrap();
        writer.append(moment(7), OUT, b"of another writer\n");
        assert_eq!(texts(&log).last().unwrap().1, "of another writer");
        assert_eq!(fs::read_dir(&log).unwrap().count(), 2, "the files agreed, so nothing had to be begun anew");
    });
}

#[test]
fn a_record_that_loses_its_end_is_named() {
    on_a_small_disk("a_record_that_loses_its_end_is_named", |disk| {
        let log = disk.join("log");
        let mut writer = Writer::open(&log, Retention::default(), moment(0)).unwrap();
        writer.append(moment(0), OUT, b"before\n");
        fill(disk);
        writer.append(moment(1), ERR, b"Error: torn\n    at a (a.js:1:1)\n");
        while writer.problem().is_none() {
            writer.append(moment(2), ERR, format!("    {:0200}\n", 0).as_bytes());
        }
        make_room(disk);
        writer.append(moment(3), ERR, b"    at b (a.js:2:1)\nafter\n");
        writer.append(moment(4), OUT, b"and after\n");
        let found = records(&log, &Filter::default(), None);
        let torn: Vec<_> = found.iter().filter(|record| record.truncated).collect();
        assert!(torn.len() == 1 && torn[0].text.starts_with(b"Error: torn\n    at a (a.js:1:1)"), "{torn:?}");
        assert!(!torn[0].text.ends_with(b"(a.js:2:1)"));
        assert_eq!(found.iter().filter(|record| record.stream == RecordStream::Stderr).count(), 2);
    });
}

#[test]
fn a_log_is_begun_when_there_is_room_for_it() {
    on_a_small_disk("a_log_is_begun_when_there_is_room_for_it", |disk| {
        let log = disk.join("log");
        fs::create_dir(&log).unwrap();
        fill(disk);
        let mut writer = Writer::open(&log, Retention::default(), moment(0)).unwrap();
        writer.append(moment(0), OUT, b"lost\n");
        assert!(writer.problem().is_some());
        make_room(disk);
        writer.append(moment(1), OUT, b"kept\n");
        let texts: Vec<_> = texts(&log).into_iter().map(|(_, text)| text).collect();
        assert_eq!(texts, ["dropped 1 records (5 bytes) of stdout: no space left on the device", "kept"]);
    });
}

#[test]
fn rotation_on_a_full_disk_loses_no_more_than_what_was_dropped() {
    on_a_small_disk("rotation_on_a_full_disk_loses_no_more_than_what_was_dropped", |disk| {
        let log = disk.join("log");
        let mut writer = Writer::open(&log, Retention { max_bytes: 1 << 20 }, moment(0)).unwrap();
        for number in 0..5000 {
            writer.append(moment(number), OUT, format!("{number:099}\n").as_bytes());
            if number == 3000 {
                make_room(disk);
                fs::remove_file(log.join("00000001.log")).unwrap();
            }
        }
        fs::remove_file(log.join("00000002.log")).unwrap();
        writer.append(moment(5000), OUT, format!("{:099}\n", 5000).as_bytes());
        let stats = writer.stats();
        let found = texts(&log);
        let kept = found.iter().filter(|(stream, _)| *stream != RecordStream::Resume).count() as u64;
        assert!(stats.dropped_records > 0 && kept > 0, "{stats:?}, {kept}");
        assert_eq!(accounted(&found), (stats.dropped_records, stats.dropped_bytes));
        assert_eq!(stats.records + stats.dropped_records, 5001);
        for (stream, text) in &found {
            assert!(*stream == RecordStream::Resume || text.len() == 99, "{text}");
        }
    });
}

#[test]
fn a_file_system_that_turns_read_only_is_a_problem_that_passes() {
    on_a_small_disk("a_file_system_that_turns_read_only_is_a_problem_that_passes", |disk| {
        let log = disk.join("log");
        let mut writer = Writer::open(&log, Retention::default(), moment(0)).unwrap();
        writer.append(moment(0), OUT, b"one\n");
        drop(writer);
        run("mount", &["-o", "remount,ro"], disk);
        let mut writer = Writer::open(&log, Retention::default(), moment(1)).unwrap();
        writer.append(moment(1), OUT, b"two\n");
        assert!(writer.problem().unwrap().contains("Read-only"), "{:?}", writer.problem());
        run("mount", &["-o", "remount,rw"], disk);
        writer.append(moment(2), OUT, b"three\n");
        assert_eq!(writer.problem(), None);
        let texts: Vec<_> = texts(&log).into_iter().map(|(_, text)| text).collect();
        assert_eq!(texts, ["one", "dropped 1 records (4 bytes) of stdout: the file system failed", "three"]);
    });
}

//! A writer that is killed at any instant, over and over.

#![allow(clippy::unwrap_used, reason = "a failed step of a test is a failed test, in its helpers too")]

mod common;

use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use common::{ERR, OUT, records};
use resume_logstore::{Filter, Moment, RecordStream, Retention, Writer};

/// Set in the process that writes: the folder of the log, and the number of the first line.
const WRITER: &str = "RESUME_TEST_WRITER";
const NAME: &str = "a_killed_writer_leaves_every_whole_line_and_no_other_once_and_in_order";

/// Writes numbered lines to both streams for ever, and a byte to standard error for each thousand.
fn write_for_ever(dir: &Path, mut number: u64) {
    let mut writer = Writer::open(dir, Retention { max_bytes: 64 << 20 }, Moment::now()).unwrap();
    writer.set_retention(Retention { max_bytes: 4 << 20 });
    loop {
        let source = if number.is_multiple_of(3) { ERR } else { OUT };
        let mut lines = Vec::new();
        for _ in 0..20 {
            writeln!(lines, "{number:08}\n  and more of it").unwrap();
            number += 1;
        }
        writer.append(Moment::now(), source, &lines);
        if number.is_multiple_of(1000) && std::io::stderr().write_all(b".").is_err() {
            return;
        }
    }
}

#[test]
fn a_killed_writer_leaves_every_whole_line_and_no_other_once_and_in_order() {
    if let Some(word) = std::env::var_os(WRITER) {
        let word = word.into_string().unwrap();
        let (number, dir) = word.split_once(' ').unwrap();
        return write_for_ever(Path::new(dir), number.parse().unwrap());
    }
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("log");
    let mut number = 0;
    for round in 0..30 {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args([NAME, "--exact", "--nocapture"]).env(WRITER, format!("{number} {}", dir.display()));
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        child.stderr.as_mut().unwrap().read_exact(&mut [0; 3]).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        let found = records(&dir, &Filter::default(), None);
        let (torn, whole): (Vec<_>, Vec<_>) = found.iter().partition(|record| !record.text.ends_with(b"more of it"));
        // What was written up to the kill; the killed batch may have left a part of its text.
        let numbers: Vec<u64> = whole
            .iter()
            .filter(|record| record.stream != RecordStream::Unknown)
            .map(|record| String::from_utf8_lossy(&record.text[..8]).parse().unwrap())
            .collect();
        let from = numbers.iter().rposition(|found| *found == number).unwrap_or(0);
        let expected: Vec<u64> = (numbers[from]..).take(numbers.len() - from).collect();
        assert_eq!(numbers[from..], expected, "round {round}");
        assert!(torn.len() <= round + 1, "round {round}: {torn:?}");
        number = numbers.last().unwrap() + 1;
        number = number.next_multiple_of(20);
    }
    assert!(fs::read_dir(&dir).unwrap().count() > 4);
}

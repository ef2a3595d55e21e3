//! The splitter over traces of real programs, and over arbitrary text.

#![allow(clippy::unwrap_used, reason = "a failed step of a test is a failed test, in its helpers too")]

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use resume_core::record::Splitter;

/// The numbers, from 1, of the lines that start a record, found line by line.
fn starts(text: &[u8]) -> Vec<usize> {
    let mut splitter = Splitter::default();
    let lines = text.split_inclusive(|b| *b == b'\n').enumerate();
    lines.filter_map(|(index, line)| splitter.line(line).then_some(index + 1)).collect()
}

fn corpus() -> Vec<(PathBuf, Vec<u8>, Vec<usize>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/records");
    let mut found: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "txt"))
        .map(|path| {
            let expected = fs::read_to_string(path.with_extension("starts")).unwrap();
            let expected = expected.split_whitespace().map(|number| number.parse().unwrap()).collect();
            (path.clone(), fs::read(path).unwrap(), expected)
        })
        .collect();
    found.sort();
    found
}

#[test]
fn traces_of_real_programs_are_split_as_a_person_would() {
    let (mut right, mut wrong, mut missed) = (0, 0, 0);
    for (path, text, expected) in corpus() {
        let found = starts(&text);
        let extra: Vec<_> = found.iter().filter(|line| !expected.contains(line)).collect();
        let lost: Vec<_> = expected.iter().filter(|line| !found.contains(line)).collect();
        right += found.len() - extra.len();
        wrong += extra.len();
        missed += lost.len();
        if !extra.is_empty() || !lost.is_empty() {
            println!("{}: cut at lines {extra:?}, not cut at {lost:?}", path.file_name().unwrap().display());
        }
    }
    let share = |part: usize, rest: usize| {
        f64::from(u32::try_from(part).unwrap()) / f64::from(u32::try_from(part + rest).unwrap())
    };
    let (precision, recall) = (share(right, wrong), share(right, missed));
    println!("{right} starts found: precision {precision:.3}, recall {recall:.3}");
    assert!(precision >= 0.97 && recall >= 0.99, "precision {precision:.3}, recall {recall:.3}");
}

#[test]
fn a_line_after_a_closed_record_starts_one_whatever_it_looks_like() {
    let mut splitter = Splitter::default();
    assert!(splitter.line(b"Traceback (most recent call last):\n"));
    splitter.close();
    assert!(splitter.line(b"  File \"a.py\", line 1\n"));
    assert!(!splitter.line(b"ValueError: x\n"));
    assert!(splitter.line(b"next\n"));
}

#[test]
fn a_long_line_costs_no_more_than_its_length() {
    // Each of these once invited a rule to look at the whole line for every byte of it.
    for pattern in ["a", " ^", "/x.", "a.b", "x.rb:3:in", "\x1b[31m"] {
        let text = pattern.repeat((10 << 20) / pattern.len());
        assert_eq!(starts(format!("error\n{text}\n").as_bytes())[0], 1);
    }
}

/// Text that meets many of the rules: lines of the corpus in any order, and lines of no sense between them.
fn texts() -> impl Strategy<Value = Vec<u8>> {
    let lines: Vec<Vec<u8>> = corpus()
        .into_iter()
        .flat_map(|(_, text, _)| text.split(|b| *b == b'\n').map(<[u8]>::to_vec).collect::<Vec<_>>())
        .collect();
    let line = prop_oneof![
        4 => prop::sample::select(lines),
        1 => prop::collection::vec(any::<u8>().prop_filter("no line end", |b| *b != b'\n'), 0..40),
        1 => "[ \t\\]\\)}^~.#:a-f\r\x1b]{0,8}".prop_map(String::into_bytes),
    ];
    prop::collection::vec(line, 0..60).prop_map(|lines| lines.join(&b'\n'))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_glance_at_many_lines_finds_what_a_look_at_each_finds(text in texts()) {
        let (mut splitter, mut number, mut at, mut found) = (Splitter::default(), 0, 0, Vec::new());
        while at < text.len() {
            let plain = splitter.plain_lines(&text[at..]);
            found.extend(number + 1..=number + plain.count);
            number += plain.count;
            at += plain.bytes;
            if let Some(line) = text[at..].split_inclusive(|b| *b == b'\n').next() {
                number += 1;
                at += line.len();
                if splitter.line(line) {
                    found.push(number);
                }
            }
        }
        prop_assert_eq!(found, starts(&text));
    }
}

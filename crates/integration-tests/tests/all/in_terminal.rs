//! What a person sees, in a terminal of a certain width.

use integration_tests::Sandbox;

use crate::{SLEEP, sandbox};

/// The lines that `resume` with these words prints in a terminal, colours taken out, and whether there were any.
fn lines(sandbox: &Sandbox, columns: u32, words: &[&str]) -> (Vec<String>, bool) {
    let outcome = sandbox.in_terminal(columns, [sandbox.program()].iter().chain(words)).outcome();
    let text = outcome.success().stdout_text().into_owned();
    (text.lines().map(without_colour).collect(), text.contains('\u{1b}'))
}

/// Takes out what begins with ESC and ends with a letter.
fn without_colour(line: &str) -> String {
    let mut parts = line.split('\u{1b}');
    let first = parts.next().unwrap_or_default().to_owned();
    first + &parts.map(|part| part.split_once(char::is_alphabetic).map_or("", |(_, rest)| rest)).collect::<String>()
}

fn three() -> Sandbox {
    let sandbox = sandbox();
    sandbox
        .start("web", &["sh", "-c", "exec sleep 600 # with a command line that is longer than any terminal is wide"]);
    sandbox.start("a-service-with-quite-a-long-name-of-fifty-characters", &SLEEP);
    sandbox.start("db", &SLEEP);
    sandbox
}

#[test]
fn a_table_fits_the_terminal_and_wraps_no_row() {
    let sandbox = three();
    for columns in [40, 60, 80, 120, 200] {
        for words in [&["ls"][..], &["ls", "--instances"], &["ls", "--no-usage"]] {
            let (lines, _) = lines(&sandbox, columns, words);
            assert!(lines.len() >= 4, "{lines:#?}");
            let widest = lines.iter().map(|line| line.chars().count()).max();
            assert!(widest <= usize::try_from(columns).ok(), "{columns} columns: {lines:#?}");
        }
        // Whatever is shortened, each is still there with its state.
        let (lines, _) = lines(&sandbox, columns, &["ls"]);
        assert_eq!(lines.iter().filter(|line| line.contains("running")).count(), 3, "{lines:#?}");
    }
}

#[test]
fn colours_are_for_terminals_unless_somebody_does_not_want_them() {
    let mut sandbox = three();
    assert!(lines(&sandbox, 80, &["ls"]).1);
    assert!(!lines(&sandbox, 80, &["ls", "--color", "never"]).1);
    assert!(!sandbox.resume(["ls"]).stdout_text().contains('\u{1b}'));
    sandbox.set("NO_COLOR", "1");
    assert!(!lines(&sandbox, 80, &["ls"]).1);
    assert!(lines(&sandbox, 80, &["ls", "--color", "always"]).1);
}

#[test]
fn an_error_has_its_words_in_a_terminal_too() {
    let sandbox = sandbox();
    let outcome = sandbox.in_terminal(80, [sandbox.program(), "stop", "nobody"]).outcome();
    outcome.code(3);
    assert!(without_colour(&outcome.stdout_text()).contains("error: there is no service `nobody`"), "{outcome}");
}

#[test]
fn data_is_never_coloured() {
    let sandbox = three();
    let (lines, coloured) = lines(&sandbox, 80, &["ls", "--json"]);
    assert!(!coloured, "{lines:?}");
}

//! With `--json` every verb answers with data.

use serde_json::{Value, json};

use crate::{SLEEP, sandbox};

#[test]
fn every_verb_answers_with_one_document_that_names_its_services() {
    let sandbox = sandbox();
    let start = ["--json", "start", "--name", "web", "--", "sleep", "600"];
    let verbs: [&[&str]; 6] = [
        &start,
        &["stop", "web", "--json"],
        &["start", "web", "--json"],
        &["--json", "restart", "web"],
        &["ls", "--json"],
        &["delete", "--json", "web"],
    ];
    for words in verbs {
        let outcome = sandbox.resume(words);
        outcome.success().no_stderr();
        let document = outcome.json();
        let text = document.to_string();
        assert!(text.contains("\"web\""), "{words:?}: {text}");
    }
}

#[test]
fn what_was_started_is_told_with_its_pids() {
    let sandbox = sandbox();
    let document = sandbox.resume(["--json", "start", "--name", "web", "--", "sleep", "600"]).success().json();
    let text = document.to_string();
    for pid in [sandbox.pid("web"), sandbox.supervisor("web")] {
        assert!(text.contains(&pid.to_string()), "{text}");
    }
}

#[test]
fn what_had_to_be_killed_is_told_with_its_pid() {
    let sandbox = sandbox();
    let mut channel = sandbox.channel();
    let words = [sandbox.helper(), "ignore-term", "say", channel.path(), "up", "hold"];
    let pid = sandbox.start_with("web", &["--stop-timeout", "50ms"], &words);
    channel.expect("up");
    let document = sandbox.resume(["stop", "web", "--json"]).success().json();
    assert!(document.to_string().contains(&pid.to_string()), "{document}");
}

#[test]
fn nothing_is_an_empty_array() {
    let sandbox = sandbox();
    for words in
        [&["ls", "--json"][..], &["stop", "all", "--json"], &["delete", "x*", "--json"], &["start", "@g", "--json"]]
    {
        assert_eq!(sandbox.resume(words).success().json(), json!([]), "{words:?}");
    }
}

#[test]
fn logs_are_one_object_a_line() {
    let sandbox = sandbox();
    sandbox.start("web", &[sandbox.helper(), "print", "3", "hold"]);
    sandbox.record_with("web", "line 3");
    let records = sandbox.resume(["--json", "logs", "web"]).success().json_lines();
    assert!(records.len() >= 3);
    assert!(records.iter().all(Value::is_object));
}

#[test]
fn run_prints_the_programs_output_all_the_same() {
    let sandbox = sandbox();
    let words = ["--json", "run", "--restart", "never", "--name", "web", "--", sandbox.helper(), "print", "1"];
    let outcome = sandbox.resume(words);
    outcome.success().stdout_has(&["line 1\n"]);
}

#[test]
fn what_can_be_done_and_what_cannot_are_told_apart() {
    let sandbox = sandbox();
    sandbox.start("web", &SLEEP);
    let outcome = sandbox.resume(["stop", "web", "nobody", "--json"]);
    outcome.code(3);
    assert!(outcome.json().to_string().contains("\"web\""), "{outcome}");
    let error: Value = serde_json::from_slice(&outcome.stderr).unwrap();
    assert!(error["error"]["message"].as_str().unwrap().contains("nobody"), "{outcome}");
}

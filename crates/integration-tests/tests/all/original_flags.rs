//! The flags of the original tool, each the same as a verb.

use integration_tests::{Ending, Sandbox};
use serde_json::json;

use crate::{SLEEP, TERM, sandbox};

fn pid_text(sandbox: &Sandbox) -> String {
    sandbox.pid("web").to_string()
}

#[test]
fn r_runs_a_file() {
    let sandbox = sandbox();
    let script = sandbox.script("hello.sh", "#!/bin/sh\necho hello\nexec sleep 600\n");
    let mut run = sandbox.spawn(["-r", &script]);
    run.line_with("hello");
    assert_eq!(sandbox.service("hello")["command"], json!([script]));
    run.signal(TERM);
    run.outcome().code(128 + TERM);
}

#[test]
fn l_lists_in_its_own_columns() {
    let sandbox = sandbox();
    let pid = sandbox.start("web", &[sandbox.helper(), "out", "hello", "hold"]);
    let supervisor = sandbox.supervisor("web");
    let outcome = sandbox.resume(["-l"]);
    let text = outcome.success().stdout_text().into_owned();
    let rows: Vec<&str> = text.lines().collect();
    assert_eq!(rows.len(), 2, "{text}");
    let words: Vec<&str> = rows[1].split_whitespace().collect();
    assert_eq!(words[..3], [&pid.to_string(), &supervisor.to_string(), "web"], "{text}");
    // The last column is a file that any tool can read.
    sandbox.record_with("web", "hello");
    let log = std::fs::read_to_string(words.last().unwrap()).unwrap();
    assert_eq!(log, "hello\n");
}

#[test]
fn s_stops_by_the_pid_of_the_program_or_of_its_supervisor() {
    let sandbox = sandbox();
    for of_supervisor in [false, true] {
        let program = Ending::of(sandbox.start_with("web", &["--replace"], &SLEEP));
        let pid = if of_supervisor { sandbox.supervisor("web").to_string() } else { pid_text(&sandbox) };
        sandbox.resume(["-s", &pid]).success();
        assert!(!program.is_alive());
        assert_eq!(sandbox.state("web"), "stopped");
    }
}

#[test]
fn capital_r_restarts_by_the_pid() {
    let sandbox = sandbox();
    for of_supervisor in [false, true] {
        let before = sandbox.start_with("web", &["--replace"], &SLEEP);
        let pid = if of_supervisor { sandbox.supervisor("web").to_string() } else { pid_text(&sandbox) };
        sandbox.resume(["-R", &pid]).success();
        assert_ne!(sandbox.pid("web"), before);
    }
}

#[test]
fn capital_l_shows_the_whole_log_by_the_pid() {
    let sandbox = sandbox();
    sandbox.start("web", &[sandbox.helper(), "print", "30", "hold"]);
    sandbox.record_with("web", "line 30");
    for pid in [pid_text(&sandbox), sandbox.supervisor("web").to_string()] {
        let outcome = sandbox.resume(["-L", &pid]);
        let lines = outcome.success().stdout_text().lines().filter(|line| line.contains("line ")).count();
        assert_eq!(lines, 30, "{outcome}");
    }
}

#[test]
fn a_pid_of_nobody_is_3() {
    let sandbox = sandbox();
    for flag in ["-s", "-R", "-L"] {
        sandbox.resume([flag, "99999999"]).error(3, &["99999999"]);
    }
}

#[test]
fn h_and_capital_v_answer_on_stdout() {
    let sandbox = sandbox();
    for flag in ["-h", "--help"] {
        sandbox
            .resume([flag])
            .success()
            .stdout_has(&["start", "stop", "restart", "delete", "ls", "logs", "run"])
            .no_stderr();
    }
    let version = format!("resume {}\n", env!("CARGO_PKG_VERSION"));
    for flag in ["-V", "--version"] {
        let outcome = sandbox.resume([flag]);
        outcome.success().no_stderr();
        assert_eq!(outcome.stdout_text(), version);
    }
}

#[test]
fn every_verb_has_a_help() {
    let sandbox = sandbox();
    for verb in ["run", "start", "stop", "restart", "delete", "ls", "logs"] {
        sandbox.resume([verb, "--help"]).success().stdout_has(&["Usage:", verb]).no_stderr();
        sandbox.resume([verb, "-h"]).success().stdout_has(&["Usage:"]);
    }
}

#[test]
fn no_word_at_all_is_a_usage_error_with_an_overview() {
    let sandbox = sandbox();
    sandbox.resume([""; 0]).code(2).no_stdout().stderr_has(&["start"]);
}

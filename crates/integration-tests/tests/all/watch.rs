//! What a person sees who waits: `ls --watch`, and how far a verb is.

use integration_tests::{Running, children_of, signal};
use serde_json::Value;

use crate::{INT, SLEEP, TERM, sandbox};

/// Interrupts the one program that runs in a terminal.
#[track_caller]
fn interrupt(terminal: &Running) {
    let children = children_of(terminal.pid());
    assert_eq!(children.len(), 1, "{children:?}");
    signal(children[0], INT);
}

#[test]
fn a_watched_list_is_drawn_anew_at_each_change_until_it_is_interrupted() {
    let sandbox = sandbox();
    sandbox.start("web", &SLEEP);
    let mut screen = sandbox.in_terminal(80, [sandbox.program(), "ls", "--watch"]);
    assert!(screen.line_with("NAME").contains("\u{1b}[H"));
    screen.line_with("web");
    sandbox.start("later", &SLEEP);
    screen.line_with("later");
    sandbox.resume(["stop", "later"]).success();
    screen.line_with("stopped");
    sandbox.resume(["delete", "all"]).success();
    screen.line_with("no services");
    interrupt(&screen);
    screen.outcome().success();
}

#[test]
fn a_pipe_gets_an_array_a_line_as_data_and_else_an_error() {
    let sandbox = sandbox();
    sandbox.resume(["ls", "--watch"]).error(2, &["`--watch`"]).hint(&["resume events"]);
    sandbox.resume(["-l", "--watch"]).error(2, &["`-l`"]);
    let mut watched = sandbox.spawn(["ls", "--watch", "--json"]);
    let mut next = || serde_json::from_str::<Value>(&watched.line().unwrap()).unwrap();
    assert_eq!(next(), Value::Array(Vec::new()));
    let pid = sandbox.start("web", &SLEEP);
    while next()[0]["pid"] != pid {}
    watched.signal(TERM);
    watched.outcome().success();
    sandbox.resume(["ls", "--watch", "nobody"]).code(2);
}

#[test]
fn whoever_waits_for_several_services_is_told_how_far_it_is() {
    let sandbox = sandbox();
    for name in ["one", "two"] {
        let stubborn = ["sh", "-c", "trap '' TERM; while :; do sleep 600; done"];
        sandbox.start_with(name, &["--stop-timeout", "1500ms"], &stubborn);
    }
    let stopped = sandbox.in_terminal(80, [sandbox.program(), "stop", "all"]).outcome();
    // The line is taken back before the answer comes.
    stopped.success().stdout_has(&["stopping 2 of 2: one, two", "\r\u{1b}[Kstopped `one`"]);
    sandbox.resume(["start", "all"]).success().no_stderr();
    let quiet = sandbox.in_terminal(80, [sandbox.program(), "stop", "all", "--quiet"]).outcome();
    assert!(!quiet.success().stdout_text().contains("stopping"), "{quiet}");
}

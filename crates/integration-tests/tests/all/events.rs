//! What happens, as a stream.

use integration_tests::{Running, Sandbox};
use serde_json::Value;

use crate::{INT, SLEEP, TERM, sandbox};

fn next(stream: &mut Running) -> Value {
    let line = stream.line().expect("the stream goes on until it is told to stop");
    serde_json::from_str(&line).expect("an event is JSON")
}

/// Reads on until a service is in a state.
fn until(stream: &mut Running, service: &str, state: &str) -> Value {
    loop {
        let event = next(stream);
        if event["service"] == service && event["state"] == state {
            return event;
        }
    }
}

fn numbers(events: &[Value]) -> Vec<u64> {
    events.iter().map(|event| event["seq"].as_u64().unwrap()).collect()
}

/// The stream from the first event on, of which the first has come: so it follows.
fn following(sandbox: &Sandbox, words: &[&str]) -> Running {
    let mut stream = sandbox.spawn(["events"].iter().chain(words).chain(&["--since", "0"]));
    next(&mut stream);
    stream
}

#[test]
fn what_happens_is_told_and_services_made_later_join_in() {
    let sandbox = sandbox();
    sandbox.start("web", &SLEEP);
    let mut stream = following(&sandbox, &[]);
    until(&mut stream, "web", "running");
    sandbox.start("db", &SLEEP);
    assert_eq!(until(&mut stream, "db", "starting")["seq"], 1);
    until(&mut stream, "db", "running");
    sandbox.resume(["stop", "web"]).success();
    let ended = loop {
        let event = next(&mut stream);
        if event["event"] == "ended" {
            break event;
        }
    };
    assert_eq!((&ended["service"], &ended["signal"]), (&"web".into(), &"SIGTERM".into()));
    until(&mut stream, "web", "stopped");
    sandbox.resume(["delete", "db"]).success();
    sandbox.start("db", &SLEEP);
    until(&mut stream, "db", "running");
    stream.signal(INT);
    stream.outcome().success().no_stderr();
}

#[test]
fn an_empty_home_can_be_followed() {
    let sandbox = sandbox();
    // From the first event on, so that it does not matter which of the two is quicker.
    let mut stream = sandbox.spawn(["events", "@group", "--since", "0"]);
    sandbox.start_with("web", &["--group", "group"], &SLEEP);
    assert_eq!(until(&mut stream, "web", "running")["run"], 1);
    stream.signal(TERM);
    stream.outcome().success().no_stderr();
}

#[test]
fn a_stream_is_taken_up_where_it_was_left() {
    let sandbox = sandbox();
    sandbox.start("web", &SLEEP);
    sandbox.resume(["restart", "web"]).success();
    sandbox.resume(["stop", "web"]).success();
    let all = sandbox.resume(["events", "web", "--no-follow"]).success().json_lines();
    assert_eq!(numbers(&all), (1..=all.len() as u64).collect::<Vec<_>>());
    let rest = sandbox.resume(["events", "web", "--no-follow", "--since", "3"]).success().json_lines();
    assert_eq!(rest, all[3..]);
    let stored = std::fs::read(sandbox.service_dir("web").join("events.jsonl")).unwrap();
    assert_eq!(sandbox.resume(["events", "--no-follow"]).success().stdout, stored);
}

#[test]
fn several_services_are_merged_in_the_order_of_time() {
    let sandbox = sandbox();
    sandbox.start("web", &SLEEP);
    sandbox.start("db", &SLEEP);
    sandbox.resume(["restart", "web"]).success();
    let all = sandbox.resume(["events", "web", "db", "--no-follow"]).success().json_lines();
    let times: Vec<_> = all.iter().map(|event| event["time"].as_str().unwrap()).collect();
    assert!(times.is_sorted(), "{times:?}");
    assert!(all.iter().any(|event| event["service"] == "db"));
    sandbox.resume(["events", "nobody"]).error(3, &["`nobody`"]);
    sandbox.resume(["events", "no*", "--no-follow"]).success().no_stdout();
}

#[test]
fn it_ends_when_nobody_reads_any_more() {
    let sandbox = sandbox();
    sandbox.start("web", &SLEEP);
    let mut stream = following(&sandbox, &["web"]);
    stream.close_stdout();
    stream.outcome().success().no_stderr();
}

#[test]
fn nothing_is_lost_or_doubled_while_a_full_history_gives_way_to_another() {
    let sandbox = sandbox();
    sandbox.start("web", &SLEEP);
    let folder = sandbox.service_dir("web");
    // As its supervisor does it.
    let mut stream = following(&sandbox, &["web"]);
    until(&mut stream, "web", "running");
    std::fs::rename(folder.join("events.jsonl"), folder.join("events.old.jsonl")).unwrap();
    sandbox.resume(["stop", "web"]).success();
    until(&mut stream, "web", "stopped");
    sandbox.resume(["start", "web"]).success();
    until(&mut stream, "web", "running");
    let all = sandbox.resume(["events", "web", "--no-follow"]).success().json_lines();
    assert_eq!(numbers(&all), (1..=all.len() as u64).collect::<Vec<_>>());
}

//! The runs of a service and why each ended.

use std::fs;

use integration_tests::signal;
use serde_json::Value;

use crate::{KILL, SLEEP, sandbox};

fn array(value: Value) -> Vec<Value> {
    match value {
        Value::Array(values) => values,
        other => panic!("expected an array, got {other}"),
    }
}

#[test]
fn each_run_is_told_with_its_cause_and_its_last_words() {
    let sandbox = sandbox();
    let words = [sandbox.helper(), "print", "7", "err", "boom", "exit", "3"];
    let options = ["start", "--name", "bad", "--max-restarts", "1", "--backoff", "1ms..1ms", "--"];
    sandbox.resume(options.iter().chain(&words)).code(1);
    sandbox.until_state("bad", "failed");
    let outcome = sandbox.resume(["why", "bad"]);
    outcome.success().stdout_has(&[
        "run 1  exited with code 3\n",
        "run 2  exited with code 3\n",
        "| boom\n",
        "| line 7\n",
        "`bad` gave up just now: 2 short runs in a row",
    ]);
    assert!(!outcome.stdout_text().contains("line 1\n"), "only the last words: {outcome}");
    let runs = array(sandbox.resume(["why", "bad", "--json"]).success().json());
    assert_eq!(runs.len(), 2);
    assert_eq!((&runs[1]["run"], &runs[1]["code"], &runs[1]["reason"]), (&2.into(), &3.into(), &"exit".into()));
    assert_eq!(runs[1]["last_words"].as_array().unwrap().len(), 5);
    assert!(runs[1]["peak_memory_bytes"].as_u64().unwrap() > 0);
    assert_eq!(array(sandbox.resume(["why", "bad", "-n", "1", "--json"]).success().json()).len(), 1);
    sandbox.resume(["why", "-n", "1", "bad"]).success().stdout_has(&["1 earlier run: `resume why -n all bad`"]);
}

#[test]
fn the_present_run_comes_last_and_the_present_state_below() {
    let sandbox = sandbox();
    let first = sandbox.start("web", &SLEEP);
    signal(first, KILL);
    sandbox.until_run("web", 2);
    let pid = sandbox.pid("web");
    let outcome = sandbox.resume(["why", "web"]);
    outcome.success().stdout_has(&["run 1  killed by SIGKILL", "run 2  still runs", &format!("pid {pid})")]);
    sandbox.resume(["restart", "web"]).success();
    sandbox.resume(["stop", "web"]).success();
    let outcome = sandbox.resume(["why", "web"]);
    outcome.success().stdout_has(&[
        "run 2  restarted by a person: killed by SIGTERM",
        "run 3  stopped by a person: killed by SIGTERM",
        "`web` has been stopped for",
    ]);
}

#[test]
fn a_history_is_told_without_a_supervisor_and_over_torn_files() {
    let sandbox = sandbox();
    sandbox.start("web", &SLEEP);
    sandbox.resume(["restart", "web"]).success();
    sandbox.resume(["stop", "web"]).success();
    let folder = sandbox.service_dir("web");
    fs::write(folder.join("state.json"), "{\"vers").unwrap();
    let history = fs::read_to_string(folder.join("events.jsonl")).unwrap();
    fs::write(folder.join("events.jsonl"), format!("{{\"torn\n{history}{{\"version\":1,\"se")).unwrap();
    let runs = array(sandbox.resume(["why", "web", "--json"]).success().json());
    let reasons: Vec<_> = runs.iter().map(|run| run["reason"].as_str().unwrap()).collect();
    assert_eq!(reasons, ["restarted", "stopped"]);
    fs::remove_file(folder.join("events.jsonl")).unwrap();
    sandbox.resume(["why", "web"]).success().stdout_has(&["`web` has been stopped"]);
}

#[test]
fn of_several_instances_one_can_be_asked_for() {
    let sandbox = sandbox();
    sandbox.start_with("web", &["--instances", "2"], &SLEEP);
    sandbox.resume(["stop", "web:1"]).success();
    let runs = array(sandbox.resume(["why", "web:1", "--json"]).success().json());
    assert_eq!(runs.len(), 1);
    assert_eq!((&runs[0]["instance"], &runs[0]["reason"]), (&1.into(), &"stopped".into()));
    sandbox.resume(["why", "web"]).success().stdout_has(&["`web:0` has been running", "`web:1` has been stopped"]);
    sandbox.resume(["why", "nobody"]).error(3, &["`nobody`"]);
}

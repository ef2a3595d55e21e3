//! The main job: something is started, it stays up, it can be stopped and forgotten.

use std::time::{Duration, Instant};

use integration_tests::{Ending, Sandbox, get, node, python, signal};
use serde_json::Value;

use crate::{KILL, SLEEP, program, sandbox};

/// Waits until `examples/server.js` has said in run `run` where it listens, and returns the port.
fn port_of(sandbox: &Sandbox, run: u64) -> u16 {
    let mut follower = sandbox.spawn(["logs", "server", "-f", "-n", "all", "--output", "json"]);
    loop {
        let line = follower.line_with("listening on http://127.0.0.1:");
        let record: Value = serde_json::from_str(&line).unwrap();
        if record["run"] == run {
            let text = record["text"].as_str().unwrap();
            let (_, rest) = text.split_once("127.0.0.1:").unwrap();
            return rest.split(' ').next().unwrap().parse().unwrap();
        }
    }
}

fn pid_that_answers(port: u16) -> i64 {
    let answer: Value = serde_json::from_str(&get(port, "/")).unwrap();
    assert_eq!(answer["service"], "server");
    assert_eq!(answer["instance"], "0");
    answer["pid"].as_i64().unwrap()
}

#[test]
fn a_node_server_that_is_killed_is_back_with_another_pid_and_answers() {
    let mut sandbox = sandbox();
    sandbox.set("PORT", "0");
    let server = sandbox.write("server.js", include_str!("../../../../examples/server.js"));
    sandbox.resume(["start", "--interpreter", node(), &server]).success();
    let first = sandbox.pid("server");
    assert_eq!(pid_that_answers(port_of(&sandbox, 1)), i64::from(first));

    signal(first, KILL);
    sandbox.until_run("server", 2);
    let second = sandbox.pid("server");
    assert_ne!(first, second);
    assert_eq!(pid_that_answers(port_of(&sandbox, 2)), i64::from(second));
    let service = sandbox.service("server");
    assert_eq!(service["state"], "running");
    assert_eq!(service["restarts"], 1);
    assert_eq!(service["last_exit"]["signal"], "SIGKILL");
    assert_eq!(service["last_exit"]["reason"], "signal");

    sandbox.resume(["stop", "server"]).success().stdout_has(&["stopped `server`"]);
    assert_eq!(sandbox.texts("server", "stdout").last().unwrap(), "bye");
}

#[test]
fn a_node_script_that_throws_is_retried_and_its_stack_trace_is_one_record() {
    let sandbox = sandbox();
    let script = program("throws.js");
    let outcome = sandbox.resume(["start", "--name", "throws", "--backoff", "20s..20s", "--", node(), &script]);
    // It lives for about as long as it takes to be called up, so either is the truth.
    assert!([0, 1].contains(&outcome.exit_code()), "{outcome}");
    sandbox.until_state("throws", "backoff");
    let errors = sandbox.texts("throws", "stderr");
    let trace = errors.iter().find(|text| text.contains("no such database")).unwrap();
    assert!(trace.contains("\n    at Timeout.connect") && trace.contains("throws.js"), "{trace}");
    assert_eq!(sandbox.texts("throws", "stdout"), ["about to fail"]);
    let service = sandbox.service("throws");
    assert_eq!((&service["last_exit"]["code"], &service["last_exit"]["reason"]), (&1.into(), &"exit".into()));
}

#[test]
fn what_python_writes_through_asyncio_arrives_whole() {
    let sandbox = sandbox();
    sandbox.start("pipe", &[python(), &program("pipe.py")]);
    sandbox.record_with("pipe", "asyncio 5");
    let expected: Vec<String> = (1..=5).map(|number| format!("asyncio {number}")).collect();
    assert_eq!(sandbox.texts("pipe", "stdout"), expected);
}

#[test]
fn start_says_the_pids_of_the_program_and_of_its_supervisor() {
    let sandbox = sandbox();
    let outcome = sandbox.resume(["start", "--name", "web", "--", "sleep", "600"]);
    outcome.success().no_stderr();
    let (pid, supervisor) = (sandbox.pid("web"), sandbox.supervisor("web"));
    assert_eq!(outcome.stdout_text(), format!("started `web` (pid {pid}, supervisor {supervisor})\n"));
    assert!(Ending::of(pid).is_alive() && Ending::of(supervisor).is_alive());
}

#[test]
fn start_returns_when_the_program_has_lived_for_100_ms() {
    let sandbox = sandbox();
    let begun = Instant::now();
    sandbox.start("web", &SLEEP);
    assert!(begun.elapsed() >= Duration::from_millis(100));
    assert_eq!(sandbox.state("web"), "running");
}

#[test]
fn with_no_wait_start_returns_without_the_proof_that_it_is_up() {
    let sandbox = sandbox();
    // It would not be up for five seconds and is dead after 50 ms: only the one that does not wait calls that a success.
    let words = ["start", "--no-wait", "--restart", "never", "--name", "web", "--", "sleep", "0.05"];
    sandbox.resume(words).success();
    sandbox.until_state("web", "exited");
}

#[test]
fn quiet_says_nothing_but_errors() {
    let sandbox = sandbox();
    sandbox.resume(["--quiet", "start", "--name", "web", "--", "sleep", "600"]).success().no_stdout().no_stderr();
    sandbox.resume(["stop", "web", "--quiet"]).success().no_stdout().no_stderr();
    sandbox.resume(["--quiet", "stop", "nobody"]).error(3, &["nobody"]);
}

#[test]
fn stop_returns_when_nothing_is_left_and_what_is_down_is_stopped_with_success() {
    let sandbox = sandbox();
    let program = Ending::of(sandbox.start("web", &SLEEP));
    let supervisor = Ending::of(sandbox.supervisor("web"));
    sandbox.resume(["stop", "web"]).success().stdout_has(&["stopped `web`"]);
    assert!(!program.is_alive());
    // A supervisor with nothing to look after is not needed any more.
    supervisor.wait();
    let service = sandbox.service("web");
    assert_eq!((&service["state"], &service["desired"]), (&"stopped".into(), &"down".into()));
    assert_eq!((&service["pid"], &service["supervisor_pid"]), (&Value::Null, &Value::Null));
    assert_eq!(service["last_exit"]["reason"], "stopped");
    sandbox.resume(["stop", "web"]).success();
    assert_eq!(sandbox.state("web"), "stopped");
}

#[test]
fn a_stopped_service_is_started_by_its_name_with_the_spec_on_file() {
    let sandbox = sandbox();
    let first = sandbox.start_with("web", &["--stop-timeout", "7s"], &["sleep", "601"]);
    sandbox.resume(["stop", "web"]).success();
    sandbox.resume(["start", "web"]).success().stdout_has(&["started `web` (pid "]);
    let service = sandbox.service("web");
    assert_ne!(service["pid"], first);
    assert_eq!(service["state"], "running");
    assert_eq!(service["command"], serde_json::json!(["sleep", "601"]));
}

#[test]
fn restart_ends_the_run_and_begins_another_and_does_not_count_it() {
    let sandbox = sandbox();
    let first = Ending::of(sandbox.start("web", &SLEEP));
    sandbox.resume(["restart", "web"]).success().stdout_has(&["`web`"]);
    assert!(!first.is_alive());
    let service = sandbox.service("web");
    assert_eq!((&service["state"], &service["restarts"]), (&"running".into(), &0.into()));
    assert_eq!(service["last_exit"]["reason"], "restarted");
}

#[test]
fn restart_starts_what_is_down() {
    let sandbox = sandbox();
    sandbox.start("web", &SLEEP);
    sandbox.resume(["stop", "web"]).success();
    sandbox.resume(["restart", "web"]).success();
    assert_eq!(sandbox.state("web"), "running");
}

#[test]
fn delete_stops_a_service_and_forgets_it_with_its_log() {
    let sandbox = sandbox();
    let program = Ending::of(sandbox.start("web", &SLEEP));
    sandbox.resume(["delete", "web"]).success().stdout_has(&["`web`"]);
    assert!(!program.is_alive());
    assert!(!sandbox.service_dir("web").exists());
    assert_eq!(sandbox.services(), Vec::<Value>::new());
    sandbox.resume(["logs", "web"]).error(3, &["web"]);
}

#[test]
fn delete_forgets_what_is_down_too() {
    let sandbox = sandbox();
    sandbox.start("web", &SLEEP);
    sandbox.resume(["stop", "web"]).success();
    sandbox.resume(["delete", "web"]).success();
    assert!(!sandbox.service_dir("web").exists());
}

#[test]
fn delete_with_keep_logs_leaves_the_log_and_frees_the_name() {
    let sandbox = sandbox();
    for stopped_before in [false, true] {
        let said = format!("words to keep {stopped_before}");
        sandbox.start("web", &[sandbox.helper(), "out", &said, "hold"]);
        sandbox.record_with("web", &said);
        if stopped_before {
            sandbox.resume(["stop", "web"]).success();
        }
        sandbox.resume(["delete", "web", "--keep-logs"]).success();
        assert_eq!(sandbox.services(), Vec::<Value>::new());
        let log = std::fs::read_to_string(sandbox.service_dir("web").join("log/current.log")).unwrap();
        assert!(log.contains(&said), "{log}");
    }
    // The name is free, and the log of the old goes on with the new.
    sandbox.start("web", &SLEEP);
}

#[test]
fn the_log_is_a_plain_text_file_with_the_programs_bytes_alone() {
    let sandbox = sandbox();
    sandbox.start("web", &[sandbox.helper(), "print", "3", "err", "oops", "hold"]);
    sandbox.record_with("web", "oops");
    let log = std::fs::read_to_string(sandbox.service_dir("web").join("log/current.log")).unwrap();
    let mut lines: Vec<&str> = log.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["line 1", "line 2", "line 3", "oops"]);
}

#[test]
fn two_hundred_quick_restarts_leak_no_descriptor() {
    let sandbox = sandbox();
    let options = ["--min-uptime", "0s", "--max-restarts", "0", "--no-wait"];
    let script = sandbox.script("short.sh", "#!/bin/sh\necho run\n");
    let words = ["start", "--name", "web"].iter().chain(&options).chain(&["--"]).copied().chain([script.as_str()]);
    sandbox.resume(words).success();
    let at_run = |run: u64| {
        sandbox.until("web", &format!("at run {run}"), |status| status["instances"][0]["run"].as_u64() >= Some(run));
        let descriptors = format!("/proc/{}/fd", sandbox.supervisor("web"));
        std::fs::read_dir(descriptors).unwrap().count()
    };
    let (early, late) = (at_run(10), at_run(210));
    // Those that belong to one run come and go: a pidfd, the ends that a program is given.
    assert!(late <= early + 6, "{early} descriptors after 10 runs, {late} after 210");
    assert_eq!(sandbox.texts("web", "stdout").iter().filter(|text| *text != "run").count(), 0);
}

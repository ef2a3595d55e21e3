//! What follows the end of a run.

use integration_tests::{Ending, Sandbox, signal};
use serde_json::Value;

use crate::{KILL, SLEEP, TERM, sandbox};

/// Starts a program that ends as soon as it is read from the policy whether that is followed by another run.
fn start_short(sandbox: &Sandbox, options: &[&str], words: &[&str]) {
    let all = ["start", "--no-wait", "--name", "web"].iter().chain(options).chain(&["--"]).chain(words);
    sandbox.resume(all).success();
}

fn instance(state: &Value) -> &Value {
    &state["instances"][0]
}

#[test]
fn always_restarts_after_a_success() {
    let sandbox = sandbox();
    start_short(&sandbox, &["--backoff", "1ms..1ms"], &["true"]);
    sandbox.until("web", "restarted", |state| instance(state)["restarts"].as_u64() >= Some(1));
    assert_eq!(sandbox.service("web")["last_exit"]["code"], 0);
}

#[test]
fn on_failure_leaves_a_success() {
    let sandbox = sandbox();
    start_short(&sandbox, &["--restart", "on-failure"], &["true"]);
    let state = sandbox.until_state("web", "exited");
    assert_eq!(instance(&state)["run"], 1);
    let service = sandbox.service("web");
    assert_eq!((&service["state"], &service["desired"]), (&"exited".into(), &"up".into()));
    assert_eq!((&service["last_exit"]["code"], &service["last_exit"]["reason"]), (&0.into(), &"exit".into()));
    assert_eq!(service["pid"], Value::Null);
}

#[test]
fn on_failure_restarts_after_a_code_that_is_none_of_success() {
    let sandbox = sandbox();
    let options = ["--restart", "on-failure", "--success-code", "0", "--success-code", "3", "--backoff", "1ms..1ms"];
    start_short(&sandbox, &options, &["sh", "-c", "[ -e once ] && exit 3; touch once; exit 4"]);
    let state = sandbox.until_state("web", "exited");
    assert_eq!(instance(&state)["run"], 2);
    assert_eq!(instance(&state)["last_exit"]["code"], 3);
}

#[test]
fn on_failure_restarts_after_a_signal() {
    let sandbox = sandbox();
    let pid = sandbox.start_with("web", &["--restart", "on-failure"], &SLEEP);
    signal(pid, TERM);
    sandbox.until_run("web", 2);
    assert_eq!(sandbox.service("web")["last_exit"]["signal"], "SIGTERM");
}

#[test]
fn success_codes_replace_the_zero() {
    let sandbox = sandbox();
    let options = ["--restart", "on-failure", "--success-code", "3", "--backoff", "1ms..1ms"];
    start_short(&sandbox, &options, &["sh", "-c", "[ -e once ] && exit 3; touch once; exit 0"]);
    let state = sandbox.until_state("web", "exited");
    assert_eq!(instance(&state)["run"], 2);
}

#[test]
fn never_leaves_even_what_was_killed() {
    let sandbox = sandbox();
    let pid = sandbox.start_with("web", &["--restart", "never"], &SLEEP);
    signal(pid, KILL);
    let state = sandbox.until_state("web", "exited");
    assert_eq!((&instance(&state)["run"], &instance(&state)["last_exit"]["signal"]), (&1.into(), &"SIGKILL".into()));
}

#[test]
fn one_short_run_too_many_ends_in_failed_with_the_reason() {
    let sandbox = sandbox();
    start_short(&sandbox, &["--max-restarts", "3", "--backoff", "1ms..2ms"], &["sh", "-c", "echo why; exit 5"]);
    let state = sandbox.until_state("web", "failed");
    assert_eq!(instance(&state)["run"], 4);
    assert_eq!(instance(&state)["restarts"], 3);
    let failure = instance(&state)["failure"].as_str().unwrap();
    assert!(failure.contains("4 short runs"), "{failure}");
    let service = sandbox.service("web");
    assert_eq!((&service["state"], &service["last_exit"]["code"]), (&"failed".into(), &5.into()));
    assert!(service.to_string().contains("short runs"), "the reason is not in {service}");
    sandbox.resume(["ls"]).success().stdout_has(&["web", "failed"]);
    let account = sandbox.texts("web", "resume").join("\n");
    assert!(account.contains("gave up") && account.contains("4 short runs"), "{account}");
    assert_eq!(sandbox.texts("web", "stdout"), ["why"; 4]);
}

#[test]
fn the_pauses_double_from_the_least_to_the_most() {
    let sandbox = sandbox();
    start_short(&sandbox, &["--max-restarts", "5", "--backoff", "40ms..200ms"], &["sh", "-c", "exit 1"]);
    sandbox.until_state("web", "failed");
    let records = sandbox.resume(["logs", "web", "-n", "all", "--stream", "resume", "--output", "json"]);
    let mut ended = None;
    let mut pauses = Vec::new();
    for record in records.success().json_lines() {
        let at = micros(record["time"].as_str().unwrap());
        let text = record["text"].as_str().unwrap();
        if text.starts_with("exited") {
            ended = Some(at);
        } else if let Some(ended) = ended.filter(|_| text.starts_with("started")) {
            pauses.push(at - ended);
        }
    }
    assert_eq!(pauses.len(), 5, "{pauses:?}");
    // How much longer they took is the machine's affair; the jitter has tests of its own beside the policy.
    for (pause, least) in pauses.iter().zip([40_000, 80_000, 160_000, 200_000, 200_000]) {
        assert!(*pause >= least, "a pause of {pause} us instead of {least} in {pauses:?}");
    }
}

/// The microseconds of a time of day, which is all that tells two records of one test apart (but at midnight).
fn micros(time: &str) -> i64 {
    let digits = |range| -> i64 { time.get(range).and_then(|text: &str| text.parse().ok()).unwrap() };
    ((digits(11..13) * 60 + digits(14..16)) * 60 + digits(17..19)) * 1_000_000 + digits(20..26)
}

#[test]
fn with_no_limit_it_is_tried_for_ever() {
    let sandbox = sandbox();
    start_short(&sandbox, &["--max-restarts", "0", "--backoff", "1ms..1ms"], &["false"]);
    sandbox.until("web", "restarted more often than the default limit", |state| {
        instance(state)["restarts"].as_u64() >= Some(20)
    });
    assert_ne!(sandbox.state("web"), "failed");
}

#[test]
fn a_run_of_at_least_min_uptime_is_followed_at_once_and_does_not_count() {
    let sandbox = sandbox();
    let pid = sandbox.start_with("web", &["--min-uptime", "50ms", "--backoff", "30s..30s"], &SLEEP);
    signal(pid, KILL);
    // With a pause it would come after the deadline of this wait.
    let state = sandbox.until_run("web", 2);
    assert_eq!((&instance(&state)["short_runs"], &instance(&state)["restarts"]), (&0.into(), &1.into()));
}

#[test]
fn the_start_of_a_failed_service_begins_to_count_anew() {
    let sandbox = sandbox();
    let script = "[ -e mended ] && exec sleep 600; exit 1";
    start_short(&sandbox, &["--max-restarts", "2", "--backoff", "1ms..1ms"], &["sh", "-c", script]);
    sandbox.until_state("web", "failed");
    sandbox.write("mended", "");
    sandbox.resume(["start", "web"]).success();
    let state = sandbox.until_run("web", 4);
    assert_eq!((&instance(&state)["short_runs"], &instance(&state)["restarts"]), (&0.into(), &0.into()));
    assert_eq!(instance(&state)["failure"], Value::Null);
}

#[test]
fn a_start_of_what_waits_to_be_restarted_does_not_wait() {
    let sandbox = sandbox();
    let script = "[ -e mended ] && exec sleep 600; exit 1";
    start_short(&sandbox, &["--backoff", "30s..30s"], &["sh", "-c", script]);
    sandbox.until_state("web", "backoff");
    sandbox.write("mended", "");
    sandbox.resume(["start", "web"]).success();
    assert_eq!(sandbox.state("web"), "running");
}

#[test]
fn leftovers_of_a_run_are_ended_before_the_next_begins() {
    let sandbox = sandbox();
    let mut channel = sandbox.channel();
    let says = |word: &str| format!("say,{},{word} {{pid}},hold", channel.path());
    let words = [
        sandbox.helper(),
        "say",
        channel.path(),
        "run {pid}",
        "fork",
        &says("left"),
        "double-fork",
        &says("left"),
        "hold",
    ];
    sandbox.start_with("web", &["--min-uptime", "1ms"], &words);
    for run in 2..4 {
        let main = channel.expect_pid("run");
        let left = [(); 2].map(|()| Ending::of(channel.expect_pid("left")));
        sandbox.until_run("web", run - 1);
        signal(main, KILL);
        sandbox.until("web", "in the next run", |state| {
            instance(state)["run"] == run && instance(state)["process"].is_object()
        });
        assert_eq!(left.iter().filter(|it| it.is_alive()).count(), 0, "in run {run}");
    }
}

#[test]
fn a_leftover_that_ignores_term_is_killed_after_the_stop_timeout() {
    let sandbox = sandbox();
    let mut channel = sandbox.channel();
    let left = format!("ignore-term,say,{},left {{pid}},hold", channel.path());
    let options = ["--stop-timeout", "100ms", "--min-uptime", "1ms"];
    let main = sandbox.start_with("web", &options, &[sandbox.helper(), "fork", &left, "hold"]);
    let left = Ending::of(channel.expect_pid("left"));
    signal(main, KILL);
    let second = Ending::of(channel.expect_pid("left"));
    assert!(!left.is_alive() && second.is_alive());
}

#[test]
fn what_a_program_leaves_behind_under_never_is_ended_too() {
    let sandbox = sandbox();
    let mut channel = sandbox.channel();
    let left = format!("say,{},left {{pid}},hold", channel.path());
    start_short(&sandbox, &["--restart", "never"], &[sandbox.helper(), "double-fork", &left, "exit-after", "100"]);
    let left = Ending::of(channel.expect_pid("left"));
    sandbox.until_state("web", "exited");
    assert!(!left.is_alive());
}

#[test]
fn a_program_that_dies_as_it_starts_is_reported_with_its_last_words_and_kept() {
    let sandbox = sandbox();
    let words = ["start", "--name", "web", "--backoff", "20s..20s", "--", "sh", "-c", "echo no config >&2; exit 9"];
    let outcome = sandbox.resume(words);
    outcome.error(1, &["`web`", "9"]).stderr_has(&["no config", "still being retried, 1 of 16"]);
    let service = sandbox.service("web");
    assert_eq!((&service["state"], &service["desired"]), (&"backoff".into(), &"up".into()));
}

#[test]
fn a_program_that_a_signal_ends_as_it_starts_is_reported_with_the_signal() {
    let sandbox = sandbox();
    let words =
        ["start", "--name", "web", "--backoff", "20s..20s", "--max-restarts", "7", "--", "sh", "-c", "kill -9 $$"];
    sandbox.resume(words).error(1, &["`web`", "SIGKILL"]).stderr_has(&["still being retried, 1 of 7"]);
}

#[test]
fn a_program_that_is_not_retried_is_not_said_to_be() {
    let sandbox = sandbox();
    let outcome = sandbox.resume(["start", "--name", "web", "--restart", "never", "--", "sh", "-c", "exit 9"]);
    outcome.error(1, &["`web`", "9"]);
    assert!(!outcome.stderr_text().contains("retried"), "{outcome}");
    assert_eq!(sandbox.state("web"), "exited");
}

#[test]
fn restarts_count_the_automatic_ones_since_a_person_last_started_it() {
    let sandbox = sandbox();
    let mut pid = sandbox.start_with("web", &["--min-uptime", "1ms"], &SLEEP);
    for run in 2..4 {
        signal(pid, KILL);
        sandbox.until_run("web", run);
        assert_eq!(sandbox.service("web")["restarts"], run - 1);
        pid = sandbox.pid("web");
    }
    sandbox.resume(["restart", "web"]).success();
    assert_eq!(sandbox.service("web")["restarts"], 0);
}

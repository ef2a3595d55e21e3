//! Small things done to services that are there: a signal, counters at zero, an empty log.

use integration_tests::Ending;
use serde_json::json;

use crate::{SLEEP, sandbox};

#[test]
fn a_signal_reaches_the_main_process_however_it_is_written() {
    let sandbox = sandbox();
    for word in ["SIGUSR1", "usr1", "10"] {
        let mut channel = sandbox.channel();
        sandbox.start("web", &[sandbox.helper(), "trap", channel.path(), "hold"]);
        channel.expect_pid("ready");
        sandbox.resume(["signal", word, "web"]).success().stdout_has(&["sent SIGUSR1 to `web`"]);
        channel.expect("SIGUSR1");
        sandbox.resume(["delete", "web"]).success();
    }
    sandbox.resume(["signal", "SIGNOPE", "web"]).error(2, &["SIGNOPE"]);
}

#[test]
fn with_tree_a_signal_reaches_the_whole_tree() {
    let sandbox = sandbox();
    let (mut parent, mut child) = (sandbox.channel(), sandbox.channel());
    let fork = format!("trap,{},hold", child.path());
    sandbox.start("web", &[sandbox.helper(), "fork", &fork, "trap", parent.path(), "hold"]);
    child.expect_pid("ready");
    parent.expect_pid("ready");
    let outcome = sandbox.resume(["signal", "--tree", "HUP", "web", "--json"]);
    let expected = json!([{ "name": "web", "result": "signalled", "signal": "SIGHUP", "sent": 2 }]);
    assert_eq!(outcome.success().json(), expected);
    child.expect("SIGHUP");
    parent.expect("SIGHUP");
}

#[test]
fn what_is_down_takes_no_signal_and_a_pattern_passes_over_it() {
    let sandbox = sandbox();
    sandbox.start("web", &SLEEP);
    sandbox.start("down", &SLEEP);
    sandbox.resume(["stop", "down"]).success();
    sandbox.resume(["signal", "CONT", "down"]).error(4, &["`down`", "not running"]).hint(&["resume start down"]);
    let outcome = sandbox.resume(["signal", "CONT", "all"]);
    outcome.success().no_stderr();
    assert_eq!(outcome.stdout_text(), "sent SIGCONT to `web`\n");
    sandbox.resume(["signal", "CONT", "nobody"]).error(3, &["`nobody`"]);
}

#[test]
fn counters_are_zeroed_while_it_runs_and_while_it_is_down() {
    let sandbox = sandbox();
    sandbox.start_with(
        "web",
        &["--backoff", "1ms..1ms", "--min-uptime", "200ms"],
        &[sandbox.helper(), "exit-after", "250"],
    );
    sandbox.until("web", "restarted", |status| status["instances"][0]["restarts"].as_u64() >= Some(1));
    sandbox.resume(["stop", "web"]).success();
    assert!(sandbox.service("web")["restarts"].as_u64().unwrap() >= 1);
    sandbox.resume(["reset", "web"]).success().stdout_has(&["reset the counters of `web`"]);
    assert_eq!(sandbox.service("web")["restarts"], 0);
}

#[test]
fn a_service_that_runs_has_its_counters_zeroed_by_its_supervisor() {
    let sandbox = sandbox();
    let pid = sandbox.start("web", &SLEEP);
    integration_tests::signal(pid, crate::KILL);
    sandbox.until_run("web", 2);
    assert_eq!(sandbox.service("web")["restarts"], 1);
    sandbox.resume(["reset", "all"]).success();
    assert_eq!(sandbox.service("web")["restarts"], 0);
    assert_eq!(sandbox.state("web"), "running");
}

#[test]
fn a_log_is_emptied_while_it_is_written_and_while_it_is_not() {
    let sandbox = sandbox();
    sandbox.start("web", &[sandbox.helper(), "print", "3", "hold"]);
    sandbox.record_with("web", "line 3");
    sandbox.resume(["flush", "web"]).success().stdout_has(&["emptied the log of `web`"]);
    assert_eq!(sandbox.texts("web", "stdout"), [""; 0]);
    sandbox.resume(["restart", "web"]).success();
    sandbox.record_with("web", "line 3");
    sandbox.resume(["stop", "web"]).success();
    sandbox.resume(["flush", "all"]).success();
    assert_eq!(sandbox.texts("web", "stdout"), [""; 0]);
    sandbox.resume(["start", "web"]).success();
    sandbox.record_with("web", "line 3");
    assert_eq!(sandbox.texts("web", "stdout"), ["line 1", "line 2", "line 3"]);
}

#[test]
fn one_of_several_instances_has_no_log_to_empty() {
    let sandbox = sandbox();
    sandbox.start_with("web", &["--instances", "2"], &SLEEP);
    sandbox.resume(["flush", "web:1"]).error(2, &["`web`", "share a log"]).hint(&["resume flush web"]);
}

#[test]
fn what_outlived_its_supervisor_is_signalled_and_reset_all_the_same() {
    let sandbox = sandbox();
    let mut channel = sandbox.channel();
    sandbox.start("web", &[sandbox.helper(), "trap", channel.path(), "hold"]);
    channel.expect_pid("ready");
    let supervisor = Ending::of(sandbox.supervisor("web"));
    supervisor.signal(crate::KILL);
    supervisor.wait();
    sandbox.resume(["signal", "HUP", "web"]).success().stdout_has(&["sent SIGHUP to `web`"]);
    channel.expect("SIGHUP");
    sandbox.resume(["reset", "web"]).success();
    sandbox.resume(["flush", "web"]).success();
}

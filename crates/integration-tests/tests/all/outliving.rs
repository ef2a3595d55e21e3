//! A service outlives those who look after it.

use integration_tests::{Ending, Sandbox, signal};
use serde_json::Value;

use crate::{KILL, SLEEP, TERM, USR1, sandbox};

/// Ends the supervisor of `web` with a signal.
fn end_supervisor(sandbox: &Sandbox, number: i32) {
    let supervisor = Ending::of(sandbox.supervisor("web"));
    supervisor.signal(number);
    supervisor.wait();
}

#[test]
fn a_program_lives_and_writes_on_after_its_supervisor_was_killed() {
    for number in [TERM, KILL] {
        let sandbox = sandbox();
        let mut channel = sandbox.channel();
        let words =
            [sandbox.helper(), "trap", channel.path(), "print", "100", "say", channel.path(), "written {pid}", "hold"];
        let pid = sandbox.start("web", &words);
        channel.expect_pid("ready");
        end_supervisor(&sandbox, number);
        let service = sandbox.service("web");
        assert_eq!((&service["state"], &service["pid"]), (&"lost".into(), &pid.into()));
        assert_eq!(service["desired"], "up");
        // A broken pipe would end it here.
        signal(pid, USR1);
        channel.expect("SIGUSR1");
        assert_eq!(channel.expect_pid("written"), pid);

        sandbox.resume(["start", "web"]).success();
        let service = sandbox.service("web");
        assert_eq!(
            (&service["state"], &service["pid"], &service["restarts"]),
            (&"running".into(), &pid.into(), &0.into())
        );
        // What it wrote meanwhile is in the log, in order and once.
        sandbox.record_with("web", "line 100");
        let expected: Vec<String> = (1..=100).map(|line| format!("line {line}")).collect();
        assert_eq!(sandbox.texts("web", "stdout"), expected);
    }
}

#[test]
fn a_service_that_was_taken_over_is_stopped_with_its_tree_and_restarted_when_it_dies() {
    let sandbox = sandbox();
    let mut channel = sandbox.channel();
    let says = format!("say,{},child {{pid}},hold", channel.path());
    let pid = sandbox.start_with("web", &["--min-uptime", "1ms"], &[sandbox.helper(), "fork", &says, "hold"]);
    let first_child = Ending::of(channel.expect_pid("child"));
    end_supervisor(&sandbox, KILL);
    sandbox.resume(["start", "web"]).success();
    assert_eq!(sandbox.pid("web"), pid);
    signal(pid, KILL);
    let second_child = Ending::of(channel.expect_pid("child"));
    assert!(!first_child.is_alive());
    sandbox.until_run("web", 2);
    let last_exit = &sandbox.service("web")["last_exit"];
    // Who did not make it is not told how it ended; what is not known is not guessed.
    assert!(last_exit["reason"] == "unknown" || last_exit["signal"] == "SIGKILL", "{last_exit}");
    sandbox.resume(["stop", "web"]).success();
    assert!(!second_child.is_alive());
}

#[test]
fn a_lost_service_is_stopped_by_name() {
    let sandbox = sandbox();
    let program = Ending::of(sandbox.start("web", &SLEEP));
    end_supervisor(&sandbox, KILL);
    sandbox.resume(["stop", "web"]).success().stdout_has(&["stopped `web`"]);
    assert!(!program.is_alive());
    assert_eq!(sandbox.state("web"), "stopped");
}

#[test]
fn a_lost_service_is_stopped_with_its_whole_tree() {
    let sandbox = sandbox();
    let mut channel = sandbox.channel();
    let says = format!("say,{},child {{pid}},hold", channel.path());
    let main = Ending::of(sandbox.start("web", &[sandbox.helper(), "fork", &says, "setsid", &says, "hold"]));
    let children = [(); 2].map(|()| Ending::of(channel.expect_pid("child")));
    end_supervisor(&sandbox, KILL);
    sandbox.resume(["stop", "web"]).success();
    assert!(!main.is_alive());
    assert_eq!(children.iter().filter(|it| it.is_alive()).count(), 0);
}

#[test]
fn a_lost_service_is_restarted_and_not_doubled() {
    let sandbox = sandbox();
    let program = Ending::of(sandbox.start("web", &SLEEP));
    end_supervisor(&sandbox, KILL);
    sandbox.resume(["restart", "web"]).success();
    assert!(!program.is_alive());
    assert_eq!(sandbox.state("web"), "running");
}

#[test]
fn a_lost_service_is_deleted_with_its_program() {
    let sandbox = sandbox();
    let program = Ending::of(sandbox.start("web", &SLEEP));
    end_supervisor(&sandbox, KILL);
    sandbox.resume(["delete", "web"]).success();
    assert!(!program.is_alive());
    assert_eq!(sandbox.services(), Vec::<Value>::new());
}

#[test]
fn the_same_program_again_takes_over_a_lost_service() {
    let sandbox = sandbox();
    let script = sandbox.script("web.sh", "#!/bin/sh\nexec sleep 600\n");
    sandbox.resume(["start", &script]).success();
    let pid = sandbox.pid("web");
    end_supervisor(&sandbox, KILL);
    let outcome = sandbox.resume(["start", &script]);
    assert!([0, 4].contains(&outcome.exit_code()), "{outcome}");
    assert_eq!((sandbox.services().len(), sandbox.service("web")["pid"].as_i64()), (1, Some(pid.into())));
}

#[test]
fn a_program_that_died_while_nobody_looked_is_started_again() {
    let sandbox = sandbox();
    let pid = sandbox.start("web", &SLEEP);
    end_supervisor(&sandbox, KILL);
    let program = Ending::of(pid);
    program.signal(KILL);
    program.wait();
    sandbox.resume(["start", "web"]).success();
    assert_ne!(sandbox.pid("web"), pid);
    let account = sandbox.texts("web", "resume").join("\n");
    assert!(account.contains("no supervisor"), "{account}");
}

#[test]
fn runs_go_on_being_counted_over_supervisors() {
    let sandbox = sandbox();
    sandbox.start("web", &SLEEP);
    for run in 2..4 {
        sandbox.resume(["stop", "web"]).success();
        sandbox.resume(["start", "web"]).success();
        assert_eq!(sandbox.until_run("web", run)["instances"][0]["run"], run);
    }
    // With its state torn, the log still knows.
    sandbox.stop_for_good("web");
    std::fs::write(sandbox.service_dir("web").join("state.json"), "").unwrap();
    sandbox.resume(["start", "web"]).success();
    assert_eq!(sandbox.until_run("web", 4)["instances"][0]["run"], 4);
}

#[test]
fn all_at_once_can_be_killed_and_taken_over_again_and_again() {
    let sandbox = sandbox();
    let pid = sandbox.start("web", &SLEEP);
    for _ in 0..5 {
        end_supervisor(&sandbox, KILL);
        sandbox.resume(["start", "web"]).success();
        assert_eq!(sandbox.pid("web"), pid);
    }
}

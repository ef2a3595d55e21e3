//! What stop means: asked first, then forced, and nothing is left.

use integration_tests::{Ending, Look, children_of, node};

use crate::{KILL, SLEEP, USR1, sandbox};

#[test]
fn a_program_that_ignores_term_is_killed_after_its_stop_timeout_and_stop_says_so() {
    let sandbox = sandbox();
    let mut channel = sandbox.channel();
    let options = ["--stop-timeout", "200ms"];
    let words = [sandbox.helper(), "ignore-term", "say", channel.path(), "up", "hold"];
    let pid = sandbox.start_with("deaf", &options, &words);
    channel.expect("up");
    let program = Ending::of(pid);
    let outcome = sandbox.resume(["stop", "deaf"]);
    outcome.success().stdout_has(&["stopped `deaf`", "kill", &pid.to_string(), "helper-child"]);
    assert!(!program.is_alive());
    let service = sandbox.service("deaf");
    assert_eq!((&service["state"], &service["last_exit"]["signal"]), (&"stopped".into(), &"SIGKILL".into()));
    assert_eq!(service["last_exit"]["reason"], "stopped");
}

#[test]
fn a_program_that_obeys_is_not_killed_and_stop_does_not_speak_of_it() {
    let sandbox = sandbox();
    let mut channel = sandbox.channel();
    let pid = sandbox.start("polite", &[sandbox.helper(), "trap", channel.path(), "exit", "7"]);
    assert_eq!(channel.expect_pid("ready"), pid);
    let outcome = sandbox.resume(["stop", "polite"]);
    outcome.success();
    assert_eq!(outcome.stdout_text(), "stopped `polite`\n");
    channel.expect("SIGTERM");
    // How it ended is kept, whoever asked for it.
    let last_exit = &sandbox.service("polite")["last_exit"];
    assert_eq!((&last_exit["code"], &last_exit["reason"]), (&7.into(), &"stopped".into()));
}

#[test]
fn the_stop_signal_is_the_one_that_was_chosen_however_it_is_written() {
    let sandbox = sandbox();
    let mut channel = sandbox.channel();
    for (signal, name) in [("SIGUSR1", "SIGUSR1"), ("int", "SIGINT"), ("1", "SIGHUP")] {
        sandbox.start_with("web", &["--stop-signal", signal], &[sandbox.helper(), "trap", channel.path()]);
        channel.expect_pid("ready");
        sandbox.resume(["stop", "web"]).success();
        channel.expect(name);
        sandbox.resume(["delete", "web"]).success();
    }
}

#[test]
fn the_stop_of_a_shell_around_a_program_leaves_neither() {
    let sandbox = sandbox();
    let mut channel = sandbox.channel();
    let node = format!("{} -e 'setInterval(() => 0, 1000)' & echo node $! > {}; wait; true", node(), channel.path());
    let shell = Ending::of(sandbox.start("wrapped", &["sh", "-c", &node]));
    let program = Ending::of(channel.expect_pid("node"));
    assert!(program.is_alive());
    sandbox.resume(["stop", "wrapped"]).success();
    assert!(!shell.is_alive() && !program.is_alive());
}

#[test]
fn what_a_program_forked_into_other_sessions_ends_with_it() {
    let sandbox = sandbox();
    let mut channel = sandbox.channel();
    let says = |word: &str| format!("say,{},{word} {{pid}},hold", channel.path());
    let words =
        [sandbox.helper(), "fork", &says("forked"), "setsid", &says("session"), "double-fork", &says("daemon"), "hold"];
    let main = Ending::of(sandbox.start("tree", &words));
    let mut others: Vec<String> = (0..3).map(|_| channel.line()).collect();
    others.sort();
    let others: Vec<Ending> =
        others.iter().map(|line| Ending::of(line.split_once(' ').unwrap().1.parse().unwrap())).collect();
    assert!(others.iter().all(Ending::is_alive));
    sandbox.resume(["stop", "tree"]).success();
    assert!(!main.is_alive());
    assert_eq!(others.iter().filter(|it| it.is_alive()).count(), 0);
}

#[test]
fn a_stopped_process_is_woken_to_be_asked_to_end() {
    const STOP: i32 = 19;
    let sandbox = sandbox();
    let mut channel = sandbox.channel();
    let pid = sandbox.start("frozen", &[sandbox.helper(), "trap", channel.path()]);
    channel.expect_pid("ready");
    integration_tests::signal(pid, STOP);
    let outcome = sandbox.resume(["stop", "frozen"]);
    outcome.success();
    channel.expect("SIGTERM");
    assert_eq!(outcome.stdout_text(), "stopped `frozen`\n");
}

#[test]
fn two_who_stop_the_same_service_both_succeed() {
    let sandbox = sandbox();
    let mut channel = sandbox.channel();
    sandbox.start("web", &[sandbox.helper(), "trap", channel.path(), "exit-after", "200"]);
    channel.expect_pid("ready");
    let first = sandbox.spawn(["stop", "web"]);
    channel.expect("SIGTERM");
    sandbox.resume(["stop", "web"]).success();
    first.outcome().success();
    assert_eq!(sandbox.state("web"), "stopped");
}

#[test]
fn a_start_during_a_stop_is_honoured_after_it() {
    let sandbox = sandbox();
    let mut channel = sandbox.channel();
    let first = sandbox.start("web", &[sandbox.helper(), "trap", channel.path(), "exit-after", "200"]);
    assert_eq!(channel.expect_pid("ready"), first);
    let stop = sandbox.spawn(["stop", "web"]);
    channel.expect("SIGTERM");
    // The program may know before anybody can read it.
    sandbox.until_state("web", "stopping");
    let first = Ending::of(first);
    sandbox.resume(["start", "web"]).success();
    assert!(!first.is_alive());
    assert_eq!(sandbox.state("web"), "running");
    // Whoever asked for the stop is told that it was not to be, or that it was, for a moment; not left waiting.
    drop(stop.outcome());
}

#[test]
fn stop_ends_a_service_that_waits_to_be_restarted() {
    let sandbox = sandbox();
    sandbox.resume(["start", "--name", "web", "--backoff", "20s..20s", "--", "sh", "-c", "exit 1"]).code(1);
    sandbox.until_state("web", "backoff");
    sandbox.resume(["stop", "web"]).success();
    assert_eq!(sandbox.state("web"), "stopped");
}

#[test]
fn stop_knows_the_tree_of_a_program_and_not_that_of_another_service() {
    let sandbox = sandbox();
    let fork = ["fork", "hold", "fork", "hold", "hold"];
    let words: Vec<&str> = [sandbox.helper()].into_iter().chain(fork).collect();
    let (a, b) = (sandbox.start("a", &words), sandbox.start("b", &words));
    let others = children_of(b);
    assert_eq!(others.len(), 2);
    sandbox.resume(["stop", "a"]).success();
    assert!(!Ending::of(a).is_alive());
    assert!(others.iter().chain([&b]).all(|pid| Ending::of(*pid).is_alive()));
}

#[test]
fn a_program_has_a_session_of_its_own() {
    let sandbox = sandbox();
    let pid = sandbox.start("web", &SLEEP);
    assert_eq!(Look::at(pid).session(), pid);
    assert_ne!(Look::at(sandbox.supervisor("web")).session(), pid);
}

#[test]
fn a_program_can_be_told_anything_by_signals_that_it_does_not_die_of() {
    let sandbox = sandbox();
    let mut channel = sandbox.channel();
    let path = channel.path().to_owned();
    let pid = sandbox.start("web", &[sandbox.helper(), "trap", &path, "trap", &path, "hold"]);
    channel.expect_pid("ready");
    integration_tests::signal(pid, USR1);
    channel.expect("SIGUSR1");
    assert_eq!(sandbox.pid("web"), pid);
    assert_eq!(sandbox.service("web")["restarts"], 0);
    integration_tests::signal(pid, KILL);
    sandbox.until_run("web", 2);
    assert_eq!(sandbox.service("web")["last_exit"]["reason"], "signal");
}

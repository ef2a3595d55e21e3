//! `resume run`: the supervisor in this terminal.

use integration_tests::{Ending, Look, Running, Sandbox, signal};
use serde_json::json;

use crate::{HUP, INT, KILL, SLEEP, TERM, sandbox};

/// `run` of a program that catches signals and says so, once it is up; with the channel that it says it on.
fn run_trap(sandbox: &Sandbox, path: &str, options: &[&str], then: &[&str]) -> Running {
    let program = ["--", sandbox.helper(), "trap", path];
    sandbox.spawn(["run", "--name", "web"].iter().chain(options).chain(&program).chain(then))
}

#[test]
fn the_exit_code_is_that_of_the_last_run() {
    let sandbox = sandbox();
    for (script, code) in [("exit 0", 0), ("exit 3", 3), ("kill -15 $$", 128 + 15), ("kill -9 $$", 128 + 9)] {
        sandbox.resume(["run", "--restart", "never", "--name", "web", "--", "sh", "-c", script]).code(code);
    }
}

#[test]
fn the_exit_code_is_that_of_the_last_run_after_it_gave_up() {
    let sandbox = sandbox();
    let options = ["--max-restarts", "2", "--backoff", "1ms..1ms"];
    let words = ["run", "--name", "web"].iter().chain(&options).chain(&["--", "sh", "-c", "echo run; exit 6"]);
    let outcome = sandbox.resume(words);
    outcome.code(6);
    assert_eq!(outcome.stdout_text(), "run\nrun\nrun\n");
    assert_eq!(sandbox.state("web"), "failed");
}

#[test]
fn a_program_that_cannot_be_spawned_is_126_or_127() {
    let sandbox = sandbox();
    sandbox.write("plain", "no program");
    sandbox.resume(["run", "./missing"]).error(127, &["missing"]);
    sandbox.resume(["run", "no-such-word-on-path"]).error(127, &["no-such-word-on-path"]);
    sandbox.resume(["run", "./plain"]).error(126, &["plain"]);
    assert_eq!(sandbox.services().len(), 0);
}

#[test]
fn what_the_program_writes_goes_to_the_terminal_and_to_the_log() {
    let sandbox = sandbox();
    let words = ["run", "--restart", "never", "--name", "web", "--", sandbox.helper(), "print", "2", "err", "oops"];
    let outcome = sandbox.resume(words);
    outcome.success();
    assert_eq!(outcome.stdout_text(), "line 1\nline 2\n");
    outcome.stderr_has(&["oops\n"]);
    // The service stays, down, with its log.
    assert_eq!(sandbox.state("web"), "exited");
    assert_eq!(sandbox.texts("web", "stdout"), ["line 1", "line 2"]);
    assert_eq!(sandbox.texts("web", "stderr"), ["oops"]);
}

#[test]
fn a_large_output_comes_whole_through_a_slow_reader() {
    let sandbox = sandbox();
    let bytes: Vec<u8> = (0..1_000_000_u32).flat_map(u32::to_le_bytes).collect();
    let file = sandbox.write("big", &bytes);
    let words = ["run", "--restart", "never", "--name", "web", "--", sandbox.helper(), "cat", &file];
    let outcome = sandbox.resume(words);
    outcome.success();
    assert!(outcome.stdout == bytes, "{} of {} bytes, or others", outcome.stdout.len(), bytes.len());
    let raw = sandbox.resume(["logs", "web", "-n", "all", "--output", "raw"]);
    assert!(raw.stdout == bytes, "{} of {} bytes, or others, in the log", raw.stdout.len(), bytes.len());
}

#[test]
fn interrupt_terminate_and_hangup_stop_it_gracefully() {
    let sandbox = sandbox();
    for number in [INT, TERM, HUP] {
        let mut channel = sandbox.channel();
        let run = run_trap(&sandbox, channel.path(), &["--replace"], &["exit", "5"]);
        channel.expect_pid("ready");
        run.signal(number);
        // The program is asked by its stop signal, whatever came to us.
        channel.expect("SIGTERM");
        run.outcome().code(5);
        assert_eq!(sandbox.state("web"), "stopped");
    }
}

#[test]
fn a_second_interrupt_stops_it_at_once() {
    let sandbox = sandbox();
    let mut channel = sandbox.channel();
    let run = run_trap(&sandbox, channel.path(), &[], &["hold"]);
    let pid = channel.expect_pid("ready");
    run.signal(INT);
    channel.expect("SIGTERM");
    let program = Ending::of(pid);
    assert!(program.is_alive());
    run.signal(INT);
    run.outcome().code(128 + KILL);
    assert!(!program.is_alive());
}

#[test]
fn ctrl_c_in_a_terminal_reaches_the_program_only_as_its_stop_signal() {
    let sandbox = sandbox();
    let mut channel = sandbox.channel();
    let words = ["run", "--name", "web", "--", sandbox.helper(), "trap", channel.path(), "out", "bye"];
    let terminal = sandbox.in_terminal(80, [sandbox.program()].iter().chain(&words));
    let pid = channel.expect_pid("ready");
    // Its session is its own, so the terminal's Ctrl-C is not for it: only `run` is in the terminal's.
    assert_eq!(Look::at(pid).session(), pid);
    let run = sandbox.supervisor("web");
    signal(run, INT);
    channel.expect("SIGTERM");
    terminal.outcome().success().stdout_has(&["bye"]);
}

#[test]
fn closing_the_terminal_stops_it_gracefully() {
    let sandbox = sandbox();
    let mut channel = sandbox.channel();
    let words = ["run", "--name", "web", "--", sandbox.helper(), "trap", channel.path()];
    let terminal = sandbox.in_terminal(80, [sandbox.program()].iter().chain(&words));
    let pid = Ending::of(channel.expect_pid("ready"));
    let run = Ending::of(sandbox.supervisor("web"));
    terminal.signal(KILL);
    channel.expect("SIGTERM");
    pid.wait();
    run.wait();
    assert_eq!(sandbox.state("web"), "stopped");
}

#[test]
fn others_see_it_and_can_restart_and_stop_it() {
    let sandbox = sandbox();
    let mut channel = sandbox.channel();
    let run = run_trap(&sandbox, channel.path(), &[], &["exit", "0"]);
    let first = channel.expect_pid("ready");
    sandbox.until_state("web", "running");
    let service = sandbox.service("web");
    assert_eq!((&service["state"], &service["pid"]), (&"running".into(), &first.into()));
    assert_eq!(service["supervisor_pid"], run.pid());
    sandbox.resume(["restart", "web"]).success();
    channel.expect("SIGTERM");
    let second = channel.expect_pid("ready");
    assert_ne!(first, second);
    assert_eq!(sandbox.service("web")["supervisor_pid"], run.pid());
    sandbox.resume(["stop", "web"]).success();
    channel.expect("SIGTERM");
    run.outcome().code(0);
}

#[test]
fn it_restarts_what_dies() {
    let sandbox = sandbox();
    let mut run = sandbox.spawn(["run", "--name", "web", "--", "sh", "-c", "echo up; exec sleep 600"]);
    run.line_with("up");
    sandbox.until_state("web", "running");
    let first = sandbox.pid("web");
    signal(first, KILL);
    sandbox.until_run("web", 2);
    assert_ne!(sandbox.pid("web"), first);
    assert_eq!(sandbox.supervisor("web"), run.pid());
    run.signal(INT);
    run.outcome().code(128 + TERM);
}

#[test]
fn a_bare_program_is_run() {
    let sandbox = sandbox();
    sandbox.script("hello.sh", "#!/bin/sh\necho \"hello $1\"\nexec sleep 600\n");
    sandbox.write("world.sh", "echo world\nexec sleep 600\n");
    let mut bare = sandbox.spawn(["./hello.sh", "you"]);
    bare.line_with("hello you");
    sandbox.resume(["stop", "hello"]).success();
    bare.outcome().code(128 + TERM);
    let mut file = sandbox.spawn(["world.sh"]);
    file.line_with("world");
    sandbox.resume(["stop", "world"]).success();
    file.outcome().code(128 + TERM);
    assert_eq!(sandbox.service("hello")["command"], json!(["./hello.sh", "you"]));
}

#[test]
fn global_options_may_precede_a_bare_program() {
    let sandbox = sandbox();
    let script = sandbox.script("hello.sh", "#!/bin/sh\necho hello\nexec sleep 600\n");
    let other = sandbox.path("other");
    let mut run = sandbox.spawn(["--home", &other, "--quiet", &script]);
    run.line_with("hello");
    sandbox.resume(["--home", &other, "ls"]).success().stdout_has(&["hello"]);
    sandbox.resume(["ls", "--json"]).success().stdout_has(&["[]"]);
    run.signal(TERM);
    run.outcome();
    sandbox.resume(["--home", &other, "delete", "all"]).success();
}

#[test]
fn a_down_service_of_the_given_name_is_taken_up_with_the_options_now_given() {
    let sandbox = sandbox();
    sandbox.start_with("web", &["--group", "old"], &SLEEP);
    sandbox.resume(["run", "--name", "web", "--", "true"]).error(4, &["`web`"]);
    sandbox.resume(["stop", "web"]).success();
    let words = ["run", "--name", "web", "--group", "new", "--restart", "never", "--", "sh", "-c", "exit 8"];
    sandbox.resume(words).code(8);
    let service = sandbox.service("web");
    assert_eq!((&service["group"], &service["command"]), (&"new".into(), &json!(["sh", "-c", "exit 8"])));
    assert_eq!(sandbox.services().len(), 1);
}

#[test]
fn the_same_program_again_takes_up_the_service_that_is_down() {
    let sandbox = sandbox();
    let script = sandbox.script("job.sh", "#!/bin/sh\nexit 4\n");
    sandbox.resume(["run", "--restart", "never", &script]).code(4);
    sandbox.resume(["run", "--restart", "never", &script]).code(4);
    let services = sandbox.services();
    assert_eq!(services.len(), 1);
    assert_eq!(services[0]["name"], "job");
}

#[test]
fn it_goes_on_with_nobody_reading_its_output() {
    let sandbox = sandbox();
    let mut channel = sandbox.channel();
    let words = ["run", "--name", "web", "--", sandbox.helper(), "print", "5", "trap", channel.path(), "print", "7"];
    let mut run = sandbox.spawn(words);
    run.line_with("line 5");
    channel.expect_pid("ready");
    run.close_stdout();
    run.signal(INT);
    channel.expect("SIGTERM");
    run.outcome();
    assert_eq!(sandbox.texts("web", "stdout").len(), 5 + 7);
}

#[test]
fn it_runs_with_its_stdin_stdout_and_stderr_closed() {
    let sandbox = sandbox();
    let mut shell = sandbox.other_command("sh");
    let words = ["run", "--restart", "never", "--name", "web", "--", sandbox.helper(), "print", "3", "exit", "5"];
    shell.args(["-c", "exec \"$@\" <&- >&- 2>&-", "sh", sandbox.program()]).args(words);
    sandbox.run(shell).code(5);
    assert_eq!(sandbox.texts("web", "stdout"), ["line 1", "line 2", "line 3"]);
}

#[test]
fn the_death_of_run_leaves_the_program_and_it_can_be_taken_over() {
    let sandbox = sandbox();
    let mut channel = sandbox.channel();
    let run = run_trap(&sandbox, channel.path(), &[], &["exit", "0"]);
    let pid = channel.expect_pid("ready");
    sandbox.until_state("web", "running");
    run.signal(KILL);
    run.outcome();
    let service = sandbox.service("web");
    assert_eq!((&service["state"], &service["pid"]), (&"lost".into(), &pid.into()));
    sandbox.resume(["start", "web"]).success();
    assert_eq!(sandbox.pid("web"), pid);
    sandbox.resume(["stop", "web"]).success();
    channel.expect("SIGTERM");
}

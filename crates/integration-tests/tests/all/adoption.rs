//! What a new supervisor finds where little or nothing is on record, and what is never touched.

use integration_tests::{Ending, Sandbox, signal};

use crate::{KILL, SLEEP, TERM, sandbox};

fn end_supervisor(sandbox: &Sandbox, number: i32) {
    let supervisor = Ending::of(sandbox.supervisor("web"));
    supervisor.signal(number);
    supervisor.wait();
}

#[test]
fn a_program_is_found_and_not_doubled_though_the_state_is_lost_or_torn() {
    for torn in [None, Some(""), Some("{\"version\":1,\"na")] {
        let sandbox = sandbox();
        let pid = sandbox.start("web", &SLEEP);
        end_supervisor(&sandbox, KILL);
        let state = sandbox.service_dir("web").join("state.json");
        match torn {
            None => std::fs::remove_file(state).unwrap(),
            Some(text) => std::fs::write(state, text).unwrap(),
        }
        sandbox.resume(["start", "web"]);
        assert_eq!(sandbox.pid("web"), pid, "{torn:?}");
        let program = Ending::of(pid);
        sandbox.resume(["stop", "web"]).success();
        assert!(!program.is_alive());
    }
}

#[test]
fn what_a_supervisor_was_ending_when_it_ended_itself_is_ended_by_the_next() {
    for number in [TERM, KILL] {
        let sandbox = sandbox();
        let mut channel = sandbox.channel();
        let says = format!("trap,{},hold", channel.path());
        let words = [sandbox.helper(), "fork", &says, "hold"];
        let pid = sandbox.start_with("web", &["--stop-timeout", "1s"], &words);
        let child = Ending::of(channel.expect_pid("ready"));
        signal(pid, KILL);
        sandbox.until_state("web", "stopping");
        end_supervisor(&sandbox, number);
        assert!(child.is_alive(), "it takes no SIGTERM");
        sandbox.resume(["stop", "web"]).success();
        assert!(!child.is_alive());
        assert_eq!(sandbox.state("web"), "stopped");
    }
}

#[test]
fn the_children_of_a_shell_that_became_resume_run_are_left_alone() {
    let sandbox = sandbox();
    let mut channel = sandbox.channel();
    let script = format!(
        "{} say {} 'beside {{pid}}' hold >/dev/null 2>&1 & exec {} run --restart never -- true",
        sandbox.helper(),
        channel.path(),
        sandbox.program()
    );
    let mut shell = sandbox.other_command("sh");
    shell.args(["-c", &script]);
    sandbox.run(shell).success();
    let beside = Ending::of(channel.expect_pid("beside"));
    assert!(beside.is_alive());
    beside.signal(KILL);
    beside.wait();
}

#[test]
fn a_program_that_is_called_like_a_supervisor_is_stopped_all_the_same() {
    let sandbox = sandbox();
    let app = sandbox.script("app", "#!/bin/sh\ntrap '' TERM\nwhile :; do sleep 1; done\n");
    let words = [&app, "--supervise", "/nowhere"];
    let pid = sandbox.start_with("web", &["--stop-timeout", "100ms"], &words.map(AsRef::as_ref));
    let program = Ending::of(pid);
    sandbox.resume(["stop", "web"]).success();
    assert!(!program.is_alive());
}

#[test]
fn a_delete_goes_through_though_nobody_waits_for_it() {
    let sandbox = sandbox();
    let pid = sandbox.start("web", &SLEEP);
    let (program, supervisor) = (Ending::of(pid), Ending::of(sandbox.supervisor("web")));
    let mut client = sandbox.connect("web");
    client.send(b"{\"method\":\"dev.resume.Supervisor.Delete\",\"oneway\":true}\0");
    drop(client);
    supervisor.wait();
    assert!(!program.is_alive() && !sandbox.service_dir("web").exists());
}

//! A service is started beyond this terminal, and beyond the service that somebody typed the command in.

use integration_tests::{Ending, Look};

use crate::{KILL, SLEEP, sandbox};

#[test]
fn closing_the_terminal_leaves_the_service() {
    let sandbox = sandbox();
    // A shell that stays, as a person's would: the command has returned, the terminal is still there.
    let typed = format!("{} start --name web -- sleep 600 && exec sleep 600", sandbox.program());
    let mut terminal = sandbox.in_terminal(80, ["sh", "-c", &typed]);
    terminal.line_with("started `web`");
    let (pid, supervisor) = (sandbox.pid("web"), sandbox.supervisor("web"));
    let shell = integration_tests::children_of(terminal.pid());
    assert_eq!(shell.len(), 1);
    let shell = Ending::of(shell[0]);
    terminal.signal(KILL);
    // The shell has died of the hangup: so has everything that the hangup could reach.
    shell.wait();
    assert!(Ending::of(pid).is_alive() && Ending::of(supervisor).is_alive());
    assert_eq!((sandbox.pid("web"), sandbox.supervisor("web")), (pid, supervisor));
    sandbox.resume(["stop", "web"]).success();
}

#[test]
fn a_hangup_an_interrupt_and_a_quit_do_not_end_a_supervisor() {
    let sandbox = sandbox();
    let pid = sandbox.start("web", &SLEEP);
    let supervisor = Ending::of(sandbox.supervisor("web"));
    for number in [crate::HUP, crate::INT] {
        supervisor.signal(number);
    }
    sandbox.resume(["restart", "web"]).success();
    assert!(supervisor.is_alive());
    assert_ne!(sandbox.pid("web"), pid);
}

#[test]
fn a_start_inside_a_service_outlives_that_service() {
    let sandbox = sandbox();
    let mut channel = sandbox.channel();
    let resume = sandbox.program();
    let script =
        format!("{resume} start --name inner -- sleep 600; echo started $? > {}; exec sleep 600", channel.path());
    sandbox.start("outer", &["sh", "-c", &script]);
    channel.expect("started 0");
    let (pid, supervisor) = (sandbox.pid("inner"), sandbox.supervisor("inner"));
    // Its supervisor is a sibling of the other, not below it.
    assert_ne!(Look::at(supervisor).status["PPid"], sandbox.supervisor("outer").to_string());
    assert_eq!(Look::at(pid).environment["RESUME_SERVICE"], "inner");
    sandbox.resume(["stop", "outer"]).success();
    assert!(Ending::of(pid).is_alive());
    assert_eq!((sandbox.state("inner"), sandbox.supervisor("inner")), ("running".to_owned(), supervisor));
    sandbox.resume(["delete", "outer"]).success();
    assert_eq!(sandbox.pid("inner"), pid);
}

#[test]
fn a_start_deep_inside_a_service_outlives_it_too() {
    let sandbox = sandbox();
    let mut channel = sandbox.channel();
    let resume = sandbox.program();
    let script = sandbox.script(
        "deep.sh",
        &format!("#!/bin/sh\n(setsid sh -c '{resume} start --name inner -- sleep 600; echo started $? > {}' &)\nexec sleep 600\n", channel.path()),
    );
    if integration_tests::missing(&["setsid"]) {
        return;
    }
    sandbox.start("outer", &[&script]);
    channel.expect("started 0");
    let pid = sandbox.pid("inner");
    sandbox.resume(["restart", "outer"]).success();
    channel.line();
    sandbox.resume(["delete", "outer"]).success();
    assert_eq!((sandbox.pid("inner"), sandbox.state("inner").as_str()), (pid, "running"));
}

#[test]
fn a_service_can_stop_itself_and_others() {
    let sandbox = sandbox();
    let mut channel = sandbox.channel();
    sandbox.start("other", &SLEEP);
    let resume = sandbox.program();
    let script = format!("{resume} stop other; echo stopped $? > {}; {resume} stop self", channel.path());
    sandbox.resume(["start", "--no-wait", "--name", "self", "--", "sh", "-c", &script]).success();
    channel.expect("stopped 0");
    sandbox.until_state("self", "stopped");
    assert_eq!(sandbox.state("other"), "stopped");
}

#[test]
fn a_run_inside_a_service_ends_with_it() {
    let sandbox = sandbox();
    let mut channel = sandbox.channel();
    let words = ["run", "--name", "inner", "--", sandbox.helper(), "trap", channel.path()];
    sandbox.start("outer", &[sandbox.program()].iter().chain(&words).copied().collect::<Vec<_>>());
    let pid = Ending::of(channel.expect_pid("ready"));
    sandbox.resume(["stop", "outer"]).success();
    // It was in the foreground of that service: its supervisor is the service's main process, and stops it gracefully.
    channel.expect("SIGTERM");
    pid.wait();
    assert_eq!(sandbox.state("outer"), "stopped");
}

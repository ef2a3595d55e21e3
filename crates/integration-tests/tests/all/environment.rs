//! What a program finds when it is started: its environment, its descriptors, its signals, its folder.

use std::collections::BTreeSet;
use std::process::Command;

use integration_tests::{Ending, Look, Running, Sandbox, signal};

use crate::{KILL, SLEEP, sandbox};

/// Runs `command` to its end.
fn run(command: Command) {
    Running::start(command).outcome().success();
}

fn look(sandbox: &Sandbox) -> Look {
    Look::at(sandbox.pid("web"))
}

fn start_command(sandbox: &Sandbox, options: &[&str]) -> Command {
    sandbox.command(["start", "--name", "web"].iter().chain(options).chain(&["--"]).chain(&SLEEP))
}

#[test]
fn it_gets_the_callers_whole_environment_and_ours_on_top() {
    let sandbox = sandbox();
    let mut command = start_command(&sandbox, &[]);
    command.env("GREETING", "hello world").env("EMPTY", "");
    run(command);
    let mut expected: BTreeSet<String> =
        ["PATH", "HOME", "GREETING", "EMPTY", "RESUME_HOME", "RESUME_SERVICE", "RESUME_INSTANCE"]
            .map(String::from)
            .into();
    let environment = look(&sandbox).environment;
    assert_eq!((environment["GREETING"].as_str(), environment["EMPTY"].as_str()), ("hello world", ""));
    assert_eq!(environment["RESUME_HOME"], sandbox.home().to_str().unwrap());
    assert_eq!((environment["RESUME_SERVICE"].as_str(), environment["RESUME_INSTANCE"].as_str()), ("web", "0"));
    for name in environment.keys() {
        assert!(expected.remove(name), "`{name}` came from nowhere");
    }
    assert_eq!(expected, BTreeSet::new());
}

#[test]
fn what_belongs_to_the_caller_alone_is_taken_out() {
    let sandbox = sandbox();
    let mut command = start_command(&sandbox, &[]);
    let names = ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"];
    command.envs(names.map(|name| (name, "1"))).env("RESUME_SERVICE", "other").env("RESUME_INSTANCE", "7");
    run(command);
    let environment = look(&sandbox).environment;
    for name in names {
        assert_eq!(environment.get(name), None, "{name}");
    }
    assert_eq!((environment["RESUME_SERVICE"].as_str(), environment["RESUME_INSTANCE"].as_str()), ("web", "0"));
}

#[test]
fn a_supervisor_has_the_home_in_its_environment() {
    let sandbox = sandbox();
    sandbox.start("web", &SLEEP);
    let environment = Look::at(sandbox.supervisor("web")).environment;
    assert_eq!(environment["RESUME_HOME"], sandbox.home().to_str().unwrap());
    assert_eq!(environment.get("RESUME_SERVICE"), None);
}

#[test]
fn env_file_comes_over_the_caller_and_env_over_env_file() {
    let sandbox = sandbox();
    sandbox.write("one.env", "# a comment\nA=file one\nB=\"file one\"\nexport C='file one'\n\nD=file one\n");
    sandbox.write("two.env", "C=file two\nD=file two\n");
    let mut command = start_command(&sandbox, &["--env-file", "one.env", "--env-file", "two.env", "--env", "D=option"]);
    command.envs(["A", "B", "C", "D", "E"].map(|name| (name, "caller")));
    run(command);
    let environment = look(&sandbox).environment;
    let values = ["A", "B", "C", "D", "E"].map(|name| environment[name].as_str());
    assert_eq!(values, ["file one", "file one", "file two", "option", "caller"]);
}

#[test]
fn a_bad_env_file_is_named_with_its_line() {
    let sandbox = sandbox();
    sandbox.write("bad.env", "A=1\nno assignment here\n");
    sandbox.run(start_command(&sandbox, &["--env-file", "bad.env"])).error(2, &["bad.env:2"]);
    sandbox.run(start_command(&sandbox, &["--env-file", "missing.env"])).error(2, &["missing.env", "no such file"]);
    sandbox.run(start_command(&sandbox, &["--env", "NOVALUE"])).error(2, &["NOVALUE"]);
    sandbox.run(start_command(&sandbox, &["--env", "=x"])).error(2, &["=x"]);
    assert_eq!(sandbox.services().len(), 0);
}

#[test]
fn a_restart_has_the_environment_of_the_first_start() {
    let sandbox = sandbox();
    let mut command = start_command(&sandbox, &["--min-uptime", "1ms"]);
    command.env("COLOUR", "green").env("ONCE", "yes");
    run(command);
    let expected = look(&sandbox).environment;

    signal(sandbox.pid("web"), KILL);
    sandbox.until_run("web", 2);
    assert_eq!(look(&sandbox).environment, expected);

    for words in [&["restart", "web"][..], &["stop", "web"], &["start", "web"]] {
        let mut command = sandbox.command(words);
        command.env("COLOUR", "red").env("NEW", "yes");
        run(command);
    }
    assert_eq!(look(&sandbox).environment, expected);
}

#[test]
fn env_now_takes_the_callers_environment_from_now_on() {
    let sandbox = sandbox();
    let mut command = start_command(&sandbox, &[]);
    command.env("COLOUR", "green").env("ONCE", "yes");
    run(command);
    let mut command = sandbox.command(["restart", "--env-now", "web"]);
    command.env("COLOUR", "red");
    run(command);
    sandbox.resume(["restart", "web"]).success();
    let environment = look(&sandbox).environment;
    assert_eq!((environment["COLOUR"].as_str(), environment.get("ONCE")), ("red", None));
    assert_eq!(environment["RESUME_SERVICE"], "web");
}

#[test]
fn the_environment_is_in_no_answer() {
    let sandbox = sandbox();
    let mut command = start_command(&sandbox, &["--env", "TOKEN=hunter2"]);
    command.env("PASSWORD", "hunter2");
    run(command);
    for words in [&["ls", "--json"][..], &["ls", "--wide"], &["-l"], &["logs", "-n", "all", "--output", "json"]] {
        let outcome = sandbox.resume(words);
        assert!(!outcome.success().stdout_text().contains("hunter2"), "{outcome}");
    }
    let state = std::fs::read_to_string(sandbox.service_dir("web").join("state.json")).unwrap();
    assert!(!state.contains("hunter2"));
}

#[test]
fn it_has_stdin_from_null_its_output_and_nothing_else_below_100() {
    let sandbox = sandbox();
    sandbox.start("web", &SLEEP);
    let look = look(&sandbox);
    let below: Vec<(i32, String)> = look
        .descriptors
        .iter()
        .filter(|(fd, _)| **fd < 100)
        .map(|(fd, file)| (*fd, file.display().to_string()))
        .collect();
    let fifo = |name: &str| sandbox.service_dir("web").join(name).display().to_string();
    assert_eq!(below, [(0, "/dev/null".to_owned()), (1, fifo("0.stdout")), (2, fifo("0.stderr"))]);
    // The guards: reading ends of its own output, so that it never writes into a broken pipe.
    let guards: Vec<String> =
        look.descriptors.iter().filter(|(fd, _)| **fd >= 100).map(|(_, file)| file.display().to_string()).collect();
    assert_eq!(guards, [fifo("0.stdout"), fifo("0.stderr")]);
}

#[test]
fn its_output_is_write_only_as_under_a_shell() {
    let sandbox = sandbox();
    let pid = sandbox.start("web", &SLEEP);
    for fd in [1, 2] {
        let info = std::fs::read_to_string(format!("/proc/{pid}/fdinfo/{fd}")).unwrap();
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap();
        let flags = u32::from_str_radix(flags.trim(), 8).unwrap();
        // O_WRONLY is 1 of the access mode's 2 bits, and O_NONBLOCK is 04000 (open(2)).
        assert_eq!((flags & 0o3, flags & 0o4000), (1, 0), "{flags:o}");
    }
}

#[test]
fn it_can_open_its_own_stdout_and_stderr_by_name() {
    let sandbox = sandbox();
    let script = "echo by name > /dev/stdout; echo to stderr > /dev/stderr; exec sleep 600";
    sandbox.start("web", &["sh", "-c", script]);
    sandbox.record_with("web", "to stderr");
    sandbox.record_with("web", "by name");
}

#[test]
fn a_descriptor_that_the_caller_leaks_is_held_by_nobody_of_ours() {
    let sandbox = sandbox();
    let leaked = sandbox.write("leaked", "");
    let mut shell = sandbox.other_command("sh");
    let words = ["start", "--name", "web", "--", "sleep", "600"];
    shell.args(["-c", "exec 7< \"$0\" 9> \"$0\"; exec \"$@\"", &leaked, sandbox.program()]).args(words);
    run(shell);
    for pid in [sandbox.pid("web"), sandbox.supervisor("web")] {
        let look = Look::at(pid);
        assert!(look.descriptors.values().all(|file| !file.ends_with("leaked")), "{look:?}");
    }
}

#[test]
fn run_gives_the_program_none_of_the_terminals_descriptors() {
    let sandbox = sandbox();
    let leaked = sandbox.write("leaked", "");
    let mut shell = sandbox.other_command("sh");
    let words = ["run", "--name", "web", "--", "sh", "-c", "echo up; exec sleep 600"];
    shell.args(["-c", "exec 7< \"$0\" 9> \"$0\"; exec \"$@\"", &leaked, sandbox.program()]).args(words);
    let mut running = Running::start(shell);
    running.line_with("up");
    sandbox.until_state("web", "running");
    let descriptors = look(&sandbox).descriptors;
    assert!(descriptors.values().all(|file| !file.ends_with("leaked")), "{descriptors:?}");
    assert_eq!(descriptors.keys().filter(|fd| **fd < 100).copied().collect::<Vec<_>>(), [0, 1, 2]);
}

#[test]
fn a_supervisor_holds_nothing_of_the_callers() {
    let sandbox = sandbox();
    sandbox.start("web", &SLEEP);
    let look = Look::at(sandbox.supervisor("web"));
    for fd in [0, 1, 2] {
        assert_eq!(look.descriptors[&fd].to_str(), Some("/dev/null"));
    }
    // It must not keep a file system busy, nor the folder that somebody wants to remove.
    assert_eq!(look.cwd.to_str(), Some("/"));
    assert_eq!(look.session(), look.pid);
}

#[test]
fn no_signal_is_blocked_or_ignored_whatever_the_caller_does() {
    let sandbox = sandbox();
    // As under nohup, and worse.
    let mut shell = sandbox.other_command("sh");
    let words = ["start", "--name", "web", "--", "sleep", "600"];
    shell.args(["-c", "trap '' HUP INT QUIT TERM PIPE USR1 CHLD; exec \"$@\"", "sh", sandbox.program()]).args(words);
    run(shell);
    let look = look(&sandbox);
    assert_eq!((look.signals("SigBlk"), look.signals("SigIgn"), look.signals("SigCgt")), (0, 0, 0));
    let program = Ending::of(look.pid);
    let outcome = sandbox.resume(["stop", "web"]);
    outcome.success();
    assert!(!program.is_alive() && !outcome.stdout_text().contains("kill"), "{outcome}");
}

#[test]
fn it_runs_in_the_callers_folder_or_in_the_one_that_was_named() {
    let sandbox = sandbox();
    std::fs::create_dir(sandbox.path("sub")).unwrap();
    run(start_command(&sandbox, &[]));
    assert_eq!(look(&sandbox).cwd, sandbox.folder());
    run(start_command(&sandbox, &["--replace", "--cwd", "sub"]));
    assert_eq!(look(&sandbox).cwd, sandbox.folder().join("sub"));
    assert_eq!(sandbox.service("web")["cwd"], sandbox.path("sub"));
}

#[test]
fn the_umask_is_the_callers_or_harmless_and_ours_is_private() {
    let sandbox = sandbox();
    let mut channel = sandbox.channel();
    let script = format!("umask > {}; exec sleep 600", channel.path());
    let mut shell = sandbox.other_command("sh");
    let words = ["start", "--name", "web", "--", "sh", "-c", &script];
    shell.args(["-c", "umask 000; exec \"$@\"", "sh", sandbox.program()]).args(words);
    run(shell);
    let umask = channel.line();
    // What a program makes must be no more open than its caller would have it, and not so closed that nobody can serve it.
    assert!(["0000", "0022"].contains(&umask.as_str()), "the program's umask is {umask}");
}

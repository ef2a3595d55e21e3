//! What cannot be: each is told in the grammar of the house, with the next step, and leaves nothing half done.

use integration_tests::{Outcome, Sandbox, signal};
use serde_json::Value;

use crate::{KILL, SLEEP, sandbox};

/// Starts what cannot be spawned: exit 1, step and cause, nothing created.
#[track_caller]
fn cannot_start(sandbox: &Sandbox, words: &[&str], parts: &[&str]) -> Outcome {
    let outcome = sandbox.resume(["start"].iter().chain(words));
    outcome.error(1, parts);
    nothing_was_made(sandbox);
    outcome
}

#[track_caller]
fn nothing_was_made(sandbox: &Sandbox) {
    assert_eq!(sandbox.services(), Vec::<Value>::new());
    let services = std::fs::read_dir(sandbox.home().join("services")).into_iter().flatten();
    let left: Vec<_> = services.map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.is_empty(), "{left:?} is left in `services`");
}

#[test]
fn a_missing_program() {
    let sandbox = sandbox();
    cannot_start(&sandbox, &["./missing"], &["missing", "no such file or directory"]);
    cannot_start(&sandbox, &["--name", "web", "--", "no-such-word"], &["no-such-word", "not found on PATH"]);
}

#[test]
fn a_program_that_is_not_executable() {
    let sandbox = sandbox();
    sandbox.write("plain", "#!/bin/sh\nexec sleep 600\n");
    cannot_start(&sandbox, &["./plain"], &["plain", "not executable"]).hint(&["chmod +x"]);
}

#[test]
fn a_directory_as_a_program() {
    let sandbox = sandbox();
    std::fs::create_dir(sandbox.path("folder")).unwrap();
    cannot_start(&sandbox, &["./folder"], &["folder", "is a directory"]);
    sandbox.resume(["run", "./folder"]).error(126, &["folder", "is a directory"]);
}

#[test]
fn a_script_whose_interpreter_is_missing() {
    let sandbox = sandbox();
    let script = sandbox.script("bad.sh", "#!/no/such/interpreter -x\n");
    cannot_start(&sandbox, &[&script], &["/no/such/interpreter", "no such file or directory"]);
    sandbox.resume(["run", &script]).error(127, &["/no/such/interpreter"]);
}

#[test]
fn a_script_whose_first_line_ends_in_a_carriage_return() {
    let sandbox = sandbox();
    let script = sandbox.script("dos.sh", "#!/bin/sh\r\necho hello\r\n");
    cannot_start(&sandbox, &[&script], &["carriage return"]);
}

#[test]
fn a_text_without_a_first_line_that_names_an_interpreter() {
    let sandbox = sandbox();
    let script = sandbox.script("text", "echo hello\n");
    cannot_start(&sandbox, &[&script], &["text", "#!"]);
}

#[test]
fn a_file_that_is_a_program_of_another_machine() {
    let sandbox = sandbox();
    let mut elf = b"\x7fELF\x02\x01\x01".to_vec();
    elf.resize(128, 0);
    let file = sandbox.write("alien", &elf);
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    cannot_start(&sandbox, &[&file], &["alien"]);
}

#[test]
fn an_interpreter_that_is_missing() {
    let sandbox = sandbox();
    sandbox.write("x.txt", "");
    cannot_start(&sandbox, &["--interpreter", "no-such-interpreter -u", "./x.txt"], &["no-such-interpreter"]);
}

#[test]
fn a_script_of_its_ending_whose_interpreter_is_not_installed() {
    let mut sandbox = sandbox();
    sandbox.write("x.lua", "");
    let empty = sandbox.path("empty");
    sandbox.set("PATH", empty);
    cannot_start(&sandbox, &["./x.lua"], &["lua"]);
}

#[test]
fn a_folder_that_is_gone() {
    let sandbox = sandbox();
    cannot_start(&sandbox, &["--cwd", "gone", "--", "sleep", "600"], &["gone", "no such file or directory"]);
    sandbox.write("file", "");
    cannot_start(&sandbox, &["--cwd", "file", "--", "sleep", "600"], &["file", "not a directory"]);
}

#[test]
fn a_folder_that_is_gone_while_we_stand_in_it() {
    let sandbox = sandbox();
    let mut shell = sandbox.other_command("sh");
    let script = "mkdir gone && cd gone && rmdir ../gone && exec \"$@\"";
    shell.args(["-c", script, "sh", sandbox.program(), "start", "--", "sleep", "600"]);
    sandbox.run(shell).error(1, &["no such file or directory"]);
    nothing_was_made(&sandbox);
}

#[test]
fn a_folder_that_goes_while_the_service_runs() {
    let sandbox = sandbox();
    std::fs::create_dir(sandbox.path("sub")).unwrap();
    let options = ["--cwd", "sub", "--min-uptime", "1ms", "--max-restarts", "2", "--backoff", "1ms..1ms"];
    let pid = sandbox.start_with("web", &options, &SLEEP);
    std::fs::remove_dir(sandbox.path("sub")).unwrap();
    signal(pid, KILL);
    let state = sandbox.until("web", "down with the reason", |state| state["instances"][0]["failure"].is_string());
    let failure = state["instances"][0]["failure"].as_str().unwrap();
    assert!(failure.contains("sub") && failure.contains("no such file or directory"), "{failure}");
    let service = sandbox.service("web");
    assert_eq!(service["last_exit"]["reason"], "spawn: cwd");
    sandbox.resume(["start", "web"]).error(1, &["`web`", "sub", "no such file or directory"]);
    // It is an old service: that it cannot be spawned today does not make it forgotten.
    assert_eq!(sandbox.services().len(), 1);
    std::fs::create_dir(sandbox.path("sub")).unwrap();
    sandbox.resume(["start", "web"]).success();
}

#[test]
fn a_program_that_goes_while_the_service_runs() {
    let sandbox = sandbox();
    let script = sandbox.script("web.sh", "#!/bin/sh\nexec sleep 600\n");
    sandbox.resume(["start", &script]).success();
    sandbox.resume(["stop", "web"]).success();
    std::fs::remove_file(&script).unwrap();
    sandbox.resume(["start", "web"]).error(1, &["`web`", "web.sh", "no such file or directory"]);
    sandbox.resume(["restart", "web"]).error(1, &["`web`", "web.sh", "no such file or directory"]);
    assert_eq!(sandbox.services().len(), 1);
}

#[test]
fn names_that_cannot_be() {
    let sandbox = sandbox();
    let long = "x".repeat(65);
    for name in ["a/b", "../a", "", ".", "-x", "_x", "web:0", "a b", "all", "123", "é", "@g", "web*", long.as_str()] {
        let option = format!("--name={name}");
        sandbox.resume(["start", &option, "--", "sleep", "600"]).error(2, &["--name"]);
        sandbox.resume(["run", &option, "--", "sleep", "600"]).error(2, &["--name"]);
    }
    nothing_was_made(&sandbox);
    let longest = "x".repeat(64);
    sandbox.start(&longest, &SLEEP);
}

#[test]
fn options_that_cannot_be() {
    let sandbox = sandbox();
    for (option, value, part) in [
        ("--stop-signal", "SIGNOPE", "unknown signal"),
        ("--stop-signal", "0", "unknown signal"),
        ("--stop-signal", "99", "unknown signal"),
        ("--restart", "alway", "expected `never`, `on-failure` or `always`"),
        ("--stop-timeout", "5", "--stop-timeout"),
        ("--stop-timeout", "-1s", "--stop-timeout"),
        ("--min-uptime", "soon", "--min-uptime"),
        ("--backoff", "2s..1s", "--backoff"),
        ("--backoff", "1s", "--backoff"),
        ("--max-restarts", "many", "--max-restarts"),
        ("--instances", "0", "--instances"),
        ("--instances", "100000", "--instances"),
        ("--success-code", "256", "--success-code"),
        ("--log-max-size", "1Q", "--log-max-size"),
        ("--wait", "x", "--wait"),
        ("--group", "a b", "--group"),
        ("--interpreter", "a 'b", "--interpreter"),
        ("--color", "maybe", "--color"),
        ("--nmae", "web", "--nmae"),
    ] {
        sandbox.resume(["start", &format!("{option}={value}"), "--", "sleep", "600"]).error(2, &[part]);
    }
    sandbox.resume(["start", "--wait", "1s", "--no-wait", "--", "sleep", "600"]).error(2, &["--wait", "--no-wait"]);
    nothing_was_made(&sandbox);
}

#[test]
fn verbs_without_what_they_need() {
    let sandbox = sandbox();
    for verb in ["run", "start", "stop", "restart", "delete"] {
        sandbox.resume([verb]).error(2, &[]).hint(&[]);
    }
    sandbox.resume(["start", "--name", "web"]).error(2, &[]);
    sandbox.resume(["start", "--"]).error(2, &[]);
    sandbox.resume(["ls", "--nope"]).error(2, &["--nope"]);
    sandbox.resume(["--nope"]).error(2, &["--nope"]);
    sandbox.resume(["-z"]).error(2, &["-z"]);
}

#[test]
fn words_that_are_no_text() {
    use std::os::unix::ffi::OsStrExt;
    let sandbox = sandbox();
    let word = std::ffi::OsStr::from_bytes(b"caf\xe9");
    // A program and its arguments are bytes, and are kept and shown as well as they can be.
    let mut command = sandbox.command(["start", "--name", "web", "--", sandbox.helper(), "hold"]);
    command.arg(word);
    sandbox.run(command).success();
    let line = std::fs::read(format!("/proc/{}/cmdline", sandbox.pid("web"))).unwrap();
    assert!(line.windows(4).any(|bytes| bytes == b"caf\xe9"));
    sandbox.resume(["restart", "web"]).success();
    let mut command = sandbox.command(["stop"]);
    command.arg(word);
    let outcome = sandbox.run(command);
    assert!([2, 3].contains(&outcome.exit_code()), "{outcome}");
}

#[test]
fn an_environment_that_is_too_large() {
    let sandbox = sandbox();
    // execve(2) takes no word of more than 128 KiB, so it comes by a file.
    sandbox.write("big.env", format!("BIG={}\n", "x".repeat(200_000)));
    cannot_start(&sandbox, &["--env-file", "big.env", "--", "sleep", "600"], &["too long"]);
}

#[test]
fn errors_are_data_with_json() {
    let sandbox = sandbox();
    for (words, code) in [
        (&["--json", "stop", "nobody"][..], 3),
        (&["start", "--json", "./missing"], 1),
        (&["start", "--json", "--nope", "x"], 2),
    ] {
        let outcome = sandbox.resume(words);
        outcome.code(code);
        // What could be done is a document of its own.
        assert!(outcome.stdout.is_empty() || outcome.json() == serde_json::json!([]), "{outcome}");
        let error: Value = serde_json::from_slice(&outcome.stderr).unwrap_or_else(|_| panic!("no JSON: {outcome}"));
        let error = &error["error"];
        assert!(error["message"].is_string() && error["kind"].is_string() && error["hints"].is_array(), "{outcome}");
    }
}

#[test]
fn a_wait_that_is_over_too_soon() {
    let sandbox = sandbox();
    let words = ["start", "--wait", "1ms", "--name", "web", "--", "sleep", "600"];
    sandbox.resume(words).error(1, &["`web`", "1ms"]);
    // It is kept, and comes up all the same.
    sandbox.until_state("web", "running");
}

//! The programs that `docs/api.md` shows, as they stand there.

use std::process::Command;

use integration_tests::{Outcome, Sandbox, node, python};

use crate::{SLEEP, sandbox};

/// The program in the document that is in this language and has `part` in it.
#[track_caller]
fn shown(language: &str, part: &str) -> &'static str {
    let document = include_str!("../../../../docs/api.md");
    let blocks = document.split("```").skip(1).step_by(2);
    let mut programs = blocks.filter_map(|block| block.strip_prefix(language)?.strip_prefix('\n'));
    programs.find(|program| program.contains(part)).expect("the document shows it")
}

fn with_service() -> Sandbox {
    let sandbox = sandbox();
    sandbox.start("web", &SLEEP);
    sandbox
}

#[track_caller]
fn run(sandbox: &Sandbox, interpreter: &str, file: &str, program: &str) -> Outcome {
    let file = sandbox.write(file, program);
    let mut command = sandbox.other_command(interpreter);
    command.arg(file);
    sandbox.run(command)
}

#[test]
fn a_shell_can_call_by_socat() {
    if Command::new("socat").arg("-V").output().is_err() {
        println!("skipped: `socat` is not installed");
        return;
    }
    let sandbox = with_service();
    let outcome = run(&sandbox, "sh", "call.sh", shown("sh", "socat"));
    assert_eq!(outcome.success().json()["parameters"]["status"]["name"], "web");
}

#[test]
fn a_shell_can_call_by_python() {
    let sandbox = with_service();
    let outcome = run(&sandbox, "sh", "call.sh", shown("sh", "python3"));
    assert_eq!(outcome.success().json()["parameters"]["status"]["name"], "web");
}

#[test]
fn python_can_call_and_listen_without_any_package() {
    let sandbox = with_service();
    let outcome = run(&sandbox, python(), "call.py", shown("python", "class Supervisor"));
    outcome.success().stdout_has(&["running\n", "1 state starting\n", "ended None\n"]);
    outcome.stdout_has(&[&format!("restarted: [{{'index': 0, 'pid': {}}}]\n", sandbox.pid("web"))]);
}

#[test]
fn node_can_call() {
    let sandbox = with_service();
    let outcome = run(&sandbox, node(), "call.js", shown("js", "net.connect"));
    assert_eq!(outcome.success().stdout_text(), "running\n");
}

/// The folder in which the package lies, if it is not where python finds it anyway; None if it cannot be had.
fn varlink_package(sandbox: &Sandbox) -> Option<String> {
    let mut import = Command::new(python());
    import.args(["-c", "import varlink"]);
    if import.output().is_ok_and(|output| output.status.success()) {
        return Some(String::new());
    }
    let folder = sandbox.path("packages");
    let mut install = Command::new(python());
    install.args(["-m", "pip", "install", "--quiet", "--timeout", "5", "--retries", "0", "--target", &folder]);
    install.arg("varlink==31.0.0");
    let installed = install.output().is_ok_and(|output| output.status.success());
    if !installed {
        println!("skipped: the python package `varlink` is not installed and cannot be");
    }
    installed.then_some(folder)
}

#[test]
fn the_varlink_client_of_others_reads_our_interface_and_calls_it() {
    let mut sandbox = with_service();
    let Some(packages) = varlink_package(&sandbox) else { return };
    sandbox.set("PYTHONPATH", packages);
    let outcome = run(&sandbox, python(), "call.py", shown("python", "import varlink"));
    outcome.success().stdout_has(&[
        "['org.varlink.service', 'dev.resume.Supervisor']\n",
        "web running\n",
        "sent to 1\n",
        "dev.resume.Supervisor.NoSuchInstance {'instance': 9}\n",
        "event 1 starting\n",
        "killed: []\n",
    ]);
    assert_eq!(sandbox.state("web"), "stopped");
}

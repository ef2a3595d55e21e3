//! The interpreters that tests need, and what this machine permits.

use std::process::Command;
use std::sync::OnceLock;

use resume_sys::account;
use resume_sys::signal::{SignalPipe, is_ignored};

/// The path of node itself. A wrapper on PATH would need the environment of its owner.
#[track_caller]
pub fn node() -> &'static str {
    static PATH: OnceLock<String> = OnceLock::new();
    PATH.get_or_init(|| resolve("node", &["-p", "process.execPath"]))
}

/// The path of python itself.
#[track_caller]
pub fn python() -> &'static str {
    static PATH: OnceLock<String> = OnceLock::new();
    PATH.get_or_init(|| resolve("python3", &["-c", "import sys; print(sys.executable)"]))
}

fn resolve(name: &str, arguments: &[&str]) -> String {
    let output = Command::new(name).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("these tests need {name}: {error}"));
    assert!(output.status.success(), "{name} does not say where it is");
    String::from_utf8(output.stdout).expect("a path is text").trim().to_owned()
}

/// Makes what tests start hear signals that whoever runs the tests ignores, as nohup(1) and a shell's `&` do: what we
/// handle has its default action in a new program, what we ignore stays ignored. What is not ignored is left alone, so that
/// Ctrl-C still ends the tests.
pub(crate) fn unignore_signals() {
    static HEARD: OnceLock<Option<SignalPipe>> = OnceLock::new();
    HEARD.get_or_init(|| {
        // SIGHUP, SIGINT, SIGQUIT, SIGUSR1 and SIGTERM, as signal(7) has them.
        let ignored = [1, 2, 3, 10, 15].into_iter().filter(|signal| is_ignored(*signal).unwrap_or(false));
        let ignored: Vec<i32> = ignored.collect();
        let heard = (!ignored.is_empty()).then(|| SignalPipe::install(&ignored));
        heard.transpose().expect("nobody else in a test handles signals")
    });
}

/// Whether we may do everything here.
pub fn is_root() -> bool {
    account::effective_uid() == 0
}

/// Whether one of `tools` cannot be run; says so, for the test that then has nothing to show.
pub fn missing(tools: &[&str]) -> bool {
    let absent = |tool: &&&str| Command::new(tool).arg("--version").output().is_err();
    let absent = tools.iter().find(absent);
    if let Some(tool) = absent {
        println!("skipped: `{tool}` is not installed");
    }
    absent.is_some()
}

//! The tests, and the benchmark.

use std::process::Command;

use anyhow::Result;

use crate::scratch::Scratch;
use crate::{needs, run};

/// Runs every test of the workspace, and fails if one leaves a process behind. `arguments` go to the runner.
///
/// cargo-nextest is taken where it is installed: it runs side by side what `cargo test` runs crate by crate, and ends a
/// test that hangs. The tests hold under both, so a machine without it is not made to compile it.
pub(crate) fn test(arguments: &[String]) -> Result<()> {
    needs::ensure(&[&needs::NODE, &needs::PYTHON])?;
    // A temporary folder of our own tells what these tests leave from everybody else's. Its name is short, for the
    // sockets below it: their addresses hold 108 bytes (unix(7)).
    let scratch = Scratch::new("rt")?;
    let nextest = needs::has_subcommand("nextest");
    let runner: &[&str] = if nextest { &["nextest", "run"] } else { &["test", "--no-fail-fast"] };
    if !nextest {
        println!("(cargo-nextest is not installed: `cargo install cargo-nextest --locked` makes this quicker)");
    } else if arguments.is_empty() {
        // It leaves out the tests in the documentation.
        cargo_in(&scratch, &["test", "--quiet", "--workspace", "--doc"])?;
    }
    let arguments = arguments.iter().map(String::as_str);
    let words: Vec<&str> = runner.iter().copied().chain(["--workspace"]).chain(arguments).collect();
    cargo_in(&scratch, &words)?;
    scratch.clear()
}

/// Runs cargo with its temporary files, and those of the tests, in `scratch`.
fn cargo_in(scratch: &Scratch, words: &[&str]) -> Result<()> {
    let mut command = Command::new(run::cargo_program());
    command.args(words).env("TMPDIR", scratch.folder());
    run::shown(&mut command, &format!("cargo {}", words.join(" ")))
}

/// Runs `bench/bench.py` on a release build of the program.
pub(crate) fn bench(arguments: &[String]) -> Result<()> {
    needs::ensure(&[&needs::PYTHON, &needs::CC])?;
    let program = run::build_resume()?;
    let mut command = Command::new("python3");
    command.arg("bench/bench.py").args(arguments).env("RESUME_BIN", &program);
    run::shown(
        &mut command,
        &format!("RESUME_BIN={} python3 bench/bench.py {}", program.display(), arguments.join(" ")),
    )
}

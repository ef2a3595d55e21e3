//! The chores of this repository, one word each: `cargo xtask demo`, `test`, `check`, `lint`, `fmt`, `bench`, `fuzz`,
//! `ci`.
//!
//! They need a Rust toolchain and nothing else: what a chore needs beyond that it installs by its ordinary package name
//! where it may, or it says the command that would ([`needs`]). Each chore prints the commands that it runs, so that a
//! person can run them alone.

mod demo;
mod fuzz;
mod http;
mod leftovers;
mod lint;
mod needs;
mod run;
mod scratch;
mod suite;
mod words;

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};

use run::Stopwatch;

const USAGE: &str = "\
usage: cargo xtask CHORE [ARGUMENTS]

  demo [--program FILE]   build resume and show the main job on a real server, leaving nothing behind
  test [ARGUMENTS]        all tests, by cargo-nextest if it is there, else by cargo; arguments go to the runner
  check                   does it compile, and what does clippy say: the quick look while writing
  lint                    all that must hold besides the tests: format, clippy, documentation, licences, words
  fmt                     format every crate
  bench [ARGUMENTS]       the benchmark beside other managers, on a release build (bench/README.md)
  fuzz TARGET [SECONDS]   one fuzz target of fuzz/, ten minutes if no time is given
  ci                      lint, test and demo: what must pass before a change goes in";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match chore(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn chore(arguments: &[String]) -> Result<()> {
    let Some((name, rest)) = arguments.split_first() else { bail!("no chore was named\n\n{USAGE}") };
    match name.as_str() {
        "demo" => demo::demo(rest),
        "test" => suite::test(rest),
        "bench" => suite::bench(rest),
        "fuzz" => fuzz::fuzz(rest),
        "check" => no_arguments(rest).and_then(|()| lint::check()),
        "lint" => no_arguments(rest).and_then(|()| lint::lint(&mut Stopwatch::new())),
        "fmt" => no_arguments(rest).and_then(|()| run::cargo(&["fmt", "--all"])),
        "ci" => no_arguments(rest).and_then(|()| ci()),
        scratch::JANITOR => match rest {
            [folder] => scratch::janitor(Path::new(folder)),
            _ => bail!("`{name}` takes one folder"),
        },
        "help" | "-h" | "--help" => {
            println!("{USAGE}");
            Ok(())
        }
        unknown => bail!("unknown chore `{unknown}`\n\n{USAGE}"),
    }
}

fn no_arguments(rest: &[String]) -> Result<()> {
    match rest.first() {
        None => Ok(()),
        Some(first) => bail!("this chore takes no arguments, and got `{first}`\n\n{USAGE}"),
    }
}

/// What must pass before a change goes in. The time of every step is printed, so that whoever makes it slow sees it.
fn ci() -> Result<()> {
    /// The longest that the whole may take on two cores, from nothing built.
    const BUDGET: Duration = Duration::from_mins(15);

    let mut watch = Stopwatch::new();
    lint::lint(&mut watch)?;
    watch.step("test", || suite::test(&[]))?;
    watch.step("demo", || demo::demo(&[]))?;
    println!("\n{watch}");
    if watch.total() > BUDGET {
        println!("warning: this took longer than the {} minutes that it should", BUDGET.as_secs() / 60);
    }
    Ok(())
}

//! Commands run and shown, the files of this repository, and a stopwatch.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// The root of the repository that this program was built from.
pub(crate) fn root() -> PathBuf {
    // Cargo sets the variable for `cargo xtask`; the folder of the build is for who starts the program by its path.
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    Path::new(&manifest).parent().map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

/// The cargo that runs us, so that a toolchain chosen with `cargo +NAME` goes on.
pub(crate) fn cargo_program() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// Runs cargo at the root, with its output where ours goes.
pub(crate) fn cargo(arguments: &[&str]) -> Result<()> {
    shown(Command::new(cargo_program()).args(arguments), &format!("cargo {}", arguments.join(" ")))
}

/// Prints `line`, runs `command` at the root and takes any end but success for an error.
pub(crate) fn shown(command: &mut Command, line: &str) -> Result<()> {
    println!("$ {line}");
    let status = command.current_dir(root()).status().with_context(|| format!("cannot run `{line}`"))?;
    if !status.success() {
        bail!("`{line}` failed: {status}");
    }
    Ok(())
}

/// Runs `command` at the root unseen, and says whether it was there and ended well.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command
        .current_dir(root())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Builds the program as it ships and returns where it lies.
///
/// The place is asked of cargo: it depends on the target folder, and the target triple is part of it.
pub(crate) fn build_resume() -> Result<PathBuf> {
    let line = "cargo build --release --package resume-pm";
    println!("$ {line}");
    let output = Command::new(cargo_program())
        .args(["build", "--release", "--package", "resume-pm", "--message-format=json-render-diagnostics"])
        .current_dir(root())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot run `{line}`"))?;
    if !output.status.success() {
        bail!("`{line}` failed: {}", output.status);
    }
    executable(&output.stdout).with_context(|| format!("`{line}` built no program named `resume`"))
}

/// The program named `resume` among cargo's messages, one JSON object a line.
fn executable(messages: &[u8]) -> Option<PathBuf> {
    messages
        .split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice::<serde_json::Value>(line).ok())
        .filter(|message| message["target"]["name"] == "resume")
        .filter_map(|message| message["executable"].as_str().map(PathBuf::from))
        .next_back()
}

/// The files of the repository that are tracked, or would be with the next `git add`.
///
/// Those that are deleted and still tracked are left out.
pub(crate) fn files() -> Result<Vec<PathBuf>> {
    let root = root();
    let output = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(&root)
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run `git ls-files`")?;
    if !output.status.success() {
        bail!("`git ls-files` failed: {}", output.status);
    }
    let names = String::from_utf8(output.stdout).context("a file's name is not UTF-8")?;
    Ok(names.split_terminator('\0').map(PathBuf::from).filter(|name| root.join(name).is_file()).collect())
}

/// How long each step of a chore took.
pub(crate) struct Stopwatch {
    began: Instant,
    steps: Vec<(String, Duration)>,
}

impl Stopwatch {
    pub(crate) fn new() -> Self {
        Self { began: Instant::now(), steps: Vec::new() }
    }

    /// Does one step under a heading, and notes the time that it took, also when it fails.
    pub(crate) fn step<T>(&mut self, name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
        println!("\n== {name}");
        let began = Instant::now();
        let result = work();
        self.steps.push((name.to_owned(), began.elapsed()));
        println!("== {name}: {:.1} s", began.elapsed().as_secs_f64());
        result
    }

    pub(crate) fn total(&self) -> Duration {
        self.began.elapsed()
    }
}

impl fmt::Display for Stopwatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, took) in &self.steps {
            writeln!(f, "{name:16} {:7.1} s", took.as_secs_f64())?;
        }
        write!(f, "{:16} {:7.1} s", "together", self.total().as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_found_among_the_messages_of_cargo() {
        let messages = br#"{"reason":"compiler-artifact","target":{"name":"resume_core"},"executable":null}
{"reason":"compiler-artifact","target":{"name":"resume"},"executable":"/t/x86_64-unknown-linux-gnu/release/resume"}
{"reason":"build-finished","success":true}
"#;
        assert_eq!(executable(messages), Some("/t/x86_64-unknown-linux-gnu/release/resume".into()));
    }

    #[test]
    fn a_step_that_fails_is_timed_and_its_error_comes_back() {
        let mut watch = Stopwatch::new();
        assert!(watch.step("break", || -> Result<()> { bail!("broken") }).is_err());
        assert!(watch.to_string().starts_with("break"));
    }
}

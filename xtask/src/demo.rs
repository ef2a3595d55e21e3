//! The main job, shown: a server is started, asked, killed, found back, listed, read, stopped and forgotten.
//!
//! What is printed after a `$` is what a person would type; the answers are real. It happens in a home of its own, and
//! at the end neither a process nor a file of it is left, whether it went well or not.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::scratch::Scratch;
use crate::{http, needs, run};

/// How long anything of the demo may take on a busy machine before it counts as broken.
const PATIENCE: Duration = Duration::from_secs(20);
/// The pause between two looks at the table while a service becomes `running`.
const PAUSE: Duration = Duration::from_millis(20);
/// The example, as a person at the root of the repository would type it.
const SERVER: &str = "examples/server.js";

/// Builds the program and shows it; `--program FILE` shows one that is built already.
pub(crate) fn demo(arguments: &[String]) -> Result<()> {
    let given = match arguments {
        [] => None,
        [option, file] if option == "--program" => {
            Some(fs::canonicalize(file).with_context(|| format!("cannot find `{file}`"))?)
        }
        _ => bail!("usage: cargo xtask demo [--program FILE]"),
    };
    needs::ensure(&[&needs::NODE])?;
    let program = match given {
        Some(program) => program,
        None => run::build_resume()?,
    };
    let scratch = Scratch::new("resume-demo-")?;
    let stage = Stage { program, home: scratch.folder().join("home"), port: http::free_port()? };
    stage.play()?;
    scratch.clear()?;
    println!("\nNo process and no file of the demo is left.");
    Ok(())
}

/// The program that is shown, a home of its own, and the port that the server is told to use.
struct Stage {
    program: PathBuf,
    home: PathBuf,
    port: u16,
}

impl Stage {
    /// The story itself. Every step is checked, so that a demo that ends well has shown what it says.
    fn play(&self) -> Result<()> {
        println!("\nA server is started. It stays when the terminal is closed.\n");
        println!("$ export RESUME_HOME={} PORT={}", self.home.display(), self.port);
        self.resume(&["start", SERVER])?;
        let first = self.pid_that_answers(None)?;

        println!("\nIt dies, and is back.\n");
        println!("$ kill -9 {first}");
        let killed = Instant::now();
        ensure!(
            run::succeeds(Command::new("sh").args(["-c", &format!("kill -9 {first}")])),
            "cannot kill the server, pid {first}"
        );
        let second = self.pid_that_answers(Some(first))?;
        println!("(it answers again after {} ms, as another process)", killed.elapsed().as_millis());

        println!("\nWhat is known about it.\n");
        let listed = self.wait_until_running()?;
        self.resume(&["ls"])?;
        ensure!(listed["pid"] == second, "`ls` shows pid {}, and {second} answers", listed["pid"]);
        ensure!(listed["restarts"] == 1, "`ls` shows {} restarts instead of 1", listed["restarts"]);
        let log = self.resume(&["logs", "server"])?;
        ensure!(log.matches("listening on").count() == 2, "`logs` does not show both runs");

        println!("\nIt is stopped and forgotten.\n");
        self.resume(&["stop", "server"])?;
        ensure!(!http::listens(self.port), "`stop` has returned, and port {} still answers", self.port);
        self.resume(&["delete", "server"])?;
        ensure!(self.services()?.is_empty(), "`ls` still shows a service after `delete`");
        Ok(())
    }

    /// Types a command: prints it and its answer, and returns what it wrote on stdout.
    fn resume(&self, arguments: &[&str]) -> Result<String> {
        println!("$ resume {}", arguments.join(" "));
        let output = self.output(arguments)?;
        print!("{}", String::from_utf8_lossy(&output.stdout));
        eprint!("{}", String::from_utf8_lossy(&output.stderr));
        ensure!(output.status.success(), "`resume {}` failed: {}", arguments.join(" "), output.status);
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn output(&self, arguments: &[&str]) -> Result<std::process::Output> {
        Command::new(&self.program)
            .args(arguments)
            .current_dir(run::root())
            .env("RESUME_HOME", &self.home)
            .env("PORT", self.port.to_string())
            .output()
            .with_context(|| format!("cannot run `{}`", self.program.display()))
    }

    /// Asks the server over HTTP who it is, until that is another process than `old`.
    fn pid_that_answers(&self, old: Option<u64>) -> Result<u64> {
        println!("$ curl http://127.0.0.1:{}/", self.port);
        let body = http::ask(self.port, PATIENCE, |body| pid_of(body).is_some_and(|pid| Some(pid) != old))?;
        print!("{body}");
        pid_of(&body).context("the server does not say its pid")
    }

    fn services(&self) -> Result<Vec<Value>> {
        let output = self.output(&["ls", "--json"])?;
        ensure!(output.status.success(), "`resume ls --json` failed: {}", output.status);
        serde_json::from_slice(&output.stdout).context("`resume ls --json` did not print an array")
    }

    /// The row of the one service once it is `running`: a new run is `starting` for its first 100 ms.
    fn wait_until_running(&self) -> Result<Value> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let services = self.services()?;
            let [service] = services.as_slice() else { bail!("`ls` shows {} services instead of 1", services.len()) };
            if service["state"] == "running" {
                return Ok(service.clone());
            }
            ensure!(Instant::now() < deadline, "the service is still {}", service["state"]);
            std::thread::sleep(PAUSE);
        }
    }
}

fn pid_of(body: &str) -> Option<u64> {
    serde_json::from_str::<Value>(body).ok()?["pid"].as_u64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pid_is_read_from_the_answer_of_the_server() {
        assert_eq!(pid_of("{\"pid\":42,\"uptime\":1.5}\n"), Some(42));
        assert_eq!(pid_of("not found\n"), None);
    }
}

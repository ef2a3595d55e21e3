//! A folder, a home and an environment for one test, and the guard that leaves nothing behind.

use std::cell::Cell;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use resume_sys::watch::{Kinds, Watcher};
use serde_json::Value;
use tempfile::TempDir;

use crate::channel::Channel;
use crate::deadline::Deadline;
use crate::outcome::Outcome;
use crate::processes::{self, Ending};
use crate::programs::{python, unignore_signals};
use crate::running::Running;
use crate::varlink::Client;

/// Where the programs under test are. Only an integration test is told, at compile time.
#[derive(Clone, Copy, Debug)]
pub struct Programs {
    /// The shipped program.
    pub resume: &'static str,
    /// The child that obeys; see `src/bin/helper-child.rs`.
    pub helper: &'static str,
}

/// A place for one test. What is started in it is ended when the test forgets it; what is left after everything was
/// deleted fails the test.
#[derive(Debug)]
pub struct Sandbox {
    programs: Programs,
    folder: TempDir,
    home: PathBuf,
    environment: Vec<(OsString, OsString)>,
    /// Words before every command line: how to get into another name space.
    prefix: Vec<String>,
    /// Who keeps that name space; it goes with us.
    holder: Option<Running>,
    /// The home by the path that the test itself sees it by.
    seen: PathBuf,
    channels: Cell<u32>,
}

impl Sandbox {
    /// An empty sandbox. Its path is short: the address of a socket holds 108 bytes.
    #[track_caller]
    pub fn new(programs: Programs) -> Self {
        unignore_signals();
        let folder = tempfile::Builder::new().prefix("r").rand_bytes(5).tempdir().expect("a temporary folder");
        // A test may compare paths that the kernel gives; those hold no links.
        let path = folder.path().canonicalize().expect("it was just made");
        assert_eq!(path, folder.path(), "the folder for temporary files is reached through a link");
        let mut sandbox = Self {
            programs,
            home: path.join("h"),
            seen: path.join("h"),
            holder: None,
            folder,
            environment: Vec::new(),
            prefix: Vec::new(),
            channels: Cell::new(0),
        };
        fs::create_dir(sandbox.folder.path().join("user")).expect("the folder is ours");
        sandbox.set("PATH", std::env::var_os("PATH").unwrap_or_default());
        sandbox.set("HOME", sandbox.folder.path().join("user"));
        sandbox.set("RESUME_HOME", sandbox.home.clone());
        sandbox
    }

    /// Sets a variable for the commands to come. Those begin with `PATH`, `HOME` and `RESUME_HOME` alone.
    pub fn set(&mut self, name: &str, value: impl Into<OsString>) {
        self.unset(name);
        self.environment.push((name.into(), value.into()));
    }

    /// Takes a variable out of the environment of the commands to come.
    pub fn unset(&mut self, name: &str) {
        self.environment.retain(|(known, _)| known != name);
    }

    /// Runs the commands to come through `prefix`, into a name space that `holder` keeps and in which the home is what the
    /// test sees as `seen`.
    pub(crate) fn enter(&mut self, prefix: Vec<String>, holder: Running, seen: PathBuf) {
        (self.prefix, self.holder, self.seen) = (prefix, Some(holder), seen);
    }

    /// The folder of this test, which is also where its commands run.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The home that its commands have.
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// The directory of a service, by the path that the test itself sees it by.
    pub fn service_dir(&self, name: &str) -> PathBuf {
        self.seen.join("services").join(name)
    }

    /// The path of something in the folder, as text.
    pub fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().expect("a temporary folder has a path of text").to_owned()
    }

    /// The child that obeys.
    pub fn helper(&self) -> &'static str {
        self.programs.helper
    }

    /// The program under test.
    pub fn program(&self) -> &'static str {
        self.programs.resume
    }

    /// Writes a file into the folder and returns its path.
    #[track_caller]
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        fs::write(&path, content).expect("the folder is ours");
        path
    }

    /// Writes an executable file into the folder and returns its path.
    #[track_caller]
    pub fn script(&self, name: &str, content: &str) -> String {
        let path = self.write(name, content);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("the file is ours");
        path
    }

    /// A new channel from programs to this test.
    #[track_caller]
    pub fn channel(&self) -> Channel {
        self.channels.set(self.channels.get() + 1);
        Channel::new(self.folder.path(), &format!("channel{}", self.channels.get()))
    }

    /// A command line of ours, not yet run.
    pub fn command<W: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = W>) -> Command {
        let mut command = self.other_command(self.programs.resume);
        command.args(words);
        command
    }

    /// The command line of another program, in the same folder and with the same environment.
    pub fn other_command(&self, program: &str) -> Command {
        let mut words = self.prefix.iter().map(String::as_str).chain([program]);
        let mut command = Command::new(words.next().expect("there is at least the program"));
        command.args(words).env_clear().current_dir(self.folder.path());
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs `resume` with these words and waits for its end.
    #[track_caller]
    pub fn resume<W: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = W>) -> Outcome {
        self.run(self.command(words))
    }

    /// Runs a command with an empty stdin and waits for its end.
    #[track_caller]
    pub fn run(&self, command: Command) -> Outcome {
        Running::without_stdin(command).outcome()
    }

    /// Starts `resume` with these words, to go on beside the test.
    #[track_caller]
    pub fn spawn<W: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = W>) -> Running {
        Running::without_stdin(self.command(words))
    }

    /// Starts a program of ours or of others in a terminal of so many columns. What it prints there is the stdout of what
    /// is returned, with the line ends of a terminal; killing that closes the terminal.
    #[track_caller]
    pub fn in_terminal<W: AsRef<OsStr>>(&self, columns: u32, words: impl IntoIterator<Item = W>) -> Running {
        let mut command = self.other_command(python());
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/programs/terminal.py");
        command.arg(script).arg(columns.to_string()).args(words);
        Running::without_stdin(command)
    }

    /// Starts a service that must come up and returns the pid of its program: `start --name NAME -- WORDS…`.
    #[track_caller]
    pub fn start(&self, name: &str, words: &[&str]) -> i32 {
        self.start_with(name, &[], words)
    }

    /// The same with options.
    #[track_caller]
    pub fn start_with(&self, name: &str, options: &[&str], words: &[&str]) -> i32 {
        let begin = ["start", "--name", name];
        self.resume(begin.iter().chain(options).chain(&["--"]).chain(words)).success();
        self.pid(name)
    }

    /// Stops a service and waits until its supervisor has left as well, which is a moment after the answer. Then nobody
    /// remembers anything of it but its files.
    #[track_caller]
    pub fn stop_for_good(&self, name: &str) {
        let supervisor = Ending::of(self.supervisor(name));
        self.resume(["stop", name]).success();
        supervisor.wait();
    }

    /// The object of one service in `ls --json`.
    #[track_caller]
    pub fn service(&self, name: &str) -> Value {
        let all = self.services();
        let found = all.iter().find(|service| service["name"] == name).cloned();
        found.unwrap_or_else(|| panic!("`{name}` is not among {all:?}"))
    }

    /// The array that `ls --json` prints.
    #[track_caller]
    pub fn services(&self) -> Vec<Value> {
        match self.resume(["ls", "--json"]).success().json() {
            Value::Array(services) => services,
            other => panic!("expected an array, got {other}"),
        }
    }

    /// The state of a service as `ls` has it.
    #[track_caller]
    pub fn state(&self, name: &str) -> String {
        self.service(name)["state"].as_str().expect("a state is a word").to_owned()
    }

    /// The pid of a service's program, which must live.
    #[track_caller]
    pub fn pid(&self, name: &str) -> i32 {
        number(&self.service(name)["pid"])
    }

    /// The pid of a service's supervisor, which must live.
    #[track_caller]
    pub fn supervisor(&self, name: &str) -> i32 {
        number(&self.service(name)["supervisor_pid"])
    }

    /// The records of a service's log.
    #[track_caller]
    pub fn records(&self, name: &str) -> Vec<Value> {
        self.resume(["logs", name, "-n", "all", "--output", "json"]).success().json_lines()
    }

    /// The texts of those records that came by `stream`.
    #[track_caller]
    pub fn texts(&self, name: &str, stream: &str) -> Vec<String> {
        let records = self.records(name);
        let of_stream = records.iter().filter(|record| record["stream"] == stream);
        of_stream.map(|record| record["text"].as_str().expect("a text is a string").to_owned()).collect()
    }

    /// Waits until the log of a service holds a record with `part` in it, and returns the record.
    #[track_caller]
    pub fn record_with(&self, name: &str, part: &str) -> Value {
        let mut follower = self.spawn(["logs", name, "-f", "-n", "all", "--output", "json"]);
        loop {
            let line = follower.line().expect("following goes on until it is told to stop");
            let record: Value = serde_json::from_str(&line).expect("a record is JSON");
            if record["text"].as_str().is_some_and(|text| text.contains(part)) {
                return record;
            }
        }
    }

    /// Waits until `state.json` of a service is as `wanted`, and returns it. States that are over soon can be missed:
    /// what is waited for must be there to stay.
    #[track_caller]
    pub fn until(&self, name: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let deadline = Deadline::new(format!("`{name}` to be {what}"));
        let folder = self.service_dir(name);
        let watcher = Watcher::new().expect("an inotify can be made");
        watcher.add(&folder, Kinds::MOVED_TO.or(Kinds::CREATE)).expect("the service has a directory");
        loop {
            let text = fs::read(folder.join("state.json")).unwrap_or_default();
            if let Ok(state) = serde_json::from_slice::<Value>(&text)
                && wanted(&state)
            {
                return state;
            }
            deadline.wait(&[watcher.as_fd()]);
            watcher.read().expect("what happened can be read");
        }
    }

    /// Waits until the first instance of a service is in `state`, to stay there.
    #[track_caller]
    pub fn until_state(&self, name: &str, state: &str) -> Value {
        self.until(name, state, |status| status["instances"][0]["state"] == state)
    }

    /// Waits until the first instance of a service is running with this run or a later one.
    #[track_caller]
    pub fn until_run(&self, name: &str, run: u64) -> Value {
        self.until(name, &format!("running with run {run}"), |status| {
            let instance = &status["instances"][0];
            instance["state"] == "running" && instance["run"].as_u64().is_some_and(|now| now >= run)
        })
    }

    /// Connects to the supervisor of a service as a stranger's client would.
    #[track_caller]
    pub fn connect(&self, name: &str) -> Client {
        Client::connect(&self.service_dir(name).join("control.sock"))
    }

    /// Deletes all services and waits until no process is left; returns what was wrong with that.
    fn clear(&self) -> Result<(), String> {
        let outcome = self.resume(["delete", "all"]);
        let deleted = outcome.exit_code() == 0;
        let left = self.processes();
        let endings: Vec<Ending> = left.iter().map(|(pid, _)| Ending::of(*pid)).collect();
        if !deleted {
            return Err(format!("{outcome}"));
        }
        // A supervisor answers before it leaves, so it has a moment; nobody else has.
        for ((_, command), ending) in left.iter().zip(&endings) {
            if processes::is_supervisor(command) {
                ending.wait();
            }
        }
        let left = self.processes();
        if left.is_empty() { Ok(()) } else { Err(format!("these processes are left: {left:?}")) }
    }

    fn processes(&self) -> Vec<(i32, String)> {
        processes::find_by_environment(Path::new(&format!("RESUME_HOME={}", self.path(""))))
    }

    /// Kills whatever has its home here, supervisors first, until there is nothing.
    fn kill_all(&self) {
        let deadline = Deadline::new("the end of everything that a test left");
        loop {
            let left = self.processes();
            if left.is_empty() {
                return;
            }
            for (pid, _) in left {
                let ending = Ending::of(pid);
                ending.signal(9);
                ending.wait();
            }
            let _ = deadline.left();
        }
    }

    /// Prints what helps to understand a failure.
    fn report(&self) {
        println!("--- ls\n{}", self.resume(["ls", "--json"]));
        let services = fs::read_dir(self.seen.join("services")).into_iter().flatten().filter_map(Result::ok);
        for service in services {
            let name = service.file_name();
            let state = fs::read(service.path().join("state.json")).unwrap_or_default();
            println!("--- state.json of {}\n{}", name.display(), String::from_utf8_lossy(&state));
            let words = [OsStr::new("logs"), &name, OsStr::new("-n"), OsStr::new("50")];
            println!("--- log of {}\n{}", name.display(), self.resume(words));
        }
        println!("--- processes\n{:?}", self.processes());
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // What fails in here must not hide why the test failed, and must not keep what was started.
        let attempt = |what: &dyn Fn() -> Result<(), String>| {
            let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(what));
            result.unwrap_or_else(|_| Err("see the message above".to_owned()))
        };
        let failed = thread::panicking();
        if failed {
            let _ = attempt(&|| {
                self.report();
                Ok(())
            });
        }
        let cleared = attempt(&|| self.clear());
        let _ = attempt(&|| {
            self.kill_all();
            Ok(())
        });
        if let (Err(problem), false) = (cleared, failed) {
            panic!("after the test, `delete all` did not leave nothing: {problem}");
        }
    }
}

#[track_caller]
fn number(value: &Value) -> i32 {
    let number = value.as_i64().and_then(|number| i32::try_from(number).ok());
    number.unwrap_or_else(|| panic!("expected a pid, got {value}"))
}

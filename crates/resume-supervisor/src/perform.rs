//! Performs what the core decided. It decides nothing; what fails goes back as an event.

use std::ffi::{CString, OsStr};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use resume_core::event_record::What;
use resume_core::exit::{ExitStatus, SpawnError, SpawnStep};
use resume_core::layout::{self, Stream};
use resume_core::lifecycle::{Action, Event, RunEnd, State};
use resume_core::os_text::OsText;
use resume_core::signal::Signal;
use resume_core::status::{LastExit, StateWord};
use resume_core::time::Timestamp;
use resume_core::units::format_duration;
use resume_core::wire::Killed;
use resume_sys::child::Child;
use resume_sys::diagnose::{self, Diagnosis, Step};
use resume_sys::identity::Process;
use resume_sys::spawn::Spawn;
use resume_sys::tree::ProcessInfo;
use resume_sys::{clock, inherit, oom, process, spawn};

use crate::event_loop::{Handle, Instance, Main, Supervisor};
use crate::members::{self, Mark};
use crate::output::Output;

/// The first of the numbers at which a program finds its guards; see [`crate::output::ProgramEnds`].
const GUARD: i32 = 100;
/// Under which mask our own files are made: for our eyes only.
pub(crate) const PRIVATE: u32 = 0o077;
/// How often one kill looks for what forked meanwhile; what still escapes is met at the next deadline.
const KILL_ROUNDS: usize = 64;

impl Supervisor {
    /// Hands an event to the core and performs what it answers, and so on until nothing is left to do.
    pub(crate) fn deliver(&mut self, index: usize, event: Event) {
        let mut next = Some(event);
        while let Some(event) = next.take() {
            for action in self.service.handle(clock::boottime(), index, event) {
                next = self.perform(index, action);
                if next.is_some() {
                    break;
                }
            }
        }
    }

    /// Performs one action. An event that it returns replaces the actions that were to follow.
    pub(crate) fn perform(&mut self, index: usize, action: Action) -> Option<Event> {
        match action {
            Action::Spawn { run } => self.spawn(index, run).err().map(Event::SpawnFailed),
            Action::Terminate => self.terminate(index),
            Action::Kill => self.kill(index),
            Action::RunEnded(end) => {
                self.run_ended(index, &end);
                None
            }
            Action::Publish(word) => {
                self.published(index, word);
                None
            }
        }
    }

    fn spawn(&mut self, index: usize, run: u64) -> Result<(), SpawnError> {
        let instance = number(index);
        self.instances[index].killed.clear();
        self.instances[index].untouchable.clear();
        self.instances[index].adopted = false;
        self.instances[index].spawn_error = None;
        self.instances[index].group_kills = oom::kills_in_own_group();
        self.instances[index].started_at = Timestamp::from_micros(clock::wall_micros());
        match self.make_main(index) {
            Ok(main) => {
                let pid = main.identity.pid;
                self.instances[index].session = Some(pid);
                self.instances[index].main = Some(main);
                self.poll_outputs(index);
                self.journal.note(Some((instance, run)), &format!("started, pid {pid}"));
                Ok(())
            }
            Err(error) => {
                self.journal.note(Some((instance, run)), &format!("could not be started: {error}"));
                self.instances[index].spawn_error = Some(error.clone());
                Err(error)
            }
        }
    }

    fn make_main(&mut self, index: usize) -> Result<Main, SpawnError> {
        self.open_outputs(index).map_err(|error| output_error(&error))?;
        let child = make_process(self, number(index))?;
        match child.identity() {
            Ok(identity) => Ok(Main { identity, handle: Handle::Child(child) }),
            Err(error) => {
                // A process that we cannot name is one that the next supervisor would double.
                let _ = child.signal(Signal::KILL.number());
                Err(process_error(&error))
            }
        }
    }

    /// Sends the stop signal to the main process or, where that has ended, to what is left of its tree.
    fn terminate(&mut self, index: usize) -> Option<Event> {
        let signal = self.service.spec().stop.signal;
        if let Some(main) = &self.instances[index].main {
            send_and_wake(signal, |number| main.signal(number));
            return None;
        }
        let left = self.members(index);
        for process in &left {
            if let Ok(Some(held)) = Process::open(&process.identity) {
                send_and_wake(signal, |number| held.signal(number));
            }
        }
        self.gone_if_empty(index, &left)
    }

    /// Kills the whole tree, again and again while new processes turn up in it.
    fn kill(&mut self, index: usize) -> Option<Event> {
        for _ in 0..KILL_ROUNDS {
            let left = self.members(index);
            let known = |process: &ProcessInfo| self.instances[index].was_killed(process.identity.pid);
            if left.iter().all(known) && !left.is_empty() {
                return None;
            }
            if left.is_empty() {
                return self.gone_if_empty(index, &left);
            }
            for process in left {
                let pid = process.identity.pid;
                let sent = Process::open(&process.identity).and_then(|held| match held {
                    Some(held) => held.signal(Signal::KILL.number()).map(|()| true),
                    None => Ok(false),
                });
                if sent.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied) {
                    // Another user's: nothing of ours can end it, and waiting for that would be for ever.
                    self.instances[index].untouchable.push(process.identity);
                    self.warn(format!("`{}` (pid {pid}) runs on: it may not be killed", process.name.display()));
                    continue;
                }
                if matches!(sent, Ok(true)) && !self.instances[index].was_killed(pid) {
                    self.instances[index]
                        .killed
                        .push(Killed { pid, name: process.name.to_string_lossy().into_owned() });
                }
            }
        }
        None
    }

    /// The event that says so, if a run whose main process has ended has nothing left.
    fn gone_if_empty(&mut self, index: usize, left: &[ProcessInfo]) -> Option<Event> {
        let ending = !self.service.instance(index).is_alive();
        if !ending {
            return None;
        }
        if let Some(process) = left.first() {
            self.watch_leftover(index, process);
            return None;
        }
        self.drain(index);
        Some(Event::Gone)
    }

    /// Waits for the end of a process that an earlier supervisor started: it is not our child, so no signal tells of it.
    fn watch_leftover(&mut self, index: usize, process: &ProcessInfo) {
        if !self.instances[index].adopted || self.instances[index].leftover.is_some() {
            return;
        }
        if let Ok(Some(held)) = Process::open(&process.identity) {
            let generation = self.watch_process(index, &held);
            self.instances[index].leftover = Some((held, generation));
        }
    }

    /// Looks whether something is left of each run whose main process has ended.
    pub(crate) fn look_for_gone(&mut self) {
        for index in 0..self.instances.len() {
            let lifecycle = self.service.instance(index);
            if matches!(lifecycle.state(), State::Stopping { .. }) && !lifecycle.is_alive() {
                let left = self.members(index);
                if let Some(event) = self.gone_if_empty(index, &left) {
                    self.deliver(index, event);
                }
            }
        }
    }

    /// The living processes of one instance.
    pub(crate) fn members(&self, index: usize) -> Vec<ProcessInfo> {
        let mark = |(index, instance): (usize, &Instance)| Mark {
            index,
            main: instance.main.as_ref().map(|main| main.identity.pid),
            session: instance.session,
            adopted: instance.adopted,
        };
        let marks: Vec<Mark> = self.instances.iter().enumerate().map(mark).collect();
        let others_up = (0..marks.len()).any(|other| other != index && self.service.instance(other).is_alive());
        let mut members = members::of_instance(self.as_service(&marks), index, !others_up);
        members.retain(|process| !self.instances[index].untouchable.contains(&process.identity));
        members
    }

    /// What tells whose a process is.
    pub(crate) fn as_service<'a>(&'a self, marks: &'a [Mark]) -> members::Service<'a> {
        members::Service { name: &self.service.spec().name, home: &self.home, marks, spared: &self.spared }
    }

    fn run_ended(&mut self, index: usize, end: &RunEnd) {
        let instance = number(index);
        let (code, signal) = match end.status {
            Some(ExitStatus::Code(code)) => (Some(code), None),
            Some(ExitStatus::Signal(signal)) => (None, Some(signal)),
            Some(ExitStatus::OutOfMemory) => (None, Some(Signal::KILL)),
            Some(ExitStatus::Unknown) | None => (None, None),
        };
        if let Some(status) = end.status {
            let uptime = format_duration(end.uptime);
            self.journal.note(Some((instance, end.run)), &format!("{status} after {uptime}"));
        }
        let (signal, reason) = (signal.map(|signal| signal.to_string()), end.reason.to_string());
        let uptime_ms = u64::try_from(end.uptime.as_millis()).unwrap_or(u64::MAX);
        let instance = &mut self.instances[index];
        let what = What::Ended {
            code,
            signal: signal.clone(),
            reason: reason.clone(),
            uptime_ms,
            peak_memory_bytes: instance.peak_memory.take(),
            detail: instance.spawn_error.as_ref().map(ToString::to_string),
        };
        let at = Timestamp::from_micros(clock::wall_micros());
        instance.last_exit = Some(LastExit { at, code, signal, reason, run: end.run, uptime_ms });
        self.remember(index, end.run, what);
    }

    /// Puts an event into the history.
    fn remember(&mut self, index: usize, run: u64, what: What) {
        let record = self.history.record(&self.service.spec().name, number(index), run, what);
        if let Err(error) = self.history.add(&record) {
            self.warn(format!("writing `{}`: {error}", layout::EVENTS));
        }
        if self.clients.have_subscribers() {
            self.news.push(record);
        }
    }

    fn published(&mut self, index: usize, word: StateWord) {
        let lifecycle = self.service.instance(index);
        let policy = &self.service.spec().restart;
        let text = match lifecycle.state() {
            State::Backoff { due } => {
                let pause = format_duration(due.saturating_sub(clock::boottime()));
                let limit =
                    if policy.max_restarts == 0 { String::new() } else { format!(" of {}", policy.max_restarts) };
                Some(format!("restarting in {pause}, short run {}{limit}", lifecycle.short_runs()))
            }
            State::Failed => lifecycle.failure().map(|failure| format!("gave up: {failure}")),
            State::Stopped => Some("stopped".to_owned()),
            State::Exited => Some("ended, and its restart policy leaves it".to_owned()),
            State::Starting { .. } | State::Running | State::Stopping { .. } => None,
        };
        let run = lifecycle.run();
        let pid = self.instances[index].main.as_ref().map(|main| main.identity.pid);
        let what = What::State { state: word, pid, detail: text.clone() };
        if let Some(text) = text {
            self.journal.note(Some((number(index), run)), &text);
        }
        self.remember(index, run, what);
        if word.is_down() || word == StateWord::Backoff {
            self.journal.end_of_run(number(index), run);
        }
        self.changed = true;
    }
}

/// The number of the instance at `index`.
pub(crate) fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

/// Sends a signal and, since a stopped process takes none but SIGKILL until it goes on, wakes it for it.
fn send_and_wake(signal: Signal, send: impl Fn(i32) -> io::Result<()>) {
    let _ = send(signal.number());
    if signal != Signal::KILL {
        let _ = send(Signal::CONT.number());
    }
}

fn make_process(supervisor: &Supervisor, instance: u32) -> Result<Child, SpawnError> {
    let spec = supervisor.service.spec();
    let dir = supervisor.dir.as_fd();
    let ends = Stream::ALL.map(|stream| Output::program_ends(dir, instance, stream));
    let [stdout, stderr] = ends;
    let (stdout, stderr) = (stdout.map_err(|e| output_error(&e))?, stderr.map_err(|e| output_error(&e))?);

    let cwd = spec.cwd.as_path();
    let path = spec.environment.iter().rev().find_map(|entry| entry.as_bytes().strip_prefix(b"PATH="));
    let words: Vec<&OsText> = spec.argv().collect();
    let name = words.first().map_or(OsStr::new(""), |word| word.as_os_str());
    let program = diagnose::resolve_program(name, path.map(OsStr::from_bytes), cwd).map_err(spawn_error)?;

    let added = [
        ("RESUME_HOME=", supervisor.home.as_os_str().as_bytes()),
        ("RESUME_SERVICE=", spec.name.as_str().as_bytes()),
        ("RESUME_INSTANCE=", instance.to_string().as_bytes()),
    ]
    .map(|(key, value)| [key.as_bytes(), value].concat());
    let ours = |entry: &&OsText| added.iter().any(|add| entry.as_bytes().starts_with(&add[..=key_length(add)]));
    let kept = spec.environment.iter().filter(|entry| !ours(entry)).map(|entry| entry.as_bytes().to_vec());

    let text = |bytes: Vec<u8>| CString::new(bytes).map_err(|_| process_error(&io::ErrorKind::InvalidInput.into()));
    let environment = kept.chain(added.clone()).map(text).collect::<Result<Vec<_>, _>>()?;
    let argv = words.iter().map(|word| text(word.as_bytes().to_vec())).collect::<Result<Vec<_>, _>>()?;
    let (program, cwd) = (text(program.into_os_string().into_vec())?, text(spec.cwd.as_bytes().to_vec())?);

    let mut fds: Vec<(BorrowedFd<'_>, i32)> =
        vec![(supervisor.null.as_fd(), 0), (stdout.writer.as_fd(), 1), (stderr.writer.as_fd(), 2)];
    // Where a program may not have as many descriptors, it does without.
    if inherit::descriptor_limit() > u64::from((GUARD + 1).unsigned_abs()) {
        fds.extend([(stdout.guard.as_fd(), GUARD), (stderr.guard.as_fd(), GUARD + 1)]);
    }
    let request =
        Spawn { program: &program, argv: &argv, env: &environment, cwd: Some(&cwd), fds: &fds, session: true };
    // Our own files are nobody's business, the program's are its user's.
    process::set_umask(spec.umask);
    let spawned = spawn::spawn(&request);
    process::set_umask(PRIVATE);
    spawned.map_err(|error| spawn_error(diagnose::diagnose(&request, error.raw_os_error().unwrap_or_default())))
}

/// Where the name of an environment entry ends: the index of its `=`.
fn key_length(entry: &[u8]) -> usize {
    entry.iter().position(|byte| *byte == b'=').unwrap_or(entry.len() - 1)
}

fn spawn_error(diagnosis: Diagnosis) -> SpawnError {
    let Diagnosis { step, subject, errno, message, transient } = diagnosis;
    let step = match step {
        Step::Cwd => SpawnStep::Cwd,
        Step::Program => SpawnStep::Program,
        Step::Interpreter => SpawnStep::Interpreter,
        Step::Process => SpawnStep::Process,
    };
    SpawnError { step, subject: subject.to_string_lossy().into_owned(), errno, message, transient }
}

fn output_error(error: &io::Error) -> SpawnError {
    io_error(SpawnStep::Output, "stdout and stderr", error)
}

fn process_error(error: &io::Error) -> SpawnError {
    io_error(SpawnStep::Process, "the program", error)
}

fn io_error(step: SpawnStep, subject: &str, error: &io::Error) -> SpawnError {
    let errno = error.raw_os_error().unwrap_or_default();
    let subject = PathBuf::from(subject).display().to_string();
    let message = resume_sys::errno::describe(errno);
    SpawnError { step, subject, errno, message, transient: resume_sys::errno::is_transient(errno) }
}

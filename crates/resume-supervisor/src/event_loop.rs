//! The loop: one wait, one event, its consequences; then the next.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::time::Duration;

use resume_core::event_record::EventRecord;
use resume_core::exit::{ExitStatus, SpawnError};
use resume_core::layout;
use resume_core::lifecycle::Event;
use resume_core::service::Service;
use resume_core::signal::Signal;
use resume_core::status::{LastExit, ProcessIdentity};
use resume_core::time::Timestamp;
use resume_core::wire::Killed;
use resume_sys::child::{self, Child, Reaped, WaitStatus};
use resume_sys::clock;
use resume_sys::dnotify;
use resume_sys::identity::{Identity, Process};
use resume_sys::lock::Lock;
use resume_sys::memory::Scratch;
use resume_sys::oom;
use resume_sys::poll::{self, Poller};
use resume_sys::signal::SignalPipe;
use resume_sys::tree;

use crate::clients::Clients;
use crate::echo::Echo;
use crate::history::History;
use crate::journal::Journal;
use crate::key::{self, Source};
use crate::output::Output;
use crate::waiting::Delete;

/// ENOENT, as errno(3) has it on Linux.
const NOT_FOUND: i32 = 2;
/// The size of the one buffer that everything is read through.
pub(crate) const BUFFER: usize = 64 << 10;
/// A main process.
pub(crate) struct Main {
    pub(crate) identity: Identity,
    pub(crate) handle: Handle,
}

/// How we hold it.
pub(crate) enum Handle {
    /// We made it, so we are told how it ends.
    Child(Child),
    /// An earlier supervisor made it; its pidfd says when it ends, but not how.
    Adopted(Process),
}

impl Main {
    pub(crate) fn signal(&self, signal: i32) -> io::Result<()> {
        match &self.handle {
            Handle::Child(child) => child.signal(signal),
            Handle::Adopted(process) => process.signal(signal),
        }
    }
}

/// What the shell holds of one instance.
pub(crate) struct Instance {
    pub(crate) main: Option<Main>,
    pub(crate) started_at: Timestamp,
    /// The session of the present or last run: its main process's pid.
    pub(crate) session: Option<i32>,
    /// Of stdout and stderr, once there was a run.
    pub(crate) outputs: [Option<Output>; 2],
    pub(crate) last_exit: Option<LastExit>,
    /// Why the last spawn failed, if it did.
    pub(crate) spawn_error: Option<SpawnError>,
    /// How many kills for want of memory our control group had seen when the run began, if that is told.
    pub(crate) group_kills: Option<u64>,
    /// The largest resident size of the run that has just ended, in bytes.
    pub(crate) peak_memory: Option<u64>,
    /// What had to be killed of the present or last run.
    pub(crate) killed: Vec<Killed>,
    /// What belongs to the present or last run but may not be signalled.
    pub(crate) untouchable: Vec<Identity>,
    /// Whether an earlier supervisor started the present run.
    pub(crate) adopted: bool,
    /// The generation under which an adopted main process's pidfd is polled.
    pub(crate) polled: u32,
    /// One of the processes that an adopted main process left behind, and the generation under which it is polled.
    pub(crate) leftover: Option<(Process, u32)>,
}

impl Instance {
    pub(crate) fn new(last_exit: Option<LastExit>) -> Self {
        Self {
            main: None,
            started_at: Timestamp::from_micros(0),
            session: None,
            outputs: [None, None],
            last_exit,
            spawn_error: None,
            group_kills: None,
            peak_memory: None,
            killed: Vec::new(),
            untouchable: Vec::new(),
            adopted: false,
            polled: 0,
            leftover: None,
        }
    }

    pub(crate) fn was_killed(&self, pid: i32) -> bool {
        self.killed.iter().any(|killed| killed.pid == pid)
    }
}

/// Where we run.
pub(crate) enum Mode {
    /// Detached; we leave when there is nothing to do.
    Background,
    /// In a terminal; we leave when the service is at rest.
    Foreground {
        /// The ways of stdout and stderr to our own.
        echoes: [Echo; 2],
        /// Whether an interrupt has come already.
        interrupted: bool,
    },
}

/// Everything a supervisor holds.
pub(crate) struct Supervisor {
    pub(crate) dir: OwnedFd,
    pub(crate) path: PathBuf,
    pub(crate) home: PathBuf,
    pub(crate) lock: Lock,
    pub(crate) identity: ProcessIdentity,
    pub(crate) mode: Mode,
    pub(crate) service: Service,
    pub(crate) instances: Vec<Instance>,
    pub(crate) journal: Journal,
    pub(crate) history: History,
    pub(crate) clients: Clients,
    pub(crate) poller: Poller,
    pub(crate) signals: SignalPipe,
    pub(crate) listener: OwnedFd,
    pub(crate) null: OwnedFd,
    pub(crate) scratch: Scratch,
    /// When to give the buffer's memory back.
    pub(crate) release_at: Option<Duration>,
    /// When to take in clients again, after that failed.
    pub(crate) listen_at: Option<Duration>,
    pub(crate) warnings: Vec<String>,
    /// What has happened since subscribers were last told.
    pub(crate) news: Vec<EventRecord>,
    /// Whether the state on disk is behind.
    pub(crate) changed: bool,
    /// Set when we must leave at once, leaving everything as it is.
    pub(crate) leaving: bool,
    /// The instances whose runs ended while no supervisor lived, and when to judge them.
    pub(crate) ended_away: Vec<usize>,
    pub(crate) judge_at: Option<Duration>,
    /// How to remove the service once it is down, if that was asked for.
    pub(crate) deleting: Option<Delete>,
    /// Why it could not be removed.
    pub(crate) undeletable: Option<String>,
    /// What was below us before we began, in the foreground.
    pub(crate) spared: Vec<Identity>,
    /// Whether the service's directory has been removed.
    pub(crate) deleted: bool,
    pub(crate) generation: u32,
}

impl Supervisor {
    /// Looks after the service until there is nothing to look after, and returns the exit code.
    pub(crate) fn run(mut self) -> u8 {
        let mut events = Vec::new();
        loop {
            self.publish();
            if let Some(code) = self.finished() {
                return self.leave(code);
            }
            let timeout = self.deadline().map(|deadline| deadline.saturating_sub(clock::boottime()));
            if let Err(error) = self.poller.wait(&mut events, timeout) {
                self.warn(format!("waiting for events: {error}"));
                events.clear();
            }
            for event in events.drain(..) {
                self.dispatch(event);
            }
            self.tick();
        }
    }

    /// Makes what is true known: first on disk, then to those who wait.
    fn publish(&mut self) {
        if let Some(problem) = self.journal.problem() {
            self.warn(problem);
        }
        loop {
            self.delete_if_due();
            if std::mem::take(&mut self.changed) && !self.deleted {
                self.write_state();
            }
            self.tell_subscribers();
            if !self.answer_waiting() {
                return;
            }
        }
    }

    fn finished(&self) -> Option<u8> {
        if self.leaving {
            return Some(match self.mode {
                Mode::Background => 0,
                Mode::Foreground { .. } => self.exit_code(),
            });
        }
        if !self.service.is_at_rest() {
            return None;
        }
        match self.mode {
            Mode::Background => self.clients.is_empty().then_some(0),
            Mode::Foreground { .. } => Some(self.exit_code()),
        }
    }

    /// The exit code that stands for the last run, as a shell has it.
    fn exit_code(&self) -> u8 {
        let Some(instance) = self.instances.first() else { return 1 };
        if let Some(error) = &instance.spawn_error {
            return if error.errno == NOT_FOUND { 127 } else { 126 };
        }
        let Some(exit) = &instance.last_exit else { return 1 };
        let signal = exit.signal.as_ref().and_then(|signal| signal.parse::<Signal>().ok());
        let of_signal = |signal: Signal| u8::try_from(128 + signal.number()).unwrap_or(255);
        exit.code.or(signal.map(of_signal)).unwrap_or(1)
    }

    fn leave(mut self, code: u8) -> u8 {
        self.journal.flush();
        if !self.deleted {
            let _ = std::fs::remove_file(self.path.join(layout::SOCKET));
        }
        // What the terminal has not yet taken is waited for here, with the lock already free for others.
        drop(self.lock);
        // From here on a signal ends us, as it ends any program that waits for its reader.
        drop(self.dir);
        drop(self.signals);
        drop(self.mode);
        code
    }

    fn deadline(&self) -> Option<Duration> {
        [self.service.deadline(), self.journal.deadline(), self.release_at, self.listen_at, self.judge_at]
            .into_iter()
            .flatten()
            .min()
    }

    fn tick(&mut self) {
        self.judge_ended_away();
        let now = clock::boottime();
        for index in self.service.due(now) {
            self.deliver(index, Event::Tick);
        }
        if self.journal.deadline().is_some_and(|deadline| deadline <= now) {
            self.journal.tick();
        }
        if self.listen_at.is_some_and(|moment| moment <= now) {
            self.listen();
            self.look_for_socket();
        }
        if self.release_at.is_some_and(|moment| moment <= now) {
            self.scratch.release();
            self.release_at = None;
        }
    }

    fn dispatch(&mut self, event: poll::Event) {
        let Some((source, generation)) = key::unpack(event.key) else { return };
        match source {
            Source::Signals => self.signaled(),
            Source::Listener => self.accept(),
            Source::Output(value) => self.readable(value, generation),
            Source::Adopted(value) => self.adopted_ended(value as usize, generation),
            Source::Client(value) => self.client_event(value as usize, generation, event),
            Source::Echo(value) => self.echo_writable(value as usize, generation),
        }
    }

    fn signaled(&mut self) {
        let came = self.signals.drain();
        if came.contains(Signal::CHLD.number()) {
            self.reap();
        }
        if came.contains(dnotify::SIGNAL) {
            self.look_for_socket();
        }
        let interrupt = came.contains(Signal::INT.number());
        let asked_to_end = interrupt || came.contains(Signal::TERM.number()) || came.contains(Signal::HUP.number());
        match &mut self.mode {
            Mode::Background => {
                // Whoever ends us does not end the service.
                self.leaving |= came.contains(Signal::TERM.number());
            }
            Mode::Foreground { interrupted, .. } => {
                if asked_to_end {
                    let event = if *interrupted && interrupt { Event::Kill } else { Event::Stop };
                    *interrupted |= interrupt;
                    for index in 0..self.instances.len() {
                        self.deliver(index, event.clone());
                    }
                }
            }
        }
    }

    fn reap(&mut self) {
        while let Some(Reaped { pid, status, peak_memory }) = child::reap_any() {
            let is_main = |instance: &Instance| {
                let main = instance.main.as_ref();
                main.is_some_and(|main| main.identity.pid == pid && matches!(main.handle, Handle::Child(_)))
            };
            if let Some(index) = self.instances.iter().position(is_main) {
                let status = match status {
                    WaitStatus::Code(code) => ExitStatus::Code(code),
                    WaitStatus::Signal(number) => self.ended_by_signal(index, pid, number),
                };
                self.instances[index].peak_memory = Some(peak_memory);
                self.main_ended(index, status);
            }
        }
        self.look_for_gone();
    }

    /// Whether a signal that ended a main process was the kernel's, for want of memory, as far as anything tells: the
    /// kernel's log if it may be read, else the counter of our control group.
    fn ended_by_signal(&self, index: usize, pid: i32, number: i32) -> ExitStatus {
        let Some(signal) = Signal::from_number(number) else { return ExitStatus::Unknown };
        let instance = &self.instances[index];
        if signal == Signal::KILL && !instance.was_killed(pid) {
            let counted = || oom::kills_in_own_group() > instance.group_kills && instance.group_kills.is_some();
            if oom::log_says_killed(pid, self.service.instance(index).started()).unwrap_or_else(counted) {
                return ExitStatus::OutOfMemory;
            }
        }
        ExitStatus::Signal(signal)
    }

    /// The main process has ended and been reaped: what it wrote is read before anything follows.
    pub(crate) fn main_ended(&mut self, index: usize, status: ExitStatus) {
        let was_child = matches!(self.instances[index].main, Some(Main { handle: Handle::Child(_), .. }));
        self.instances[index].main = None;
        let nothing_left = was_child && !tree::has_children();
        let leftovers = !nothing_left && !self.members(index).is_empty();
        self.drain(index);
        self.deliver(index, Event::Exited { status, leftovers });
    }

    fn adopted_ended(&mut self, index: usize, generation: u32) {
        let Some(instance) = self.instances.get_mut(index) else { return };
        if let Some((process, _)) = instance.leftover.take_if(|leftover| leftover.1 == generation) {
            let _ = self.poller.remove(process.as_fd());
            self.look_for_gone();
            return;
        }
        let Some(Main { handle: Handle::Adopted(process), .. }) = &instance.main else { return };
        if instance.polled == generation {
            let _ = self.poller.remove(process.as_fd());
            self.main_ended(index, ExitStatus::Unknown);
        }
    }

    /// A number that no registration had before.
    pub(crate) fn next_generation(&mut self) -> u32 {
        self.generation = self.generation.wrapping_add(1);
        self.generation
    }

    /// The directory of the service.
    pub(crate) fn dir(&self) -> BorrowedFd<'_> {
        self.dir.as_fd()
    }
}

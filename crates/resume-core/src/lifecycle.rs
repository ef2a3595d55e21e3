//! The life of one instance: what it is, what was asked of it, and what must be done next.
//!
//! ```text
//!            start                    lived 100 ms
//! Stopped ──────────▶ Starting ─────────────────────▶ Running
//!    ▲                 ▲ ▲  │ ended                    │ ended
//!    │ gone,           │ │  ▼                          ▼
//!    │ wanted down     │ │ (what it left behind is ended: Stopping)
//!    │            due  │ │ gone, wanted up
//! Stopping          Backoff ◀── a short run ──┬── the policy leaves it ──▶ Exited
//!    ▲ stop, restart                          └── one too many ──▶ Failed
//!    └── Starting, Running
//! ```
//!
//! A run ends in two steps: its main process ends ([`Event::Exited`]), then nothing is left of its process tree and its
//! output is read to the end ([`Event::Gone`]). Where nothing was left the first event says so and there is no second.
//! The next run never begins before.
//!
//! This module knows nothing of processes, files or clocks. The shell performs the actions in order; one that fails
//! comes back as an event and the rest of its list is dropped.

use std::time::Duration;

use crate::exit::{ExitStatus, Reason, SpawnError};
use crate::restart::{Backoff, Verdict};
use crate::spec::{Desired, Spec};
use crate::status::StateWord;

/// A moment: the time since the machine booted, sleep included.
pub type Now = Duration;

/// How long a program without a readiness of its own must have lived to be called running.
pub const READY_AFTER: Duration = Duration::from_millis(100);
/// How long to wait before killing again what was not there, or not seen, the first time.
pub const KILL_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// What happened to an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A person wants it up.
    Start,
    /// A person wants it down.
    Stop,
    /// A person wants this run to end and another to begin.
    Restart,
    /// A person wants it down at once.
    Kill,
    /// The [`Action::Spawn`] could not be performed.
    SpawnFailed(SpawnError),
    /// The main process ended.
    Exited {
        /// How.
        status: ExitStatus,
        /// Whether other processes of its tree still live.
        leftovers: bool,
    },
    /// The last process of the tree ended, after the main process.
    Gone,
    /// The moment that [`Lifecycle::deadline`] named has come.
    Tick,
}

/// What the shell must do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Make the process of this run.
    Spawn {
        /// The run's number.
        run: u64,
    },
    /// Send the stop signal to the main process or, where that has ended, to all that is left of its tree.
    Terminate,
    /// Kill the whole tree.
    Kill,
    /// Put the end of a run on record.
    RunEnded(RunEnd),
    /// Tell everyone that the state has changed to this one.
    Publish(StateWord),
}

/// The end of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunEnd {
    /// The run's number.
    pub run: u64,
    /// How its main process ended; `None` if it was never made.
    pub status: Option<ExitStatus>,
    /// Why.
    pub reason: Reason,
    /// How long it lasted.
    pub uptime: Duration,
}

/// What is true of an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// A person stopped it, or never started it.
    Stopped,
    /// Its process is made, it is not up yet.
    Starting {
        /// When it has lived long enough.
        ready_at: Now,
    },
    /// It is up.
    Running,
    /// It is being ended, or what its main process left behind is.
    Stopping {
        /// When to kill what is left.
        kill_at: Now,
    },
    /// It waits to be started again.
    Backoff {
        /// When.
        due: Now,
    },
    /// It ended by itself and the policy leaves it.
    Exited,
    /// It gave up.
    Failed,
}

impl State {
    /// The word for it.
    pub fn word(&self) -> StateWord {
        match self {
            Self::Stopped => StateWord::Stopped,
            Self::Starting { .. } => StateWord::Starting,
            Self::Running => StateWord::Running,
            Self::Stopping { .. } => StateWord::Stopping,
            Self::Backoff { .. } => StateWord::Backoff,
            Self::Exited => StateWord::Exited,
            Self::Failed => StateWord::Failed,
        }
    }
}

/// Why an instance gave up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It had more short runs in a row than the limit.
    RestartLimit {
        /// How many.
        short_runs: u32,
    },
    /// It could not be spawned.
    Spawn(SpawnError),
    /// As an earlier supervisor put it.
    Known(String),
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::RestartLimit { short_runs } => write!(f, "{short_runs} short runs in a row"),
            Self::Spawn(error) => error.fmt(f),
            Self::Known(text) => f.write_str(text),
        }
    }
}

/// What a run's end leads to, while what it left behind is ended.
#[derive(Clone, Debug, PartialEq, Eq)]
enum After {
    /// It was asked to end, for this reason; what was asked last decides.
    Asked(Reason),
    /// It ended by itself.
    Verdict(Verdict),
}

/// One instance.
#[derive(Clone, Debug)]
pub struct Lifecycle {
    desired: Desired,
    state: State,
    run: u64,
    started: Now,
    /// Whether the main process of the present run lives.
    alive: bool,
    /// Whether a person asked for the present run, not the policy.
    by_person: bool,
    restarts: u64,
    backoff: Backoff,
    after: After,
    failure: Option<Failure>,
}

/// What outlives a supervisor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Memory {
    /// What was asked last.
    pub desired: Desired,
    /// The number of the last run.
    pub run: u64,
    /// The automatic restarts since a person last started it.
    pub restarts: u64,
    /// The short runs in a row.
    pub short_runs: u32,
    /// Why it gave up, if it did.
    pub failure: Option<String>,
}

impl Lifecycle {
    /// An instance that never ran; `seed` spreads the jitter.
    pub fn new(seed: u64) -> Self {
        Self {
            desired: Desired::Down,
            state: State::Stopped,
            run: 0,
            started: Now::ZERO,
            alive: false,
            by_person: false,
            restarts: 0,
            backoff: Backoff::new(seed),
            after: After::Asked(Reason::Stopped),
            failure: None,
        }
    }

    /// An instance that an earlier supervisor looked after. One that waited to restart is due at once; one that was live
    /// becomes `Stopped`, until it is adopted.
    #[must_use]
    pub fn restore(seed: u64, memory: &Memory, state: StateWord, now: Now) -> Self {
        let mut restored = Self::new(seed);
        restored.desired = memory.desired;
        restored.run = memory.run;
        restored.restarts = memory.restarts;
        restored.backoff.set_short_runs(memory.short_runs);
        restored.state = match state {
            StateWord::Exited => State::Exited,
            StateWord::Failed => {
                restored.failure = memory.failure.clone().map(Failure::Known);
                State::Failed
            }
            StateWord::Backoff => State::Backoff { due: now },
            StateWord::Stopped | StateWord::Lost | StateWord::Stopping | StateWord::Starting | StateWord::Running => {
                State::Stopped
            }
        };
        restored
    }

    /// Zeroes the counters. A pause that has begun goes on.
    pub fn reset_counters(&mut self) {
        self.restarts = 0;
        self.backoff.set_short_runs(0);
    }

    /// Takes over the present run, which began at `started` under an earlier supervisor and whose main process lives.
    ///
    /// One that was being stopped is stopped with a grace period of its own.
    #[must_use]
    pub fn adopt(&mut self, spec: &Spec, now: Now, started: Now) -> Vec<Action> {
        self.started = started;
        self.alive = true;
        self.by_person = false;
        match self.desired {
            Desired::Up => self.enter(State::Running, []),
            Desired::Down => self.terminate(spec, now, Reason::Stopped),
        }
    }

    /// Takes over what is left of a run whose main process ended, with `last` if that is known, under an earlier
    /// supervisor. How long it lasted was judged then; what is open is whether another follows.
    #[must_use]
    pub fn adopt_leftovers(&mut self, spec: &Spec, now: Now, last: Option<ExitStatus>) -> Vec<Action> {
        self.alive = false;
        self.after = match self.desired {
            Desired::Up if Backoff::new(0).judge(&spec.restart, Duration::MAX, last) == Verdict::Leave => {
                After::Verdict(Verdict::Leave)
            }
            Desired::Up => After::Verdict(Verdict::Again(Duration::ZERO)),
            Desired::Down => After::Asked(Reason::Stopped),
        };
        self.enter(State::Stopping { kill_at: now + spec.stop.timeout }, [Action::Terminate])
    }

    /// What was asked last.
    pub fn desired(&self) -> Desired {
        self.desired
    }

    /// What is true.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The number of the present or last run; 0 before the first.
    pub fn run(&self) -> u64 {
        self.run
    }

    /// When the present or last run began.
    pub fn started(&self) -> Now {
        self.started
    }

    /// Whether the main process of the present run lives.
    pub fn is_alive(&self) -> bool {
        self.alive
    }

    /// The automatic restarts since a person last started it.
    pub fn restarts(&self) -> u64 {
        self.restarts
    }

    /// The short runs in a row.
    pub fn short_runs(&self) -> u32 {
        self.backoff.short_runs()
    }

    /// Why it gave up, in `Failed`.
    pub fn failure(&self) -> Option<&Failure> {
        self.failure.as_ref()
    }

    /// The next moment at which the shell must deliver [`Event::Tick`].
    pub fn deadline(&self) -> Option<Now> {
        match self.state {
            State::Starting { ready_at } => Some(ready_at),
            State::Stopping { kill_at } => Some(kill_at),
            State::Backoff { due } => Some(due),
            State::Stopped | State::Running | State::Exited | State::Failed => None,
        }
    }

    /// Takes one event and returns what the shell must now do, in order.
    #[must_use]
    pub fn handle(&mut self, spec: &Spec, now: Now, event: Event) -> Vec<Action> {
        use {Event as E, State as S};
        match &event {
            E::Start | E::Restart => self.desired = Desired::Up,
            E::Stop | E::Kill => self.desired = Desired::Down,
            E::SpawnFailed(_) | E::Exited { .. } | E::Gone | E::Tick => (),
        }
        match (self.state.clone(), event) {
            (S::Stopped | S::Exited | S::Failed | S::Backoff { .. }, E::Start | E::Restart) => self.begin(now),
            (S::Exited | S::Failed | S::Backoff { .. }, E::Stop | E::Kill) => self.enter(S::Stopped, []),
            (S::Starting { .. } | S::Running, E::Stop) => self.terminate(spec, now, Reason::Stopped),
            (S::Starting { .. } | S::Running, E::Restart) => self.terminate(spec, now, Reason::Restarted),
            (S::Starting { .. } | S::Running, E::Kill) => {
                self.after = After::Asked(Reason::Stopped);
                self.enter(S::Stopping { kill_at: now + KILL_AGAIN_AFTER }, [Action::Kill])
            }
            (S::Starting { .. } | S::Running, E::Exited { status, leftovers }) => {
                self.ended_by_itself(spec, now, status, leftovers)
            }
            (S::Starting { .. }, E::SpawnFailed(error)) => self.not_spawned(spec, now, error),
            (S::Starting { ready_at }, E::Tick) if ready_at <= now => self.enter(S::Running, []),
            (S::Backoff { due }, E::Tick) if due <= now => self.start_again(now),
            (S::Stopping { .. }, E::Start | E::Restart) => self.begin_after_this(),
            (S::Stopping { .. }, E::Stop) => {
                self.after = After::Asked(Reason::Stopped);
                vec![]
            }
            (S::Stopping { .. }, E::Kill) => {
                self.after = After::Asked(Reason::Stopped);
                self.kill(now)
            }
            (S::Stopping { kill_at }, E::Tick) if kill_at <= now => self.kill(now),
            (S::Stopping { .. }, E::Exited { status, leftovers }) if self.alive => {
                self.ended_as_asked(now, status, leftovers)
            }
            (S::Stopping { .. }, E::Gone) if !self.alive => self.settle(now),
            // Named one by one, so that a new state or event fails to compile here.
            (S::Stopped, E::Stop | E::Kill | E::Tick)
            | (S::Starting { .. } | S::Running, E::Start | E::Tick | E::Gone)
            | (S::Running, E::SpawnFailed(_))
            | (S::Stopping { .. }, E::Tick | E::SpawnFailed(_) | E::Exited { .. } | E::Gone)
            | (S::Backoff { .. } | S::Exited | S::Failed, E::Tick)
            | (
                S::Stopped | S::Backoff { .. } | S::Exited | S::Failed,
                E::SpawnFailed(_) | E::Exited { .. } | E::Gone,
            ) => vec![],
        }
    }

    fn enter<const N: usize>(&mut self, state: State, before: [Action; N]) -> Vec<Action> {
        self.state = state;
        if self.state != State::Failed {
            self.failure = None;
        }
        let mut actions = Vec::with_capacity(N + 1);
        actions.extend(before);
        actions.push(Action::Publish(self.state.word()));
        actions
    }

    /// Begins a run because a person asked for it.
    fn begin(&mut self, now: Now) -> Vec<Action> {
        self.restarts = 0;
        self.backoff.set_short_runs(0);
        self.by_person = true;
        self.spawn(now)
    }

    /// Begins a run because the policy has it.
    fn start_again(&mut self, now: Now) -> Vec<Action> {
        self.restarts += 1;
        self.by_person = false;
        self.spawn(now)
    }

    fn spawn(&mut self, now: Now) -> Vec<Action> {
        self.run += 1;
        self.started = now;
        self.alive = true;
        self.after = After::Asked(Reason::Stopped);
        self.enter(State::Starting { ready_at: now + READY_AFTER }, [Action::Spawn { run: self.run }])
    }

    fn terminate(&mut self, spec: &Spec, now: Now, reason: Reason) -> Vec<Action> {
        self.after = After::Asked(reason);
        self.enter(State::Stopping { kill_at: now + spec.stop.timeout }, [Action::Terminate])
    }

    fn kill(&mut self, now: Now) -> Vec<Action> {
        self.state = State::Stopping { kill_at: now + KILL_AGAIN_AFTER };
        vec![Action::Kill]
    }

    /// A person wants it up while it is being ended.
    fn begin_after_this(&mut self) -> Vec<Action> {
        self.after = After::Asked(Reason::Restarted);
        vec![]
    }

    fn ended_by_itself(&mut self, spec: &Spec, now: Now, status: ExitStatus, leftovers: bool) -> Vec<Action> {
        let uptime = now.saturating_sub(self.started);
        let reason = match status {
            ExitStatus::Code(_) => Reason::Exit,
            ExitStatus::Signal(_) => Reason::Signal,
            ExitStatus::OutOfMemory => Reason::OutOfMemory,
            ExitStatus::Unknown => Reason::Unknown,
        };
        self.alive = false;
        self.after = After::Verdict(self.backoff.judge(&spec.restart, uptime, Some(status)));
        let end = Action::RunEnded(RunEnd { run: self.run, status: Some(status), reason, uptime });
        if leftovers {
            return self.enter(State::Stopping { kill_at: now + spec.stop.timeout }, [end, Action::Terminate]);
        }
        let mut actions = vec![end];
        actions.append(&mut self.settle(now));
        actions
    }

    fn ended_as_asked(&mut self, now: Now, status: ExitStatus, leftovers: bool) -> Vec<Action> {
        self.alive = false;
        let reason = match &self.after {
            After::Asked(reason) => reason.clone(),
            After::Verdict(_) => Reason::Unknown,
        };
        let uptime = now.saturating_sub(self.started);
        let mut actions = vec![Action::RunEnded(RunEnd { run: self.run, status: Some(status), reason, uptime })];
        if leftovers {
            actions.push(Action::Terminate);
        } else {
            actions.append(&mut self.settle(now));
        }
        actions
    }

    /// Nothing is left of the run: what comes now?
    fn settle(&mut self, now: Now) -> Vec<Action> {
        match (self.desired, self.after.clone()) {
            (Desired::Down, After::Asked(_) | After::Verdict(_)) => self.enter(State::Stopped, []),
            (Desired::Up, After::Asked(_)) => self.begin(now),
            (Desired::Up, After::Verdict(verdict)) => self.follow(now, verdict),
        }
    }

    fn follow(&mut self, now: Now, verdict: Verdict) -> Vec<Action> {
        match verdict {
            Verdict::Leave => self.enter(State::Exited, []),
            Verdict::Again(Duration::ZERO) => self.start_again(now),
            Verdict::Again(pause) => self.enter(State::Backoff { due: now + pause }, []),
            Verdict::GiveUp => self.give_up(Failure::RestartLimit { short_runs: self.short_runs() }),
        }
    }

    fn give_up(&mut self, failure: Failure) -> Vec<Action> {
        self.failure = Some(failure);
        self.enter(State::Failed, [])
    }

    fn not_spawned(&mut self, spec: &Spec, now: Now, error: SpawnError) -> Vec<Action> {
        self.alive = false;
        let reason = Reason::Spawn(error.step);
        let end = RunEnd { run: self.run, status: None, reason, uptime: Duration::ZERO };
        let mut actions = vec![Action::RunEnded(end)];
        let final_word = self.by_person && !error.transient;
        actions.append(&mut match self.backoff.judge(&spec.restart, Duration::ZERO, None) {
            // Even with a pause of none there is a limit to how fast a failing spawn may be tried again.
            Verdict::Again(pause) if !final_word => {
                self.enter(State::Backoff { due: now + pause.max(KILL_AGAIN_AFTER) }, [])
            }
            Verdict::Again(_) | Verdict::Leave | Verdict::GiveUp => self.give_up(Failure::Spawn(error)),
        });
        actions
    }
}

#[cfg(test)]
#[path = "lifecycle_tests.rs"]
mod tests;

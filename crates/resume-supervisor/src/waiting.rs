//! What a client waits for before it is answered.

use resume_core::exit::SpawnError;
use resume_core::lifecycle::{Lifecycle, State};
use resume_core::spec::Desired;
use resume_core::status::LastExit;
use resume_core::wire::{CallError, SpawnFailed, StartFailed};

/// An instance, and the first run that would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) index: usize,
    pub(crate) run: u64,
}

/// What a client waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Waiting {
    /// That each is running, or at least begun.
    Up {
        /// Which instances.
        targets: Vec<Target>,
        /// Whether it is enough that they have begun. Even this is answered only once it can be read on disk.
        begun: bool,
        /// Whether to forget the service if it cannot be spawned.
        fresh: bool,
    },
    /// Whatever happens, for as long as it is connected.
    Events,
    /// That each is down.
    Down {
        /// Which instances, each with the run that is to be over.
        targets: Vec<Target>,
        /// Whether the service is to be removed then.
        delete: bool,
    },
}

/// Whether a run ended because somebody asked: that it is not up then is no failure of the program.
fn is_wanted_end(reason: &str) -> bool {
    matches!(reason, "restarted" | "stopped")
}

/// How to remove a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Delete {
    pub(crate) keep_logs: bool,
}

impl Target {
    /// The run that an instance is in, or that will follow the one that is being ended.
    pub(crate) fn of(index: usize, lifecycle: &Lifecycle) -> Self {
        let run = match lifecycle.state() {
            State::Stopping { .. } => lifecycle.run() + 1,
            State::Stopped
            | State::Starting { .. }
            | State::Running
            | State::Backoff { .. }
            | State::Exited
            | State::Failed => lifecycle.run(),
        };
        Self { index, run }
    }

    /// The run that an instance is in, or was in last.
    pub(crate) fn present(index: usize, lifecycle: &Lifecycle) -> Self {
        Self { index, run: lifecycle.run() }
    }

    /// Whether the run is over and nothing is left of it. That another began since, because somebody asked for one, does
    /// not change that.
    pub(crate) fn is_over(self, lifecycle: &Lifecycle) -> bool {
        lifecycle.state().word().is_down() || lifecycle.run() > self.run
    }

    /// Whether it is up; or why it will not be; or `None` while that is open.
    pub(crate) fn outcome(
        self,
        lifecycle: &Lifecycle,
        last_exit: Option<&LastExit>,
        spawn_error: Option<&SpawnError>,
        max_restarts: u32,
    ) -> Option<Result<(), CallError>> {
        let instance = u32::try_from(self.index).unwrap_or(u32::MAX);
        if let Some(exit) = last_exit.filter(|exit| exit.run >= self.run && !is_wanted_end(&exit.reason)) {
            if let Some(error) = spawn_error {
                return Some(Err(CallError::SpawnFailed(SpawnFailed { instance, error: error.clone() })));
            }
            return Some(Err(CallError::StartFailed(StartFailed {
                instance,
                run: exit.run,
                state: lifecycle.state().word().as_str().to_owned(),
                code: exit.code,
                signal: exit.signal.clone(),
                reason: exit.reason.clone(),
                short_runs: lifecycle.short_runs(),
                max_restarts,
                failure: lifecycle.failure().map(ToString::to_string),
            })));
        }
        match lifecycle.state() {
            State::Running if lifecycle.run() >= self.run => Some(Ok(())),
            State::Stopped if lifecycle.desired() == Desired::Down => {
                Some(Err(CallError::Failed("it was stopped before it was up".to_owned())))
            }
            State::Stopped
            | State::Starting { .. }
            | State::Running
            | State::Stopping { .. }
            | State::Backoff { .. }
            | State::Exited
            | State::Failed => None,
        }
    }
}

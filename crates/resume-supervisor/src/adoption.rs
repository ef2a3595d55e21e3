//! Going on where a supervisor that died left off: what lives is adopted, never doubled.
//!
//! `state.json` names the processes. It may be lost, torn or a moment behind; then a program is found by what it was
//! started with: our service, instance and home in its environment.

use std::os::fd::AsFd;
use std::time::Duration;

use resume_core::exit::ExitStatus;
use resume_core::lifecycle::{Action, Lifecycle, Memory};
use resume_core::signal::Signal;
use resume_core::spec::Spec;
use resume_core::status::{InstanceStatus, LastExit, StateWord, Status};
use resume_core::{layout, layout::Stream};
use resume_sys::identity::{Identity, Process};
use resume_sys::poll::Interest;
use resume_sys::{clock, tree};

use crate::event_loop::{Handle, Main, Supervisor};
use crate::journal::Journal;
use crate::key::{self, Source};
use crate::members;
use crate::perform::number;

/// How long after our start our launcher's request can be expected.
const TO_ASK: Duration = Duration::from_millis(100);

/// The instances as the supervisor before us left them. If it left nothing, the log still knows the number of runs.
pub(crate) fn restore(spec: &Spec, seed: u64, earlier: Option<&Status>, journal: &Journal) -> Vec<Lifecycle> {
    let now = clock::boottime();
    let restored = |index: u32| {
        let known = earlier.and_then(|status| status.instances.get(usize::try_from(index).ok()?));
        let (memory, state) = known.map_or_else(
            || {
                let run = journal.last_run(index);
                (Memory { desired: spec.desired, run, restarts: 0, short_runs: 0, failure: None }, StateWord::Stopped)
            },
            |InstanceStatus { desired, run, restarts, short_runs, state, failure, .. }| {
                let (restarts, short_runs, failure) = (*restarts, *short_runs, failure.clone());
                (Memory { desired: *desired, run: *run, restarts, short_runs, failure }, *state)
            },
        );
        Lifecycle::restore(seed.wrapping_add(index.into()), &memory, state, now)
    };
    (0..spec.instances).map(restored).collect()
}

impl Supervisor {
    /// Takes over what lives of the service. What ran before the machine booted is not alive, whatever has its pid now.
    ///
    /// That it cannot be told whether something lives is an error: then nothing must be started.
    pub(crate) fn take_over(&mut self, earlier: Option<&Status>) -> Result<(), String> {
        for index in 0..self.instances.len() {
            let known = earlier.and_then(|status| status.instances.get(index));
            let at_rest = known.is_some_and(|known| known.state.is_down() && known.process.is_none());
            let ran = self.path.join(layout::fifo(number(index), Stream::Stdout)).symlink_metadata().is_ok();
            if at_rest || !ran || earlier.is_some_and(|status| status.supervisor.boot_id != self.identity.boot_id) {
                continue;
            }
            self.take_over_instance(index, known)?;
        }
        Ok(())
    }

    fn take_over_instance(&mut self, index: usize, known: Option<&InstanceStatus>) -> Result<(), String> {
        let named = known.and_then(|known| known.process.as_ref());
        let named = named.map(|process| Identity { pid: process.pid, start_ticks: process.start_ticks });
        // A state of this moment that names nobody is to be believed, but for one that was about to begin a run.
        let found = if named.is_some() { named.clone() } else { members::find_main(self.as_service(&[]), index) };
        self.instances[index].adopted = true;
        self.instances[index].session = found.as_ref().map(|identity| identity.pid);
        if let Some(started_at) = known.and_then(|known| known.started_at) {
            self.instances[index].started_at = started_at;
        }
        if self.open_outputs(index).is_ok() {
            self.poll_outputs(index);
        }
        let Some(identity) = found else {
            if known.is_none_or(|known| known.state == StateWord::Stopping) {
                let last = known.and_then(|known| known.last_exit.as_ref()).map(exit_status);
                self.perform_all(index, |supervisor| {
                    supervisor.service.adopt_leftovers(index, clock::boottime(), last)
                });
            }
            return Ok(());
        };
        let held = Process::open(&identity).map_err(|error| format!("looking at pid {}: {error}", identity.pid))?;
        let alive = held.is_some();
        let start_ticks = identity.start_ticks;
        if let Some(held) = held {
            self.instances[index].polled = self.watch_process(index, &held);
            self.instances[index].main = Some(Main { identity, handle: Handle::Adopted(held) });
        }
        let started = Duration::from_millis(start_ticks * 1_000 / tree::clock_ticks_per_second());
        self.perform_all(index, |supervisor| supervisor.service.adopt(index, clock::boottime(), started));
        let said = if alive { "taken over by a new supervisor" } else { "ended while no supervisor lived" };
        let run = self.service.instance(index).run();
        self.journal.note(Some((number(index), run)), said);
        if !alive {
            // Whoever launched us may be about to ask for its stop: then it must not be restarted first.
            self.ended_away.push(index);
            self.judge_at = Some(clock::boottime() + TO_ASK);
        }
        Ok(())
    }

    /// Judges the runs that ended while no supervisor lived, once the first request has been heard or the time for it is
    /// over.
    pub(crate) fn judge_ended_away(&mut self) {
        let Some(moment) = self.judge_at else { return };
        if moment > clock::boottime() && !self.clients.have_asked() {
            return;
        }
        self.judge_now();
    }

    /// The same at once: somebody wants it up, and so wants to know.
    pub(crate) fn judge_now(&mut self) {
        self.judge_at = None;
        for index in std::mem::take(&mut self.ended_away) {
            self.main_ended(index, ExitStatus::Unknown);
        }
    }

    fn perform_all(&mut self, index: usize, actions: impl FnOnce(&mut Self) -> Vec<Action>) {
        for action in actions(self) {
            if let Some(event) = self.perform(index, action) {
                self.deliver(index, event);
                return;
            }
        }
    }

    /// Polls the pidfd of a process that is not our child, and returns under which generation.
    pub(crate) fn watch_process(&mut self, index: usize, process: &Process) -> u32 {
        let generation = self.next_generation();
        let key = key::pack(Source::Adopted(number(index)), generation);
        if let Err(error) = self.poller.add(process.as_fd(), key, Interest::READ) {
            self.warn(format!("waiting for the end of pid {}: {error}", process.identity().pid));
        }
        generation
    }
}

/// How a run ended that is on record.
fn exit_status(exit: &LastExit) -> ExitStatus {
    let signal = exit.signal.as_ref().and_then(|signal| signal.parse::<Signal>().ok());
    exit.code.map(ExitStatus::Code).or(signal.map(ExitStatus::Signal)).unwrap_or(ExitStatus::Unknown)
}

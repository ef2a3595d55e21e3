//! What is true, told to everyone: `state.json` for those who read, answers for those who wait.

use std::os::fd::AsFd;

use resume_core::layout;
use resume_core::lifecycle::{Lifecycle, Now, State};
use resume_core::status::{InstanceStatus, ProcessIdentity, Status, VERSION};
use resume_core::time::Timestamp;
use resume_sys::identity::Identity;
use resume_sys::{clock, files};

use crate::event_loop::{Instance, Supervisor};

/// How many warnings are kept.
const MAX_WARNINGS: usize = 20;

impl Supervisor {
    /// The service's status as of now.
    pub(crate) fn status(&self) -> Status {
        let spec = self.service.spec();
        let pairs = self.service.instances().iter().zip(&self.instances).enumerate();
        Status {
            version: VERSION,
            name: spec.name.clone(),
            desired: self.service.desired(),
            command: spec.argv().cloned().collect(),
            cwd: spec.cwd.clone(),
            group: spec.group.clone(),
            resume_version: env!("CARGO_PKG_VERSION").to_owned(),
            supervisor: self.identity.clone(),
            instances: pairs.map(|(index, (lifecycle, shell))| self.instance_status(index, lifecycle, shell)).collect(),
            warnings: self.warnings.clone(),
        }
    }

    fn instance_status(&self, index: usize, lifecycle: &Lifecycle, shell: &Instance) -> InstanceStatus {
        let restart_at = match lifecycle.state() {
            State::Backoff { due } => Some(wall_time_of(*due)),
            State::Stopped
            | State::Starting { .. }
            | State::Running
            | State::Stopping { .. }
            | State::Exited
            | State::Failed => None,
        };
        let process = shell.main.as_ref().map(|main| self.process_identity(&main.identity));
        InstanceStatus {
            index: u32::try_from(index).unwrap_or(u32::MAX),
            state: lifecycle.state().word(),
            desired: lifecycle.desired(),
            started_at: process.as_ref().map(|_| shell.started_at),
            process,
            restart_at,
            run: lifecycle.run(),
            restarts: lifecycle.restarts(),
            short_runs: lifecycle.short_runs(),
            last_exit: shell.last_exit.clone(),
            failure: lifecycle.failure().map(ToString::to_string),
        }
    }

    /// A process of this boot, told from all others.
    pub(crate) fn process_identity(&self, identity: &Identity) -> ProcessIdentity {
        ProcessIdentity { pid: identity.pid, start_ticks: identity.start_ticks, boot_id: self.identity.boot_id.clone() }
    }

    /// Writes `state.json`. It may be lost without harm, so it is not synced; that it cannot be written is a warning.
    pub(crate) fn write_state(&mut self) {
        let bytes = serde_json::to_vec(&self.status()).expect("a status has only string keys and finite numbers");
        if let Err(error) = files::write_atomically(self.dir.as_fd(), layout::STATE, &bytes, false) {
            // What stands there is no longer true; without it, whoever reads asks us.
            let _ = std::fs::remove_file(self.path.join(layout::STATE));
            self.warn(format!("writing `{}`: {error}", layout::STATE));
        }
    }

    /// Writes `spec.json`, synced: what a person asked for must not be forgotten.
    pub(crate) fn write_spec(&mut self) {
        let bytes = self.service.spec().to_json();
        if let Err(error) = files::write_atomically(self.dir.as_fd(), layout::SPEC, &bytes, true) {
            self.warn(format!("writing `{}`: {error}", layout::SPEC));
        }
    }

    /// Keeps a warning for `Status` and, once, for the log. The same again says nothing new.
    pub(crate) fn warn(&mut self, warning: String) {
        if self.warnings.contains(&warning) {
            return;
        }
        self.journal.note(None, &format!("warning: {warning}"));
        if self.warnings.len() == MAX_WARNINGS {
            self.warnings.remove(0);
        }
        self.warnings.push(warning);
        self.changed = true;
    }
}

/// The wall's time of a moment ahead.
fn wall_time_of(moment: Now) -> Timestamp {
    let ahead = moment.saturating_sub(clock::boottime());
    Timestamp::from_micros(clock::wall_micros() + u64::try_from(ahead.as_micros()).unwrap_or(u64::MAX / 2))
}

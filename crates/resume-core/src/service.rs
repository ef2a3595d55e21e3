//! A service: its spec and its instances.

use crate::exit::ExitStatus;
use crate::lifecycle::{Action, Event, Lifecycle, Now};
use crate::spec::{Desired, Spec};
use crate::status::StateWord;

/// One service, as its supervisor holds it.
#[derive(Clone, Debug)]
pub struct Service {
    spec: Spec,
    instances: Vec<Lifecycle>,
}

impl Service {
    /// A service whose instances are as `restored` has them, in the order of their numbers; one that is missing there
    /// never ran, one that the spec does not have is dropped. `seed` spreads the jitter.
    pub fn new(spec: Spec, seed: u64, restored: Vec<Lifecycle>) -> Self {
        let mut instances = restored;
        let count = usize::try_from(spec.instances).unwrap_or(usize::MAX);
        instances.truncate(count);
        while instances.len() < count {
            instances.push(Lifecycle::new(seed.wrapping_add(instances.len() as u64)));
        }
        Self { spec, instances }
    }

    /// What the person wants of it.
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// What the person wants of it, to be changed in place. Its number of instances must stay.
    pub fn spec_mut(&mut self) -> &mut Spec {
        &mut self.spec
    }

    /// Its instances, in the order of their numbers.
    pub fn instances(&self) -> &[Lifecycle] {
        &self.instances
    }

    /// The instance of this number.
    pub fn instance(&self, index: usize) -> &Lifecycle {
        &self.instances[index]
    }

    /// The instance of this number, to be adopted.
    pub fn adopt(&mut self, index: usize, now: Now, started: Now) -> Vec<Action> {
        self.instances[index].adopt(&self.spec, now, started)
    }

    /// The instance of this number, of which an earlier supervisor left something behind; see
    /// [`Lifecycle::adopt_leftovers`].
    pub fn adopt_leftovers(&mut self, index: usize, now: Now, last: Option<ExitStatus>) -> Vec<Action> {
        self.instances[index].adopt_leftovers(&self.spec, now, last)
    }

    /// Hands an event to one instance and returns what the shell must now do for it, in order.
    #[must_use]
    pub fn handle(&mut self, now: Now, index: usize, event: Event) -> Vec<Action> {
        self.instances[index].handle(&self.spec, now, event)
    }

    /// Zeroes the counters of one instance.
    pub fn reset_counters(&mut self, index: usize) {
        self.instances[index].reset_counters();
    }

    /// The next moment at which an instance wants a tick.
    pub fn deadline(&self) -> Option<Now> {
        self.instances.iter().filter_map(Lifecycle::deadline).min()
    }

    /// The instances whose moment has come.
    pub fn due(&self, now: Now) -> Vec<usize> {
        let due = |lifecycle: &Lifecycle| lifecycle.deadline().is_some_and(|deadline| deadline <= now);
        (0..self.instances.len()).filter(|index| due(&self.instances[*index])).collect()
    }

    /// The least well of the instances' states.
    pub fn state(&self) -> StateWord {
        let words = self.instances.iter().map(|lifecycle| lifecycle.state().word());
        words.min().unwrap_or(StateWord::Stopped)
    }

    /// Up as long as one instance is wanted up.
    pub fn desired(&self) -> Desired {
        let up = self.instances.iter().any(|lifecycle| lifecycle.desired() == Desired::Up);
        if up { Desired::Up } else { Desired::Down }
    }

    /// Whether nothing runs and nothing will by itself.
    pub fn is_at_rest(&self) -> bool {
        self.instances.iter().all(|lifecycle| lifecycle.state().word().is_down())
    }
}

//! What services use: CPU and memory of their whole process trees.

use std::collections::{HashMap, HashSet};
use std::io;
use std::time::Duration;

use resume_core::status::ProcessIdentity;
use resume_sys::clock;
use resume_sys::tree::{ProcessInfo, ProcessTable, clock_ticks_per_second};

use crate::discover::Service;

/// What a tree of processes uses.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// Of one CPU, over the present run.
    pub cpu_percent: f64,
    /// The CPU time that it has had in all, of which the difference of two looks is the present moment's.
    pub cpu_time: Duration,
    /// Resident memory, in bytes; pages that processes share count for each.
    pub memory_bytes: u64,
}

/// What a service uses.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServiceUsage {
    /// All of it; none if nothing of it lives.
    pub total: Option<Usage>,
    /// Each instance, in the order of the service's; none for one that does not live.
    pub instances: Vec<Option<Usage>>,
}

/// How long a process has lived, by the clock that nobody can set.
pub fn age(process: &ProcessIdentity) -> Duration {
    age_of(process.start_ticks, clock_ticks_per_second(), clock::boottime())
}

pub(crate) fn age_of(start_ticks: u64, ticks_per_second: u64, now: Duration) -> Duration {
    let ticks_per_second = ticks_per_second.max(1);
    let whole = Duration::from_secs(start_ticks / ticks_per_second);
    let part = Duration::from_secs(1) * u32::try_from(start_ticks % ticks_per_second).unwrap_or(0);
    now.saturating_sub(whole + part / u32::try_from(ticks_per_second).unwrap_or(1))
}

/// Measures services, all by one look at the processes of the machine; one entry for each, in their order.
pub fn measure(services: &[&Service]) -> io::Result<Vec<ServiceUsage>> {
    let table = ProcessTable::read()?;
    let supervisors: HashSet<i32> = services.iter().filter_map(|service| service.supervisor).collect();
    let now = clock::boottime();
    let meter = Meter { table: &table, supervisors: &supervisors, now, ticks_per_second: clock_ticks_per_second() };
    Ok(services.iter().map(|service| meter.service(service)).collect())
}

struct Meter<'a> {
    table: &'a ProcessTable,
    supervisors: &'a HashSet<i32>,
    now: Duration,
    ticks_per_second: u64,
}

impl Meter<'_> {
    fn service(&self, service: &Service) -> ServiceUsage {
        let mut counted: HashMap<i32, &ProcessInfo> = HashMap::new();
        let mut instances = Vec::with_capacity(service.instances.len());
        let mut oldest = Duration::ZERO;
        for instance in &service.instances {
            let process = instance.process.as_ref();
            let main = process.and_then(|process| self.table.get(process.pid));
            let main =
                main.filter(|info| process.is_some_and(|process| process.start_ticks == info.identity.start_ticks));
            instances.push(main.map(|main| {
                let age = age_of(main.identity.start_ticks, self.ticks_per_second, self.now);
                oldest = oldest.max(age);
                let tree: Vec<_> = std::iter::once(main).chain(self.tree_below(main.identity.pid)).collect();
                counted.extend(tree.iter().map(|info| (info.identity.pid, *info)));
                self.sum(tree.into_iter(), age)
            }));
        }
        if instances.iter().all(Option::is_none) {
            return ServiceUsage { total: None, instances };
        }
        // What has lost its parent has become the supervisor's child: it can be given to the service, if not to one of
        // several instances.
        for orphan in service.supervisor.iter().flat_map(|pid| self.tree_below(*pid)) {
            counted.insert(orphan.identity.pid, orphan);
        }
        let total = self.sum(counted.into_values(), oldest);
        if let [Some(only)] = instances.as_mut_slice() {
            *only = total;
        }
        ServiceUsage { total: Some(total), instances }
    }

    /// The descendants of a process, but for other supervisors and what is below those.
    fn tree_below(&self, root: i32) -> impl Iterator<Item = &ProcessInfo> {
        self.table.descendants(root).filter(move |info| {
            let mut above = Some(*info);
            while let Some(process) = above.filter(|process| process.identity.pid != root) {
                if self.supervisors.contains(&process.identity.pid) {
                    return false;
                }
                above = self.table.get(process.parent);
            }
            true
        })
    }

    fn sum<'a>(&self, tree: impl Iterator<Item = &'a ProcessInfo>, age: Duration) -> Usage {
        let (mut ticks, mut memory_bytes) = (0_u64, 0_u64);
        for info in tree {
            ticks = ticks.saturating_add(info.cpu_ticks).saturating_add(info.cpu_ticks_of_dead_children);
            memory_bytes = memory_bytes.saturating_add(info.memory_bytes);
        }
        let micros = u128::from(ticks) * 1_000_000 / u128::from(self.ticks_per_second.max(1));
        let cpu_time = Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX));
        Usage { cpu_percent: percent(ticks, self.ticks_per_second, age), cpu_time, memory_bytes }
    }
}

/// How many percent of `age` so many ticks are, to a tenth.
pub(crate) fn percent(ticks: u64, ticks_per_second: u64, age: Duration) -> f64 {
    // A process younger than a tick has a share that nobody can know.
    let age_ticks = age.as_millis().saturating_mul(u128::from(ticks_per_second)) / 1000;
    let tenths = u128::from(ticks).saturating_mul(1000).checked_div(age_ticks).unwrap_or(0);
    f64::from(u32::try_from(tenths).unwrap_or(u32::MAX)) / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_of_the_cpu_is_that_of_the_whole_life() {
        assert!((percent(50, 100, Duration::from_secs(1)) - 50.0).abs() < 0.01);
        assert!((percent(1, 100, Duration::from_secs(100)) - 0.0).abs() < 0.01);
        assert!((percent(400, 100, Duration::from_secs(2)) - 200.0).abs() < 0.01);
        assert!(percent(5, 100, Duration::ZERO).abs() < 0.01);
    }

    #[test]
    fn an_age_is_counted_from_the_start_in_ticks() {
        let now = Duration::from_millis(10_500);
        assert_eq!(age_of(150, 100, now), Duration::from_secs(9));
        assert_eq!(age_of(5_000, 100, now), Duration::ZERO);
    }

    #[test]
    fn we_ourselves_have_a_tree_and_memory() {
        let pid = i32::try_from(std::process::id()).unwrap();
        let mut service = crate::discover::tests::service("self", &[pid]);
        let process = service.instances[0].process.as_mut().unwrap();
        process.start_ticks = resume_sys::identity::identify(pid).unwrap().start_ticks;
        let usage = measure(&[&service]).unwrap();
        assert!(usage[0].total.unwrap().memory_bytes > 0);
        assert_eq!(usage[0].total, usage[0].instances[0]);
        service.instances[0].process.as_mut().unwrap().start_ticks += 1;
        assert_eq!(measure(&[&service]).unwrap()[0].total, None);
    }
}

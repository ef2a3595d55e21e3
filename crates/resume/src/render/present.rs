//! What is true of a service now, in a sentence for each instance.

use std::time::Duration;

use resume_client::discover::Service;
use resume_core::status::{InstanceStatus, StateWord};
use resume_core::time::Timestamp;

use crate::render::text::harmless;
use crate::render::time::{ago, span};

/// The present state of the chosen instances, all if none is chosen. `recorded` is what the history says last of an
/// instance, for one whose state is known to nobody.
pub(crate) fn sentences(
    service: &Service,
    instances: Option<&[u32]>,
    now: Timestamp,
    recorded: impl Fn(u32) -> Option<String>,
) -> Vec<String> {
    let asked = |index: u32| instances.is_none_or(|instances| instances.contains(&index));
    let chosen = service.instances.iter().filter(|instance| asked(instance.index));
    let sentence = |instance: &InstanceStatus| {
        let name = if service.instances.len() > 1 {
            format!("`{}:{}`", service.name, instance.index)
        } else {
            format!("`{}`", service.name)
        };
        let last = match instance.state {
            // These alone are not what a supervisor put on record.
            StateWord::Lost => recorded(instance.index).map(|last| format!("; the last on record: {last}")),
            StateWord::Failed
            | StateWord::Backoff
            | StateWord::Stopping
            | StateWord::Starting
            | StateWord::Running
            | StateWord::Exited
            | StateWord::Stopped => None,
        };
        format!("{name} {}{}", predicate(instance, now), last.unwrap_or_default())
    };
    chosen.map(sentence).collect()
}

/// What is said of an instance behind its name.
fn predicate(instance: &InstanceStatus, now: Timestamp) -> String {
    let run = instance.run;
    let pid = instance.process.as_ref().map(|process| process.pid);
    let with_pid = pid.map(|pid| format!(", pid {pid}")).unwrap_or_default();
    let length = |time: Option<Timestamp>| time.map(|time| format!(" for {}", lasted(time, now))).unwrap_or_default();
    let end = instance.last_exit.as_ref().map(|exit| exit.at);
    let ended = end.map(|end| format!(" {}", ago(end, now))).unwrap_or_default();
    match instance.state {
        StateWord::Running => format!("has been running{} (run {run}{with_pid})", length(instance.started_at)),
        StateWord::Starting => format!("is starting (run {run}{with_pid})"),
        StateWord::Stopping => format!("is being stopped (run {run}{with_pid})"),
        StateWord::Backoff => match instance.restart_at {
            Some(due) => format!("restarts {} (short run {} in a row)", within(due, now), instance.short_runs),
            None => format!("waits to be restarted (short run {} in a row)", instance.short_runs),
        },
        StateWord::Exited => format!("has ended by itself{ended}, and its restart policy leaves it"),
        StateWord::Failed => match &instance.failure {
            Some(failure) => format!("gave up{ended}: {}", harmless(failure)),
            None => format!("gave up{ended}"),
        },
        StateWord::Stopped => format!("has been stopped{}", length(end)),
        StateWord::Lost => match pid {
            Some(pid) => format!("is lost: its supervisor is gone; its program still runs as pid {pid}"),
            None => "is lost: its supervisor is gone, and so is its program".to_owned(),
        },
    }
}

fn lasted(since: Timestamp, now: Timestamp) -> String {
    span(Duration::from_micros(now.as_micros().saturating_sub(since.as_micros())))
}

/// A moment ahead: `in 3s`.
fn within(time: Timestamp, now: Timestamp) -> String {
    match time.as_micros().saturating_sub(now.as_micros()) {
        0..1_000_000 => "at once".to_owned(),
        ahead => format!("in {}", span(Duration::from_micros(ahead))),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use resume_core::spec::Desired;
    use resume_core::status::{LastExit, ProcessIdentity};

    use super::*;

    /// The present moment of these tests, in seconds.
    pub(crate) const NOW: u64 = 10_000;

    pub(crate) fn at(seconds_ago: u64) -> Timestamp {
        Timestamp::from_micros((NOW - seconds_ago) * 1_000_000)
    }

    pub(crate) fn instance(state: StateWord) -> InstanceStatus {
        let process =
            (state == StateWord::Running).then(|| ProcessIdentity { pid: 4711, start_ticks: 1, boot_id: "b".into() });
        InstanceStatus {
            index: 0,
            state,
            desired: Desired::Up,
            started_at: process.as_ref().map(|_| at(180)),
            process,
            restart_at: None,
            run: 15,
            restarts: 3,
            short_runs: 4,
            last_exit: Some(LastExit {
                at: at(300),
                code: Some(1),
                signal: None,
                reason: "exit".into(),
                run: 14,
                uptime_ms: 250,
            }),
            failure: None,
        }
    }

    pub(crate) fn service(instances: Vec<InstanceStatus>) -> Service {
        Service {
            name: resume_core::name::ServiceName::new("web").unwrap(),
            directory: "/h/services/web".into(),
            supervised: true,
            supervisor: Some(4700),
            desired: Desired::Up,
            command: vec!["node".into(), "server.js".into()],
            cwd: "/srv/web".into(),
            group: Some("front".into()),
            instances,
            problems: Vec::new(),
        }
    }

    #[track_caller]
    fn check(instance: InstanceStatus, expected: &str) {
        let found = sentences(&service(vec![instance]), None, at(0), |_| Some("running 5m ago".into()));
        assert_eq!(found, [expected]);
    }

    #[test]
    fn each_state_has_its_sentence() {
        check(instance(StateWord::Running), "`web` has been running for 3m (run 15, pid 4711)");
        check(instance(StateWord::Stopped), "`web` has been stopped for 5m");
        check(instance(StateWord::Exited), "`web` has ended by itself 5m ago, and its restart policy leaves it");
        let failure = Some("17 short runs in a row".to_owned());
        check(
            InstanceStatus { failure, ..instance(StateWord::Failed) },
            "`web` gave up 5m ago: 17 short runs in a row",
        );
        let restart_at = Some(Timestamp::from_micros((NOW + 3) * 1_000_000));
        check(
            InstanceStatus { restart_at, ..instance(StateWord::Backoff) },
            "`web` restarts in 3s (short run 4 in a row)",
        );
        check(
            InstanceStatus { restart_at: Some(at(1)), ..instance(StateWord::Backoff) },
            "`web` restarts at once (short run 4 in a row)",
        );
        check(
            instance(StateWord::Lost),
            "`web` is lost: its supervisor is gone, and so is its program; the last on record: running 5m ago",
        );
    }

    #[test]
    fn only_the_instances_asked_for_are_spoken_of_and_by_their_numbers() {
        let second = InstanceStatus { index: 1, ..instance(StateWord::Stopped) };
        let service = service(vec![instance(StateWord::Running), second]);
        assert_eq!(sentences(&service, Some(&[1]), at(0), |_| None), ["`web:1` has been stopped for 5m"]);
    }
}

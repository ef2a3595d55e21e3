//! Whatever happens in whatever order, an instance has one process at most and can always be stopped.

#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use resume_core::exit::{ExitStatus, SpawnError, SpawnStep};
use resume_core::lifecycle::{Action, Event, Lifecycle, State};
use resume_core::signal::Signal;
use resume_core::spec::Spec;

fuzz_target!(|input: (u8, u64, Vec<(u8, u16)>)| {
    let (policy, seed, steps) = input;
    let spec = spec(policy);
    let mut lifecycle = Lifecycle::new(seed);
    let mut now = Duration::from_secs(1);
    for (choice, wait) in steps {
        now += Duration::from_millis(wait.into());
        let was_alive = lifecycle.is_alive();
        let actions = lifecycle.handle(&spec, now, event(choice));
        let spawned = actions.iter().filter(|action| matches!(action, Action::Spawn { .. })).count();
        let ended = actions.iter().filter(|action| matches!(action, Action::RunEnded(_))).count();
        assert!(spawned <= 1 && (spawned == 0 || !was_alive || ended == 1), "a second process: {actions:?}");
        assert!(spawned == 0 || lifecycle.is_alive());
        let _ = lifecycle.handle(&spec, now, Event::Tick);
        assert!(lifecycle.deadline().is_none_or(|deadline| deadline > now), "a busy loop in {:?}", lifecycle.state());
    }
    // A program that obeys is down after a stop.
    let _ = lifecycle.handle(&spec, now, Event::Stop);
    let _ = lifecycle.handle(&spec, now, Event::Exited { status: ExitStatus::Code(0), leftovers: false });
    let _ = lifecycle.handle(&spec, now, Event::Gone);
    assert_eq!(lifecycle.state(), &State::Stopped);
});

fn event(choice: u8) -> Event {
    let exited = |status| Event::Exited { status, leftovers: choice & 0x80 != 0 };
    match choice & 0x0f {
        0 => Event::Start,
        1 => Event::Stop,
        2 => Event::Restart,
        3 => Event::Kill,
        4 => Event::SpawnFailed(spawn_error(choice & 0x80 != 0)),
        5 => exited(ExitStatus::Code(0)),
        6 => exited(ExitStatus::Code(1)),
        7 => exited(ExitStatus::Signal(Signal::KILL)),
        8 => exited(ExitStatus::OutOfMemory),
        9 => exited(ExitStatus::Unknown),
        10 => Event::Gone,
        _ => Event::Tick,
    }
}

fn spawn_error(transient: bool) -> SpawnError {
    SpawnError { step: SpawnStep::Program, subject: "x".into(), errno: 2, message: "gone".into(), transient }
}

fn spec(policy: u8) -> Spec {
    let policy = ["always", "on-failure", "never"][usize::from(policy % 3)];
    let text = format!(
        r#"{{"version":1,"name":"web","desired":"up","command":["x"],"cwd":"/","environment":[],"restart":{{"on":"{policy}"}}}}"#
    );
    Spec::parse(text.as_bytes()).expect("it is a spec")
}

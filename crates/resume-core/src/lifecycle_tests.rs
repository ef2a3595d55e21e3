//! Scripts that are the specification of the lifecycle, and properties of any list of events.

use proptest::prelude::*;

use super::*;
use crate::exit::SpawnStep;
use crate::signal::Signal;
use crate::units;

fn spec() -> Spec {
    let text = r#"{"version":1,"name":"web","desired":"up","command":["x"],"cwd":"/","environment":[]}"#;
    Spec::parse(text.as_bytes()).unwrap()
}

fn spawn_error(transient: bool) -> SpawnError {
    SpawnError { step: SpawnStep::Program, subject: "x".into(), errno: 2, message: "gone".into(), transient }
}

fn event(words: &str) -> Event {
    let exited = |status, leftovers| Event::Exited { status, leftovers };
    match words {
        "start" => Event::Start,
        "stop" => Event::Stop,
        "restart" => Event::Restart,
        "kill" => Event::Kill,
        "gone" => Event::Gone,
        "exit 0" => exited(ExitStatus::Code(0), false),
        "exit 1" => exited(ExitStatus::Code(1), false),
        "exit 1, leftovers" => exited(ExitStatus::Code(1), true),
        "SIGKILL" => exited(ExitStatus::Signal(Signal::KILL), false),
        "out of memory" => exited(ExitStatus::OutOfMemory, false),
        "ended unseen" => exited(ExitStatus::Unknown, false),
        "spawn failed" => Event::SpawnFailed(spawn_error(false)),
        "spawn refused for now" => Event::SpawnFailed(spawn_error(true)),
        other => panic!("no event is called {other:?}"),
    }
}

fn write(action: &Action) -> String {
    match action {
        Action::Spawn { run } => format!("spawn {run}"),
        Action::Terminate => "terminate".into(),
        Action::Kill => "kill".into(),
        Action::RunEnded(end) => format!("ended {} ({})", end.run, end.reason),
        Action::Publish(word) => word.as_str().into(),
    }
}

/// Drives one instance with a made-up clock. A line is `event => actions`; `+5s` lets time pass and delivers a tick.
#[track_caller]
fn check_with(spec: &Spec, script: &str) -> Lifecycle {
    let mut lifecycle = Lifecycle::new(1);
    let mut now = Duration::from_secs(1_000);
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (input, expected) = line.split_once("=>").unwrap();
        let event = match input.trim().strip_prefix('+') {
            Some(duration) => {
                now += units::parse_duration(duration).unwrap();
                Event::Tick
            }
            None => event(input.trim()),
        };
        let actions: Vec<String> = lifecycle.handle(spec, now, event).iter().map(write).collect();
        assert_eq!(actions.join(", "), expected.trim(), "at `{line}` of {script}");
    }
    lifecycle
}

#[track_caller]
fn check(script: &str) -> Lifecycle {
    check_with(&spec(), script)
}

#[test]
fn a_program_is_running_once_it_has_lived_for_100_ms() {
    check(
        "start  => spawn 1, starting
         +99ms  =>
         +1ms   => running
         start  =>",
    );
}

#[test]
fn a_stop_asks_then_kills_and_kills_again() {
    check(
        "start   => spawn 1, starting
         +1s     => running
         stop    => terminate, stopping
         stop    =>
         +9s     =>
         +1s     => kill
         +99ms   =>
         +1ms    => kill
         SIGKILL => ended 1 (stopped), stopped
         stop    =>",
    );
}

#[test]
fn what_a_stopped_program_leaves_behind_is_ended_within_the_same_grace_period() {
    check(
        "start             => spawn 1, starting
         +1s               => running
         stop              => terminate, stopping
         +4s               =>
         exit 1, leftovers => ended 1 (stopped), terminate
         +6s               => kill
         gone              => stopped",
    );
}

#[test]
fn what_a_run_leaves_behind_is_ended_before_the_next_begins() {
    check(
        "start             => spawn 1, starting
         +2s               => running
         exit 1, leftovers => ended 1 (exit), terminate, stopping
         +9s               =>
         +1s               => kill
         gone              => spawn 2, starting",
    );
}

#[test]
fn the_first_restart_after_a_long_enough_run_is_immediate_and_later_ones_are_not() {
    check(
        "start   => spawn 1, starting
         +1s     => running
         SIGKILL => ended 1 (signal), spawn 2, starting
         exit 0  => ended 2 (exit), backoff
         +99ms   =>
         +11ms   => spawn 3, starting
         exit 1  => ended 3 (exit), backoff
         +199ms  =>
         +21ms   => spawn 4, starting",
    );
}

#[test]
fn more_short_runs_in_a_row_than_the_limit_end_in_failed() {
    let mut spec = spec();
    spec.restart.max_restarts = 2;
    let lifecycle = check_with(
        &spec,
        "start  => spawn 1, starting
         exit 1 => ended 1 (exit), backoff
         +1s    => spawn 2, starting
         exit 1 => ended 2 (exit), backoff
         +1s    => spawn 3, starting
         exit 1 => ended 3 (exit), failed
         +1h    =>",
    );
    assert_eq!(lifecycle.failure().unwrap().to_string(), "3 short runs in a row");
    assert_eq!((lifecycle.restarts(), lifecycle.desired()), (2, Desired::Up));
}

#[test]
fn a_start_by_a_person_begins_the_count_anew() {
    let lifecycle = check(
        "start   => spawn 1, starting
         exit 1  => ended 1 (exit), backoff
         start   => spawn 2, starting
         exit 1  => ended 2 (exit), backoff
         restart => spawn 3, starting
         exit 1  => ended 3 (exit), backoff",
    );
    assert_eq!((lifecycle.short_runs(), lifecycle.restarts()), (1, 0));
}

#[test]
fn a_restart_by_a_person_is_not_counted() {
    let lifecycle = check(
        "start   => spawn 1, starting
         +1s     => running
         restart => terminate, stopping
         SIGKILL => ended 1 (restarted), spawn 2, starting
         +1s     => running",
    );
    assert_eq!(lifecycle.restarts(), 0);
}

#[test]
fn a_start_during_a_stop_is_honored_after_the_end() {
    check(
        "start  => spawn 1, starting
         stop   => terminate, stopping
         start  =>
         exit 0 => ended 1 (restarted), spawn 2, starting",
    );
}

#[test]
fn a_stop_during_a_restart_or_a_pause_wins() {
    check(
        "start   => spawn 1, starting
         restart => terminate, stopping
         stop    =>
         exit 0  => ended 1 (stopped), stopped
         start   => spawn 2, starting
         exit 0  => ended 2 (exit), backoff
         stop    => stopped
         +1m     =>",
    );
}

#[test]
fn a_stop_while_leftovers_are_ended_leaves_it_down_and_a_start_brings_it_up() {
    check(
        "start             => spawn 1, starting
         exit 1, leftovers => ended 1 (exit), terminate, stopping
         stop              =>
         gone              => stopped
         start             => spawn 2, starting
         exit 1, leftovers => ended 2 (exit), terminate, stopping
         start             =>
         gone              => spawn 3, starting",
    );
}

#[test]
fn a_policy_that_leaves_a_run_ends_in_exited() {
    let mut spec = spec();
    spec.restart.on = crate::spec::RestartOn::OnFailure;
    check_with(
        &spec,
        "start        => spawn 1, starting
         exit 0       => ended 1 (exit), exited
         start        => spawn 2, starting
         +5s          => running
         ended unseen => ended 2 (unknown), spawn 3, starting
         exit 0       => ended 3 (exit), exited
         stop         => stopped",
    );
}

#[test]
fn a_kill_for_want_of_memory_is_a_failure_with_a_name() {
    check(
        "start         => spawn 1, starting
         +5s           => running
         out of memory => ended 1 (out-of-memory), spawn 2, starting",
    );
}

#[test]
fn a_person_is_told_at_once_that_it_cannot_be_spawned() {
    let lifecycle = check(
        "start        => spawn 1, starting
         spawn failed => ended 1 (spawn: program), failed",
    );
    assert_eq!(lifecycle.failure(), Some(&Failure::Spawn(spawn_error(false))));
}

#[test]
fn a_spawn_that_fails_later_or_for_now_is_tried_again_as_a_short_run() {
    let mut spec = spec();
    spec.restart.max_restarts = 2;
    check_with(
        &spec,
        "start                 => spawn 1, starting
         +1s                   => running
         exit 1                => ended 1 (exit), spawn 2, starting
         spawn failed          => ended 2 (spawn: program), backoff
         +1s                   => spawn 3, starting
         spawn failed          => ended 3 (spawn: program), backoff
         +1s                   => spawn 4, starting
         spawn failed          => ended 4 (spawn: program), failed
         start                 => spawn 5, starting
         spawn refused for now => ended 5 (spawn: program), backoff",
    );
}

#[test]
fn a_kill_skips_the_grace_period() {
    check(
        "start   => spawn 1, starting
         kill    => kill, stopping
         SIGKILL => ended 1 (stopped), stopped
         start   => spawn 2, starting
         stop    => terminate, stopping
         kill    => kill
         SIGKILL => ended 2 (stopped), stopped",
    );
}

#[test]
fn an_adopted_run_goes_on_with_its_count_and_its_age() {
    let spec = spec();
    let memory = Memory { desired: Desired::Up, run: 7, restarts: 3, short_runs: 2, failure: None };
    let mut lifecycle = Lifecycle::restore(1, &memory, StateWord::Running, Now::ZERO);
    let now = Duration::from_secs(100);
    assert_eq!(lifecycle.adopt(&spec, now, Duration::from_secs(40)), [Action::Publish(StateWord::Running)]);
    let actions = lifecycle.handle(&spec, now, event("ended unseen"));
    let end =
        RunEnd { run: 7, status: Some(ExitStatus::Unknown), reason: Reason::Unknown, uptime: Duration::from_mins(1) };
    assert_eq!(actions[..2], [Action::RunEnded(end), Action::Spawn { run: 8 }]);
    assert_eq!((lifecycle.short_runs(), lifecycle.restarts()), (0, 4));
}

#[test]
fn leftovers_of_an_earlier_supervisor_are_ended_before_the_next_run() {
    let mut spec = spec();
    let memory = Memory { desired: Desired::Up, run: 7, restarts: 3, short_runs: 2, failure: None };
    let now = Duration::from_secs(100);
    let next = |spec: &Spec, memory: &Memory, last| {
        let mut lifecycle = Lifecycle::restore(1, memory, StateWord::Stopping, now);
        let taken = lifecycle.adopt_leftovers(spec, now, last);
        assert_eq!(taken, [Action::Terminate, Action::Publish(StateWord::Stopping)]);
        lifecycle.handle(spec, now, Event::Gone).iter().map(write).collect::<Vec<_>>().join(", ")
    };
    let failed = Some(ExitStatus::Code(1));
    assert_eq!(next(&spec, &memory, failed), "spawn 8, starting");
    assert_eq!(next(&spec, &Memory { desired: Desired::Down, ..memory.clone() }, failed), "stopped");
    spec.restart.on = crate::spec::RestartOn::OnFailure;
    assert_eq!(next(&spec, &memory, failed), "spawn 8, starting");
    assert_eq!(next(&spec, &memory, Some(ExitStatus::Code(0))), "exited");
}

#[test]
fn why_it_gave_up_outlives_the_supervisor() {
    let failure = Some("17 short runs in a row".to_owned());
    let memory = Memory { desired: Desired::Up, run: 17, restarts: 16, short_runs: 17, failure: failure.clone() };
    let lifecycle = Lifecycle::restore(1, &memory, StateWord::Failed, Now::ZERO);
    assert_eq!(lifecycle.failure().map(ToString::to_string), failure);
}

/// What an obedient or unruly world does next.
#[derive(Clone, Debug)]
enum Step {
    Person(u8),
    World(u8),
    Wait(u16),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (0_u8..4).prop_map(Step::Person),
        (0_u8..5).prop_map(Step::World),
        (0_u16..15_000).prop_map(Step::Wait),
    ];
    prop::collection::vec(step, 0..80)
}

/// A model of the processes: what lives, and since when a kill is allowed.
#[derive(Default)]
struct World {
    main: bool,
    leftovers: bool,
    terminated_at: Option<Now>,
    forced: bool,
}

impl World {
    /// The event that the world may cause now, if any.
    fn event(&mut self, choice: u8) -> Option<Event> {
        let exited = |leftovers| Event::Exited { status: ExitStatus::Code(choice), leftovers };
        match (self.main, choice) {
            (true, 0) => {
                *self = Self { leftovers: true, terminated_at: self.terminated_at, forced: self.forced, main: false };
                Some(exited(true))
            }
            (true, 1 | 2) => {
                *self = Self::default();
                Some(exited(false))
            }
            (false, 3) if self.leftovers => {
                *self = Self::default();
                Some(Event::Gone)
            }
            (true | false, 0..) => None,
        }
    }

    fn perform(&mut self, now: Now, spec: &Spec, lifecycle: &Lifecycle, action: &Action) {
        match action {
            Action::Spawn { .. } => {
                assert!(!self.main && !self.leftovers, "a second copy");
                assert_eq!(lifecycle.desired(), Desired::Up, "a spawn nobody wants");
                *self = Self { main: true, ..Self::default() };
            }
            Action::Terminate => {
                assert!(self.main || self.leftovers, "a signal to nobody");
                self.terminated_at.get_or_insert(now);
            }
            Action::Kill => {
                assert!(self.main || self.leftovers, "a kill of nobody");
                let graceful = self.terminated_at.is_some_and(|at| at + spec.stop.timeout <= now);
                assert!(graceful || self.forced, "a kill before the grace period is over");
            }
            Action::RunEnded(_) | Action::Publish(_) => (),
        }
    }
}

proptest! {
    #[test]
    fn whatever_happens_there_is_one_copy_no_busy_loop_and_no_kill_before_its_time(steps in steps()) {
        let spec = spec();
        let mut lifecycle = Lifecycle::new(3);
        let mut world = World::default();
        let mut now = Duration::from_secs(1);
        for step in steps {
            let event = match step {
                Step::Person(0) => Some(Event::Start),
                Step::Person(1) => Some(Event::Stop),
                Step::Person(2) => Some(Event::Restart),
                Step::Person(_) => {
                    world.forced = true;
                    Some(Event::Kill)
                }
                Step::World(4) if world.main && matches!(lifecycle.state(), State::Starting { .. }) => {
                    world = World::default();
                    Some(Event::SpawnFailed(spawn_error(now.as_millis().is_multiple_of(2))))
                }
                Step::World(choice) => world.event(choice),
                Step::Wait(ms) => {
                    now += Duration::from_millis(ms.into());
                    Some(Event::Tick)
                }
            };
            let Some(event) = event else { continue };
            let tick = event == Event::Tick;
            for action in lifecycle.handle(&spec, now, event) {
                world.perform(now, &spec, &lifecycle, &action);
            }
            prop_assert_eq!(lifecycle.is_alive(), world.main);
            if tick {
                prop_assert!(lifecycle.deadline().is_none_or(|deadline| deadline > now), "a busy loop");
            }
        }
        // A program that obeys is down after a stop.
        for action in lifecycle.handle(&spec, now, Event::Stop) {
            world.perform(now, &spec, &lifecycle, &action);
        }
        if world.main {
            let _ = lifecycle.handle(&spec, now, event("exit 0"));
        } else if world.leftovers {
            let _ = lifecycle.handle(&spec, now, Event::Gone);
        }
        prop_assert_eq!(lifecycle.state(), &State::Stopped);
    }

    #[test]
    fn no_list_of_events_makes_it_panic(events in prop::collection::vec(0_usize..12, 0..60)) {
        const WORDS: [&str; 12] = [
            "start", "stop", "restart", "kill", "gone", "exit 0", "exit 1", "exit 1, leftovers", "SIGKILL",
            "ended unseen", "spawn failed", "spawn refused for now",
        ];
        let spec = spec();
        let mut lifecycle = Lifecycle::new(0);
        for (now, index) in events.into_iter().enumerate() {
            let _ = lifecycle.handle(&spec, Duration::from_millis(now as u64 * 70), event(WORDS[index]));
            let _ = lifecycle.handle(&spec, Duration::from_millis(now as u64 * 70), Event::Tick);
        }
    }
}

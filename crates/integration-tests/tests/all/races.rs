//! Several who want something at once.

use std::collections::BTreeSet;

use integration_tests::{Ending, Look, Running, children_of, find_by_environment};

use crate::{KILL, SLEEP, sandbox};

#[test]
fn two_starts_of_one_name_make_one_supervisor_and_one_program() {
    for _ in 0..5 {
        let sandbox = sandbox();
        let words = ["start", "--name", "web", "--", "sleep", "600"];
        let racers: Vec<Running> = (0..4).map(|_| sandbox.spawn(words)).collect();
        let outcomes: Vec<_> = racers.into_iter().map(Running::outcome).collect();
        let mut codes: Vec<i32> = outcomes.iter().map(integration_tests::Outcome::exit_code).collect();
        codes.sort_unstable();
        assert_eq!(codes, [0, 4, 4, 4], "{outcomes:?}");
        let (pid, supervisor) = (sandbox.pid("web"), sandbox.supervisor("web"));
        assert_eq!(children_of(supervisor), [pid]);
        let mark = format!("RESUME_HOME={}", sandbox.home().display());
        let found: BTreeSet<i32> =
            find_by_environment(std::path::Path::new(&mark)).into_iter().map(|(pid, _)| pid).collect();
        // Supervisors that lost the race leave by themselves; they look after nothing.
        for other in found.iter().filter(|other| ![pid, supervisor].contains(other)) {
            Ending::of(*other).wait();
        }
    }
}

#[test]
fn two_starts_without_a_name_make_two_services_or_one_that_lives() {
    let sandbox = sandbox();
    let first = sandbox.spawn(["start", "--", "sleep", "601"]);
    let second = sandbox.spawn(["start", "--", "sleep", "602"]);
    first.outcome().success();
    second.outcome().success();
    let mut names: Vec<String> = sandbox.services().iter().map(|service| service["name"].to_string()).collect();
    names.sort();
    assert_eq!(names, ["\"sleep\"", "\"sleep-2\""]);
}

#[test]
fn many_starts_of_a_service_that_is_down_start_it_once() {
    let sandbox = sandbox();
    sandbox.start("web", &SLEEP);
    for _ in 0..5 {
        sandbox.resume(["stop", "web"]).success();
        let racers: Vec<Running> = (0..4).map(|_| sandbox.spawn(["start", "web"])).collect();
        let codes: Vec<i32> = racers.into_iter().map(|racer| racer.outcome().exit_code()).collect();
        // Whoever comes while it is already up finds it so; nobody fails otherwise.
        assert!(codes.contains(&0) && codes.iter().all(|code| [0, 4].contains(code)), "{codes:?}");
        assert_eq!(children_of(sandbox.supervisor("web")), [sandbox.pid("web")]);
    }
}

#[test]
fn starts_and_stops_at_once_leave_it_up_or_down_and_never_double() {
    let sandbox = sandbox();
    sandbox.start("web", &SLEEP);
    for _ in 0..5 {
        let racers: Vec<Running> =
            (0..6).map(|turn| sandbox.spawn([if turn % 2 == 0 { "stop" } else { "start" }, "web"])).collect();
        for outcome in racers.into_iter().map(Running::outcome) {
            assert!(!outcome.stderr_text().contains("panicked") && outcome.exit_code() < 100, "{outcome}");
        }
        let service = sandbox.service("web");
        match service["state"].as_str().unwrap() {
            "running" => assert_eq!(children_of(sandbox.supervisor("web")), [sandbox.pid("web")]),
            "stopped" => assert!(service["pid"].is_null()),
            other => panic!("it is {other}"),
        }
    }
}

#[test]
fn a_start_right_after_a_stop_never_meets_a_supervisor_that_leaves() {
    let sandbox = sandbox();
    sandbox.start("web", &SLEEP);
    for _ in 0..10 {
        sandbox.resume(["stop", "web"]).success();
        sandbox.resume(["start", "--no-wait", "web"]).success();
    }
    sandbox.until_state("web", "running");
}

#[test]
fn a_start_right_after_a_delete_makes_a_new_service() {
    let sandbox = sandbox();
    for _ in 0..10 {
        sandbox.resume(["start", "--no-wait", "--name", "web", "--", "sleep", "600"]).success();
        sandbox.resume(["delete", "web"]).success();
    }
}

#[test]
fn a_supervisor_that_is_killed_at_any_moment_is_replaced_by_the_next_start() {
    let sandbox = sandbox();
    sandbox.start("web", &SLEEP);
    for _ in 0..5 {
        let supervisor = Ending::of(sandbox.supervisor("web"));
        let restart = sandbox.spawn(["restart", "web"]);
        supervisor.signal(KILL);
        supervisor.wait();
        // It may have been done before, or not; what is said must be true.
        drop(restart.outcome());
        let outcome = sandbox.resume(["start", "web"]);
        assert!([0, 4].contains(&outcome.exit_code()), "{outcome}");
        let state = sandbox.until_state("web", "running");
        let pid = sandbox.pid("web");
        assert_eq!(state["instances"][0]["process"]["pid"], pid);
        let mark = format!("RESUME_HOME={}", sandbox.home().display());
        let found = find_by_environment(std::path::Path::new(&mark));
        let programs: Vec<_> = found.iter().filter(|(_, command)| command == "sleep 600").collect();
        assert_eq!(programs.len(), 1, "{found:?}");
    }
}

#[test]
fn many_services_start_and_stop_side_by_side() {
    let sandbox = sandbox();
    let racers: Vec<Running> =
        (0..12).map(|number| sandbox.spawn(["start", "--name", &format!("s{number}"), "--", "sleep", "600"])).collect();
    for racer in racers {
        racer.outcome().success();
    }
    assert_eq!(sandbox.services().iter().filter(|service| service["state"] == "running").count(), 12);
    let begun = std::time::Instant::now();
    sandbox.resume(["restart", "all"]).success();
    // One after the other they would take 12 × 100 ms for the proof that each is up.
    assert!(begun.elapsed() < std::time::Duration::from_millis(1200) || cfg!(debug_assertions));
    sandbox.resume(["stop", "all"]).success();
    assert_eq!(sandbox.services().iter().filter(|service| service["state"] == "stopped").count(), 12);
}

#[test]
fn a_supervisor_serves_while_one_waits_for_a_long_stop() {
    let sandbox = sandbox();
    let mut channel = sandbox.channel();
    let words = [sandbox.helper(), "trap", channel.path(), "trap", channel.path()];
    let pid = sandbox.start("web", &words);
    channel.expect_pid("ready");
    let stop = sandbox.spawn(["stop", "web"]);
    channel.expect("SIGTERM");
    channel.expect_pid("ready");
    // The program may know before anybody can read it.
    sandbox.until_state("web", "stopping");
    assert_eq!(sandbox.state("web"), "stopping");
    let mut client = sandbox.connect("web");
    let status = client.call("Status", &serde_json::json!({}));
    assert_eq!(status["parameters"]["status"]["instances"][0]["state"], "stopping");
    assert_eq!(Look::at(pid).pid, pid);
    integration_tests::signal(pid, crate::USR1);
    stop.outcome().success();
}

//! The words that services are chosen by.

use integration_tests::Sandbox;
use serde_json::Value;

use crate::{SLEEP, sandbox};

fn running(sandbox: &Sandbox) -> Vec<String> {
    let services = sandbox.services();
    let up = services.iter().filter(|service| service["state"] == "running");
    up.map(|service| service["name"].as_str().unwrap().to_owned()).collect()
}

/// Services `web-1`, `web-2` of the group `front`, and `db` of none, all running.
fn three() -> Sandbox {
    let sandbox = sandbox();
    sandbox.start_with("web-1", &["--group", "front"], &SLEEP);
    sandbox.start_with("web-2", &["--group", "front"], &SLEEP);
    sandbox.start("db", &SLEEP);
    sandbox
}

#[test]
fn a_service_is_chosen_by_its_name() {
    let sandbox = three();
    sandbox.resume(["stop", "web-1"]).success();
    assert_eq!(running(&sandbox), ["db", "web-2"]);
}

#[test]
fn services_are_chosen_by_a_glob() {
    let sandbox = three();
    sandbox.resume(["stop", "web-*"]).success();
    assert_eq!(running(&sandbox), ["db"]);
    sandbox.resume(["start", "web-[12]"]).success();
    sandbox.resume(["stop", "d?"]).success();
    assert_eq!(running(&sandbox), ["web-1", "web-2"]);
}

#[test]
fn services_are_chosen_by_their_group() {
    let sandbox = three();
    sandbox.resume(["stop", "@front"]).success();
    assert_eq!(running(&sandbox), ["db"]);
    sandbox.resume(["start", "@front"]).success();
    assert_eq!(running(&sandbox), ["db", "web-1", "web-2"]);
}

#[test]
fn all_chooses_every_service() {
    let sandbox = three();
    let outcome = sandbox.resume(["stop", "all"]);
    outcome.success().stdout_has(&["stopped `db`", "stopped `web-1`", "stopped `web-2`"]);
    assert_eq!(running(&sandbox), [""; 0]);
}

#[test]
fn a_service_is_chosen_by_the_pid_of_its_program_or_of_its_supervisor() {
    let sandbox = three();
    sandbox.resume(["stop", &sandbox.pid("web-1").to_string()]).success().stdout_has(&["stopped `web-1`"]);
    sandbox.resume(["stop", &sandbox.supervisor("db").to_string()]).success().stdout_has(&["stopped `db`"]);
    assert_eq!(running(&sandbox), ["web-2"]);
    // The test's own pid is a pid, but of nothing of ours.
    sandbox.resume(["stop", &std::process::id().to_string()]).error(3, &[&std::process::id().to_string()]);
}

#[test]
fn an_instance_is_chosen_by_its_number() {
    let sandbox = three();
    sandbox.resume(["stop", "web-1:0"]).success();
    assert_eq!(running(&sandbox), ["db", "web-2"]);
    sandbox.resume(["start", "web-1:0"]).success();
    sandbox.resume(["stop", "web-1:1"]).error(3, &["`web-1`", "instance 1"]);
}

#[test]
fn what_matches_nothing_is_3_but_for_a_glob_a_group_and_all() {
    let sandbox = sandbox();
    for verb in ["start", "stop", "restart", "delete", "ls", "logs"] {
        sandbox.resume([verb, "nobody"]).error(3, &["`nobody`"]);
        for word in ["no*", "@none", "all"] {
            sandbox.resume([verb, word]).success().no_stdout();
        }
    }
    sandbox.resume(["stop", "99999999"]).error(3, &["99999999"]);
    sandbox.resume(["stop", "nobody:0"]).error(3, &["nobody"]);
}

#[test]
fn globs_and_all_pass_over_what_is_already_as_asked() {
    let sandbox = three();
    let pid = sandbox.pid("db");
    sandbox.resume(["stop", "web-1"]).success();
    sandbox.resume(["start", "all"]).success().stdout_has(&["started `web-1`"]);
    assert_eq!(sandbox.pid("db"), pid);
    sandbox.resume(["start", "all"]).success();
    sandbox.resume(["start", "*"]).success();
    sandbox.resume(["start", "@front"]).success();
    // By its name, it is not in a state for that.
    sandbox.resume(["start", "db"]).error(4, &["`db`"]);
    sandbox.resume(["stop", "all"]).success();
    sandbox.resume(["stop", "all"]).success();
    assert_eq!(running(&sandbox), [""; 0]);
}

#[test]
fn with_several_selectors_what_can_be_done_is_done_and_each_failure_is_told() {
    let sandbox = three();
    let outcome = sandbox.resume(["stop", "nobody", "web-1", "nothing"]);
    outcome.code(3).stderr_has(&["`nobody`", "`nothing`"]).stdout_has(&["stopped `web-1`"]);
    assert_eq!(running(&sandbox), ["db", "web-2"]);
}

#[test]
fn failures_of_several_kinds_are_1() {
    let sandbox = three();
    sandbox.resume(["start", "db", "nobody"]).code(1).stderr_has(&["`db`", "`nobody`"]);
}

#[test]
fn a_service_that_several_selectors_choose_is_taken_once() {
    let sandbox = three();
    let outcome = sandbox.resume(["stop", "web-1", "web-*", "all", "@front"]);
    outcome.success();
    assert_eq!(outcome.stdout_text().matches("`web-1`").count(), 1, "{outcome}");
}

#[test]
fn a_misspelt_name_gets_a_hint_at_the_nearest() {
    let sandbox = three();
    sandbox.resume(["stop", "wep-1"]).error(3, &["`wep-1`"]).hint(&["web-1"]);
}

#[test]
fn a_glob_that_is_none_is_a_usage_error() {
    let sandbox = sandbox();
    sandbox.resume(["stop", "web[*"]).error(2, &["web[*"]);
}

#[test]
fn ls_and_logs_take_selectors_too() {
    let sandbox = three();
    let names = |words: &[&str]| -> Vec<String> {
        let Value::Array(services) = sandbox.resume(words).success().json() else { panic!("no array") };
        services.iter().map(|service| service["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&["ls", "--json"]), ["db", "web-1", "web-2"]);
    assert_eq!(names(&["ls", "@front", "--json"]), ["web-1", "web-2"]);
    assert_eq!(names(&["ls", "db", "--json"]), ["db"]);
    assert_eq!(names(&["ls", "db", "web-1", "--json"]), ["db", "web-1"]);
    sandbox.resume(["logs", "all", "--stream", "resume"]).success().stdout_has(&["db", "web-1", "web-2"]);
}

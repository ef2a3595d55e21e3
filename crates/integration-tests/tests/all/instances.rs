//! Several numbered copies of one service.

use integration_tests::{Ending, Look, Sandbox, signal};
use serde_json::Value;

use crate::{KILL, SLEEP, sandbox};

fn three() -> Sandbox {
    let sandbox = sandbox();
    sandbox.start_with("web", &["--instances", "3"], &SLEEP);
    sandbox
}

fn pids(sandbox: &Sandbox) -> Vec<i64> {
    let service = sandbox.service("web");
    let instances = service["instances"].as_array().unwrap();
    instances.iter().map(|instance| instance["pid"].as_i64().unwrap_or(0)).collect()
}

#[test]
fn each_copy_is_a_process_that_knows_its_number_under_one_supervisor() {
    let sandbox = three();
    let pids = pids(&sandbox);
    assert_eq!(pids.len(), 3);
    for (index, pid) in pids.iter().enumerate() {
        let look = Look::at(i32::try_from(*pid).unwrap());
        assert_eq!(look.environment["RESUME_INSTANCE"], index.to_string());
        assert_eq!(look.environment["RESUME_SERVICE"], "web");
        assert_eq!(look.status["PPid"], sandbox.supervisor("web").to_string());
    }
    assert_eq!(sandbox.service("web")["pid"], pids[0]);
}

#[test]
fn one_that_dies_is_restarted_alone_and_counted_in_the_sum() {
    let sandbox = three();
    let before = pids(&sandbox);
    signal(i32::try_from(before[1]).unwrap(), KILL);
    sandbox.until("web", "in run 2 with its second instance", |state| {
        state["instances"][1]["run"] == 2 && state["instances"][1]["state"] == "running"
    });
    let after = pids(&sandbox);
    assert_eq!((after[0], after[2]), (before[0], before[2]));
    assert_ne!(after[1], before[1]);
    let service = sandbox.service("web");
    assert_eq!((&service["restarts"], &service["instances"][1]["restarts"]), (&1.into(), &1.into()));
    assert_eq!(service["instances"][0]["restarts"], 0);
}

#[test]
fn one_is_stopped_and_started_alone_and_the_least_well_gives_the_service_its_state() {
    let sandbox = three();
    let before = pids(&sandbox);
    sandbox.resume(["stop", "web:1"]).success();
    let service = sandbox.service("web");
    assert_eq!(service["instances"][1]["state"], "stopped");
    // In the order of the contract `running` is less well than `stopped`: it is what is going on.
    assert_eq!((&service["state"], &service["desired"]), (&"running".into(), &"up".into()));
    assert_eq!(pids(&sandbox), [before[0], 0, before[2]]);
    sandbox.resume(["start", "web:1"]).success();
    let after = pids(&sandbox);
    assert_eq!((after[0], after[2]), (before[0], before[2]));
    assert_ne!(after[1], before[1]);
    sandbox.resume(["restart", "web:2"]).success();
    assert_eq!(pids(&sandbox)[..2], after[..2]);
    assert_ne!(pids(&sandbox)[2], after[2]);
}

#[test]
fn the_stop_of_one_ends_its_tree_and_not_that_of_another() {
    let sandbox = sandbox();
    let mut channel = sandbox.channel();
    let says = format!("say,{},child {{pid}},hold", channel.path());
    let words = [sandbox.helper(), "fork", &says, "double-fork", &says, "hold"];
    sandbox.start_with("web", &["--instances", "2"], &words);
    let instance = |pid: &i32| Look::at(*pid).environment["RESUME_INSTANCE"].clone();
    let children: Vec<i32> = (0..4).map(|_| channel.expect_pid("child")).collect();
    let (first, second): (Vec<i32>, Vec<i32>) = children.into_iter().partition(|pid| instance(pid) == "0");
    assert_eq!((first.len(), second.len()), (2, 2));
    let hold = |pids: &[i32]| pids.iter().map(|pid| Ending::of(*pid)).collect::<Vec<_>>();
    let (first, second) = (hold(&first), hold(&second));
    sandbox.resume(["stop", "web:0"]).success();
    assert_eq!(first.iter().filter(|it| it.is_alive()).count(), 0);
    assert_eq!(second.iter().filter(|it| it.is_alive()).count(), 2);
    sandbox.resume(["stop", "web"]).success();
    assert_eq!(second.iter().filter(|it| it.is_alive()).count(), 0);
}

#[test]
fn all_stop_and_start_together() {
    let sandbox = three();
    let before = pids(&sandbox);
    sandbox.resume(["stop", "web"]).success();
    assert_eq!(pids(&sandbox), [0, 0, 0]);
    assert_eq!(sandbox.state("web"), "stopped");
    sandbox.resume(["start", "web"]).success();
    assert!(pids(&sandbox).iter().all(|pid| *pid != 0 && !before.contains(pid)));
}

#[test]
fn their_output_is_told_apart() {
    let sandbox = sandbox();
    let script = "echo \"I am $RESUME_INSTANCE\"; exec sleep 600";
    sandbox.start_with("web", &["--instances", "3"], &["sh", "-c", script]);
    for index in 0..3 {
        let record = sandbox.record_with("web", &format!("I am {index}"));
        assert_eq!(record["instance"], index);
    }
    let words = ["logs", "web", "--instance", "1", "--stream", "stdout", "--output", "json"];
    let of_one: Vec<Value> = sandbox.resume(words).success().json_lines();
    assert_eq!(of_one.len(), 1);
    assert_eq!(of_one[0]["text"], "I am 1");
}

#[test]
fn an_instance_is_found_by_its_pid() {
    let sandbox = three();
    let pids = pids(&sandbox);
    // A pid stands for its service, as a name does.
    sandbox.resume(["stop", &pids[2].to_string()]).success().stdout_has(&["`web"]);
    assert!(!Ending::of(i32::try_from(pids[2]).unwrap()).is_alive());
}

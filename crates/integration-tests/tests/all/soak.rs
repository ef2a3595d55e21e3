//! What a long life costs: restarts and services, over and over, leave nothing behind.
//!
//! Short unless `RESUME_SOAK` is set, which takes 6,000 restarts and 500 services.

use std::collections::BTreeMap;
use std::fs;

use integration_tests::{Ending, Look};
use serde_json::json;

use crate::sandbox;

fn is_long() -> bool {
    std::env::var_os("RESUME_SOAK").is_some()
}

fn times(short: u64, long: u64) -> u64 {
    if is_long() { long } else { short }
}

/// What a process has for itself, in KiB: the sum of its private pages that it wrote to.
#[track_caller]
fn private_kib(pid: i32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
    let value = text.lines().find_map(|line| line.strip_prefix("Private_Dirty:")).unwrap();
    value.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn restarts_in_a_row_leak_no_descriptor_and_no_memory() {
    let count = times(300, 6_000);
    let sandbox = sandbox();
    let options = ["--max-restarts", "0", "--backoff", "1ms..1ms", "--no-wait"];
    sandbox.resume(["start", "--name", "web"].iter().chain(&options).chain(&["--", "/bin/true"])).success();
    let supervisor = sandbox.supervisor("web");
    let mut client = sandbox.connect("web");
    client.send(b"{\"method\":\"dev.resume.Supervisor.Events\",\"more\":true,\"parameters\":{\"since\":0}}\0");
    let mut until_ended = |run: u64| loop {
        let message = client.message(0).expect("the supervisor lives");
        let event = &message["parameters"]["event"];
        if event["event"] == "ended" && event["run"].as_u64() >= Some(run) {
            return;
        }
    };
    // By then everything has been used once, and what is kept has its size.
    until_ended(count / 3);
    let (descriptors, memory) = (Look::at(supervisor).descriptors.len(), private_kib(supervisor));
    until_ended(count);
    let (now, grown) = (Look::at(supervisor).descriptors, private_kib(supervisor));
    println!("{count} restarts: {descriptors}, then {} descriptors; {memory}, then {grown} KiB", now.len());
    // A pidfd and the ends of the pipes come and go with a run.
    assert!(now.len() <= descriptors + 4, "{descriptors} descriptors before, and then {now:?}");
    assert!(grown <= memory + 32, "{memory} KiB before, {grown} KiB after");
    sandbox.connect("web").call("Stop", &json!({}));
    assert_eq!(sandbox.supervisor("web"), supervisor);
}

#[test]
fn who_never_reads_its_events_is_cut_and_who_does_gets_them_all() {
    const SUBSCRIBE: &[u8] = b"{\"method\":\"dev.resume.Supervisor.Events\",\"more\":true}\0";
    if !is_long() {
        println!("skipped: megabytes of events take some thousand restarts, see RESUME_SOAK");
        return;
    }
    let sandbox = sandbox();
    sandbox.start("web", &["sleep", "600"]);
    let (mut deaf, mut attentive) = (sandbox.connect("web"), sandbox.connect("web"));
    deaf.send(SUBSCRIBE);
    attentive.send(SUBSCRIBE);
    let mut other = sandbox.connect("web");
    let (mut told, mut last) = (0, None);
    for _ in 0..5_000 {
        other.call("Restart", &json!({ "wait": false }));
        loop {
            let message = attentive.message(0).expect("who reads is told");
            let event = &message["parameters"]["event"];
            told += 1;
            let seq = event["seq"].as_u64();
            assert!(last.is_none_or(|last: u64| seq == Some(last + 1)), "{last:?} and then {seq:?}");
            last = seq;
            if event["event"] == "ended" {
                break;
            }
        }
    }
    let mut heard = 0;
    while deaf.message(0).is_some() {
        heard += 1;
    }
    println!("of {told} events the deaf one was left {heard}");
    assert!(heard < told, "it was kept to the end");
}

#[test]
fn services_started_listed_and_deleted_leave_nothing() {
    let count = times(50, 500);
    let sandbox = sandbox();
    let names: Vec<String> = (0..count).map(|number| format!("s{number}")).collect();
    let mut endings = BTreeMap::new();
    for name in &names {
        sandbox.start(name, &["sleep", "600"]);
    }
    let services = sandbox.services();
    assert_eq!(services.len(), names.len());
    for service in &services {
        assert_eq!(service["state"], "running", "{service}");
        for field in ["pid", "supervisor_pid"] {
            let pid = service[field].as_i64().and_then(|pid| i32::try_from(pid).ok()).unwrap();
            endings.insert(pid, Ending::of(pid));
        }
    }
    sandbox.resume(["delete", "all"]).success();
    endings.values().for_each(Ending::wait);
    assert!(sandbox.services().is_empty());
    let left: Vec<_> = fs::read_dir(sandbox.home().join("services")).unwrap().map(Result::unwrap).collect();
    assert!(left.is_empty(), "{left:?}");
}

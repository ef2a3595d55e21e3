//! What `ls` says, and that it is true.

use integration_tests::{Ending, signal};
use serde_json::{Value, json};

use crate::{KILL, SLEEP, sandbox};

#[track_caller]
fn is_time(value: &Value) {
    let text = value.as_str().unwrap_or_else(|| panic!("{value} is no time"));
    let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    assert_eq!(shape, "0000-00-00T00:00:00.000000Z", "{text}");
}

#[test]
fn the_json_of_a_running_service_has_every_field_with_its_type() {
    let sandbox = sandbox();
    let pid = sandbox.start_with("web", &["--group", "front"], &SLEEP);
    let service = sandbox.service("web");
    assert_eq!(service["name"], "web");
    assert_eq!(service["state"], "running");
    assert_eq!(service["desired"], "up");
    assert_eq!(service["pid"], pid);
    assert!(service["supervisor_pid"].as_i64().is_some_and(|supervisor| supervisor != i64::from(pid)));
    assert_eq!(service["group"], "front");
    is_time(&service["started_at"]);
    assert!(service["uptime_ms"].is_u64(), "{service}");
    assert_eq!(service["restarts"], 0);
    assert_eq!(service["command"], json!(["sleep", "600"]));
    assert_eq!(service["cwd"], sandbox.folder().to_str().unwrap());
    assert!(service["cpu_percent"].is_f64(), "{service}");
    assert!(service["memory_bytes"].as_u64().is_some_and(|bytes| bytes > 4096), "{service}");
    assert_eq!(service["log_dir"], sandbox.service_dir("web").join("log").to_str().unwrap());
    assert_eq!(service["last_exit"], Value::Null);
    let instances = service["instances"].as_array().unwrap();
    assert_eq!(instances.len(), 1);
    let instance = &instances[0];
    assert_eq!((&instance["index"], &instance["state"], &instance["pid"]), (&0.into(), &"running".into(), &pid.into()));
    is_time(&instance["started_at"]);
    assert!(instance["uptime_ms"].is_u64() && instance["cpu_percent"].is_f64() && instance["memory_bytes"].is_u64());
    assert_eq!((&instance["restarts"], &instance["last_exit"]), (&0.into(), &Value::Null));
}

#[test]
fn the_json_of_a_service_that_is_down_has_null_for_what_there_is_not() {
    let sandbox = sandbox();
    sandbox.start("web", &SLEEP);
    sandbox.stop_for_good("web");
    let service = sandbox.service("web");
    for field in ["pid", "supervisor_pid", "group", "started_at", "uptime_ms", "cpu_percent", "memory_bytes"] {
        assert_eq!(service.get(field), Some(&Value::Null), "{field}");
    }
    for field in ["pid", "started_at", "uptime_ms", "cpu_percent", "memory_bytes"] {
        assert_eq!(service["instances"][0].get(field), Some(&Value::Null), "{field}");
    }
    let last_exit = &service["last_exit"];
    is_time(&last_exit["at"]);
    assert_eq!(
        (&last_exit["code"], &last_exit["signal"], &last_exit["reason"]),
        (&Value::Null, &"SIGTERM".into(), &"stopped".into())
    );
    assert_eq!(service["last_exit"], service["instances"][0]["last_exit"]);
}

#[test]
fn services_are_sorted_by_name() {
    let sandbox = sandbox();
    for name in ["c", "a", "B", "b"] {
        sandbox.start(name, &SLEEP);
    }
    let names: Vec<Value> = sandbox.services().iter().map(|service| service["name"].clone()).collect();
    assert_eq!(names, ["B", "a", "b", "c"]);
}

#[test]
fn an_empty_home_is_an_empty_list_and_is_not_made() {
    let sandbox = sandbox();
    let outcome = sandbox.resume(["ls"]);
    outcome.success().no_stdout();
    assert!(!outcome.stderr.is_empty(), "a first user is told how to go on");
    sandbox.resume(["ls", "--quiet"]).success().no_stdout().no_stderr();
    assert_eq!(sandbox.services(), Vec::<Value>::new());
    assert!(!sandbox.home().exists());
}

#[test]
fn the_table_has_a_row_a_service() {
    let sandbox = sandbox();
    let pid = sandbox.start("web", &SLEEP);
    sandbox.start("db", &["sleep", "700"]);
    sandbox.resume(["stop", "db"]).success();
    for verb in ["ls", "list", "status"] {
        let outcome = sandbox.resume([verb]);
        outcome.success().no_stderr();
        let text = outcome.stdout_text().into_owned();
        let rows: Vec<&str> = text.lines().collect();
        assert_eq!(rows.len(), 3, "{text}");
        assert!(rows[1].starts_with("db") && rows[1].contains("stopped") && rows[1].contains("sleep 700"), "{text}");
        assert!(rows[2].contains("web") && rows[2].contains("running") && rows[2].contains(&pid.to_string()), "{text}");
        assert!(!text.contains('\u{1b}'), "no colour in a pipe: {text}");
    }
    sandbox.resume(["ls", "--wide"]).success().stdout_has(&["web", "db"]);
    sandbox.resume(["ls", "--instances"]).success().stdout_has(&["web"]);
    sandbox.resume(["ls", "--color", "always"]).success().stdout_has(&["\u{1b}["]);
}

#[test]
fn without_usage_there_is_none() {
    let sandbox = sandbox();
    sandbox.start("web", &SLEEP);
    let services = sandbox.resume(["ls", "--no-usage", "--json"]).success().json();
    assert_eq!((&services[0]["cpu_percent"], &services[0]["memory_bytes"]), (&Value::Null, &Value::Null));
    assert_eq!(services[0]["state"], "running");
}

#[test]
fn memory_is_that_of_the_whole_tree() {
    let sandbox = sandbox();
    let mut channel = sandbox.channel();
    let eater = format!(
        "x = bytearray(50_000_000); open('{}', 'w').write('eaten\\n'); import time; time.sleep(600)",
        channel.path()
    );
    let shell = format!("{} -c \"{eater}\" & wait", integration_tests::python());
    sandbox.start("web", &["sh", "-c", &shell]);
    channel.expect("eaten");
    assert!(sandbox.service("web")["memory_bytes"].as_u64() > Some(50_000_000));
}

#[test]
fn a_service_whose_supervisor_was_killed_is_lost_and_its_program_is_shown() {
    let sandbox = sandbox();
    let pid = sandbox.start("web", &SLEEP);
    let supervisor = Ending::of(sandbox.supervisor("web"));
    supervisor.signal(KILL);
    supervisor.wait();
    let service = sandbox.service("web");
    assert_eq!(
        (&service["state"], &service["pid"], &service["supervisor_pid"]),
        (&"lost".into(), &pid.into(), &Value::Null)
    );
    sandbox.resume(["ls"]).success().stdout_has(&["lost"]);
    // With the program gone too it is still lost: it should be up, and nobody sees to that.
    let program = Ending::of(pid);
    program.signal(KILL);
    program.wait();
    let service = sandbox.service("web");
    assert_eq!((&service["state"], &service["pid"]), (&"lost".into(), &Value::Null));
}

#[test]
fn ls_is_true_with_the_socket_gone() {
    let sandbox = sandbox();
    let pid = sandbox.start("web", &SLEEP);
    std::fs::remove_file(sandbox.service_dir("web").join("control.sock")).unwrap();
    let service = sandbox.service("web");
    assert_eq!((&service["state"], &service["pid"]), (&"running".into(), &pid.into()));
    // A supervisor without a socket can be reached again once it has made way; nothing but its end helps for now.
    let (supervisor, program) = (Ending::of(sandbox.supervisor("web")), Ending::of(pid));
    supervisor.signal(crate::TERM);
    supervisor.wait();
    assert!(program.is_alive());
}

#[test]
fn ls_is_true_when_the_machine_was_booted_since() {
    let sandbox = sandbox();
    let pid = sandbox.start("web", &SLEEP);
    let state = sandbox.service_dir("web").join("state.json");
    let before = std::fs::read_to_string(&state).unwrap();
    let (supervisor, program) = (Ending::of(sandbox.supervisor("web")), Ending::of(pid));
    for process in [supervisor, program] {
        process.signal(KILL);
        process.wait();
    }
    // As a boot leaves it: the same pids, which now are of others.
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let own = std::process::id().to_string();
    let after = before.replace(boot.trim(), "00000000-0000-4000-8000-000000000000").replace(&pid.to_string(), &own);
    std::fs::write(&state, after).unwrap();
    let service = sandbox.service("web");
    assert_eq!((&service["state"], &service["pid"]), (&"stopped".into(), &Value::Null));
    sandbox.resume(["start", "web"]).success();
    assert_eq!(sandbox.state("web"), "running");
}

#[test]
fn a_pid_that_was_given_to_another_is_not_taken_for_the_program() {
    let sandbox = sandbox();
    let pid = sandbox.start("web", &SLEEP);
    let state = sandbox.service_dir("web").join("state.json");
    let (supervisor, program) = (Ending::of(sandbox.supervisor("web")), Ending::of(pid));
    supervisor.signal(KILL);
    supervisor.wait();
    signal(pid, KILL);
    program.wait();
    let text = std::fs::read_to_string(&state).unwrap();
    std::fs::write(&state, text.replace(&format!("\"pid\":{pid}"), &format!("\"pid\":{}", std::process::id())))
        .unwrap();
    let service = sandbox.service("web");
    assert_eq!((&service["state"], &service["pid"]), (&"lost".into(), &Value::Null));
    // The test is still here to see that nobody stopped it.
    sandbox.resume(["stop", "web"]).success();
}

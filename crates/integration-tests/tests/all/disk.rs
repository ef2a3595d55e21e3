//! Files that are torn, missing or in the way.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use integration_tests::{Ending, Sandbox};
use serde_json::Value;

use crate::{KILL, SLEEP, sandbox};

/// Kills the supervisor of a service, which thus leaves its files as they are.
fn kill_supervisor(sandbox: &Sandbox, name: &str) {
    let supervisor = Ending::of(sandbox.supervisor(name));
    supervisor.signal(KILL);
    supervisor.wait();
}

#[test]
fn a_state_file_torn_at_any_length_is_survived() {
    let sandbox = sandbox();
    sandbox.start("web", &SLEEP);
    sandbox.stop_for_good("web");
    let path = sandbox.service_dir("web").join("state.json");
    let whole = fs::read(&path).unwrap();
    for length in (0..whole.len()).step_by(7).chain([whole.len() - 1]) {
        fs::write(&path, &whole[..length]).unwrap();
        assert_eq!(sandbox.state("web"), "stopped", "at length {length}");
    }
    for junk in [&b"\0\0\0\0"[..], b"[]", b"{\"version\":99}", b"\xff\xfe"] {
        fs::write(&path, junk).unwrap();
        assert_eq!(sandbox.state("web"), "stopped", "with {junk:?}");
    }
    sandbox.resume(["start", "web"]).success();
    assert_eq!(sandbox.state("web"), "running");
}

#[test]
fn a_state_file_torn_under_a_living_supervisor_is_no_loss() {
    let sandbox = sandbox();
    let pid = sandbox.start("web", &SLEEP);
    let path = sandbox.service_dir("web").join("state.json");
    let whole = fs::read(&path).unwrap();
    for length in [0, 1, whole.len() / 2, whole.len() - 1] {
        fs::write(&path, &whole[..length]).unwrap();
        let service = sandbox.service("web");
        assert_eq!((&service["state"], &service["pid"]), (&"running".into(), &pid.into()), "at length {length}");
    }
    fs::remove_file(&path).unwrap();
    assert_eq!(sandbox.pid("web"), pid);
    sandbox.resume(["stop", "web"]).success();
    assert_eq!(sandbox.state("web"), "stopped");
}

#[test]
fn a_state_file_torn_with_its_supervisor_killed_makes_the_service_lost() {
    let sandbox = sandbox();
    let program = Ending::of(sandbox.start("web", &SLEEP));
    kill_supervisor(&sandbox, "web");
    fs::write(sandbox.service_dir("web").join("state.json"), "{\"version\":1,").unwrap();
    assert_eq!(sandbox.state("web"), "lost");
    // Nobody knows its pid any more. What is left to be done: end it here, where it is known.
    program.signal(KILL);
    program.wait();
    sandbox.resume(["stop", "web"]).success();
    assert_eq!(sandbox.state("web"), "stopped");
}

#[test]
fn a_spec_that_is_torn_is_named_and_the_others_are_not_touched_by_it() {
    let sandbox = sandbox();
    sandbox.start("web", &SLEEP);
    sandbox.start("db", &SLEEP);
    sandbox.stop_for_good("web");
    let path = sandbox.service_dir("web").join("spec.json");
    let whole = fs::read(&path).unwrap();
    for length in [0, 1, whole.len() / 2, whole.len() - 3] {
        fs::write(&path, &whole[..length]).unwrap();
        // What cannot be read is said where it matters; the list is there all the same.
        assert_eq!(sandbox.state("db"), "running");
        let names: Vec<Value> = sandbox.services().iter().map(|service| service["name"].clone()).collect();
        assert_eq!(names, ["db", "web"]);
        sandbox.resume(["start", "web"]).code(1).stderr_has(&["error: ", "`web`", "spec.json"]);
    }
    fs::write(&path, whole).unwrap();
    sandbox.resume(["start", "web"]).success();
}

#[test]
fn a_service_with_a_torn_spec_can_be_deleted() {
    let sandbox = sandbox();
    sandbox.start("web", &SLEEP);
    sandbox.stop_for_good("web");
    fs::write(sandbox.service_dir("web").join("spec.json"), "{").unwrap();
    sandbox.resume(["delete", "web"]).success();
    assert!(!sandbox.service_dir("web").exists());
}

#[test]
fn a_spec_of_a_newer_version_is_left_alone() {
    let sandbox = sandbox();
    sandbox.start("web", &SLEEP);
    sandbox.stop_for_good("web");
    let path = sandbox.service_dir("web").join("spec.json");
    let newer = fs::read_to_string(&path).unwrap().replace("\"version\": 1", "\"version\": 99");
    fs::write(&path, &newer).unwrap();
    sandbox.resume(["start", "web"]).code(1).stderr_has(&["`web`", "version 99"]);
    assert_eq!(fs::read_to_string(&path).unwrap(), newer);
}

#[test]
fn junk_beside_the_services_is_passed_over() {
    let sandbox = sandbox();
    sandbox.start("web", &SLEEP);
    let services = sandbox.home().join("services");
    fs::write(services.join("file"), "junk").unwrap();
    fs::write(services.join(".hidden"), "junk").unwrap();
    fs::create_dir(services.join("all")).unwrap();
    fs::create_dir(services.join("a b")).unwrap();
    fs::create_dir(services.join("123")).unwrap();
    fs::create_dir(services.join(".web.1.new")).unwrap();
    symlink("/", services.join("link")).unwrap();
    symlink(sandbox.service_dir("web"), services.join("web-2")).unwrap();
    let names: Vec<Value> = sandbox.services().iter().map(|service| service["name"].clone()).collect();
    assert_eq!(names, ["web"]);
    sandbox.resume(["stop", "all"]).success().no_stderr();
    sandbox.resume(["delete", "all"]).success().no_stderr();
    assert!(services.join("file").exists() && services.join("link").exists());
}

#[test]
fn junk_inside_a_services_directory_does_not_disturb_it() {
    let sandbox = sandbox();
    sandbox.start("web", &SLEEP);
    sandbox.stop_for_good("web");
    let folder = sandbox.service_dir("web");
    fs::write(folder.join("notes.txt"), "junk").unwrap();
    fs::create_dir(folder.join("deep")).unwrap();
    fs::write(folder.join("deep/file"), "junk").unwrap();
    symlink("/etc/passwd", folder.join("passwd")).unwrap();
    fs::write(folder.join("log/junk.idx"), "junk").unwrap();
    sandbox.resume(["start", "web"]).success();
    sandbox.resume(["logs", "web"]).success();
    sandbox.resume(["delete", "web"]).success();
    assert!(!folder.exists());
    assert!(fs::metadata("/etc/passwd").is_ok());
}

#[test]
fn a_symbolic_link_in_the_place_of_a_file_is_not_followed() {
    let sandbox = sandbox();
    sandbox.start("web", &SLEEP);
    sandbox.stop_for_good("web");
    let folder = sandbox.service_dir("web");
    let elsewhere = sandbox.folder().join("elsewhere");
    fs::rename(folder.join("spec.json"), &elsewhere).unwrap();
    symlink(&elsewhere, folder.join("spec.json")).unwrap();
    sandbox.resume(["start", "web"]).code(1).stderr_has(&["error: ", "spec.json"]);
    fs::remove_file(folder.join("spec.json")).unwrap();
    fs::rename(&elsewhere, folder.join("spec.json")).unwrap();
    // What was written there would be written with our rights.
    fs::write(&elsewhere, "precious").unwrap();
    for name in ["state.json", "control.sock", "0.stdout", "log/current.log"] {
        let _ = fs::remove_file(folder.join(name));
        symlink(&elsewhere, folder.join(name)).unwrap();
        // It may be replaced or be refused.
        let outcome = sandbox.resume(["start", "web"]);
        assert!([0, 1].contains(&outcome.exit_code()), "{outcome}");
        if outcome.exit_code() == 0 {
            sandbox.stop_for_good("web");
        }
        assert_eq!(fs::read(&elsewhere).unwrap(), b"precious", "through {name}");
        let _ = fs::remove_file(folder.join(name));
    }
}

#[test]
fn a_log_folder_that_is_a_symbolic_link_is_not_followed() {
    let sandbox = sandbox();
    sandbox.start("web", &SLEEP);
    sandbox.stop_for_good("web");
    let log = sandbox.service_dir("web").join("log");
    let elsewhere = sandbox.folder().join("elsewhere");
    fs::remove_dir_all(&log).unwrap();
    fs::create_dir(&elsewhere).unwrap();
    symlink(&elsewhere, &log).unwrap();
    let outcome = sandbox.resume(["start", "web"]);
    assert!([0, 1].contains(&outcome.exit_code()), "{outcome}");
    sandbox.resume(["stop", "web"]);
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
    sandbox.resume(["delete", "web"]).success();
    assert!(elsewhere.exists());
}

#[test]
fn a_socket_that_a_dead_supervisor_left_is_no_hindrance() {
    let sandbox = sandbox();
    let pid = sandbox.start("web", &SLEEP);
    kill_supervisor(&sandbox, "web");
    assert!(sandbox.service_dir("web").join("control.sock").exists());
    sandbox.resume(["start", "web"]).success();
    assert_eq!(sandbox.pid("web"), pid);
}

#[test]
fn everything_is_private_whatever_the_umask() {
    let sandbox = sandbox();
    let mut shell = sandbox.other_command("sh");
    let words = ["start", "--name", "web", "--", "sleep", "600"];
    shell.args(["-c", "umask 000; exec \"$@\"", "sh", sandbox.program()]).args(words);
    sandbox.run(shell).success();
    let mut seen = 0;
    let mut folders = vec![sandbox.home().to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let entry = entry.unwrap();
            let metadata = entry.metadata().unwrap();
            let mode = metadata.permissions().mode() & 0o7777;
            let wanted = if metadata.is_dir() { 0o700 } else { 0o600 };
            assert_eq!(mode, wanted, "{} has the mode {mode:o}", entry.path().display());
            assert!(!metadata.is_symlink());
            if metadata.is_dir() {
                folders.push(entry.path());
            }
            seen += 1;
        }
    }
    assert!(seen >= 8, "only {seen} files and folders were found");
    assert_eq!(fs::metadata(sandbox.home()).unwrap().permissions().mode() & 0o7777, 0o700);
}

#[test]
fn the_files_hold_their_version_and_the_wish_and_the_truth_apart() {
    let sandbox = sandbox();
    sandbox.start("web", &SLEEP);
    let read = |name: &str| -> Value {
        serde_json::from_slice(&fs::read(sandbox.service_dir("web").join(name)).unwrap()).unwrap()
    };
    assert_eq!((&read("spec.json")["version"], &read("spec.json")["desired"]), (&1.into(), &"up".into()));
    assert_eq!(
        (&read("state.json")["version"], &read("state.json")["instances"][0]["state"]),
        (&1.into(), &"running".into())
    );
    sandbox.resume(["stop", "web"]).success();
    assert_eq!(read("spec.json")["desired"], "down");
    assert_eq!(read("state.json")["instances"][0]["state"], "stopped");
    sandbox.resume(["start", "web"]).success();
    assert_eq!(read("spec.json")["desired"], "up");
}

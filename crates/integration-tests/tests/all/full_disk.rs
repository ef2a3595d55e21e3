//! Disks that are full or cannot be written.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use integration_tests::{Ending, Sandbox, signal};
use serde_json::{Value, json};

use crate::{KILL, USR1, sandbox};

#[test]
fn a_home_that_is_read_only_is_named_and_nothing_is_made() {
    let mut sandbox = sandbox();
    let Some(home) = sandbox.mount_home("ro") else { return };
    let words = ["start", "--name", "web", "--", "sleep", "600"];
    sandbox.resume(words).error(1, &["read-only file system"]).hint(&["--home"]);
    sandbox.resume(["run", "--name", "web", "--", "true"]).error(1, &["read-only file system"]);
    assert_eq!(sandbox.services(), Vec::<Value>::new());
    assert_eq!(fs::read_dir(home).unwrap().count(), 0);
}

#[test]
fn a_start_on_a_full_disk_says_so_and_leaves_nothing_half_done() {
    let mut sandbox = sandbox();
    let Some(home) = sandbox.mount_home("size=64k") else { return };
    let filler = home.join("filler");
    fill(&filler);
    let words = ["start", "--name", "web", "--", "sleep", "600"];
    sandbox.resume(words).error(1, &["no space left on device"]);
    assert_eq!(sandbox.services(), Vec::<Value>::new());
    let entries = fs::read_dir(home.join("services")).into_iter().flatten();
    let left: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.is_empty(), "{left:?}");
    fs::remove_file(&filler).unwrap();
    sandbox.resume(words).success();
}

#[test]
fn a_disk_that_fills_up_stops_no_service_and_holds_no_program_up() {
    let mut sandbox = sandbox();
    let Some(home) = sandbox.mount_home("size=1m") else { return };
    let mut channel = sandbox.channel();
    let path = channel.path().to_owned();
    let orders = ["trap", &path, "print", "20000", "trap", &path, "hold"];
    let program: Vec<&str> = [sandbox.helper()].iter().chain(&orders).copied().collect();
    let first = sandbox.start_with("web", &["--min-uptime", "1ms", "--stop-timeout", "200ms"], &program);
    assert_eq!(channel.expect_pid("ready"), first);
    let filler = home.join("filler");
    fill(&filler);
    // It writes more than a pipe holds, which nobody can keep, and is not held up.
    signal(first, USR1);
    channel.expect("SIGUSR1");
    assert_eq!(channel.expect_pid("ready"), first);
    // It is restarted.
    signal(first, KILL);
    let second = channel.expect_pid("ready");
    assert_ne!(first, second);
    up(&sandbox);
    // What is said of it is true, although it cannot be written down.
    let service = sandbox.service("web");
    assert_eq!((&service["state"], &service["pid"]), (&"running".into(), &second.into()));
    assert_eq!(service["restarts"], 1);
    let stop = sandbox.resume(["stop", "web"]);
    channel.expect("SIGTERM");
    assert!(!Ending::of(second).is_alive(), "{stop}");
    assert!(!stop.stderr_text().contains("panicked"), "{stop}");

    fs::remove_file(&filler).unwrap();
    // The wish may or may not have been kept; a person who asks again gets what was asked for.
    sandbox.resume(["restart", "web"]).success();
    channel.expect_pid("ready");
    assert_eq!(sandbox.state("web"), "running");
    // That output was lost is said in the log itself.
    let account = sandbox.texts("web", "resume").join("\n");
    assert!(account.contains("no space left") || account.contains("dropped"), "{account}");
}

/// Waits until `web` is running, without its files.
fn up(sandbox: &Sandbox) {
    let answer = sandbox.connect("web").call("Start", &json!({ "wait": true }));
    assert_eq!(answer.get("error"), None, "{answer}");
}

/// Writes until there is no space for another byte.
fn fill(path: &Path) {
    let mut file = File::create(path).unwrap();
    for size in [4096, 1] {
        while file.write_all(&vec![b'x'; size]).is_ok() {}
    }
}

//! Files that are torn, missing, in the way; disks that are full or cannot be written.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use integration_tests::{Ending, Running, Sandbox, is_root, missing};
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
    sandbox.resume(["stop", "web"]).success();
    let path = sandbox.service_dir("web").join("state.json");
    let whole = fs::read(&path).unwrap();
    for length in (0..whole.len()).step_by(17).chain([whole.len() - 1]) {
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
    sandbox.resume(["stop", "web"]).success();
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
    sandbox.resume(["stop", "web"]).success();
    fs::write(sandbox.service_dir("web").join("spec.json"), "{").unwrap();
    sandbox.resume(["delete", "web"]).success();
    assert!(!sandbox.service_dir("web").exists());
}

#[test]
fn a_spec_of_a_newer_version_is_left_alone() {
    let sandbox = sandbox();
    sandbox.start("web", &SLEEP);
    sandbox.resume(["stop", "web"]).success();
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
    sandbox.resume(["stop", "web"]).success();
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

/// A file system of its own at the home of `sandbox`, which only what is started for the test can see. Gone with the
/// process that is returned; `None` where this machine permits none.
fn mount(sandbox: &mut Sandbox, options: &str) -> Option<Running> {
    if missing(&["unshare", "nsenter", "mount"]) {
        return None;
    }
    if !is_root() {
        println!("skipped: only root can mount");
        return None;
    }
    let home = sandbox.home().to_str().unwrap().to_owned();
    fs::create_dir(&home).unwrap();
    fs::set_permissions(&home, fs::Permissions::from_mode(0o700)).unwrap();
    let script = format!(
        "mount -t tmpfs -o mode=0700 tmpfs {home} && mount -o remount,{options} {home} && echo mounted && exec cat"
    );
    let mut holder = sandbox.other_command("unshare");
    holder.args(["--mount", "--propagation", "private", "sh", "-c", &script]);
    // `cat` waits for the end of its stdin, which comes when the test forgets it.
    holder.stdin(std::process::Stdio::piped());
    let mut holder = Running::start(holder);
    match holder.line() {
        Some(line) => assert_eq!(line, "mounted"),
        None => {
            println!("skipped: mounting is not permitted here");
            return None;
        }
    }
    let space = format!("--mount=/proc/{}/ns/mnt", holder.pid());
    let folder = format!("--wd={}", sandbox.folder().display());
    sandbox.set_prefix(&["nsenter", &space, &folder]);
    Some(holder)
}

/// The home as those see it who are in the name space of `holder`.
fn seen_by(holder: &Running, sandbox: &Sandbox) -> std::path::PathBuf {
    let inside = sandbox.home().strip_prefix("/").unwrap();
    std::path::Path::new(&format!("/proc/{}/root", holder.pid())).join(inside)
}

#[test]
fn a_home_that_is_read_only_is_named_and_nothing_is_made() {
    let mut sandbox = sandbox();
    let Some(holder) = mount(&mut sandbox, "ro") else { return };
    sandbox
        .resume(["start", "--name", "web", "--", "sleep", "600"])
        .error(1, &["read-only file system"])
        .hint(&["--home"]);
    sandbox.resume(["run", "--name", "web", "--", "true"]).error(1, &["read-only file system"]);
    assert_eq!(sandbox.services(), Vec::<Value>::new());
    assert_eq!(fs::read_dir(seen_by(&holder, &sandbox)).unwrap().count(), 0);
    sandbox.set_prefix(&[]);
}

#[test]
fn a_start_on_a_full_disk_says_so_and_leaves_nothing_half_done() {
    let mut sandbox = sandbox();
    let Some(holder) = mount(&mut sandbox, "size=64k") else { return };
    let home = seen_by(&holder, &sandbox);
    let filler = home.join("filler");
    fill(&filler);
    sandbox.resume(["start", "--name", "web", "--", "sleep", "600"]).error(1, &["no space left on device"]);
    assert_eq!(sandbox.services(), Vec::<Value>::new());
    let left: Vec<_> =
        fs::read_dir(home.join("services")).into_iter().flatten().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.is_empty(), "{left:?}");
    fs::remove_file(&filler).unwrap();
    sandbox.resume(["start", "--name", "web", "--", "sleep", "600"]).success();
    sandbox.resume(["delete", "all"]).success();
    wait_for_all(&sandbox);
    sandbox.set_prefix(&[]);
}

#[test]
fn a_disk_that_fills_up_stops_no_service_and_loses_no_wish() {
    let mut sandbox = sandbox();
    let Some(holder) = mount(&mut sandbox, "size=1m") else { return };
    let mut channel = sandbox.channel();
    let path = channel.path().to_owned();
    let words = [
        "start",
        "--name",
        "web",
        "--min-uptime",
        "1ms",
        "--",
        sandbox.helper(),
        "trap",
        &path,
        "print",
        "2000",
        "trap",
        &path,
        "hold",
    ];
    sandbox.resume(words).success();
    let first = channel.expect_pid("ready");
    let filler = seen_by(&holder, &sandbox).join("filler");
    fill(&filler);
    // It writes 20 KiB that nobody can keep, and is not held up.
    integration_tests::signal(first, crate::USR1);
    channel.expect("SIGUSR1");
    assert_eq!(channel.expect_pid("ready"), first);
    // It is restarted, listed, stopped.
    integration_tests::signal(first, KILL);
    let second = channel.expect_pid("ready");
    assert_ne!(first, second);
    assert_eq!(sandbox.state("web"), "running");
    assert_eq!(sandbox.pid("web"), second);
    let stop = sandbox.resume(["stop", "web"]);
    assert!(!Ending::of(second).is_alive(), "{stop}");
    fs::remove_file(&filler).unwrap();
    sandbox.resume(["start", "web"]).success();
    channel.expect("SIGTERM");
    channel.expect_pid("ready");
    assert_eq!(sandbox.state("web"), "running");
    sandbox.resume(["delete", "all"]).success();
    wait_for_all(&sandbox);
    sandbox.set_prefix(&[]);
}

/// Writes until there is no space for another byte.
fn fill(path: &std::path::Path) {
    use std::io::Write;
    let mut file = fs::File::create(path).unwrap();
    for size in [4096, 1] {
        while file.write_all(&vec![b'x'; size]).is_ok() {}
    }
}

/// Waits for the supervisors, whose home goes with the name space.
fn wait_for_all(sandbox: &Sandbox) {
    let mark = format!("RESUME_HOME={}", sandbox.home().display());
    for (pid, _) in integration_tests::find_by_environment(std::path::Path::new(&mark)) {
        // The one that holds the name space has the same environment.
        let command = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        if command.contains("--supervise") {
            Ending::of(pid).wait();
        }
    }
}

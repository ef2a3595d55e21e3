//! Where everything is kept.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use integration_tests::{Sandbox, is_root, missing};

use crate::{SLEEP, sandbox};

fn start_words<'a>(before: &[&'a str]) -> Vec<&'a str> {
    before.iter().copied().chain(["start", "--name", "web", "--"]).chain(SLEEP).collect()
}

#[test]
fn the_option_comes_before_the_variable() {
    let sandbox = sandbox();
    let other = sandbox.path("other");
    sandbox.resume(start_words(&["--home", &other])).success();
    assert!(!sandbox.home().exists());
    assert!(fs::metadata(format!("{other}/services/web/spec.json")).is_ok());
    // It is for every verb, before it and behind it.
    sandbox.resume(["--home", &other, "ls"]).success().stdout_has(&["web"]);
    sandbox.resume(["ls", "--home", &other]).success().stdout_has(&["web"]);
    sandbox.resume(["stop", "web", &format!("--home={other}")]).success();
    sandbox.resume(["--home", &other, "delete", "all"]).success();
}

#[test]
fn a_relative_home_is_one_below_the_present_folder() {
    let mut sandbox = sandbox();
    sandbox.set("RESUME_HOME", "below/home");
    sandbox.resume(start_words(&[])).success();
    assert!(fs::metadata(sandbox.path("below/home/services/web/spec.json")).is_ok());
    let absolute = sandbox.path("below/home");
    let pid = sandbox.pid("web");
    assert_eq!(integration_tests::Look::at(pid).environment["RESUME_HOME"], absolute);
    sandbox.set("RESUME_HOME", absolute);
    assert_eq!(sandbox.pid("web"), pid);
}

#[test]
fn else_it_is_in_the_state_folder_that_xdg_names() {
    let mut sandbox = sandbox();
    sandbox.unset("RESUME_HOME");
    let state = sandbox.path("state");
    sandbox.set("XDG_STATE_HOME", state);
    sandbox.resume(start_words(&[])).success();
    assert!(fs::metadata(sandbox.path("state/resume/services/web/spec.json")).is_ok());
}

#[test]
fn else_it_is_that_of_the_account_whatever_home_says() {
    // To look is harmless; to start something there would not be.
    let mut sandbox = sandbox();
    sandbox.unset("RESUME_HOME");
    let before = sandbox.resume(["ls", "--json"]).success().json();
    sandbox.set("HOME", "/nonexistent");
    assert_eq!(
        sandbox.resume(["ls", "--json"]).success().json().as_array().map(Vec::len),
        before.as_array().map(Vec::len)
    );
    sandbox.set("RESUME_HOME", sandbox.home().as_os_str().to_owned());
}

#[test]
fn two_homes_do_not_see_each_other() {
    let sandbox = sandbox();
    let other = sandbox.path("other");
    let pid = sandbox.start("web", &SLEEP);
    sandbox.resume(start_words(&["--home", &other])).success();
    sandbox.resume(["--home", &other, "delete", "all"]).success();
    assert_eq!(sandbox.pid("web"), pid);
}

#[test]
fn a_home_with_a_path_of_any_length_works() {
    let mut sandbox = sandbox();
    let long = format!("{}/{}", sandbox.path("deep"), ["a-rather-long-name-of-a-folder"; 10].join("/"));
    assert!(long.len() > 3 * 108);
    sandbox.set("RESUME_HOME", long.as_str());
    sandbox.resume(start_words(&[])).success();
    let pid = sandbox.pid("web");
    sandbox.resume(["restart", "web"]).success();
    assert_ne!(sandbox.pid("web"), pid);
    sandbox.resume(["stop", "web"]).success();
    assert_eq!(sandbox.state("web"), "stopped");
}

#[test]
fn a_home_that_others_can_write_is_refused() {
    let sandbox = sandbox();
    fs::create_dir(sandbox.home()).unwrap();
    for mode in [0o777, 0o702, 0o720] {
        fs::set_permissions(sandbox.home(), fs::Permissions::from_mode(mode)).unwrap();
        sandbox.resume(start_words(&[])).error(1, &["h`"]).hint(&["chmod"]);
        sandbox.resume(["ls"]).error(1, &["h`"]);
    }
    fs::set_permissions(sandbox.home(), fs::Permissions::from_mode(0o755)).unwrap();
    sandbox.resume(start_words(&[])).success();
}

#[test]
fn a_home_that_is_a_symbolic_link_is_refused() {
    let sandbox = sandbox();
    fs::create_dir(sandbox.path("real")).unwrap();
    symlink(sandbox.path("real"), sandbox.home()).unwrap();
    sandbox.resume(start_words(&[])).error(1, &["symbolic link"]).hint(&["real"]);
    // The guard of this test needs a home that it can look at.
    fs::remove_file(sandbox.home()).unwrap();
}

#[test]
fn a_home_that_is_a_file_is_refused() {
    let sandbox = sandbox();
    fs::write(sandbox.home(), "").unwrap();
    sandbox.resume(start_words(&[])).error(1, &["no directory"]).hint(&["--home"]);
    fs::remove_file(sandbox.home()).unwrap();
}

#[test]
fn an_empty_home_is_no_home() {
    let sandbox = sandbox();
    let outcome = sandbox.resume(["--home", "", "ls"]);
    assert_ne!(outcome.exit_code(), 0, "{outcome}");
}

/// The command line of `resume` for the user 65534 ("nobody"), with programs that this user can reach.
fn as_nobody(sandbox: &Sandbox, words: &[&str]) -> Option<std::process::Command> {
    if missing(&["setpriv"]) {
        return None;
    }
    if !is_root() {
        println!("skipped: only root can become another user");
        return None;
    }
    let program = sandbox.path("resume");
    fs::copy(sandbox.program(), &program).unwrap();
    fs::set_permissions(sandbox.folder(), fs::Permissions::from_mode(0o711)).unwrap();
    let mut command = sandbox.other_command("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups", &program]).args(words);
    Some(command)
}

#[test]
fn the_home_of_another_user_is_refused() {
    let sandbox = sandbox();
    sandbox.start("web", &SLEEP);
    let Some(command) = as_nobody(&sandbox, &["ls"]) else { return };
    sandbox.run(command).error(1, &["h`"]);
    fs::set_permissions(sandbox.home(), fs::Permissions::from_mode(0o755)).unwrap();
    let Some(command) = as_nobody(&sandbox, &["stop", "all"]) else { return };
    sandbox.run(command).error(1, &["h`"]);
    assert_eq!(sandbox.state("web"), "running");
}

#[test]
fn root_becomes_the_user_whose_home_it_meets() {
    let sandbox = sandbox();
    let Some(command) = as_nobody(&sandbox, &["start", "--name", "web", "--", "sleep", "600"]) else { return };
    fs::create_dir(sandbox.home()).unwrap();
    std::os::unix::fs::chown(sandbox.home(), Some(65534), Some(65534)).unwrap();
    fs::set_permissions(sandbox.home(), fs::Permissions::from_mode(0o700)).unwrap();
    sandbox.run(command).success();
    let first = sandbox.pid("web");
    sandbox.resume(["restart", "web"]).success();
    sandbox.resume(start_words(&["--quiet"]).iter().map(|word| if *word == "web" { "db" } else { *word })).success();
    for name in ["web", "db"] {
        for pid in [sandbox.pid(name), sandbox.supervisor(name)] {
            let uids = integration_tests::Look::at(pid).status["Uid"].clone();
            assert_eq!(uids.split_whitespace().collect::<Vec<_>>(), ["65534"; 4], "{name}");
        }
    }
    assert_ne!(sandbox.pid("web"), first);
}

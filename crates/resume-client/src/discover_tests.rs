//! Discovery against directories made by hand.

use std::os::unix::fs::symlink;
use std::path::Path;

use super::*;
use crate::home::{Home, Sources};

/// A state file of a run that nobody looks after.
pub(crate) const STATE: &str = r#"{"version":1,"name":"web","desired":"up","command":["node","a.js"],"cwd":"/srv",
    "group":"g","resume_version":"0.1.0","supervisor":{"pid":2147483646,"start_ticks":1,"boot_id":"BOOT"},
    "instances":[{"index":0,"state":"running","desired":"up",
      "process":{"pid":PID,"start_ticks":TICKS,"boot_id":"BOOT"},
      "started_at":"2026-11-22T15:04:05.000001Z","restart_at":null,"run":3,"restarts":2,"short_runs":0,
      "last_exit":null,"failure":null}]}"#;

/// A service with one living instance for each pid, or a stopped one.
pub(crate) fn service(name: &str, pids: &[i32]) -> Service {
    let live = |(index, pid): (usize, &i32)| InstanceStatus {
        process: Some(ProcessIdentity { pid: *pid, start_ticks: 1, boot_id: String::new() }),
        ..unknown_instance(u32::try_from(index).unwrap(), StateWord::Running, Desired::Up)
    };
    let mut instances: Vec<_> = pids.iter().enumerate().map(live).collect();
    if instances.is_empty() {
        instances.push(unknown_instance(0, StateWord::Stopped, Desired::Down));
    }
    Service {
        name: ServiceName::new(name).unwrap(),
        directory: PathBuf::from("/h/services").join(name),
        supervised: !pids.is_empty(),
        supervisor: None,
        desired: if pids.is_empty() { Desired::Down } else { Desired::Up },
        command: vec!["x".into()],
        cwd: "/".into(),
        group: None,
        instances,
        problems: Vec::new(),
    }
}

/// A home with one service `web`, whose files are given by a test.
struct Bench {
    _folder: tempfile::TempDir,
    services: Services,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let sources = Sources { option: Some(folder.path().join("home")), ..Sources::default() };
        let services = Home::locate(sources).unwrap().create().unwrap();
        std::fs::create_dir(services.directory(&web())).unwrap();
        Self { _folder: folder, services }
    }

    fn path(&self, file: &str) -> PathBuf {
        self.services.directory(&web()).join(file)
    }

    fn write(&self, file: &str, text: &str) -> &Self {
        std::fs::write(self.path(file), text).unwrap();
        self
    }

    fn spec(&self, desired: &str) -> &Self {
        let text = format!(
            r#"{{"version":1,"name":"web","desired":"{desired}","command":["a.js"],"interpreter":["node"],"cwd":"/srv","environment":[],"instances":2}}"#
        );
        self.write(layout::SPEC, &text)
    }

    /// A state file whose program is this very process, or one that is gone.
    fn state(&self, alive: bool, boot_id: &str) -> &Self {
        let pid = i32::try_from(std::process::id()).unwrap();
        let ticks = identity::identify(pid).unwrap().start_ticks + u64::from(!alive);
        let text = STATE.replace("PID", &pid.to_string()).replace("TICKS", &ticks.to_string());
        self.write(layout::STATE, &text.replace("BOOT", boot_id))
    }

    fn hold(&self) -> Lock {
        let directory = self.services.open(&web()).unwrap().unwrap();
        Lock::try_acquire(directory.as_fd(), layout::LOCK).unwrap().unwrap()
    }

    fn web(&self) -> Service {
        Discovery::new(&self.services).one(&web()).unwrap()
    }
}

fn web() -> ServiceName {
    ServiceName::new("web").unwrap()
}

fn this_boot() -> String {
    identity::boot_id().unwrap()
}

fn own_pid() -> i32 {
    i32::try_from(std::process::id()).unwrap()
}

#[test]
fn a_live_process_under_a_held_lock_is_shown_as_the_file_says() {
    let bench = Bench::new();
    bench.state(true, &this_boot());
    let _lock = bench.hold();
    let service = bench.web();
    assert_eq!(service.state(), StateWord::Running);
    assert_eq!(service.first().unwrap().process.as_ref().unwrap().pid, own_pid());
    assert_eq!((service.restarts(), service.group.as_deref()), (2, Some("g")));
    // The supervisor of the file is gone: the one that holds the lock has not written yet.
    assert_eq!((service.supervised, service.supervisor), (true, None));
}

#[test]
fn a_live_process_under_a_free_lock_is_lost_and_keeps_its_pid() {
    let bench = Bench::new();
    bench.state(true, &this_boot());
    let service = bench.web();
    assert_eq!(service.state(), StateWord::Lost);
    assert!(service.is_alive());
}

#[test]
fn a_pid_that_belongs_to_another_process_by_now_is_not_believed() {
    let bench = Bench::new();
    bench.state(false, &this_boot());
    let service = bench.web();
    assert_eq!((service.state(), service.is_alive()), (StateWord::Lost, false));
    assert_eq!(service.first().unwrap().started_at, None);
}

#[test]
fn nothing_of_another_boot_is_alive() {
    let bench = Bench::new();
    bench.state(true, "00000000-0000-0000-0000-000000000000");
    let service = bench.web();
    assert_eq!((service.state(), service.is_alive()), (StateWord::Stopped, false));
}

#[test]
fn a_dead_pid_under_a_held_lock_is_reported_and_not_shown_as_running() {
    let bench = Bench::new();
    bench.state(false, &this_boot());
    let _lock = bench.hold();
    let service = bench.web();
    assert_eq!((service.state(), service.is_alive()), (StateWord::Lost, false));
    assert!(service.problems[0].message.contains("has not noticed"), "{:?}", service.problems);
    assert!(service.problems[0].hint.contains("kill -CONT 2147483646"), "{:?}", service.problems);
}

#[test]
fn a_torn_or_missing_state_is_made_up_for_by_the_spec() {
    for (desired, expected) in [("up", StateWord::Lost), ("down", StateWord::Stopped)] {
        for state in [None, Some(""), Some("{\"version\":1,\"na"), Some("{\"version\":99}")] {
            let bench = Bench::new();
            bench.spec(desired);
            state.map(|text| bench.write(layout::STATE, text));
            let service = bench.web();
            assert_eq!(service.state(), expected);
            assert_eq!(service.instances.len(), 2);
            assert_eq!(service.command, ["node".into(), "a.js".into()]);
            assert_eq!(service.problems.len(), usize::from(state.is_some()), "{:?}", service.problems);
        }
    }
}

#[test]
fn a_service_that_is_held_and_has_no_state_yet_is_starting() {
    let bench = Bench::new();
    bench.spec("up");
    let _lock = bench.hold();
    assert_eq!(bench.web().state(), StateWord::Starting);
}

#[test]
fn a_torn_spec_beside_a_good_state_hides_nothing() {
    let bench = Bench::new();
    bench.state(true, &this_boot()).write(layout::SPEC, "{");
    assert_eq!(bench.web().state(), StateWord::Lost);
    assert!(bench.web().is_alive());
}

#[test]
fn a_service_of_which_every_file_is_torn_is_still_listed_with_what_to_do() {
    let bench = Bench::new();
    bench.write(layout::SPEC, "{").write(layout::STATE, "\0\0\0");
    let service = bench.web();
    assert_eq!(service.state(), StateWord::Lost);
    let messages: Vec<_> = service.problems.iter().map(|problem| problem.message.as_str()).collect();
    assert!(messages[0].contains("web/spec.json`: "), "{messages:?}");
    assert!(messages[1].contains("web/state.json`: "), "{messages:?}");
    assert!(service.problems[0].hint.contains("resume delete web"), "{:?}", service.problems);
}

#[test]
fn junk_in_the_folder_is_no_service() {
    let bench = Bench::new();
    bench.spec("down");
    let folder = bench.services.home().join("services");
    for name in [".web.1.new", "not a name", "empty", "42"] {
        std::fs::create_dir(folder.join(name)).unwrap();
    }
    std::fs::write(folder.join("file"), "").unwrap();
    symlink(bench.path(""), folder.join("link")).unwrap();
    symlink(Path::new("nowhere"), folder.join("dangling")).unwrap();
    let all = Discovery::new(&bench.services).all().unwrap();
    assert_eq!(all.iter().map(|service| service.name.as_str()).collect::<Vec<_>>(), ["web"]);
}

#[test]
fn many_services_come_sorted_by_name_as_well() {
    let bench = Bench::new();
    std::fs::remove_dir(bench.path("")).unwrap();
    for number in 0..300 {
        let directory = bench.services.home().join(format!("services/s{number:03}"));
        std::fs::create_dir(&directory).unwrap();
        let text = format!(
            r#"{{"version":1,"name":"s{number:03}","desired":"down","command":["x"],"cwd":"/","environment":[]}}"#
        );
        std::fs::write(directory.join(layout::SPEC), text).unwrap();
    }
    let all = Discovery::new(&bench.services).all().unwrap();
    let names: Vec<_> = all.iter().map(|service| service.name.to_string()).collect();
    assert_eq!(names, (0..300).map(|number| format!("s{number:03}")).collect::<Vec<_>>());
}

#[test]
fn a_state_file_that_is_a_link_or_a_fifo_is_not_followed() {
    let bench = Bench::new();
    bench.spec("down");
    symlink("/etc/passwd", bench.path(layout::STATE)).unwrap();
    assert_eq!(bench.web().state(), StateWord::Stopped);
    std::fs::remove_file(bench.path(layout::STATE)).unwrap();
    let directory = bench.services.open(&web()).unwrap().unwrap();
    resume_sys::fifo::make(directory.as_fd(), layout::STATE).unwrap();
    assert_eq!(bench.web().state(), StateWord::Stopped);
}

#[test]
fn a_state_that_is_down_is_taken_at_its_word() {
    for word in ["stopped", "exited", "failed"] {
        let bench = Bench::new();
        bench.state(false, &this_boot());
        let text = std::fs::read_to_string(bench.path(layout::STATE)).unwrap();
        bench.write(layout::STATE, &text.replace("running", word));
        assert_eq!(bench.web().state().as_str(), word);
    }
}

//! Whole screens.

use resume_client::process_tree::Port;
use resume_client::usage::Usage;
use resume_core::status::StateWord;
use resume_sys::ports::Address;

use super::*;
use crate::render::present::tests::{at, instance, service};
use crate::render::processes::tests::process;

fn spec() -> Spec {
    let text = r#"{"version":1,"name":"web","desired":"up","command":["node","server.js"],"cwd":"/srv/web",
        "environment":["PORT=3000","SECRET=hush","EMPTY="],"group":"front"}"#;
    Spec::parse(text.as_bytes()).unwrap()
}

fn shown() -> Shown {
    let usage = Usage { cpu_percent: 0.3, memory_bytes: 24 << 20, ..Usage::default() };
    let tcp = Port { address: Address::Tcp("127.0.0.1:3000".parse().unwrap()), pids: vec![4711] };
    // An age would be that of the day on which the test runs.
    let stopped = InstanceStatus { last_exit: None, ..instance(StateWord::Stopped) };
    Shown {
        service: service(vec![stopped]),
        instances: None,
        spec: Some(spec()),
        status: None,
        usage: ServiceUsage { total: Some(usage), instances: vec![Some(usage)] },
        processes: vec![process(4711, 0, &["node", "server.js"]), process(4720, 1, &["sh", "-c", "x y"])],
        ports: Ports { known: vec![tcp], hidden: vec![4720] },
        log: Some(Totals { disk_bytes: 1 << 20, records: 1234, dropped_records: 0, segments: 1 }),
    }
}

fn look(room: Option<usize>, values: bool) -> Look {
    Look { values, room, paint: Paint::new(false), now: at(0) }
}

#[test]
fn a_screen_has_all_that_is_known_in_sections() {
    assert_eq!(
        shown().text(look(Some(80), false)),
        "\
web  stopped
  `web` has been stopped

Service
  command       node server.js
  directory     /srv/web
  group         front
  wanted        up
  restart       always; after runs under 1s with pauses of 100ms to 30s, gives
                up after 16 short ones in a row
  stop          SIGTERM, and SIGKILL for what is left after 10s
  log           keeps 64.0M at most
  environment   EMPTY PORT SECRET
  supervisor    pid 4700, which does not answer

Instances
  #  STATE    PID  RUN  UPTIME  RESTARTS  SHORT RUNS   CPU  MEMORY  LAST EXIT
  0  stopped    -   15       -         3           4  0.3%   24.0M  -

Processes
   PID  STATE      CPU  MEMORY  COMMAND
  4711  sleeping  0.3%   24.0M  node server.js
  4720  sleeping  0.3%   24.0M  └─ sh -c 'x y'

Listening on
  KIND  ADDRESS         PROCESS
  tcp   127.0.0.1:3000  4711 node
  where 1 process of another user may listen is not known

Files
  spec          /h/services/web/spec.json (not there)
  state         /h/services/web/state.json (not there)
  socket        /h/services/web/control.sock (not there)
  log           /h/services/web/log
                1.0M, 1234 records in 1 segment
"
    );
}

#[test]
fn the_values_of_the_environment_are_shown_only_when_they_are_asked_for() {
    assert!(!shown().text(look(None, false)).contains("hush"));
    let text = shown().text(look(None, true));
    assert!(
        text.contains("  environment   3 variables\n                PORT=3000\n                SECRET=hush\n"),
        "{text}"
    );
    let json = crate::render::show_json::json(&[shown()], false);
    assert!(!json.contains("hush") && json.contains(r#""environment_names":["EMPTY","PORT","SECRET"]"#), "{json}");
    assert!(crate::render::show_json::json(&[shown()], true).contains(r#""environment":["PORT=3000","SECRET=hush","#));
}

#[test]
fn every_line_but_a_long_path_fits_the_screen() {
    for room in [40, 60, 80, 120] {
        for line in shown().text(look(Some(room), false)).lines().filter(|line| !line.contains("/h/services")) {
            assert!(width(line) <= room, "{room}: {line}");
        }
    }
}

#[test]
fn a_variable_is_known_by_its_name_whatever_its_form() {
    let mut spec = spec();
    spec.environment = vec!["B=1=2".into(), "A".into(), "=C=3".into(), "".into()];
    assert_eq!(environment_names(&spec), ["", "=C", "A", "B"]);
}

#[test]
fn policies_are_told_in_words() {
    let policy = RestartPolicy { on: RestartOn::OnFailure, max_restarts: 0, ..RestartPolicy::default() };
    assert_eq!(
        restart(&policy),
        "on failure, that is but for code 0; after runs under 1s with pauses of 100ms to 30s, without limit"
    );
    assert_eq!(restart(&RestartPolicy { on: RestartOn::Never, ..policy }), "never");
}

//! Everything about one service.

use serde_json::json;

use crate::{SLEEP, sandbox};

#[test]
fn a_screen_has_what_was_asked_for_what_is_true_and_where_it_is() {
    let sandbox = sandbox();
    let options = ["--group", "front", "--restart", "on-failure", "--env", "SECRET=hush"];
    let pid = sandbox.start_with("web", &options, &["sh", "-c", "sleep 600; true"]);
    let outcome = sandbox.resume(["show", "web"]);
    let supervisor = format!("supervisor    pid {}, resume ", sandbox.supervisor("web"));
    outcome.success().no_stderr().stdout_has(&[
        "web  running\n",
        &format!("(run 1, pid {pid})"),
        "command       sh -c 'sleep 600; true'\n",
        "group         front\n",
        "restart       on failure",
        "SECRET",
        &supervisor,
        "└─ sleep 600\n",
        "spec.json\n",
    ]);
    assert!(!outcome.stdout_text().contains("hush"), "{outcome}");
    sandbox.resume(["show", "--env", "web"]).success().stdout_has(&["SECRET=hush\n"]);
}

#[test]
fn the_same_is_told_as_data() {
    let sandbox = sandbox();
    let pid = sandbox.start_with("web", &["--env", "SECRET=hush"], &["sh", "-c", "sleep 600; true"]);
    let outcome = sandbox.resume(["show", "web", "--json"]);
    let document = outcome.success().json();
    assert!(!outcome.stdout_text().contains("hush"), "{outcome}");
    let service = &document[0];
    let listed = sandbox.service("web");
    for field in ["name", "state", "desired", "pid", "command", "supervisor_pid", "log_dir"] {
        assert_eq!(service[field], listed[field], "{field}");
    }
    assert_eq!(service["spec"]["restart"]["on"], "always");
    assert!(service["environment_names"].as_array().unwrap().contains(&"SECRET".into()));
    assert_eq!((&service["processes"][0]["pid"], &service["processes"][0]["depth"]), (&pid.into(), &0.into()));
    assert_eq!(service["processes"][1]["command"], json!(["sleep", "600"]));
    assert_eq!(service["files"]["spec"], sandbox.service_dir("web").join("spec.json").to_str().unwrap());
    let with_values = sandbox.resume(["show", "web", "--json", "--env"]).success().json();
    assert!(with_values[0]["environment"].as_array().unwrap().contains(&"SECRET=hush".into()));
}

#[test]
fn what_listens_is_told_with_its_address() {
    let sandbox = sandbox();
    let mut channel = sandbox.channel();
    let script = "import socket,sys,time\n\
        s = socket.create_server(('127.0.0.1', 0))\n\
        u = socket.socket(socket.AF_UNIX); u.bind(sys.argv[2]); u.listen()\n\
        open(sys.argv[1], 'w').write('port %d\\n' % s.getsockname()[1])\n\
        time.sleep(600)\n";
    let (script, unix) = (sandbox.write("listen.py", script), sandbox.path("listen.sock"));
    let pid = sandbox.start("web", &[integration_tests::python(), &script, channel.path(), &unix]);
    let port = channel.expect_pid("port");
    let service = sandbox.resume(["show", "web", "--json"]).success().json();
    let tcp = json!({ "kind": "tcp", "address": format!("127.0.0.1:{port}"), "pids": [pid] });
    let unix = json!({ "kind": "unix", "address": unix, "pids": [pid] });
    let ports = service[0]["ports"].as_array().unwrap();
    assert!(ports.contains(&tcp) && ports.contains(&unix), "{ports:?}");
    sandbox.resume(["show", "web"]).success().stdout_has(&[&format!("tcp   127.0.0.1:{port}")]);
}

#[test]
fn a_service_that_is_down_is_shown_too() {
    let sandbox = sandbox();
    sandbox.start("web", &SLEEP);
    sandbox.stop_for_good("web");
    let outcome = sandbox.resume(["show", "web"]);
    outcome.success().no_stderr().stdout_has(&["web  stopped\n", "none, and none is needed", "SIGTERM, stopped"]);
    assert!(!outcome.stdout_text().contains("Processes"), "{outcome}");
    sandbox.resume(["show", "nobody"]).error(3, &["`nobody`"]);
    sandbox.resume(["show"]).code(2);
}

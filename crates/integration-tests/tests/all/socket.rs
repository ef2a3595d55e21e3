//! The socket: varlink, for any client, and safe against any other.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use integration_tests::{Client, Ending, Sandbox, is_root, missing};
use serde_json::{Value, json};

use crate::{SLEEP, sandbox};

/// A service with a client that is connected to its supervisor.
fn connected() -> (Sandbox, Client) {
    let sandbox = sandbox();
    sandbox.start("web", &SLEEP);
    let client = sandbox.connect("web");
    (sandbox, client)
}

const STATUS: &[u8] = b"{\"method\":\"dev.resume.Supervisor.Status\"}";

fn is_status(answer: &Value) -> bool {
    answer["parameters"]["status"]["name"] == "web"
}

#[test]
fn status_answers_with_the_truth() {
    let (sandbox, mut client) = connected();
    let answer = client.call("Status", &json!({}));
    let status = &answer["parameters"]["status"];
    assert_eq!((&status["name"], &status["desired"]), (&"web".into(), &"up".into()));
    assert_eq!(status["supervisor"]["pid"], sandbox.supervisor("web"));
    let instance = &status["instances"][0];
    assert_eq!((&instance["state"], &instance["process"]["pid"]), (&"running".into(), &sandbox.pid("web").into()));
    assert_eq!(answer.get("error"), None);
}

#[test]
fn an_answer_ends_as_its_request_did() {
    let (_sandbox, mut client) = connected();
    for terminator in [0, b'\n', b'\n', 0] {
        client.send(&[STATUS, &[terminator]].concat());
        assert!(is_status(&client.message(terminator).unwrap()));
    }
}

#[test]
fn requests_may_come_in_pieces_and_several_at_once() {
    let (_sandbox, mut client) = connected();
    let request = [STATUS, b"\0"].concat();
    for byte in &request {
        client.send(&[*byte]);
    }
    assert!(is_status(&client.message(0).unwrap()));
    client.send(&[&request[..], &request, &request, b"{\"method\":"].concat());
    for _ in 0..3 {
        assert!(is_status(&client.message(0).unwrap()));
    }
    client.send(b"\"dev.resume.Supervisor.Status\"}\0");
    assert!(is_status(&client.message(0).unwrap()));
}

#[test]
fn the_service_describes_itself() {
    let (_sandbox, mut client) = connected();
    let info = client.call_of("org.varlink.service.GetInfo", &json!({}));
    let info = &info["parameters"];
    for field in ["vendor", "product", "version", "url"] {
        assert!(info[field].is_string(), "{field} in {info}");
    }
    let interfaces: Vec<&str> =
        info["interfaces"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    assert!(
        interfaces.contains(&"dev.resume.Supervisor") && interfaces.contains(&"org.varlink.service"),
        "{interfaces:?}"
    );
    for interface in interfaces {
        let answer = client.call_of("org.varlink.service.GetInterfaceDescription", &json!({ "interface": interface }));
        let text = answer["parameters"]["description"].as_str().unwrap();
        assert!(text.contains(&format!("interface {interface}")), "{text}");
    }
    let text =
        client.call_of("org.varlink.service.GetInterfaceDescription", &json!({ "interface": "dev.resume.Supervisor" }));
    assert_eq!(text["parameters"]["description"], include_str!("../../../../docs/dev.resume.Supervisor.varlink"));
}

#[test]
fn what_is_not_known_is_an_error_of_varlinks_and_the_connection_goes_on() {
    let (_sandbox, mut client) = connected();
    let answer = client.call("Fly", &json!({}));
    assert_eq!(answer["error"], "org.varlink.service.MethodNotFound");
    assert_eq!(answer["parameters"]["method"], "dev.resume.Supervisor.Fly");
    let answer = client.call_of("org.example.Nothing.At", &json!({}));
    assert_eq!(answer["error"], "org.varlink.service.InterfaceNotFound");
    let answer = client.call_of("org.varlink.service.GetInterfaceDescription", &json!({ "interface": "org.example" }));
    assert_eq!(answer["error"], "org.varlink.service.InterfaceNotFound");
    let answer = client.call("Stop", &json!({ "now": "please" }));
    assert_eq!(answer["error"], "org.varlink.service.InvalidParameter");
    let answer = client.call("Stop", &json!({ "instances": [7] }));
    assert_eq!(answer["error"], "dev.resume.Supervisor.NoSuchInstance");
    assert_eq!(answer["parameters"]["instance"], 7);
    // Fields that are not known are passed over.
    let answer = client.call("Status", &json!({ "later": [1, 2, 3] }));
    assert!(is_status(&answer));
}

#[test]
fn it_can_be_stopped_started_restarted_and_deleted_by_anyone_who_speaks_varlink() {
    let (sandbox, mut client) = connected();
    let first = Ending::of(sandbox.pid("web"));
    let answer = client.call("Restart", &json!({ "wait": true }));
    assert!(!first.is_alive());
    assert_eq!(answer["parameters"]["instances"][0], json!({ "index": 0, "pid": sandbox.pid("web") }));
    let second = Ending::of(sandbox.pid("web"));
    let answer = client.call("Stop", &json!({}));
    assert!(!second.is_alive());
    assert_eq!(answer["parameters"]["killed"], json!([]));
    // As long as somebody is connected the supervisor stays, for what may be asked next.
    let answer = client.call("Start", &json!({ "wait": true }));
    assert_eq!(answer["parameters"]["instances"][0]["index"], 0);
    let third = Ending::of(sandbox.pid("web"));
    let answer = client.call("Delete", &json!({}));
    assert_eq!(answer.get("error"), None, "{answer}");
    assert!(!third.is_alive());
    assert!(!sandbox.service_dir("web").exists());
}

#[test]
fn stop_now_does_not_ask_first() {
    let sandbox = sandbox();
    let mut channel = sandbox.channel();
    let pid = sandbox.start("web", &[sandbox.helper(), "trap", channel.path(), "hold"]);
    channel.expect_pid("ready");
    let answer = sandbox.connect("web").call("Stop", &json!({ "now": true }));
    assert_eq!(answer["parameters"]["killed"][0]["pid"], pid);
    assert!(channel.is_empty(), "it was asked");
}

#[test]
fn a_oneway_request_is_carried_out_and_not_answered() {
    let (sandbox, mut client) = connected();
    let program = Ending::of(sandbox.pid("web"));
    client.send(b"{\"method\":\"dev.resume.Supervisor.Stop\",\"oneway\":true}\0");
    program.wait();
    client.send(&[STATUS, b"\0"].concat());
    // The next answer is that of the next request.
    assert!(is_status(&client.message(0).unwrap()));
}

#[test]
fn half_a_request_and_silence_delay_nobody_else() {
    let (sandbox, mut client) = connected();
    client.send(&STATUS[..20]);
    let mut others: Vec<Client> = (0..5).map(|_| sandbox.connect("web")).collect();
    for other in &mut others {
        assert!(is_status(&other.call("Status", &json!({}))));
    }
    sandbox.resume(["restart", "web"]).success();
    client.send(&[&STATUS[20..], b"\0"].concat());
    assert!(is_status(&client.message(0).unwrap()));
}

#[test]
fn who_does_not_read_delays_nobody_else() {
    let (sandbox, mut client) = connected();
    // More answers than a socket's buffer holds, none of them read.
    let request = b"{\"method\":\"org.varlink.service.GetInterfaceDescription\",\"parameters\":{\"interface\":\"dev.resume.Supervisor\"}}\0";
    client.send(&request.repeat(200));
    let mut other = sandbox.connect("web");
    assert!(is_status(&other.call("Status", &json!({}))));
    sandbox.resume(["restart", "web"]).success();
}

#[test]
fn garbage_closes_its_connection_and_nothing_else() {
    let (sandbox, mut bystander) = connected();
    let pid = sandbox.pid("web");
    let deep = "[".repeat(100_000);
    let garbage: [&[u8]; 9] = [
        b"garbage\0",
        b"{\0",
        b"[]\0",
        b"\"text\"\n",
        b"{\"method\":7}\0",
        b"{\"parameters\":{}}\0",
        b"\xff\xfe\xfd\0",
        b"GET / HTTP/1.1\r\n\r\n",
        deep.as_bytes(),
    ];
    for bytes in garbage {
        let mut client = sandbox.connect("web");
        client.send(bytes);
        client.try_send(b"\0");
        assert_eq!(client.message(0), None, "after {:?}", String::from_utf8_lossy(&bytes[..bytes.len().min(30)]));
    }
    assert!(is_status(&bystander.call("Status", &json!({}))));
    assert_eq!(sandbox.pid("web"), pid);
}

#[test]
fn empty_messages_are_passed_over() {
    let (_sandbox, mut client) = connected();
    client.send(&[b"\0\n\n\0 \n", STATUS, b"\0"].concat());
    assert!(is_status(&client.message(0).unwrap()));
}

#[test]
fn a_message_that_is_too_long_closes_its_connection() {
    let (sandbox, mut client) = connected();
    let megabyte = vec![b' '; 1 << 20];
    // It is closed while the rest is still being sent, or after.
    let all = (0..4).all(|_| client.try_send(&megabyte));
    if all {
        assert_eq!(client.message(0), None);
    }
    assert!(is_status(&sandbox.connect("web").call("Status", &json!({}))));
}

#[test]
fn a_long_message_within_the_bound_is_taken() {
    let (_sandbox, mut client) = connected();
    let padding = "x".repeat(900_000);
    let answer = client.call("Status", &json!({ "padding": padding }));
    assert!(is_status(&answer));
}

#[test]
fn hundreds_of_connections_do_not_keep_a_newcomer_out() {
    let (sandbox, _first) = connected();
    let idle: Vec<Client> = (0..500).map(|_| sandbox.connect("web")).collect();
    assert!(is_status(&sandbox.connect("web").call("Status", &json!({}))));
    drop(idle);
    assert!(is_status(&sandbox.connect("web").call("Status", &json!({}))));
}

#[test]
fn clients_that_come_and_go_leave_no_descriptor() {
    let (sandbox, mut client) = connected();
    let folder = format!("/proc/{}/fd", sandbox.supervisor("web"));
    let before = fs::read_dir(&folder).unwrap().count();
    for turn in 0..100 {
        let mut client = sandbox.connect("web");
        client.send(&STATUS[..turn % STATUS.len()]);
    }
    // Whoever is answered after them shows that they have been seen to.
    let mut last = sandbox.connect("web");
    assert!(is_status(&last.call("Status", &json!({}))));
    drop(last);
    assert!(is_status(&client.call("Status", &json!({}))));
    assert!(is_status(&client.call("Status", &json!({}))));
    let after = fs::read_dir(&folder).unwrap().count();
    assert!(after <= before + 1, "{before} descriptors before, {after} after");
}

#[test]
fn a_supervisor_with_nothing_to_do_stays_for_its_client_and_then_leaves() {
    let (sandbox, mut client) = connected();
    let supervisor = Ending::of(sandbox.supervisor("web"));
    client.call("Stop", &json!({}));
    assert!(is_status(&client.call("Status", &json!({}))));
    assert!(supervisor.is_alive());
    drop(client);
    supervisor.wait();
    assert!(!sandbox.service_dir("web").join("control.sock").exists());
}

#[test]
fn the_socket_and_its_folder_are_private() {
    let (sandbox, _client) = connected();
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&sandbox.service_dir("web").join("control.sock")), 0o600);
    assert_eq!(mode(&sandbox.service_dir("web")), 0o700);
}

#[test]
fn another_user_is_turned_away_even_by_a_socket_that_is_open_to_all() {
    let (sandbox, mut client) = connected();
    if missing(&["setpriv"]) {
        return;
    }
    if !is_root() {
        println!("skipped: only root can become another user");
        return;
    }
    let mut channel = sandbox.channel();
    fs::set_permissions(channel.path(), fs::Permissions::from_mode(0o622)).unwrap();
    fs::set_permissions(sandbox.folder(), fs::Permissions::from_mode(0o711)).unwrap();
    let helper = sandbox.path("helper");
    fs::copy(sandbox.helper(), &helper).unwrap();
    let socket = sandbox.service_dir("web").join("control.sock");
    let ask = |uid: &str| {
        let mut command = sandbox.other_command("setpriv");
        command.args([&format!("--reuid={uid}"), &format!("--regid={uid}"), "--clear-groups", "--"]);
        command.args([&helper, "ask", socket.to_str().unwrap(), channel.path()]);
        sandbox.run(command).success();
    };
    ask("65534");
    ask("0");
    channel.expect("not connected: PermissionDenied");
    assert_ne!(channel.line(), "0 bytes");
    // Only its own check is left now.
    for folder in [sandbox.home().to_path_buf(), sandbox.home().join("services"), sandbox.service_dir("web")] {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o711)).unwrap();
    }
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o666)).unwrap();
    let mut command = sandbox.other_command("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"]);
    command.args([&helper, "ask", socket.to_str().unwrap(), channel.path()]);
    sandbox.run(command).success();
    channel.expect("0 bytes");
    assert!(is_status(&client.call("Status", &json!({}))));
}

//! The bounds of the socket: no client delays another, takes more than its share, or is sent away while it waits.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use integration_tests::{Client, Ending, Sandbox};
use serde_json::{Value, json};

use crate::{SLEEP, sandbox};

/// The most connections that a supervisor keeps.
const MOST: usize = 400;

const EVENTS: &[u8] = b"{\"method\":\"dev.resume.Supervisor.Events\",\"more\":true}\0";

/// An answer of some kilobytes.
const DESCRIBE: &[u8] = b"{\"method\":\"org.varlink.service.GetInterfaceDescription\",\
    \"parameters\":{\"interface\":\"dev.resume.Supervisor\"}}\0";

fn with_service() -> Sandbox {
    let sandbox = sandbox();
    sandbox.start("web", &SLEEP);
    sandbox
}

fn clients(sandbox: &Sandbox, count: usize) -> Vec<Client> {
    (0..count).map(|_| sandbox.connect("web")).collect()
}

#[track_caller]
fn is_answered(client: &mut Client) {
    let answer: Value = client.call("Status", &json!({}));
    assert_eq!(answer["parameters"]["status"]["name"], "web");
}

#[test]
fn three_hundred_idle_clients_delay_nobody() {
    let sandbox = with_service();
    let mut idle = clients(&sandbox, 300);
    for client in &mut idle[..100] {
        // Some of them in the middle of a word.
        client.send(b"{\"method\":\"dev.resume.Super");
    }
    for _ in 0..50 {
        is_answered(&mut sandbox.connect("web"));
    }
    // None of them was sent away for it.
    for client in &mut idle[..100] {
        client.send(b"visor.Status\"}\0");
        assert!(client.message(0).is_some());
    }
    idle[100..].iter_mut().for_each(is_answered);
}

#[test]
fn who_never_reads_its_answers_is_cut_and_others_get_all_of_their_events() {
    let sandbox = with_service();
    let mut deaf = sandbox.connect("web");
    let mut attentive = sandbox.connect("web");
    attentive.send(EVENTS);
    let mut other = sandbox.connect("web");
    is_answered(&mut other);
    // More than its queue and the kernel's buffers hold, in answers that it asks for and does not take.
    let all_taken = (0..40).all(|_| deaf.try_send(&DESCRIBE.repeat(100)));
    assert!(!all_taken, "it was never sent away");
    for _ in 0..3 {
        other.call("Restart", &json!({ "wait": true }));
    }
    let mut restarts = 0;
    let mut last = None;
    while restarts < 3 {
        let message = attentive.message(0).expect("who reads is told");
        let event = &message["parameters"]["event"];
        let seq = event["seq"].as_u64().expect("an event has a number");
        assert!(last.is_none_or(|last| seq == last + 1), "{last:?} and then {seq}");
        last = Some(seq);
        restarts += usize::from(event["event"] == "ended");
    }
}

#[test]
fn two_megabytes_in_one_message_close_the_connection_and_no_other() {
    let sandbox = with_service();
    let mut bystander = sandbox.connect("web");
    let mut client = sandbox.connect("web");
    let message = json!({ "method": "dev.resume.Supervisor.Status", "parameters": { "x": "x".repeat(2 << 20) } });
    let message = [message.to_string().as_bytes(), b"\0"].concat();
    if client.try_send(&message) {
        assert_eq!(client.message(0), None);
    }
    is_answered(&mut bystander);
}

#[test]
fn beyond_the_most_connections_the_longest_idle_is_closed_and_never_one_that_waits() {
    let sandbox = with_service();
    let mut subscriber = sandbox.connect("web");
    subscriber.send(EVENTS);
    let mut eldest = sandbox.connect("web");
    let mut active = sandbox.connect("web");
    let mut crowd = clients(&sandbox, MOST - 3);
    // It was silent less long than all of the crowd now.
    is_answered(&mut active);
    let mut late = clients(&sandbox, 50);
    late.iter_mut().for_each(is_answered);
    assert_eq!(eldest.message(0), None);
    for client in &mut crowd[..49] {
        assert_eq!(client.message(0), None);
    }
    is_answered(&mut active);
    crowd[49..].iter_mut().for_each(is_answered);
    sandbox.resume(["restart", "web"]).success();
    assert_eq!(subscriber.message(0).expect("it still listens")["continues"], true);
}

#[test]
fn many_small_lines_at_once_delay_nobody() {
    let sandbox = with_service();
    let mut client = sandbox.connect("web");
    let mut other = sandbox.connect("web");
    // Empty messages are the least that a client can make work with.
    client.send(&vec![b'\n'; 1 << 20]);
    is_answered(&mut other);
    is_answered(&mut client);
}

#[test]
fn a_socket_that_was_unlinked_comes_back_and_works() {
    let sandbox = with_service();
    let mut before = sandbox.connect("web");
    let socket = sandbox.service_dir("web").join("control.sock");
    let supervisor = Ending::of(sandbox.supervisor("web"));
    for _ in 0..3 {
        fs::remove_file(&socket).unwrap();
        // Whoever finds no socket asks again until there is one, and so does this.
        sandbox.resume(["restart", "web"]).success();
        is_answered(&mut sandbox.connect("web"));
        is_answered(&mut before);
    }
    assert!(supervisor.is_alive());
    assert_eq!(fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn nothing_in_a_home_is_open_to_others() {
    let sandbox = with_service();
    sandbox.resume(["restart", "web"]).success();
    let mut folders = vec![sandbox.home().to_path_buf()];
    while let Some(folder) = folders.pop() {
        let mode = fs::metadata(&folder).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o700, "{} is {mode:o}", folder.display());
        for entry in fs::read_dir(&folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            // A file that is being replaced may be gone by now.
            let Ok(found) = fs::symlink_metadata(&path) else { continue };
            if found.is_dir() {
                folders.push(path);
                continue;
            }
            let mode = found.permissions().mode() & 0o777;
            assert!(!found.is_symlink() && mode == 0o600, "{} is {mode:o}", path.display());
        }
    }
}

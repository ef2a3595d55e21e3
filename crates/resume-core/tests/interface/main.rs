//! Holds `docs/dev.resume.Supervisor.varlink` to the code: what is declared is served, and what is served is declared.
//!
//! There is a sample of every call, answer and error, with all that it can carry. The `match`es name every variant, so
//! that a new one does not compile until it has its sample.

// Clippy permits `unwrap` in tests but not in what tests share; here all is for tests.
#![allow(clippy::unwrap_used)]

mod parser;

use std::collections::{BTreeMap, BTreeSet};

use parser::{Interface, Type};
use resume_core::event_record::{EventRecord, What};
use resume_core::exit::{SpawnError, SpawnStep};
use resume_core::name::ServiceName;
use resume_core::signal::Signal;
use resume_core::spec::Desired;
use resume_core::status::{InstanceStatus, LastExit, ProcessIdentity, StateWord, Status};
use resume_core::time::Timestamp;
use resume_core::wire::{
    self, Call, CallError, DeleteParameters, DescriptionParameters, Done, EventsParameters, EventsReply, Killed,
    LaunchParameters, LaunchReply, Request, ResetParameters, RestartParameters, SignalParameters, SignalReply,
    SpawnFailed, StartFailed, StartParameters, StartReply, Started, StatusReply, StopParameters, StopReply, Terminator,
};
use serde::Serialize;
use serde_json::{Value, json};

fn supervisor() -> Interface {
    Interface::parse(wire::INTERFACE).unwrap()
}

fn service() -> Interface {
    Interface::parse(wire::SERVICE_INTERFACE).unwrap()
}

/// The interface that declares `full`, and the last word of it.
fn declared_in(full: &str) -> (Interface, String) {
    let (interface, name) = full.rsplit_once('.').unwrap();
    let found = [supervisor(), service()].into_iter().find(|known| known.name == interface);
    (found.unwrap_or_else(|| panic!("no interface declares `{full}`")), name.to_owned())
}

/// Holds all the samples of one type to it: each fits, and together they have every field.
#[track_caller]
fn check(interface: &Interface, what: &str, declared: &Type, samples: &[Value]) {
    let mut seen = BTreeSet::new();
    for sample in samples {
        let problems = interface.misfits(what, sample, declared, &mut seen);
        assert!(problems.is_empty(), "{}", problems.join("\n"));
    }
    let unseen: Vec<_> = interface.fields(what, declared).difference(&seen).cloned().collect();
    assert!(unseen.is_empty(), "declared, and never there: {unseen:?}");
}

fn calls() -> Vec<Call> {
    let instances = Some(vec![0]);
    vec![
        Call::GetInfo,
        Call::GetInterfaceDescription(DescriptionParameters { interface: wire::INTERFACE_NAME.into() }),
        Call::Status,
        Call::Start(StartParameters { instances: instances.clone(), wait: true, fresh: true }),
        Call::Stop(StopParameters { instances: instances.clone(), now: true }),
        Call::Restart(RestartParameters {
            instances: instances.clone(),
            wait: true,
            environment: Some(vec!["A=1".into()]),
        }),
        Call::Delete(DeleteParameters { keep_logs: true }),
        Call::Signal(SignalParameters { signal: Signal::TERM, instances: instances.clone(), tree: true }),
        Call::Reset(ResetParameters { instances }),
        Call::Flush,
        Call::Events(EventsParameters { since: Some(3) }),
        Call::Launch(LaunchParameters { home: "/h".into(), directory: "/h/services/web".into() }),
    ]
}

/// All that a call may be answered with.
fn answers(call: &Call) -> Vec<Value> {
    fn value(answer: impl Serialize) -> Vec<Value> {
        vec![serde_json::to_value(answer).unwrap()]
    }
    let killed = || value(StopReply { killed: vec![Killed { pid: 7, name: "sh".into() }] });
    match call {
        Call::GetInfo => value(wire::info("1.0.0")),
        Call::GetInterfaceDescription(parameters) => value(wire::description(&parameters.interface).unwrap()),
        Call::Status => value(StatusReply { status: status() }),
        Call::Start(_) | Call::Restart(_) => {
            value(StartReply { instances: vec![Started { index: 0, pid: Some(7) }, Started { index: 1, pid: None }] })
        }
        Call::Stop(_) | Call::Delete(_) => killed(),
        Call::Signal(_) => value(SignalReply { sent: 1 }),
        Call::Reset(_) | Call::Flush => value(Done {}),
        Call::Events(_) => events().into_iter().flat_map(|event| value(EventsReply { event })).collect(),
        Call::Launch(_) => value(LaunchReply { pid: 7 }),
    }
}

fn identity() -> ProcessIdentity {
    ProcessIdentity { pid: 7, start_ticks: 8, boot_id: "9".into() }
}

fn status() -> Status {
    let last_exit = LastExit {
        at: Timestamp::from_micros(1),
        code: Some(1),
        signal: Some("SIGKILL".into()),
        reason: "exit".into(),
        run: 1,
        uptime_ms: 5,
    };
    let full = InstanceStatus {
        index: 0,
        state: StateWord::Running,
        desired: Desired::Up,
        process: Some(identity()),
        started_at: Some(Timestamp::from_micros(1)),
        restart_at: Some(Timestamp::from_micros(2)),
        run: 2,
        restarts: 1,
        short_runs: 1,
        last_exit: Some(last_exit),
        failure: Some("it failed".into()),
    };
    let least = InstanceStatus {
        index: 1,
        state: StateWord::Stopped,
        desired: Desired::Down,
        process: None,
        started_at: None,
        restart_at: None,
        last_exit: None,
        failure: None,
        ..full.clone()
    };
    Status {
        version: 1,
        name: ServiceName::new("web").unwrap(),
        desired: Desired::Up,
        command: vec!["sleep".into()],
        cwd: "/".into(),
        group: Some("site".into()),
        resume_version: "1.0.0".into(),
        supervisor: identity(),
        instances: vec![full, least],
        warnings: vec!["the disk is full".into()],
    }
}

fn events() -> Vec<EventRecord> {
    let event = |what| EventRecord {
        version: 1,
        seq: 3,
        time: Timestamp::from_micros(1),
        service: ServiceName::new("web").unwrap(),
        instance: 0,
        run: 1,
        what,
    };
    let detail = || Some("more".to_owned());
    vec![
        event(What::State { state: StateWord::Running, pid: Some(7), detail: detail() }),
        event(What::State { state: StateWord::Stopped, pid: None, detail: None }),
        event(What::Ended {
            code: Some(1),
            signal: Some("SIGKILL".into()),
            reason: "exit".into(),
            uptime_ms: 5,
            peak_memory_bytes: Some(6),
            detail: detail(),
        }),
    ]
}

fn errors() -> Vec<CallError> {
    let error = SpawnError {
        step: SpawnStep::Program,
        subject: "/x".into(),
        errno: 2,
        message: "no such file".into(),
        transient: false,
    };
    let failed = StartFailed {
        instance: 0,
        run: 1,
        state: "failed".into(),
        code: Some(1),
        signal: Some("SIGKILL".into()),
        reason: "exit".into(),
        short_runs: 1,
        max_restarts: 16,
        failure: Some("it gave up".into()),
    };
    vec![
        CallError::SpawnFailed(SpawnFailed { instance: 0, error }),
        CallError::StartFailed(failed),
        CallError::NoSuchInstance(7),
        CallError::Failed("no".into()),
        CallError::InterfaceNotFound("x".into()),
        CallError::MethodNotFound("x.Y".into()),
        CallError::ExpectedMore,
        CallError::InvalidParameter("x".into()),
    ]
}

#[test]
fn every_method_that_is_declared_is_served_and_no_other() {
    let known: BTreeSet<&str> = calls().iter().map(Call::method).collect();
    let mut declared = BTreeSet::new();
    for interface in [supervisor(), service()] {
        for method in interface.methods.keys() {
            let name = format!("{}.{method}", interface.name);
            let message = json!({ "method": name }).to_string();
            let answer = Request::parse(message.as_bytes()).unwrap();
            assert!(!matches!(answer, Err(CallError::MethodNotFound(_) | CallError::InterfaceNotFound(_))), "{name}");
            declared.insert(name);
        }
    }
    assert_eq!(declared.iter().map(String::as_str).collect::<BTreeSet<_>>(), known);
}

#[test]
fn parameters_are_the_declared_ones() {
    for call in calls() {
        let (interface, name) = declared_in(call.method());
        let message: Value = serde_json::from_slice(&call.to_message()).unwrap();
        let (takes, _) = &interface.methods[&name];
        check(&interface, &name, takes, &[message["parameters"].clone()]);
    }
}

#[test]
fn a_parameter_may_be_left_out_if_and_only_if_it_is_declared_so() {
    for call in calls() {
        let (interface, name) = declared_in(call.method());
        let (Type::Struct(fields), _) = &interface.methods[&name] else { panic!("{name} takes no fields") };
        for (field, declared) in fields {
            let mut message: Value = serde_json::from_slice(&call.to_message()).unwrap();
            message["parameters"].as_object_mut().unwrap().remove(field);
            let without = Request::parse(message.to_string().as_bytes()).unwrap();
            message["parameters"][field] = Value::Null;
            let null = Request::parse(message.to_string().as_bytes()).unwrap();
            let optional = matches!(declared, Type::Maybe(_));
            assert_eq!((without.is_ok(), null.is_ok()), (optional, optional), "{name}: {field}");
        }
    }
}

#[test]
fn answers_have_the_declared_fields_and_no_other() {
    for call in calls() {
        let (interface, name) = declared_in(call.method());
        check(&interface, &name, &interface.methods[&name].1, &answers(&call));
    }
}

#[test]
fn errors_are_the_declared_ones() {
    let mut samples: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for error in errors() {
        match &error {
            CallError::SpawnFailed(_)
            | CallError::StartFailed(_)
            | CallError::NoSuchInstance(_)
            | CallError::Failed(_)
            | CallError::InterfaceNotFound(_)
            | CallError::MethodNotFound(_)
            | CallError::ExpectedMore
            | CallError::InvalidParameter(_) => (),
        }
        let bytes = wire::error(&error, Terminator::Nul);
        let mut message: Value = serde_json::from_slice(&bytes[..bytes.len() - 1]).unwrap();
        let name = message["error"].as_str().unwrap().to_owned();
        samples.entry(name).or_default().push(message["parameters"].take());
    }
    for (full, samples) in &samples {
        let (interface, name) = declared_in(full);
        let declared = interface.errors.get(&name).unwrap_or_else(|| panic!("`{full}` is declared nowhere"));
        check(&interface, &name, declared, samples);
    }
    // Of those that every varlink service may answer with, ours has no use for all.
    for name in supervisor().errors.keys() {
        assert!(samples.contains_key(&format!("{}.{name}", wire::INTERFACE_NAME)), "nothing answers with {name}");
    }
}

#[test]
fn the_words_of_a_state_are_those_that_a_supervisor_can_say() {
    use StateWord as S;
    let interface = supervisor();
    let Some(Type::Struct(fields)) = interface.types.get("Instance") else { panic!("an instance has fields") };
    let declared = &fields.iter().find(|(name, _)| name == "state").unwrap().1;
    let Type::Enum(declared) = declared else { panic!("a state is a word") };
    // A service is lost when nobody is there to say so.
    let said = [S::Failed, S::Backoff, S::Stopping, S::Starting, S::Running, S::Exited, S::Stopped];
    for word in said {
        match word {
            S::Failed | S::Lost | S::Backoff | S::Stopping | S::Starting | S::Running | S::Exited | S::Stopped => (),
        }
    }
    let said: BTreeSet<_> = said.map(StateWord::as_str).into();
    assert_eq!(declared.iter().map(String::as_str).collect::<BTreeSet<_>>(), said);
}

#[test]
fn every_type_that_is_declared_is_used_and_every_one_that_is_used_is_declared() {
    fn collect(declared: &Type, used: &mut BTreeSet<String>) {
        match declared {
            Type::Bool | Type::Int | Type::Float | Type::String | Type::Object | Type::Enum(_) => (),
            Type::Named(name) => drop(used.insert(name.clone())),
            Type::Array(inner) | Type::Map(inner) | Type::Maybe(inner) => collect(inner, used),
            Type::Struct(fields) => fields.iter().for_each(|(_, inner)| collect(inner, used)),
        }
    }
    let interface = supervisor();
    let mut used = BTreeSet::new();
    for (takes, answers) in interface.methods.values() {
        collect(takes, &mut used);
        collect(answers, &mut used);
    }
    interface.types.values().chain(interface.errors.values()).for_each(|declared| collect(declared, &mut used));
    assert_eq!(used, interface.types.keys().cloned().collect());
}

#[test]
fn a_field_too_many_or_too_few_would_be_found() {
    let interface = Interface::parse("interface a.b\nmethod M() -> (x: int, y: ?[]string)").unwrap();
    let declared = &interface.methods["M"].1;
    let problems = |value: &Value| interface.misfits("M", value, declared, &mut BTreeSet::new());
    assert_eq!(problems(&json!({ "x": 1, "y": ["a"] })), [""; 0]);
    assert_eq!(problems(&json!({ "x": 1 })), [""; 0]);
    assert_eq!(problems(&json!({ "x": 1, "z": 2 })), ["M.z is not declared"]);
    assert_eq!(problems(&json!({ "x": "1" })).len(), 1);
    assert_eq!(problems(&json!({ "y": [1] })).len(), 2);
    assert!(interface.fields("M", declared).contains("M.y"));
}

#[test]
fn a_text_that_is_none_is_refused() {
    for text in [
        "",
        "interface",
        "interface a.b method",
        "interface a.b method m() -> ()",
        "interface a.b method M() ()",
        "interface a.b type T (a: int, b)",
        "interface a.b type T (a: nothing)",
        "interface a.b type T (a: int,)",
        "interface a.b type T (a: int) type T (a: int)",
        "interface a.b type T (a: int) method T() -> ()",
        "interface a.b thing T (a: int)",
        "interface a.b type T {a: int}",
    ] {
        assert!(Interface::parse(text).is_err(), "{text}");
    }
}

//! `show --json`: what `ls --json` has of a service, and all that `show` has beyond that.

use resume_client::process_tree;
use resume_core::layout;
use resume_core::os_text::OsText;
use resume_core::spec::Spec;
use serde::Serialize;
use serde_json::Value;

use crate::render::json::{Row, row};
use crate::render::processes::{address, state};
use crate::render::show::{Shown, environment_names};

#[derive(Serialize)]
struct Out<'a> {
    #[serde(flatten)]
    row: Row<'a>,
    /// As in `spec.json`, without the environment.
    spec: Option<Value>,
    environment_names: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    environment: Option<&'a [OsText]>,
    resume_version: Option<&'a str>,
    supervisor_warnings: &'a [String],
    processes: Vec<Process<'a>>,
    ports: Vec<Port<'a>>,
    /// The processes of another user: where they listen is not known.
    ports_unknown_of: &'a [i32],
    files: Files,
    log: Option<Log>,
}

#[derive(Serialize)]
struct Process<'a> {
    pid: i32,
    depth: usize,
    instance: Option<u32>,
    state: &'static str,
    cpu_percent: f64,
    memory_bytes: u64,
    name: OsText,
    command: Vec<std::borrow::Cow<'a, str>>,
}

#[derive(Serialize)]
struct Port<'a> {
    kind: &'static str,
    address: String,
    pids: &'a [i32],
}

#[derive(Serialize)]
struct Files {
    directory: OsText,
    spec: OsText,
    state: OsText,
    socket: OsText,
    log: OsText,
}

#[derive(Serialize)]
struct Log {
    disk_bytes: u64,
    segments: usize,
    records: u64,
    dropped_records: u64,
}

/// The services as one JSON array; the values of their environments only if they are asked for.
pub(crate) fn json(shown: &[Shown], values: bool) -> String {
    let rows: Vec<_> = shown.iter().map(|shown| out(shown, values)).collect();
    serde_json::to_string(&rows).expect("rows have only string keys and finite numbers")
}

fn out(shown: &Shown, values: bool) -> Out<'_> {
    let path = |file: &str| OsText::from(shown.service.directory.join(file).as_path());
    Out {
        row: row(&shown.service, Some(&shown.usage)),
        spec: shown.spec.as_ref().map(without_environment),
        environment_names: shown.spec.as_ref().map(environment_names),
        environment: shown.spec.as_ref().filter(|_| values).map(|spec| spec.environment.as_slice()),
        resume_version: shown.status.as_ref().map(|status| status.resume_version.as_str()),
        supervisor_warnings: shown.status.as_ref().map_or(&[], |status| &status.warnings),
        processes: shown.processes.iter().map(process_out).collect(),
        ports: shown.ports.known.iter().map(port_out).collect(),
        ports_unknown_of: &shown.ports.hidden,
        files: Files {
            directory: shown.service.directory.as_path().into(),
            spec: path(layout::SPEC),
            state: path(layout::STATE),
            socket: path(layout::SOCKET),
            log: path(layout::LOG),
        },
        log: shown.log.map(|totals| Log {
            disk_bytes: totals.disk_bytes,
            segments: totals.segments,
            records: totals.records,
            dropped_records: totals.dropped_records,
        }),
    }
}

fn process_out(process: &process_tree::TreeProcess) -> Process<'_> {
    Process {
        pid: process.pid,
        depth: process.depth,
        instance: process.instance,
        state: state(process.state),
        cpu_percent: process.cpu_percent,
        memory_bytes: process.memory_bytes,
        name: process.name.as_os_str().into(),
        command: process.command.iter().map(|word| String::from_utf8_lossy(word)).collect(),
    }
}

fn port_out(port: &process_tree::Port) -> Port<'_> {
    let (kind, address) = address(&port.address);
    Port { kind, address, pids: &port.pids }
}

fn without_environment(spec: &Spec) -> Value {
    let mut value = serde_json::to_value(Spec { environment: Vec::new(), ..spec.clone() })
        .expect("a spec has only string keys and finite numbers");
    if let Some(fields) = value.as_object_mut() {
        fields.remove("environment");
    }
    value
}

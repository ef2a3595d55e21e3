//! `ls --json`: the shape that the contract promises. Fields may be added; none changes its meaning.

use resume_client::discover::Service;
use resume_client::usage::{ServiceUsage, Usage, age};
use resume_core::layout;
use resume_core::name::ServiceName;
use resume_core::os_text::OsText;
use resume_core::spec::Desired;
use resume_core::status::{InstanceStatus, LastExit, StateWord};
use resume_core::time::Timestamp;
use serde::Serialize;

use crate::render::listing::Listed;

/// One service.
#[derive(Serialize)]
pub(crate) struct Row<'a> {
    name: &'a ServiceName,
    state: StateWord,
    desired: Desired,
    pid: Option<i32>,
    supervisor_pid: Option<i32>,
    group: Option<&'a str>,
    started_at: Option<Timestamp>,
    uptime_ms: Option<u64>,
    restarts: u64,
    command: &'a [OsText],
    cwd: &'a OsText,
    cpu_percent: Option<f64>,
    memory_bytes: Option<u64>,
    log_dir: OsText,
    last_exit: Option<&'a LastExit>,
    instances: Vec<Instance<'a>>,
    warnings: Vec<&'a str>,
}

#[derive(Serialize)]
struct Instance<'a> {
    index: u32,
    state: StateWord,
    desired: Desired,
    pid: Option<i32>,
    started_at: Option<Timestamp>,
    uptime_ms: Option<u64>,
    restart_at: Option<Timestamp>,
    run: u64,
    restarts: u64,
    cpu_percent: Option<f64>,
    memory_bytes: Option<u64>,
    last_exit: Option<&'a LastExit>,
    failure: Option<&'a str>,
}

/// The services as one JSON array; `usages` has one entry for each, or is empty where nothing was measured.
pub(crate) fn services(listed: &[Listed], usages: &[ServiceUsage]) -> String {
    let rows = listed.iter().enumerate().map(|(index, listed)| row(&listed.service, usages.get(index)));
    serde_json::to_string(&rows.collect::<Vec<_>>()).expect("rows have only string keys and finite numbers")
}

pub(crate) fn row<'a>(service: &'a Service, usage: Option<&ServiceUsage>) -> Row<'a> {
    let first = service.first();
    let total = usage.and_then(|usage| usage.total);
    Row {
        name: &service.name,
        state: service.state(),
        desired: service.desired,
        pid: first.and_then(pid),
        supervisor_pid: service.supervisor,
        group: service.group.as_deref(),
        started_at: first.and_then(|first| first.started_at),
        uptime_ms: first.and_then(uptime_ms),
        restarts: service.restarts(),
        command: &service.command,
        cwd: &service.cwd,
        cpu_percent: total.map(|usage| usage.cpu_percent),
        memory_bytes: total.map(|usage| usage.memory_bytes),
        log_dir: service.directory.join(layout::LOG).as_path().into(),
        last_exit: first.and_then(|first| first.last_exit.as_ref()),
        instances: service
            .instances
            .iter()
            .enumerate()
            .map(|(index, status)| instance(status, usage.and_then(|usage| *usage.instances.get(index)?)))
            .collect(),
        warnings: service.problems.iter().map(|problem| problem.message.as_str()).collect(),
    }
}

fn instance(status: &InstanceStatus, usage: Option<Usage>) -> Instance<'_> {
    Instance {
        index: status.index,
        state: status.state,
        desired: status.desired,
        pid: pid(status),
        started_at: status.started_at,
        uptime_ms: uptime_ms(status),
        restart_at: status.restart_at,
        run: status.run,
        restarts: status.restarts,
        cpu_percent: usage.map(|usage| usage.cpu_percent),
        memory_bytes: usage.map(|usage| usage.memory_bytes),
        last_exit: status.last_exit.as_ref(),
        failure: status.failure.as_deref(),
    }
}

fn pid(status: &InstanceStatus) -> Option<i32> {
    status.process.as_ref().map(|process| process.pid)
}

fn uptime_ms(status: &InstanceStatus) -> Option<u64> {
    let age = age(status.process.as_ref()?);
    Some(u64::try_from(age.as_millis()).unwrap_or(u64::MAX))
}

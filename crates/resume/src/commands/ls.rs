//! `resume ls`: what there is, and what is true of it.

use resume_client::discover::Service;
use resume_client::services::Services;
use resume_client::usage::{self, ServiceUsage, Usage, age};
use resume_core::layout;
use resume_core::status::{InstanceStatus, StateWord};
use serde::Serialize;

use crate::args::LsArgs;
use crate::context::{Context, say, screen_width};
use crate::error::{CliError, Result};
use crate::exit_code::ExitCode;
use crate::render::table::{Cell, Column, render};
use crate::render::text::{command_line, harmless};
use crate::render::time::{short_span, size, span, to_second};
use crate::render::{Paint, json};
use crate::targets::{all, choose};

pub(crate) fn ls(context: &Context, args: &LsArgs) -> Result<ExitCode> {
    let (services, failures) = selected(context, args)?;
    let usages = if args.no_usage || services.iter().all(|service| !service.is_alive()) {
        Vec::new()
    } else {
        measured(context, &services)
    };
    if context.json {
        say(&json::services(&services, &usages))?;
    } else if services.is_empty() {
        nothing(context, args, &failures);
    } else {
        let rows = if args.instances { instance_rows(&services, &usages) } else { service_rows(&services, &usages) };
        let width = if args.wide { None } else { screen_width() };
        say(table(rows, args, &usages, width, context.paint).trim_end())?;
    }
    Ok(report(context, &services, &failures))
}

/// The list in the columns of the original tool.
pub(crate) fn original_list(context: &Context, args: &LsArgs) -> Result<ExitCode> {
    let (services, failures) = selected(context, args)?;
    let live = services.iter().flat_map(|service| {
        let live = |instance: &InstanceStatus| instance.process.as_ref().map(|process| process.pid);
        service.instances.iter().filter_map(move |instance| Some((service, instance, live(instance)?)))
    });
    let rows: Vec<OriginalRow> = live.map(|(service, instance, pid)| original_row(service, instance, pid)).collect();
    if context.json {
        say(&serde_json::to_string(&rows).expect("rows have only string keys"))?;
    } else if rows.is_empty() {
        nothing(context, args, &failures);
    } else {
        let fixed = |title, right| Column { title, right, shrinks_to: None, leaves: None };
        let columns = [
            fixed("PID", true),
            fixed("PPID", true),
            Column { shrinks_to: Some(8), ..fixed("PROCESS", false) },
            fixed("START TIME", false),
            Column { shrinks_to: Some(12), ..fixed("LOG FILE", false) },
        ];
        let cells = |row: &OriginalRow| {
            let time = row.started_at.map_or_else(|| "unknown".to_owned(), to_second);
            let parent = row.ppid.map_or_else(|| "unknown".to_owned(), |pid| pid.to_string());
            [row.pid.to_string(), parent, row.process.clone(), time, row.log_file.clone()].map(Cell::from).into()
        };
        let rows: Vec<Vec<Cell>> = rows.iter().map(cells).collect();
        say(render(&columns, &rows, screen_width(), context.paint).trim_end())?;
    }
    Ok(report(context, &services, &failures))
}

/// A live program as the original tool lists it.
#[derive(Serialize)]
struct OriginalRow {
    pid: i32,
    ppid: Option<i32>,
    process: String,
    started_at: Option<resume_core::time::Timestamp>,
    log_file: String,
}

fn original_row(service: &Service, instance: &InstanceStatus, pid: i32) -> OriginalRow {
    OriginalRow {
        pid,
        ppid: resume_sys::glance::glance(pid).ok().map(|glance| glance.parent),
        process: title(service, Some(instance.index)),
        started_at: instance.started_at,
        log_file: service.directory.join(layout::LOG).join(LIVE_LOG).display().to_string(),
    }
}

/// The plain text file in the folder of the log that is being written.
const LIVE_LOG: &str = "current.log";

/// The services that the words select, all if there are none, and what could not be selected.
fn selected(context: &Context, args: &LsArgs) -> Result<(Vec<Service>, Vec<CliError>)> {
    let services: Option<Services> = context.home()?.open()?;
    if !args.selectors.is_empty() {
        let chosen = choose(services.as_ref(), &args.selectors)?;
        let mut services: Vec<Service> = chosen.targets.into_iter().map(only_selected).collect();
        services.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        return Ok((services, chosen.failures));
    }
    let found = services.as_ref().map(all).transpose()?;
    Ok((found.unwrap_or_default(), Vec::new()))
}

fn only_selected(target: resume_client::selector::Target) -> Service {
    let mut service = target.service;
    if let Some(instances) = target.instances {
        service.instances.retain(|instance| instances.contains(&instance.index));
    }
    service
}

/// What they use. That it cannot be measured hides nothing else.
fn measured(context: &Context, services: &[Service]) -> Vec<ServiceUsage> {
    usage::measure(services).unwrap_or_else(|error| {
        let why = resume_client::home::describe(&error);
        context.warn(&format!("CPU and memory are not known: reading `/proc`: {why}"), None);
        Vec::new()
    })
}

/// What is said of an empty list.
fn nothing(context: &Context, args: &LsArgs, failures: &[CliError]) {
    if !failures.is_empty() {
        return;
    }
    if args.selectors.is_empty() {
        context.remark("no services yet; `resume start ./server.js` starts one");
    } else {
        context.remark("no service matches");
    }
}

fn report(context: &Context, services: &[Service], failures: &[CliError]) -> ExitCode {
    for service in services {
        context.warn_of(service);
    }
    for failure in failures {
        context.report(failure);
    }
    ExitCode::of_all(failures.iter().map(|failure| failure.code))
}

/// A row of the table: what it is about, and what it uses.
struct Row<'a> {
    service: &'a Service,
    /// The instance that the row is of; none for a service's.
    instance: Option<&'a InstanceStatus>,
    usage: Option<Usage>,
}

fn service_rows<'a>(services: &'a [Service], usages: &[ServiceUsage]) -> Vec<Row<'a>> {
    let usage = |index: usize| usages.get(index).and_then(|usage| usage.total);
    services.iter().enumerate().map(|(index, service)| Row { service, instance: None, usage: usage(index) }).collect()
}

fn instance_rows<'a>(services: &'a [Service], usages: &[ServiceUsage]) -> Vec<Row<'a>> {
    let rows = services.iter().enumerate().flat_map(|(index, service)| {
        let usage = move |nth: usize| usages.get(index).and_then(|usage| *usage.instances.get(nth)?);
        let row = move |(nth, instance)| Row { service, instance: Some(instance), usage: usage(nth) };
        service.instances.iter().enumerate().map(row)
    });
    rows.collect()
}

fn table(rows: Vec<Row<'_>>, args: &LsArgs, usages: &[ServiceUsage], width: Option<usize>, paint: Paint) -> String {
    let mut columns = vec![
        (Column { title: "NAME", right: false, shrinks_to: Some(10), leaves: None }, name as fn(&Row<'_>) -> Cell),
        (Column { title: "STATE", right: false, shrinks_to: None, leaves: None }, state),
        (Column { title: "PID", right: true, shrinks_to: None, leaves: Some(4) }, pid),
        (Column { title: "UPTIME", right: true, shrinks_to: None, leaves: Some(3) }, uptime),
        (Column { title: "RESTARTS", right: true, shrinks_to: None, leaves: Some(2) }, restarts),
    ];
    if !usages.is_empty() {
        columns.push((Column { title: "CPU", right: true, shrinks_to: None, leaves: Some(1) }, cpu));
        columns.push((Column { title: "MEM", right: true, shrinks_to: None, leaves: Some(1) }, memory));
    }
    if args.wide {
        let plain = |title| Column { title, right: false, shrinks_to: None, leaves: None };
        columns.push((plain("GROUP"), group));
        columns.push((Column { right: true, ..plain("SUPERVISOR") }, supervisor));
        columns.push((plain("LAST EXIT"), last_exit));
        columns.push((plain("CWD"), cwd));
    }
    columns.push((Column { title: "COMMAND", right: false, shrinks_to: Some(12), leaves: Some(0) }, command));
    let cells = |row: Row<'_>| columns.iter().map(|(_, cell)| cell(&row)).collect();
    let rows: Vec<Vec<Cell>> = rows.into_iter().map(cells).collect();
    let columns: Vec<Column> = columns.iter().map(|(column, _)| *column).collect();
    render(&columns, &rows, width, paint)
}

/// What stands where there is nothing to say.
const NONE: &str = "-";

impl Row<'_> {
    /// The instance of the row, or the one that stands for the service.
    fn main(&self) -> Option<&InstanceStatus> {
        self.instance.or_else(|| self.service.first())
    }

    fn state(&self) -> StateWord {
        self.instance.map_or_else(|| self.service.state(), |instance| instance.state)
    }
}

fn name(row: &Row<'_>) -> Cell {
    title(row.service, row.instance.map(|instance| instance.index)).into()
}

/// A service's name, with the instance's number where it has several.
fn title(service: &Service, instance: Option<u32>) -> String {
    match instance {
        Some(index) if service.instances.len() > 1 => format!("{}:{index}", service.name),
        Some(_) | None => service.name.to_string(),
    }
}

fn state(row: &Row<'_>) -> Cell {
    row.state().into()
}

fn pid(row: &Row<'_>) -> Cell {
    let process = row.main().and_then(|instance| instance.process.as_ref());
    or_none(process.map(|process| process.pid.to_string()))
}

fn uptime(row: &Row<'_>) -> Cell {
    or_none(row.main().and_then(|instance| instance.process.as_ref()).map(|process| span(age(process))))
}

fn restarts(row: &Row<'_>) -> Cell {
    row.instance.map_or_else(|| row.service.restarts(), |instance| instance.restarts).to_string().into()
}

fn cpu(row: &Row<'_>) -> Cell {
    or_none(row.usage.map(|usage| format!("{:.1}%", usage.cpu_percent)))
}

fn memory(row: &Row<'_>) -> Cell {
    or_none(row.usage.map(|usage| size(usage.memory_bytes)))
}

fn group(row: &Row<'_>) -> Cell {
    or_none(row.service.group.clone())
}

fn supervisor(row: &Row<'_>) -> Cell {
    or_none(row.service.supervisor.map(|pid| pid.to_string()))
}

fn last_exit(row: &Row<'_>) -> Cell {
    let exit = row.main().and_then(|instance| instance.last_exit.as_ref());
    or_none(exit.map(|exit| {
        let how = match (exit.code, &exit.signal) {
            (Some(code), _) => format!("code {code}"),
            (None, Some(signal)) => signal.clone(),
            (None, None) => "unknown".to_owned(),
        };
        let why =
            if exit.reason == "exit" || exit.reason == "signal" { String::new() } else { format!(", {}", exit.reason) };
        format!("{how}{why} after {}, {}", short_span(exit.uptime_ms), to_second(exit.at))
    }))
}

fn cwd(row: &Row<'_>) -> Cell {
    harmless(&row.service.cwd.to_string_lossy()).into_owned().into()
}

fn command(row: &Row<'_>) -> Cell {
    command_line(&row.service.command).into()
}

fn or_none(text: Option<String>) -> Cell {
    text.map_or_else(|| NONE.into(), Cell::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str = r#"{"index":0,"state":"STATE","desired":"up","process":null,"started_at":null,"restart_at":null,
        "run":3,"restarts":2,"short_runs":0,"last_exit":{"at":"2026-11-22T15:04:05.000001Z","code":null,
        "signal":"SIGKILL","reason":"signal","run":2,"uptime_ms":1500},"failure":null}"#;

    fn service(name: &str, states: &[&str]) -> Service {
        let instance = |(index, state): (usize, &&str)| {
            let text = STATUS.replace("STATE", state).replacen('0', &index.to_string(), 1);
            serde_json::from_str(&text).unwrap()
        };
        Service {
            name: name.parse().unwrap(),
            directory: format!("/h/services/{name}").into(),
            supervised: true,
            supervisor: Some(9),
            desired: resume_core::spec::Desired::Up,
            command: vec!["node".into(), "server.js".into(), "--port".into(), "3000".into()],
            cwd: "/srv".into(),
            group: None,
            instances: states.iter().enumerate().map(instance).collect(),
            problems: Vec::new(),
        }
    }

    fn shown(services: &[Service], args: &LsArgs, width: Option<usize>) -> String {
        let usage = ServiceUsage {
            total: Some(Usage { cpu_percent: 1.25, memory_bytes: 52_428_800 }),
            instances: services[0].instances.iter().map(|_| None).collect(),
        };
        let rows = if args.instances {
            instance_rows(services, std::slice::from_ref(&usage))
        } else {
            service_rows(services, std::slice::from_ref(&usage))
        };
        table(rows, args, &[usage], width, Paint::new(false))
    }

    fn args(instances: bool, wide: bool) -> LsArgs {
        LsArgs { globals: crate::args::Globals::default(), no_usage: false, instances, wide, selectors: Vec::new() }
    }

    #[test]
    fn a_service_has_one_row_that_fits_the_terminal() {
        let services = [service("web", &["running", "backoff"]), service("a-long-name-of-a-worker", &["stopped"])];
        assert_eq!(
            shown(&services, &args(false, false), None),
            "\
NAME                     STATE    PID  UPTIME  RESTARTS   CPU    MEM  COMMAND
web                      backoff    -       -         4  1.2%  50.0M  node server.js --port 3000
a-long-name-of-a-worker  stopped    -       -         2     -      -  node server.js --port 3000
"
        );
        assert_eq!(
            shown(&services, &args(false, false), Some(60)),
            "\
NAME             STATE    PID  UPTIME  RESTARTS   CPU    MEM
web              backoff    -       -         4  1.2%  50.0M
a-long-name-of…  stopped    -       -         2     -      -
"
        );
    }

    #[test]
    fn an_instance_is_named_by_its_number_where_there_are_several() {
        let services = [service("web", &["running", "backoff"]), service("db", &["exited"])];
        let text = shown(&services, &args(true, false), None);
        let names: Vec<_> = text.lines().skip(1).map(|line| line.split("  ").next().unwrap()).collect();
        assert_eq!(names, ["web:0", "web:1", "db"]);
    }

    #[test]
    fn wide_shows_how_the_last_run_ended() {
        let text = shown(&[service("web", &["running"])], &args(false, true), None);
        assert!(text.contains("SIGKILL after 1.5s, 2026-11-22 15:04:05  /srv  node"), "{text}");
    }

    #[test]
    fn the_json_has_every_field_of_the_contract() {
        let text = json::services(&[service("web", &["running"])], &[]);
        let rows: serde_json::Value = serde_json::from_str(&text).unwrap();
        let row = rows[0].as_object().unwrap();
        for field in [
            "name",
            "state",
            "desired",
            "pid",
            "supervisor_pid",
            "group",
            "started_at",
            "uptime_ms",
            "restarts",
            "command",
            "cwd",
            "cpu_percent",
            "memory_bytes",
            "log_dir",
            "last_exit",
            "instances",
        ] {
            assert!(row.contains_key(field), "{field}");
        }
        let instance = row["instances"][0].as_object().unwrap();
        for field in
            ["index", "state", "pid", "started_at", "uptime_ms", "restarts", "cpu_percent", "memory_bytes", "last_exit"]
        {
            assert!(instance.contains_key(field), "{field}");
        }
        assert_eq!((row["supervisor_pid"].as_i64(), row["log_dir"].as_str()), (Some(9), Some("/h/services/web/log")));
        assert_eq!(row["last_exit"]["signal"], "SIGKILL");
    }
}

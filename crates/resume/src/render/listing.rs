//! Services as rows of a table.

use resume_client::discover::Service;
use resume_client::usage::{ServiceUsage, Usage, age};
use resume_core::status::{InstanceStatus, StateWord};

use crate::render::Paint;
use crate::render::table::{Cell, Column, render};
use crate::render::text::{command_line, harmless};
use crate::render::time::{short_span, size, span, to_second};

/// A row of the table: what it is about, and what it uses.
struct Row<'a> {
    service: &'a Service,
    /// The instance that the row is of; none for a service's.
    instance: Option<&'a InstanceStatus>,
    usage: Option<Usage>,
}

/// A service to list, and which of its instances were asked for; none is the service as a whole.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    pub(crate) service: Service,
    pub(crate) instances: Option<Vec<u32>>,
}

/// The rows of services; with `by_instance`, one for each instance. `usages` has an entry for each service, or is empty
/// where nothing was measured.
fn rows<'a>(listed: &'a [Listed], usages: &[ServiceUsage], by_instance: bool) -> Vec<Row<'a>> {
    let mut rows = Vec::with_capacity(listed.len());
    for (index, Listed { service, instances }) in listed.iter().enumerate() {
        let usage = usages.get(index);
        if !by_instance && instances.is_none() {
            rows.push(Row { service, instance: None, usage: usage.and_then(|usage| usage.total) });
            continue;
        }
        for (nth, instance) in service.instances.iter().enumerate() {
            if instances.as_ref().is_none_or(|instances| instances.contains(&instance.index)) {
                let usage = usage.and_then(|usage| *usage.instances.get(nth)?);
                rows.push(Row { service, instance: Some(instance), usage });
            }
        }
    }
    rows
}

/// How the list is wanted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    pub(crate) by_instance: bool,
    pub(crate) wide: bool,
    /// How many columns of the terminal there are; no limit where that is none.
    pub(crate) room: Option<usize>,
    pub(crate) paint: Paint,
}

/// The table of services.
pub(crate) fn table(listed: &[Listed], usages: &[ServiceUsage], wanted: Wanted) -> String {
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
    if wanted.wide {
        let plain = |title| Column { title, right: false, shrinks_to: None, leaves: None };
        columns.push((plain("GROUP"), group));
        columns.push((Column { right: true, ..plain("SUPERVISOR") }, supervisor));
        columns.push((plain("LAST EXIT"), last_exit));
        columns.push((plain("CWD"), cwd));
    }
    columns.push((Column { title: "COMMAND", right: false, shrinks_to: Some(12), leaves: Some(0) }, command));
    let rows = rows(listed, usages, wanted.by_instance);
    let rows: Vec<Vec<Cell>> = rows.iter().map(|row| columns.iter().map(|(_, cell)| cell(row)).collect()).collect();
    let columns: Vec<Column> = columns.iter().map(|(column, _)| *column).collect();
    render(&columns, &rows, wanted.room, wanted.paint)
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
pub(crate) fn title(service: &Service, instance: Option<u32>) -> String {
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

    fn listed(services: &[Service]) -> Vec<Listed> {
        services.iter().map(|service| Listed { service: service.clone(), instances: None }).collect()
    }

    fn shown(listed: &[Listed], by_instance: bool, wide: bool, room: Option<usize>) -> String {
        let usage = ServiceUsage {
            total: Some(Usage { cpu_percent: 1.25, memory_bytes: 52_428_800, ..Usage::default() }),
            instances: listed[0].service.instances.iter().map(|_| None).collect(),
        };
        table(listed, &[usage], Wanted { by_instance, wide, room, paint: Paint::new(false) })
    }

    #[test]
    fn a_service_has_one_row_that_fits_the_terminal() {
        let services =
            listed(&[service("web", &["running", "backoff"]), service("a-long-name-of-a-worker", &["stopped"])]);
        assert_eq!(
            shown(&services, false, false, None),
            "\
NAME                     STATE    PID  UPTIME  RESTARTS   CPU    MEM  COMMAND
web                      backoff    -       -         4  1.2%  50.0M  node server.js --port 3000
a-long-name-of-a-worker  stopped    -       -         2     -      -  node server.js --port 3000
"
        );
        assert_eq!(
            shown(&services, false, false, Some(60)),
            "\
NAME             STATE    PID  UPTIME  RESTARTS   CPU    MEM
web              backoff    -       -         4  1.2%  50.0M
a-long-name-of…  stopped    -       -         2     -      -
"
        );
    }

    #[test]
    fn an_instance_is_named_by_its_number_where_there_are_several() {
        let names = |services: &[Listed], by_instance| {
            let text = shown(services, by_instance, false, None);
            text.lines().skip(1).map(|line| line.split("  ").next().unwrap().to_owned()).collect::<Vec<_>>()
        };
        let mut services = listed(&[service("web", &["running", "backoff"]), service("db", &["exited"])]);
        assert_eq!(names(&services, false), ["web", "db"]);
        assert_eq!(names(&services, true), ["web:0", "web:1", "db"]);
        services[0].instances = Some(vec![1]);
        assert_eq!(names(&services, false), ["web:1", "db"]);
    }

    #[test]
    fn wide_shows_how_the_last_run_ended() {
        let text = shown(&listed(&[service("web", &["running"])]), false, true, None);
        assert!(text.contains("SIGKILL after 1.5s, 2026-11-22 15:04:05  /srv  node"), "{text}");
    }

    #[test]
    fn the_json_has_every_field_of_the_contract() {
        let text = crate::render::json::services(&listed(&[service("web", &["running"])]), &[]);
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

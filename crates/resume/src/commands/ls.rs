//! `resume ls`: what there is, and what is true of it.

use resume_client::discover::Service;
use resume_client::selector::Target;
use resume_client::services::Services;
use resume_client::usage::{self, ServiceUsage};
use resume_core::layout;
use resume_core::status::InstanceStatus;
use resume_core::time::Timestamp;
use serde::Serialize;

use super::watch;
use crate::args::LsArgs;
use crate::context::{Context, say, screen_width};
use crate::error::{CliError, Result};
use crate::exit_code::ExitCode;
use crate::render::json;
use crate::render::listing::{Listed, Wanted, table, title};
use crate::render::table::{Cell, Column, render};
use crate::render::time::to_second;
use crate::targets::{all, choose};

pub(crate) fn ls(context: &Context, args: &LsArgs) -> Result<ExitCode> {
    if args.watch {
        return watch::watch(context, args);
    }
    let (listed, failures) = selected(context, args)?;
    let usages = if args.no_usage { Vec::new() } else { measured(context, &listed) };
    if context.json {
        say(&json::services(&listed, &usages))?;
    } else if listed.is_empty() {
        nothing(context, args, &failures);
    } else {
        let room = if args.wide { None } else { screen_width() };
        let wanted = Wanted { by_instance: args.instances, wide: args.wide, room, paint: context.paint };
        say(table(&listed, &usages, wanted).trim_end())?;
    }
    Ok(report(context, &listed, &failures))
}

/// The list in the columns of the original tool.
pub(crate) fn original_list(context: &Context, args: &LsArgs) -> Result<ExitCode> {
    if args.watch {
        return Err(CliError::usage("`-l` and `--watch` cannot go together").hint("`resume ls --watch` goes on"));
    }
    let (listed, failures) = selected(context, args)?;
    let live = listed.iter().flat_map(|Listed { service, .. }| {
        let row = |instance: &InstanceStatus| Some(original_row(service, instance, instance.process.as_ref()?.pid));
        service.instances.iter().filter_map(row).collect::<Vec<_>>()
    });
    let rows: Vec<OriginalRow> = live.collect();
    if context.json {
        say(&serde_json::to_string(&rows).expect("rows have only string keys"))?;
    } else if rows.is_empty() {
        nothing(context, args, &failures);
    } else {
        let fixed = |title, right| Column { title, right, shrinks_to: None, leaves: None };
        let columns = [
            fixed("PID", true),
            Column { leaves: Some(0), ..fixed("PPID", true) },
            Column { shrinks_to: Some(8), ..fixed("PROCESS", false) },
            Column { leaves: Some(1), ..fixed("START TIME", false) },
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
    Ok(report(context, &listed, &failures))
}

/// A live program as the original tool lists it.
#[derive(Serialize)]
struct OriginalRow {
    pid: i32,
    ppid: Option<i32>,
    process: String,
    started_at: Option<Timestamp>,
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

/// What the words select, all services if there are none, and what could not be selected.
pub(super) fn selected(context: &Context, args: &LsArgs) -> Result<(Vec<Listed>, Vec<CliError>)> {
    let services: Option<Services> = context.home()?.open()?;
    if !args.selectors.is_empty() {
        let chosen = choose(services.as_ref(), &args.selectors)?;
        let listed = chosen.targets.into_iter().map(|Target { service, instances, .. }| Listed { service, instances });
        let mut listed: Vec<Listed> = listed.collect();
        listed.sort_unstable_by(|one, other| one.service.name.cmp(&other.service.name));
        return Ok((listed, chosen.failures));
    }
    let found = services.as_ref().map(all).transpose()?.unwrap_or_default();
    Ok((found.into_iter().map(|service| Listed { service, instances: None }).collect(), Vec::new()))
}

/// What they use. That it cannot be measured hides nothing else.
pub(super) fn measured(context: &Context, listed: &[Listed]) -> Vec<ServiceUsage> {
    let services: Vec<&Service> = listed.iter().map(|listed| &listed.service).collect();
    if !services.iter().any(|service| service.is_alive()) {
        return Vec::new();
    }
    usage::measure(&services).unwrap_or_else(|error| {
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

fn report(context: &Context, listed: &[Listed], failures: &[CliError]) -> ExitCode {
    for listed in listed {
        context.warn_of(&listed.service);
    }
    for failure in failures {
        context.report(failure);
    }
    ExitCode::of_all(failures.iter().map(|failure| failure.code))
}

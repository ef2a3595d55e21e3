//! Everything about one service, on a screen.

use resume_client::discover::Service;
use resume_client::process_tree::{Ports, TreeProcess};
use resume_client::usage::ServiceUsage;
use resume_core::layout;
use resume_core::os_text::OsText;
use resume_core::spec::{Desired, LogPolicy, RestartOn, RestartPolicy, Spec, StopPolicy};
use resume_core::status::{InstanceStatus, LastExit, Status};
use resume_core::time::Timestamp;
use resume_core::units::format_duration;
use resume_logstore::Totals;

use crate::render::Paint;
use crate::render::present;
use crate::render::processes;
use crate::render::table::{Cell, Column, render};
use crate::render::text::{command_line, harmless, width};
use crate::render::time::{ago, size, span};

/// Everything that is known of a service.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    pub(crate) service: Service,
    /// Which of its instances; `None` is all.
    pub(crate) instances: Option<Vec<u32>>,
    /// What was asked for; none if that cannot be read.
    pub(crate) spec: Option<Spec>,
    /// What its supervisor answered; none if it has none, or it does not answer.
    pub(crate) status: Option<Status>,
    pub(crate) usage: ServiceUsage,
    pub(crate) processes: Vec<TreeProcess>,
    pub(crate) ports: Ports,
    /// None if the log cannot be read.
    pub(crate) log: Option<Totals>,
}

/// How it is shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    /// Whether to show the values of the environment.
    pub(crate) values: bool,
    /// How many columns there are; none is no limit.
    pub(crate) room: Option<usize>,
    pub(crate) paint: Paint,
    pub(crate) now: Timestamp,
}

/// The width of the labels, with the space behind them.
const LABELS: usize = 14;
/// What stands before everything below a heading.
const INDENT: &str = "  ";

impl Shown {
    /// Its text, in sections.
    pub(crate) fn text(&self, look: Look) -> String {
        let Self { service, .. } = self;
        let mut page = Page { text: String::new(), look };
        let state = service.state();
        let name = look.paint.bold(service.name.as_str());
        page.line(&format!("{name}  {}", look.paint.state(state, state.as_str())));
        for sentence in present::sentences(service, self.instances.as_deref(), look.now, |_| None) {
            page.wrapped(&sentence);
        }
        self.push_spec(&mut page);
        if service.instances.len() > 1 || service.instances.iter().any(|instance| instance.run > 0) {
            let instances = self.instances_table(look);
            page.section("Instances", &instances);
        }
        if !self.processes.is_empty() {
            let tree = processes::tree(&self.processes, page.inner(), look.paint);
            page.section("Processes", &tree);
        }
        self.push_ports(&mut page);
        self.push_files(&mut page);
        self.push_warnings(&mut page);
        page.text
    }

    fn push_spec(&self, page: &mut Page) {
        let service = &self.service;
        page.heading("Service");
        page.field("command", &command_line(&service.command));
        page.field("directory", &harmless(&service.cwd.to_string_lossy()));
        if let Some(group) = &service.group {
            page.field("group", group);
        }
        page.field("wanted", if service.desired == Desired::Up { "up" } else { "down" });
        if let Some(spec) = &self.spec {
            page.field("restart", &restart(&spec.restart));
            page.field("stop", &stop(&spec.stop));
            page.field("log", &log(&spec.log));
            push_environment(page, spec);
        }
        page.field("supervisor", &self.supervisor());
    }

    fn supervisor(&self) -> String {
        let version = self.status.as_ref().map(|status| format!(", resume {}", status.resume_version));
        let version = version.unwrap_or_else(|| ", which does not answer".to_owned());
        match (self.service.supervised, self.service.supervisor) {
            (true, Some(pid)) => format!("pid {pid}{version}"),
            (true, None) => format!("unknown{version}"),
            (false, _) if self.service.state().is_down() => "none, and none is needed".to_owned(),
            (false, _) => "none".to_owned(),
        }
    }

    fn instances_table(&self, look: Look) -> String {
        let fixed = |title, right| Column { title, right, shrinks_to: None, leaves: None };
        let columns = [
            fixed("#", true),
            fixed("STATE", false),
            fixed("PID", true),
            Column { leaves: Some(4), ..fixed("RUN", true) },
            fixed("UPTIME", true),
            Column { leaves: Some(3), ..fixed("RESTARTS", true) },
            Column { leaves: Some(0), ..fixed("SHORT RUNS", true) },
            Column { leaves: Some(1), ..fixed("CPU", true) },
            Column { leaves: Some(2), ..fixed("MEMORY", true) },
            Column { shrinks_to: Some(9), ..fixed("LAST EXIT", false) },
        ];
        let asked = |index: u32| self.instances.as_ref().is_none_or(|instances| instances.contains(&index));
        let listed = self.service.instances.iter().enumerate().filter(|(_, instance)| asked(instance.index));
        let rows: Vec<Vec<Cell>> = listed.map(|(at, instance)| self.instance_row(at, instance, look.now)).collect();
        render(&columns, &rows, look.room.map(|room| room.saturating_sub(INDENT.len())), look.paint)
    }

    fn instance_row(&self, at: usize, instance: &InstanceStatus, now: Timestamp) -> Vec<Cell> {
        let none = || "-".to_owned();
        let usage = self.usage.instances.get(at).copied().flatten();
        let process = instance.process.as_ref();
        vec![
            instance.index.to_string().into(),
            instance.state.into(),
            process.map_or_else(none, |process| process.pid.to_string()).into(),
            instance.run.to_string().into(),
            process.map_or_else(none, |process| span(resume_client::usage::age(process))).into(),
            instance.restarts.to_string().into(),
            instance.short_runs.to_string().into(),
            usage.map_or_else(none, |usage| format!("{:.1}%", usage.cpu_percent)).into(),
            usage.map_or_else(none, |usage| size(usage.memory_bytes)).into(),
            instance.last_exit.as_ref().map_or_else(none, |exit| last_exit(exit, now)).into(),
        ]
    }

    fn push_ports(&self, page: &mut Page) {
        let Ports { known, hidden } = &self.ports;
        if !known.is_empty() {
            let table = processes::ports(&self.ports, &self.processes, page.inner(), page.look.paint);
            page.section("Listening on", &table);
        }
        if !hidden.is_empty() {
            let hidden = count(hidden.len(), "process");
            page.wrapped(&format!("where {hidden} of another user may listen is not known"));
        }
    }

    fn push_files(&self, page: &mut Page) {
        page.heading("Files");
        for (label, file) in [("spec", layout::SPEC), ("state", layout::STATE), ("socket", layout::SOCKET)] {
            let path = self.service.directory.join(file);
            let missing = if path.exists() { "" } else { " (not there)" };
            page.field(label, &format!("{}{missing}", harmless(&path.to_string_lossy())));
        }
        page.field("log", &harmless(&self.service.directory.join(layout::LOG).to_string_lossy()));
        page.field("", &self.log.map_or_else(|| "which cannot be read".to_owned(), totals));
    }

    fn push_warnings(&self, page: &mut Page) {
        let of_supervisor = self.status.iter().flat_map(|status| &status.warnings).map(String::as_str);
        let problems = self.service.problems.iter().map(|problem| problem.message.as_str());
        let mut warnings = problems.chain(of_supervisor).peekable();
        if warnings.peek().is_none() {
            return;
        }
        page.heading("Warnings");
        for warning in warnings {
            page.wrapped(&harmless(warning));
        }
    }
}

fn push_environment(page: &mut Page, spec: &Spec) {
    if page.look.values {
        page.field("environment", &count(spec.environment.len(), "variable"));
        for variable in &spec.environment {
            let variable = variable.to_string_lossy();
            page.line(&format!("{INDENT}{}{}", " ".repeat(LABELS), harmless(&variable)));
        }
        return;
    }
    let names: Vec<String> = environment_names(spec);
    let names = names.iter().map(|name| harmless(name).into_owned()).collect::<Vec<_>>().join(" ");
    page.field("environment", if names.is_empty() { "empty" } else { &names });
}

/// The names of the variables, sorted.
pub(crate) fn environment_names(spec: &Spec) -> Vec<String> {
    let name = |variable: &OsText| {
        let text = variable.to_string_lossy();
        // A name may begin with `=`, or a variable have none; see environ(7).
        let end = text.char_indices().skip(1).find(|(_, c)| *c == '=').map_or(text.len(), |(at, _)| at);
        text[..end].to_owned()
    };
    let mut names: Vec<String> = spec.environment.iter().map(name).collect();
    names.sort_unstable();
    names
}

fn restart(policy: &RestartPolicy) -> String {
    let RestartPolicy { on, success_codes, max_restarts, min_uptime, backoff_min, backoff_max } = policy;
    let codes = success_codes.iter().map(u8::to_string).collect::<Vec<_>>().join(", ");
    let on = match on {
        RestartOn::Never => return "never".to_owned(),
        RestartOn::Always => "always".to_owned(),
        RestartOn::OnFailure => format!("on failure, that is but for code {codes}"),
    };
    let (min, max, short) =
        (format_duration(*backoff_min), format_duration(*backoff_max), format_duration(*min_uptime));
    let limit = match max_restarts {
        0 => "without limit".to_owned(),
        limit => format!("gives up after {limit} short ones in a row"),
    };
    format!("{on}; after runs under {short} with pauses of {min} to {max}, {limit}")
}

fn stop(policy: &StopPolicy) -> String {
    format!("{}, and SIGKILL for what is left after {}", policy.signal, format_duration(policy.timeout))
}

fn log(policy: &LogPolicy) -> String {
    format!("keeps {} at most", size(policy.max_size))
}

fn totals(totals: Totals) -> String {
    let Totals { disk_bytes, records, dropped_records, segments } = totals;
    let records = count(usize::try_from(records).unwrap_or(usize::MAX), "record");
    let dropped = if dropped_records == 0 { String::new() } else { format!(", {dropped_records} dropped") };
    format!("{}, {records} in {}{dropped}", size(disk_bytes), count(segments, "segment"))
}

fn last_exit(exit: &LastExit, now: Timestamp) -> String {
    let how = match (exit.code, &exit.signal) {
        (Some(code), _) => format!("code {code}"),
        (None, Some(signal)) => signal.clone(),
        (None, None) => String::new(),
    };
    let why = match exit.reason.as_str() {
        "exit" | "signal" => how,
        reason if how.is_empty() => harmless(reason).into_owned(),
        reason => format!("{how}, {}", harmless(reason)),
    };
    format!("{why}, {}", ago(exit.at, now))
}

fn count(number: usize, what: &str) -> String {
    match (number, what) {
        (1, what) => format!("1 {what}"),
        (number, "process") => format!("{number} processes"),
        (number, what) => format!("{number} {what}s"),
    }
}

/// The text as it grows.
struct Page {
    text: String,
    look: Look,
}

impl Page {
    /// The columns that there are below a heading.
    fn inner(&self) -> Option<usize> {
        self.look.room.map(|room| room.saturating_sub(INDENT.len()))
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn heading(&mut self, title: &str) {
        self.line("");
        self.line(&self.look.paint.cyan(title));
    }

    fn section(&mut self, title: &str, content: &str) {
        self.heading(title);
        for line in content.lines() {
            self.line(&format!("{INDENT}{line}"));
        }
    }

    /// A label and a value, which goes on below itself where it is long.
    fn field(&mut self, label: &str, value: &str) {
        let room = self.inner().map(|room| room.saturating_sub(LABELS));
        for (nth, line) in wrap(value, room).iter().enumerate() {
            let label = if nth == 0 { label } else { "" };
            let padding = " ".repeat(LABELS.saturating_sub(width(label)));
            self.line(format!("{INDENT}{}{padding}{line}", self.look.paint.dim(label)).trim_end());
        }
    }

    fn wrapped(&mut self, text: &str) {
        for line in wrap(text, self.inner()) {
            self.line(&format!("{INDENT}{line}"));
        }
    }
}

/// The text in lines of at most `room` columns, broken at spaces. A word that is longer has a line of its own.
fn wrap(text: &str, room: Option<usize>) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let last = lines.last_mut().expect("there is a first line");
        let fits = room.is_none_or(|room| width(last) + 1 + width(word) <= room);
        if last.is_empty() {
            last.push_str(word);
        } else if fits {
            last.push(' ');
            last.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

#[cfg(test)]
#[path = "show_tests.rs"]
pub(crate) mod tests;

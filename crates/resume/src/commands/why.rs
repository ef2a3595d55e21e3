//! `resume why`: the runs of a service and why each ended.

use std::io;

use resume_client::discover::Service;
use resume_client::history;
use resume_client::home::describe;
use resume_client::runs::{self, Run};
use resume_client::selector::Target;
use resume_client::services::Services;
use resume_core::event_record::What;
use resume_core::layout;
use resume_core::time::Timestamp;
use resume_logstore::{Filter, Reader, Record, RecordStream};
use resume_sys::clock;

use crate::args::RecordCount;
use crate::args_looking::WhyArgs;
use crate::context::{Context, say, screen_width};
use crate::error::{CliError, Result};
use crate::exit_code::ExitCode;
use crate::render::present;
use crate::render::time::ago;
use crate::render::why::{Look, Told, json, runs as render};
use crate::targets::choose;

/// How many runs are shown if nobody says otherwise.
const DEFAULT_RUNS: usize = 10;
/// How many records of a run are its last words.
const LAST_WORDS: usize = 5;

pub(crate) fn why(context: &Context, args: &WhyArgs) -> Result<ExitCode> {
    let services = context.home()?.open()?;
    let chosen = choose(services.as_ref(), &args.selectors)?;
    let mut failures = chosen.failures;
    let mut told = Vec::new();
    for target in &chosen.targets {
        context.warn_of(&target.service);
        let Some(services) = &services else { continue };
        match Story::of(services, target, args.runs) {
            Ok(story) => told.push(story),
            Err(error) => failures.push(error),
        }
    }
    if context.json {
        let runs: Vec<_> = told.iter().flat_map(|story| json(&story.service.name, &story.runs)).collect();
        say(&serde_json::to_string(&runs).expect("runs have only string keys and finite numbers"))?;
    } else if !told.is_empty() {
        let several = told.len() > 1;
        let texts: Vec<_> = told.iter().map(|story| story.text(context, several)).collect();
        say(texts.join("\n\n").trim_end())?;
    }
    for failure in &failures {
        context.report(failure);
    }
    Ok(ExitCode::of_all(failures.iter().map(|failure| failure.code)))
}

/// What there is to tell of one service.
struct Story<'a> {
    service: &'a Service,
    instances: Option<&'a [u32]>,
    runs: Vec<Told>,
    /// How many runs more are on record.
    earlier: usize,
    now: Timestamp,
    /// What the history says last of each instance.
    recorded: Vec<(u32, String)>,
}

impl<'a> Story<'a> {
    fn of(services: &Services, target: &'a Target, count: Option<RecordCount>) -> Result<Self> {
        let Target { service, instances, .. } = target;
        let asked = |index: u32| instances.as_ref().is_none_or(|instances| instances.contains(&index));
        let events = history::read(services, &service.name).map_err(|error| unreadable(service, &error))?;
        let mut all = runs::of(&events);
        all.retain(|run| asked(run.instance));
        let count = match count {
            None => DEFAULT_RUNS,
            Some(RecordCount::Last(count)) => count,
            Some(RecordCount::All) => all.len(),
        };
        let shown = all.split_off(all.len().saturating_sub(count));
        let told = shown.into_iter().map(|run| Told {
            present: run.end.is_none() && is_present(service, &run),
            words: last_words(service, &run),
            run,
        });
        let now = Timestamp::from_micros(clock::wall_micros());
        let mut recorded: Vec<(u32, String)> = Vec::new();
        for event in &events {
            if let What::State { state, .. } = &event.record.what {
                recorded.retain(|(index, _)| *index != event.record.instance);
                let last = format!("{}, {}", state.as_str(), ago(event.record.time, now));
                recorded.push((event.record.instance, last));
            }
        }
        let instances = instances.as_deref();
        Ok(Self { service, instances, runs: told.collect(), earlier: all.len(), now, recorded })
    }

    fn text(&self, context: &Context, titled: bool) -> String {
        let several = self.service.instances.len() > 1;
        let look = Look { several, room: screen_width(), paint: context.paint, now: self.now };
        let mut parts = Vec::new();
        if titled {
            parts.push(format!("{}\n", context.paint.cyan(self.service.name.as_str())));
        }
        if self.earlier > 0 && !context.quiet {
            let name = &self.service.name;
            let what = if self.earlier == 1 { "run" } else { "runs" };
            let earlier = format!("{} earlier {what}: `resume why -n all {name}`", self.earlier);
            parts.push(format!("{}\n", context.paint.dim(&earlier)));
        }
        if !self.runs.is_empty() {
            parts.push(render(&self.runs, look));
        }
        let recorded = |index| Some(self.recorded.iter().find(|(known, _)| *known == index)?.1.clone());
        let sentences = present::sentences(self.service, self.instances, self.now, recorded);
        parts.push(sentences.join("\n"));
        parts.join("\n")
    }
}

/// Whether it is the run that there is now.
fn is_present(service: &Service, run: &Run) -> bool {
    let status = service.instances.iter().find(|instance| instance.index == run.instance);
    status.is_some_and(|status| status.process.as_ref().is_some_and(|process| Some(process.pid) == run.pid))
}

/// The last records that the run itself wrote. That they cannot be read hides nothing else.
fn last_words(service: &Service, run: &Run) -> Vec<Record> {
    let Ok(reader) = Reader::open(&service.directory.join(layout::LOG)) else { return Vec::new() };
    // One stream at a time, so that the supervisor's own account takes no place.
    let mut words = Vec::new();
    for stream in [RecordStream::Stdout, RecordStream::Stderr] {
        let instance = Some(run.instance);
        let filter = Filter { stream: Some(stream), instance, run: Some(run.number), ..Filter::default() };
        words.extend(reader.records(&filter, Some(LAST_WORDS)).into_iter().flatten().flatten());
    }
    words.sort_by_key(|record: &Record| (record.order, record.number));
    words.split_off(words.len().saturating_sub(LAST_WORDS))
}

fn unreadable(service: &Service, error: &io::Error) -> CliError {
    let message = format!("reading the history of `{}`: {}", service.name, describe(error));
    CliError::failed(message).hint(format!("`resume logs --stream resume {}` has another account", service.name))
}

//! `resume show`: everything about one service.

use std::time::{Duration, Instant};

use resume_client::discover::{Discovery, Service};
use resume_client::home::describe;
use resume_client::process_tree::{self, Ports, TreeProcess};
use resume_client::request::{self, Answer};
use resume_client::selector::Target;
use resume_client::services::Services;
use resume_client::usage;
use resume_core::layout;
use resume_core::time::Timestamp;
use resume_core::wire::{Call, StatusReply};
use resume_logstore::Reader;
use resume_sys::clock;

use crate::args_looking::ShowArgs;
use crate::context::{Context, say, screen_width};
use crate::error::Result;
use crate::exit_code::ExitCode;
use crate::render::show::{Look, Shown};
use crate::render::show_json;
use crate::side_by_side::side_by_side;
use crate::targets::choose;

/// How long its supervisor has to say what only it knows.
const TO_ANSWER: Duration = Duration::from_secs(1);

pub(crate) fn show(context: &Context, args: &ShowArgs) -> Result<ExitCode> {
    let services = context.home()?.open()?;
    let chosen = choose(services.as_ref(), &args.selectors)?;
    let shown = side_by_side(&chosen.targets, |target| Some(gather(context, services.as_ref()?, target)));
    let shown: Vec<Shown> = shown.into_iter().flatten().collect();
    if context.json {
        say(&show_json::json(&shown, args.env))?;
    } else if !shown.is_empty() {
        let now = Timestamp::from_micros(clock::wall_micros());
        let look = Look { values: args.env, room: screen_width(), paint: context.paint, now };
        let texts: Vec<String> = shown.iter().map(|shown| shown.text(look)).collect();
        say(texts.join("\n\n").trim_end())?;
    }
    for failure in &chosen.failures {
        context.report(failure);
    }
    Ok(ExitCode::of_all(chosen.failures.iter().map(|failure| failure.code)))
}

/// Asks everyone who knows something. What cannot be known hides nothing else.
fn gather(context: &Context, services: &Services, target: &Target) -> Shown {
    let Target { service, instances, .. } = target;
    let asked = request::ask_living(services, &service.name, &Call::Status, Some(Instant::now() + TO_ANSWER));
    let answer: Option<Answer<StatusReply>> = asked.ok().flatten();
    let spec = match Discovery::new(services).spec(&service.name) {
        Ok(spec) => Some(spec),
        Err(error) => {
            context.warn(&error.to_string(), None);
            None
        }
    };
    let (processes, ports) = processes(context, service, instances.as_deref());
    Shown {
        service: service.clone(),
        instances: instances.clone(),
        spec,
        status: answer.map(|answer| answer.reply.status),
        usage: usage::measure(&[service]).ok().and_then(|mut usages| usages.pop()).unwrap_or_default(),
        processes,
        ports,
        log: Reader::open(&service.directory.join(layout::LOG)).and_then(|reader| reader.totals()).ok(),
    }
}

/// The processes of the chosen instances, and where they listen.
fn processes(context: &Context, service: &Service, instances: Option<&[u32]>) -> (Vec<TreeProcess>, Ports) {
    let unknown = |what: &str, error: &std::io::Error| {
        context.warn(&format!("{what} not known: reading `/proc`: {}", describe(error)), None);
    };
    let mut processes = process_tree::processes(service).unwrap_or_else(|error| {
        unknown("its processes are", &error);
        Vec::new()
    });
    processes.retain(|process| match (instances, process.instance) {
        (None, _) => true,
        (Some(instances), Some(instance)) => instances.contains(&instance),
        (Some(_), None) => false,
    });
    let ports = process_tree::ports(&processes).unwrap_or_else(|error| {
        unknown("where it listens is", &error);
        Ports::default()
    });
    (processes, ports)
}

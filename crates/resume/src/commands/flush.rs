//! `resume flush`: the log begins anew.

use resume_client::offline::Held;
use resume_client::selector::Target;
use resume_client::services::Services;
use resume_core::layout;
use resume_core::name::ServiceName;
use resume_core::wire::{self, Call};
use resume_logstore::{Moment, Retention, Writer};
use serde::Serialize;

use crate::args_acting::FlushArgs;
use crate::context::Context;
use crate::error::{CliError, Result};
use crate::exit_code::ExitCode;
use crate::outcome::{Done, finish};
use crate::reach::{Reached, reach};
use crate::side_by_side::side_by_side;
use crate::targets::choose;

pub(crate) fn flush(context: &Context, args: &FlushArgs) -> Result<ExitCode> {
    let services = context.home()?.open()?;
    let chosen = choose(services.as_ref(), &args.selectors)?;
    let outcomes = side_by_side(&chosen.targets, |target| match &services {
        Some(services) => flush_target(services, target).map(Some),
        None => Ok(None),
    });
    finish(context, outcomes.into_iter().chain(chosen.failures.into_iter().map(Err)).collect())
}

fn flush_target(services: &Services, target: &Target) -> Result<Done> {
    #[derive(Serialize)]
    struct Out<'a> {
        name: &'a ServiceName,
        result: &'static str,
    }
    let name = &target.service.name;
    if target.instances.is_some() && target.service.instances.len() > 1 {
        return Err(CliError::usage(format!("the instances of `{name}` share a log, which can only be emptied whole"))
            .hint(format!("`resume flush {name}` empties it")));
    }
    let warning = match reach::<wire::Done>(services, name, &Call::Flush, "cannot empty the log of")? {
        Reached::Answered(answer) => answer.warning,
        Reached::Held(held) => {
            empty(services, &held)?;
            None
        }
    };
    Ok(Done::new(format!("emptied the log of `{name}`"), &Out { name, result: "flushed" }).warning(warning))
}

/// Empties the log of a service that nobody else can write to.
fn empty(services: &Services, held: &Held) -> Result<()> {
    let folder = services.directory(held.name()).join(layout::LOG);
    if !folder.exists() {
        return Ok(());
    }
    // A spec that cannot be read takes nothing away from the log: its bounds do not matter, for nothing is added.
    let retention = held.spec().map_or_else(|_| Retention::default(), |spec| retention(spec.log.max_size));
    let mut writer = Writer::open(&folder, retention, Moment::now()).map_err(|error| {
        CliError::failed(format!("cannot empty the log of `{}` in `{}`: {error}", held.name(), folder.display()))
    })?;
    writer.clear(Moment::now());
    match writer.problem() {
        None => Ok(()),
        Some(problem) => Err(CliError::failed(format!("cannot empty the log of `{}`: {problem}", held.name()))),
    }
}

fn retention(max_bytes: u64) -> Retention {
    Retention { max_bytes }
}

//! `resume run`: this process is the supervisor.

use std::ffi::OsString;

use resume_client::discover::{Discovery, Service};
use resume_client::offline::{Held, persist};
use resume_client::services::Services;
use resume_core::name::ServiceName;

use super::start::{already, hold, taken};
use crate::args::RunArgs;
use crate::context::Context;
use crate::error::{CliError, Result};
use crate::new_service::{Wanted, find_known, make, no_room, understand};
use crate::start_failure::of_spawn;

/// How often a name is looked at again that others make and forget under our eyes.
const MAX_LOOKS: usize = 20;

/// Returns the exit code of the last run.
pub(crate) fn run(context: &Context, args: &RunArgs) -> Result<u8> {
    let words: Vec<OsString> = args.words.iter().chain(&args.rest).cloned().collect();
    let mut wanted = understand(&words, &args.service, true)?;
    let home = context.home()?;
    let doing = format!("cannot run `{}`", wanted.spec.name);
    let services = home.create().map_err(|error| CliError::from(error).while_(&doing))?;
    let (held, fresh) = take(context, &services, &mut wanted, args.service.replace)?;
    let name = held.name().clone();
    persist(&services, &name).map_err(no_room)?;
    let code = resume_supervisor::foreground(services.home(), &name, held.into_lock())
        .map_err(|problem| CliError::failed(problem).while_(&format!("cannot run `{name}`")))?;
    explain(context, &services, &name, fresh)?;
    Ok(code)
}

/// Says why the service was given up, which its exit code alone does not. One that was new and could not even be
/// spawned is forgotten again.
fn explain(context: &Context, services: &Services, name: &ServiceName, fresh: bool) -> Result<()> {
    let service = Discovery::new(services).one(name);
    let Some(instance) = service.as_ref().and_then(Service::first) else { return Ok(()) };
    let Some(failure) = &instance.failure else { return Ok(()) };
    let last = instance.last_exit.as_ref();
    if !last.is_some_and(|exit| exit.reason.starts_with("spawn")) {
        context.report(&CliError::failed(format!("`{name}` is given up: {failure}")));
        return Ok(());
    }
    context.report(&of_spawn(&format!("cannot run `{name}`"), failure));
    if fresh
        && last.is_some_and(|exit| exit.run == 1)
        && let Some(held) = Held::take(services, name)?
    {
        held.delete(services, false)?;
    }
    Ok(())
}

/// Holds the service to be run: a new one, or one that is down and is what is wanted from now on. Says whether it is new.
fn take(context: &Context, services: &Services, wanted: &mut Wanted, replace: bool) -> Result<(Held, bool)> {
    for _ in 0..MAX_LOOKS {
        let known = find_known(services, wanted)?;
        let Some(known) = known else {
            let made = make(services, wanted);
            let doing = || format!("cannot run `{}`", wanted.spec.name);
            let Some(held) = made.map_err(|error| error.while_(&doing()))? else { continue };
            return Ok((held, true));
        };
        context.warn_of(&known);
        let in_its_place = replace && wanted.named;
        if !known.state().is_down() && !in_its_place {
            return Err(refused(&known, wanted.named));
        }
        wanted.spec.name = known.name.clone();
        return hold(services, &known, &wanted.spec).map(|held| (held, false));
    }
    Err(CliError::failed(format!("`{}` is made and forgotten by others, again and again", wanted.spec.name)))
}

fn refused(known: &Service, named: bool) -> CliError {
    if named { taken(known) } else { already(known) }
}

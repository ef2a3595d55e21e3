//! `resume run`: this process is the supervisor.

use std::ffi::OsString;

use resume_client::discover::Service;
use resume_client::offline::{Held, persist};
use resume_client::services::Services;

use super::start::{already, hold, taken};
use crate::args::RunArgs;
use crate::context::Context;
use crate::error::{CliError, Result};
use crate::new_service::{Wanted, find_known, make, no_room, understand};

/// How often a name is looked at again that others make and forget under our eyes.
const MAX_LOOKS: usize = 20;

/// Returns the exit code of the last run.
pub(crate) fn run(context: &Context, args: &RunArgs) -> Result<u8> {
    let words: Vec<OsString> = args.words.iter().chain(&args.rest).cloned().collect();
    let mut wanted = understand(&words, &args.service, true)?;
    let home = context.home()?;
    let services = home.create()?;
    let held = take(context, &services, &mut wanted, args.service.replace)?;
    let name = held.name().clone();
    persist(&services, &name).map_err(no_room)?;
    resume_supervisor::foreground(services.home(), &name, held.into_lock())
        .map_err(|problem| CliError::failed(problem).while_(&format!("cannot run `{name}`")))
}

/// Holds the service to be run: a new one, or one that is down and is what is wanted from now on.
fn take(context: &Context, services: &Services, wanted: &mut Wanted, replace: bool) -> Result<Held> {
    for _ in 0..MAX_LOOKS {
        let known = find_known(services, wanted)?;
        let Some(known) = known else {
            let Some(held) = make(services, wanted)? else { continue };
            return Ok(held);
        };
        context.warn_of(&known);
        let in_its_place = replace && wanted.named;
        if !known.state().is_down() && !in_its_place {
            return Err(refused(&known, wanted.named));
        }
        wanted.spec.name = known.name.clone();
        return hold(services, &known, &wanted.spec);
    }
    Err(CliError::failed(format!("`{}` is made and forgotten by others, again and again", wanted.spec.name)))
}

fn refused(known: &Service, named: bool) -> CliError {
    if named { taken(known) } else { already(known) }
}

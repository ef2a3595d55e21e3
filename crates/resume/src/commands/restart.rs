//! `resume restart`: stop, then start.

use resume_client::selector::Target;
use resume_client::services::Services;

use crate::args::RestartArgs;
use crate::bring_up::BringUp;
use crate::context::Context;
use crate::environment::Environment;
use crate::error::Result;
use crate::exit_code::ExitCode;
use crate::outcome::{Done, finish};
use crate::progress::with_progress;
use crate::targets::choose;

pub(crate) fn restart(context: &Context, args: &RestartArgs) -> Result<ExitCode> {
    let services = context.home()?.open()?;
    let chosen = choose(services.as_ref(), &args.selectors)?;
    let outcomes = with_progress(context, "restarting", &chosen.targets, |target| match &services {
        Some(services) => restart_target(context, services, target, args).map(Some),
        None => Ok(None),
    });
    finish(context, outcomes.into_iter().chain(chosen.failures.into_iter().map(Err)).collect())
}

fn restart_target(context: &Context, services: &Services, target: &Target, args: &RestartArgs) -> Result<Done> {
    context.warn_of(&target.service);
    let environment = args.env_now.then(|| Environment::of_caller().into_texts());
    let (name, instances) = (&target.service.name, target.instances.as_deref());
    BringUp { services, name, instances, wait: args.wait }.restart(environment)
}

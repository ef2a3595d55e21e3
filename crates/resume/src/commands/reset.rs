//! `resume reset`: the counters begin at zero again.

use resume_client::selector::Target;
use resume_client::services::Services;
use resume_core::name::ServiceName;
use resume_core::wire::{self, Call, ResetParameters};
use serde::Serialize;

use crate::args_acting::ResetArgs;
use crate::context::Context;
use crate::error::Result;
use crate::exit_code::ExitCode;
use crate::outcome::{Done, finish};
use crate::reach::{Reached, reach};
use crate::side_by_side::side_by_side;
use crate::targets::{choose, title};

pub(crate) fn reset(context: &Context, args: &ResetArgs) -> Result<ExitCode> {
    let services = context.home()?.open()?;
    let chosen = choose(services.as_ref(), &args.selectors)?;
    let outcomes = side_by_side(&chosen.targets, |target| match &services {
        Some(services) => reset_target(services, target).map(Some),
        None => Ok(None),
    });
    finish(context, outcomes.into_iter().chain(chosen.failures.into_iter().map(Err)).collect())
}

fn reset_target(services: &Services, target: &Target) -> Result<Done> {
    #[derive(Serialize)]
    struct Out<'a> {
        name: &'a ServiceName,
        #[serde(skip_serializing_if = "Option::is_none")]
        instances: Option<&'a [u32]>,
        result: &'static str,
    }
    let (name, instances) = (&target.service.name, target.instances.as_deref());
    let call = Call::Reset(ResetParameters { instances: target.instances.clone() });
    let warning = match reach::<wire::Done>(services, name, &call, "cannot reset")? {
        Reached::Answered(answer) => answer.warning,
        Reached::Held(held) => {
            held.reset_counters(instances)?;
            None
        }
    };
    let sentence = format!("reset the counters of `{}`", title(name, instances));
    Ok(Done::new(sentence, &Out { name, instances, result: "reset" }).warning(warning))
}

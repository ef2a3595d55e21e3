//! `resume signal`: a signal to what runs of a service.

use std::io;

use resume_client::discover::Service;
use resume_client::home::describe;
use resume_client::request::{self, Answer};
use resume_client::selector::Target;
use resume_client::services::Services;
use resume_core::name::ServiceName;
use resume_core::signal::Signal;
use resume_core::wire::{Call, SignalParameters, SignalReply};
use resume_sys::identity::{Identity, Process};
use resume_sys::tree::signal_descendants;
use serde::Serialize;

use crate::args_acting::SignalArgs;
use crate::context::Context;
use crate::error::{CliError, Result};
use crate::exit_code::ExitCode;
use crate::outcome::{Done, finish};
use crate::side_by_side::side_by_side;
use crate::start_failure::of_call;
use crate::targets::{choose, title};

pub(crate) fn signal(context: &Context, args: &SignalArgs) -> Result<ExitCode> {
    let services = context.home()?.open()?;
    let chosen = choose(services.as_ref(), &args.selectors)?;
    let outcomes = side_by_side(&chosen.targets, |target| match &services {
        Some(services) => signal_target(context, services, target, args),
        None => Ok(None),
    });
    finish(context, outcomes.into_iter().chain(chosen.failures.into_iter().map(Err)).collect())
}

fn signal_target(context: &Context, services: &Services, target: &Target, args: &SignalArgs) -> Result<Option<Done>> {
    let (name, instances) = (&target.service.name, target.instances.as_deref());
    context.warn_of(&target.service);
    let parameters = SignalParameters { signal: args.signal, instances: target.instances.clone(), tree: args.tree };
    let answered = request::ask_living(services, name, &Call::Signal(parameters), None);
    let answered: Option<Answer<SignalReply>> =
        answered.map_err(|error| of_call(services, name, "cannot signal", error))?;
    let (sent, warning) = match answered {
        Some(answer) => (answer.reply.sent, answer.warning),
        None => (signal_orphans(&target.service, instances, args)?, None),
    };
    let title = title(name, instances);
    if sent == 0 {
        if target.by_pattern {
            return Ok(None);
        }
        let error = CliError::new(ExitCode::WrongState, format!("`{title}` is not running, so it takes no signal"));
        return Err(error.hint(format!("`resume start {title}` starts it")));
    }
    let whom = match sent {
        1 => format!("`{title}`"),
        sent => format!("{sent} processes of `{title}`"),
    };
    let data = Out { name, instances, result: "signalled", signal: args.signal, sent };
    Ok(Some(Done::new(format!("sent {} to {whom}", args.signal), &data).warning(warning)))
}

#[derive(Serialize)]
struct Out<'a> {
    name: &'a ServiceName,
    #[serde(skip_serializing_if = "Option::is_none")]
    instances: Option<&'a [u32]>,
    result: &'static str,
    signal: Signal,
    sent: usize,
}

/// Signals what lives of a service whose supervisor is gone: to bring another is not what was asked for. Each process is
/// held and its identity checked first.
fn signal_orphans(service: &Service, instances: Option<&[u32]>, args: &SignalArgs) -> Result<usize> {
    let asked = |index: u32| instances.is_none_or(|instances| instances.contains(&index));
    let mut sent = 0;
    for instance in service.instances.iter().filter(|instance| asked(instance.index)) {
        let Some(process) = &instance.process else { continue };
        let identity = Identity { pid: process.pid, start_ticks: process.start_ticks };
        let failed = |error: io::Error| {
            CliError::failed(format!("cannot signal `{}` (pid {}): {}", service.name, process.pid, describe(&error)))
        };
        let Some(main) = Process::open(&identity).map_err(failed)? else { continue };
        // Those below it first: it may end, and what is below it would be below it no longer.
        if args.tree {
            sent += signal_descendants(process.pid, args.signal.number(), &mut |_| false).len();
        }
        main.signal(args.signal.number()).map_err(failed)?;
        sent += 1;
    }
    Ok(sent)
}

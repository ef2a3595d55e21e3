//! `resume stop`: down, and the whole process tree gone.

use std::time::Duration;

use resume_client::discover::{Discovery, Service};
use resume_client::offline::Held;
use resume_client::request::{self, Answer, AskError};
use resume_client::selector::Target;
use resume_client::services::Services;
use resume_core::name::ServiceName;
use resume_core::spec::Desired;
use resume_core::status::StateWord;
use resume_core::units::format_duration;
use resume_core::wire::{Call, Killed, StopParameters, StopReply};
use serde::Serialize;

use crate::args::StopArgs;
use crate::context::Context;
use crate::error::{CliError, Result};
use crate::exit_code::ExitCode;
use crate::outcome::{Done, finish};
use crate::progress::with_progress;
use crate::render::text::harmless;
use crate::start_failure::of_call;
use crate::targets::{choose, title};

/// How often a service is looked at again that changes hands under our eyes.
const MAX_LOOKS: usize = 20;
/// How long a supervisor has to leave after the stop of its service.
const TO_LEAVE: Duration = Duration::from_secs(5);

pub(crate) fn stop(context: &Context, args: &StopArgs) -> Result<ExitCode> {
    let services = context.home()?.open()?;
    let chosen = choose(services.as_ref(), &args.selectors)?;
    let outcomes = with_progress(context, "stopping", &chosen.targets, |target| match &services {
        Some(services) => stop_target(context, services, target),
        None => Ok(None),
    });
    finish(context, outcomes.into_iter().chain(chosen.failures.into_iter().map(Err)).collect())
}

fn stop_target(context: &Context, services: &Services, target: &Target) -> Result<Option<Done>> {
    let (name, instances) = (&target.service.name, target.instances.as_deref());
    context.warn_of(&target.service);
    let title = title(name, instances);
    if is_stopped(&target.service, instances) {
        let done = Done::new(
            format!("`{title}` is stopped already"),
            &Out { name, instances, result: "already-stopped", killed: &[] },
        );
        return Ok((!target.by_pattern).then_some(done));
    }
    let stopped = |killed: &[Killed]| {
        let sentence = format!("stopped `{title}`{}", had_to_kill(services, name, killed));
        Done::new(sentence, &Out { name, instances, result: "stopped", killed })
    };
    match take_down(services, name, instances, &stop_call(instances))? {
        Down::Answered(answer) => Ok(Some(stopped(&answer.reply.killed).warning(answer.warning))),
        Down::Held(held) => {
            held.mark_stopped()?;
            Ok(Some(stopped(&[])))
        }
        Down::ByItself => Ok(Some(stopped(&[]))),
        Down::Forgotten => {
            Err(CliError::new(ExitCode::NoSuchService, format!("there is no service `{name}` any more")))
        }
    }
}

fn stop_call(instances: Option<&[u32]>) -> Call {
    Call::Stop(StopParameters { instances: instances.map(<[u32]>::to_vec), now: false })
}

/// Whether all that is asked for is down by a person's wish already.
fn is_stopped(service: &Service, instances: Option<&[u32]>) -> bool {
    let asked = |index: u32| instances.is_none_or(|instances| instances.contains(&index));
    let mut states = service.instances.iter().filter(|instance| asked(instance.index));
    let stopped = states.all(|instance| instance.state == StateWord::Stopped && instance.desired == Desired::Down);
    stopped && (instances.is_some() || service.desired == Desired::Down)
}

/// How a service came down.
#[derive(Debug)]
pub(crate) enum Down {
    /// Its supervisor did what was asked.
    Answered(Answer<StopReply>),
    /// Nobody looks after it, nothing of it runs, and we hold it.
    Held(Held),
    /// What was asked of some instances only was true already.
    ByItself,
    /// It is no more.
    Forgotten,
}

/// Has a service, or some of its instances, brought down by its supervisor; where it has none and needs none, holds it.
pub(crate) fn take_down(
    services: &Services,
    name: &ServiceName,
    instances: Option<&[u32]>,
    call: &Call,
) -> Result<Down> {
    let failed = |error| of_call(services, name, "cannot stop", error);
    for _ in 0..MAX_LOOKS {
        let Some(service) = Discovery::new(services).one(name) else { return Ok(Down::Forgotten) };
        // What outlived its supervisor, the program or what that left behind, is ended by a new one, which takes it over
        // first.
        let lost = service.is_alive() || service.state() == StateWord::Lost;
        let asked = match (service.supervised, lost) {
            (false, false) => Ok(None),
            (false, true) => request::ask(services, name, call, None).map(Some),
            (true, _) => request::ask_living(services, name, call, None),
        };
        match asked {
            Ok(Some(answer)) => return Ok(Down::Answered(answer)),
            Ok(None) => (),
            Err(AskError::NoSuchService(_)) => return Ok(Down::Forgotten),
            // Whether it did its work before it went is seen from what is left.
            Err(error @ AskError::WentAway(_)) => {
                let now = Discovery::new(services).one(name);
                if now.is_some_and(|now| !now.supervised && !now.state().is_down()) {
                    return Err(failed(error));
                }
            }
            Err(error) => return Err(failed(error)),
        }
        if instances.is_some() {
            return Ok(Down::ByItself);
        }
        match Held::take(services, name) {
            Ok(Some(held)) => return Ok(Down::Held(held)),
            Ok(None) => (),
            Err(resume_client::offline::OfflineError::NoSuchService(_)) => return Ok(Down::Forgotten),
            Err(error) => return Err(CliError::from(error).while_(&format!("cannot stop `{name}`"))),
        }
    }
    Err(CliError::failed(format!("cannot stop `{name}`: others start it again and again")))
}

/// Stops a service and holds it, so that nobody can start it.
pub(crate) fn bring_down(services: &Services, name: &ServiceName) -> Result<Held> {
    let held = match take_down(services, name, None, &stop_call(None))? {
        Down::Held(held) => Some(held),
        Down::Answered(_) | Down::ByItself => Held::take_within(services, name, TO_LEAVE)?,
        Down::Forgotten => None,
    };
    held.ok_or_else(|| CliError::failed(format!("cannot stop `{name}`: others start or forget it at the same time")))
}

#[derive(Serialize)]
struct Out<'a> {
    name: &'a ServiceName,
    #[serde(skip_serializing_if = "Option::is_none")]
    instances: Option<&'a [u32]>,
    result: &'a str,
    killed: &'a [Killed],
}

/// What is said of processes that did not end when they were asked to.
pub(crate) fn had_to_kill(services: &Services, name: &ServiceName, killed: &[Killed]) -> String {
    if killed.is_empty() {
        return String::new();
    }
    let processes = killed.iter().map(|killed| match killed.name.as_str() {
        "" => format!("pid {}", killed.pid),
        name => format!("`{}` (pid {})", harmless(name), killed.pid),
    });
    let processes: Vec<_> = processes.collect();
    let spec = Discovery::new(services).spec(name);
    let limit = spec.map(|spec| format!(" in {}", format_duration(spec.stop.timeout))).unwrap_or_default();
    format!("; what did not end{limit} was killed: {}", processes.join(", "))
}

//! `resume delete`: stopped and forgotten.

use resume_client::offline::clear_left_behind;
use resume_client::selector::Target;
use resume_client::services::Services;
use resume_core::name::ServiceName;
use resume_core::wire::{Call, DeleteParameters, Killed};
use serde::Serialize;

use super::stop::{Down, had_to_kill, take_down};
use crate::args::DeleteArgs;
use crate::context::Context;
use crate::error::{CliError, Result};
use crate::exit_code::ExitCode;
use crate::outcome::{Done, finish};
use crate::progress::with_progress;
use crate::targets::choose;

pub(crate) fn delete(context: &Context, args: &DeleteArgs) -> Result<ExitCode> {
    let services = context.home()?.open()?;
    let chosen = choose(services.as_ref(), &args.selectors)?;
    let outcomes = with_progress(context, "deleting", &chosen.targets, |target| match &services {
        Some(services) => delete_target(services, target, args.keep_logs).map(Some),
        None => Ok(None),
    });
    if let Some(services) = &services {
        clear_left_behind(services);
    }
    finish(context, outcomes.into_iter().chain(chosen.failures.into_iter().map(Err)).collect())
}

fn delete_target(services: &Services, target: &Target, keep_logs: bool) -> Result<Done> {
    let name = &target.service.name;
    if target.instances.is_some() && target.service.instances.len() > 1 {
        return Err(CliError::usage(format!("an instance of `{name}` cannot be deleted, only the whole service"))
            .hint(format!("`resume delete {name}` deletes it with all its instances")));
    }
    let killed = match take_down(services, name, None, &Call::Delete(DeleteParameters { keep_logs }))? {
        Down::Answered(answer) => answer.reply.killed,
        Down::Held(held) => {
            held.delete(services, keep_logs)?;
            Vec::new()
        }
        // Somebody else was quicker; the wish is fulfilled.
        Down::Forgotten | Down::ByItself => Vec::new(),
    };
    Ok(deleted(services, name, &killed, keep_logs))
}

fn deleted(services: &Services, name: &ServiceName, killed: &[Killed], keep_logs: bool) -> Done {
    #[derive(Serialize)]
    struct Out<'a> {
        name: &'a ServiceName,
        result: &'static str,
        killed: &'a [Killed],
        #[serde(skip_serializing_if = "Option::is_none")]
        log_dir: Option<String>,
    }
    let log = keep_logs.then(|| services.directory(name).join(resume_core::layout::LOG).display().to_string());
    let kept = log.as_ref().map(|log| format!("; its log is left in `{log}`")).unwrap_or_default();
    let sentence = format!("deleted `{name}`{kept}{}", had_to_kill(services, name, killed));
    Done::new(sentence, &Out { name, result: "deleted", killed, log_dir: log })
}

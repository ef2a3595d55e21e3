//! Having a small thing done to a service: by its supervisor, or by ourselves where it has none.

use resume_client::offline::{Held, OfflineError};
use resume_client::request::{self, Answer};
use resume_client::services::Services;
use resume_core::name::ServiceName;
use resume_core::wire::Call;
use serde::Deserialize;

use crate::error::{CliError, Result};
use crate::exit_code::ExitCode;
use crate::start_failure::of_call;

/// How often a service is looked at again that changes hands under our eyes.
const MAX_LOOKS: usize = 20;

/// Who does it.
#[derive(Debug)]
pub(crate) enum Reached<P> {
    /// Its supervisor has.
    Answered(Answer<P>),
    /// It has none; nobody else can change it while we hold it.
    Held(Held),
}

/// Asks the supervisor of a service; where it has none, holds the service. `what` is the verb, as in `cannot reset`.
pub(crate) fn reach<P: for<'a> Deserialize<'a>>(
    services: &Services,
    name: &ServiceName,
    call: &Call,
    what: &str,
) -> Result<Reached<P>> {
    for _ in 0..MAX_LOOKS {
        let asked = request::ask_living(services, name, call, None);
        if let Some(answer) = asked.map_err(|error| of_call(services, name, what, error))? {
            return Ok(Reached::Answered(answer));
        }
        match Held::take(services, name) {
            Ok(Some(held)) => return Ok(Reached::Held(held)),
            Ok(None) => (),
            Err(error @ OfflineError::NoSuchService(_)) => return Err(error.into()),
            Err(error) => return Err(CliError::from(error).while_(&format!("{what} `{name}`"))),
        }
    }
    let message = format!("{what} `{name}`: it changes hands again and again");
    Err(CliError::new(ExitCode::Failed, message).hint("try again"))
}

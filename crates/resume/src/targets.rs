//! From the words of a selector to services, and what is said of words that match nothing.

use std::io;

use resume_client::discover::{Discovery, Service};
use resume_client::home::describe;
use resume_client::selector::{InvalidGlob, Selection, Selector, Target, nearest, select};
use resume_client::services::Services;
use resume_core::name::ServiceName;

use crate::error::{CliError, Result};
use crate::exit_code::ExitCode;

/// What was selected, and what could not be.
#[derive(Debug)]
pub(crate) struct Chosen {
    pub(crate) targets: Vec<Target>,
    pub(crate) failures: Vec<CliError>,
}

/// Selects by `words` from the services of a home, of which there may be none yet. A broken pattern is an error of all.
pub(crate) fn choose(services: Option<&Services>, words: &[String]) -> Result<Chosen> {
    let selectors = words.iter().map(|word| Ok((word.clone(), Selector::parse(word)?)));
    let selectors: Vec<(String, Selector)> = selectors.collect::<std::result::Result<_, InvalidGlob>>()?;
    let found = match services {
        Some(services) => candidates(services, &selectors)?,
        None => Vec::new(),
    };
    let selection = select(&selectors, found);
    let failures = failures(&selection, services);
    Ok(Chosen { targets: selection.targets, failures })
}

/// All services of a home.
pub(crate) fn all(services: &Services) -> Result<Vec<Service>> {
    Discovery::new(services).all().map_err(|error| unlisted(services, &error))
}

/// The services that the selectors can match: where all are names, no others are looked at.
fn candidates(services: &Services, selectors: &[(String, Selector)]) -> Result<Vec<Service>> {
    let names: Option<Vec<_>> = selectors.iter().map(|(_, selector)| selector.name()).collect();
    let Some(mut names) = names else { return all(services) };
    names.sort_unstable();
    names.dedup();
    let discovery = Discovery::new(services);
    Ok(names.into_iter().filter_map(|name| discovery.one(name)).collect())
}

fn failures(selection: &Selection, services: Option<&Services>) -> Vec<CliError> {
    let missing = selection.missing.iter().map(|word| no_such_service(word, services));
    let instances = selection.missing_instances.iter().map(|(name, index)| {
        let error = CliError::new(ExitCode::NoSuchService, format!("`{name}` has no instance {index}"));
        error.hint(format!("`resume ls --instances {name}` lists those that it has"))
    });
    missing.chain(instances).collect()
}

/// What is said of a word that matches nothing.
pub(crate) fn no_such_service(word: &str, services: Option<&Services>) -> CliError {
    if !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit()) {
        let message = format!("no service has a program or a supervisor with the pid {word}");
        return CliError::new(ExitCode::NoSuchService, message).hint("`resume ls` lists the services and their pids");
    }
    let error = CliError::new(ExitCode::NoSuchService, format!("there is no service `{word}`"));
    let names = services.and_then(|services| services.names().ok()).unwrap_or_default();
    match nearest(word, names.iter().map(AsRef::as_ref)) {
        Some(name) => error.hint(format!("did you mean `{name}`?")),
        None if names.is_empty() => error.hint("there are no services yet; `resume start PROGRAM` makes one"),
        None => error.hint("`resume ls` lists the services"),
    }
}

/// How what was selected of a service is called: `web`, `web:1`, `web:0,1`.
pub(crate) fn title(name: &ServiceName, instances: Option<&[u32]>) -> String {
    let Some(instances) = instances else { return name.to_string() };
    let numbers: Vec<String> = instances.iter().map(u32::to_string).collect();
    format!("{name}:{}", numbers.join(","))
}

fn unlisted(services: &Services, error: &io::Error) -> CliError {
    CliError::failed(format!("listing the services in `{}`: {}", services.home().display(), describe(error)))
}

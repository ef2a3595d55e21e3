//! `resume start`: a new service, or services that are down.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use resume_client::discover::{Discovery, Service};
use resume_client::offline::{Held, persist};
use resume_client::selector::{Selector, Target};
use resume_client::services::Services;
use resume_core::name::ServiceName;
use resume_core::spec::Spec;
use resume_core::status::StateWord;

use crate::args::{StartArgs, WaitOptions};
use crate::bring_up::BringUp;
use crate::context::Context;
use crate::error::{CliError, Result};
use crate::exit_code::ExitCode;
use crate::new_service::{Wanted, find_known, make, name_for, no_room, understand};
use crate::outcome::{Done, finish};
use crate::progress::with_progress;
use crate::targets::{choose, no_such_service, title};

/// How often a name is looked at again that others make and forget under our eyes.
const MAX_LOOKS: usize = 20;

/// What the words of `start` are.
#[derive(Debug, PartialEq, Eq)]
enum Words {
    Program,
    Selectors(Vec<String>),
}

pub(crate) fn start(context: &Context, args: &StartArgs) -> Result<ExitCode> {
    let home = context.home()?;
    let services = home.open()?;
    match take_words(args, services.as_ref())? {
        Words::Selectors(words) => {
            let chosen = choose(services.as_ref(), &words)?;
            let services = services.as_ref();
            let outcomes = with_progress(context, "starting", &chosen.targets, |target| match services {
                Some(services) => start_target(context, services, target, args.wait),
                None => Ok(None),
            });
            finish(context, outcomes.into_iter().chain(chosen.failures.into_iter().map(Err)).collect())
        }
        Words::Program => {
            let words: Vec<OsString> = args.words.iter().chain(&args.rest).cloned().collect();
            let wanted = understand(&words, &args.service, false);
            let wanted = wanted.map_err(|error| as_start_failure(error, &words, args))?;
            let doing = format!("cannot start `{}`", wanted.spec.name);
            let services = home.create().map_err(|error| CliError::from(error).while_(&doing))?;
            let done = start_program(context, &services, wanted, args)?;
            finish(context, vec![Ok(Some(done))])
        }
    }
}

/// Decides what the words are, as the contract has it.
fn take_words(args: &StartArgs, services: Option<&Services>) -> Result<Words> {
    let Some(first) = args.words.first() else {
        if args.rest.is_empty() {
            return Err(CliError::usage("`resume start` needs to know what").hint(
                "a program, as in `resume start ./server.js`, or a service that is down, as in `resume start web`",
            ));
        }
        return Ok(Words::Program);
    };
    let is_file = first.as_encoded_bytes().contains(&b'/') || Path::new(first).is_file();
    // Arguments behind `--` can be no selectors, so the word before them is a program's.
    if is_file || !args.rest.is_empty() || args.service.is_any_given() {
        return Ok(Words::Program);
    }
    if let Some(text) = first.to_str()
        && matches_something(text, services)?
    {
        let words = args.words.iter().map(|word| word.to_str().map(str::to_owned));
        let words: Option<Vec<String>> = words.collect();
        return words.map(Words::Selectors).ok_or_else(|| CliError::usage("a selector is not valid UTF-8"));
    }
    if is_on_path(first) {
        return Ok(Words::Program);
    }
    let word = first.to_string_lossy();
    let mut error = no_such_service(&word, services);
    error.message += ", and no program of this name is found on PATH";
    Err(error.hint("a program that is a file is named by its path, as in `./server.js`"))
}

/// Whether a word selects services; a pattern does, even if there are none.
fn matches_something(word: &str, services: Option<&Services>) -> Result<bool> {
    if Selector::parse(word)?.is_pattern() {
        return Ok(true);
    }
    let chosen = choose(services, &[word.to_owned()])?;
    // A service whose instance is missing was found.
    let found = services.is_some_and(|services| {
        let name = word.split(':').next().and_then(|name| ServiceName::new(name).ok());
        name.is_some_and(|name| Discovery::new(services).one(&name).is_some())
    });
    Ok(found || !chosen.targets.is_empty())
}

fn is_on_path(word: &OsStr) -> bool {
    let path = std::env::var_os("PATH");
    std::env::current_dir().is_ok_and(|cwd| resume_sys::spawn::resolve_program(word, path.as_deref(), &cwd).is_ok())
}

/// What `run` says by its exit code is a plain failure of `start`.
fn as_start_failure(mut error: CliError, words: &[OsString], args: &StartArgs) -> CliError {
    if !matches!(error.code, ExitCode::CannotExecute | ExitCode::ProgramNotFound) {
        return error;
    }
    error.code = ExitCode::Failed;
    let name = name_for(words, &args.service);
    error.while_(&format!("cannot start `{name}`"))
}

/// Starts a program as a new service, or the service that runs it already.
fn start_program(context: &Context, services: &Services, mut wanted: Wanted, args: &StartArgs) -> Result<Done> {
    for _ in 0..MAX_LOOKS {
        let known = find_known(services, &wanted)?;
        let Some(known) = known else {
            let made = make(services, &mut wanted);
            let doing = || format!("cannot start `{}`", wanted.spec.name);
            let Some(held) = made.map_err(|error| error.while_(&doing()))? else { continue };
            let name = held.name().clone();
            // A supervisor takes it from here.
            drop(held);
            let done = BringUp { services, name: &name, instances: None, wait: args.wait }.start(true);
            persist(services, &name).map_err(no_room)?;
            return done;
        };
        context.warn_of(&known);
        if args.service.replace && wanted.named {
            replace(services, &known, &wanted.spec)?;
            return BringUp { services, name: &known.name, instances: None, wait: args.wait }.start(false);
        }
        if wanted.named {
            return Err(taken(&known));
        }
        if !known.state().is_down() {
            return Err(already(&known));
        }
        // With options it is what they say from now on; without, it is what it was.
        if args.service.is_any_given() {
            wanted.spec.name = known.name.clone();
            replace(services, &known, &wanted.spec)?;
        }
        return BringUp { services, name: &known.name, instances: None, wait: args.wait }.start(false);
    }
    Err(CliError::failed(format!("`{}` is made and forgotten by others, again and again", wanted.spec.name)))
}

pub(crate) fn taken(known: &Service) -> CliError {
    let (name, state) = (&known.name, known.state());
    let verb = if state.is_down() { "start" } else { "restart" };
    let message = format!("there is a service `{name}` already; it is {}", state.as_str());
    CliError::new(ExitCode::WrongState, message).hint(format!(
        "`resume {verb} {name}` {verb}s it, `--replace` puts this in its place, another `--name` leaves it"
    ))
}

pub(crate) fn already(known: &Service) -> CliError {
    let (name, state) = (&known.name, known.state().as_str());
    let pid = known.first().and_then(|instance| instance.process.as_ref());
    let pid = pid.map(|process| format!(" (pid {})", process.pid)).unwrap_or_default();
    CliError::new(ExitCode::WrongState, format!("this is the service `{name}`, which is {state}{pid} already"))
        .hint(format!("`resume restart {name}` restarts it; a `--name` of its own makes another service of it"))
}

/// Puts another spec in the place of a service's, which is stopped for it, and leaves it down.
pub(crate) fn replace(services: &Services, known: &Service, spec: &Spec) -> Result<()> {
    hold(services, known, spec).map(drop)
}

/// The same, and holds the service.
pub(crate) fn hold(services: &Services, known: &Service, spec: &Spec) -> Result<Held> {
    let held = super::stop::bring_down(services, &known.name)?;
    held.write_spec(spec).map_err(no_room)?;
    Ok(held)
}

/// Starts what one target names, unless it is passed over.
fn start_target(context: &Context, services: &Services, target: &Target, wait: WaitOptions) -> Result<Option<Done>> {
    let (service, name) = (&target.service, &target.service.name);
    context.warn_of(service);
    let asked = |index: u32| target.instances.as_ref().is_none_or(|instances| instances.contains(&index));
    let states: Vec<_> = service.instances.iter().filter(|instance| asked(instance.index)).map(|i| i.state).collect();
    if states.iter().all(|state| matches!(state, StateWord::Running | StateWord::Starting)) {
        if target.by_pattern {
            return Ok(None);
        }
        let title = title(name, target.instances.as_deref());
        let state = states.iter().min().map_or("running", |state| state.as_str());
        return Err(CliError::new(ExitCode::WrongState, format!("`{title}` is {state} already"))
            .hint(format!("`resume restart {title}` stops it first")));
    }
    BringUp { services, name, instances: target.instances.as_deref(), wait }.start(false).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::{Parsed, parse};
    use resume_client::home::{Home, Sources};

    /// A home with the services `web` and `7up`.
    fn services() -> (tempfile::TempDir, Services) {
        let folder = tempfile::tempdir().unwrap();
        let sources = Sources { option: Some(folder.path().join("home")), ..Sources::default() };
        let services = Home::locate(sources).unwrap().create().unwrap();
        for name in ["web", "sh"] {
            let text = format!(
                r#"{{"version":1,"name":"{name}","desired":"down","command":["x"],"cwd":"/","environment":[]}}"#
            );
            drop(resume_client::offline::create(&services, &Spec::parse(text.as_bytes()).unwrap()).unwrap());
        }
        (folder, services)
    }

    fn words(line: &[&str]) -> std::result::Result<Words, (ExitCode, String)> {
        let (_folder, services) = services();
        let line = line.iter().map(OsString::from).collect();
        let Ok(Parsed::Arguments(args)) = parse::<StartArgs>(line) else { panic!("not parsed") };
        take_words(&args, Some(&services)).map_err(|error| (error.code, error.message))
    }

    #[track_caller]
    fn check_selectors(line: &[&str], selectors: &[&str]) {
        let selectors = selectors.iter().map(ToString::to_string).collect();
        assert_eq!(words(line), Ok(Words::Selectors(selectors)));
    }

    #[test]
    fn a_word_that_names_a_service_is_a_selector_and_so_are_all_others() {
        check_selectors(&["web"], &["web"]);
        check_selectors(&["web", "nope", "./x"], &["web", "nope", "./x"]);
        check_selectors(&["web:0"], &["web:0"]);
        check_selectors(&["--no-wait", "web"], &["web"]);
        // A service comes before the program of the same name on PATH.
        check_selectors(&["sh"], &["sh"]);
    }

    #[test]
    fn a_pattern_is_a_selector_even_over_nothing() {
        for pattern in ["all", "@nobody", "x*"] {
            check_selectors(&[pattern], &[pattern]);
        }
        assert_eq!(words(&["x["]).unwrap_err().0, ExitCode::Usage);
    }

    #[test]
    fn a_program_has_a_slash_or_is_a_file_or_stands_behind_dashes_or_beside_an_option() {
        // The tests run in the folder of this package.
        for line in [
            &["./web"][..],
            &["Cargo.toml"],
            &["--", "web"],
            &["web", "--", "-v"],
            &["web", "--name", "other"],
            &["--env", "A=1", "web"],
            &["cat"],
        ] {
            assert_eq!(words(line), Ok(Words::Program), "{line:?}");
        }
    }

    #[test]
    fn a_word_that_is_neither_is_no_such_service() {
        let (code, message) = words(&["wbe"]).unwrap_err();
        assert_eq!(code, ExitCode::NoSuchService);
        assert_eq!(message, "there is no service `wbe`, and no program of this name is found on PATH");
        assert_eq!(words(&["4711"]).unwrap_err().0, ExitCode::NoSuchService);
        assert_eq!(words(&[]).unwrap_err().0, ExitCode::Usage);
    }
}

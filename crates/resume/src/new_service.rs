//! From what was typed to the spec of a service, and the service of that spec.

use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use resume_client::discover::{Discovery, Service};
use resume_client::home::describe;
use resume_client::offline::{Held, OfflineError, clear_left_behind, create};
use resume_client::services::Services;
use resume_core::name::ServiceName;
use resume_core::os_text::OsText;
use resume_core::spec::{Desired, LogPolicy, RestartPolicy, Spec, StopPolicy, VERSION};

use crate::args::ServiceOptions;
use crate::environment::Environment;
use crate::error::{CliError, Result};
use crate::exit_code::ExitCode;
use crate::program::{self, Place, Program};
use crate::targets;

/// What a person wants to run, understood and checked; nothing is made yet.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    /// Under the name that was given, or else the first that would do.
    pub(crate) spec: Spec,
    /// Whether the name was given.
    pub(crate) named: bool,
}

/// Reads the options and the words of a program.
pub(crate) fn understand(words: &[OsString], options: &ServiceOptions, foreground: bool) -> Result<Wanted> {
    let environment = Environment::for_service(options)?;
    let (cwd, shell) = directories(options.cwd.as_deref())?;
    let interpreter = options.interpreter.as_ref().map(|interpreter| interpreter.0.as_slice());
    let place = Place { cwd: &cwd, shell: &shell, path: environment.get("PATH") };
    let Program { command, interpreter } = program::find(words, interpreter, place)?;
    let spec = Spec {
        version: VERSION,
        name: name_for(words, options),
        // In the background, its supervisor makes it up when it starts it: until then it is what it is, down.
        desired: if foreground { Desired::Up } else { Desired::Down },
        command,
        interpreter,
        cwd: cwd.as_path().into(),
        environment: environment.into_texts(),
        umask: resume_sys::inherit::umask().unwrap_or(0o022),
        group: options.group.clone(),
        foreground,
        instances: options.instances.unwrap_or(1),
        restart: restart_policy(options),
        stop: stop_policy(options),
        log: options.log_max_size.map_or_else(LogPolicy::default, |max_size| LogPolicy { max_size }),
    };
    Ok(Wanted { spec, named: options.name.is_some() })
}

/// The name that was given, or the stem of the program's file, cleaned.
pub(crate) fn name_for(words: &[OsString], options: &ServiceOptions) -> ServiceName {
    let stem = words.first().and_then(|word| Path::new(word).file_stem()).unwrap_or_default();
    options.name.clone().unwrap_or_else(|| ServiceName::clean(&stem.to_string_lossy()))
}

/// Where the program will run, and where the shell is; both absolute.
fn directories(option: Option<&Path>) -> Result<(PathBuf, PathBuf)> {
    let shell = std::env::current_dir();
    let cwd = match (option, &shell) {
        (Some(option), _) if option.is_absolute() => option.to_owned(),
        (Some(option), Ok(shell)) => shell.join(option),
        (None, Ok(shell)) => shell.clone(),
        (_, Err(error)) => {
            return Err(CliError::failed(format!("finding the current directory: {}", describe(error)))
                .hint("it may have been removed; `cd` to another, or give an absolute `--cwd DIR`"));
        }
    };
    let unusable = |why: &str| {
        let error = CliError::new(ExitCode::CannotExecute, format!("changing directory to `{}`: {why}", cwd.display()));
        error.hint("`--cwd` says where the program runs")
    };
    match cwd.metadata() {
        Err(error) => return Err(unusable(&describe(&error))),
        Ok(metadata) if !metadata.is_dir() => return Err(unusable("not a directory")),
        Ok(_) => (),
    }
    let cwd: PathBuf = cwd.components().filter(|component| *component != Component::CurDir).collect();
    let shell = shell.unwrap_or_else(|_| cwd.clone());
    Ok((cwd, shell))
}

fn restart_policy(options: &ServiceOptions) -> RestartPolicy {
    let default = RestartPolicy::default();
    let (backoff_min, backoff_max) = options.backoff.unwrap_or((default.backoff_min, default.backoff_max));
    let codes = &options.success_codes;
    RestartPolicy {
        on: options.restart.unwrap_or(default.on),
        success_codes: if codes.is_empty() { default.success_codes } else { codes.clone() },
        max_restarts: options.max_restarts.unwrap_or(default.max_restarts),
        min_uptime: options.min_uptime.unwrap_or(default.min_uptime),
        backoff_min,
        backoff_max,
    }
}

fn stop_policy(options: &ServiceOptions) -> StopPolicy {
    let default = StopPolicy::default();
    StopPolicy {
        signal: options.stop_signal.unwrap_or(default.signal),
        timeout: options.stop_timeout.unwrap_or(default.timeout),
    }
}

/// The service that there is already: of the name that was given or, without one, of the same program.
pub(crate) fn find_known(services: &Services, wanted: &Wanted) -> Result<Option<Service>> {
    if wanted.named {
        return Ok(Discovery::new(services).one(&wanted.spec.name));
    }
    find_same(services, &wanted.spec)
}

/// The service that runs the same program with the same arguments in the same place: the one of the same name first,
/// then one that is down, then any.
fn find_same(services: &Services, spec: &Spec) -> Result<Option<Service>> {
    let discovery = Discovery::new(services);
    let mut same: Vec<Service> = targets::all(services)?;
    // By the state first, which is read already; then by the spec, which knows what is the program.
    same.retain(|service| service.cwd == spec.cwd && service.command.len() == spec.argv().count());
    same.retain(|service| discovery.spec(&service.name).is_ok_and(|other| is_same_program(&other, spec)));
    Ok(same.into_iter().min_by_key(|service| (service.name != spec.name, !service.state().is_down())))
}

fn is_same_program(one: &Spec, other: &Spec) -> bool {
    let file = |spec: &Spec| spec.command.first().map(|word| file_of(word, spec.cwd.as_path()));
    let arguments = |spec: &Spec| spec.command.iter().skip(1).cloned().collect::<Vec<OsText>>();
    one.cwd == other.cwd
        && one.interpreter == other.interpreter
        && file(one) == file(other)
        && arguments(one) == arguments(other)
}

/// The path that a program's word means, `.` taken out; a word without a slash is the same only as itself.
fn file_of(word: &OsText, cwd: &Path) -> PathBuf {
    cwd.join(word.as_path()).components().collect()
}

/// Makes a service of this spec. A name that was not given is numbered until one is free.
///
/// Where another process makes a service of the same name at the same time, `Ok(None)` asks to look again.
pub(crate) fn make(services: &Services, wanted: &mut Wanted) -> Result<Option<Held>> {
    if !wanted.named {
        clear_left_behind(services);
        wanted.spec.name = free_name(services, &wanted.spec.name)?;
    }
    match create(services, &wanted.spec) {
        Ok(held) => Ok(Some(held)),
        Err(OfflineError::Exists(_) | OfflineError::NoSuchService(_)) => Ok(None),
        Err(error) => Err(no_room(error)),
    }
}

/// The name itself, or with the lowest number behind it that is free.
fn free_name(services: &Services, name: &ServiceName) -> Result<ServiceName> {
    let taken = services
        .names()
        .map_err(|error| CliError::failed(format!("listing `{}`: {}", services.home().display(), describe(&error))))?;
    let free = |name: &ServiceName| taken.binary_search(name).is_err();
    if free(name) {
        return Ok(name.clone());
    }
    let mut numbered = (2_u64..).map(|number| name.numbered(number));
    Ok(numbered.find(free).unwrap_or_else(|| name.clone()))
}

/// What is said if the files of a service cannot be written.
pub(crate) fn no_room(error: OfflineError) -> CliError {
    CliError::from(error).hint("choose another place for services with `--home DIR` or `RESUME_HOME`")
}

#[cfg(test)]
mod tests {
    use super::*;
    use resume_client::home::{Home, Sources};

    fn spec(command: &[&str], cwd: &str) -> Spec {
        let text = br#"{"version":1,"name":"web","desired":"up","command":["x"],"cwd":"/","environment":[]}"#;
        let command = command.iter().map(|word| (*word).into()).collect();
        Spec { command, cwd: cwd.into(), ..Spec::parse(text).unwrap() }
    }

    #[test]
    fn the_same_program_is_the_same_however_its_path_is_written() {
        let one = spec(&["./a.js", "1"], "/srv");
        assert!(is_same_program(&one, &spec(&["a.js", "1"], "/srv")));
        assert!(is_same_program(&one, &spec(&["/srv/a.js", "1"], "/srv")));
        assert!(!is_same_program(&one, &spec(&["./a.js", "2"], "/srv")));
        assert!(!is_same_program(&one, &spec(&["./a.js", "1"], "/")));
        assert!(!is_same_program(&one, &Spec { interpreter: vec!["node".into()], ..one.clone() }));
    }

    #[test]
    fn a_service_is_named_after_the_programs_file() {
        for (word, name) in
            [("./a/server.test.js", "server.test"), ("node", "node"), ("/x/my app.py", "my-app"), ("..", "service")]
        {
            assert_eq!(name_for(&[word.into()], &ServiceOptions::default()).as_str(), name);
        }
    }

    #[test]
    fn options_that_are_not_given_have_their_defaults() {
        let spec = understand(&["/bin/sh".into()], &ServiceOptions::default(), false).unwrap().spec;
        assert_eq!(spec.restart, RestartPolicy::default());
        assert_eq!((spec.stop, spec.log), (StopPolicy::default(), LogPolicy::default()));
        assert_eq!((spec.name.as_str(), spec.instances, spec.foreground), ("sh", 1, false));
        let codes = ServiceOptions { success_codes: vec![3], ..ServiceOptions::default() };
        assert_eq!(restart_policy(&codes).success_codes, [3]);
    }

    #[test]
    fn a_directory_that_is_not_there_is_named_before_the_program() {
        let options = ServiceOptions { cwd: Some("/nonexistent".into()), ..ServiceOptions::default() };
        let error = understand(&["nope".into()], &options, false).unwrap_err();
        assert_eq!(error.message, "changing directory to `/nonexistent`: no such file or directory");
        let file = ServiceOptions { cwd: Some("/etc/passwd".into()), ..ServiceOptions::default() };
        assert!(understand(&["sh".into()], &file, false).unwrap_err().message.ends_with(": not a directory"));
    }

    #[test]
    fn a_name_that_was_not_given_is_numbered() {
        let folder = tempfile::tempdir().unwrap();
        let sources = Sources { option: Some(folder.path().join("home")), ..Sources::default() };
        let services = Home::locate(sources).unwrap().create().unwrap();
        let mut names = Vec::new();
        for named in [false, false, false, true] {
            let mut wanted = Wanted { spec: spec(&["x"], "/"), named };
            names.push(make(&services, &mut wanted).unwrap().map(|held| held.name().to_string()));
        }
        let numbered = ["web", "web-2", "web-3"].map(|name| Some(name.to_owned()));
        assert_eq!(names[..3], numbered);
        assert_eq!(names[3], None);
    }
}

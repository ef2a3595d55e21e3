//! What is said of a service that did not come up.

use resume_client::request::AskError;
use resume_client::services::Services;
use resume_core::layout;
use resume_core::name::ServiceName;
use resume_core::status::StateWord;
use resume_core::wire::{CallError, NoReply, SpawnFailed, StartFailed};
use resume_logstore::{Filter, Reader, RecordStream};

use crate::error::CliError;
use crate::exit_code::ExitCode;

/// How many records of a failed run are shown.
const LAST_WORDS: usize = 10;

/// The error of a call that failed for a service, whatever was asked: `what` is the verb, as in `cannot start`.
pub(crate) fn of_call(services: &Services, name: &ServiceName, what: &str, error: AskError) -> CliError {
    let doing = format!("{what} `{name}`");
    match error {
        AskError::Reply(NoReply::Call(error)) => of_reply(services, name, &doing, error),
        AskError::NoSuchService(_) => CliError::new(ExitCode::NoSuchService, error.to_string()),
        AskError::Spec(error) => CliError::from(error).while_(&doing),
        AskError::WentAway(_) => CliError::failed(error.to_string())
            .while_(&doing)
            .hint(format!("`resume ls {name}` shows what is left; the same command again starts another supervisor")),
        AskError::NoAnswer(_) => CliError::failed(error.to_string())
            .while_(&doing)
            .hint(format!("`resume logs --stream resume {name}` may say why")),
        AskError::Unreachable { .. } => CliError::failed(error.to_string())
            .while_(&doing)
            .hint("if it is stopped, `kill -CONT` with its pid lets it go on"),
        AskError::Launch(_) | AskError::TimedOut | AskError::Reply(NoReply::Json(_)) | AskError::Call(_) => {
            CliError::failed(error.to_string()).while_(&doing)
        }
    }
}

fn of_reply(services: &Services, name: &ServiceName, doing: &str, error: CallError) -> CliError {
    match error {
        CallError::SpawnFailed(failed) => not_spawned(doing, &failed),
        CallError::StartFailed(failed) => not_up(services, name, &failed),
        CallError::NoSuchInstance(index) => {
            CliError::new(ExitCode::NoSuchService, format!("`{name}` has no instance {index}"))
        }
        CallError::MethodNotFound(_)
        | CallError::InterfaceNotFound(_)
        | CallError::InvalidParameter(_)
        | CallError::ExpectedMore => {
            let error = CliError::failed(error.to_string()).while_(doing);
            error.hint("its supervisor is of another version of resume; restarting the service brings the present one")
        }
        CallError::Failed(message) => CliError::failed(message).while_(doing),
    }
}

fn not_spawned(doing: &str, failed: &SpawnFailed) -> CliError {
    of_spawn(doing, &failed.to_string())
}

/// The error of a process that could not be made, and what helps against that cause.
pub(crate) fn of_spawn(doing: &str, cause: &str) -> CliError {
    let error = CliError::failed(cause).while_(doing);
    let interpreter = "say what runs it with `--interpreter`";
    if cause.starts_with("changing directory") {
        error.hint("`--cwd` says where the program runs")
    } else if cause.contains("carriage return") {
        error.hint("the file has the line ends of Windows; `sed -i 's/\\r$//'` makes them those of Linux")
    } else if cause.starts_with("executing the interpreter") {
        error.hint(format!("correct the `#!` line, or {interpreter}"))
    } else if cause.contains("`#!` line") {
        error.hint(format!("give it a first line such as `#!/usr/bin/env node`, or {interpreter}"))
    } else if cause.contains("not executable") {
        error.hint(format!("make it executable with `chmod +x`, or {interpreter}"))
    } else if cause.starts_with("making a process") {
        error.hint("the system may be short of something; try again later")
    } else {
        error
    }
}

/// A run ended instead of coming up: its last words, how it ended, and what follows.
fn not_up(services: &Services, name: &ServiceName, failed: &StartFailed) -> CliError {
    let how = match (failed.code, &failed.signal) {
        (Some(code), _) => format!("it exited with code {code}"),
        (None, Some(signal)) => format!("it was killed by {signal}"),
        (None, None) => "it ended, how is unknown".to_owned(),
    };
    let why = if matches!(failed.reason.as_str(), "exit" | "signal" | "unknown") {
        String::new()
    } else {
        format!(" ({})", failed.reason)
    };
    let (follows, hint) = what_follows(name, failed);
    let error = CliError::failed(format!("`{name}` did not come up: {how}{why}, {follows}"));
    error.details(last_words(services, name, failed)).hint(hint)
}

fn what_follows(name: &ServiceName, failed: &StartFailed) -> (String, String) {
    let log = format!("`resume logs {name}` shows all that it wrote");
    match failed.state.as_str() {
        "failed" => {
            let why = failed.failure.as_ref().map(|why| format!(" after {why}")).unwrap_or_default();
            (format!("and it is given up{why}"), log)
        }
        "exited" => ("and its restart policy leaves it".to_owned(), log),
        "stopped" => ("and it was stopped".to_owned(), log),
        _ => {
            let of = if failed.max_restarts == 0 { String::new() } else { format!(" of {}", failed.max_restarts) };
            let hint = format!("`resume logs -f {name}` follows it, `resume stop {name}` ends it");
            (format!("still being retried, {}{of}", failed.short_runs), hint)
        }
    }
}

/// The last records that the run itself wrote. That they cannot be read hides nothing else.
fn last_words(services: &Services, name: &ServiceName, failed: &StartFailed) -> Vec<String> {
    let log = services.directory(name).join(layout::LOG);
    let filter = Filter { instance: Some(failed.instance), run: Some(failed.run), ..Filter::default() };
    let Ok(records) = Reader::open(&log).and_then(|reader| reader.records(&filter, None)) else { return Vec::new() };
    let written = records.flatten().filter(|record| record.stream != RecordStream::Resume);
    let mut lines: Vec<String> = Vec::new();
    let mut ends = Vec::new();
    for record in written {
        let text = String::from_utf8_lossy(&record.text);
        lines.extend(text.lines().map(str::to_owned));
        ends.push(lines.len());
    }
    let first = ends.len().checked_sub(LAST_WORDS + 1).map_or(0, |before| ends[before]);
    lines.split_off(first)
}

/// What is said if the time that one would wait is over.
pub(crate) fn too_slow(name: &ServiceName, waited: std::time::Duration, state: StateWord) -> CliError {
    let waited = resume_core::units::format_duration(waited);
    let now = if state == StateWord::Starting { "still starting".to_owned() } else { state.as_str().to_owned() };
    CliError::failed(format!("`{name}` is not up after {waited}; it is {now}"))
        .hint(format!("`resume logs -f {name}` follows it; `--wait` waits longer, `--no-wait` not at all"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::Paint;
    use resume_client::home::{Home, Sources};
    use resume_core::exit::{SpawnError, SpawnStep};

    fn text(error: CallError) -> String {
        let folder = tempfile::tempdir().unwrap();
        let sources = Sources { option: Some(folder.path().join("home")), ..Sources::default() };
        let services = Home::locate(sources).unwrap().create().unwrap();
        let name = ServiceName::new("web").unwrap();
        let error = AskError::Reply(NoReply::Call(error));
        of_call(&services, &name, "cannot start", error).to_text(Paint::new(false))
    }

    fn failed(state: &str) -> StartFailed {
        StartFailed {
            instance: 0,
            run: 1,
            state: state.into(),
            code: Some(3),
            signal: None,
            reason: "exit".into(),
            short_runs: 1,
            max_restarts: 16,
            failure: None,
        }
    }

    #[test]
    fn a_program_that_dies_is_said_to_be_retried_with_how_often() {
        assert_eq!(
            text(CallError::StartFailed(failed("backoff"))),
            "error: `web` did not come up: it exited with code 3, still being retried, 1 of 16\n\
             hint: `resume logs -f web` follows it, `resume stop web` ends it\n"
        );
        let endless = StartFailed { max_restarts: 0, code: None, signal: Some("SIGSEGV".into()), ..failed("starting") };
        assert!(text(CallError::StartFailed(endless)).contains("it was killed by SIGSEGV, still being retried, 1\n"));
    }

    #[test]
    fn a_program_that_is_not_retried_is_said_to_be_left_and_why() {
        assert!(text(CallError::StartFailed(failed("exited"))).contains("code 3, and its restart policy leaves it\n"));
        let given_up = StartFailed { failure: Some("17 short runs in a row".into()), ..failed("failed") };
        assert!(text(CallError::StartFailed(given_up)).contains("and it is given up after 17 short runs in a row\n"));
    }

    #[test]
    fn a_spawn_that_failed_names_the_step_the_cause_and_what_to_do() {
        let error = SpawnError {
            step: SpawnStep::Cwd,
            subject: "/srv/web".into(),
            errno: 2,
            message: "no such file or directory".into(),
            transient: false,
        };
        assert_eq!(
            text(CallError::SpawnFailed(SpawnFailed { instance: 0, error })),
            "error: cannot start `web`: changing directory to `/srv/web`: no such file or directory\n\
             hint: `--cwd` says where the program runs\n"
        );
    }

    #[test]
    fn the_time_that_was_waited_and_the_state_are_told() {
        let name = ServiceName::new("web").unwrap();
        let error = too_slow(&name, std::time::Duration::from_secs(30), StateWord::Starting);
        assert_eq!(error.message, "`web` is not up after 30s; it is still starting");
    }
}

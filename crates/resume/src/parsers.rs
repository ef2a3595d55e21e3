//! The parser of each verb, for those who describe the verbs: the page of the manual and the completion.

use clap::{Command, CommandFactory};

use crate::command_line::Verb;
use crate::parse::with_help;
use crate::{args, args_acting, args_looking};

/// What a verb can be told.
pub(crate) fn of_verb(verb: Verb) -> Command {
    with_help(match verb {
        Verb::Run => args::RunArgs::command(),
        Verb::Start => args::StartArgs::command(),
        Verb::Stop => args::StopArgs::command(),
        Verb::Restart => args::RestartArgs::command(),
        Verb::Delete => args::DeleteArgs::command(),
        Verb::Ls | Verb::OriginalList => args::LsArgs::command(),
        Verb::Logs => args::LogsArgs::command(),
        Verb::Signal => args_acting::SignalArgs::command(),
        Verb::Reset => args_acting::ResetArgs::command(),
        Verb::Flush => args_acting::FlushArgs::command(),
        Verb::Show => args_looking::ShowArgs::command(),
        Verb::Why => args_looking::WhyArgs::command(),
        Verb::Events => args_looking::EventsArgs::command(),
        Verb::Completions => args_looking::CompletionsArgs::command(),
        Verb::Man => args_looking::ManArgs::command(),
    })
}

/// The first line of what a verb says of itself.
pub(crate) fn summary(command: &Command) -> String {
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    about.lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command_line::VERBS;

    #[test]
    fn every_verb_has_a_consistent_parser_of_its_name_and_a_summary() {
        for (name, verb) in VERBS {
            let command = of_verb(verb);
            command.clone().debug_assert();
            let alias = matches!(name, "list" | "status");
            assert!(alias || command.get_name() == format!("resume {name}"), "{name}");
            assert!(!summary(&command).is_empty(), "{name}");
        }
    }
}

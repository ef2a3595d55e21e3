//! `resume completions`: the script for a shell, which asks [`crate::complete`] at each TAB.

use crate::args_looking::{CompletionsArgs, Shell};
use crate::context::{Context, say};
use crate::error::Result;
use crate::exit_code::ExitCode;

pub(crate) fn completions(_: &Context, args: &CompletionsArgs) -> Result<ExitCode> {
    let script = match args.shell {
        Shell::Bash => include_str!("../completions/resume.bash"),
        Shell::Zsh => include_str!("../completions/resume.zsh"),
        Shell::Fish => include_str!("../completions/resume.fish"),
    };
    say(script.trim_end()).map(|()| ExitCode::Done)
}

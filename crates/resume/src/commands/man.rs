//! `resume man`: the page of the manual.

use crate::args_looking::ManArgs;
use crate::context::{Context, say};
use crate::error::Result;
use crate::exit_code::ExitCode;
use crate::manual;

pub(crate) fn man(_: &Context, _: &ManArgs) -> Result<ExitCode> {
    say(manual::page().trim_end()).map(|()| ExitCode::Done)
}

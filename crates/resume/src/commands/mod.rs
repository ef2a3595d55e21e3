//! The verbs, one to a file.

pub(crate) mod completions;
pub(crate) mod delete;
pub(crate) mod events;
pub(crate) mod flush;
pub(crate) mod logs;
pub(crate) mod ls;
pub(crate) mod man;
pub(crate) mod reset;
pub(crate) mod restart;
pub(crate) mod run;
pub(crate) mod show;
pub(crate) mod signal;
pub(crate) mod start;
pub(crate) mod stop;
pub(crate) mod watch;
pub(crate) mod why;

//! The verbs, one to a file.

pub(crate) mod delete;
pub(crate) mod events;
pub(crate) mod flush;
pub(crate) mod logs;
pub(crate) mod ls;
pub(crate) mod reset;
pub(crate) mod restart;
pub(crate) mod run;
pub(crate) mod show;
pub(crate) mod signal;
pub(crate) mod start;
pub(crate) mod stop;
pub(crate) mod why;

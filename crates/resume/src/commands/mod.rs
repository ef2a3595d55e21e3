//! The verbs, one to a file.

pub(crate) mod delete;
pub(crate) mod logs;
pub(crate) mod ls;
pub(crate) mod restart;
pub(crate) mod run;
pub(crate) mod start;
pub(crate) mod stop;

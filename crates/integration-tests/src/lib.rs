//! What the tests with real processes stand on.
//!
//! A test gets a [`Sandbox`]: a folder, a home and an environment of its own, and a guard that ends whatever it started
//! and fails if something was left. It drives the shipped program as a person would, by its command line and its files,
//! and never sleeps: it waits for a line on a [`Channel`], for a state in `state.json`, for the end of a process
//! ([`Ending`]) or for what a command prints ([`Running`]), each with a deadline after which it fails in words.

mod channel;
mod deadline;
mod http;
mod mount;
mod outcome;
mod processes;
mod programs;
mod running;
mod sandbox;
mod varlink;

pub use crate::channel::Channel;
pub use crate::deadline::{Deadline, PATIENCE};
pub use crate::http::get;
pub use crate::outcome::Outcome;
pub use crate::processes::{Ending, Look, children_of, find_by_environment, signal};
pub use crate::programs::{is_root, missing, node, python};
pub use crate::running::Running;
pub use crate::sandbox::{Programs, Sandbox};
pub use crate::varlink::Client;

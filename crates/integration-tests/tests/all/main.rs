//! Tests with real processes of what users are promised, through the program as it is shipped.
//!
//! One binary, so that everything is linked once; a module a topic. Each test has a sandbox of its own and runs beside the
//! others.

// Clippy permits `unwrap` in tests but not in what tests share; here all is for tests.
#![allow(clippy::unwrap_used)]

mod adoption;
mod api;
mod bad_input;
mod bounds;
mod completions;
mod disk;
mod environment;
mod events;
mod full_disk;
mod homes;
mod in_terminal;
mod instances;
mod json;
mod launching;
mod lifecycle;
mod logs;
mod ls;
mod man;
mod original_flags;
mod outliving;
mod races;
mod restarting;
mod run_foreground;
mod selectors;
mod show;
mod signal_reset_flush;
mod soak;
mod socket;
mod start_words;
mod stopping;
mod watch;
mod why;

use integration_tests::{Programs, Sandbox};

/// SIGKILL, SIGTERM, SIGINT, SIGHUP and SIGUSR1, as signal(7) has them.
const KILL: i32 = 9;
const TERM: i32 = 15;
const INT: i32 = 2;
const HUP: i32 = 1;
const USR1: i32 = 10;

/// A program that does nothing until it is ended.
const SLEEP: [&str; 2] = ["sleep", "600"];

#[track_caller]
fn sandbox() -> Sandbox {
    Sandbox::new(Programs { resume: env!("CARGO_BIN_EXE_resume-twin"), helper: env!("CARGO_BIN_EXE_helper-child") })
}

/// The path of a program in `tests/programs`.
fn program(name: &str) -> String {
    format!("{}/tests/programs/{name}", env!("CARGO_MANIFEST_DIR"))
}

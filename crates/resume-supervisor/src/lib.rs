//! The supervisor: the process that looks after one service.
//!
//! One thread, one wait. Whatever wakes it (a signal, a client, output, a deadline) becomes an event of the pure core
//! in `resume-core`; what the core answers is performed, in order; what could not be performed is an event again.
//!
//! ```text
//!   signals ─┐                                  ┌─ perform: spawn, signal, kill
//!   clients ─┼─▶ event_loop ──▶ Lifecycle ──────┼─ publish: state.json, waiting clients
//!   output  ─┘        ▲            (core)       └─ journal: the log
//!                     └───── what failed ◀──────┘
//! ```
//!
//! It deliberately has no threads (but one that feeds a terminal, in the foreground), no async runtime and no query of
//! the log: it is paid for once per service. After start-up no error ends it.

mod adoption;
mod client;
mod clients;
mod control;
mod echo;
mod event_loop;
mod history;
mod journal;
mod key;
mod members;
mod output;
mod perform;
mod publish;
mod startup;
mod waiting;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use resume_core::name::ServiceName;
use resume_sys::lock::Lock;

/// The argument that makes this program a supervisor; the directory of the service follows.
pub const ARGUMENT: &str = resume_client::launch::SUPERVISE;

/// Runs as the supervisor in the background: `--supervise DIR [--client FD]`, as the one launch function has it.
///
/// Leaves once the service is at rest and no client is connected.
pub fn main(arguments: &[OsString]) -> ExitCode {
    match startup::background(arguments) {
        Ok(Some(supervisor)) => supervisor.run().into(),
        // Another one was first; the client sees the end of its connection and finds the other.
        Ok(None) => ExitCode::SUCCESS,
        Err(problem) => {
            // Nobody reads this but a person who typed the line; the launcher sees the end of its connection.
            eprintln!("error: {problem}");
            ExitCode::FAILURE
        }
    }
}

/// Supervises `name` in the foreground, starting it at once, until it is at rest.
///
/// The program's output goes to our own stdout and stderr as well as to the log. SIGINT, SIGTERM and SIGHUP stop the
/// service gracefully, a second SIGINT at once. The caller holds the lock of the service's directory.
///
/// Returns the exit code of the last run: 128 + N after signal N, 126 or 127 if it could not be spawned.
pub fn foreground(home: &Path, name: &ServiceName, lock: Lock) -> Result<u8, String> {
    Ok(startup::foreground(home, name, lock)?.run())
}

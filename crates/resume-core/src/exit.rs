//! How a run ended, and why.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::signal::Signal;

/// How a main process ended, as far as the kernel told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitStatus {
    /// It left with this code, 0 to 255.
    Code(u8),
    /// This signal ended it.
    Signal(Signal),
    /// The kernel ended it, with SIGKILL, for want of memory.
    OutOfMemory,
    /// It ended where nobody could see how.
    Unknown,
}

impl fmt::Display for ExitStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exited with code {code}"),
            Self::Signal(signal) => write!(f, "killed by {signal}"),
            Self::OutOfMemory => f.write_str("killed by the kernel, which was out of memory,"),
            Self::Unknown => f.write_str("ended, how is unknown,"),
        }
    }
}

/// The step of a spawn that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SpawnStep {
    /// Making or opening the pipes that take the output.
    Output,
    /// Entering the working directory.
    Cwd,
    /// Finding or executing the program.
    Program,
    /// Finding or executing the interpreter that the program's `#!` line names.
    Interpreter,
    /// Making the process.
    Process,
}

impl SpawnStep {
    /// The word for it in a `reason`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Output => "output",
            Self::Cwd => "cwd",
            Self::Program => "program",
            Self::Interpreter => "interpreter",
            Self::Process => "process",
        }
    }
}

/// A spawn that did not happen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpawnError {
    /// What failed.
    pub step: SpawnStep,
    /// The path or name that it failed on.
    pub subject: String,
    /// The error number of the system.
    pub errno: i32,
    /// What went wrong, for people: `no such file or directory`.
    pub message: String,
    /// Whether the same spawn may well succeed later without anybody's doing, as when there are too many processes.
    pub transient: bool,
}

impl fmt::Display for SpawnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { subject, message, .. } = self;
        match self.step {
            SpawnStep::Output => write!(f, "opening the output pipe `{subject}`: {message}"),
            SpawnStep::Cwd => write!(f, "changing directory to `{subject}`: {message}"),
            SpawnStep::Program => write!(f, "executing `{subject}`: {message}"),
            SpawnStep::Interpreter => write!(f, "executing the interpreter `{subject}`: {message}"),
            SpawnStep::Process => write!(f, "making a process for `{subject}`: {message}"),
        }
    }
}

/// Why a run ended: the short word of the contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// By itself, with a code.
    Exit,
    /// By a signal that we did not send.
    Signal,
    /// The kernel killed it for want of memory.
    OutOfMemory,
    /// It was not ready in time.
    NotReady,
    /// A person stopped it.
    Stopped,
    /// A person restarted it.
    Restarted,
    /// It never began.
    Spawn(SpawnStep),
    /// Nobody could see.
    Unknown,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exit => f.write_str("exit"),
            Self::Signal => f.write_str("signal"),
            Self::OutOfMemory => f.write_str("out-of-memory"),
            Self::NotReady => f.write_str("not-ready"),
            Self::Stopped => f.write_str("stopped"),
            Self::Restarted => f.write_str("restarted"),
            Self::Spawn(step) => write!(f, "spawn: {}", step.word()),
            Self::Unknown => f.write_str("unknown"),
        }
    }
}

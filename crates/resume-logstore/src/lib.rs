//! The log of a service: what its program wrote, kept as records, and what is asked of it afterwards.
//!
//! A folder holds *segments*, each a plain text file with the program's bytes alone and an index beside it that knows
//! when, by whom and in which records they were written. `docs/log-format.md` is the format for a stranger.
//!
//! The supervisor owns the one [`Writer`] of a folder. Any number of processes read it with a [`Reader`] or follow it
//! with a [`Follower`], by the files alone; no reader can hold up the writer, and none is needed by it.

#![forbid(unsafe_code)]

mod collect;
mod cursor;
mod folder;
mod follow;
mod followers;
mod format;
mod group;
mod live;
mod reader;
mod restore;
mod retention;
mod segment;
mod select;
mod source;
mod types;
mod writer;

#[cfg(test)]
mod hostile_tests;

/// The name, in a log's folder, of the plain text file that is being written.
pub const LIVE_FILE: &str = folder::LIVE;

pub use crate::follow::{Follower, Start};
pub use crate::followers::Followers;
pub use crate::reader::{Reader, Records, Totals};
pub use crate::retention::Retention;
pub use crate::types::{Filter, Moment, Record, RecordStream, Source};
pub use crate::writer::{OpenError, Stats, Writer};

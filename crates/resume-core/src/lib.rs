//! What `resume` decides, and the formats it keeps.
//!
//! Everything here follows from its arguments: events and the time go in, actions come out. There is no I/O, no clock,
//! no thread and no waiting; `clippy.toml` beside this crate holds that. The shell around it is `resume-supervisor`.

#![forbid(unsafe_code)]

pub mod event_record;
pub mod exit;
pub mod layout;
pub mod lifecycle;
pub mod name;
pub mod os_text;
pub mod record;
pub mod restart;
pub mod service;
pub mod signal;
pub mod spec;
pub mod status;
pub mod time;
pub mod units;
pub mod wire;
mod wire_messages;

//! What `resume` asks of the kernel: processes, signals, waiting, locks, sockets, files.
//!
//! Everything that is `unsafe` and everything that is particular to one operating system lives here, so that the other
//! crates can forbid both. Nothing here knows what a service is, and nothing here decides: each function does one thing,
//! once, and says how it went.
//!
//! Three habits hold throughout:
//!
//! - Every descriptor is made close-on-exec, so a child gets only what [`spawn::Spawn::fds`] names.
//! - A process is signalled through a pidfd and never by its number alone ([`child::Child`], [`identity::Process`]).
//! - Names inside our own folders are reached through a descriptor of the folder, and symbolic links are not followed.
#![allow(unsafe_code, reason = "this is the one crate where it may stand, each time under a sentence that says why")]

#[cfg(not(target_os = "linux"))]
compile_error!("resume runs on Linux only, so far");

pub mod account;
pub mod child;
pub mod clock;
pub mod diagnose;
pub mod dirs;
pub mod dnotify;
mod elf;
pub mod errno;
pub mod fifo;
pub mod files;
pub mod glance;
pub mod identity;
pub mod inherit;
pub mod lock;
pub mod memory;
pub mod oom;
pub mod poll;
pub mod ports;
pub mod privilege;
pub mod process;
mod procfs;
pub mod signal;
pub mod socket;
pub mod spawn;
pub mod tree;
pub mod watch;

//! Finds the services of a home and talks to their supervisors.
//!
//! ```text
//!   home ──▶ services ──▶ discover: what is true of each    (reads files, wakes nobody)
//!                 │
//!                 ├─────▶ request: ask its supervisor ──▶ connection
//!                 │            └── nobody there ──▶ launch
//!                 └─────▶ offline: change one that nobody looks after, under its lock
//! ```
//!
//! Nothing here prints or exits: what failed is returned, with the path or name it failed on.

#![forbid(unsafe_code)]

mod changes;
pub mod connection;
pub mod discover;
pub mod histories;
pub mod history;
pub mod home;
pub mod launch;
pub mod offline;
pub mod process_tree;
pub mod request;
pub mod runs;
pub mod selector;
pub mod services;
pub mod usage;

//! What must hold besides the tests.

use std::process::Command;

use anyhow::{Result, bail};

use crate::run::{self, Stopwatch};
use crate::{needs, words};

/// The quick look while writing: does it compile, and what does clippy say. Warnings do not fail it.
pub(crate) fn check() -> Result<()> {
    // Clippy does everything that `cargo check` does, so one pass is enough.
    needs::ensure_component("clippy", "clippy")?;
    run::cargo(&["clippy", "--workspace", "--all-targets"])
}

/// Everything, in the order of what fails soonest.
pub(crate) fn lint(watch: &mut Stopwatch) -> Result<()> {
    watch.step("words", || words::check(&run::files()?))?;
    watch.step("format", || {
        needs::ensure_component("rustfmt", "fmt")?;
        run::cargo(&["fmt", "--all", "--check"])
    })?;
    watch.step("clippy", || {
        needs::ensure_component("clippy", "clippy")?;
        run::cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])
    })?;
    watch.step("documentation", documentation)?;
    watch.step("dependencies", dependencies)
}

/// Every link of the documentation leads somewhere, and every public item has a page.
fn documentation() -> Result<()> {
    let mut command = Command::new(run::cargo_program());
    command.args(["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings");
    run::shown(&mut command, "RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps")
}

/// Licences, bans and sources of what we depend on, by `deny.toml`.
///
/// Advisories are left out: their database is a repository to clone, and a change that was good yesterday must not fail
/// today. Where the tool can neither be found nor installed the step is passed over, in words that cannot be missed;
/// under `CI` that is an error.
fn dependencies() -> Result<()> {
    if needs::ensure_cargo_deny() {
        return run::cargo(&["deny", "--all-features", "check", "bans", "licenses", "sources"]);
    }
    if std::env::var_os("CI").is_some() {
        bail!("cargo-deny is missing and cannot be installed here");
    }
    println!("SKIPPED: cargo-deny is missing and cannot be installed here; dependencies were not checked");
    Ok(())
}

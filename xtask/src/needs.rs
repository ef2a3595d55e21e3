//! What the chores need beyond a Rust toolchain, and how it is installed.
//!
//! Debian's packages are installed where that needs no password (root, or sudo that does not ask); else the error is the
//! exact command to type. Cargo's own tools are installed by cargo. Nothing is installed that is there already.

use std::env;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use crate::run;

/// A program that is called by its name.
pub(crate) struct Need {
    pub(crate) program: &'static str,
    /// The Debian package that brings it.
    pub(crate) package: &'static str,
    /// Completes "… is needed to".
    pub(crate) purpose: &'static str,
}

/// Runs `examples/server.js`.
pub(crate) const NODE: Need = Need { program: "node", package: "nodejs", purpose: "run a real server under `resume`" };
/// Runs the python programs of the tests, and the benchmark.
pub(crate) const PYTHON: Need = Need { program: "python3", package: "python3", purpose: "run python programs" };
/// Builds the load programs of the benchmark.
pub(crate) const CC: Need = Need { program: "cc", package: "gcc", purpose: "build the programs of the benchmark" };

/// How packages may be installed here.
#[derive(Debug, PartialEq, Eq)]
enum Apt {
    /// We may: `apt-get` with this in front.
    Allowed(&'static [&'static str]),
    /// A password would be asked for.
    NotAllowed,
    /// The system has other packages.
    Missing,
}

/// Makes sure that every one of `needs` can be called, installing what is missing.
///
/// Fails with the command to type when something is missing and may not be installed from here.
pub(crate) fn ensure(needs: &[&Need]) -> Result<()> {
    let missing = missing(needs);
    if missing.is_empty() {
        return Ok(());
    }
    match apt() {
        Apt::Allowed(prefix) => install(prefix, &missing),
        refused @ (Apt::NotAllowed | Apt::Missing) => bail!("{}", advice(&missing, &refused)),
    }
}

fn missing<'a>(needs: &[&'a Need]) -> Vec<&'a Need> {
    needs.iter().copied().filter(|need| which(need.program).is_none()).collect()
}

/// Makes sure that `cargo-deny` is there, and returns false if it is not and cannot be had.
///
/// A debug build does: it takes a minute on two cores, and the check itself under a second.
pub(crate) fn ensure_cargo_deny() -> bool {
    // A later series may ask for another toolchain, or read `deny.toml` otherwise.
    const INSTALL: [&str; 4] = ["install", "cargo-deny@^0.20", "--locked", "--debug"];

    if has_subcommand("deny") {
        return true;
    }
    let line = format!("cargo {}", INSTALL.join(" "));
    let mut command = Command::new(run::cargo_program());
    // Neither the symbols nor the flags of this workspace are of use to it.
    command.args(INSTALL).env("CARGO_PROFILE_DEV_DEBUG", "0").env_remove("RUSTFLAGS").env_remove("RUSTDOCFLAGS");
    run::shown(&mut command, &line).is_ok()
}

/// Makes sure that cargo-fuzz is there.
pub(crate) fn ensure_cargo_fuzz() -> Result<()> {
    const INSTALL: [&str; 3] = ["install", "cargo-fuzz@^0.13", "--locked"];

    if has_subcommand("fuzz") {
        return Ok(());
    }
    let mut command = Command::new(run::cargo_program());
    command.args(INSTALL).env_remove("RUSTFLAGS").env_remove("RUSTDOCFLAGS");
    run::shown(&mut command, &format!("cargo {}", INSTALL.join(" ")))
}

/// Whether cargo knows `subcommand`: cargo looks in its own folder too, which need not be on PATH.
pub(crate) fn has_subcommand(subcommand: &str) -> bool {
    run::succeeds(Command::new(run::cargo_program()).args([subcommand, "--version"]))
}

/// Makes sure that the toolchain has `component`, whose cargo command is `subcommand`.
pub(crate) fn ensure_component(component: &str, subcommand: &str) -> Result<()> {
    if has_subcommand(subcommand) {
        return Ok(());
    }
    let line = format!("rustup component add {component}");
    if run::shown(Command::new("rustup").args(["component", "add", component]), &line).is_err() {
        bail!("`cargo {subcommand}` is missing: install {component}, with rustup by `{line}`");
    }
    Ok(())
}

/// The first file of this name on PATH that may be executed.
pub(crate) fn which(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(program)).find(|file| executable(file))
}

fn executable(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

fn apt() -> Apt {
    if which("apt-get").is_none() {
        return Apt::Missing;
    }
    // The files under /proc/self belong to the effective user (proc(5)).
    if fs::metadata("/proc/self").is_ok_and(|found| found.uid() == 0) {
        return Apt::Allowed(&[]);
    }
    if run::succeeds(Command::new("sudo").args(["-n", "true"])) {
        return Apt::Allowed(&["sudo", "-n"]);
    }
    Apt::NotAllowed
}

/// Installs from the lists that are there, and fetches new ones only if that fails.
fn install(prefix: &[&str], wanted: &[&Need]) -> Result<()> {
    for need in wanted {
        println!("`{}` is needed to {}: installing {}", need.program, need.purpose, need.package);
    }
    let line = install_words(prefix, wanted);
    if apt_get(&line).is_err() {
        apt_get(&[prefix, &["apt-get", "update"]].concat())?;
        apt_get(&line)?;
    }
    match missing(wanted).first() {
        None => Ok(()),
        Some(need) => bail!("`{}` was installed and there is still no `{}` on PATH", need.package, need.program),
    }
}

fn apt_get(words: &[&str]) -> Result<()> {
    let (program, arguments) = words.split_first().expect("a command has a first word");
    let mut command = Command::new(program);
    command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
    run::shown(&mut command, &words.join(" "))
}

fn install_words<'a>(prefix: &[&'a str], wanted: &[&'a Need]) -> Vec<&'a str> {
    let mut words = prefix.to_vec();
    words.extend(["apt-get", "install", "--yes", "--no-install-recommends"]);
    for need in wanted {
        if !words.contains(&need.package) {
            words.push(need.package);
        }
    }
    words
}

/// What a person is to do about `missing`.
fn advice(missing: &[&Need], apt: &Apt) -> String {
    let mut lines: Vec<String> = missing
        .iter()
        .map(|need| format!("`{}` is needed to {}, and is not on PATH", need.program, need.purpose))
        .collect();
    lines.push(match apt {
        Apt::Allowed(prefix) => format!("hint: {}", install_words(prefix, missing).join(" ")),
        Apt::NotAllowed => {
            format!("hint: sudo apt-get update && {}", install_words(&["sudo"], missing).join(" "))
        }
        Apt::Missing => {
            let names: Vec<&str> = missing.iter().map(|need| need.package).collect();
            format!("hint: install with your system's packages (Debian's names: {})", names.join(" "))
        }
    });
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ABSENT: Need = Need { program: "no-such-program", package: "no-such-package", purpose: "test" };

    #[test]
    fn what_is_there_is_not_installed_again() {
        const SHELL: Need = Need { program: "sh", package: "dash", purpose: "test" };
        assert!(missing(&[&SHELL]).is_empty());
        ensure(&[&SHELL]).unwrap();
    }

    #[test]
    fn a_program_that_is_nowhere_on_the_path_is_missing() {
        assert_eq!(missing(&[&ABSENT]).len(), 1);
    }

    #[test]
    fn a_folder_of_the_name_is_no_program() {
        assert!(!executable(Path::new("/tmp")));
        assert!(!executable(Path::new("/etc/passwd")));
    }

    #[test]
    fn who_may_not_install_is_told_the_exact_command() {
        assert_eq!(
            advice(&[&ABSENT], &Apt::NotAllowed),
            "`no-such-program` is needed to test, and is not on PATH\n\
             hint: sudo apt-get update && sudo apt-get install --yes --no-install-recommends no-such-package"
        );
    }

    #[test]
    fn a_package_that_brings_two_programs_is_named_once() {
        let words = install_words(&[], &[&ABSENT, &ABSENT]);
        assert_eq!(words, ["apt-get", "install", "--yes", "--no-install-recommends", "no-such-package"]);
    }
}

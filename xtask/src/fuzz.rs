//! The fuzz targets: what no bytes and no list of events may break.
//!
//! They are a workspace of their own in `fuzz/`, and no part of `ci`: a minute of them proves little.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{needs, run};

/// How long a target runs if nobody says: ten minutes.
const SECONDS: &str = "600";

/// Runs one target, or names them all. `arguments` are its name and for how many seconds.
pub(crate) fn fuzz(arguments: &[String]) -> Result<()> {
    let (target, seconds) = match arguments {
        [target] => (target.as_str(), SECONDS),
        [target, seconds] if seconds.parse::<u32>().is_ok() => (target.as_str(), seconds.as_str()),
        [] | [_, ..] => bail!("usage: cargo xtask fuzz TARGET [SECONDS]; the targets are {}", targets()?.join(", ")),
    };
    let known = targets()?;
    if !known.iter().any(|name| name == target) {
        bail!("there is no target `{target}`: they are {}", known.join(", "));
    }
    needs::ensure_cargo_fuzz()?;
    let limit = format!("-max_total_time={seconds}");
    let mut command = Command::new(run::cargo_program());
    command.args(["fuzz", "run", target, "--", &limit]);
    // The engine and the sanitizer are unstable flags of the compiler; this permits them to a stable one.
    command.env("RUSTC_BOOTSTRAP", "1");
    run::shown(&mut command, &format!("RUSTC_BOOTSTRAP=1 cargo fuzz run {target} -- {limit}"))
}

/// The names of the targets, in order.
fn targets() -> Result<Vec<String>> {
    let folder = run::root().join("fuzz/fuzz_targets");
    let entries = fs::read_dir(&folder).with_context(|| format!("cannot read `{}`", folder.display()))?;
    let name = |entry: fs::DirEntry| entry.path().file_stem()?.to_str().map(str::to_owned);
    let mut names: Vec<String> = entries.filter_map(|entry| name(entry.ok()?)).collect();
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_is_a_program_of_the_fuzz_crate() {
        let manifest = fs::read_to_string(run::root().join("fuzz/Cargo.toml")).unwrap();
        let targets = targets().unwrap();
        assert_eq!(manifest.matches("[[bin]]").count(), targets.len());
        for target in targets {
            assert!(manifest.contains(&format!("path = \"fuzz_targets/{target}.rs\"")), "{target}");
        }
    }

    #[test]
    fn a_target_that_is_not_there_is_answered_with_those_that_are() {
        let error = fuzz(&["nothing".to_owned()]).unwrap_err().to_string();
        assert!(error.contains("wire_frame, wire_request"), "{error}");
        assert!(fuzz(&["wire_frame".to_owned(), "soon".to_owned()]).is_err());
    }
}

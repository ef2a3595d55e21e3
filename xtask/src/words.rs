//! Words that may stand in no file of the repository.
//!
//! Unfinished work belongs in an issue, a debugging aid in nobody's checkout, and the path of somebody's machine means
//! nothing to anyone else.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::run;

/// Written in pieces, so that this file does not hold them.
const BANNED: [&str; 10] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("to", "do!("),
    concat!("unimple", "mented!("),
    concat!("db", "g!("),
    concat!("/work", "/main"),
    concat!("/work", "/shared"),
    concat!("/root/", ".cargo"),
    concat!("/tmp/", "target-"),
    concat!("/home/", "runner"),
];

/// Looks through `files` (paths from the root) and fails with every place where a banned word stands.
pub(crate) fn check(files: &[PathBuf]) -> Result<()> {
    let root = run::root();
    let mut found = Vec::new();
    for file in files {
        let bytes = fs::read(root.join(file)).with_context(|| format!("cannot read `{}`", file.display()))?;
        // A file that is not text holds no words.
        if let Ok(text) = String::from_utf8(bytes) {
            found.extend(places(file, &text));
        }
    }
    if !found.is_empty() {
        bail!("these words may not stand here:\n{}", found.join("\n"));
    }
    println!("{} files, no banned word", files.len());
    Ok(())
}

fn places(file: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        for word in BANNED.iter().filter(|word| line.contains(*word)) {
            found.push(format!("  {}:{number}: {word}", file.display()));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_banned_word_is_reported_with_its_file_and_line() {
        let text = format!("fine\n// {}: later\n", BANNED[0]);
        assert_eq!(places(Path::new("a/b.rs"), &text), [format!("  a/b.rs:2: {}", BANNED[0])]);
    }

    #[test]
    fn an_ordinary_text_has_no_banned_word() {
        assert!(places(Path::new("a.md"), "what is to do, a workspace, /worker\n").is_empty());
    }
}

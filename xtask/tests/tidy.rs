//! Holds the rules of the house that no compiler and no linter holds: the floors, and what may not stand where.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use serde_json::Value;

/// Which crates of ours each crate may use. Dependencies point down this table, never up and never sideways.
const FLOORS: [(&str, &[&str]); 8] = [
    ("resume-core", &[]),
    ("resume-sys", &[]),
    ("resume-logstore", &["resume-core", "resume-sys"]),
    ("resume-client", &["resume-core", "resume-sys"]),
    ("resume-supervisor", &["resume-core", "resume-sys", "resume-logstore", "resume-client"]),
    ("resume-pm", &["resume-core", "resume-sys", "resume-logstore", "resume-client", "resume-supervisor"]),
    (
        "integration-tests",
        &["resume-core", "resume-sys", "resume-logstore", "resume-client", "resume-supervisor", "resume-pm"],
    ),
    // It must be built before anything else is, and when nothing else can be.
    ("xtask", &[]),
];

/// Written in pieces where the rule would find itself.
const UNSAFE: &str = concat!("un", "safe");
const SLEEP: &str = concat!("thread::", "sleep");
const IGNORE: &str = concat!("#[", "ignore");
const TARGET_OS: &str = concat!("target", "_os");

#[test]
fn dependencies_point_down_the_floors() {
    let mut problems = Vec::new();
    let packages = packages();
    let ours: BTreeSet<&str> = packages.iter().map(|package| text(&package["name"])).collect();
    for package in &packages {
        let name = text(&package["name"]);
        let Some((_, allowed)) = FLOORS.iter().find(|(known, _)| *known == name) else {
            problems.push(format!("{name} has no floor: give it one in this test's table"));
            continue;
        };
        for dependency in array(&package["dependencies"]).iter().map(|it| text(&it["name"])) {
            if ours.contains(dependency) && !allowed.contains(&dependency) {
                problems.push(format!("{name} may not use {dependency}"));
            }
        }
    }
    report(&problems);
}

#[test]
fn every_crate_lies_in_a_folder_of_its_name_and_takes_the_lints_of_the_workspace() {
    let mut problems = Vec::new();
    for package in packages() {
        let (name, manifest) = (text(&package["name"]), Path::new(text(&package["manifest_path"])));
        let folder = manifest.parent().and_then(Path::file_name).and_then(|name| name.to_str()).unwrap();
        // The one that is shipped is called after its program; the registry knows another `resume`.
        if folder != name && (name, folder) != ("resume-pm", "resume") {
            problems.push(format!("{name} lies in a folder named {folder}"));
        }
        if !fs::read_to_string(manifest).unwrap().contains("[lints]\nworkspace = true\n") {
            problems.push(format!("{name} does not take the lints of the workspace"));
        }
    }
    report(&problems);
}

#[test]
fn the_lifecycle_names_every_state_and_every_event() {
    let text = fs::read_to_string(root().join("crates/resume-core/src/lifecycle.rs")).unwrap();
    let lines = before_tests(&text).filter(|(_, line)| is_catch_all(line));
    report(&lines.map(|(number, line)| format!("lifecycle.rs:{number}: {}", line.trim())).collect::<Vec<_>>());
}

#[test]
fn only_resume_sys_is_unsafe_and_knows_the_platform() {
    let mut problems = Vec::new();
    for (file, text) in sources().iter().filter(|(file, _)| !file.starts_with("crates/resume-sys")) {
        for (number, line) in code(text) {
            if has_word(line, UNSAFE) || has_word(line, TARGET_OS) {
                problems.push(format!("{}:{number}: {}", file.display(), line.trim()));
            }
        }
    }
    report(&problems);
}

#[test]
fn no_test_sleeps_and_none_is_ignored() {
    let mut problems = Vec::new();
    for (file, text) in &sources() {
        // The programs that tests run as services may take their time; the tests themselves may not.
        let helper = file.starts_with("crates/integration-tests/src/bin");
        let all_tests = file.starts_with("crates/integration-tests")
            || file.components().any(|it| it.as_os_str() == "tests")
            || file.file_stem().and_then(|stem| stem.to_str()).is_some_and(|stem| stem.ends_with("tests"));
        let shipped = before_tests(text).count();
        for (number, line) in code(text) {
            let in_test = !helper && (all_tests || number > shipped);
            if line.contains(IGNORE) || (in_test && line.contains(SLEEP)) {
                problems.push(format!("{}:{number}: {}", file.display(), line.trim()));
            }
        }
    }
    report(&problems);
}

#[test]
fn a_catch_all_arm_is_told_from_one_that_names_what_it_takes() {
    for arm in [
        "            _ => vec![],",
        "_ if done => (),",
        "(_, _) => (),",
        "(S::Up | _, _) => (),",
        "State::Up | _ => (),",
    ] {
        assert!(is_catch_all(arm), "{arm}");
    }
    for arm in ["(S::Stopped, E::Start) => (),", "S::Stopping { .. } => (),", "Some(_) => (),", "// _ => never"] {
        assert!(!is_catch_all(arm), "{arm}");
    }
}

#[test]
fn a_word_is_found_only_whole() {
    assert!(has_word(" block{ fork() }", "block"));
    assert!(!has_word("forbid(block_code)", "block"));
    assert!(!has_word("let blocks = 1;", "block"));
}

/// Whether this line of a `match` takes whatever is left: an arm all of whose patterns are `_`, or one of them.
fn is_catch_all(line: &str) -> bool {
    let line = line.trim();
    if line.starts_with("//") {
        return false;
    }
    let (pattern, arrow) = line.split_once("=>").map_or((line, false), |(pattern, _)| (pattern, true));
    let pattern = pattern.split(" if ").next().unwrap_or_default();
    let alternatives = pattern.split('|').map(|it| it.trim_matches(|c: char| c.is_whitespace() || "(),".contains(c)));
    arrow && alternatives.clone().any(|it| !it.is_empty() && it.chars().all(|c| "_, ".contains(c)))
}

fn has_word(line: &str, word: &str) -> bool {
    let part_of_word = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word)
        .any(|(at, _)| !line[..at].ends_with(part_of_word) && !line[at + word.len()..].starts_with(part_of_word))
}

/// The lines of a file that are no comments, with their numbers.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    (1..).zip(text.lines()).filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// The lines of a file before its unit tests, with their numbers.
fn before_tests(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines: Vec<&str> = text.lines().collect();
    let end = lines.iter().position(|line| line.starts_with("mod tests {")).unwrap_or(lines.len());
    (1..).zip(lines.into_iter().take(end))
}

/// Every Rust file of the workspace, by its path from the root, with its text.
fn sources() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for folder in ["crates", "xtask", "examples", "fuzz"] {
        collect(&root().join(folder), &mut found);
    }
    assert!(!found.is_empty(), "no Rust file was found");
    found
}

fn collect(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
    // A folder of the list that does not exist holds no files.
    for path in fs::read_dir(folder).into_iter().flatten().map(|entry| entry.expect("the folder is readable").path()) {
        if path.is_dir() && !path.ends_with("target") {
            collect(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let text = fs::read_to_string(&path).expect("a Rust file is text");
            found.push((path.strip_prefix(root()).expect("it lies below the root").to_path_buf(), text));
        }
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the root").to_path_buf()
}

/// The packages of the workspace, as `cargo metadata` describes them.
fn packages() -> Vec<Value> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo prints JSON");
    array(&metadata["packages"]).to_vec()
}

fn text(value: &Value) -> &str {
    value.as_str().expect("cargo metadata gives a string here")
}

fn array(value: &Value) -> &[Value] {
    value.as_array().expect("cargo metadata gives an array here")
}

#[track_caller]
fn report(problems: &[String]) {
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

//! Completion, in the shells themselves.

use std::os::unix::fs::symlink;
use std::path::Path;

use integration_tests::{Outcome, Sandbox, missing};

use crate::{SLEEP, sandbox};

/// Two services, and the program under test on PATH by the name that the scripts call.
fn with_services() -> Sandbox {
    let mut sandbox = sandbox();
    let bin = sandbox.folder().join("bin");
    std::fs::create_dir(&bin).unwrap();
    symlink(sandbox.program(), bin.join("resume")).unwrap();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::iter::once(bin).chain(std::env::split_paths(&path));
    sandbox.set("PATH", std::env::join_paths(path).unwrap());
    sandbox.set("TERM", "xterm");
    sandbox.start_with("database", &["--group", "back"], &SLEEP);
    sandbox.start_with("web", &["--instances", "2"], &SLEEP);
    sandbox.write("server.js", "");
    sandbox
}

#[track_caller]
fn run(sandbox: &Sandbox, shell: &str, options: &[&str], script: &str) -> Outcome {
    let script = sandbox.write("typed", script);
    let mut command = sandbox.other_command(shell);
    command.args(options).arg(Path::new(&script));
    let outcome = sandbox.run(command);
    outcome.success();
    outcome
}

#[test]
fn bash_completes_verbs_options_services_and_files() {
    if missing(&["bash"]) {
        return;
    }
    let sandbox = with_services();
    let script = r#"
        source <(resume completions bash)
        complete -p resume
        try() { COMP_LINE=$1 COMP_POINT=${#1}; COMPREPLY=(); _resume; echo "[$1] ${COMPREPLY[*]}"; }
        try 'resume rest'; try 'resume stop '; try 'resume stop web:'; try 'resume start ./s'
        try 'resume start --restart=o'; try 'resume ls --wat'; try 'resume show d'
    "#;
    run(&sandbox, "bash", &["--norc"], script).no_stderr().stdout_has(&[
        "complete -F _resume resume\n",
        "[resume rest] restart\n",
        "[resume stop ] database web @back all\n",
        // What stands before the colon is on the line already.
        "[resume stop web:] 0 1\n",
        "[resume start ./s] ./server.js\n",
        "[resume start --restart=o] on-failure\n",
        "[resume ls --wat] --watch\n",
        "[resume show d] database\n",
    ]);
}

#[test]
fn zsh_completes_verbs_options_services_and_files() {
    if missing(&["zsh"]) {
        return;
    }
    let sandbox = with_services();
    // A person at a terminal: the line is completed, then printed instead of run.
    let script = r#"
        zmodload zsh/zpty
        zpty person zsh -f -i
        zpty -w person 'bindkey -e; autoload -Uz compinit; compinit -u -D; source <(resume completions zsh); print READ""Y'
        zpty -r person seen '*READY*'
        for line in 'resume rest' 'resume stop dat' 'resume stop @' 'resume start ./s' 'resume ls --wat'; do
            zpty -w -n person "$line"$'\t\x01print -r -- "THEN'$'\x05"; print -r -- EN""D\n'
            zpty -r person seen '*END*'
            print -r -- "$seen"
        done
        zpty -d person
    "#;
    run(&sandbox, "zsh", &["-f"], script).stdout_has(&[
        "THENresume restart",
        "THENresume stop database",
        "THENresume stop @back",
        "THENresume start ./server.js",
        "THENresume ls --watch",
    ]);
}

#[test]
fn fish_completes_verbs_options_services_and_files() {
    if missing(&["fish"]) {
        return;
    }
    let sandbox = with_services();
    let script = r#"
        resume completions fish | source
        for line in 'resume rest' 'resume stop ' 'resume stop web:' 'resume start ./s' 'resume start --restart=o' 'resume ls --wat'
            echo "[$line]" (complete -C "$line" | string replace --regex '\t.*' '')
        end
    "#;
    run(&sandbox, "fish", &["--no-config"], script).no_stderr().stdout_has(&[
        "[resume rest] restart\n",
        "[resume stop ] @back all database web\n",
        "[resume stop web:] web:0 web:1\n",
        "[resume start ./s] ./server.js\n",
        "[resume start --restart=o] --restart=on-failure\n",
        "[resume ls --wat] --watch\n",
    ]);
}

#[test]
fn completion_is_silent_where_there_is_nothing() {
    let sandbox = sandbox();
    sandbox.resume(["internal-complete", "--", "stop", ""]).success().no_stdout().no_stderr();
    sandbox.resume(["internal-complete"]).success().no_stdout().no_stderr();
    sandbox.resume(["internal-complete", "--", "--home", "/dev/null", "stop", ""]).success().no_stdout().no_stderr();
    assert!(!sandbox.home().exists(), "completion made a home");
    sandbox.resume(["completions", "csh"]).error(2, &["csh"]);
}

//! What `start` takes its words for.

use integration_tests::{Ending, missing, node, python};
use serde_json::{Value, json};

use crate::{SLEEP, sandbox};

#[test]
fn options_are_ours_before_and_after_the_program() {
    let sandbox = sandbox();
    sandbox.resume(["start", "--group", "g", "sleep", "600", "--name", "web", "--restart=never"]).success();
    let service = sandbox.service("web");
    assert_eq!((&service["command"], &service["group"]), (&json!(["sleep", "600"]), &"g".into()));
}

#[test]
fn an_unknown_option_is_refused_with_a_hint_at_the_dashes() {
    let sandbox = sandbox();
    for words in
        [&["start", "sleep", "--port", "3000"][..], &["start", "--port", "sleep"], &["run", "sleep", "-p", "3"]]
    {
        sandbox.resume(words).error(2, &["-p"]).hint(&["`--`"]);
    }
    assert_eq!(sandbox.services(), Vec::<Value>::new());
}

#[test]
fn behind_the_dashes_nothing_is_ours() {
    let sandbox = sandbox();
    let words = ["start", "--name", "web", "--", sandbox.helper(), "out", "--name", "out", "--help", "hold"];
    sandbox.resume(words).success();
    sandbox.record_with("web", "--help");
    assert_eq!(sandbox.texts("web", "stdout"), ["--name", "--help"]);
}

#[test]
fn dashes_behind_the_program_give_it_the_rest() {
    let sandbox = sandbox();
    sandbox.resume(["start", "--name", "web", sandbox.helper(), "out", "--", "--version", "hold"]).success();
    sandbox.record_with("web", "--version");
}

#[test]
fn the_first_word_behind_the_dashes_is_a_program_even_if_a_service_has_its_name() {
    let sandbox = sandbox();
    sandbox.start("sleep", &["sleep", "600"]);
    sandbox.resume(["start", "--", "sleep", "601"]).success().stdout_has(&["started `sleep-2`"]);
    assert_eq!(sandbox.service("sleep-2")["command"], json!(["sleep", "601"]));
}

#[test]
fn a_first_word_with_a_slash_is_a_program() {
    let sandbox = sandbox();
    let script = sandbox.script("web", "#!/bin/sh\nexec sleep 600\n");
    sandbox.start("web", &SLEEP);
    sandbox.resume(["start", &script]).success().stdout_has(&["started `web-2`"]);
    sandbox.resume(["start", "./web", "x"]).success().stdout_has(&["started `web-3`"]);
}

#[test]
fn a_first_word_that_is_a_file_here_is_a_program() {
    let sandbox = sandbox();
    sandbox.script("web", "#!/bin/sh\nexec sleep 600\n");
    sandbox.start("web", &SLEEP);
    sandbox.resume(["start", "web"]).success().stdout_has(&["started `web-2`"]);
}

#[test]
fn a_first_word_beside_an_option_for_a_new_service_is_a_program() {
    let sandbox = sandbox();
    sandbox.start("sleep", &SLEEP);
    sandbox.resume(["start", "--stop-timeout", "3s", "sleep", "601"]).success().stdout_has(&["started `sleep-2`"]);
}

#[test]
fn else_the_words_are_selectors_if_the_first_is_one() {
    let sandbox = sandbox();
    for name in ["a", "b", "c"] {
        sandbox.start(name, &SLEEP);
    }
    sandbox.resume(["stop", "all"]).success();
    sandbox.resume(["start", "a", "b"]).success().stdout_has(&["started `a`", "started `b`"]);
    let states: Vec<String> = ["a", "b", "c"].iter().map(|name| sandbox.state(name)).collect();
    assert_eq!(states, ["running", "running", "stopped"]);
    // What the others cannot be matched with is reported; what can be done is done.
    sandbox.resume(["start", "c", "nobody"]).code(3).stderr_has(&["nobody"]).stdout_has(&["started `c`"]);
}

#[test]
fn else_the_first_word_is_a_program_on_path() {
    let sandbox = sandbox();
    sandbox.resume(["start", "sleep", "600"]).success().stdout_has(&["started `sleep`"]);
    assert_eq!(sandbox.service("sleep")["command"], json!(["sleep", "600"]));
}

#[test]
fn else_there_is_no_such_service() {
    let sandbox = sandbox();
    sandbox.start("server", &SLEEP);
    sandbox.resume(["start", "sevrer"]).error(3, &["`sevrer`"]).hint(&["server"]);
}

#[test]
fn the_same_program_again_is_started_when_it_is_down() {
    let sandbox = sandbox();
    let script = sandbox.script("web.sh", "#!/bin/sh\nexec sleep 600\n");
    sandbox.resume(["start", &script]).success();
    sandbox.resume(["stop", "web"]).success();
    sandbox.resume(["start", &script]).success().stdout_has(&["started `web`"]);
    assert_eq!(sandbox.services().len(), 1);
}

#[test]
fn the_same_program_again_is_refused_while_it_lives() {
    let sandbox = sandbox();
    let script = sandbox.script("web.sh", "#!/bin/sh\nexec sleep 600\n");
    sandbox.resume(["start", &script]).success();
    let pid = sandbox.pid("web");
    sandbox.resume(["start", &script]).error(4, &["`web`"]).hint(&[]);
    sandbox.resume(["run", &script]).error(4, &["`web`"]);
    assert_eq!((sandbox.pid("web"), sandbox.services().len()), (pid, 1));
}

#[test]
fn the_same_program_with_other_arguments_or_elsewhere_is_another_service() {
    let sandbox = sandbox();
    let script = sandbox.script("web.sh", "#!/bin/sh\nexec sleep 600\n");
    sandbox.resume(["start", &script]).success();
    sandbox.resume(["start", &script, "x"]).success().stdout_has(&["started `web-2`"]);
    sandbox.resume(["start", "--cwd", "/", &script]).success().stdout_has(&["started `web-3`"]);
    sandbox.resume(["start", "--name", "other", &script]).success().stdout_has(&["started `other`"]);
}

#[test]
fn a_taken_name_is_refused() {
    let sandbox = sandbox();
    let pid = sandbox.start("web", &SLEEP);
    sandbox.resume(["start", "--name", "web", "--", "sleep", "601"]).error(4, &["`web`"]).hint(&["--replace"]);
    sandbox.resume(["stop", "web"]).success();
    sandbox.resume(["start", "--name", "web", "--", "sleep", "601"]).error(4, &["`web`"]).hint(&["--replace"]);
    assert_eq!(sandbox.service("web")["command"], json!(["sleep", "600"]));
    assert!(!Ending::of(pid).is_alive());
}

#[test]
fn replace_puts_another_program_in_the_place_of_one_that_lives_or_is_down() {
    let sandbox = sandbox();
    let first = Ending::of(sandbox.start("web", &SLEEP));
    sandbox.resume(["start", "--replace", "--name", "web", "--", "sleep", "601"]).success();
    assert!(!first.is_alive());
    let service = sandbox.service("web");
    assert_eq!((&service["command"], &service["state"]), (&json!(["sleep", "601"]), &"running".into()));
    sandbox.resume(["stop", "web"]).success();
    sandbox.resume(["start", "--replace", "--name", "web", "--", "sleep", "602"]).success();
    assert_eq!(sandbox.service("web")["command"], json!(["sleep", "602"]));
    sandbox.resume(["start", "--replace", "--name", "new", "--", "sleep", "603"]).success();
    assert_eq!(sandbox.state("new"), "running");
}

#[test]
fn a_name_is_made_of_the_programs_file_stem() {
    let sandbox = sandbox();
    for (file, name) in [("my server (2).sh", "my-server-2"), ("42.sh", "service-42"), ("all", "service-all")] {
        let script = sandbox.script(file, "#!/bin/sh\nexec sleep 600\n");
        sandbox.resume(["start", "--", &script]).success().stdout_has(&[&format!("started `{name}`")]);
    }
}

#[test]
fn a_file_that_is_not_executable_is_run_by_the_interpreter_of_its_ending() {
    let mut sandbox = sandbox();
    let folder = |path: &str| path.rsplit_once('/').unwrap().0.to_owned();
    let path = format!("{}:{}:{}", folder(node()), folder(python()), std::env::var("PATH").unwrap());
    sandbox.set("PATH", path);
    let mut channel = sandbox.channel();
    let fifo = channel.path().to_owned();
    let files = [
        ("a.sh", format!("echo sh $$ > {fifo}; exec sleep 600")),
        (
            "b.js",
            format!("require('fs').appendFileSync('{fifo}', `js ${{process.pid}}\\n`); setInterval(() => 0, 9999)"),
        ),
        (
            "c.mjs",
            format!(
                "import fs from 'fs'; fs.appendFileSync('{fifo}', `mjs ${{process.pid}}\\n`); setInterval(() => 0, 9999)"
            ),
        ),
        ("d.py", format!("import os, time\nopen('{fifo}', 'w').write(f'py {{os.getpid()}}\\n')\ntime.sleep(600)")),
    ];
    for (file, text) in files {
        sandbox.write(file, text);
        let name = file.split('.').next().unwrap();
        // A file here is a program, with or without a slash.
        sandbox.resume(["start", file]).success().stdout_has(&[&format!("started `{name}`")]);
        let word = file.split('.').next_back().unwrap();
        assert_eq!(channel.expect_pid(word), sandbox.pid(name));
    }
    if !missing(&["perl"]) {
        sandbox.write("e.pl", format!("open(F, '>', '{fifo}'); print F \"pl $$\\n\"; close F; sleep 600;"));
        sandbox.resume(["start", "./e.pl"]).success();
        channel.expect_pid("pl");
    }
}

#[test]
fn a_given_interpreter_may_have_words_of_its_own() {
    let sandbox = sandbox();
    sandbox.write("x.txt", "echo \"$0 $1 $-\"; exec sleep 600");
    sandbox.resume(["start", "--interpreter", "sh -eu", "x.txt", "arg"]).success();
    let record = sandbox.record_with("x", "arg");
    let text = record["text"].as_str().unwrap();
    assert!(text.contains("x.txt arg") && text.contains('e') && text.contains('u'), "{text}");
}

#[test]
fn words_that_are_kept_for_later_are_never_taken_for_programs() {
    let sandbox = sandbox();
    let words = "reload scale top watch kill attach set exec web deploy adopt doctor save env \
                 upgrade resurrect startup unstartup keeper check plan up down import init schema";
    for word in words.split_whitespace() {
        sandbox.script(word, "#!/bin/sh\nexec sleep 600\n");
        let outcome = sandbox.resume([word]);
        outcome.error(2, &[&format!("`{word}`")]);
    }
    assert_eq!(sandbox.services(), Vec::<Value>::new());
}

#[test]
fn a_word_that_is_no_verb_and_no_file_is_refused_with_what_to_type_instead() {
    let sandbox = sandbox();
    sandbox.resume(["strat", "x"]).error(2, &["`strat`"]).hint(&["start"]);
    sandbox.resume(["sleep", "600"]).error(2, &["`sleep`"]).hint(&["resume run"]);
}

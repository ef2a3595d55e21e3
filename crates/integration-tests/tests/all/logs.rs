//! What a program wrote, and how it is asked for.

use serde_json::Value;

use integration_tests::{Ending, signal};

use crate::{KILL, SLEEP, sandbox};

fn texts(records: &[Value]) -> Vec<&str> {
    records.iter().map(|record| record["text"].as_str().unwrap()).collect()
}

/// Lines of 100 bytes, each with its number, from 0.
fn numbered_lines(count: u32) -> String {
    let lines: Vec<String> = (0..count).map(|number| format!("{number:<99}\n")).collect();
    lines.concat()
}

#[test]
fn raw_is_what_was_written_to_the_last_byte() {
    let sandbox = sandbox();
    let mut bytes = b"plain\n\0nul \0\n\xff\xfe not UTF-8 \xc3\n\r\n\n   indented\ttab\n\x1b[31mred\x1b[0m\n".to_vec();
    bytes.extend(std::iter::repeat_n(b'x', 1 << 20));
    bytes.extend(b"\nno final newline \0");
    let file = sandbox.write("bytes", &bytes);
    sandbox
        .resume(["run", "--quiet", "--restart", "never", "--name", "web", "--", sandbox.helper(), "cat", &file])
        .success();
    let raw = sandbox.resume(["logs", "web", "-n", "all", "--output", "raw"]);
    raw.success();
    assert!(raw.stdout == bytes, "{} bytes instead of {}, or others", raw.stdout.len(), bytes.len());
    let log = std::fs::read(sandbox.service_dir("web").join("log/current.log")).unwrap();
    assert!(log == bytes, "{} bytes in the file instead of {}, or others", log.len(), bytes.len());
}

#[test]
fn raw_never_holds_the_account_of_the_supervisor() {
    let sandbox = sandbox();
    sandbox.start("web", &SLEEP);
    sandbox.resume(["logs", "web", "-n", "all", "--output", "raw"]).success().no_stdout();
    sandbox.resume(["logs", "web", "-n", "all"]).success().stdout_has(&["started"]);
}

#[test]
fn the_order_of_what_was_written_is_kept_in_each_stream() {
    let sandbox = sandbox();
    let script = "for i in 1 2 3 4 5 6 7 8 9; do echo out $i; echo err $i >&2; done; exec sleep 600";
    sandbox.start("web", &["sh", "-c", script]);
    sandbox.record_with("web", "err 9");
    sandbox.record_with("web", "out 9");
    for (stream, word) in [("stdout", "out"), ("stderr", "err")] {
        let expected: Vec<String> = (1..10).map(|number| format!("{word} {number}")).collect();
        assert_eq!(sandbox.texts("web", stream), expected);
    }
}

#[test]
fn a_flood_of_lines_arrives_whole() {
    let sandbox = sandbox();
    let lines = numbered_lines(50_000);
    let file = sandbox.write("flood", &lines);
    sandbox.start("web", &[sandbox.helper(), "cat", &file, "err", "written", "hold"]);
    sandbox.record_with("web", "written");
    let raw = sandbox.resume(["logs", "web", "-n", "all", "--stream", "stdout", "--output", "raw"]);
    assert!(raw.stdout == lines.as_bytes(), "{} bytes instead of {}", raw.stdout.len(), lines.len());
}

#[test]
fn last_words_are_in_the_log_even_of_what_is_killed_as_it_says_them() {
    let sandbox = sandbox();
    for attempt in 0..5 {
        let words = ["run", "--quiet", "--restart", "never", "--name", "web", "--replace", "--", sandbox.helper()];
        let last = format!("last words {attempt}");
        sandbox.resume(words.iter().copied().chain(["out", &last, "signal-self", "9"])).code(128 + KILL);
        let texts = sandbox.texts("web", "stdout");
        assert_eq!(texts.last(), Some(&last));
    }
}

#[test]
fn the_last_twenty_records_are_shown_and_n_says_how_many_else() {
    let sandbox = sandbox();
    sandbox.start("web", &[sandbox.helper(), "print", "30", "hold"]);
    sandbox.record_with("web", "line 30");
    let count = |words: &[&str]| {
        let words = ["logs", "web", "--stream", "stdout"].iter().chain(words);
        sandbox.resume(words).success().stdout_text().lines().count()
    };
    assert_eq!(count(&[]), 20);
    assert_eq!(count(&["-n", "5"]), 5);
    assert_eq!(count(&["--records", "7"]), 7);
    assert_eq!(count(&["-n", "all"]), 30);
    let last = sandbox.resume(["logs", "web", "--stream", "stdout", "-n", "2", "--output", "raw"]);
    assert_eq!(last.stdout_text(), "line 29\nline 30\n");
    sandbox.resume(["logs", "web", "-n", "many"]).error(2, &["many"]);
}

#[test]
fn a_json_record_has_every_field() {
    let sandbox = sandbox();
    sandbox.start("web", &[sandbox.helper(), "out", "to stdout", "err", "to stderr", "hold"]);
    sandbox.record_with("web", "to stderr");
    sandbox.record_with("web", "to stdout");
    let records = sandbox.records("web");
    let of = |stream: &str| records.iter().find(|record| record["stream"] == stream).unwrap().clone();
    for (stream, text) in [("stdout", "to stdout"), ("stderr", "to stderr")] {
        let record = of(stream);
        assert_eq!(record["service"], "web");
        assert_eq!((&record["instance"], &record["run"], &record["text"]), (&0.into(), &1.into(), &text.into()));
        let time = record["time"].as_str().unwrap();
        assert!(time.ends_with('Z') && time.len() == "2026-01-01T00:00:00.000000Z".len(), "{time}");
    }
    let started = of("resume");
    assert!(started["text"].as_str().unwrap().contains("started"), "{started}");
    assert_eq!(started["run"], 1);
}

#[test]
fn text_that_is_not_utf_8_is_said_to_be_lossy_in_json() {
    let sandbox = sandbox();
    let file = sandbox.write("bytes", b"caf\xe9\n");
    sandbox
        .resume(["run", "--quiet", "--restart", "never", "--name", "web", "--", sandbox.helper(), "cat", &file])
        .success();
    let records = sandbox.records("web");
    let record = records.iter().find(|record| record["stream"] == "stdout").unwrap();
    assert_eq!((&record["text"], &record["lossy"]), (&"caf\u{fffd}".into(), &true.into()));
}

#[test]
fn streams_are_asked_for_one_by_one() {
    let sandbox = sandbox();
    sandbox.start("web", &[sandbox.helper(), "out", "to stdout", "err", "to stderr", "hold"]);
    sandbox.record_with("web", "to stderr");
    sandbox.record_with("web", "to stdout");
    for (stream, has, others) in [
        ("stdout", "to stdout", ["to stderr", "started"]),
        ("stderr", "to stderr", ["to stdout", "started"]),
        ("resume", "started", ["to stdout", "to stderr"]),
    ] {
        let outcome = sandbox.resume(["logs", "web", "--stream", stream]);
        outcome.success().stdout_has(&[has]);
        assert!(others.iter().all(|other| !outcome.stdout_text().contains(other)), "{outcome}");
    }
    sandbox.resume(["logs", "web", "--stream", "stdin"]).error(2, &["stdin"]);
}

#[test]
fn short_has_the_text_and_full_all_fields() {
    let sandbox = sandbox();
    sandbox.start("web", &[sandbox.helper(), "err", "some words", "hold"]);
    sandbox.record_with("web", "some words");
    let short = sandbox.resume(["logs", "web", "--stream", "stderr"]);
    assert!(short.success().stdout_text().trim_end().ends_with("some words"), "{short}");
    sandbox.resume(["logs", "web", "--stream", "stderr", "--output", "full"]).success().stdout_has(&[
        "web",
        "stderr",
        "some words",
    ]);
    sandbox.resume(["logs", "web", "--output", "long"]).error(2, &["long"]);
}

#[test]
fn the_records_of_several_services_are_merged_in_the_order_of_time() {
    let sandbox = sandbox();
    let mut channel = sandbox.channel();
    let path = channel.path().to_owned();
    let words = [sandbox.helper(), "out", "first a", "trap", &path, "out", "third a", "hold"];
    let a = sandbox.start("a", &words);
    channel.expect_pid("ready");
    sandbox.start("b", &[sandbox.helper(), "out", "second b", "hold"]);
    sandbox.record_with("b", "second b");
    signal(a, crate::USR1);
    channel.expect("SIGUSR1");
    sandbox.record_with("a", "third a");
    let outcome = sandbox.resume(["logs", "--stream", "stdout"]);
    let text = outcome.success().stdout_text().into_owned();
    let at = |part: &str| text.find(part).unwrap_or_else(|| panic!("no `{part}` in {text}"));
    assert!(at("first a") < at("second b") && at("second b") < at("third a"), "{text}");
}

#[test]
fn follow_goes_on_over_a_restart() {
    let sandbox = sandbox();
    let script = "echo run of $$; exec sleep 600";
    let first = sandbox.start("web", &["sh", "-c", script]);
    let mut follower = sandbox.spawn(["logs", "web", "-f", "--output", "json"]);
    assert!(follower.line_with("run of").contains(&format!("run of {first}\"")));
    sandbox.resume(["restart", "web"]).success();
    let second = sandbox.pid("web");
    let line = follower.line_with("run of");
    assert!(line.contains(&format!("run of {second}\"")) && line.contains("\"run\":2"), "{line}");
    sandbox.resume(["stop", "web"]).success();
    follower.line_with("\"resume\"");
    sandbox.resume(["start", "web"]).success();
    assert!(follower.line_with("run of").contains("\"run\":3"));
}

#[test]
fn follow_begins_with_as_many_records_as_asked_for() {
    let sandbox = sandbox();
    let script = "i=0; while :; do i=$((i + 1)); echo tick $i; sleep 0.05; done";
    sandbox.start("web", &["sh", "-c", script]);
    let number = |tick: &str| tick.strip_prefix("tick ").unwrap().parse().unwrap();
    let first_of = |count: &str| -> u32 {
        let words = ["logs", "web", "-f", "-n", count, "--stream", "stdout", "--output", "raw"];
        number(&sandbox.spawn(words).line().unwrap())
    };
    sandbox.record_with("web", "tick 10");
    assert_eq!(first_of("all"), 1);
    // None of those that were there already.
    assert!(first_of("0") > 10);
    let last: u32 = number(sandbox.texts("web", "stdout").last().unwrap());
    assert!(first_of("3") > last - 3);
}

#[test]
fn follow_of_all_sees_a_service_that_is_started_later() {
    let sandbox = sandbox();
    sandbox.start("a", &[sandbox.helper(), "out", "words of a", "hold"]);
    let mut follower = sandbox.spawn(["logs", "-f", "--output", "json"]);
    follower.line_with("words of a");
    sandbox.start("b", &[sandbox.helper(), "out", "words of b", "hold"]);
    follower.line_with("words of b");
}

#[test]
fn an_interrupt_and_a_closed_pipe_end_following_quietly() {
    let sandbox = sandbox();
    let mut channel = sandbox.channel();
    let words = [sandbox.helper(), "out", "first", "trap", channel.path(), "print", "2000", "hold"];
    let pid = sandbox.start("web", &words);
    channel.expect_pid("ready");
    let mut interrupted = sandbox.spawn(["logs", "web", "-f"]);
    interrupted.line_with("first");
    interrupted.signal(crate::INT);
    let outcome = interrupted.outcome();
    outcome.no_stderr();
    assert!([0, 128 + crate::INT].contains(&outcome.exit_code()), "{outcome}");

    let mut closed = sandbox.spawn(["logs", "web", "-f"]);
    closed.line_with("first");
    closed.close_stdout();
    signal(pid, crate::USR1);
    closed.outcome().success().no_stderr();
}

#[test]
fn a_closed_pipe_ends_any_answer_quietly() {
    let sandbox = sandbox();
    sandbox.start("web", &[sandbox.helper(), "print", "20000", "err", "done", "hold"]);
    sandbox.record_with("web", "done");
    let mut shell = sandbox.other_command("sh");
    let script = "\"$0\" logs web -n all > >(head -n 1); echo code $?";
    shell.args(["-c", &format!("exec bash -c '{script}' {}", sandbox.program())]);
    if integration_tests::missing(&["bash"]) {
        return;
    }
    sandbox.run(shell).success().stdout_has(&["started", "code 0"]).no_stderr();
}

#[test]
fn runs_are_asked_for_by_their_number() {
    let sandbox = sandbox();
    let script = "[ -e first ] && { echo second; exec sleep 600; }; touch first; echo first; exec sleep 600";
    let pid = sandbox.start_with("web", &["--min-uptime", "1ms"], &["sh", "-c", script]);
    sandbox.record_with("web", "first");
    signal(pid, KILL);
    sandbox.record_with("web", "second");
    for (run, text) in [("1", "first"), ("2", "second"), ("-1", "first")] {
        let words = ["logs", "web", "--stream", "stdout", "--run", run, "--output", "json"];
        assert_eq!(texts(&sandbox.resume(words).success().json_lines()), [text], "run {run}");
    }
}

#[test]
fn the_account_says_what_happened_in_order() {
    let sandbox = sandbox();
    let pid = sandbox.start_with("web", &["--min-uptime", "1ms"], &SLEEP);
    signal(pid, KILL);
    sandbox.until_run("web", 2);
    sandbox.resume(["stop", "web"]).success();
    let account = sandbox.texts("web", "resume");
    let at = |part: &str| {
        account.iter().position(|text| text.contains(part)).unwrap_or_else(|| panic!("no `{part}` in {account:?}"))
    };
    assert!(
        at("started") < at("SIGKILL") && at("SIGKILL") < at("SIGTERM") && at("SIGTERM") < at("stopped"),
        "{account:?}"
    );
}

#[test]
fn the_log_is_kept_within_its_size_by_whole_files() {
    let sandbox = sandbox();
    let lines = numbered_lines(40_000);
    let file = sandbox.write("flood", &lines);
    sandbox.start_with("web", &["--log-max-size", "1M"], &[sandbox.helper(), "cat", &file, "out", "written", "hold"]);
    sandbox.record_with("web", "written");
    let entries = std::fs::read_dir(sandbox.service_dir("web").join("log")).unwrap();
    let on_disk: u64 = entries.map(|entry| entry.unwrap().metadata().unwrap().len()).sum();
    assert!(on_disk <= (1 << 20) + (1 << 20) / 20, "{on_disk} bytes on disk");
    let kept = sandbox.texts("web", "stdout");
    let (last, lines) = kept.split_last().unwrap();
    assert_eq!(last, "written");
    // The newest are kept, each whole.
    let first: usize = lines[0].trim().parse().unwrap();
    for (number, line) in (first..40_000).zip(lines) {
        assert_eq!(line.trim().parse(), Ok(number));
    }
    assert_eq!(lines.len(), 40_000 - first);
    assert!(lines.len() > 4_000, "only {} lines are left", lines.len());
}

#[test]
fn what_runs_on_after_its_supervisor_left_goes_on_in_the_same_log() {
    let sandbox = sandbox();
    let mut channel = sandbox.channel();
    let words = [sandbox.helper(), "out", "before", "trap", channel.path(), "out", "between", "hold"];
    let pid = sandbox.start("web", &words);
    channel.expect_pid("ready");
    sandbox.record_with("web", "before");
    let supervisor = Ending::of(sandbox.supervisor("web"));
    supervisor.signal(crate::TERM);
    supervisor.wait();
    signal(pid, crate::USR1);
    channel.expect("SIGUSR1");
    sandbox.resume(["start", "web"]).success();
    sandbox.record_with("web", "between");
    assert_eq!(sandbox.pid("web"), pid);
    assert_eq!(sandbox.texts("web", "stdout"), ["before", "between"]);
}

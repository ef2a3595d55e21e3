//! The page of the manual, in the macros of man(7).
//!
//! The verbs and their options come from the parsers, so the page says what is taken; the rest is written here.

use std::fmt::Write;

use clap::{Arg, Command};

use crate::command_line::VERBS;
use crate::parsers::{of_verb, summary};

/// The sections before the verbs.
const BEFORE: &str = r".SH NAME
resume \- keeps programs running
.SH SYNOPSIS
.B resume
[\fIGLOBAL OPTIONS\fR] \fIVERB\fR [\fIOPTIONS\fR] …
.br
.B resume
[\fIGLOBAL OPTIONS\fR] \fIPROGRAM\fR [\fIOPTIONS\fR] [\fIARGS\fR…]
.SH DESCRIPTION
.B resume
starts programs, keeps them running beyond the terminal, and starts them again when they end.
A program with its options is a \fIservice\fR; each has a supervisor of its own, and there is no central daemon.
A service may run as several \fIinstances\fR, numbered from 0; each life of an instance is a \fIrun\fR, numbered from 1.
.PP
A word that holds a \(oq/\(cq or is a file here is a program, and stands for \(oqresume run\(cq.
.SS Selectors
A \fISELECTOR\fR is the name of a service, \fIname\fB:\fIINSTANCE\fR, the pid of a program or of a supervisor,
a pattern such as \(oqweb\-*\(cq, \fB@\fIGROUP\fR, or \fBall\fR.
A pattern, a group or \fBall\fR that matches nothing is a success.
.SS Times and sizes
Durations are written \fB500ms\fR, \fB5s\fR, \fB1h30m\fR, \fB7d\fR; sizes \fB64K\fR, \fB10M\fR, \fB2G\fR, in powers of 1024.
Signals are written with or without \(oqSIG\(cq, or as numbers.
";

/// The sections behind the verbs.
const BEHIND: &str = r#".SH EXIT STATUS
.TP
.B 0
Done.
.TP
.B 1
It failed.
.TP
.B 2
The command line is wrong.
.TP
.B 3
There is no such service.
.TP
.B 4
The service is not in a state for that.
.TP
.B 255
A bug in resume.
.PP
.B resume run
ends with the exit code of its last run: 128+N after signal N, 126 or 127 if it could not be started.
.SH ENVIRONMENT
.TP
.B RESUME_HOME
Where services are kept, if \fB\-\-home\fR does not say so. Programs find it in their environment, too.
.TP
.B XDG_STATE_HOME
Else they are kept in \fBresume\fR below it.
.TP
.BR RESUME_SERVICE ", " RESUME_INSTANCE
Set for programs: the name of the service, and the number of the instance.
.TP
.B NO_COLOR
If it is set to anything, nothing is coloured, unless by \fB\-\-color=always\fR.
.TP
.B COLUMNS
The width of a terminal that does not tell its own.
.SH SIGNALS
.TP
.BR SIGINT ", " SIGTERM ", " SIGHUP " to resume run"
Stop the program gracefully; a second one stops it at once.
.TP
.BR SIGTERM " to a supervisor in the background"
It leaves, and the service goes on untouched.
.TP
.BR SIGINT " or " SIGTERM " to a verb that follows or watches"
It ends.
.SH FILES
.TP
.I ~/.local/state/resume/services/NAME/
All about a service; below \fB\-\-home\fR, \fBRESUME_HOME\fR or \fBXDG_STATE_HOME\fR if that is given:
.RS
.TP
.I spec.json
What was asked for. It holds the environment, and only its owner can read it.
.TP
.I state.json
What was true last.
.TP
.I lock
Held by the supervisor for as long as it lives.
.TP
.I control.sock
The supervisor's socket. It speaks varlink, the interface dev.resume.Supervisor.
.TP
.I log/current.log
What the program wrote last, as plain text; older parts stand beside it.
.RE
.SH EXAMPLES
.EX
resume start ./server.js
resume start \-\-name web \-\-env PORT=3000 \-\- node server.js \-\-verbose
resume ls \-\-watch
resume logs \-f web
resume why web
resume stop all
.EE
.SH SEE ALSO
.BR systemctl (1),
.BR signal (7)
"#;

/// The whole page.
pub(crate) fn page() -> String {
    let mut page = format!(".TH RESUME 1 \"\" \"resume {}\" \"User Commands\"\n", env!("CARGO_PKG_VERSION"));
    page += BEFORE;
    page += ".SH VERBS\n";
    // A verb that has other names is told of once.
    let mut told = Vec::new();
    for (_, verb) in VERBS {
        if !told.contains(&verb) {
            told.push(verb);
            push_verb(&mut page, &of_verb(verb));
        }
    }
    page += ".SH GLOBAL OPTIONS\nThey stand before the verb or behind it.\n";
    let any = of_verb(VERBS[0].1);
    for option in options(&any).filter(|option| is_global(option)) {
        push_option(&mut page, option);
    }
    page += ".TP\n\\fB\\-V\\fR, \\fB\\-\\-version\\fR\nThe version\n";
    page += ".SS As they ever were\nThese stand alone, as the first word:\n\
             \\fB\\-r\\fR \\fIFILE\\fR is run, \\fB\\-l\\fR is ls in columns of its own, \\fB\\-R\\fR \\fIPID\\fR is restart,\n\
             \\fB\\-s\\fR \\fIPID\\fR is stop, \\fB\\-L\\fR \\fIPID\\fR is logs with the whole log.\n";
    page + BEHIND
}

fn push_verb(page: &mut String, command: &Command) {
    // A usage of two lines has the second one indented as the help wants it.
    let mut command = command.clone();
    let usage = command.render_usage().to_string();
    let usages = usage.trim_start_matches("Usage: ").lines().map(|line| format!("\\fB{}\\fR", escaped(line.trim())));
    let usages: Vec<String> = usages.collect();
    let _ = write!(page, ".SS {}\n{}\n.PP\n", escaped(command.get_name()), usages.join("\n.br\n"));
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let _ = writeln!(page, "{}.", line_of_text(&summary(&command)));
    for line in about.lines().skip(1).filter(|line| !line.is_empty()) {
        let _ = writeln!(page, "{}", line_of_text(line));
    }
    for option in options(&command).filter(|option| !is_global(option)) {
        push_option(page, option);
    }
    if let Some(help) = command.get_after_help() {
        let lines: Vec<String> = help.to_string().lines().map(line_of_text).collect();
        let _ = write!(page, ".PP\n.EX\n{}\n.EE\n", lines.join("\n"));
    }
}

fn options(command: &Command) -> impl Iterator<Item = &Arg> {
    command.get_arguments().filter(|option| !option.is_hide_set() && option.get_long().is_some())
}

fn is_global(option: &Arg) -> bool {
    option.get_help_heading() == Some("Global options")
}

fn push_option(page: &mut String, option: &Arg) {
    let short = option.get_short().map(|short| format!("\\fB\\-{short}\\fR, ")).unwrap_or_default();
    let long = escaped(option.get_long().unwrap_or_default());
    let takes_value = option.get_action().takes_values();
    let value = option.get_value_names().filter(|_| takes_value).and_then(|names| names.first());
    let value = value.map(|value| format!(" \\fI{}\\fR", escaped(value))).unwrap_or_default();
    let help = option.get_help().map(ToString::to_string).unwrap_or_default();
    let _ = write!(page, ".TP\n{short}\\fB\\-\\-{long}\\fR{value}\n{}\n", line_of_text(&help));
}

/// A line that is text whatever it begins with.
fn line_of_text(line: &str) -> String {
    let escaped = escaped(line);
    if escaped.starts_with(['.', '\'']) { format!("\\&{escaped}") } else { escaped }
}

/// The characters that mean something to roff, as themselves.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\e").replace('-', "\\-").replace('`', "\\(ga").replace('\'', "\\(aq").replace('~', "\\(ti")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_text_is_taken_for_a_command() {
        assert_eq!(line_of_text(".x -a \\ 'y'"), "\\&.x \\-a \\e \\(aqy\\(aq");
        assert_eq!(line_of_text("`a` ~"), "\\(gaa\\(ga \\(ti");
    }

    #[test]
    fn the_page_has_every_verb_with_its_options() {
        let page = page();
        for (name, _) in VERBS.iter().filter(|(name, _)| !matches!(*name, "list" | "status")) {
            assert!(page.contains(&format!(".SS resume {name}\n")), "{name}");
        }
        for part in ["\\-\\-stop\\-timeout", "\\-\\-watch", "\\-\\-no\\-follow", "\\-\\-home", ".SH EXIT STATUS"] {
            assert!(page.contains(part), "{part}");
        }
    }
}

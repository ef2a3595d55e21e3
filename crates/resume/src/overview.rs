//! What `resume --help` prints.

/// The text.
pub(crate) const TEXT: &str = "\
resume - keeps programs running

Usage: resume [GLOBAL OPTIONS] VERB [OPTIONS] …
       resume [GLOBAL OPTIONS] PROGRAM [OPTIONS] [ARGS…]

Run programs
  start PROGRAM [ARGS…]     in the background, supervised beyond this terminal
  run PROGRAM [ARGS…]       here, in the foreground
  PROGRAM [ARGS…]           the same as `run`, for what holds a `/` or is a file here

Look after them
  ls [SELECTOR…]            list services (also: list, status); --watch goes on
  logs [SELECTOR…]          show what they wrote; -f goes on as they write
  show SELECTOR             everything about one: processes, ports, files
  why SELECTOR              its runs and why each ended, with last words
  events [SELECTOR…]        what happens to them, one JSON object a line
  start SELECTOR…           start services that are down
  stop SELECTOR…            stop services
  restart SELECTOR…         stop them and start them again
  delete SELECTOR…          stop them and forget them
  signal SIGNAL SELECTOR…   send them a signal
  reset SELECTOR…           zero their counters of restarts
  flush SELECTOR…           empty their logs

Set up
  completions SHELL         complete command lines in bash, zsh or fish
  man                       the page of the manual: `resume man | man -l -`

A SELECTOR is a name, name:INSTANCE, a pid, a pattern such as 'web-*', @GROUP or all.

Global options
  --home DIR                where services are kept (or RESUME_HOME)
  --json                    answer as data
  -q, --quiet               say nothing but what was asked for, and what is wrong
  --color WHEN              auto, always or never (and NO_COLOR)
  -h, --help                this text; `resume VERB --help` explains a verb
  -V, --version             the version

Also, as they ever were
  -r FILE (run)  -l (list)  -R PID (restart)  -s PID (stop)  -L PID (the whole log)

Examples
  resume start ./server.js
  resume start --name web --env PORT=3000 -- node server.js --verbose
  resume logs -f web

Exit codes: 0 done, 1 it failed, 2 usage, 3 no such service, 4 it is not in a state for that, 255 a bug in resume.
";

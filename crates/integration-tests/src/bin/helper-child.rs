//! A child that obeys: the program that tests run as a service.
//!
//! Its arguments are orders, carried out one after the other; after the last one it leaves with 0.
//!
//! ```text
//! say FIFO TEXT     writes a line to a FIFO; `{pid}` in it becomes our own
//! out TEXT          writes a line to stdout
//! err TEXT          writes a line to stderr
//! print N           writes the lines `line 1` to `line N` to stdout, each with a write of its own
//! cat FILE          writes the bytes of a file to stdout
//! print-env NAME    writes `NAME=VALUE`, or `NAME unset`, to stdout
//! ignore-term       ignores SIGTERM from now on
//! trap FIFO         catches TERM, INT, HUP and USR1, says `ready PID`, waits for one of them and says which
//! fork ORDERS       makes a child that carries out ORDERS, which are separated by commas
//! setsid ORDERS     the same, in a session of its own
//! double-fork ORDERS  the same, as a daemon: its parent leads a session and has left
//! ask SOCKET FIFO   asks a supervisor for its status and says how many bytes were answered
//! exit N            leaves with this code
//! exit-after MS     leaves with 0 after so many milliseconds
//! signal-self N     sends itself a signal
//! hold              waits to be ended
//! ```

use std::ffi::CString;
use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::process::{Command, ExitCode};
use std::time::Duration;
use std::{env, thread};

use resume_sys::poll::{Interest, Poller};
use resume_sys::signal::{self, SignalPipe};
use resume_sys::spawn::{Spawn, spawn};
use resume_sys::{files, identity};

/// The signals that `trap` catches, by their numbers on Linux.
const TRAPPED: [(i32, &str); 4] = [(15, "SIGTERM"), (2, "SIGINT"), (1, "SIGHUP"), (10, "SIGUSR1")];
/// How long `hold` waits: longer than any test, but not for ever, should a test be killed before it can clean up.
const HOLD: Duration = Duration::from_mins(10);

fn main() -> ExitCode {
    let words: Vec<String> = env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    match obey(words) {
        Ok(code) => code.into(),
        Err(error) => {
            eprintln!("helper: {error}");
            99.into()
        }
    }
}

fn obey(words: Vec<String>) -> io::Result<u8> {
    let mut words = words.into_iter();
    while let Some(order) = words.next() {
        let mut next = || words.next().ok_or_else(|| io::Error::other(format!("`{order}` wants another word")));
        match order.as_str() {
            "say" => say(&next()?, &next()?)?,
            "out" => writeln!(io::stdout(), "{}", next()?)?,
            "err" => writeln!(io::stderr(), "{}", next()?)?,
            "print" => print(number(&next()?)?)?,
            "cat" => io::stdout().write_all(&fs::read(next()?)?)?,
            "print-env" => print_env(&next()?)?,
            "ignore-term" => signal::ignore(15)?,
            "trap" => trap(&next()?)?,
            "fork" => drop(Command::new(env::current_exe()?).args(next()?.split(',')).spawn()?),
            "setsid" => in_own_session(next()?.split(','))?,
            "double-fork" => in_own_session(["fork", &next()?])?,
            "ask" => ask(&next()?, &next()?)?,
            "exit" => return number(&next()?),
            "exit-after" => {
                thread::sleep(Duration::from_millis(number(&next()?)?));
                return Ok(0);
            }
            "signal-self" => signal_self(number(&next()?)?)?,
            "hold" => {
                thread::sleep(HOLD);
                return Ok(98);
            }
            unknown => return Err(io::Error::other(format!("there is no order `{unknown}`"))),
        }
    }
    Ok(0)
}

fn number<N: std::str::FromStr>(word: &str) -> io::Result<N> {
    word.parse().map_err(|_| io::Error::other(format!("`{word}` is no number that fits")))
}

fn say(fifo: &str, text: &str) -> io::Result<()> {
    let line = text.replace("{pid}", &std::process::id().to_string()) + "\n";
    // One write: lines of several processes must not be mixed.
    OpenOptions::new().write(true).open(fifo)?.write_all(line.as_bytes())
}

fn print(count: u64) -> io::Result<()> {
    let mut stdout = io::stdout();
    (1..=count).try_for_each(|line| {
        writeln!(stdout, "line {line}")?;
        stdout.flush()
    })
}

fn print_env(name: &str) -> io::Result<()> {
    match env::var_os(name) {
        Some(value) => writeln!(io::stdout(), "{name}={}", value.display()),
        None => writeln!(io::stdout(), "{name} unset"),
    }
}

fn trap(fifo: &str) -> io::Result<()> {
    let mut pipe = SignalPipe::install(&TRAPPED.map(|(signal, _)| signal))?;
    say(fifo, "ready {pid}")?;
    let poller = Poller::new()?;
    poller.add(pipe.as_fd(), 0, Interest::READ)?;
    let mut events = Vec::new();
    loop {
        poller.wait(&mut events, Some(HOLD))?;
        let came = pipe.drain();
        if let Some((_, name)) = TRAPPED.iter().find(|(signal, _)| came.contains(*signal)) {
            return say(fifo, name);
        }
    }
}

fn in_own_session<'a>(orders: impl IntoIterator<Item = &'a str>) -> io::Result<()> {
    let text = |bytes: &[u8]| CString::new(bytes).map_err(io::Error::other);
    let program = text(env::current_exe()?.as_os_str().as_bytes())?;
    let mut argv = vec![program.clone()];
    for order in orders {
        argv.push(text(order.as_bytes())?);
    }
    let entry = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        text(&[name.as_bytes(), b"=", value.as_bytes()].concat())
    };
    let env = env::vars_os().map(entry).collect::<io::Result<Vec<_>>>()?;
    let null = files::open_null()?;
    let (stdout, stderr) = (io::stdout(), io::stderr());
    let fds = [(null.as_fd(), 0), (stdout.as_fd(), 1), (stderr.as_fd(), 2)];
    spawn(&Spawn { program: &program, argv: &argv, env: &env, cwd: None, fds: &fds, session: true }).map(drop)
}

fn ask(socket: &str, fifo: &str) -> io::Result<()> {
    let mut stream = match UnixStream::connect(socket) {
        Ok(stream) => stream,
        Err(error) => return say(fifo, &format!("not connected: {:?}", error.kind())),
    };
    let mut answer = Vec::new();
    // Who is turned away may find the connection closed at any of these.
    let asked = stream.write_all(b"{\"method\":\"dev.resume.Supervisor.Status\"}\0");
    let _ = asked.and_then(|()| stream.shutdown(std::net::Shutdown::Write));
    let _ = stream.read_to_end(&mut answer);
    say(fifo, &format!("{} bytes", answer.len()))
}

fn signal_self(signal: i32) -> io::Result<()> {
    let own = i32::try_from(std::process::id()).map_err(io::Error::other)?;
    match identity::Process::open(&identity::identify(own)?)? {
        Some(process) => process.signal(signal),
        None => Ok(()),
    }
}

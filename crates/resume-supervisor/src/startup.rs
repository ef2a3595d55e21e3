//! From a command line to a supervisor that is ready: the only part that may fail.

use std::ffi::OsString;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use resume_core::layout;
use resume_core::lifecycle::Event;
use resume_core::name::ServiceName;
use resume_core::service::Service;
use resume_core::signal::Signal;
use resume_core::spec::Spec;
use resume_core::status::{ProcessIdentity, Status};
use resume_core::wire::{self, CallError, Terminator};
use resume_sys::identity::{self, Identity};
use resume_sys::lock::Lock;
use resume_sys::memory::Scratch;
use resume_sys::poll::{Interest, Poller};
use resume_sys::signal::SignalPipe;
use resume_sys::{child, clock, dirs, dnotify, files, inherit, process, signal, socket, tree};

use resume_core::layout::Stream;

use crate::adoption::restore;
use crate::clients::Clients;
use crate::echo::Echo;
use crate::event_loop::{BUFFER, Instance, Mode, Supervisor};
use crate::history::History;
use crate::journal::Journal;
use crate::key::{self, Source};
use crate::members::own_pid;
use crate::perform::PRIVATE;

/// The largest `spec.json` and `state.json` that are read; a whole environment fits many times.
const MAX_FILE: usize = 16 << 20;

/// Becomes the supervisor that the command line names, or `None` if there is one already.
pub(crate) fn background(arguments: &[OsString]) -> Result<Option<Supervisor>, String> {
    let usage = || format!("usage: resume {} DIR [--client FD]", crate::ARGUMENT);
    let (directory, client) = match arguments {
        [directory] => (directory, None),
        [directory, flag, number] if flag == "--client" => {
            (directory, Some(number.to_str().and_then(|number| number.parse().ok()).ok_or_else(usage)?))
        }
        _ => return Err(usage()),
    };
    let path = PathBuf::from(directory);
    let name = path.file_name().and_then(|name| name.to_str()).and_then(|name| ServiceName::new(name).ok());
    let home = path.parent().and_then(Path::parent).filter(|_| path.is_absolute());
    let (Some(name), Some(home)) = (name, home) else {
        return Err(format!("`{}` is not the directory of a service", path.display()));
    };
    // Whoever launched us may have left descriptors open that are none of our business, nor of the program's.
    let client = inherit::keep_only(client).map_err(|error| format!("closing what we inherited: {error}"))?;
    let made = supervise(home, &name, &path);
    match (made, client) {
        (Ok(Some(mut supervisor)), Some(client)) => {
            let _ = socket::set_nonblocking(client.as_fd(), true);
            supervisor.add_client(client);
            Ok(Some(supervisor))
        }
        (Err(problem), Some(client)) => {
            // Whoever launched us has asked something already; this is the answer to it.
            let answer = wire::error(&CallError::Failed(problem.clone()), Terminator::Nul);
            let _ = socket::send(client.as_fd(), &answer);
            Err(problem)
        }
        (made, _) => made,
    }
}

/// Becomes the supervisor in the background, or `None` if there is one already.
fn supervise(home: &Path, name: &ServiceName, path: &Path) -> Result<Option<Supervisor>, String> {
    let dir = dirs::open_dir(path).map_err(|error| format!("opening `{}`: {error}", path.display()))?;
    let lock = Lock::try_acquire(dir.as_fd(), layout::LOCK).map_err(|error| format!("taking the lock: {error}"))?;
    let Some(lock) = lock else { return Ok(None) };
    let _ = signal::ignore(Signal::HUP.number());
    let _ = signal::ignore(Signal::INT.number());
    ready(home, name, dir, lock, Mode::Background).map(Some)
}

/// Becomes the supervisor of `name` in this terminal and starts it.
pub(crate) fn foreground(home: &Path, name: &ServiceName, lock: Lock) -> Result<Supervisor, String> {
    let path = layout::service_dir(home, name);
    let dir = dirs::open_dir(&path).map_err(|error| format!("opening `{}`: {error}", path.display()))?;
    inherit::keep_from_children().map_err(|error| format!("marking what we inherited: {error}"))?;
    let echo = |stream| Echo::start(stream).map_err(|error| format!("starting the echo of its output: {error}"));
    let echoes = [echo(Stream::Stdout)?, echo(Stream::Stderr)?];
    // Before an exec this process was another program, whose children are none of ours.
    let spared = tree::descendants(own_pid()).into_iter().map(|process| process.identity).collect();
    let mut supervisor = ready(home, name, dir, lock, Mode::Foreground { echoes, interrupted: false })?;
    supervisor.spared = spared;
    for index in 0..supervisor.instances.len() {
        supervisor.deliver(index, Event::Start);
    }
    Ok(supervisor)
}

fn ready(home: &Path, name: &ServiceName, dir: OwnedFd, lock: Lock, mode: Mode) -> Result<Supervisor, String> {
    let path = layout::service_dir(home, name);
    let doing = |what: &'static str| move |error: std::io::Error| format!("{what}: {error}");
    process::set_umask(PRIVATE);
    let _ = signal::ignore(Signal::PIPE.number());
    child::become_subreaper().map_err(doing("becoming the parent of orphans"))?;

    let spec = read_spec(&dir, name)?;
    let identity = own_identity().map_err(doing("reading our own identity"))?;
    let (earlier, torn) = read_status(&dir);

    dirs::create_private_dir(dir.as_fd(), layout::LOG).map_err(doing("making the folder of the log"))?;
    let (journal, problem) = Journal::open(&path.join(layout::LOG), spec.log.max_size);

    let (history, unwritable) = History::open(&path);

    let mut watched = vec![Signal::TERM.number(), Signal::CHLD.number(), dnotify::SIGNAL];
    if matches!(mode, Mode::Foreground { .. }) {
        // Under nohup(1), or in the background of a script, they are ignored, and are to stay so.
        let wanted = [Signal::INT.number(), Signal::HUP.number()];
        watched.extend(wanted.into_iter().filter(|number| !signal::is_ignored(*number).unwrap_or(false)));
    }
    let signals = SignalPipe::install(&watched).map_err(doing("handling signals"))?;
    let listener = socket::listen(dir.as_fd(), layout::SOCKET).map_err(doing("listening on the socket"))?;
    let poller = Poller::new().map_err(doing("making the poller"))?;
    poller.add(signals.as_fd(), key::pack(Source::Signals, 0), Interest::READ).map_err(doing("waiting for signals"))?;

    let seed = clock::wall_micros() ^ (u64::from(std::process::id()) << 32);
    let restored = restore(&spec, seed, earlier.as_ref(), &journal);
    let service = Service::new(spec, seed, restored);
    let last_exit = |index: usize| earlier.as_ref()?.instances.get(index)?.last_exit.clone();
    let instances = (0..service.instances().len()).map(|index| Instance::new(last_exit(index))).collect();
    let mut supervisor = Supervisor {
        dir,
        path,
        home: home.to_path_buf(),
        lock,
        identity,
        mode,
        service,
        instances,
        journal,
        history,
        clients: Clients::default(),
        poller,
        signals,
        listener,
        null: files::open_null().map_err(doing("opening `/dev/null`"))?,
        scratch: Scratch::new(BUFFER).map_err(doing("allocating the buffer"))?,
        release_at: None,
        listen_at: None,
        warnings: Vec::new(),
        news: Vec::new(),
        changed: true,
        leaving: false,
        ended_away: Vec::new(),
        judge_at: None,
        deleting: None,
        undeletable: None,
        deleted: false,
        spared: Vec::new(),
        generation: 0,
    };
    supervisor.listen();
    if let Err(error) = dnotify::signal_on_delete(supervisor.dir.as_fd()) {
        supervisor.warn(format!("watching the service's directory: {error}"));
    }
    for warning in [problem, unwritable, torn].into_iter().flatten() {
        supervisor.warn(warning);
    }
    supervisor.take_over(earlier.as_ref())?;
    Ok(supervisor)
}

fn read_spec(dir: &OwnedFd, name: &ServiceName) -> Result<Spec, String> {
    let text = files::read_file(dir.as_fd(), layout::SPEC, MAX_FILE)
        .map_err(|error| format!("reading `{}`: {error}", layout::SPEC))?;
    let spec = Spec::parse(&text).map_err(|error| format!("`{}`: {error}", layout::SPEC))?;
    if &spec.name == name {
        Ok(spec)
    } else {
        Err(format!("`{}` is of `{}`, not of `{name}`", layout::SPEC, spec.name))
    }
}

/// What the supervisor before us knew, and what is wrong with it if it cannot be read.
fn read_status(dir: &OwnedFd) -> (Option<Status>, Option<String>) {
    let text = match files::read_file(dir.as_fd(), layout::STATE, MAX_FILE) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return (None, None),
        Err(error) => return (None, Some(format!("reading `{}`: {error}", layout::STATE))),
    };
    match Status::parse(&text) {
        Ok(status) => (Some(status), None),
        Err(error) => (None, Some(format!("`{}` was not usable and is written anew: {error}", layout::STATE))),
    }
}

fn own_identity() -> std::io::Result<ProcessIdentity> {
    let Identity { pid, start_ticks } = identity::identify(own_pid())?;
    Ok(ProcessIdentity { pid, start_ticks, boot_id: identity::boot_id()? })
}

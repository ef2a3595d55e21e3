//! What is true of the services of a home, by the files alone: it wakes nobody.
//!
//! A state file says what its supervisor knew last. Whether that still holds is checked: a supervisor lives exactly
//! while the lock is held, and a pid is believed only if the process behind it is the one that was meant (start time and
//! boot). Where the two disagree the supervisor itself is asked; where nobody answers, the disk's truth is shown:
//!
//! | lock | state file says | process | shown |
//! |---|---|---|---|
//! | held | live | alive | as it says |
//! | held | live | gone | what the supervisor answers; else `lost`, with a warning |
//! | held | torn, missing | | what the supervisor answers; else `starting`, or as if the lock were free |
//! | free | live | alive or gone | `lost`, with the pid of what is alive |
//! | free | live, of another boot | gone | `stopped` |
//! | free | down | | as it says |
//! | free | torn, missing | unknown | by the spec: wanted up `lost`, wanted down `stopped` |

use std::io;
use std::num::NonZero;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use resume_core::layout;
use resume_core::name::ServiceName;
use resume_core::os_text::OsText;
use resume_core::spec::{Desired, Spec};
use resume_core::status::{InstanceStatus, InvalidStatus, ProcessIdentity, StateWord, Status};
use resume_core::wire::{Call, StatusReply};
use resume_sys::lock::Lock;
use resume_sys::{files, glance, identity};

use crate::connection::Connection;
use crate::home::describe;
use crate::offline::{MAX_FILE, OfflineError, read_spec};
use crate::selector::Part;
use crate::services::Services;

/// How long a supervisor has to tell the truth where its file does not.
const ANSWER_TIMEOUT: Duration = Duration::from_millis(250);
/// So many services are looked at in the time that it takes to make a thread and more.
const NAMES_A_THREAD: usize = 64;
/// How often a file is read again that was changed under our eyes.
const MAX_LOOKS: usize = 4;

/// A service, as it truly is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Its name.
    pub name: ServiceName,
    /// Its directory, absolute.
    pub directory: PathBuf,
    /// Whether somebody holds its lock.
    pub supervised: bool,
    /// The pid of the supervisor that lives, where it is known.
    pub supervisor: Option<i32>,
    /// What the person wants.
    pub desired: Desired,
    /// What is executed; empty where that is not known.
    pub command: Vec<OsText>,
    /// Where; empty where that is not known.
    pub cwd: OsText,
    /// The group that `@GROUP` selects.
    pub group: Option<String>,
    /// Its instances; `process` is there only if that very process is alive.
    pub instances: Vec<InstanceStatus>,
    /// What does not fit together, for people; each names the file or process.
    pub problems: Vec<Problem>,
}

/// Something about a service that does not fit together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What it is.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

impl Service {
    /// The least well of its instances' states.
    pub fn state(&self) -> StateWord {
        self.instances.iter().map(|instance| instance.state).min().unwrap_or(StateWord::Stopped)
    }

    /// The instance whose pid, start and last exit stand for the service's: the first that lives, else the first.
    pub fn first(&self) -> Option<&InstanceStatus> {
        let live = self.instances.iter().find(|instance| instance.process.is_some());
        live.or_else(|| self.instances.first())
    }

    /// The automatic restarts of all instances.
    pub fn restarts(&self) -> u64 {
        self.instances.iter().fold(0, |sum, instance| sum.saturating_add(instance.restarts))
    }

    /// Whether any process of it is known to live.
    pub fn is_alive(&self) -> bool {
        self.instances.iter().any(|instance| instance.process.is_some())
    }

    /// Whether it has an instance of this number.
    pub fn has_instance(&self, index: u32) -> bool {
        self.instances.iter().any(|instance| instance.index == index)
    }

    /// What a pid selects: its supervisor's the whole, a program's its instance.
    pub(crate) fn part_of_pid(&self, pid: i32) -> Option<Part> {
        if self.supervisor == Some(pid) {
            return Some(Part::Whole);
        }
        let of = |instance: &&InstanceStatus| instance.process.as_ref().is_some_and(|process| process.pid == pid);
        let instance = self.instances.iter().find(of)?;
        Some(if self.instances.len() == 1 { Part::Whole } else { Part::Instance(instance.index) })
    }
}

/// Looks at the services of one home.
#[derive(Debug)]
pub struct Discovery<'a> {
    services: &'a Services,
    boot_id: OnceLock<String>,
}

impl<'a> Discovery<'a> {
    /// Looks at nothing yet.
    pub fn new(services: &'a Services) -> Self {
        Self { services, boot_id: OnceLock::new() }
    }

    /// All services, sorted by name. What is no service is passed over.
    pub fn all(&self) -> io::Result<Vec<Service>> {
        let names = self.services.names()?;
        let threads = std::thread::available_parallelism().map_or(1, NonZero::get).min(names.len() / NAMES_A_THREAD);
        if threads < 2 {
            return Ok(self.several(&names));
        }
        let mut found = Vec::with_capacity(names.len());
        std::thread::scope(|scope| {
            let several = |part| std::thread::Builder::new().spawn_scoped(scope, move || self.several(part));
            let parts = names.chunks(names.len().div_ceil(threads)).map(|part| (part, several(part)));
            for (part, thread) in parts.collect::<Vec<_>>() {
                // Where no thread can be had, this one does its work.
                let joined = thread.ok().and_then(|thread| thread.join().ok());
                found.extend(joined.unwrap_or_else(|| self.several(part)));
            }
        });
        Ok(found)
    }

    fn several(&self, names: &[ServiceName]) -> Vec<Service> {
        names.iter().filter_map(|name| self.one(name)).collect()
    }

    /// One service, or `None` if there is none of this name.
    pub fn one(&self, name: &ServiceName) -> Option<Service> {
        // What is there but cannot be opened as a directory was not made by us.
        let directory = self.services.open(name).ok()??;
        self.look(name, &directory)
    }

    /// The spec of a service, from its file.
    pub fn spec(&self, name: &ServiceName) -> Result<Spec, OfflineError> {
        let path = self.services.directory(name);
        let opened = self.services.open(name);
        let opened = opened.map_err(|source| OfflineError::File { step: "opening", path: path.clone(), source })?;
        read_spec(&opened.ok_or_else(|| OfflineError::NoSuchService(name.clone()))?, &path)
    }

    fn look(&self, name: &ServiceName, directory: &OwnedFd) -> Option<Service> {
        let mut read = read_status(directory);
        if let Ok(Some(status)) = &read
            && self.is_vouched_for(status)
        {
            let supervisor = Some(status.supervisor.pid);
            return read.ok().flatten().map(|status| self.service(name, status, true, supervisor));
        }
        let mut held = false;
        for _ in 0..MAX_LOOKS {
            // The lock before the file, for a supervisor that leaves writes first. If it came in between, look again.
            held = is_held(directory);
            read = read_status(directory);
            let live = read.as_ref().is_ok_and(|status| status.as_ref().is_some_and(is_live));
            if held || !live || !is_held(directory) {
                break;
            }
        }
        let torn = read.as_ref().err().cloned();
        let status = read.unwrap_or_default();
        if held
            && status.as_ref().is_none_or(|status| self.has_dead_process(status))
            && let Some(answer) = self.ask(directory)
        {
            return Some(self.as_answered(name, answer));
        }
        let Some(status) = status else { return self.without_state(name, directory, held, torn) };
        let unnoticed = if held { self.unnoticed(name, &status) } else { None };
        let mut service = self.reconciled(name, status, held);
        service.problems.extend(unnoticed);
        Some(service)
    }

    /// Whether the processes prove the file right: each main process that it names is there and is the child of the
    /// supervisor that it names, which then lives as well. This spares `ls` the lock and all further looks.
    fn is_vouched_for(&self, status: &Status) -> bool {
        let mut processes = status.instances.iter().filter_map(|instance| instance.process.as_ref()).peekable();
        let is_child = |process: &ProcessIdentity| {
            let same = |found: &glance::Glance| found.alive && found.start_ticks == process.start_ticks;
            let found = glance::glance(process.pid).ok().filter(same);
            found.is_some_and(|found| found.parent == status.supervisor.pid) && process.boot_id == self.boot_id()
        };
        processes.peek().is_some() && processes.all(is_child)
    }

    /// The status that the supervisor itself tells, if it does so at once. One whose program ends again and again may be
    /// behind as soon as it is told, so it is asked more than once.
    fn ask(&self, directory: &OwnedFd) -> Option<Status> {
        let mut answer = ask(directory)?;
        for _ in 1..MAX_LOOKS {
            if !self.has_dead_process(&answer) {
                break;
            }
            answer = ask(directory)?;
        }
        Some(answer)
    }

    /// A service whose supervisor has just told what it is: whatever is gone by now, it will notice.
    fn as_answered(&self, name: &ServiceName, mut status: Status) -> Service {
        for instance in &mut status.instances {
            instance.process = instance.process.take().filter(|process| self.is_alive(process));
        }
        let supervisor = Some(status.supervisor.pid);
        self.service(name, status, true, supervisor)
    }

    fn service(&self, name: &ServiceName, status: Status, supervised: bool, supervisor: Option<i32>) -> Service {
        let mut instances = status.instances;
        for instance in instances.iter_mut().filter(|instance| instance.process.is_none()) {
            instance.started_at = None;
        }
        Service {
            name: name.clone(),
            directory: self.services.directory(name),
            supervised,
            supervisor,
            desired: status.desired,
            command: status.command,
            cwd: status.cwd,
            group: status.group,
            instances,
            problems: Vec::new(),
        }
    }

    fn reconciled(&self, name: &ServiceName, mut status: Status, held: bool) -> Service {
        let supervisor = held.then_some(&status.supervisor).filter(|supervisor| self.is_alive(supervisor));
        let supervisor = supervisor.map(|supervisor| supervisor.pid);
        let same_boot = status.supervisor.boot_id == self.boot_id();
        for instance in &mut status.instances {
            let said_to_live = instance.process.is_some();
            instance.process = instance.process.take().filter(|process| self.is_alive(process));
            if instance.state.is_down() {
                continue;
            }
            if !held || !same_boot {
                instance.state = if same_boot { StateWord::Lost } else { StateWord::Stopped };
                instance.restart_at = None;
            } else if said_to_live && instance.process.is_none() {
                instance.state = StateWord::Lost;
            }
        }
        self.service(name, status, held, supervisor)
    }

    /// A service whose state file is missing or torn and whose supervisor, if there is one, does not answer.
    fn without_state(
        &self,
        name: &ServiceName,
        directory: &OwnedFd,
        held: bool,
        torn: Option<String>,
    ) -> Option<Service> {
        let path = self.services.directory(name);
        let mut problems = Vec::new();
        let spec = match read_spec(directory, &path) {
            Ok(spec) => Some(spec),
            // Without a spec it is no service: being made, or but the log of a forgotten one.
            Err(OfflineError::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                let hint = format!("mend the file, or forget the service with `resume delete {name}`");
                problems.push(Problem { message: error.to_string(), hint });
                None
            }
        };
        if let Some(torn) = torn {
            let state = path.join(layout::STATE);
            let hint = format!("nothing of it is needed: `resume start {name}` writes it anew");
            problems.push(Problem { message: format!("reading `{}`: {torn}", state.display()), hint });
        }
        let desired = spec.as_ref().map_or(Desired::Down, |spec| spec.desired);
        let state = match (&spec, desired) {
            (Some(_), Desired::Down) => StateWord::Stopped,
            // It is being started for the first time: whoever holds the lock has not yet written what it knows.
            (Some(_), Desired::Up) if held && problems.is_empty() => StateWord::Starting,
            (Some(_), Desired::Up) | (None, _) => StateWord::Lost,
        };
        let instances = spec.as_ref().map_or(1, |spec| spec.instances);
        Some(Service {
            name: name.clone(),
            directory: path,
            supervised: held,
            supervisor: None,
            desired,
            command: spec.as_ref().map(|spec| spec.argv().cloned().collect()).unwrap_or_default(),
            cwd: spec.as_ref().map(|spec| spec.cwd.clone()).unwrap_or_default(),
            group: spec.and_then(|spec| spec.group),
            instances: (0..instances).map(|index| unknown_instance(index, state, desired)).collect(),
            problems,
        })
    }

    /// What to say of a supervisor that takes a dead process for living and does not answer.
    fn unnoticed(&self, name: &ServiceName, status: &Status) -> Option<Problem> {
        let dead = status.instances.iter().filter_map(|instance| instance.process.as_ref());
        let dead = dead.filter(|process| !self.is_alive(process)).map(|process| process.pid).next()?;
        let supervisor = status.supervisor.pid;
        Some(Problem {
            message: format!(
                "the program of `{name}` (pid {dead}) is gone and its supervisor (pid {supervisor}) has not noticed"
            ),
            hint: format!("is the supervisor stopped? `kill -CONT {supervisor}` lets it go on"),
        })
    }

    fn has_dead_process(&self, status: &Status) -> bool {
        status.instances.iter().filter_map(|instance| instance.process.as_ref()).any(|process| !self.is_alive(process))
    }

    /// Whether this very process, not another of its number, is there and has not ended.
    fn is_alive(&self, process: &ProcessIdentity) -> bool {
        let found = glance::glance(process.pid);
        let same = found.is_ok_and(|found| found.alive && found.start_ticks == process.start_ticks);
        same && process.boot_id == self.boot_id()
    }

    /// An empty text, that of no boot, where it cannot be read.
    fn boot_id(&self) -> &str {
        self.boot_id.get_or_init(|| identity::boot_id().unwrap_or_default())
    }
}

fn is_live(status: &Status) -> bool {
    status.instances.iter().any(|instance| !instance.state.is_down())
}

/// A lock that cannot be looked at counts as free: what it would say of a supervisor could not be relied on.
fn is_held(directory: &OwnedFd) -> bool {
    Lock::is_held(directory.as_fd(), layout::LOCK).unwrap_or(false)
}

/// The state file's status, `None` if there is no file, or what is wrong with it.
fn read_status(directory: &OwnedFd) -> Result<Option<Status>, String> {
    match files::read_file(directory.as_fd(), layout::STATE, MAX_FILE) {
        Ok(text) => Status::parse(&text).map(Some).map_err(|error| match error {
            InvalidStatus::Json(error) => format!("it is damaged: {error}"),
            InvalidStatus::Version(_) => error.to_string(),
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(describe(&error)),
    }
}

/// What the supervisor itself says, if it does so at once.
fn ask(directory: &OwnedFd) -> Option<Status> {
    let mut connection = Connection::open(directory.as_fd()).ok()?;
    let reply = connection.call::<StatusReply>(&Call::Status, Some(Instant::now() + ANSWER_TIMEOUT));
    reply.ok().map(|reply| reply.status)
}

fn unknown_instance(index: u32, state: StateWord, desired: Desired) -> InstanceStatus {
    InstanceStatus {
        index,
        state,
        desired,
        process: None,
        started_at: None,
        restart_at: None,
        run: 0,
        restarts: 0,
        short_runs: 0,
        last_exit: None,
        failure: None,
    }
}

#[cfg(test)]
#[path = "discover_tests.rs"]
pub(crate) mod tests;

//! Asking the supervisor of a service, whoever that is by now.
//!
//! A supervisor leaves as soon as nothing of its service runs, and another may come at any moment. So a connection that
//! cannot be made, or ends before an answer, is no error at first: the truth on disk is looked at, and decides.

use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use resume_core::name::ServiceName;
use resume_core::wire::{Call, NoReply};
use serde::Deserialize;

use crate::changes::Changes;
use crate::connection::{CallFailure, Connection};
use crate::discover::{Discovery, Service};
use crate::home::describe;
use crate::launch::{LaunchError, launch};
use crate::offline::OfflineError;
use crate::services::Services;

/// How long a supervisor has to open its socket, or to leave.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a supervisor answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer<P> {
    /// The answer.
    pub reply: P,
    /// The pid of who gave it.
    pub supervisor: i32,
    /// What went wrong on the way and did not hinder it.
    pub warning: Option<String>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// The service is not there, or no longer.
    #[error("there is no service `{0}`")]
    NoSuchService(ServiceName),
    /// Its spec cannot be read, so no supervisor could do anything for it.
    #[error(transparent)]
    Spec(OfflineError),
    /// No supervisor could be made.
    #[error("making its supervisor: {0}")]
    Launch(#[from] LaunchError),
    /// There is a supervisor, and it cannot be reached.
    #[error("its supervisor{} cannot be reached: {}", of(*.supervisor), describe(.source))]
    Unreachable {
        /// Its pid, where that is known.
        supervisor: Option<i32>,
        /// What the system said last.
        source: io::Error,
    },
    /// It ended in the middle of the call and left the service without one.
    #[error("the supervisor of `{0}` went away")]
    WentAway(ServiceName),
    /// Supervisors come and leave, again and again, without an answer.
    #[error("the supervisor of `{0}` ends without an answer, again and again")]
    NoAnswer(ServiceName),
    /// The time was up.
    #[error("there was no answer in time")]
    TimedOut,
    /// The request cannot be carried out, or its answer not be read.
    #[error(transparent)]
    Reply(NoReply),
    /// The call failed otherwise.
    #[error("{0}")]
    Call(CallFailure),
}

fn of(pid: Option<i32>) -> String {
    pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default()
}

/// Asks the supervisor of a service; where there is none, one is made.
pub fn ask<P: for<'a> Deserialize<'a>>(
    services: &Services,
    name: &ServiceName,
    call: &Call,
    deadline: Option<Instant>,
) -> Result<Answer<P>, AskError> {
    let answer = Asking::new(services, name, deadline).ask(call, true)?;
    answer.ok_or_else(|| AskError::NoAnswer(name.clone()))
}

/// Asks the supervisor of a service that was just made, which therefore has none yet: one is made without a look at it.
pub fn ask_new<P: for<'a> Deserialize<'a>>(
    services: &Services,
    name: &ServiceName,
    call: &Call,
    deadline: Option<Instant>,
) -> Result<Answer<P>, AskError> {
    let mut asking = Asking::new(services, name, deadline);
    match asking.launch(call)? {
        Attempt::Answered(answer) => Ok(answer),
        // Somebody else was quicker after all.
        Attempt::Ended | Attempt::NotConnected(_) => {
            asking.ask(call, true)?.ok_or_else(|| AskError::NoAnswer(name.clone()))
        }
    }
}

/// Asks the supervisor of a service if it has one; `None` if it has none, or none any more.
pub fn ask_living<P: for<'a> Deserialize<'a>>(
    services: &Services,
    name: &ServiceName,
    call: &Call,
    deadline: Option<Instant>,
) -> Result<Option<Answer<P>>, AskError> {
    Asking::new(services, name, deadline).ask(call, false)
}

/// One request on its way.
struct Asking<'a> {
    services: &'a Services,
    name: &'a ServiceName,
    deadline: Option<Instant>,
    /// Until when a supervisor that is there may be out of reach.
    patience: Instant,
    /// How many supervisors we have made.
    launched: u32,
    changes: Option<Changes>,
}

/// So many supervisors in a row may find another in their place, or leave.
const MAX_LAUNCHES: u32 = 5;

/// What became of one attempt.
enum Attempt<P> {
    Answered(Answer<P>),
    /// The connection ended without an answer.
    Ended,
    NotConnected(io::Error),
}

impl<'a> Asking<'a> {
    fn new(services: &'a Services, name: &'a ServiceName, deadline: Option<Instant>) -> Self {
        let patience = Instant::now() + PATIENCE;
        Self { services, name, deadline, patience, launched: 0, changes: None }
    }

    fn ask<P: for<'b> Deserialize<'b>>(&mut self, call: &Call, make: bool) -> Result<Option<Answer<P>>, AskError> {
        let mut ended = false;
        loop {
            let service = Discovery::new(self.services).one(self.name);
            let service = service.ok_or_else(|| AskError::NoSuchService(self.name.clone()))?;
            if !service.supervised {
                if ended && !service.state().is_down() {
                    return Err(AskError::WentAway(self.name.clone()));
                }
                if !make {
                    return Ok(None);
                }
                if self.launched == MAX_LAUNCHES {
                    return Err(AskError::NoAnswer(self.name.clone()));
                }
                if let Err(error @ OfflineError::Spec { .. }) = Discovery::new(self.services).spec(self.name) {
                    return Err(AskError::Spec(error));
                }
            }
            let attempt = if service.supervised { self.connect(call)? } else { self.launch(call)? };
            match attempt {
                Attempt::Answered(answer) => return Ok(Some(answer)),
                // One that we made may have found another in its place: that is no end of the one that we ask.
                Attempt::Ended => ended = service.supervised,
                Attempt::NotConnected(source) => self.wait(&service, source)?,
            }
        }
    }

    fn launch<P: for<'b> Deserialize<'b>>(&mut self, call: &Call) -> Result<Attempt<P>, AskError> {
        self.launched += 1;
        let launched = launch(self.services.home(), &self.services.directory(self.name))?;
        let attempt = self.call(launched.connection, call)?;
        Ok(match attempt {
            Attempt::Answered(answer) => Attempt::Answered(Answer { warning: launched.warning, ..answer }),
            Attempt::Ended | Attempt::NotConnected(_) => attempt,
        })
    }

    fn connect<P: for<'b> Deserialize<'b>>(&mut self, call: &Call) -> Result<Attempt<P>, AskError> {
        let opened = self.services.open(self.name);
        let opened = opened.map_err(|source| AskError::Unreachable { supervisor: None, source })?;
        let directory = opened.ok_or_else(|| AskError::NoSuchService(self.name.clone()))?;
        match Connection::open(directory.as_fd()) {
            Ok(connection) => self.call(connection, call),
            Err(error) => Ok(Attempt::NotConnected(error)),
        }
    }

    fn call<P: for<'b> Deserialize<'b>>(
        &self,
        mut connection: Connection,
        call: &Call,
    ) -> Result<Attempt<P>, AskError> {
        let supervisor = connection.supervisor();
        match connection.call(call, self.deadline) {
            Ok(reply) => Ok(Attempt::Answered(Answer { reply, supervisor, warning: None })),
            Err(CallFailure::Gone) => Ok(Attempt::Ended),
            Err(CallFailure::TimedOut) => Err(AskError::TimedOut),
            Err(CallFailure::Reply(reply)) => Err(AskError::Reply(reply)),
            Err(failure @ (CallFailure::TooLong | CallFailure::Io(_))) => Err(AskError::Call(failure)),
        }
    }

    /// Waits a moment for a supervisor that is there but out of reach: it is about to open its socket, or to leave.
    fn wait(&mut self, service: &Service, source: io::Error) -> Result<(), AskError> {
        let passing = matches!(source.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused);
        if !passing || Instant::now() >= self.patience {
            return Err(AskError::Unreachable { supervisor: service.supervisor, source });
        }
        if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return Err(AskError::TimedOut);
        }
        let unwatched = |source| AskError::Unreachable { supervisor: service.supervisor, source };
        if let Some(changes) = &self.changes {
            return changes.wait().map_err(unwatched);
        }
        // Something may have changed before the watch: so the first time, look again at once.
        self.changes = Some(Changes::of(&service.directory).map_err(unwatched)?);
        Ok(())
    }
}

//! What clients ask, and what they are answered.

use std::os::fd::{AsFd, OwnedFd};

use resume_core::layout;
use resume_core::lifecycle::Event;
use resume_core::spec::Desired;
use resume_core::wire::{
    self, Call, CallError, Done, EventsParameters, EventsReply, LaunchParameters, LaunchReply, Request,
    RestartParameters, SignalParameters, SignalReply, StartParameters, StartReply, Started, StatusReply,
    StopParameters, StopReply,
};
use resume_sys::identity::Process;
use resume_sys::{dirs, files};

use crate::event_loop::Supervisor;
use crate::perform::number;
use crate::waiting::{Delete, Target, Waiting};

/// An answer, or what to wait for first.
enum Answer {
    Now(Vec<u8>),
    Later(Waiting),
}

impl Supervisor {
    /// Reads one message of a client and answers it, or notes what it waits for.
    pub(crate) fn request(&mut self, slot: usize, frame: &[u8]) {
        let turn = self.clients.next_turn();
        let Some(client) = self.clients.get(slot) else { return };
        client.turn = turn;
        let terminator = client.terminator();
        let passed = client.take_passed();
        let (answer, oneway) = match Request::parse(frame) {
            Ok(Ok(Request { call: Call::Events(_), more: false, oneway })) => (Err(CallError::ExpectedMore), oneway),
            Ok(Ok(Request { call: Call::Events(parameters), .. })) => {
                self.subscribe(slot, &parameters, terminator);
                return;
            }
            Ok(Ok(request)) => (self.call(request.call, passed, terminator), request.oneway),
            Ok(Err(error)) => (Err(error), false),
            Err(_) => {
                if let Some(client) = self.clients.get(slot) {
                    client.hang_up();
                }
                return;
            }
        };
        let Some(client) = self.clients.get(slot) else { return };
        match answer {
            _ if oneway => (),
            Ok(Answer::Now(message)) => client.send(&message),
            Ok(Answer::Later(waiting)) => client.waiting = Some(waiting),
            Err(error) => client.send(&wire::error(&error, terminator)),
        }
    }

    fn call(&mut self, call: Call, passed: Option<OwnedFd>, terminator: wire::Terminator) -> Result<Answer, CallError> {
        let now = |message| Ok(Answer::Now(message));
        match call {
            Call::GetInfo => now(wire::reply(&wire::info(env!("CARGO_PKG_VERSION")), false, terminator)),
            Call::GetInterfaceDescription(parameters) => {
                now(wire::reply(&wire::description(&parameters.interface)?, false, terminator))
            }
            Call::Status => now(wire::reply(&StatusReply { status: self.status() }, false, terminator)),
            Call::Start(parameters) => self.start(&parameters),
            Call::Stop(parameters) => self.stop(&parameters),
            Call::Restart(parameters) => self.restart(parameters),
            Call::Delete(parameters) => {
                let indexes = self.select(None)?;
                // From now on it is on its way, whether somebody waits for it or not.
                self.deleting = Some(Delete { keep_logs: parameters.keep_logs });
                self.undeletable = None;
                for index in &indexes {
                    self.deliver(*index, Event::Stop);
                }
                self.keep_desired();
                Ok(Answer::Later(Waiting::Down { targets: self.present(&indexes), delete: true }))
            }
            Call::Signal(parameters) => now(wire::reply(&self.signal(&parameters)?, false, terminator)),
            Call::Reset(parameters) => {
                for index in self.select(parameters.instances.as_deref())? {
                    self.service.reset_counters(index);
                }
                self.write_state();
                now(wire::reply(&Done {}, false, terminator))
            }
            Call::Flush => {
                self.journal.clear();
                now(wire::reply(&Done {}, false, terminator))
            }
            // It has several answers; see `subscribe`.
            Call::Events(_) => Err(CallError::ExpectedMore),
            Call::Launch(parameters) => now(wire::reply(&launch(&parameters, passed)?, false, terminator)),
        }
    }

    /// The instances that a request names, or all.
    fn select(&self, instances: Option<&[u32]>) -> Result<Vec<usize>, CallError> {
        let Some(instances) = instances else { return Ok((0..self.instances.len()).collect()) };
        let known = |instance: &u32| {
            let index = usize::try_from(*instance).ok().filter(|index| *index < self.instances.len());
            index.ok_or(CallError::NoSuchInstance(*instance))
        };
        let mut indexes: Vec<usize> = instances.iter().map(known).collect::<Result<_, _>>()?;
        indexes.sort_unstable();
        indexes.dedup();
        Ok(indexes)
    }

    fn start(&mut self, parameters: &StartParameters) -> Result<Answer, CallError> {
        let indexes = self.select(parameters.instances.as_deref())?;
        self.judge_now();
        for index in &indexes {
            self.deliver(*index, Event::Start);
        }
        let targets = self.targets(&indexes);
        self.keep_desired();
        Ok(Answer::Later(Waiting::Up { targets, begun: !parameters.wait, fresh: parameters.fresh }))
    }

    fn restart(&mut self, parameters: RestartParameters) -> Result<Answer, CallError> {
        let indexes = self.select(parameters.instances.as_deref())?;
        if let Some(environment) = parameters.environment {
            self.service.spec_mut().environment = environment;
            self.write_spec();
        }
        self.judge_now();
        for index in &indexes {
            self.deliver(*index, Event::Restart);
        }
        let targets = self.targets(&indexes);
        self.keep_desired();
        Ok(Answer::Later(Waiting::Up { targets, begun: !parameters.wait, fresh: false }))
    }

    fn targets(&self, indexes: &[usize]) -> Vec<Target> {
        indexes.iter().map(|index| Target::of(*index, self.service.instance(*index))).collect()
    }

    fn present(&self, indexes: &[usize]) -> Vec<Target> {
        indexes.iter().map(|index| Target::present(*index, self.service.instance(*index))).collect()
    }

    fn start_reply(&self, targets: &[Target]) -> StartReply {
        let started = |target: &Target| {
            let main = self.instances[target.index].main.as_ref();
            Started { index: number(target.index), pid: main.map(|main| main.identity.pid) }
        };
        StartReply { instances: targets.iter().map(started).collect() }
    }

    fn stop(&mut self, parameters: &StopParameters) -> Result<Answer, CallError> {
        let indexes = self.select(parameters.instances.as_deref())?;
        for index in &indexes {
            self.deliver(*index, if parameters.now { Event::Kill } else { Event::Stop });
        }
        self.keep_desired();
        Ok(Answer::Later(Waiting::Down { targets: self.present(&indexes), delete: false }))
    }

    fn signal(&self, parameters: &SignalParameters) -> Result<SignalReply, CallError> {
        let signal = parameters.signal.number();
        let mut sent = 0;
        for index in self.select(parameters.instances.as_deref())? {
            if parameters.tree {
                let held =
                    self.members(index).into_iter().filter_map(|process| Process::open(&process.identity).ok()?);
                sent += held.filter(|process| process.signal(signal).is_ok()).count();
            } else if let Some(main) = &self.instances[index].main {
                main.signal(signal).map_err(|error| CallError::Failed(format!("signalling it: {error}")))?;
                sent += 1;
            }
        }
        Ok(SignalReply { sent })
    }

    /// Sends a client what happened since the number that it names, and from now on whatever happens.
    fn subscribe(&mut self, slot: usize, parameters: &EventsParameters, terminator: wire::Terminator) {
        // What the file holds already is told once.
        self.tell_subscribers();
        let Some(client) = self.clients.get(slot) else { return };
        client.waiting = Some(Waiting::Events);
        if let Some(since) = parameters.since {
            self.history.replay(since, |event| client.send(&wire::reply(&EventsReply { event }, true, terminator)));
        }
    }

    /// Sends what has happened to everyone who asked for it.
    pub(crate) fn tell_subscribers(&mut self) {
        for event in std::mem::take(&mut self.news) {
            let reply = EventsReply { event };
            for slot in 0..self.clients.slots() {
                let Some(client) = self.clients.get(slot) else { continue };
                if client.waiting == Some(Waiting::Events) {
                    let message = wire::reply(&reply, true, client.terminator());
                    client.send(&message);
                    self.serve(slot);
                }
            }
        }
    }

    /// Puts what a person asked for on disk, if it is news.
    fn keep_desired(&mut self) {
        let desired = self.service.desired();
        let background = matches!(self.mode, crate::event_loop::Mode::Background);
        let spec = self.service.spec_mut();
        let foreground = spec.foreground && !(background && desired == Desired::Up);
        if spec.desired != desired || spec.foreground != foreground {
            spec.desired = desired;
            spec.foreground = foreground;
            self.write_spec();
        }
        self.changed = true;
    }

    /// Answers everyone whose wait is over. Returns whether there was one.
    pub(crate) fn answer_waiting(&mut self) -> bool {
        let mut answered = false;
        for slot in 0..self.clients.slots() {
            let Some(client) = self.clients.get(slot) else { continue };
            let terminator = client.terminator();
            let Some(waiting) = client.waiting.take() else { continue };
            match self.outcome(&waiting, terminator) {
                None => {
                    if let Some(client) = self.clients.get(slot) {
                        client.waiting = Some(waiting);
                    }
                }
                Some(message) => {
                    answered = true;
                    if let Some(client) = self.clients.get(slot) {
                        client.send(&message);
                    }
                    self.serve(slot);
                }
            }
        }
        answered
    }

    /// The message that ends a wait, once it can be written.
    fn outcome(&mut self, waiting: &Waiting, terminator: wire::Terminator) -> Option<Vec<u8>> {
        match waiting {
            Waiting::Up { targets, begun, fresh } => {
                let max_restarts = self.service.spec().restart.max_restarts;
                let mut all_up = true;
                for target in targets {
                    let shell = &self.instances[target.index];
                    let lifecycle = self.service.instance(target.index);
                    let (last_exit, spawn_error) = (shell.last_exit.as_ref(), shell.spawn_error.as_ref());
                    match target.outcome(lifecycle, last_exit, spawn_error, max_restarts) {
                        Some(Ok(())) => (),
                        // It has begun, and is over already.
                        Some(Err(CallError::StartFailed(_))) if *begun => (),
                        Some(Err(error)) => {
                            self.forget_if(*fresh && matches!(error, CallError::SpawnFailed(_)));
                            return Some(wire::error(&error, terminator));
                        }
                        None => all_up &= *begun && lifecycle.run() >= target.run,
                    }
                }
                all_up.then(|| wire::reply(&self.start_reply(targets), false, terminator))
            }
            Waiting::Events => None,
            Waiting::Down { targets, delete } => {
                if let Some(problem) = self.undeletable.as_ref().filter(|_| *delete) {
                    return Some(wire::error(&CallError::Failed(problem.clone()), terminator));
                }
                let over = |target: &Target| target.is_over(self.service.instance(target.index));
                if !(if *delete { self.deleted } else { targets.iter().all(over) }) {
                    return None;
                }
                let killed = targets.iter().flat_map(|target| self.instances[target.index].killed.clone()).collect();
                Some(wire::reply(&StopReply { killed }, false, terminator))
            }
        }
    }

    /// Removes the service once that is asked for and nothing of it runs. Whoever starts it meanwhile comes too late.
    pub(crate) fn delete_if_due(&mut self) {
        let Some(delete) = self.deleting else { return };
        for index in 0..self.instances.len() {
            if self.service.instance(index).desired() == Desired::Up {
                self.deliver(index, Event::Stop);
            }
        }
        if !self.service.is_at_rest() {
            return;
        }
        self.deleting = None;
        if let Err(error) = self.delete(delete.keep_logs) {
            self.undeletable = Some(format!("removing its directory: {error}"));
        }
    }

    /// A new service that could not be spawned is forgotten, as if it had never been asked for.
    fn forget_if(&mut self, fresh: bool) {
        let at_rest = self.service.instances().iter().all(|lifecycle| !lifecycle.is_alive());
        if fresh
            && at_rest
            && let Err(error) = self.delete(false)
        {
            self.warn(format!("removing the service's directory: {error}"));
        }
    }

    /// Removes the service's directory, its log too unless that is to be kept, and makes us leave.
    fn delete(&mut self, keep_logs: bool) -> std::io::Result<()> {
        if self.deleted {
            return Ok(());
        }
        if keep_logs {
            // Without a spec there is no service: that goes first.
            std::fs::remove_file(self.path.join(layout::SPEC))?;
            for entry in dirs::list(self.dir())? {
                if entry != layout::LOG && entry != layout::LOCK {
                    let _ = std::fs::remove_file(self.path.join(entry));
                }
            }
        } else {
            let services = dirs::open_dir(self.path.parent().unwrap_or(&self.path))?;
            let name = self.service.spec().name.as_str().to_owned();
            // It disappears in one step; what follows may take its time.
            let gone = format!(".{name}.{}.gone", std::process::id());
            files::rename_noreplace(services.as_fd(), &name, services.as_fd(), &gone)?;
            self.deleted = true;
            self.leaving = true;
            dirs::remove_tree(services.as_fd(), &gone)?;
        }
        self.deleted = true;
        self.leaving = true;
        Ok(())
    }
}

fn launch(parameters: &LaunchParameters, passed: Option<OwnedFd>) -> Result<LaunchReply, CallError> {
    let Some(passed) = passed else {
        return Err(CallError::Failed("a launch needs the descriptor of its first client".to_owned()));
    };
    let (home, directory) = (parameters.home.as_path(), parameters.directory.as_path());
    let pid = resume_client::launch::launch_sibling(home, directory, passed.as_fd())
        .map_err(|error| CallError::Failed(format!("launching a supervisor: {error}")))?;
    Ok(LaunchReply { pid })
}

//! Having a supervisor bring a service up, and saying what came of it.

use std::time::{Duration, Instant};

use resume_client::discover::Discovery;
use resume_client::request::{self, Answer, AskError};
use resume_client::services::Services;
use resume_core::name::ServiceName;
use resume_core::os_text::OsText;
use resume_core::status::StateWord;
use resume_core::wire::{Call, RestartParameters, StartParameters, StartReply, Started};
use serde::Serialize;

use crate::args::WaitOptions;
use crate::error::Result;
use crate::outcome::Done;
use crate::start_failure::{of_call, too_slow};
use crate::targets::title;

/// How long a service has to come up if nobody says otherwise.
const DEFAULT_WAIT: Duration = Duration::from_secs(30);

/// What is to be brought up, and how long that may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BringUp<'a> {
    pub(crate) services: &'a Services,
    pub(crate) name: &'a ServiceName,
    /// Which instances; all if none.
    pub(crate) instances: Option<&'a [u32]>,
    pub(crate) wait: WaitOptions,
}

impl BringUp<'_> {
    /// Starts what is down of it. A `fresh` service was just made: it has no supervisor yet, and is forgotten again if it
    /// cannot be spawned.
    pub(crate) fn start(self, fresh: bool) -> Result<Done> {
        let call = Call::Start(StartParameters {
            instances: self.instances.map(<[u32]>::to_vec),
            wait: !self.wait.no_wait,
            fresh,
        });
        let answer = if fresh {
            request::ask_new(self.services, self.name, &call, self.deadline())
        } else {
            request::ask(self.services, self.name, &call, self.deadline())
        };
        self.outcome(answer, "start")
    }

    /// Stops and starts it, with another environment if there is one.
    pub(crate) fn restart(self, environment: Option<Vec<OsText>>) -> Result<Done> {
        let call = Call::Restart(RestartParameters {
            instances: self.instances.map(<[u32]>::to_vec),
            wait: !self.wait.no_wait,
            environment,
        });
        self.outcome(request::ask(self.services, self.name, &call, self.deadline()), "restart")
    }

    fn limit(self) -> Duration {
        self.wait.wait.unwrap_or(DEFAULT_WAIT)
    }

    fn deadline(self) -> Option<Instant> {
        Instant::now().checked_add(self.limit())
    }

    fn outcome(self, answer: std::result::Result<Answer<StartReply>, AskError>, verb: &'static str) -> Result<Done> {
        match answer {
            Ok(Answer { reply, supervisor, warning }) => {
                let title = title(self.name, self.instances);
                Ok(up(self.name, &title, verb, &reply.instances, supervisor).warning(warning))
            }
            Err(AskError::TimedOut) => {
                let service = Discovery::new(self.services).one(self.name);
                let state = service.map_or(StateWord::Lost, |service| service.state());
                Err(too_slow(self.name, self.limit(), state))
            }
            Err(error) => Err(of_call(self.services, self.name, &format!("cannot {verb}"), error)),
        }
    }
}

fn up(name: &ServiceName, title: &str, verb: &str, instances: &[Started], supervisor: i32) -> Done {
    #[derive(Serialize)]
    struct Out<'a> {
        name: &'a ServiceName,
        result: String,
        pid: Option<i32>,
        supervisor_pid: i32,
        instances: &'a [Started],
    }
    let result = format!("{verb}ed");
    let pids: Vec<String> = instances.iter().filter_map(|instance| instance.pid).map(|pid| pid.to_string()).collect();
    let programs = match pids.as_slice() {
        [] => String::new(),
        [pid] => format!("pid {pid}, "),
        pids => format!("pids {}, ", pids.join(" ")),
    };
    let sentence = format!("{result} `{title}` ({programs}supervisor {supervisor})");
    let pid = instances.iter().find_map(|instance| instance.pid);
    Done::new(sentence, &Out { name, result, pid, supervisor_pid: supervisor, instances })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_names_the_pids() {
        let name = ServiceName::new("web").unwrap();
        let up = |pids: &[i32]| {
            let instances = pids.iter().zip(0..).map(|(pid, index)| Started { index, pid: Some(*pid) });
            format!("{:?}", up(&name, "web", "start", &instances.collect::<Vec<_>>(), 9))
        };
        assert!(up(&[7]).contains("started `web` (pid 7, supervisor 9)"));
        assert!(up(&[7, 8]).contains("started `web` (pids 7 8, supervisor 9)"));
    }
}

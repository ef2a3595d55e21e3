//! The messages of `control.sock`: varlink, see `docs/dev.resume.Supervisor.varlink`.
//!
//! [`Frames`] cuts a stream of bytes into messages, [`Request::parse`] reads one, [`reply`] and [`error`] write one.
//! All three are total: whatever arrives, they answer with a value, within bounds.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

pub use crate::wire_messages::*;

/// The text of the interface: the one source of truth.
pub const INTERFACE: &str = include_str!("../../../docs/dev.resume.Supervisor.varlink");
/// The name of the interface.
pub const INTERFACE_NAME: &str = "dev.resume.Supervisor";
/// The text of the interface that every varlink service has, from the varlink project's definition.
pub const SERVICE_INTERFACE: &str = include_str!("org.varlink.service.varlink");
/// The name of that interface.
pub const SERVICE_INTERFACE_NAME: &str = "org.varlink.service";
/// The largest message, in bytes; a request with a whole environment fits.
pub const MAX_MESSAGE: usize = 1 << 20;

/// The byte that ends a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Terminator {
    /// As varlink has it.
    Nul,
    /// For a person with `nc` or `socat`; JSON in one line never holds either.
    LineFeed,
}

impl Terminator {
    /// The byte itself.
    pub fn byte(self) -> u8 {
        match self {
            Self::Nul => 0,
            Self::LineFeed => b'\n',
        }
    }
}

/// A message longer than [`MAX_MESSAGE`]: the connection cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a message is longer than {MAX_MESSAGE} bytes")]
pub struct TooLong;

/// Cuts a stream of bytes into messages.
#[derive(Debug, Default)]
pub struct Frames {
    buffer: Vec<u8>,
    /// Where the next message begins; what stands before has been taken.
    start: usize,
    /// Up to where there is known to be no terminator.
    scanned: usize,
}

impl Frames {
    /// Takes the next bytes of the stream.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.start);
        self.scanned -= self.start;
        self.start = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole message without its terminator, or `None` until more bytes are there. Empty lines are passed over.
    pub fn next_frame(&mut self) -> Result<Option<(Vec<u8>, Terminator)>, TooLong> {
        loop {
            let found = self.buffer[self.scanned..].iter().position(|b| matches!(b, 0 | b'\n'));
            let end = found.map_or(self.buffer.len(), |offset| self.scanned + offset);
            if end - self.start > MAX_MESSAGE {
                return Err(TooLong);
            }
            if found.is_none() {
                self.scanned = end;
                if self.start == end {
                    // What one large message took is not kept for a connection's life.
                    *self = Self::default();
                }
                return Ok(None);
            }
            let frame = &self.buffer[self.start..end];
            let terminator = if self.buffer[end] == 0 { Terminator::Nul } else { Terminator::LineFeed };
            self.start = end + 1;
            self.scanned = end + 1;
            if !frame.iter().all(u8::is_ascii_whitespace) {
                return Ok(Some((frame.to_vec(), terminator)));
            }
        }
    }

    /// The bytes that wait for the rest of their message.
    pub fn pending(&self) -> usize {
        self.buffer.len() - self.start
    }
}

/// A request, as far as every method shares it.
#[derive(Debug)]
pub struct Request {
    /// What is asked.
    pub call: Call,
    /// Whether the client takes several answers.
    pub more: bool,
    /// Whether it wants none.
    pub oneway: bool,
}

/// What is asked, with its parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// `org.varlink.service.GetInfo`
    GetInfo,
    /// `org.varlink.service.GetInterfaceDescription`
    GetInterfaceDescription(DescriptionParameters),
    /// `Status`
    Status,
    /// `Start`
    Start(StartParameters),
    /// `Stop`
    Stop(StopParameters),
    /// `Restart`
    Restart(RestartParameters),
    /// `Delete`
    Delete(DeleteParameters),
    /// `Signal`
    Signal(SignalParameters),
    /// `Reset`
    Reset(ResetParameters),
    /// `Flush`
    Flush,
    /// `Events`
    Events(EventsParameters),
    /// `Launch`
    Launch(LaunchParameters),
}

/// What a supervisor answers instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// A process could not be made.
    #[error("{0}")]
    SpawnFailed(SpawnFailed),
    /// An instance ended before it was running.
    #[error("instance {} ended before it was up", .0.instance)]
    StartFailed(StartFailed),
    /// There is no instance of this number.
    #[error("there is no instance {0}")]
    NoSuchInstance(u32),
    /// It could not be carried out.
    #[error("{0}")]
    Failed(String),
    /// The interface is not known here.
    #[error("there is no interface `{0}`")]
    InterfaceNotFound(String),
    /// The method is not known here.
    #[error("there is no method `{0}`")]
    MethodNotFound(String),
    /// The method has several answers, and the client did not say that it takes them.
    #[error("this needs `more`")]
    ExpectedMore,
    /// The parameters do not fit the method.
    #[error("the parameter `{0}` does not fit")]
    InvalidParameter(String),
}

impl Call {
    /// The full name of its method.
    pub fn method(&self) -> &'static str {
        match self {
            Self::GetInfo => "org.varlink.service.GetInfo",
            Self::GetInterfaceDescription(_) => "org.varlink.service.GetInterfaceDescription",
            Self::Status => "dev.resume.Supervisor.Status",
            Self::Start(_) => "dev.resume.Supervisor.Start",
            Self::Stop(_) => "dev.resume.Supervisor.Stop",
            Self::Restart(_) => "dev.resume.Supervisor.Restart",
            Self::Delete(_) => "dev.resume.Supervisor.Delete",
            Self::Signal(_) => "dev.resume.Supervisor.Signal",
            Self::Reset(_) => "dev.resume.Supervisor.Reset",
            Self::Flush => "dev.resume.Supervisor.Flush",
            Self::Events(_) => "dev.resume.Supervisor.Events",
            Self::Launch(_) => "dev.resume.Supervisor.Launch",
        }
    }

    /// The message that asks it, without its terminator.
    pub fn to_message(&self) -> Vec<u8> {
        #[derive(Serialize)]
        struct Out<'a, P: Serialize> {
            method: &'a str,
            parameters: P,
            #[serde(skip_serializing_if = "std::ops::Not::not")]
            more: bool,
        }
        fn message<P: Serialize>(method: &str, parameters: P) -> Vec<u8> {
            let more = method == EVENTS;
            serde_json::to_vec(&Out { method, parameters, more })
                .expect("parameters have only string keys and finite numbers")
        }
        let method = self.method();
        match self {
            Self::GetInfo | Self::Status | Self::Flush => message(method, Done {}),
            Self::GetInterfaceDescription(parameters) => message(method, parameters),
            Self::Start(parameters) => message(method, parameters),
            Self::Stop(parameters) => message(method, parameters),
            Self::Restart(parameters) => message(method, parameters),
            Self::Delete(parameters) => message(method, parameters),
            Self::Signal(parameters) => message(method, parameters),
            Self::Reset(parameters) => message(method, parameters),
            Self::Events(parameters) => message(method, parameters),
            Self::Launch(parameters) => message(method, parameters),
        }
    }

    fn parse(method: &str, parameters: &str) -> Result<Self, CallError> {
        Ok(match method {
            "org.varlink.service.GetInfo" => Self::GetInfo,
            "org.varlink.service.GetInterfaceDescription" => Self::GetInterfaceDescription(read(parameters)?),
            "dev.resume.Supervisor.Status" => Self::Status,
            "dev.resume.Supervisor.Start" => Self::Start(read(parameters)?),
            "dev.resume.Supervisor.Stop" => Self::Stop(read(parameters)?),
            "dev.resume.Supervisor.Restart" => Self::Restart(read(parameters)?),
            "dev.resume.Supervisor.Delete" => Self::Delete(read(parameters)?),
            "dev.resume.Supervisor.Signal" => Self::Signal(read(parameters)?),
            "dev.resume.Supervisor.Reset" => Self::Reset(read(parameters)?),
            "dev.resume.Supervisor.Flush" => Self::Flush,
            EVENTS => Self::Events(read(parameters)?),
            "dev.resume.Supervisor.Launch" => Self::Launch(read(parameters)?),
            _ => return Err(unknown_method(method)),
        })
    }
}

/// The one method with several answers.
const EVENTS: &str = "dev.resume.Supervisor.Events";

fn read<'a, P: Deserialize<'a>>(parameters: &'a str) -> Result<P, CallError> {
    serde_json::from_str(parameters).map_err(|err| CallError::InvalidParameter(named_field(&err.to_string())))
}

/// The first name in backticks that serde speaks of, for varlink wants the parameter's name; else all it says.
fn named_field(message: &str) -> String {
    let named = message.split('`').nth(1).filter(|name| message.contains("field") && !name.is_empty());
    named.unwrap_or(message).to_owned()
}

fn unknown_method(method: &str) -> CallError {
    match method.rsplit_once('.') {
        Some((SERVICE_INTERFACE_NAME | INTERFACE_NAME, _)) => CallError::MethodNotFound(method.to_owned()),
        Some((interface, _)) => CallError::InterfaceNotFound(interface.to_owned()),
        None => CallError::InterfaceNotFound(method.to_owned()),
    }
}

/// Why a message is no request at all. Nothing can be answered to that; the connection ends.
#[derive(Debug, thiserror::Error)]
#[error("this is no varlink request: {0}")]
pub struct NoRequest(#[from] serde_json::Error);

impl Request {
    /// Reads one message. The inner error is the answer to a request that is one, but cannot be served.
    pub fn parse(message: &[u8]) -> Result<Result<Self, CallError>, NoRequest> {
        #[derive(Deserialize)]
        struct In<'a> {
            method: String,
            #[serde(borrow, default)]
            parameters: Option<&'a RawValue>,
            #[serde(default)]
            more: Option<bool>,
            #[serde(default)]
            oneway: Option<bool>,
        }
        let message: In<'_> = serde_json::from_slice(message)?;
        let parameters = message.parameters.map_or("{}", RawValue::get);
        let parameters = if parameters == "null" { "{}" } else { parameters };
        Ok(Call::parse(&message.method, parameters).map(|call| Self {
            call,
            more: message.more.unwrap_or(false),
            oneway: message.oneway.unwrap_or(false),
        }))
    }
}

/// The message that answers with `parameters`, with its terminator.
pub fn reply<P: Serialize>(parameters: &P, continues: bool, terminator: Terminator) -> Vec<u8> {
    #[derive(Serialize)]
    struct Out<'a, P: Serialize> {
        parameters: &'a P,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        continues: bool,
    }
    finish(&Out { parameters, continues }, terminator)
}

/// The message that answers with an error, with its terminator.
pub fn error(error: &CallError, terminator: Terminator) -> Vec<u8> {
    #[derive(Serialize)]
    struct Out<'a, P: Serialize> {
        error: &'a str,
        parameters: P,
    }
    let one = |error, key: &str, value: &str| {
        let parameters = serde_json::json!({ key: value });
        finish(&Out { error, parameters }, terminator)
    };
    match error {
        CallError::SpawnFailed(parameters) => {
            finish(&Out { error: "dev.resume.Supervisor.SpawnFailed", parameters }, terminator)
        }
        CallError::StartFailed(parameters) => {
            finish(&Out { error: "dev.resume.Supervisor.StartFailed", parameters }, terminator)
        }
        CallError::NoSuchInstance(instance) => {
            let parameters = serde_json::json!({ "instance": instance });
            finish(&Out { error: "dev.resume.Supervisor.NoSuchInstance", parameters }, terminator)
        }
        CallError::Failed(message) => one("dev.resume.Supervisor.Failed", "message", message),
        CallError::InterfaceNotFound(name) => one("org.varlink.service.InterfaceNotFound", "interface", name),
        CallError::MethodNotFound(name) => one("org.varlink.service.MethodNotFound", "method", name),
        CallError::ExpectedMore => {
            finish(&Out { error: "org.varlink.service.ExpectedMore", parameters: Done {} }, terminator)
        }
        CallError::InvalidParameter(name) => one("org.varlink.service.InvalidParameter", "parameter", name),
    }
}

fn finish<T: Serialize>(message: &T, terminator: Terminator) -> Vec<u8> {
    let mut bytes = serde_json::to_vec(message).expect("messages have only string keys and finite numbers");
    bytes.push(terminator.byte());
    bytes
}

/// The answer to `GetInfo`.
pub fn info(version: &str) -> impl Serialize + use<'_> {
    #[derive(Serialize)]
    struct Info<'a> {
        vendor: &'a str,
        product: &'a str,
        version: &'a str,
        url: &'a str,
        interfaces: [&'a str; 2],
    }
    Info { vendor: "resume", product: "resume", version, url: "", interfaces: [SERVICE_INTERFACE_NAME, INTERFACE_NAME] }
}

/// The answer to `GetInterfaceDescription`.
pub fn description(interface: &str) -> Result<impl Serialize + use<>, CallError> {
    #[derive(Serialize)]
    struct Description {
        description: &'static str,
    }
    match interface {
        INTERFACE_NAME => Ok(Description { description: INTERFACE }),
        SERVICE_INTERFACE_NAME => Ok(Description { description: SERVICE_INTERFACE }),
        _ => Err(CallError::InterfaceNotFound(interface.to_owned())),
    }
}

/// Why an answer could not be read.
#[derive(Debug, thiserror::Error)]
pub enum NoReply {
    /// It is no JSON of the right shape.
    #[error("the supervisor's answer cannot be read: {0}")]
    Json(#[from] serde_json::Error),
    /// The supervisor answered with an error.
    #[error(transparent)]
    Call(#[from] CallError),
}

/// Reads one answer, without its terminator; also says whether more follow.
pub fn parse_reply<P: for<'a> Deserialize<'a>>(message: &[u8]) -> Result<(P, bool), NoReply> {
    #[derive(Deserialize)]
    struct In<'a> {
        #[serde(borrow, default)]
        parameters: Option<&'a RawValue>,
        #[serde(default)]
        error: Option<String>,
        #[serde(default)]
        continues: bool,
    }
    let message: In<'_> = serde_json::from_slice(message)?;
    let parameters = message.parameters.map_or("{}", RawValue::get);
    match message.error {
        None => Ok((serde_json::from_str(parameters)?, message.continues)),
        Some(error) => Err(NoReply::Call(parse_error(&error, parameters)?)),
    }
}

fn parse_error(error: &str, parameters: &str) -> Result<CallError, serde_json::Error> {
    #[derive(Deserialize)]
    struct Fields {
        #[serde(default)]
        instance: u32,
        #[serde(default, alias = "interface", alias = "method", alias = "parameter")]
        message: String,
    }
    let fields = || serde_json::from_str::<Fields>(parameters);
    Ok(match error {
        "dev.resume.Supervisor.SpawnFailed" => CallError::SpawnFailed(serde_json::from_str(parameters)?),
        "dev.resume.Supervisor.StartFailed" => CallError::StartFailed(serde_json::from_str(parameters)?),
        "dev.resume.Supervisor.NoSuchInstance" => CallError::NoSuchInstance(fields()?.instance),
        "dev.resume.Supervisor.Failed" => CallError::Failed(fields()?.message),
        "org.varlink.service.InterfaceNotFound" => CallError::InterfaceNotFound(fields()?.message),
        "org.varlink.service.MethodNotFound" => CallError::MethodNotFound(fields()?.message),
        "org.varlink.service.ExpectedMore" => CallError::ExpectedMore,
        "org.varlink.service.InvalidParameter" => CallError::InvalidParameter(fields()?.message),
        _ => CallError::Failed(format!("{error} {parameters}")),
    })
}

#[cfg(test)]
#[path = "wire_tests.rs"]
mod tests;

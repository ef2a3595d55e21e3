//! The one way a supervisor is made.
//!
//! A supervisor must live outside every supervised tree: one that descended from another service would die in that
//! service's stop. So where this process itself runs under a supervisor, that one is asked to make the new one, as its
//! own sibling; else it is made here, as the leader of a session of its own.
//!
//! Either way the new supervisor holds the other end of a socket pair as its first client, so that what is asked of it
//! needs no waiting for its socket. If it finds that another one looks after the service already, it leaves without a
//! word: the connection ends, and whoever launched it connects to the other.

use std::ffi::{CString, OsString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, RawFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use resume_core::wire::{Call, LaunchParameters, LaunchReply};
use resume_sys::spawn::{Spawn, spawn, spawn_sibling};
use resume_sys::{dirs, files, glance, process, socket, tree};

use crate::connection::{CallFailure, Connection};
use crate::home::describe;

/// The argument that makes this program a supervisor; the directory of the service follows.
pub const SUPERVISE: &str = "--supervise";
/// The argument before the number of the descriptor that its first client is connected by.
pub const CLIENT: &str = "--client";
/// That number.
pub const CLIENT_FD: RawFd = 3;
/// The name that a supervisor is executed under.
pub const PROGRAM: &str = "resume";

/// How long a supervisor above us has to make another.
const ANCESTOR_TIMEOUT: Duration = Duration::from_secs(5);
/// No tree of processes is deeper; a bound against a /proc that changes under the walk.
const MAX_ANCESTORS: usize = 1000;
/// What programs are searched in where the caller has no `PATH`.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A supervisor that has just been made.
#[derive(Debug)]
pub struct Launched {
    /// The connection of its first client.
    pub connection: Connection,
    /// What went wrong on the way and did not hinder it.
    pub warning: Option<String>,
}

/// Why no supervisor could be made.
#[derive(Debug, thiserror::Error)]
#[error("{step}: {}", describe(.source))]
pub struct LaunchError {
    step: &'static str,
    source: io::Error,
}

/// What turns a failed step into the error.
fn at(step: &'static str) -> impl FnOnce(io::Error) -> LaunchError {
    move |source| LaunchError { step, source }
}

/// Makes a supervisor for the service in `directory` of `home`; both are absolute.
pub fn launch(home: &Path, directory: &Path) -> Result<Launched, LaunchError> {
    let (ours, theirs) = socket::pair().map_err(at("making a socket pair"))?;
    let mut warning = None;
    if let Some(mut ancestor) = supervising_ancestor() {
        let call = Call::Launch(LaunchParameters { home: home.into(), directory: directory.into() });
        let deadline = Some(Instant::now() + ANCESTOR_TIMEOUT);
        match ancestor.call_passing::<LaunchReply>(&call, theirs.as_fd(), deadline) {
            Ok(reply) => {
                let connection = Connection::from_socket(ours, reply.pid);
                return Ok(Launched { connection, warning: None });
            }
            Err(failure) => warning = Some(not_launched_by(ancestor.supervisor(), &failure)),
        }
    }
    let own = |request: &Spawn<'_>| spawn(request).map(|child| child.pid());
    let supervisor = spawn_supervisor(home, directory, theirs.as_fd(), own)?;
    // With our copy open the end of the connection would never be seen.
    drop(theirs);
    Ok(Launched { connection: Connection::from_socket(ours, supervisor), warning })
}

fn not_launched_by(supervisor: i32, failure: &CallFailure) -> String {
    format!(
        "the supervisor above this process (pid {supervisor}) did not make the new one ({failure}), so it was made from \
         here: it may end when that service is stopped"
    )
}

/// Makes a supervisor as a sibling of this process, which is one itself, and returns its pid; `client` becomes its first
/// client's connection. This is how an ancestor does what [`launch`] asks of it.
pub fn launch_sibling(home: &Path, directory: &Path, client: BorrowedFd<'_>) -> Result<i32, LaunchError> {
    spawn_supervisor(home, directory, client, spawn_sibling)
}

/// Makes the supervisor, child or sibling, and returns its pid.
fn spawn_supervisor(
    home: &Path,
    directory: &Path,
    client: BorrowedFd<'_>,
    spawn: impl FnOnce(&Spawn<'_>) -> io::Result<i32>,
) -> Result<i32, LaunchError> {
    let null = files::open_null().map_err(at("opening `/dev/null`"))?;
    // By its path, so that `ps` and a later upgrade see it; by the link of the kernel where that path is no more.
    let program = process::executable().ok().filter(|path| path.exists());
    let program = program.unwrap_or_else(|| PathBuf::from("/proc/self/exe"));
    let text = |bytes: &[u8]| CString::new(bytes).map_err(|error| at("naming the supervisor")(error.into()));
    let argv = [
        text(PROGRAM.as_bytes())?,
        text(SUPERVISE.as_bytes())?,
        text(directory.as_os_str().as_bytes())?,
        text(CLIENT.as_bytes())?,
        text(CLIENT_FD.to_string().as_bytes())?,
    ];
    let path = std::env::var_os("PATH").unwrap_or_else(|| DEFAULT_PATH.into());
    let env =
        [text(&[b"RESUME_HOME=", home.as_os_str().as_bytes()].concat())?, text(&[b"PATH=", path.as_bytes()].concat())?];
    let null = null.as_fd();
    let spawned = spawn(&Spawn {
        program: &text(program.as_os_str().as_bytes())?,
        argv: &argv,
        env: &env,
        // It keeps no file system busy.
        cwd: Some(c"/"),
        fds: &[(null, 0), (null, 1), (null, 2), (client, CLIENT_FD)],
        session: true,
    });
    spawned.map_err(at("executing the supervisor"))
}

/// A connection to the nearest background supervisor that this process descends from.
///
/// Its command line only says where to look: it is believed if the very process answers on that directory's socket.
fn supervising_ancestor() -> Option<Connection> {
    let mut pid = i32::try_from(std::os::unix::process::parent_id()).ok()?;
    for _ in 0..MAX_ANCESTORS {
        if pid <= 1 {
            return None;
        }
        if let Some(directory) = supervised_directory(&tree::command_line_of(pid).unwrap_or_default())
            && let Ok(directory) = dirs::open_dir(&directory)
            && let Ok(connection) = Connection::open(directory.as_fd())
            && connection.supervisor() == pid
        {
            return Some(connection);
        }
        pid = glance::glance(pid).ok()?.parent;
    }
    None
}

/// The directory of a background supervisor's command line; `None` for any other command line.
fn supervised_directory(arguments: &[Vec<u8>]) -> Option<PathBuf> {
    let [program, supervise, directory, client, _] = arguments else { return None };
    let ours = program == PROGRAM.as_bytes() && supervise == SUPERVISE.as_bytes() && client == CLIENT.as_bytes();
    let directory = PathBuf::from(OsString::from_vec(directory.clone()));
    (ours && directory.is_absolute()).then_some(directory)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory_of(line: &[&str]) -> Option<PathBuf> {
        supervised_directory(&line.iter().map(|word| word.as_bytes().to_vec()).collect::<Vec<_>>())
    }

    #[test]
    fn only_a_background_supervisor_has_the_command_line_of_one() {
        let line = ["resume", "--supervise", "/h/services/web", "--client", "3"];
        assert_eq!(directory_of(&line), Some(PathBuf::from("/h/services/web")));
        assert_eq!(directory_of(&["resume", "run", "./x"]), None);
        assert_eq!(directory_of(&["vi", "--supervise", "/h/services/web", "--client", "3"]), None);
        assert_eq!(directory_of(&["resume", "--supervise", "relative", "--client", "3"]), None);
        assert_eq!(directory_of(&[]), None);
    }
}

//! Why a program cannot be started, in words.
//!
//! execve(2) gives one number for many causes: `ENOENT` may mean the program, the interpreter of its `#!` line or its dynamic
//! loader. After a failure the steps are therefore tried one by one. What is found is what is true a moment later; if
//! everything has become fine by then, the number itself is told.

use std::ffi::{CStr, OsStr};
use std::fs::{File, Metadata};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD, StatVfsMountFlags, accessat, statvfs};
use rustix::io::Errno;

use crate::elf;
use crate::errno::{describe, is_transient};
use crate::spawn::Spawn;

/// Where a program is searched if there is no PATH.
const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";
/// How much of a file the kernel looks at to see what it is.
const HEAD: usize = 256;
/// How many interpreters in a row the kernel follows (fs/exec.c).
const MAX_INTERPRETERS: u32 = 5;

/// What a start consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Changing to the folder to start in.
    Cwd,
    /// Executing the program file.
    Program,
    /// Executing what the program file says it must be run by: the one of its `#!` line, or its dynamic loader.
    Interpreter,
    /// Making a process at all.
    Process,
}

/// Why a program could not be started. It displays as `running `/srv/web`: permission denied`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnosis {
    /// The step that failed.
    pub step: Step,
    /// The folder, program or interpreter that it failed on.
    pub subject: PathBuf,
    /// The error number.
    pub errno: i32,
    /// The cause, in lower case and without a final period.
    pub message: String,
    /// Whether it may work a little later with nothing changed by anyone.
    pub transient: bool,
}

impl Diagnosis {
    fn new(step: Step, subject: &Path, errno: i32, message: impl Into<String>) -> Self {
        Self { step, subject: subject.to_owned(), errno, message: message.into(), transient: is_transient(errno) }
    }

    /// The system's own word for `errno` is all there is to say.
    fn plain(step: Step, subject: &Path, errno: i32) -> Self {
        Self::new(step, subject, errno, describe(errno))
    }
}

impl std::fmt::Display for Diagnosis {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let doing = match self.step {
            Step::Cwd => "changing directory to",
            Step::Program => "running",
            Step::Interpreter => "running the interpreter",
            Step::Process => "making a process for",
        };
        write!(formatter, "{doing} `{}`: {}", printable(&self.subject), self.message)
    }
}

impl std::error::Error for Diagnosis {}

/// A path with its control characters written out, so that a carriage return is seen.
fn printable(path: &Path) -> String {
    let mut text = String::new();
    for letter in path.to_string_lossy().chars() {
        if letter.is_control() { text.extend(letter.escape_default()) } else { text.push(letter) }
    }
    text
}

/// Says which step of [`crate::spawn::spawn`] failed when it returned `errno`.
pub fn diagnose(spawn: &Spawn<'_>, errno: i32) -> Diagnosis {
    let program = Path::new(OsStr::from_bytes(spawn.program.to_bytes()));
    let cwd = spawn.cwd.map(CStr::to_bytes).map(OsStr::from_bytes).map_or_else(|| Path::new("."), Path::new);
    match errno {
        libc::ETXTBSY => {
            return Diagnosis::new(Step::Program, program, errno, "the file is being written to by another process");
        }
        libc::E2BIG => {
            return Diagnosis::new(Step::Process, program, errno, "the arguments and environment are too long");
        }
        errno if is_transient(errno) => return Diagnosis::plain(Step::Process, program, errno),
        _ => {}
    }
    probe_cwd(cwd)
        .or_else(|| Probe { cwd, errno }.program(&cwd.join(program), Step::Program, "", MAX_INTERPRETERS))
        .unwrap_or_else(|| Diagnosis::plain(Step::Program, program, errno))
}

fn probe_cwd(cwd: &Path) -> Option<Diagnosis> {
    let found = |errno| Diagnosis::plain(Step::Cwd, cwd, errno);
    match cwd.metadata() {
        Err(error) => Some(found(error.raw_os_error()?)),
        Ok(metadata) if !metadata.is_dir() => Some(found(libc::ENOTDIR)),
        Ok(_) => (!may_execute(cwd)).then(|| found(libc::EACCES)),
    }
}

/// Whether our effective user may execute a file, or search a folder (faccessat(2), `AT_EACCESS`).
///
/// Only a plain no is one: that the question itself is refused, as by an old seccomp filter, says nothing about the file.
fn may_execute(path: &Path) -> bool {
    accessat(CWD, path, Access::EXEC_OK, AtFlags::EACCESS) != Err(Errno::ACCESS)
}

/// What stays the same while one thing after another is looked at.
struct Probe<'a> {
    cwd: &'a Path,
    errno: i32,
}

impl Probe<'_> {
    /// Finds what is wrong with a program, or with an interpreter, of which `origin` then says who names it.
    fn program(&self, path: &Path, step: Step, origin: &str, interpreters: u32) -> Option<Diagnosis> {
        let found = |errno, message: &str| Some(Diagnosis::new(step, path, errno, format!("{message}{origin}")));
        let metadata = match path.metadata() {
            Ok(metadata) => metadata,
            Err(error) => {
                let errno = error.raw_os_error()?;
                let dangling = errno == libc::ENOENT && path.symlink_metadata().is_ok();
                return found(
                    errno,
                    &if dangling { "it is a symbolic link to nothing".into() } else { describe(errno) },
                );
            }
        };
        if metadata.is_dir() {
            return found(libc::EISDIR, "is a directory");
        }
        if !metadata.is_file() {
            return found(libc::EACCES, what_it_is(&metadata));
        }
        if !may_execute(path) {
            return found(libc::EACCES, &why_not_executable(path, &metadata));
        }
        // What may be executed but not read keeps its secret.
        let file = open(path)?;
        let head = head_of(&file)?;
        if let Some(line) = head.strip_prefix(b"#!") {
            return self.hashbang(line, path, interpreters);
        }
        if self.errno != libc::ENOEXEC {
            // The kernel knew the format, so something that the file needs must be missing.
            let loader = elf::loader(&file)?;
            let origin = format!(": it is the loader that `{}` needs", printable(path));
            return self.program(&loader, Step::Interpreter, &origin, interpreters.checked_sub(1)?);
        }
        if head.is_empty() {
            found(libc::ENOEXEC, "not a program: it is empty")
        } else if is_text(&head) {
            found(libc::ENOEXEC, "not a program: it has no `#!` line")
        } else {
            found(libc::ENOEXEC, "not a program for this machine")
        }
    }

    /// Finds what is wrong with what the `#!` line of `script` names. `line` is what follows the two signs.
    fn hashbang(&self, line: &[u8], script: &Path, interpreters: u32) -> Option<Diagnosis> {
        // The kernel's rule (fs/binfmt_script.c): blanks, then the interpreter up to a blank, a newline or a NUL.
        let line = line.split(|byte| matches!(byte, b'\n' | 0)).next().unwrap_or_default();
        let name = line.split(|byte| matches!(byte, b' ' | b'\t')).find(|word| !word.is_empty()).unwrap_or_default();
        if name.is_empty() || name == b"\r" {
            return Some(Diagnosis::new(Step::Program, script, libc::ENOEXEC, "its `#!` line names no program"));
        }
        let Some(interpreters) = interpreters.checked_sub(1) else {
            return Some(Diagnosis::new(
                Step::Program,
                script,
                libc::ELOOP,
                "too many interpreters, one run by the other",
            ));
        };
        let script = printable(script);
        let origin = if name.ends_with(b"\r") {
            format!(": the `#!` line ends in a carriage return, in `{script}`")
        } else {
            format!(": it is named by the `#!` line of `{script}`")
        };
        self.program(&self.cwd.join(OsStr::from_bytes(name)), Step::Interpreter, &origin, interpreters)
    }
}

fn what_it_is(metadata: &Metadata) -> &'static str {
    let kind = metadata.file_type();
    if kind.is_fifo() {
        "is a pipe, not a program"
    } else if kind.is_socket() {
        "is a socket, not a program"
    } else {
        "is a device, not a program"
    }
}

fn why_not_executable(path: &Path, metadata: &Metadata) -> String {
    let mode = metadata.mode() & 0o7777;
    if mode & 0o111 == 0 {
        format!("not executable (its mode is {mode:04o})")
    } else if statvfs(path).is_ok_and(|system| system.f_flag.contains(StatVfsMountFlags::NOEXEC)) {
        "its file system is mounted with `noexec`".into()
    } else {
        format!("permission denied (its mode is {mode:04o}, its owner {})", metadata.uid())
    }
}

/// Opens a file that may be anything by now, without waiting for it.
fn open(path: &Path) -> Option<File> {
    File::options().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path).ok()
}

/// The first bytes of a file, as many as the kernel looks at.
fn head_of(file: &File) -> Option<Vec<u8>> {
    let mut head = vec![0; HEAD];
    let length = file.read_at(&mut head, 0).ok()?;
    head.truncate(length);
    Some(head)
}

/// Whether a file looks as if a person could read it.
fn is_text(head: &[u8]) -> bool {
    let readable = match str::from_utf8(head) {
        Ok(_) => true,
        // The end may have been cut within a letter.
        Err(error) => error.error_len().is_none(),
    };
    readable && !head.iter().any(|byte| matches!(byte, 0..=8 | 14..=26 | 28..=31))
}

/// Finds the file that a program's name means.
///
/// A name with a slash is a path, relative to `cwd`, of something that must be there. Any other name is searched in the
/// folders of `path_var`, or of `/usr/local/bin:/usr/bin:/bin` if there is none, as execvp(3) does: the first file that may
/// be executed. An empty or relative entry is relative to `cwd`.
pub fn resolve_program(name: &OsStr, path_var: Option<&OsStr>, cwd: &Path) -> Result<PathBuf, Diagnosis> {
    let missing = |message: &str| Diagnosis::new(Step::Program, Path::new(name), libc::ENOENT, message);
    if name.is_empty() {
        return Err(missing("the name of the program is empty"));
    }
    if name.as_bytes().contains(&b'/') {
        let path = cwd.join(name);
        return match path.metadata() {
            Ok(_) => Ok(path),
            Err(error) => {
                let errno = error.raw_os_error().unwrap_or(libc::ENOENT);
                let fallback = || Diagnosis::plain(Step::Program, &path, errno);
                Err(Probe { cwd, errno }.program(&path, Step::Program, "", 0).unwrap_or_else(fallback))
            }
        };
    }
    let mut refused = None;
    for entry in path_var.unwrap_or(OsStr::new(DEFAULT_PATH)).as_bytes().split(|&byte| byte == b':') {
        let candidate = cwd.join(OsStr::from_bytes(entry)).join(name);
        if !candidate.is_file() {
            continue;
        }
        if may_execute(&candidate) {
            return Ok(candidate);
        }
        refused.get_or_insert(candidate);
    }
    Err(match refused {
        Some(candidate) => {
            Diagnosis::new(Step::Program, &candidate, libc::EACCES, "found on PATH, but it is not executable")
        }
        None => missing("not found on PATH"),
    })
}

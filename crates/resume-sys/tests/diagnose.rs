//! Why a program could not be started: each cause made, met and named.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::ffi::{CString, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use common::{strings, write_program};
use resume_sys::spawn::{Diagnosis, Spawn, Step, diagnose, resolve_program, spawn};

fn c(path: &Path) -> CString {
    CString::new(path.as_os_str().as_bytes()).unwrap()
}

/// Tries to start `program` in `cwd`, and says why that failed.
fn failure(program: &Path, cwd: &Path) -> Diagnosis {
    let (program, cwd, argv) = (c(program), c(cwd), strings(&["x"]));
    let spec = Spawn { program: &program, argv: &argv, env: &[], cwd: Some(&cwd), fds: &[], session: true };
    let error = spawn(&spec).unwrap_err();
    diagnose(&spec, error.raw_os_error().unwrap())
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn program(&self, name: &str, contents: &[u8]) -> PathBuf {
        let path = self.at(name);
        write_program(&c(&path), contents, "755");
        path
    }

    #[track_caller]
    fn check(&self, program: &Path, step: Step, subject: &Path, message: &str) {
        let found = failure(program, self.0.path());
        assert_eq!((found.step, found.subject.as_path(), found.message.as_str()), (step, subject, message));
        assert!(!found.transient);
    }
}

#[test]
fn a_folder_that_is_not_there_or_is_none_is_named() {
    let folder = Folder::new();
    let gone = folder.at("gone");
    let found = failure(Path::new("/bin/true"), &gone);
    assert_eq!((found.step, found.errno), (Step::Cwd, libc::ENOENT));
    let expected = format!("changing directory to `{}`: no such file or directory", gone.display());
    assert_eq!(found.to_string(), expected);
    std::fs::write(folder.at("file"), "").unwrap();
    let found = failure(Path::new("/bin/true"), &folder.at("file"));
    assert_eq!((found.step, found.message.as_str()), (Step::Cwd, "not a directory"));
}

#[test]
fn a_program_that_is_not_there_is_named() {
    let folder = Folder::new();
    let gone = folder.at("gone");
    folder.check(&gone, Step::Program, &gone, "no such file or directory");
    folder.check(Path::new("gone"), Step::Program, &gone, "no such file or directory");
    let link = folder.at("link");
    symlink("nowhere", &link).unwrap();
    folder.check(&link, Step::Program, &link, "it is a symbolic link to nothing");
    let below = folder.program("file", b"#!/bin/sh\n").join("below");
    folder.check(&below, Step::Program, &below, "not a directory");
}

#[test]
fn what_is_no_program_at_all_is_named() {
    let folder = Folder::new();
    let dir = folder.at("dir");
    std::fs::create_dir(&dir).unwrap();
    folder.check(&dir, Step::Program, &dir, "is a directory");
    let device = Path::new("/dev/null");
    folder.check(device, Step::Program, device, "is a device, not a program");
    let plain = folder.program("plain", b"#!/bin/sh\n");
    std::fs::set_permissions(&plain, std::fs::Permissions::from_mode(0o644)).unwrap();
    folder.check(&plain, Step::Program, &plain, "not executable (its mode is 0644)");
    assert_eq!(failure(&plain, folder.0.path()).errno, libc::EACCES);
}

#[test]
fn a_file_of_an_unknown_format_is_named() {
    let folder = Folder::new();
    let cases: [(&str, &[u8], &str); 6] = [
        ("text", b"console.log('hello')\n", "not a program: it has no `#!` line"),
        ("accents", &"// h\u{e9}llo ".repeat(40).into_bytes(), "not a program: it has no `#!` line"),
        ("empty", b"", "not a program: it is empty"),
        ("garbage", b"\x00\x01\x02\x03\xff\xfe", "not a program for this machine"),
        ("nameless", b"#!\n", "its `#!` line names no program"),
        ("blank", b"#! \t \necho\n", "its `#!` line names no program"),
    ];
    for (name, contents, message) in cases {
        let path = folder.program(name, contents);
        folder.check(&path, Step::Program, &path, message);
        assert_eq!(failure(&path, folder.0.path()).errno, libc::ENOEXEC);
    }
    // A whole program, but for another machine.
    let mut foreign = std::fs::read("/bin/true").unwrap();
    foreign[18..20].copy_from_slice(&0x1234_u16.to_ne_bytes());
    let foreign = folder.program("foreign", &foreign);
    folder.check(&foreign, Step::Program, &foreign, "not a program for this machine");
}

#[test]
fn an_interpreter_that_is_not_there_is_named_with_the_script() {
    let folder = Folder::new();
    let missing = Path::new("/no/such/interpreter");
    for (name, line) in [("plain", "#!/no/such/interpreter\n"), ("argument", "#!  /no/such/interpreter -x y\necho\n")] {
        let script = folder.program(name, line.as_bytes());
        let message = format!("no such file or directory: it is named by the `#!` line of `{}`", script.display());
        folder.check(&script, Step::Interpreter, missing, &message);
    }
    let through = folder.program("through", format!("#!{}\n", folder.at("plain").display()).as_bytes());
    assert_eq!(failure(&through, folder.0.path()).subject, missing, "the last of the chain is what is missing");

    let shown = failure(&folder.program("dir", b"#!/etc\n"), folder.0.path()).to_string();
    assert!(shown.starts_with("running the interpreter `/etc`: is a directory: it is named by"), "{shown}");
    let text = folder.program("text", b"no program\n");
    std::fs::set_permissions(&text, std::fs::Permissions::from_mode(0o600)).unwrap();
    let script = folder.program("script", b"#!text\n");
    let message = format!("not executable (its mode is 0600): it is named by the `#!` line of `{}`", script.display());
    folder.check(&script, Step::Interpreter, &text, &message);
}

#[test]
fn a_carriage_return_at_the_end_of_the_first_line_is_made_visible() {
    let folder = Folder::new();
    let script = folder.program("dos", b"#!/bin/sh\r\necho hello\r\n");
    let shown = failure(&script, folder.0.path()).to_string();
    let expected = format!(
        "running the interpreter `/bin/sh\\r`: no such file or directory: the `#!` line ends in a carriage return, in `{}`",
        script.display()
    );
    assert_eq!(shown, expected);
}

#[test]
fn scripts_that_run_each_other_are_told_as_that() {
    let folder = Folder::new();
    let script = folder.at("script");
    folder.program("script", format!("#!{}\n", script.display()).as_bytes());
    let found = failure(&script, folder.0.path());
    assert_eq!((found.step, found.errno), (Step::Program, libc::ELOOP));
    assert_eq!(found.message, "too many interpreters, one run by the other");
}

#[test]
fn a_missing_loader_is_named() {
    let folder = Folder::new();
    let program = folder.program("program", &program_with_loader("/no/such/loader.so"));
    let message = format!("no such file or directory: it is the loader that `{}` needs", program.display());
    folder.check(&program, Step::Interpreter, Path::new("/no/such/loader.so"), &message);
}

/// A program of our kind that asks for a loader of this name, and holds nothing else.
fn program_with_loader(name: &str) -> Vec<u8> {
    // Ours tells class, byte order and machine.
    let mut program = std::fs::read("/proc/self/exe").unwrap();
    program.truncate(64);
    let mut put = |at: usize, bytes: &[u8]| program[at..at + bytes.len()].copy_from_slice(bytes);
    put(32, &64_u64.to_ne_bytes());
    put(54, &56_u16.to_ne_bytes());
    put(56, &1_u16.to_ne_bytes());
    let length = u64::try_from(name.len() + 1).unwrap();
    program.extend(3_u32.to_ne_bytes());
    program.extend(4_u32.to_ne_bytes());
    for field in [120, 0, 0, length, length, 1] {
        program.extend(field.to_ne_bytes());
    }
    program.extend(name.as_bytes());
    program.push(0);
    program
}

#[test]
fn a_file_that_is_being_written_may_work_later() {
    let folder = Folder::new();
    let program = folder.program("program", b"#!/bin/sh\n");
    let writer = std::fs::File::options().append(true).open(&program).unwrap();
    let found = failure(&program, folder.0.path());
    assert_eq!((found.step, found.errno, found.transient), (Step::Program, libc::ETXTBSY, true));
    drop(writer);
}

#[test]
fn a_shortage_may_be_over_later() {
    let argv = strings(&["x"]);
    let spec = Spawn { program: c"/bin/true", argv: &argv, env: &[], cwd: None, fds: &[], session: true };
    for errno in [libc::EAGAIN, libc::ENOMEM, libc::EMFILE, libc::ENFILE] {
        let found = diagnose(&spec, errno);
        assert_eq!((found.step, found.transient), (Step::Process, true));
    }
    let found = diagnose(&spec, libc::EAGAIN).to_string();
    assert_eq!(found, "making a process for `/bin/true`: resource temporarily unavailable");
    // What was wrong has been put right meanwhile: then the number is what is left.
    assert_eq!(diagnose(&spec, libc::EACCES).to_string(), "running `/bin/true`: permission denied");
}

#[test]
fn a_name_is_searched_on_path_as_execvp_does() {
    let folder = Folder::new();
    for dir in ["one", "two", "three"] {
        std::fs::create_dir(folder.at(dir)).unwrap();
    }
    std::fs::create_dir(folder.at("one/tool")).unwrap();
    let denied = folder.program("two/tool", b"#!/bin/sh\n");
    std::fs::set_permissions(&denied, std::fs::Permissions::from_mode(0o644)).unwrap();
    let good = folder.program("three/tool", b"#!/bin/sh\n");
    let search = |name: &str, path: &str| resolve_program(OsStr::new(name), Some(OsStr::new(path)), folder.0.path());

    let all = format!("{}:/none:two:three", folder.at("one").display());
    assert_eq!(search("tool", &all).unwrap(), good);
    let found = search("tool", "one:two").unwrap_err();
    assert_eq!((found.errno, found.subject.as_path()), (libc::EACCES, denied.as_path()));
    assert_eq!(found.message, "found on PATH, but it is not executable");
    let found = search("tool", "one").unwrap_err();
    assert_eq!(found.to_string(), "running `tool`: not found on PATH");
    let here = folder.program("here", b"#!/bin/sh\n");
    assert_eq!(search("here", "one:").unwrap(), here, "an empty entry is the folder itself");
    assert_eq!(search("here", "").unwrap(), here);

    let cwd = folder.0.path();
    assert!(resolve_program(OsStr::new("sh"), None, cwd).unwrap().is_absolute());
    assert_eq!(resolve_program(OsStr::new("/bin/sh"), None, cwd).unwrap(), Path::new("/bin/sh"));
    assert_eq!(resolve_program(OsStr::new("./two/tool"), None, cwd).unwrap(), cwd.join("./two/tool"));
    let found = resolve_program(OsStr::new("./none"), None, cwd).unwrap_err();
    assert_eq!(found.message, "no such file or directory");
    assert_eq!(found.subject, cwd.join("./none"));
    assert!(resolve_program(OsStr::new(""), None, cwd).is_err());
}

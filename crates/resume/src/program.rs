//! From the words that were typed to a program that can be executed.
//!
//! What is stored works from the service's directory whatever the shell's was, and is as close to what was typed as that
//! allows. Whatever can be found wrong is said here, before anything is made.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use resume_client::home::describe;
use resume_core::os_text::OsText;
use resume_sys::spawn::resolve_program;

use crate::error::{CliError, Result};
use crate::exit_code::ExitCode;

/// A program to execute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Program {
    /// It and its arguments.
    pub(crate) command: Vec<OsText>,
    /// The words before it.
    pub(crate) interpreter: Vec<OsText>,
}

/// Where to look for a program.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    /// Where it will run; absolute.
    pub(crate) cwd: &'a Path,
    /// Where the shell is; absolute.
    pub(crate) shell: &'a Path,
    /// The `PATH` that it will have.
    pub(crate) path: Option<&'a OsStr>,
}

/// The interpreters of files by their endings, for each the first that is found.
const INTERPRETERS: [(&[&str], &[&[&str]]); 8] = [
    (&["js", "cjs", "mjs"], &[&["node"]]),
    (&["ts", "mts", "cts"], &[&["node"], &["bun"], &["deno", "run", "--allow-all"], &["tsx"]]),
    (&["py"], &[&["python3"]]),
    (&["sh"], &[&["sh"]]),
    (&["rb"], &[&["ruby"]]),
    (&["pl"], &[&["perl"]]),
    (&["php"], &[&["php"]]),
    (&["lua"], &[&["lua"]]),
];
/// From this version on, node runs TypeScript by itself.
const NODE_WITH_TYPES: (u32, u32) = (22, 18);

/// Finds the program that `words` mean. `interpreter` is what the user gave, if anything.
pub(crate) fn find(words: &[OsString], interpreter: Option<&[String]>, place: Place<'_>) -> Result<Program> {
    let Some((word, arguments)) = words.split_first() else {
        return Err(CliError::usage("a program to run is missing").hint("`resume run ./server.js`, for example"));
    };
    let (program, interpreter) = match interpreter {
        Some(words) => with_interpreter(word, words, place)?,
        None => by_itself(word, place)?,
    };
    let arguments = arguments.iter().map(|argument| argument.as_os_str().into());
    Ok(Program { command: std::iter::once(program).chain(arguments).collect(), interpreter })
}

/// A program that the user named an interpreter for. It need be no file: `--interpreter 'python3 -m' http.server`.
fn with_interpreter(word: &OsStr, interpreter: &[String], place: Place<'_>) -> Result<(OsText, Vec<OsText>)> {
    if let Some(name) = interpreter.first() {
        resolve_program(OsStr::new(name), place.path, place.cwd).map_err(|diagnosis| {
            cannot_execute(
                ExitCode::ProgramNotFound,
                format!("executing the interpreter `{name}`: {}", diagnosis.message),
            )
        })?;
    }
    let words = interpreter.iter().map(|word| word.as_str().into()).collect();
    let program = match file_named(word, place) {
        Some(found) => found.word,
        None if has_slash(word) => return Err(missing(word, place.cwd)),
        None => word.to_owned(),
    };
    Ok((program.as_os_str().into(), words))
}

fn by_itself(word: &OsStr, place: Place<'_>) -> Result<(OsText, Vec<OsText>)> {
    if !has_slash(word) && resolve_program(word, place.path, place.cwd).is_ok() {
        return Ok((word.into(), Vec::new()));
    }
    let Some(found) = file_named(word, place) else {
        if has_slash(word) {
            return Err(missing(word, place.cwd));
        }
        let message = match resolve_program(word, place.path, place.cwd) {
            Err(diagnosis) => diagnosis.message,
            Ok(_) => "not found on PATH".to_owned(),
        };
        return Err(cannot_execute(
            ExitCode::ProgramNotFound,
            format!("executing `{}`: {message}", word.to_string_lossy()),
        )
        .hint("a file is named by its path, as in `./server.js`"));
    };
    let metadata = found.path.metadata().map_err(|error| unusable(word, &describe(&error)))?;
    if metadata.is_dir() {
        return Err(unusable(word, "is a directory").hint("name the program in it"));
    }
    if metadata.permissions().mode() & 0o111 != 0 {
        // A word without a slash would be searched on PATH, where it is not.
        let word = if has_slash(&found.word) { found.word } else { dot_slash(&found.word) };
        return Ok((word.as_os_str().into(), Vec::new()));
    }
    let interpreter = interpreter_by_ending(word, &found.path, place)?;
    // A word that begins with a dash would be taken for an option of the interpreter's.
    let word = if found.word.as_bytes().starts_with(b"-") { dot_slash(&found.word) } else { found.word };
    Ok((word.as_os_str().into(), interpreter))
}

/// A file that was found, and the word that means it in the directory where the program will run.
struct Found {
    word: OsString,
    path: PathBuf,
}

/// The file that a word means: first where the program will run, then where the shell is.
fn file_named(word: &OsStr, place: Place<'_>) -> Option<Found> {
    let there = place.cwd.join(word);
    if there.exists() {
        return Some(Found { word: word.to_owned(), path: there });
    }
    let here = place.shell.join(word);
    here.exists().then(|| Found { word: here.clone().into_os_string(), path: here })
}

fn interpreter_by_ending(word: &OsStr, path: &Path, place: Place<'_>) -> Result<Vec<OsText>> {
    let ending = path.extension().and_then(OsStr::to_str).unwrap_or_default().to_ascii_lowercase();
    let Some((_, choices)) = INTERPRETERS.iter().find(|(endings, _)| endings.contains(&ending.as_str())) else {
        let text = shell_words::quote(&word.to_string_lossy()).into_owned();
        let error = unusable(word, "permission denied: it is not executable");
        return Err(
            error.hint(format!("make it executable with `chmod +x {text}`, or say what runs it with `--interpreter`"))
        );
    };
    for choice in *choices {
        let Ok(found) = resolve_program(OsStr::new(choice[0]), place.path, place.cwd) else { continue };
        if choice[0] == "node" && choices.len() > 1 && !runs_types(&found) {
            continue;
        }
        return Ok(choice.iter().map(|word| (*word).into()).collect());
    }
    let names: Vec<_> = choices.iter().map(|choice| format!("`{}`", choice[0])).collect();
    let message = format!("no {} is found on PATH to run it", names.join(", no "));
    Err(unusable(word, &message).hint("install it, or say what runs it with `--interpreter`"))
}

/// Whether this node runs TypeScript. It is asked, for nothing else tells.
fn runs_types(node: &Path) -> bool {
    let output = Command::new(node).arg("--version").stdin(Stdio::null()).stderr(Stdio::null()).output();
    output.is_ok_and(|output| node_version(&output.stdout).is_some_and(|version| version >= NODE_WITH_TYPES))
}

/// The first two numbers of `v22.18.0`.
fn node_version(text: &[u8]) -> Option<(u32, u32)> {
    let text = str::from_utf8(text).ok()?.trim().strip_prefix('v')?;
    let mut numbers = text.split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

fn has_slash(word: &OsStr) -> bool {
    word.as_bytes().contains(&b'/')
}

fn dot_slash(word: &OsStr) -> OsString {
    Path::new(".").join(word).into_os_string()
}

fn missing(word: &OsStr, cwd: &Path) -> CliError {
    let why = match cwd.join(word).metadata() {
        Err(error) => describe(&error),
        Ok(_) => "no such file or directory".to_owned(),
    };
    cannot_execute(ExitCode::ProgramNotFound, format!("executing `{}`: {why}", word.to_string_lossy()))
}

fn unusable(word: &OsStr, why: &str) -> CliError {
    cannot_execute(ExitCode::CannotExecute, format!("executing `{}`: {why}", word.to_string_lossy()))
}

/// The code is that of `run`; `start` makes it 1.
fn cannot_execute(code: ExitCode, message: String) -> CliError {
    CliError::new(code, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with files, of which those whose name begins with `x` are executable; `bin` is all of `PATH`.
    struct Bench {
        folder: tempfile::TempDir,
    }

    impl Bench {
        fn new(files: &[&str]) -> Self {
            let folder = tempfile::tempdir().unwrap();
            for directory in ["cwd", "shell", "bin"] {
                std::fs::create_dir(folder.path().join(directory)).unwrap();
            }
            for file in files {
                let path = folder.path().join(file);
                std::fs::write(&path, "#!/bin/sh\necho v20.1.0\n").unwrap();
                let executable = file.starts_with("bin/") || path.file_name().unwrap().as_bytes()[0] == b'x';
                let mode = if executable { 0o755 } else { 0o644 };
                std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            }
            Self { folder }
        }

        fn find(&self, words: &[&str], interpreter: Option<&[&str]>) -> Result<Program> {
            let at = |name: &str| self.folder.path().join(name);
            let (cwd, shell, path) = (at("cwd"), at("shell"), at("bin"));
            let words: Vec<OsString> = words.iter().map(OsString::from).collect();
            let interpreter = interpreter.map(|words| words.iter().map(ToString::to_string).collect::<Vec<_>>());
            let place = Place { cwd: &cwd, shell: &shell, path: Some(path.as_os_str()) };
            find(&words, interpreter.as_deref(), place)
        }

        /// What is executed, with the bench's own folder written as `@`.
        #[track_caller]
        fn check(&self, words: &[&str], executed: &str) {
            let program = self.find(words, None).unwrap();
            let argv: Vec<_> =
                program.interpreter.iter().chain(&program.command).map(OsText::to_string_lossy).collect();
            assert_eq!(argv.join(" ").replace(self.folder.path().to_str().unwrap(), "@"), executed);
        }

        #[track_caller]
        fn refused(&self, words: &[&str], code: ExitCode, message: &str) {
            let error = self.find(words, None).unwrap_err();
            assert_eq!((error.code, error.message.as_str()), (code, message));
        }
    }

    #[test]
    fn a_word_is_a_program_of_path_then_a_file_where_it_runs_then_one_of_the_shell() {
        let bench = Bench::new(&["bin/node", "cwd/node", "cwd/x1", "shell/x2", "cwd/a.js", "shell/b.js"]);
        bench.check(&["node", "a.js"], "node a.js");
        bench.check(&["x1", "-v"], "./x1 -v");
        bench.check(&["./x1"], "./x1");
        bench.check(&["x2"], "@/shell/x2");
        bench.check(&["./x2"], "@/shell/./x2");
        bench.check(&["a.js"], "node a.js");
        bench.check(&["./b.js"], "node @/shell/./b.js");
    }

    #[test]
    fn a_file_that_is_not_executable_is_run_by_what_its_ending_says() {
        let bench = Bench::new(&[
            "bin/node",
            "bin/python3",
            "bin/tsx",
            "cwd/a.MJS",
            "cwd/b.py",
            "cwd/x.py",
            "cwd/c.ts",
            "cwd/d.rb",
        ]);
        bench.check(&["./a.MJS"], "node ./a.MJS");
        bench.check(&["b.py", "1"], "python3 b.py 1");
        bench.check(&["./x.py"], "./x.py");
        // This node says that it is of version 20.1, which runs no types.
        bench.check(&["c.ts"], "tsx c.ts");
        bench.refused(&["d.rb"], ExitCode::CannotExecute, "executing `d.rb`: no `ruby` is found on PATH to run it");
    }

    #[test]
    fn what_cannot_be_executed_is_refused_with_the_cause() {
        let bench = Bench::new(&["cwd/data", "cwd/x"]);
        bench.refused(&["nope"], ExitCode::ProgramNotFound, "executing `nope`: not found on PATH");
        bench.refused(&["./nope"], ExitCode::ProgramNotFound, "executing `./nope`: no such file or directory");
        bench.refused(&["./x/y"], ExitCode::ProgramNotFound, "executing `./x/y`: not a directory");
        bench.refused(
            &["./data"],
            ExitCode::CannotExecute,
            "executing `./data`: permission denied: it is not executable",
        );
        bench.refused(&["../cwd"], ExitCode::CannotExecute, "executing `../cwd`: is a directory");
        bench.refused(&[], ExitCode::Usage, "a program to run is missing");
    }

    #[test]
    fn an_interpreter_of_the_users_comes_before_all_else() {
        let bench = Bench::new(&["bin/python3", "bin/x", "cwd/x"]);
        let program = bench.find(&["x", "1"], Some(&["python3", "-u"])).unwrap();
        assert_eq!(program.interpreter, ["python3".into(), "-u".into()]);
        assert_eq!(program.command, ["x".into(), "1".into()]);
        let module = bench.find(&["http.server"], Some(&["python3", "-m"])).unwrap();
        assert_eq!(module.command, ["http.server".into()]);
        let error = bench.find(&["x"], Some(&["ruby"])).unwrap_err();
        assert_eq!(error.message, "executing the interpreter `ruby`: not found on PATH");
        assert!(bench.find(&["./nope"], Some(&["python3"])).is_err());
    }

    #[test]
    fn the_version_of_node_is_read() {
        assert_eq!(node_version(b"v22.18.0\n"), Some((22, 18)));
        assert_eq!(node_version(b"22"), None);
        assert!((23, 0) >= NODE_WITH_TYPES && (22, 17) < NODE_WITH_TYPES);
    }
}

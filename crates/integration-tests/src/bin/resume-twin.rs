//! The shipped program, for the tests: `main` is the library's.

use std::process::ExitCode;

fn main() -> ExitCode {
    resume_pm::main()
}

//! The program `resume`.

use std::process::ExitCode;

fn main() -> ExitCode {
    resume_pm::main()
}

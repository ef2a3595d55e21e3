use std::fmt;

/// Prints as the usual error libraries do.
struct Report;

impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot start\n\nCaused by:\n    0: cannot read the settings\n    1: No such file or directory (os error 2)")
    }
}

fn main() -> Result<(), Report> {
    eprintln!("starting");
    Err(Report)
}

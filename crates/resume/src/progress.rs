//! A line that says how far a verb is which takes its time with many services.

use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use resume_client::selector::Target;

use crate::context::Context;
use crate::render::text::cut;
use crate::side_by_side::side_by_side;
use crate::targets::title;

/// What is over sooner needs no such line.
const PATIENCE: Duration = Duration::from_millis(500);
/// How often the line is drawn anew.
const REDRAWN_EVERY: Duration = Duration::from_millis(100);
/// So many of those that are not done are named.
const NAMED: usize = 6;
/// Back to the beginning of the line, and the line emptied.
const CLEAR: &str = "\r\x1b[K";

/// Whether the line stands on the terminal.
static DRAWN: AtomicBool = AtomicBool::new(false);

/// What to print before anything else goes to stderr: it takes the line away, if it is there. To be called by whoever holds
/// the lock of stderr, so that nobody draws in between.
pub(crate) fn take_back() -> &'static str {
    if DRAWN.swap(false, Ordering::AcqRel) { CLEAR } else { "" }
}

/// Does `work` for each target, side by side. A person at a terminal who waits for several is told how far it is:
/// `stopping 3 of 12: web, db, …`, which is gone at the end.
pub(crate) fn with_progress<R: Send>(
    context: &Context,
    doing: &str,
    targets: &[Target],
    work: impl Fn(&Target) -> R + Sync,
) -> Vec<R> {
    if targets.len() < 2 || context.quiet || context.json || !io::stderr().is_terminal() {
        return side_by_side(targets, work);
    }
    let titles = targets.iter().map(|target| title(&target.service.name, target.instances.as_deref()));
    let open: Mutex<Vec<String>> = Mutex::new(titles.collect());
    let (over, ended) = (Mutex::new(false), Condvar::new());
    std::thread::scope(|scope| {
        // Where no thread can be had, nothing is drawn.
        let _ = std::thread::Builder::new().spawn_scoped(scope, || draw(doing, &open, targets.len(), &over, &ended));
        let results = side_by_side(targets, |target| {
            let result = work(target);
            let done = title(&target.service.name, target.instances.as_deref());
            open.lock().expect("no worker panics: a panic ends the process").retain(|open| *open != done);
            result
        });
        *over.lock().expect("no worker panics: a panic ends the process") = true;
        ended.notify_all();
        results
    })
}

fn draw(doing: &str, open: &Mutex<Vec<String>>, all: usize, over: &Mutex<bool>, ended: &Condvar) {
    let mut pause = PATIENCE;
    loop {
        let over = over.lock().expect("no worker panics: a panic ends the process");
        let waited = ended.wait_timeout_while(over, pause, |over| !*over);
        let (over, _) = waited.expect("no worker panics: a panic ends the process");
        let mut stderr = io::stderr().lock();
        let text = if *over {
            take_back().to_owned()
        } else {
            let open = open.lock().expect("no worker panics: a panic ends the process");
            let width = resume_sys::process::terminal_width(stderr.as_fd()).map_or(80, usize::from);
            DRAWN.store(true, Ordering::Release);
            format!("{CLEAR}{}", cut(&line(doing, &open, all), width.saturating_sub(1)))
        };
        // Nothing depends on it.
        let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
        if *over {
            return;
        }
        pause = REDRAWN_EVERY;
    }
}

fn line(doing: &str, open: &[String], all: usize) -> String {
    let named = open.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    let more = if open.len() > NAMED { ", …" } else { "" };
    format!("{doing} {} of {all}: {named}{more}", open.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_counts_and_names_what_is_not_done_yet() {
        let open: Vec<String> = ["web", "db"].map(str::to_owned).into();
        assert_eq!(line("stopping", &open, 12), "stopping 2 of 12: web, db");
        let many: Vec<String> = (0..9).map(|number| format!("w{number}")).collect();
        assert_eq!(line("starting", &many, 9), "starting 9 of 9: w0, w1, w2, w3, w4, w5, …");
    }

    #[test]
    fn nothing_is_taken_back_that_was_not_drawn() {
        assert_eq!(take_back(), "");
    }
}

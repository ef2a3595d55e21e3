//! `resume ls --watch`: the list, drawn anew whenever something changes.
//!
//! A change of state shows in a service's directory at once. CPU and memory change without a trace, and so does a
//! supervisor that dies, so the list is made anew every two seconds as well.

use std::collections::HashMap;
use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use resume_client::home::describe;
use resume_client::services::Services;
use resume_client::usage::{ServiceUsage, Usage};
use resume_core::layout;
use resume_core::signal::Signal;
use resume_sys::poll::{Event, Interest, Poller};
use resume_sys::process::terminal_height;
use resume_sys::signal::SignalPipe;
use resume_sys::watch::{Kinds, Watcher};

use super::ls::{measured, selected};
use crate::args::LsArgs;
use crate::context::{Context, say, screen_width};
use crate::error::{CliError, Result};
use crate::exit_code::ExitCode;
use crate::render::json;
use crate::render::listing::{Listed, Wanted, table};

/// What wakes us: a change of the files, a signal, the reader of our output.
const FILES: u64 = 0;
const SIGNALS: u64 = 1;
const READER: u64 = 2;

/// How often to look when nothing seems to change.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Changes that come together are shown together.
const AT_MOST_EVERY: Duration = Duration::from_millis(100);
/// CPU times are counted in hundredths of a second, so a shorter time would give but rough shares.
const MEASURED_OVER: Duration = Duration::from_secs(1);
/// The same for the first look, which a person waits for.
const FIRST_MEASURED_OVER: Duration = Duration::from_millis(200);

/// What changes in the folder of all services, and in a service's own: files are replaced by renaming.
const CHANGES: Kinds = Kinds::CREATE.or(Kinds::DELETE).or(Kinds::MOVED_TO).or(Kinds::MOVED_FROM).or(Kinds::DELETE_SELF);

/// To the upper left; what is left of a line that was longer; what is left below.
const HOME: &str = "\x1b[H";
const REST_OF_LINE: &str = "\x1b[K";
const REST_OF_SCREEN: &str = "\x1b[J";
const CLEAR: &str = "\x1b[2J";

pub(crate) fn watch(context: &Context, args: &LsArgs) -> Result<ExitCode> {
    use std::io::IsTerminal as _;
    if !context.json && !io::stdout().is_terminal() {
        return Err(CliError::usage("`--watch` draws on a terminal, and the output goes elsewhere")
            .hint("`resume ls --watch --json` prints an array a line; `resume events` prints each change"));
    }
    // What cannot be selected now will not be by waiting, unless it is a pattern.
    let (listed, failures) = selected(context, args)?;
    if let Some(first) = failures.into_iter().next() {
        return Err(first);
    }
    let services = context.home()?.create()?;
    let mut looks = Looks::new(&services).map_err(|error| unwatched(&error))?;
    let mut meter = Meter::default();
    if !args.no_usage {
        meter.present(&listed, &mut measured(context, &listed));
        if looks.pause(FIRST_MEASURED_OVER).map_err(|error| unwatched(&error))? {
            return Ok(ExitCode::Done);
        }
    }
    let mut screen = CLEAR;
    loop {
        // Before the look, so that what changes during it is seen by the next one.
        looks.watch_all().map_err(|error| unwatched(&error))?;
        let (listed, _) = selected(context, args)?;
        let mut usages = if args.no_usage { Vec::new() } else { measured(context, &listed) };
        meter.present(&listed, &mut usages);
        if context.json {
            say(&json::services(&listed, &usages))?;
        } else {
            say(&format!("{screen}{}", drawn(context, args, &listed, &usages)))?;
            screen = "";
        }
        let drawn_at = Instant::now();
        if looks.next(drawn_at).map_err(|error| unwatched(&error))? {
            return Ok(ExitCode::Done);
        }
    }
}

/// The table over the one before, cut to what the terminal holds.
fn drawn(context: &Context, args: &LsArgs, listed: &[Listed], usages: &[ServiceUsage]) -> String {
    let room = if args.wide { None } else { screen_width() };
    let wanted = Wanted { by_instance: args.instances, wide: args.wide, room, paint: context.paint };
    let text = if listed.is_empty() { "no services".to_owned() } else { table(listed, usages, wanted) };
    let stdout = io::stdout();
    let height = terminal_height(stdout.as_fd()).map_or(usize::MAX, usize::from);
    format!("{HOME}{}{REST_OF_SCREEN}", fitted(&text, height).replace('\n', &format!("{REST_OF_LINE}\n")))
}

/// So much of a text as a terminal of so many lines shows, with the last for the cursor.
fn fitted(text: &str, height: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let room = height.saturating_sub(1).max(2);
    if lines.len() <= room {
        return lines.join("\n") + "\n";
    }
    format!("{}\n… and {} more\n", lines[..room - 1].join("\n"), lines.len() - room + 1)
}

/// When to look again.
struct Looks<'a> {
    services: &'a Services,
    watcher: Watcher,
    signals: SignalPipe,
    /// For all that wakes us.
    poller: Poller,
    /// For what ends us.
    endings: Poller,
}

impl<'a> Looks<'a> {
    fn new(services: &'a Services) -> io::Result<Self> {
        let signals = SignalPipe::install(&[Signal::INT.number(), Signal::TERM.number()])?;
        let (watcher, poller, endings) = (Watcher::new()?, Poller::new()?, Poller::new()?);
        poller.add(watcher.as_fd(), FILES, Interest::READ)?;
        for poller in [&poller, &endings] {
            poller.add(signals.as_fd(), SIGNALS, Interest::READ)?;
            // A file cannot be waited for, and never goes away.
            let _ = poller.add(io::stdout().as_fd(), READER, Interest::NONE);
        }
        Ok(Self { services, watcher, signals, poller, endings })
    }

    /// Watches all services that there are. One that goes meanwhile needs none; where a user may watch no more, the rest is
    /// looked at every two seconds.
    fn watch_all(&self) -> io::Result<()> {
        self.watcher.add(&self.services.home().join(layout::SERVICES), CHANGES)?;
        for name in self.services.names()? {
            let _ = self.watcher.add(&self.services.directory(&name), CHANGES);
        }
        Ok(())
    }

    /// Waits for the next change, and returns whether it is time to end.
    fn next(&mut self, drawn_at: Instant) -> io::Result<bool> {
        if self.wait(Some(LOOK_EVERY))? {
            return Ok(true);
        }
        let ended = self.pause(AT_MOST_EVERY.saturating_sub(drawn_at.elapsed()))?;
        self.watcher.read()?;
        Ok(ended)
    }

    fn wait(&mut self, limit: Option<Duration>) -> io::Result<bool> {
        let mut woken = Vec::new();
        self.poller.wait(&mut woken, limit)?;
        Ok(ends(&woken))
    }

    /// Waits so long whatever changes, and returns whether it is time to end.
    fn pause(&mut self, time: Duration) -> io::Result<bool> {
        let mut woken = Vec::new();
        self.endings.wait(&mut woken, Some(time))?;
        let ended = ends(&woken);
        if ended {
            self.signals.drain();
        }
        Ok(ended)
    }
}

fn ends(woken: &[Event]) -> bool {
    woken.iter().any(|event| event.key != FILES)
}

/// What usage is of: a service, and the instance and the start of its program; none of those for the whole.
type Key = (String, Option<(u32, u64)>);

/// Turns the share of the CPU over a whole life into that of the present moment.
#[derive(Debug, Default)]
struct Meter {
    /// The CPU times at the beginning of the span that is measured now.
    since: Option<(Instant, HashMap<Key, Duration>)>,
    /// The shares of the span before.
    shares: HashMap<Key, f64>,
}

impl Meter {
    /// Puts the present shares into `usages`. What was not there at the look before has lived but a moment, so its share
    /// over its life is right already.
    fn present(&mut self, listed: &[Listed], usages: &mut [ServiceUsage]) {
        let mut found: Vec<(Key, &mut Usage)> = Vec::new();
        for (Listed { service, .. }, usage) in listed.iter().zip(usages) {
            let name = service.name.to_string();
            found.extend(usage.total.as_mut().map(|usage| ((name.clone(), None), usage)));
            for (instance, usage) in service.instances.iter().zip(&mut usage.instances) {
                let start = instance.process.as_ref().map_or(0, |process| process.start_ticks);
                found.extend(usage.as_mut().map(|usage| ((name.clone(), Some((instance.index, start))), usage)));
            }
        }
        self.update(&mut found, Instant::now());
    }

    fn update(&mut self, found: &mut [(Key, &mut Usage)], now: Instant) {
        let times = || found.iter().map(|(key, usage)| (key.clone(), usage.cpu_time)).collect();
        let long_enough = if self.shares.is_empty() { FIRST_MEASURED_OVER } else { MEASURED_OVER };
        match &self.since {
            None => self.since = Some((now, times())),
            Some((since, before)) if now.duration_since(*since) >= long_enough => {
                let span = now.duration_since(*since).as_secs_f64();
                let share = |(key, usage): &(Key, &mut Usage)| {
                    // Less than before: it is another run.
                    let used = usage.cpu_time.checked_sub(*before.get(key)?)?;
                    // To a tenth, as over a whole life.
                    Some((key.clone(), (used.as_secs_f64() / span * 1000.0).round() / 10.0))
                };
                self.shares = found.iter().filter_map(share).collect();
                self.since = Some((now, times()));
            }
            Some(_) => (),
        }
        for (key, usage) in found {
            usage.cpu_percent = self.shares.get(key).copied().unwrap_or(usage.cpu_percent);
        }
    }
}

fn unwatched(error: &io::Error) -> CliError {
    CliError::failed(format!("watching the services: {}", describe(error)))
        .hint("`resume ls` shows them once; /proc/sys/fs/inotify says how much a user may watch")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_is_that_of_the_present_moment() {
        let start = Instant::now();
        let mut meter = Meter::default();
        let mut share = |at: u64, cpu_millis: u64| {
            let cpu_time = Duration::from_millis(cpu_millis);
            let mut usage = Usage { cpu_percent: 7.0, cpu_time, memory_bytes: 1 };
            let key = ("web".to_owned(), None);
            meter.update(&mut [(key, &mut usage)], start + Duration::from_millis(at));
            usage.cpu_percent.round()
        };
        // The first look knows no moment but the whole life.
        assert!((share(0, 50_000) - 7.0).abs() < 0.1);
        assert!((share(500, 50_250) - 50.0).abs() < 0.1);
        // Too soon for another span.
        assert!((share(600, 50_251) - 50.0).abs() < 0.1);
        assert!((share(2_500, 50_270) - 1.0).abs() < 0.1);
        // Another run, which had less.
        assert!((share(4_500, 10) - 7.0).abs() < 0.1);
    }

    #[test]
    fn what_the_terminal_cannot_hold_is_counted() {
        assert_eq!(fitted("a\nb\nc\n", 4), "a\nb\nc\n");
        assert_eq!(fitted("a\nb\nc\nd\n", 4), "a\nb\n… and 2 more\n");
        assert_eq!(fitted("a\nb\nc\nd\n", 1), "a\n… and 3 more\n");
    }
}

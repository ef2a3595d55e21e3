//! Following the histories of many services at once, by the files alone: no supervisor is woken, and while nothing
//! happens nobody is.
//!
//! Each history is watched as a file, not by its directory: there lie the pipes that take the output of the programs,
//! and a watched directory would tell of every line that they write. The directory is watched for names that appear in
//! it, and the folder of all services for services that do.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use resume_core::layout;
use resume_core::name::ServiceName;
use resume_core::time::Timestamp;
use resume_sys::watch::{Kinds, WatchEvent, Watcher};

use crate::discover::Discovery;
use crate::history::{Since, StoredEvent, Tail};
use crate::selector::{Selector, Target, select};
use crate::services::Services;

/// A name that appears in a folder.
const APPEARS: Kinds = Kinds::CREATE.or(Kinds::MOVED_TO);

/// The histories of chosen services, merged in the order of time, and of those that are made later and fit the choice.
#[derive(Debug)]
pub struct Histories<'a> {
    services: &'a Services,
    selectors: Option<Vec<(String, Selector)>>,
    watcher: Watcher,
    folder: i32,
    followed: Vec<Followed>,
    /// Directories that are no services yet: being made, or but the log of a forgotten one.
    pending: Vec<(ServiceName, i32)>,
}

/// One service.
#[derive(Debug)]
struct Followed {
    tail: Tail,
    /// Which of its instances; `None` is all.
    instances: Option<Vec<u32>>,
    directory: Option<i32>,
    file: Option<i32>,
    /// Whether there may be something to read.
    due: bool,
    /// The time of its last event, or of one before if the clock was set back: its own order is kept whatever the clock.
    latest: Timestamp,
}

impl<'a> Histories<'a> {
    /// Follows `targets` from the first [`Histories::poll`] on. They are what `selectors` choose at present; without selectors,
    /// all services.
    ///
    /// A user may have only so many watches (`EMFILE`, or the kind `StorageFull`; see inotify(7)).
    pub fn new(
        services: &'a Services,
        selectors: Option<Vec<(String, Selector)>>,
        targets: Vec<Target>,
        since: Since,
    ) -> io::Result<Self> {
        let watcher = Watcher::new()?;
        let folder = watcher.add(&services.home().join(layout::SERVICES), APPEARS)?;
        let mut histories = Self { services, selectors, watcher, folder, followed: Vec::new(), pending: Vec::new() };
        for target in targets {
            histories.follow(target, since)?;
        }
        // What was made since the targets were chosen.
        histories.look_at_all()?;
        Ok(histories)
    }

    /// What is new since the last call, each service's events in their own order. Never waits: poll the descriptor.
    pub fn poll(&mut self) -> io::Result<Vec<StoredEvent>> {
        for event in self.watcher.read()? {
            self.heed(&event)?;
        }
        let mut events = Vec::new();
        for followed in self.followed.iter_mut().filter(|followed| followed.due) {
            followed.due = false;
            for event in followed.tail.poll(self.services)? {
                followed.latest = followed.latest.max(event.record.time);
                if followed.instances.as_ref().is_none_or(|instances| instances.contains(&event.record.instance)) {
                    events.push((followed.latest, event));
                }
            }
        }
        events.sort_by_key(|(time, _)| *time);
        Ok(events.into_iter().map(|(_, event)| event).collect())
    }

    fn heed(&mut self, event: &WatchEvent) -> io::Result<()> {
        if event.kinds.contains(Kinds::OVERFLOW) {
            return self.look_at_all();
        }
        let name = event.name.as_deref();
        if event.id == self.folder {
            let name = name.and_then(OsStr::to_str).and_then(|name| ServiceName::new(name).ok());
            return name.map_or(Ok(()), |name| self.look_at(&name));
        }
        if let Some(at) = self.pending.iter().position(|(_, id)| *id == event.id) {
            if event.kinds.contains(Kinds::GONE) {
                self.pending.remove(at);
            } else if name == Some(OsStr::new(layout::SPEC)) {
                let (name, id) = self.pending.remove(at);
                // One that is over already needs no removing.
                let _ = self.watcher.remove(id);
                return self.look_at(&name);
            }
            return Ok(());
        }
        let Some(followed) =
            self.followed.iter_mut().find(|followed| [followed.directory, followed.file].contains(&Some(event.id)))
        else {
            return Ok(());
        };
        let gone = event.kinds.contains(Kinds::GONE);
        if followed.file == Some(event.id) {
            followed.file = followed.file.filter(|_| !gone);
            followed.due = true;
        } else if gone {
            followed.directory = None;
        } else if name == Some(OsStr::new(layout::EVENTS)) {
            followed.arm(&self.watcher, self.services)?;
        }
        Ok(())
    }

    fn look_at_all(&mut self) -> io::Result<()> {
        self.services.names()?.iter().try_for_each(|name| self.look_at(name))
    }

    /// Looks at a service that has appeared, or may have.
    fn look_at(&mut self, name: &ServiceName) -> io::Result<()> {
        if let Some(followed) = self.followed.iter_mut().find(|followed| followed.tail.name() == name) {
            return followed.arm(&self.watcher, self.services);
        }
        let Some(service) = Discovery::new(self.services).one(name) else { return self.wait_for(name) };
        let target = match &self.selectors {
            None => Some(Target { service, instances: None, by_pattern: true }),
            Some(selectors) => select(selectors, vec![service]).targets.pop(),
        };
        target.map_or(Ok(()), |target| self.follow(target, Since::After(0)))
    }

    fn wait_for(&mut self, name: &ServiceName) -> io::Result<()> {
        let Some(id) = watch(&self.watcher, &self.services.directory(name), APPEARS)? else { return Ok(()) };
        if !self.pending.iter().any(|(_, known)| *known == id) {
            self.pending.push((name.clone(), id));
        }
        Ok(())
    }

    fn follow(&mut self, target: Target, since: Since) -> io::Result<()> {
        let mut followed = Followed {
            tail: Tail::new(target.service.name, since),
            instances: target.instances,
            directory: None,
            file: None,
            due: true,
            latest: Timestamp::from_micros(0),
        };
        followed.arm(&self.watcher, self.services)?;
        self.followed.push(followed);
        Ok(())
    }
}

impl AsFd for Histories<'_> {
    /// Readable when something has changed.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.watcher.as_fd()
    }
}

impl Followed {
    /// Watches what has the names now. To be read after that, so that nothing falls between.
    fn arm(&mut self, watcher: &Watcher, services: &Services) -> io::Result<()> {
        self.due = true;
        let directory = services.directory(self.tail.name());
        let now = watch(watcher, &directory, APPEARS)?;
        replace(&mut self.directory, now, watcher);
        let now = watch(watcher, &directory.join(layout::EVENTS), Kinds::MODIFY)?;
        replace(&mut self.file, now, watcher);
        Ok(())
    }
}

/// Watches it, or returns `None` where there is nothing.
fn watch(watcher: &Watcher, path: &std::path::Path, kinds: Kinds) -> io::Result<Option<i32>> {
    match watcher.add(path, kinds) {
        Ok(id) => Ok(Some(id)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(error),
    }
}

fn replace(known: &mut Option<i32>, now: Option<i32>, watcher: &Watcher) {
    if let Some(before) = std::mem::replace(known, now).filter(|before| Some(*before) != now) {
        // One that is over already needs no removing.
        let _ = watcher.remove(before);
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;

    use resume_core::event_record::{EventRecord, VERSION, What};
    use resume_core::status::StateWord;

    use super::*;
    use crate::home::{Home, Sources};

    fn services() -> (tempfile::TempDir, Services) {
        let folder = tempfile::tempdir().unwrap();
        let sources = Sources { option: Some(folder.path().join("home")), ..Sources::default() };
        let services = Home::locate(sources).unwrap().create().unwrap();
        (folder, services)
    }

    fn name(text: &str) -> ServiceName {
        ServiceName::new(text).unwrap()
    }

    /// Makes a service as it is made: beside its place, then there by a rename.
    fn make(services: &Services, service: &str, group: &str) {
        let folder = services.home().join(layout::SERVICES);
        let staging = folder.join(format!(".{service}.new"));
        fs::create_dir(&staging).unwrap();
        let spec = format!(
            r#"{{"version":1,"name":"{service}","desired":"up","command":["x"],"cwd":"/","environment":[],"group":"{group}"}}"#
        );
        fs::write(staging.join(layout::SPEC), spec).unwrap();
        fs::rename(&staging, folder.join(service)).unwrap();
    }

    fn add(services: &Services, service: &str, instance: u32, seq: u64, micros: u64) {
        let what = What::State { state: StateWord::Running, pid: Some(1), detail: None };
        let time = Timestamp::from_micros(micros);
        let record = EventRecord { version: VERSION, seq, time, service: name(service), instance, run: 1, what };
        let path = services.directory(&name(service)).join(layout::EVENTS);
        fs::OpenOptions::new().append(true).create(true).open(path).unwrap().write_all(&record.to_line()).unwrap();
    }

    fn following<'a>(services: &'a Services, words: &[&str], since: Since) -> Histories<'a> {
        let selectors: Vec<_> = words.iter().map(|word| ((*word).to_owned(), Selector::parse(word).unwrap())).collect();
        let found = Discovery::new(services).all().unwrap();
        let targets = select(&selectors, found).targets;
        let mut histories = Histories::new(services, Some(selectors), targets, since).unwrap();
        if since == Since::Now {
            check(&mut histories, &[]);
        }
        histories
    }

    #[track_caller]
    fn check(histories: &mut Histories<'_>, expected: &[(&str, u64)]) {
        let events = histories.poll().unwrap();
        let found: Vec<_> = events.iter().map(|event| (event.record.service.as_str(), event.record.seq)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn histories_are_merged_in_the_order_of_time_and_each_keeps_its_own() {
        let (_folder, services) = services();
        make(&services, "a", "g");
        make(&services, "b", "g");
        add(&services, "a", 0, 1, 10);
        add(&services, "a", 0, 2, 40);
        // The clock was set back.
        add(&services, "a", 0, 3, 5);
        add(&services, "b", 0, 1, 20);
        let mut histories = following(&services, &["all"], Since::After(0));
        check(&mut histories, &[("a", 1), ("b", 1), ("a", 2), ("a", 3)]);
        check(&mut histories, &[]);
        add(&services, "b", 0, 2, 50);
        check(&mut histories, &[("b", 2)]);
    }

    #[test]
    fn a_service_that_is_made_later_joins_if_it_was_chosen() {
        let (_folder, services) = services();
        make(&services, "a", "g");
        add(&services, "a", 0, 1, 10);
        let mut histories = following(&services, &["@g", "c"], Since::Now);
        make(&services, "b", "g");
        make(&services, "c", "other");
        make(&services, "d", "other");
        for service in ["a", "b", "c", "d"] {
            add(&services, service, 0, 2, 20);
        }
        check(&mut histories, &[("a", 2), ("b", 2), ("c", 2)]);
    }

    #[test]
    fn a_service_that_takes_the_place_of_a_log_that_was_kept_joins_too() {
        let (_folder, services) = services();
        fs::create_dir_all(services.directory(&name("a")).join(layout::LOG)).unwrap();
        let mut histories = following(&services, &["all"], Since::Now);
        check(&mut histories, &[]);
        make(&services, "staged", "g");
        let spec = fs::read_to_string(services.directory(&name("staged")).join(layout::SPEC)).unwrap();
        fs::write(services.directory(&name("a")).join(layout::SPEC), spec.replace("staged", "a")).unwrap();
        check(&mut histories, &[]);
        add(&services, "a", 0, 1, 1);
        check(&mut histories, &[("a", 1)]);
    }

    #[test]
    fn a_history_is_followed_over_its_turns_and_over_deletion() {
        let (_folder, services) = services();
        make(&services, "a", "g");
        let mut histories = following(&services, &["a"], Since::Now);
        let directory = services.directory(&name("a"));
        for seq in 1..6 {
            add(&services, "a", 0, seq, seq);
            if seq % 2 == 0 {
                fs::rename(directory.join(layout::EVENTS), directory.join(layout::EVENTS_OLD)).unwrap();
            }
            check(&mut histories, &[("a", seq)]);
        }
        fs::rename(&directory, directory.with_file_name(".gone")).unwrap();
        check(&mut histories, &[]);
        make(&services, "a", "g");
        add(&services, "a", 0, 1, 1);
        check(&mut histories, &[("a", 1)]);
        add(&services, "a", 0, 2, 2);
        check(&mut histories, &[("a", 2)]);
    }

    #[test]
    fn only_the_instances_that_were_chosen_are_told_of() {
        let (_folder, services) = services();
        make(&services, "a", "g");
        let path = services.directory(&name("a")).join(layout::SPEC);
        let spec = fs::read_to_string(&path).unwrap().replace("\"group\"", "\"instances\":2,\"group\"");
        fs::write(&path, spec).unwrap();
        let mut histories = following(&services, &["a:1"], Since::Now);
        add(&services, "a", 0, 1, 1);
        add(&services, "a", 1, 2, 2);
        check(&mut histories, &[("a", 2)]);
    }
}

//! Changing a service that no supervisor looks after.
//!
//! Whoever holds a directory's lock is the only one to write there, so the lock is taken first. A service is made, and
//! forgotten, by one rename: nobody ever sees half of one.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use resume_core::layout;
use resume_core::name::ServiceName;
use resume_core::spec::{Desired, InvalidSpec, Spec};
use resume_core::status::{StateWord, Status};
use resume_sys::lock::Lock;
use resume_sys::{dirs, files, glance};

use crate::changes::Changes;
use crate::home::describe;
use crate::services::Services;

/// The largest file of ours that is read: a spec holds a whole environment, which has at most a few MiB.
pub(crate) const MAX_FILE: usize = 16 << 20;
/// What a directory is called while it is being made, behind its maker's pid.
const NEW: &str = "new";
/// What it is called while it is being removed.
const GONE: &str = "gone";
/// A directory that its maker left behind is removed once it is as old as this.
const LEFT_BEHIND: Duration = Duration::from_mins(1);

/// Why a service's directory could not be changed.
#[derive(Debug, thiserror::Error)]
pub enum OfflineError {
    /// There is none of that name.
    #[error("there is no service `{0}`")]
    NoSuchService(ServiceName),
    /// There is one of that name already.
    #[error("there is a service `{0}` already")]
    Exists(ServiceName),
    /// Its spec is torn, or was never ours.
    #[error("reading `{}`: {}", .path.display(), damage(.source))]
    Spec {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: InvalidSpec,
    },
    /// A system call failed.
    #[error("{step} `{}`: {}", .path.display(), describe(.source))]
    File {
        /// What was tried, as in `writing`.
        step: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// A service that we hold the lock of, so that no supervisor can start.
#[derive(Debug)]
pub struct Held {
    name: ServiceName,
    path: PathBuf,
    directory: OwnedFd,
    lock: Lock,
}

/// Makes the directory of a new service with its spec in it, and holds it.
///
/// Of several that make a service of one name at once, one succeeds and the others find that it [`OfflineError::Exists`].
/// The files are not yet synced to disk: see [`persist`].
pub fn create(services: &Services, spec: &Spec) -> Result<Held, OfflineError> {
    let name = &spec.name;
    let staging = format!(".{name}.{}.{NEW}", std::process::id());
    let path = services.home().join(layout::SERVICES).join(&staging);
    let made = make(services, &staging, &path, spec).and_then(|(directory, lock)| {
        let renamed = files::rename_noreplace(services.as_fd(), &staging, services.as_fd(), name.as_str());
        match renamed {
            Ok(()) => Ok(Held { name: name.clone(), path: services.directory(name), directory, lock }),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(OfflineError::Exists(name.clone())),
            Err(source) => Err(file("creating", &services.directory(name), source)),
        }
    });
    if made.is_err() {
        // What cannot be removed now is removed later, see `clear_left_behind`.
        let _ = dirs::remove_tree(services.as_fd(), &staging);
    }
    match made {
        Err(OfflineError::Exists(name)) => take_vacant(services, &name, spec),
        other => other,
    }
}

fn make(services: &Services, staging: &str, path: &Path, spec: &Spec) -> Result<(OwnedFd, Lock), OfflineError> {
    let directory = dirs::create_private_dir(services.as_fd(), staging);
    let directory = directory.map_err(|source| file("creating the directory", path, source))?;
    let written = files::write_atomically(directory.as_fd(), layout::SPEC, &spec.to_json(), false);
    written.map_err(|source| file("writing", &path.join(layout::SPEC), source))?;
    let lock = Lock::try_acquire(directory.as_fd(), layout::LOCK).and_then(|lock| lock.ok_or_else(held_by_another));
    let lock = lock.map_err(|source| file("locking", &path.join(layout::LOCK), source))?;
    Ok((directory, lock))
}

fn held_by_another() -> io::Error {
    io::ErrorKind::WouldBlock.into()
}

/// Makes a service of a directory that holds but the log of a forgotten one.
fn take_vacant(services: &Services, name: &ServiceName, spec: &Spec) -> Result<Held, OfflineError> {
    let exists = || OfflineError::Exists(name.clone());
    let held = Held::take(services, name)?.ok_or_else(exists)?;
    match files::read_file(held.directory.as_fd(), layout::SPEC, MAX_FILE) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => held.write_spec(spec).map(|()| held),
        Ok(_) | Err(_) => Err(exists()),
    }
}

/// Syncs a service that was just made to disk: its spec, its directory and its name.
pub fn persist(services: &Services, name: &ServiceName) -> Result<(), OfflineError> {
    let path = services.directory(name);
    let sync = || -> io::Result<()> {
        std::fs::File::open(path.join(layout::SPEC))?.sync_all()?;
        std::fs::File::open(&path)?.sync_all()?;
        std::fs::File::from(services.as_fd().try_clone_to_owned()?).sync_all()
    };
    match sync() {
        // It has been deleted in the meantime.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.map_err(|source| file("syncing", &path, source)),
    }
}

impl Held {
    /// Takes hold of a service, or returns `None` if somebody else has: a supervisor, or another command for an instant.
    pub fn take(services: &Services, name: &ServiceName) -> Result<Option<Self>, OfflineError> {
        let path = services.directory(name);
        let missing = || OfflineError::NoSuchService(name.clone());
        let opened = services.open(name).map_err(|source| file("opening", &path, source))?;
        let directory = opened.ok_or_else(missing)?;
        let lock = Lock::try_acquire(directory.as_fd(), layout::LOCK);
        let Some(lock) = lock.map_err(|source| file("locking", &path.join(layout::LOCK), source))? else {
            return Ok(None);
        };
        // It may have been forgotten, and even made anew, between the opening and the locking.
        let now = services.open(name).map_err(|source| file("opening", &path, source))?;
        let now = now.ok_or_else(missing)?;
        let same = is_same(&directory, &now).map_err(|source| file("looking at", &path, source))?;
        Ok(same.then_some(Self { name: name.clone(), path, directory, lock }))
    }

    /// The same, but waits up to `patience` for a supervisor that is about to leave.
    pub fn take_within(
        services: &Services,
        name: &ServiceName,
        patience: Duration,
    ) -> Result<Option<Self>, OfflineError> {
        let path = services.directory(name);
        let unwatched = |source| file("watching", &path, source);
        let end = Instant::now() + patience;
        let mut changes = None;
        loop {
            if let Some(held) = Self::take(services, name)? {
                return Ok(Some(held));
            }
            if Instant::now() >= end {
                return Ok(None);
            }
            match &changes {
                // It may have left before the watch: so the first time, look again at once.
                None => changes = Some(Changes::of(&path).map_err(unwatched)?),
                Some(changes) => changes.wait().map_err(unwatched)?,
            }
        }
    }

    /// The service's name.
    pub fn name(&self) -> &ServiceName {
        &self.name
    }

    /// Lets go of everything but the lock.
    pub fn into_lock(self) -> Lock {
        self.lock
    }

    /// Reads the spec.
    pub fn spec(&self) -> Result<Spec, OfflineError> {
        read_spec(&self.directory, &self.path)
    }

    /// Replaces the spec, durably.
    pub fn write_spec(&self, spec: &Spec) -> Result<(), OfflineError> {
        let written = files::write_atomically(self.directory.as_fd(), layout::SPEC, &spec.to_json(), true);
        written.map_err(|source| file("writing", &self.path.join(layout::SPEC), source))
    }

    /// Puts on record that a person wants it down, and that it is.
    ///
    /// To be called only where no process of it lives. A torn spec is left as it is, for nothing can start from it.
    pub fn mark_stopped(&self) -> Result<(), OfflineError> {
        match self.spec() {
            Ok(spec) if spec.desired == Desired::Up => self.write_spec(&Spec { desired: Desired::Down, ..spec })?,
            Ok(_) | Err(OfflineError::Spec { .. }) => (),
            Err(error) => return Err(error),
        }
        self.change_status(|status| {
            status.desired = Desired::Down;
            for instance in &mut status.instances {
                instance.state = StateWord::Stopped;
                instance.desired = Desired::Down;
                instance.process = None;
                instance.started_at = None;
                instance.restart_at = None;
                instance.failure = None;
            }
        })
    }

    /// Zeroes the counters of restarts and of short runs, of these instances or of all.
    pub fn reset_counters(&self, instances: Option<&[u32]>) -> Result<(), OfflineError> {
        self.change_status(|status| {
            let asked = |index: u32| instances.is_none_or(|instances| instances.contains(&index));
            for instance in status.instances.iter_mut().filter(|instance| asked(instance.index)) {
                (instance.restarts, instance.short_runs) = (0, 0);
            }
        })
    }

    /// Changes what is on record as true. Where that cannot be read, nothing is, and nothing has to be changed.
    fn change_status(&self, change: impl FnOnce(&mut Status)) -> Result<(), OfflineError> {
        let text = files::read_file(self.directory.as_fd(), layout::STATE, MAX_FILE);
        let Some(mut status) = text.ok().and_then(|text| Status::parse(&text).ok()) else { return Ok(()) };
        change(&mut status);
        let mut text = serde_json::to_vec(&status).expect("a status has only string keys and finite numbers");
        text.push(b'\n');
        let written = files::write_atomically(self.directory.as_fd(), layout::STATE, &text, false);
        written.map_err(|source| file("writing", &self.path.join(layout::STATE), source))
    }

    /// Forgets the service; with `keep_logs`, all of it but its log.
    pub fn delete(self, services: &Services, keep_logs: bool) -> Result<(), OfflineError> {
        if keep_logs {
            return self.delete_all_but_log();
        }
        let gone = format!(".{}.{}.{GONE}", self.name, std::process::id());
        let renamed = files::rename_noreplace(services.as_fd(), self.name.as_str(), services.as_fd(), &gone);
        renamed.map_err(|source| file("removing", &self.path, source))?;
        let path = services.home().join(layout::SERVICES).join(&gone);
        dirs::remove_tree(services.as_fd(), &gone).map_err(|source| file("removing", &path, source))
    }

    fn delete_all_but_log(&self) -> Result<(), OfflineError> {
        let entries = dirs::list(self.directory.as_fd()).map_err(|source| file("listing", &self.path, source))?;
        // Without a spec it is no service, so that goes first. The lock stays, for it is held.
        let mut names: Vec<_> = entries.iter().filter_map(|entry| entry.to_str()).collect();
        names.retain(|name| ![layout::LOG, layout::LOCK].contains(name));
        names.sort_unstable_by_key(|name| *name != layout::SPEC);
        for name in names {
            let removed = dirs::remove_tree(self.directory.as_fd(), name);
            removed.map_err(|source| file("removing", &self.path.join(name), source))?;
        }
        Ok(())
    }
}

/// Reads the spec in an open directory, whose path is for messages.
pub(crate) fn read_spec(directory: &OwnedFd, path: &Path) -> Result<Spec, OfflineError> {
    let path = path.join(layout::SPEC);
    let text = files::read_file(directory.as_fd(), layout::SPEC, MAX_FILE);
    let text = text.map_err(|source| file("reading", &path, source))?;
    Spec::parse(&text).map_err(|source| OfflineError::Spec { path, source })
}

/// What is wrong with a spec. One of a newer version is not damaged.
fn damage(source: &InvalidSpec) -> String {
    match source {
        InvalidSpec::Json(error) => format!("it is damaged: {error}"),
        InvalidSpec::Version(_) | InvalidSpec::Value(_) => source.to_string(),
    }
}

/// Removes what commands that were killed half-way left in the folder of the services. What fails is left for next time.
pub fn clear_left_behind(services: &Services) {
    for entry in dirs::list(services.as_fd()).unwrap_or_default() {
        let Some((name, pid)) = entry.to_str().and_then(|name| Some((name, maker_of(name)?))) else { continue };
        let path = services.home().join(layout::SERVICES).join(name);
        let age = std::fs::symlink_metadata(&path).and_then(|metadata| metadata.modified());
        let age = age.ok().and_then(|modified| SystemTime::now().duration_since(modified).ok());
        if age.is_some_and(|age| age >= LEFT_BEHIND) && glance::glance(pid).is_err() {
            let _ = dirs::remove_tree(services.as_fd(), name);
        }
    }
}

/// The pid in the name of a directory that is being made or removed.
fn maker_of(name: &str) -> Option<i32> {
    let (rest, last) = name.strip_prefix('.')?.rsplit_once('.')?;
    let (name, pid) = rest.rsplit_once('.')?;
    let ours = [NEW, GONE].contains(&last) && ServiceName::new(name).is_ok();
    pid.parse().ok().filter(|_| ours)
}

fn is_same(one: &OwnedFd, other: &OwnedFd) -> io::Result<bool> {
    let identity = |fd: &OwnedFd| -> io::Result<(u64, u64)> {
        let metadata = std::fs::File::from(fd.try_clone()?).metadata()?;
        Ok((metadata.dev(), metadata.ino()))
    };
    Ok(identity(one)? == identity(other)?)
}

fn file(step: &'static str, path: &Path, source: io::Error) -> OfflineError {
    OfflineError::File { step, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::home::{Home, Sources};

    fn services() -> (tempfile::TempDir, Services) {
        let folder = tempfile::tempdir().unwrap();
        let sources = Sources { option: Some(folder.path().join("home")), ..Sources::default() };
        let services = Home::locate(sources).unwrap().create().unwrap();
        (folder, services)
    }

    fn spec(name: &str) -> Spec {
        let text =
            format!(r#"{{"version":1,"name":"{name}","desired":"up","command":["x"],"cwd":"/","environment":[]}}"#);
        Spec::parse(text.as_bytes()).unwrap()
    }

    fn entries(services: &Services) -> Vec<String> {
        let mut entries: Vec<_> = dirs::list(services.as_fd()).unwrap();
        entries.sort();
        entries.into_iter().map(|entry| entry.into_string().unwrap()).collect()
    }

    #[test]
    fn of_two_that_make_a_service_of_one_name_the_second_finds_it_there() {
        let (_folder, services) = services();
        let held = create(&services, &spec("web")).unwrap();
        persist(&services, held.name()).unwrap();
        assert!(matches!(create(&services, &spec("web")), Err(OfflineError::Exists(_))));
        assert_eq!(held.spec().unwrap(), spec("web"));
        drop(held);
        assert!(matches!(create(&services, &spec("web")), Err(OfflineError::Exists(_))));
        assert_eq!(entries(&services), ["web"]);
    }

    #[test]
    fn a_service_that_is_held_cannot_be_taken() {
        let (_folder, services) = services();
        let held = create(&services, &spec("web")).unwrap();
        let name = held.name().clone();
        assert!(Held::take(&services, &name).unwrap().is_none());
        drop(held.into_lock());
        assert!(Held::take(&services, &name).unwrap().is_some());
        let missing = ServiceName::new("missing").unwrap();
        assert!(matches!(Held::take(&services, &missing), Err(OfflineError::NoSuchService(_))));
    }

    #[test]
    fn a_forgotten_service_leaves_nothing_unless_its_log_is_to_be_kept() {
        let (_folder, services) = services();
        for keep_logs in [false, true] {
            let held = create(&services, &spec("web")).unwrap();
            let directory = services.directory(held.name());
            std::fs::create_dir(directory.join("log")).unwrap();
            std::fs::write(directory.join("log/current.log"), "text").unwrap();
            std::fs::write(directory.join("state.json"), "{}").unwrap();
            held.delete(&services, keep_logs).unwrap();
            assert_eq!(entries(&services), if keep_logs { vec!["web"] } else { vec![] });
        }
        let log = services.directory(&ServiceName::new("web").unwrap()).join("log/current.log");
        assert_eq!(std::fs::read_to_string(&log).unwrap(), "text");
        let again = create(&services, &spec("web")).unwrap();
        assert_eq!(again.spec().unwrap(), spec("web"));
        assert!(log.exists());
    }

    #[test]
    fn marking_a_service_stopped_changes_what_is_wanted_and_what_is_true() {
        let (_folder, services) = services();
        let held = create(&services, &spec("web")).unwrap();
        let state = services.directory(held.name()).join("state.json");
        let text = crate::discover::tests::STATE.replace("PID", "1").replace("TICKS", "1");
        std::fs::write(&state, text).unwrap();
        held.mark_stopped().unwrap();
        assert_eq!(held.spec().unwrap().desired, Desired::Down);
        let status = Status::parse(&std::fs::read(&state).unwrap()).unwrap();
        assert_eq!((status.state(), status.desired), (StateWord::Stopped, Desired::Down));
        assert_eq!(status.instances[0].process, None);
    }

    #[test]
    fn counters_are_zeroed_and_nothing_else_is_changed() {
        let (_folder, services) = services();
        let held = create(&services, &spec("web")).unwrap();
        held.reset_counters(None).unwrap();
        let state = services.directory(held.name()).join("state.json");
        let text = crate::discover::tests::STATE.replace("PID", "1").replace("TICKS", "1");
        let mut before = Status::parse(text.as_bytes()).unwrap();
        (before.instances[0].restarts, before.instances[0].short_runs) = (7, 3);
        std::fs::write(&state, serde_json::to_vec(&before).unwrap()).unwrap();
        held.reset_counters(Some(&[1])).unwrap();
        assert_eq!(Status::parse(&std::fs::read(&state).unwrap()).unwrap(), before);
        held.reset_counters(Some(&[0])).unwrap();
        (before.instances[0].restarts, before.instances[0].short_runs) = (0, 0);
        assert_eq!(Status::parse(&std::fs::read(&state).unwrap()).unwrap(), before);
    }

    #[test]
    fn a_torn_spec_cannot_hinder_a_stop() {
        let (_folder, services) = services();
        let held = create(&services, &spec("web")).unwrap();
        std::fs::write(services.directory(held.name()).join("spec.json"), "{\"vers").unwrap();
        held.mark_stopped().unwrap();
        assert!(matches!(held.spec(), Err(OfflineError::Spec { .. })));
    }

    #[test]
    fn only_old_directories_of_dead_makers_are_cleared_away() {
        let (_folder, services) = services();
        let own = format!(".web.{}.new", std::process::id());
        for name in [".web.2147483647.new", ".web.2147483646.gone", ".other", own.as_str(), "web"] {
            dirs::create_private_dir(services.as_fd(), name).unwrap();
            let path = services.home().join("services").join(name);
            let old = SystemTime::now() - LEFT_BEHIND;
            if name != ".web.2147483646.gone" {
                std::fs::File::open(path).unwrap().set_modified(old).unwrap();
            }
        }
        clear_left_behind(&services);
        let mut left = vec![".other", ".web.2147483646.gone", own.as_str(), "web"];
        left.sort_unstable();
        assert_eq!(entries(&services), left);
    }
}

//! Which processes belong to an instance.
//!
//! We are a subreaper: whatever a program that we started leaves behind, however it hid, becomes our descendant. A service
//! of one instance owns all of those. Of several, a process belongs to the instance whose main process it descends from,
//! else to the one whose session it is in, else to the one that its environment names; one that can be given to none
//! ends with the service.
//!
//! What an earlier supervisor started is not below us. After an adoption all processes of the machine are looked at: one
//! is a member if it descends from the adopted main process, is in the session that this still leads, or was started
//! with our service's name, instance and home in its environment. A number alone never makes one: it may be another's by
//! now.

use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use resume_core::name::ServiceName;
use resume_sys::identity::Identity;
use resume_sys::tree::{self, ProcessInfo, ProcessTable};

/// What tells the processes of one instance.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    /// Its number.
    pub(crate) index: usize,
    /// Its main process, if that lives.
    pub(crate) main: Option<i32>,
    /// The session that its main process leads or led.
    pub(crate) session: Option<i32>,
    /// Whether an earlier supervisor started the present run.
    pub(crate) adopted: bool,
}

/// A service, as far as it tells whose a process is.
#[derive(Clone, Copy)]
pub(crate) struct Service<'a> {
    pub(crate) name: &'a ServiceName,
    pub(crate) home: &'a Path,
    pub(crate) marks: &'a [Mark],
    /// Processes below us that were there before us: neither they nor what is below them is ours.
    pub(crate) spared: &'a [Identity],
}

/// The living processes of the instance `index`, its main process among them.
///
/// `alone` says that no other instance is up: then what can be given to none is its too.
pub(crate) fn of_instance(service: Service<'_>, index: usize, alone: bool) -> Vec<ProcessInfo> {
    let mut own = tree::descendants(own_pid());
    remove_supervisors(&mut own, service);
    let owned_by = |owner: Option<usize>| owner.map_or(alone, |owner| owner == index);
    let single = service.marks.len() == 1;
    let mine = |process: &&ProcessInfo| single || owned_by(service.owner(&own, process));
    let mut members: Vec<ProcessInfo> = own.iter().filter(mine).cloned().collect();
    if service.marks.get(index).is_some_and(|mark| mark.adopted) {
        members.extend(service.foreign_members(index, &own));
    }
    members
}

/// Our own process id.
pub(crate) fn own_pid() -> i32 {
    i32::try_from(std::process::id()).unwrap_or(i32::MAX)
}

/// The main process of an instance that nothing but its environment tells of: of those that lead a session, the oldest.
pub(crate) fn find_main(service: Service<'_>, index: usize) -> Option<Identity> {
    let table = ProcessTable::read().ok()?;
    let leads = |process: &&ProcessInfo| process.session == process.identity.pid;
    let named = |process: &&ProcessInfo| {
        let environment = tree::environment_of(process.identity.pid).unwrap_or_default();
        service.named_instance(&environment) == Some(index)
    };
    let mains = table.descendants(0).filter(leads).filter(named);
    mains.min_by_key(|process| process.identity.start_ticks).map(|process| process.identity.clone())
}

/// Takes out supervisors and what they look after, and what was there before us: those are nobody's leftovers.
fn remove_supervisors(all: &mut Vec<ProcessInfo>, service: Service<'_>) {
    let mut spared: Vec<i32> = Vec::new();
    // Parents come before their children.
    all.retain(|process| {
        let is_main = service.marks.iter().any(|mark| mark.main == Some(process.identity.pid));
        let own = service.spared.contains(&process.identity) || is_supervisor(process);
        let spare = !is_main && (own || spared.contains(&process.parent));
        if spare {
            spared.push(process.identity.pid);
        }
        !spare
    });
}

/// Whether this is the very program that we are, as a supervisor: a name alone would be easy to take.
fn is_supervisor(process: &ProcessInfo) -> bool {
    let pid = process.identity.pid;
    let words = tree::command_line_of(pid).unwrap_or_default();
    if words.get(1).is_none_or(|word| word != crate::ARGUMENT.as_bytes()) {
        return false;
    }
    let file = |path: &str| std::fs::metadata(path).map(|file| (file.dev(), file.ino())).ok();
    let own = file("/proc/self/exe");
    own.is_some() && file(&format!("/proc/{pid}/exe")) == own
}

impl Service<'_> {
    /// The members among the processes that are not below us.
    fn foreign_members(self, index: usize, own: &[ProcessInfo]) -> Vec<ProcessInfo> {
        let Ok(table) = ProcessTable::read() else { return Vec::new() };
        // The kernel is the parent of the first process and of its own.
        let mut all: Vec<ProcessInfo> = table.descendants(0).cloned().collect();
        remove_supervisors(&mut all, self);
        let known = |process: &&ProcessInfo| own.iter().all(|other| other.identity != process.identity);
        // A session whose leader has ended may be a later one of the same number.
        let living = |mark: &Mark| Mark { session: mark.session.filter(|_| mark.main.is_some()), ..*mark };
        let marks: Vec<Mark> = self.marks.iter().map(living).collect();
        let careful = Service { marks: &marks, ..self };
        let members = all.iter().filter(known).filter(|process| careful.owner(&all, process) == Some(index));
        members.cloned().collect()
    }

    /// The instance that a process belongs to, by descent, session or environment.
    fn owner(self, all: &[ProcessInfo], process: &ProcessInfo) -> Option<usize> {
        let mut ancestor = Some(process);
        while let Some(current) = ancestor {
            let is = |number: Option<i32>, other: i32| number == Some(other);
            let pid = current.identity.pid;
            let by_number = |mark: &&Mark| is(mark.main, pid) || is(mark.session, current.session);
            if let Some(mark) = self.marks.iter().find(by_number) {
                return Some(mark.index);
            }
            ancestor = all.iter().find(|other| other.identity.pid == current.parent);
        }
        self.named_owner(&tree::environment_of(process.identity.pid).ok()?)
    }

    /// The instance that an environment names, if there is one of this number.
    fn named_owner(self, environment: &[u8]) -> Option<usize> {
        self.named_instance(environment).filter(|index| self.marks.iter().any(|mark| mark.index == *index))
    }

    /// The number of the instance that an environment of our service and home names.
    fn named_instance(self, environment: &[u8]) -> Option<usize> {
        let value = |key: &[u8]| {
            let mut entries = environment.split(|byte| *byte == 0);
            entries.find_map(|entry| entry.strip_prefix(key))
        };
        let same_service = value(b"RESUME_SERVICE=")? == self.name.as_str().as_bytes();
        let same_home = value(b"RESUME_HOME=")? == self.home.as_os_str().as_bytes();
        let index: usize = std::str::from_utf8(value(b"RESUME_INSTANCE=")?).ok()?.parse().ok()?;
        (same_service && same_home).then_some(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_environment_names_an_instance_only_with_service_home_and_a_known_number() {
        let name = ServiceName::new("web").unwrap();
        let mark = |index| Mark { index, main: None, session: None, adopted: false };
        let marks = [mark(0), mark(1)];
        let service = Service { name: &name, home: Path::new("/h"), marks: &marks, spared: &[] };
        let owner = |text: &str| service.named_owner(text.replace(' ', "\0").as_bytes());
        assert_eq!(owner("A=b RESUME_HOME=/h RESUME_SERVICE=web RESUME_INSTANCE=1"), Some(1));
        assert_eq!(owner("RESUME_HOME=/h RESUME_SERVICE=web RESUME_INSTANCE=2"), None);
        assert_eq!(owner("RESUME_HOME=/h RESUME_SERVICE=web2 RESUME_INSTANCE=1"), None);
        assert_eq!(owner("RESUME_HOME=/x RESUME_SERVICE=web RESUME_INSTANCE=1"), None);
        assert_eq!(owner("RESUME_SERVICE=web RESUME_INSTANCE=1"), None);
        assert_eq!(owner(""), None);
    }
}

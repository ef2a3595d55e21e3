//! Which processes belong to an instance.
//!
//! We are a subreaper: whatever a program leaves behind, however it hid, becomes our descendant. A service of one
//! instance owns all of them. Of several, a process belongs to the instance whose main process it descends from, else
//! to the one whose session it is in, else to the one that its environment names; one that can be given to none ends
//! with the service.

use resume_sys::tree::{self, ProcessInfo};

use resume_core::name::ServiceName;

/// What tells the processes of one instance.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    /// Its number.
    pub(crate) index: usize,
    /// Its main process, if that lives.
    pub(crate) main: Option<i32>,
    /// The session that its main process leads or led.
    pub(crate) session: Option<i32>,
}

/// The living processes of the instance `index`, its main process among them if that is our child.
///
/// `alone` says that no other instance is up: then what can be given to none is its too.
pub(crate) fn of_instance(service: &ServiceName, marks: &[Mark], index: usize, alone: bool) -> Vec<ProcessInfo> {
    let mut all = tree::descendants(own_pid());
    remove_supervisors(&mut all);
    if marks.len() == 1 {
        return all;
    }
    let owners: Vec<Option<usize>> = all.iter().map(|process| owner(service, marks, &all, process)).collect();
    let belongs = |owner: Option<usize>| owner.map_or(alone, |owner| owner == index);
    all.into_iter().zip(owners).filter(|(_, owner)| belongs(*owner)).map(|(process, _)| process).collect()
}

/// Our own process id.
pub(crate) fn own_pid() -> i32 {
    i32::try_from(std::process::id()).unwrap_or(i32::MAX)
}

/// Takes out supervisors and what they look after: those are nobody's leftovers.
fn remove_supervisors(all: &mut Vec<ProcessInfo>) {
    let mut spared: Vec<i32> = Vec::new();
    // Parents come before their children.
    all.retain(|process| {
        let spare = spared.contains(&process.parent) || is_supervisor(process);
        if spare {
            spared.push(process.identity.pid);
        }
        !spare
    });
}

fn is_supervisor(process: &ProcessInfo) -> bool {
    tree::command_line_of(process.identity.pid)
        .is_ok_and(|words| words.get(1).is_some_and(|word| word == crate::ARGUMENT.as_bytes()))
}

fn owner(service: &ServiceName, marks: &[Mark], all: &[ProcessInfo], process: &ProcessInfo) -> Option<usize> {
    let mut ancestor = Some(process);
    while let Some(current) = ancestor {
        let pid = current.identity.pid;
        if let Some(mark) = marks.iter().find(|mark| mark.main == Some(pid)) {
            return Some(mark.index);
        }
        if let Some(mark) = marks.iter().find(|mark| mark.session == Some(current.session)) {
            return Some(mark.index);
        }
        ancestor = all.iter().find(|other| other.identity.pid == current.parent);
    }
    let environment = tree::environment_of(process.identity.pid).ok()?;
    let value = |key: &[u8]| {
        let mut entries = environment.split(|byte| *byte == 0);
        entries.find_map(|entry| entry.strip_prefix(key)).map(<[u8]>::to_vec)
    };
    if value(b"RESUME_SERVICE=")? != service.as_str().as_bytes() {
        return None;
    }
    let index: usize = String::from_utf8(value(b"RESUME_INSTANCE=")?).ok()?.parse().ok()?;
    marks.iter().any(|mark| mark.index == index).then_some(index)
}

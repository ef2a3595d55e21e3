//! The processes of a service one by one, and what they listen on.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ffi::OsString;
use std::io;

use resume_sys::clock;
use resume_sys::ports::{self, Address};
use resume_sys::tree::{ProcessInfo, ProcessTable, clock_ticks_per_second, command_line_of};

use crate::discover::Service;
use crate::usage::{age_of, percent};

/// A process of a service.
#[derive(Clone, Debug, PartialEq)]
pub struct TreeProcess {
    /// Its number.
    pub pid: i32,
    /// How many processes of the service are above it.
    pub depth: usize,
    /// The instance it was born into; none for one that lost its parent, which has become the supervisor's child.
    pub instance: Option<u32>,
    /// One letter, as in proc(5): `R` running, `S` sleeping, …
    pub state: u8,
    /// Of one CPU, over its own life.
    pub cpu_percent: f64,
    /// Resident memory, in bytes, with what it shares with others.
    pub memory_bytes: u64,
    /// The name it goes by, at most 15 bytes.
    pub name: OsString,
    /// Its arguments; none where it has hidden them.
    pub command: Vec<Vec<u8>>,
}

/// Where a service can be reached, and by which of its processes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// Where.
    pub address: Address,
    /// Who holds it; several where it was inherited.
    pub pids: Vec<i32>,
}

/// Where the processes of a service listen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ports {
    /// Sorted by address.
    pub known: Vec<Port>,
    /// The processes whose sockets we may not see: they run as another user.
    pub hidden: Vec<i32>,
}

/// The living processes of a service, each before its children.
pub fn processes(service: &Service) -> io::Result<Vec<TreeProcess>> {
    Ok(Forest::of(service, &ProcessTable::read()?).processes())
}

struct Forest<'a> {
    roots: Vec<(&'a ProcessInfo, Option<u32>)>,
    children: HashMap<i32, Vec<&'a ProcessInfo>>,
}

impl<'a> Forest<'a> {
    fn of(service: &Service, table: &'a ProcessTable) -> Self {
        let mains = service.instances.iter().filter_map(|instance| {
            let process = instance.process.as_ref()?;
            let main = table.get(process.pid)?;
            (main.identity.start_ticks == process.start_ticks).then_some((main, Some(instance.index)))
        });
        let mut roots: Vec<_> = mains.collect();
        let mut members: BTreeMap<i32, &ProcessInfo> = BTreeMap::new();
        let tops: Vec<i32> = roots.iter().map(|(main, _)| main.identity.pid).chain(service.supervisor).collect();
        for top in &tops {
            members.extend(table.descendants(*top).map(|info| (info.identity.pid, info)));
        }
        let mut children: HashMap<i32, Vec<&ProcessInfo>> = HashMap::new();
        for (pid, info) in &members {
            if members.contains_key(&info.parent) || roots.iter().any(|(main, _)| main.identity.pid == info.parent) {
                children.entry(info.parent).or_default().push(info);
            } else if !tops.contains(pid) {
                roots.push((info, None));
            }
        }
        Self { roots, children }
    }

    fn processes(&self) -> Vec<TreeProcess> {
        let (now, ticks_per_second) = (clock::boottime(), clock_ticks_per_second());
        let mut met = HashSet::new();
        let mut found = Vec::new();
        let mut ahead: Vec<_> = self.roots.iter().rev().map(|(info, instance)| (*info, *instance, 0)).collect();
        while let Some((info, instance, depth)) = ahead.pop() {
            let pid = info.identity.pid;
            if !met.insert(pid) {
                continue;
            }
            let age = age_of(info.identity.start_ticks, ticks_per_second, now);
            found.push(TreeProcess {
                pid,
                depth,
                instance,
                state: info.state,
                cpu_percent: percent(info.cpu_ticks, ticks_per_second, age),
                memory_bytes: info.memory_bytes,
                name: info.name.clone(),
                // It may be gone by now, or another user's: then its name has to do.
                command: command_line_of(pid).unwrap_or_default(),
            });
            let children = self.children.get(&pid).into_iter().flatten().rev();
            ahead.extend(children.map(|child| (*child, instance, depth + 1)));
        }
        found
    }
}

/// Where these processes listen, each in the network that it is in. Those that have gone meanwhile are passed over.
pub fn ports(processes: &[TreeProcess]) -> io::Result<Ports> {
    let mut networks: HashMap<OsString, HashMap<u64, Address>> = HashMap::new();
    let mut holders: BTreeMap<Address, BTreeSet<i32>> = BTreeMap::new();
    let mut hidden = Vec::new();
    for TreeProcess { pid, .. } in processes {
        let looked = ports::sockets_of(*pid).and_then(|sockets| Ok((sockets, ports::network_of(*pid)?)));
        let (sockets, network) = match looked {
            Ok(looked) => looked,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                hidden.push(*pid);
                continue;
            }
            Err(error) => return Err(error),
        };
        if sockets.is_empty() {
            continue;
        }
        if !networks.contains_key(&network) {
            let listening = match ports::listening_around(*pid) {
                Ok(listening) => listening,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            let by_inode = listening.into_iter().map(|listening| (listening.inode, listening.address)).collect();
            networks.insert(network.clone(), by_inode);
        }
        let here = networks.get(&network);
        for address in sockets.iter().filter_map(|inode| here?.get(inode)) {
            holders.entry(address.clone()).or_default().insert(*pid);
        }
    }
    let known = holders.into_iter().map(|(address, pids)| Port { address, pids: pids.into_iter().collect() });
    Ok(Ports { known: known.collect(), hidden })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own_pid() -> i32 {
        i32::try_from(std::process::id()).unwrap()
    }

    fn own_service() -> Service {
        let mut service = crate::discover::tests::service("self", &[own_pid()]);
        let process = service.instances[0].process.as_mut().unwrap();
        process.start_ticks = resume_sys::identity::identify(own_pid()).unwrap().start_ticks;
        service
    }

    #[test]
    fn a_child_stands_below_its_parent() {
        let mut child = std::process::Command::new("/bin/cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
        let found = processes(&own_service()).unwrap();
        assert_eq!((found[0].pid, found[0].depth, found[0].instance), (own_pid(), 0, Some(0)));
        let below = found.iter().find(|process| process.pid == i32::try_from(child.id()).unwrap()).unwrap();
        assert_eq!((below.depth, below.instance), (1, Some(0)));
        drop(child.stdin.take());
        child.wait().unwrap();
    }

    #[test]
    fn what_lost_its_parent_stands_apart() {
        let mut child = std::process::Command::new("/bin/cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
        let mut service = crate::discover::tests::service("self", &[]);
        service.supervisor = Some(own_pid());
        let found = processes(&service).unwrap();
        let own = found.iter().find(|process| process.pid == i32::try_from(child.id()).unwrap()).unwrap();
        assert_eq!((own.depth, own.instance), (0, None));
        assert!(!found.iter().any(|process| process.pid == own_pid()), "the supervisor is no part of its service");
        drop(child.stdin.take());
        child.wait().unwrap();
    }

    #[test]
    fn another_process_of_the_same_number_is_none_of_it() {
        let mut service = own_service();
        service.instances[0].process.as_mut().unwrap().start_ticks += 1;
        assert_eq!(processes(&service).unwrap(), []);
    }

    #[test]
    fn a_port_is_told_with_its_holders() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let found = ports(&processes(&own_service()).unwrap()).unwrap();
        let address = Address::Tcp(listener.local_addr().unwrap());
        let port = found.known.iter().find(|port| port.address == address).unwrap();
        assert!(port.pids.contains(&own_pid()));
    }
}

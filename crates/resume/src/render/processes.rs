//! Processes as a tree, and where they listen.

use std::ffi::OsStr;

use resume_client::process_tree::{Ports, TreeProcess};
use resume_sys::ports::Address;

use crate::render::Paint;
use crate::render::table::{Cell, Column, render};
use crate::render::text::harmless;
use crate::render::time::size;

/// Deeper levels are not indented further: a chain of forks may be thousands of processes long.
const MAX_INDENT: usize = 24;

/// The table of processes, the children of each below it.
pub(crate) fn tree(processes: &[TreeProcess], room: Option<usize>, paint: Paint) -> String {
    let fixed = |title, right| Column { title, right, shrinks_to: None, leaves: None };
    let columns = [
        fixed("PID", true),
        Column { leaves: Some(2), ..fixed("STATE", false) },
        Column { leaves: Some(0), ..fixed("CPU", true) },
        Column { leaves: Some(1), ..fixed("MEMORY", true) },
        Column { shrinks_to: Some(12), ..fixed("COMMAND", false) },
    ];
    let row = |(process, branch): (&TreeProcess, String)| -> Vec<Cell> {
        vec![
            process.pid.to_string().into(),
            state(process.state).into(),
            format!("{:.1}%", process.cpu_percent).into(),
            size(process.memory_bytes).into(),
            format!("{branch}{}", command(process)).into(),
        ]
    };
    let rows: Vec<_> = processes.iter().zip(branches(processes)).map(row).collect();
    render(&columns, &rows, room, paint)
}

/// The lines that lead to each process, from the one above it.
fn branches(processes: &[TreeProcess]) -> Vec<String> {
    // From the end: at each depth, whether another process of the same parent comes below.
    let mut goes_on: Vec<bool> = Vec::new();
    let mut branches: Vec<String> = Vec::with_capacity(processes.len());
    for process in processes.iter().rev() {
        let depth = process.depth.min(MAX_INDENT);
        goes_on.resize(depth + 1, false);
        let above = goes_on.get(1..depth).unwrap_or_default();
        let mut branch: String = above.iter().map(|on| if *on { "│  " } else { "   " }).collect();
        if depth > 0 {
            branch.push_str(if goes_on[depth] { "├─ " } else { "└─ " });
        }
        goes_on[depth] = true;
        branches.push(branch);
    }
    branches.reverse();
    branches
}

/// The letter of proc(5) as a word.
pub(crate) fn state(letter: u8) -> &'static str {
    match letter {
        b'R' => "running",
        b'S' => "sleeping",
        b'I' => "idle",
        b'D' => "waiting",
        b'T' => "halted",
        b't' => "traced",
        b'Z' => "zombie",
        b'X' | b'x' => "dead",
        _ => "unknown",
    }
}

/// The command line as a shell would take it; the name alone of one that hides it.
pub(crate) fn command(process: &TreeProcess) -> String {
    if process.command.is_empty() {
        return format!("[{}]", harmless(&process.name.to_string_lossy()));
    }
    let words: Vec<_> = process.command.iter().map(|word| String::from_utf8_lossy(word)).collect();
    harmless(&shell_words::join(&words)).into_owned()
}

/// The table of what is listened on, and by whom.
pub(crate) fn ports(ports: &Ports, processes: &[TreeProcess], room: Option<usize>, paint: Paint) -> String {
    let fixed = |title, right| Column { title, right, shrinks_to: None, leaves: None };
    let columns = [
        fixed("KIND", false),
        Column { shrinks_to: Some(16), ..fixed("ADDRESS", false) },
        Column { shrinks_to: Some(8), ..fixed("PROCESS", false) },
    ];
    let holder = |pid: &i32| {
        let name = processes.iter().find(|process| process.pid == *pid).map(|process| process.name.to_string_lossy());
        format!("{pid} {}", harmless(&name.unwrap_or_default())).trim_end().to_owned()
    };
    let row = |port: &resume_client::process_tree::Port| -> Vec<Cell> {
        let (kind, address) = address(&port.address);
        let (first, others) =
            port.pids.split_first().map_or((String::new(), 0), |(pid, rest)| (holder(pid), rest.len()));
        let holders = if others == 0 { first } else { format!("{first} and {others} more") };
        vec![kind.into(), harmless(&address).into_owned().into(), holders.into()]
    };
    render(&columns, &ports.known.iter().map(row).collect::<Vec<_>>(), room, paint)
}

/// An address as its kind and its text.
pub(crate) fn address(address: &Address) -> (&'static str, String) {
    match address {
        Address::Tcp(address) => ("tcp", address.to_string()),
        Address::Udp(address) => ("udp", address.to_string()),
        Address::Unix(path) => ("unix", OsStr::to_string_lossy(path).into_owned()),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use resume_client::process_tree::Port;

    use super::*;

    pub(crate) fn process(pid: i32, depth: usize, command: &[&str]) -> TreeProcess {
        TreeProcess {
            pid,
            depth,
            instance: Some(0),
            state: b'S',
            cpu_percent: 0.3,
            memory_bytes: 24 << 20,
            name: command.first().copied().unwrap_or("hidden").into(),
            command: command.iter().map(|word| word.as_bytes().to_vec()).collect(),
        }
    }

    #[test]
    fn children_hang_below_their_parents() {
        let processes = [
            process(10, 0, &["npm", "start"]),
            process(11, 1, &["sh", "-c", "node a.js"]),
            process(12, 2, &["node", "a.js"]),
            process(13, 3, &["node", "worker.js"]),
            process(14, 1, &["sleep", "5"]),
            process(20, 0, &[]),
        ];
        assert_eq!(
            tree(&processes, Some(80), Paint::new(false)),
            "\
PID  STATE      CPU  MEMORY  COMMAND
 10  sleeping  0.3%   24.0M  npm start
 11  sleeping  0.3%   24.0M  ├─ sh -c 'node a.js'
 12  sleeping  0.3%   24.0M  │  └─ node a.js
 13  sleeping  0.3%   24.0M  │     └─ node worker.js
 14  sleeping  0.3%   24.0M  └─ sleep 5
 20  sleeping  0.3%   24.0M  [hidden]
"
        );
        let narrow = tree(&processes, Some(30), Paint::new(false));
        assert!(narrow.lines().all(|line| crate::render::text::width(line) <= 30), "{narrow}");
        assert!(narrow.contains("npm start"), "{narrow}");
    }

    #[test]
    fn a_chain_of_any_length_stays_on_the_screen() {
        let processes: Vec<_> = (0..1_000).map(|depth| process(1, depth, &["x"])).collect();
        assert!(branches(&processes).iter().all(|branch| branch.chars().count() <= 3 * MAX_INDENT));
    }

    #[test]
    fn a_port_is_shown_with_who_holds_it() {
        let processes = [process(10, 0, &["node"]), process(11, 1, &["node"])];
        let tcp = Port { address: Address::Tcp("0.0.0.0:3000".parse().unwrap()), pids: vec![10, 11] };
        let v6 = Port { address: Address::Udp("[::1]:53".parse().unwrap()), pids: vec![11] };
        let unix = Port { address: Address::Unix("/run/x\n.sock".into()), pids: vec![99] };
        assert_eq!(
            ports(&Ports { known: vec![tcp, v6, unix], hidden: vec![] }, &processes, None, Paint::new(false)),
            "\
KIND  ADDRESS        PROCESS
tcp   0.0.0.0:3000   10 node and 1 more
udp   [::1]:53       11 node
unix  /run/x\\n.sock  99
"
        );
    }
}

//! A file system of its own at the home of a sandbox, to fill or to forbid.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Stdio;

use crate::programs::{is_root, missing};
use crate::running::Running;
use crate::sandbox::Sandbox;

impl Sandbox {
    /// Puts a file system with these options of mount(8) where the home is, in a name space that only the commands to come
    /// can see, and returns the path that the test itself can see it by.
    ///
    /// `None`, with a word on why, where this machine permits no mounting.
    #[track_caller]
    pub fn mount_home(&mut self, options: &str) -> Option<PathBuf> {
        if missing(&["unshare", "nsenter", "mount"]) {
            return None;
        }
        if !is_root() {
            println!("skipped: only root can mount");
            return None;
        }
        let home = self.home().to_str().expect("the path of a sandbox is text").to_owned();
        fs::create_dir(&home).expect("the sandbox is ours");
        fs::set_permissions(&home, fs::Permissions::from_mode(0o700)).expect("the folder is ours");
        // `cat` waits for the end of its stdin, which comes when the sandbox forgets it.
        let script = format!(
            "mount -t tmpfs -o mode=0700 tmpfs {home} && mount -o remount,{options} {home} && echo mounted && exec cat"
        );
        let mut holder = self.other_command("unshare");
        holder.args(["--mount", "--propagation", "private", "sh", "-c", &script]).stdin(Stdio::piped());
        // It is no process of ours: nobody shall find it as left over.
        holder.env_remove("RESUME_HOME");
        let mut holder = Running::start(holder);
        if holder.line().as_deref() != Some("mounted") {
            println!("skipped: mounting is not permitted here");
            return None;
        }
        let space = format!("--mount=/proc/{}/ns/mnt", holder.pid());
        let folder = format!("--wd={}", self.folder().display());
        let seen = PathBuf::from(format!("/proc/{}/root{home}", holder.pid()));
        self.enter(vec!["nsenter".to_owned(), space, folder], holder, seen.clone());
        Some(seen)
    }
}

//! A temporary folder for services, of which nothing is left: no file, and no process that has its home there.

use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::leftovers;

/// The chore, not meant for people, that a [`Scratch`] starts beside itself.
pub(crate) const JANITOR: &str = "clear-after-end-of-input";

/// The folder, and the process that clears it.
///
/// Services outlive whoever started them, also somebody who was interrupted half-way; hence another process. It reads
/// from a pipe that only we can write to, and clears up when that ends: at [`Drop`], or however else our life ends.
pub(crate) struct Scratch {
    folder: PathBuf,
    janitor: Child,
}

impl Scratch {
    /// Creates a folder of our own, named after `prefix` and our pid, in the temporary folder.
    pub(crate) fn new(prefix: &str) -> Result<Self> {
        let folder = std::env::temp_dir().join(format!("{prefix}{}", std::process::id()));
        // Others may pass through, not look in: tests as root put on another user's shoes.
        fs::DirBuilder::new()
            .mode(0o711)
            .create(&folder)
            .with_context(|| format!("cannot create `{}`", folder.display()))?;
        // By the kernel's link: the file itself may have been built anew since we were started.
        let janitor = Command::new("/proc/self/exe")
            .arg(JANITOR)
            .arg(&folder)
            .stdin(Stdio::piped())
            // Ctrl-C goes to the whole group of the terminal's foreground, and is not meant for it.
            .process_group(0)
            .spawn()
            .context("cannot start the process that clears up")?;
        Ok(Self { folder, janitor })
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Waits until nothing runs here any more, removes the folder, and fails if either does not come true.
    pub(crate) fn clear(self) -> Result<()> {
        leftovers::wait_for_none(&self.folder)?;
        let folder = self.folder.clone();
        drop(self);
        ensure!(!folder.exists(), "`{}` could not be removed", folder.display());
        Ok(())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(self.janitor.stdin.take());
        if let Err(error) = self.janitor.wait() {
            eprintln!("warning: cannot wait for `{}` to be cleared: {error}", self.folder.display());
        }
    }
}

/// Waits for the end of its input, then kills what runs below `folder` and removes it.
pub(crate) fn janitor(folder: &Path) -> Result<()> {
    io::stdin().read_to_end(&mut Vec::new())?;
    leftovers::kill(folder);
    fs::remove_dir_all(folder).with_context(|| format!("cannot remove `{}`", folder.display()))
}

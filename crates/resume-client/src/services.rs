//! The folder that holds a directory for each service.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use resume_core::layout;
use resume_core::name::ServiceName;
use resume_sys::dirs;

/// The open folder `HOME/services`.
#[derive(Debug)]
pub struct Services {
    folder: OwnedFd,
    home: PathBuf,
}

impl Services {
    /// The folder of this home, already opened and found trustworthy.
    pub(crate) fn new(folder: OwnedFd, home: PathBuf) -> Self {
        Self { folder, home }
    }

    /// The home's absolute path.
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// The absolute path of a service's directory, whether it is there or not.
    pub fn directory(&self, name: &ServiceName) -> PathBuf {
        layout::service_dir(&self.home, name)
    }

    /// Opens a service's directory, or returns `None` where there is none. A symbolic link or file at its name is an
    /// error.
    pub fn open(&self, name: &ServiceName) -> io::Result<Option<OwnedFd>> {
        match dirs::open_dir_at(self.folder.as_fd(), name.as_str()) {
            Ok(directory) => Ok(Some(directory)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The names of all directories that may be services, sorted. What is no service name is passed over.
    pub fn names(&self) -> io::Result<Vec<ServiceName>> {
        let entries = dirs::list(self.folder.as_fd())?;
        let names = entries.iter().filter_map(|entry| ServiceName::new(entry.to_str()?).ok());
        let mut names: Vec<_> = names.collect();
        names.sort_unstable();
        Ok(names)
    }
}

impl AsFd for Services {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.folder.as_fd()
    }
}

//! Where a user's services are, and whether that place can be trusted.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use resume_core::layout;
use resume_sys::{account, dirs, errno, privilege};

use crate::services::Services;

/// The mode bits that let somebody else than the owner write.
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// The home of a user's services: a path that need not exist yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    path: PathBuf,
}

/// The places that may name the home, the first that is set wins.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The option `--home`.
    pub option: Option<PathBuf>,
    /// `RESUME_HOME`; an empty one counts as not set.
    pub resume_home: Option<OsString>,
    /// `XDG_STATE_HOME`; an empty or relative one counts as not set, as its specification has it.
    pub xdg_state_home: Option<OsString>,
}

/// Why there is no home to use.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// Nothing names one, and the user has no home directory.
    #[error("the user with the id {uid} has no home directory to keep services in")]
    NoAccount {
        /// The effective user's.
        uid: u32,
    },
    /// The home directory could not be looked up.
    #[error("looking up the home directory of the user with the id {uid}: {}", describe(.source))]
    Account {
        /// The effective user's.
        uid: u32,
        /// What the system said.
        source: io::Error,
    },
    /// A relative path cannot be made absolute.
    #[error("finding `{}` from the current directory: {}", .path.display(), describe(.source))]
    Relative {
        /// The path as it was given.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is a symbolic link, which somebody could turn.
    #[error("the home `{}` is a symbolic link", .path.display())]
    Symlink {
        /// The home.
        path: PathBuf,
    },
    /// It is a file.
    #[error("the home `{}` is no directory", .path.display())]
    NoDirectory {
        /// The home.
        path: PathBuf,
    },
    /// Others could plant files in it.
    #[error("the home `{}` can be written by others (mode {mode:04o})", .path.display())]
    WritableByOthers {
        /// The home.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It is somebody else's.
    #[error("the home `{}` belongs to another user (id {owner})", .path.display())]
    Foreign {
        /// The home.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
    },
    /// We are root, and could not become the user whose it is.
    #[error("becoming the user with the id {owner}, whose the home `{}` is: {}", .path.display(), describe(.source))]
    Become {
        /// The home.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// What the system said.
        source: io::Error,
    },
    /// A directory could not be opened or made.
    #[error("{step} `{}`: {}", .path.display(), describe(.source))]
    Directory {
        /// What was tried, as in `creating the directory`.
        step: &'static str,
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// What the system said, in the grammar of our messages.
pub fn describe(error: &io::Error) -> String {
    error.raw_os_error().map_or_else(|| error.to_string(), errno::describe)
}

impl Sources {
    /// What this process was given.
    pub fn from_environment(option: Option<PathBuf>) -> Self {
        Self {
            option,
            resume_home: std::env::var_os("RESUME_HOME"),
            xdg_state_home: std::env::var_os("XDG_STATE_HOME"),
        }
    }
}

impl Home {
    /// Finds the home's path; nothing is opened or made.
    ///
    /// Without any source it is `~/.local/state/resume`, where `~` is the home directory of the effective user's account
    /// whatever `HOME` says: so `sudo` and `su` never mix up two users' services.
    pub fn locate(sources: Sources) -> Result<Self, HomeError> {
        let set = |value: Option<OsString>| value.filter(|value| !value.is_empty()).map(PathBuf::from);
        if let Some(path) = sources.option.or(set(sources.resume_home)) {
            let path = match std::path::absolute(&path) {
                Ok(path) => path,
                Err(source) => return Err(HomeError::Relative { path, source }),
            };
            // Without a slash behind it, for that would follow a symbolic link.
            return Ok(Self { path: path.components().collect() });
        }
        if let Some(state) = set(sources.xdg_state_home).filter(|path| path.is_absolute()) {
            return Ok(Self { path: state.join("resume") });
        }
        let uid = account::effective_uid();
        let user = account::home_of(uid).map_err(|source| HomeError::Account { uid, source })?;
        let user = user.ok_or(HomeError::NoAccount { uid })?;
        Ok(Self { path: user.join(".local/state/resume") })
    }

    /// Its absolute path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens what is there, or returns `None` where there is no home, and so no service, yet.
    ///
    /// A home that others can write, a symbolic link, and a home of another user are refused; but root becomes that user,
    /// for good.
    pub fn open(&self) -> Result<Option<Services>, HomeError> {
        let Some(home) = self.open_trusted()? else { return Ok(None) };
        match dirs::open_dir_at(home.as_fd(), layout::SERVICES) {
            Ok(services) => Ok(Some(Services::new(services, self.path.clone()))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(directory("opening", &self.path.join(layout::SERVICES), source)),
        }
    }

    /// Opens the home as [`Home::open`] does, and makes what is missing, for its owner alone (mode 0700).
    pub fn create(&self) -> Result<Services, HomeError> {
        if let Some(services) = self.open()? {
            return Ok(services);
        }
        let made = dirs::create_private_dir_all(&self.path);
        drop(made.map_err(|source| directory("creating the directory", &self.path, source))?);
        // Looked at again, for somebody else may have been quicker.
        let Some(home) = self.open_trusted()? else {
            let source = io::ErrorKind::NotFound.into();
            return Err(directory("opening", &self.path, source));
        };
        let services = dirs::create_private_dir(home.as_fd(), layout::SERVICES);
        let path = self.path.join(layout::SERVICES);
        let services = services.map_err(|source| directory("creating the directory", &path, source))?;
        Ok(Services::new(services, self.path.clone()))
    }

    fn open_trusted(&self) -> Result<Option<OwnedFd>, HomeError> {
        let home = match dirs::open_dir(&self.path) {
            Ok(home) => home,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(self.not_opened(source)),
        };
        let ownership = dirs::ownership(home.as_fd()).map_err(|source| directory("looking at", &self.path, source))?;
        let (owner, path) = (ownership.uid, self.path.clone());
        if ownership.mode & WRITABLE_BY_OTHERS != 0 {
            return Err(HomeError::WritableByOthers { path, mode: ownership.mode & 0o7777 });
        }
        let ours = account::effective_uid();
        if owner != ours {
            if ours != 0 {
                return Err(HomeError::Foreign { path, owner });
            }
            privilege::become_user(owner).map_err(|source| HomeError::Become { path, owner, source })?;
        }
        Ok(Some(home))
    }

    /// What was wrong with a path that is there and cannot be opened as a directory.
    fn not_opened(&self, source: io::Error) -> HomeError {
        let path = self.path.clone();
        match std::fs::symlink_metadata(&self.path) {
            Ok(metadata) if metadata.is_symlink() => HomeError::Symlink { path },
            Ok(metadata) if !metadata.is_dir() => HomeError::NoDirectory { path },
            Ok(_) | Err(_) => directory("opening", &self.path, source),
        }
    }
}

fn directory(step: &'static str, path: &Path, source: io::Error) -> HomeError {
    HomeError::Directory { step, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn at(path: &Path) -> Home {
        Home::locate(Sources { option: Some(path.to_owned()), ..Sources::default() }).unwrap()
    }

    #[test]
    fn the_option_comes_before_the_variables_and_those_before_the_account() {
        let mut sources = Sources {
            option: Some("/option/".into()),
            resume_home: Some("/variable".into()),
            xdg_state_home: Some("/xdg".into()),
        };
        let mut locate = |take: fn(&mut Sources)| {
            let path = Home::locate(sources.clone()).unwrap().path().to_owned();
            take(&mut sources);
            path
        };
        assert_eq!(locate(|sources| sources.option = None), Path::new("/option"));
        assert_eq!(locate(|sources| sources.resume_home = Some(OsString::new())), Path::new("/variable"));
        assert_eq!(locate(|sources| sources.xdg_state_home = Some("relative".into())), Path::new("/xdg/resume"));
        let of_the_account = locate(|_| ());
        assert!(of_the_account.is_absolute() && of_the_account.ends_with(".local/state/resume"), "{of_the_account:?}");
    }

    #[test]
    fn a_relative_home_is_made_absolute() {
        let home = at(Path::new("some/where"));
        assert_eq!(home.path(), std::env::current_dir().unwrap().join("some/where"));
    }

    #[test]
    fn a_home_is_made_on_first_need_only_and_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let home = at(&folder.path().join("deep/home"));
        assert!(home.open().unwrap().is_none());
        assert!(!home.path().exists());
        drop(home.create().unwrap());
        for path in [home.path().to_owned(), home.path().join("services")] {
            assert_eq!(path.metadata().unwrap().permissions().mode() & 0o7777, 0o700, "{path:?}");
        }
        assert!(home.open().unwrap().is_some());
    }

    #[test]
    fn a_home_that_others_can_write_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        for mode in [0o770, 0o702, 0o1777] {
            std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(mode)).unwrap();
            let error = at(folder.path()).create().unwrap_err();
            assert!(matches!(error, HomeError::WritableByOthers { mode: found, .. } if found == mode), "{error}");
        }
        assert!(!folder.path().join("services").exists());
    }

    #[test]
    fn a_home_that_is_a_symbolic_link_or_a_file_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let (link, file) = (folder.path().join("link"), folder.path().join("file"));
        std::os::unix::fs::symlink(folder.path(), &link).unwrap();
        std::fs::write(&file, "").unwrap();
        assert!(matches!(at(&link).open(), Err(HomeError::Symlink { .. })));
        assert!(matches!(at(&link.join("")).open(), Err(HomeError::Symlink { .. })));
        assert!(matches!(at(&file).open(), Err(HomeError::NoDirectory { .. })));
        let below = at(&file.join("below")).create().unwrap_err();
        assert!(matches!(below, HomeError::Directory { .. }), "{below}");
    }

    #[test]
    fn what_the_system_said_is_lower_case_without_a_number() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        let error = at(&file.join("below")).create().unwrap_err().to_string();
        assert!(error.ends_with("`: not a directory"), "{error}");
    }
}

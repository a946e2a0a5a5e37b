//! Finds the file of settings if none is named.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::Metadata;
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::{CONFIG_VARIABLE, ConfigError, Flags};

/// In the current folder.
const FOLDER_FILE: &str = "highlevel-mcp.toml";

/// In the user's folder of settings.
const USER_FILE: &str = "highlevel-mcp/config.toml";

/// Group and others may write.
const WRITABLE: u32 = 0o022;

/// A file that settings are read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsFile {
    pub path: PathBuf,
    /// Nobody named it: it is in the current folder, and the maker of that folder wrote it.
    pub is_of_folder: bool,
}

/// The places that are searched.
#[derive(Clone, Debug)]
pub struct SettingsPlaces {
    /// `None` if the current folder is not searched.
    folder: Option<PathBuf>,
    /// `None` if the environment has no home.
    pub user: Option<PathBuf>,
}

impl SettingsFile {
    /// The file that flags or environment name; else the first that exists.
    pub(super) fn find(
        flags: &Flags,
        environment: &BTreeMap<OsString, OsString>,
    ) -> Result<Option<Self>, ConfigError> {
        match Self::given(flags, |name| environment.get(OsStr::new(name)).cloned()) {
            Some(file) => Ok(Some(file)),
            None => SettingsPlaces::new(flags, environment).find(),
        }
    }

    /// The file that flags or environment name.
    pub(super) fn given(
        flags: &Flags,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Option<Self> {
        let variable = || variable(CONFIG_VARIABLE).filter(|path| !path.is_empty());
        let path = flags.config.clone().or_else(|| variable().map(Into::into));
        path.map(|path| Self {
            path,
            is_of_folder: false,
        })
    }
}

impl SettingsPlaces {
    pub(super) fn new(flags: &Flags, environment: &BTreeMap<OsString, OsString>) -> Self {
        let folder = std::env::current_dir().ok();
        let folder = folder.filter(|_| !flags.skips_current_folder);
        let absolute = |name: &str| {
            let path = environment.get(OsStr::new(name)).map(PathBuf::from);
            // The XDG Base Directory Specification requires that relative paths are ignored.
            path.filter(|path| path.is_absolute())
        };
        let user = absolute("XDG_CONFIG_HOME");
        let user = user.or_else(|| Some(absolute("HOME")?.join(".config")));
        Self {
            folder: folder.map(|folder| folder.join(FOLDER_FILE)),
            user: user.map(|user| user.join(USER_FILE)),
        }
    }

    /// Every place, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Path> {
        self.folder.iter().chain(&self.user).map(PathBuf::as_path)
    }

    fn find(&self) -> Result<Option<SettingsFile>, ConfigError> {
        for path in self.iter() {
            if is_there(path)? {
                return Ok(Some(SettingsFile {
                    path: path.to_owned(),
                    is_of_folder: Some(path) == self.folder.as_deref(),
                }));
            }
        }
        Ok(None)
    }
}

/// Whether there is a file. It must be one that only this user (or root) can have written. A file of others is refused,
/// not skipped: without its settings, such as rules, a server would allow what it must not.
fn is_there(path: &Path) -> Result<bool, ConfigError> {
    let refused = |what: String| {
        ConfigError::new(format!(
            "{} {what}. It was found in a default place. To use it, name it by --config or {CONFIG_VARIABLE}",
            path.display()
        ))
    };
    // Both the target of a symbolic link and the link's maker decide what is read.
    let link = match std::fs::symlink_metadata(path) {
        Ok(link) => link,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(false);
        }
        Err(error) => return Err(refused(format!("cannot be checked: {error}"))),
    };
    let file = std::fs::metadata(path);
    let file = file.map_err(|error| refused(format!("cannot be checked: {error}")))?;
    let user = rustix::process::geteuid().as_raw();
    match fault(&[&link, &file], user) {
        None => Ok(true),
        Some(what) => Err(refused(what)),
    }
}

/// The reason that a link and its file are refused.
fn fault(parts: &[&Metadata], user: u32) -> Option<String> {
    let stranger = parts.iter().map(|part| part.uid());
    if let Some(owner) = stranger.into_iter().find(|uid| ![user, 0].contains(uid)) {
        return Some(format!("belongs to another user (id {owner})"));
    }
    let file = parts.last()?;
    let mode = file.permissions().mode();
    (mode & WRITABLE != 0).then(|| {
        format!(
            "can be written by others (mode {:o}); `chmod go-w` it",
            mode & 0o777
        )
    })
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::symlink;

    use super::*;

    /// The result of the search with these files, in the user's folder and in the current one.
    fn found(places: &SettingsPlaces) -> Result<Option<SettingsFile>, String> {
        places.find().map_err(|error| error.to_string())
    }

    fn places(root: &Path) -> SettingsPlaces {
        SettingsPlaces {
            folder: Some(root.join(FOLDER_FILE)),
            user: Some(root.join("user.toml")),
        }
    }

    fn write(path: &Path, mode: u32) {
        fs::write(path, "").expect("written");
        fs::set_permissions(path, Permissions::from_mode(mode)).expect("set");
    }

    #[test]
    fn the_current_folder_comes_before_the_users() {
        let root = tempfile::tempdir().expect("a folder");
        let places = places(root.path());
        assert_eq!(found(&places), Ok(None));
        let user = places.user.clone().expect("a place");
        write(&user, 0o600);
        let file = |path: &Path, is_of_folder| {
            let path = path.to_owned();
            Ok(Some(SettingsFile { path, is_of_folder }))
        };
        assert_eq!(found(&places), file(&user, false));
        let folder = places.folder.clone().expect("a place");
        write(&folder, 0o644);
        assert_eq!(found(&places), file(&folder, true));
        let elsewhere = SettingsPlaces {
            folder: None,
            ..places
        };
        assert_eq!(found(&elsewhere), file(&user, false));
    }

    #[test]
    fn a_file_that_others_can_have_written_is_refused() {
        let root = tempfile::tempdir().expect("a folder");
        let places = places(root.path());
        let folder = places.folder.clone().expect("a place");
        for mode in [0o666, 0o664, 0o602] {
            write(&folder, mode);
            let error = found(&places).expect_err("writable");
            assert!(error.contains("can be written by others"), "{error}");
            assert!(error.contains("name it by --config"), "{error}");
        }
        write(&folder, 0o644);
        // A real folder would need two users, so the rule itself is tested.
        let file = fs::metadata(&folder).expect("there");
        let (owner, other) = (file.uid(), file.uid() + 1);
        assert_eq!(fault(&[&file, &file], owner), None);
        let expected = (owner != 0).then(|| format!("belongs to another user (id {owner})"));
        assert_eq!(fault(&[&file, &file], other), expected);
        // A symbolic link of the user's own is as good as its file.
        let real = root.path().join("real.toml");
        fs::rename(&folder, &real).expect("moved");
        symlink(&real, &folder).expect("linked");
        assert!(matches!(found(&places), Ok(Some(_))));
        fs::remove_file(&real).expect("removed");
        let error = found(&places).expect_err("a link to nothing");
        assert!(error.contains("cannot be checked"), "{error}");
    }

    #[test]
    fn places_come_from_the_environment_given() {
        fn check(variables: &[(&str, &str)], expected: Option<&str>) {
            let variables = variables.iter();
            let environment = variables.map(|(name, value)| (name.into(), value.into()));
            let places = SettingsPlaces::new(&Flags::default(), &environment.collect());
            assert_eq!(places.user.as_deref(), expected.map(Path::new));
        }
        check(&[], None);
        check(
            &[("HOME", "/h")],
            Some("/h/.config/highlevel-mcp/config.toml"),
        );
        check(
            &[("HOME", "/h"), ("XDG_CONFIG_HOME", "/x")],
            Some("/x/highlevel-mcp/config.toml"),
        );
        check(
            &[("HOME", "/h"), ("XDG_CONFIG_HOME", "x")],
            Some("/h/.config/highlevel-mcp/config.toml"),
        );
    }
}

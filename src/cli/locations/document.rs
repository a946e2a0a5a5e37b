//! Edits the file of settings: comments stay, and it changes as a whole or not at all.

use std::fs::{DirBuilder, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;
use toml_edit::{DocumentMut, InlineTable, Item, Table, value};

use crate::cli::CliError;
use crate::config::{Config, Flags, SecretSource, read_text};
use crate::upstream::TenantId;

/// A file that this program makes is private to its owner.
const PRIVATE: u32 = 0o600;
const PRIVATE_FOLDER: u32 = 0o700;

/// A file of settings, which may not exist yet.
#[derive(Clone)]
pub(in crate::cli) struct SettingsDocument {
    path: PathBuf,
    document: DocumentMut,
}

/// The contents of a location's section.
pub(in crate::cli) struct NewLocation<'a> {
    pub alias: &'a str,
    pub name: Option<&'a str>,
    pub id: &'a TenantId,
    pub reached_by: ReachedBy<'a>,
}

/// The place of its token.
pub(in crate::cli) enum ReachedBy<'a> {
    Token(&'a SecretSource),
    /// Alias of a company.
    Company(&'a str),
}

impl SettingsDocument {
    /// The file that is named or found; else a new one in the user's folder of settings.
    pub(in crate::cli) fn open(flags: &Flags) -> Result<Self, CliError> {
        let found = Config::file(flags)?.map(|file| file.path);
        let path = found.or_else(|| Config::places(flags).user);
        let path = path.ok_or_else(|| {
            CliError(
                "there is no settings file, and no home directory to create one in. Give --config FILE or set \
                 HIGHLEVEL_MCP_CONFIG"
                    .to_owned(),
            )
        })?;
        let text = match read_text(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            read => read
                .map_err(|error| CliError(format!("{} cannot be read: {error}", path.display())))?,
        };
        let document = text.parse();
        let document = document.map_err(|error: toml_edit::TomlError| {
            let what = error.message().trim().to_owned();
            CliError(format!("{} is not TOML: {what}", path.display()))
        })?;
        Ok(Self { path, document })
    }

    pub(in crate::cli) fn path(&self) -> &Path {
        &self.path
    }

    /// Its folder.
    pub(in crate::cli) fn folder(&self) -> &Path {
        let folder = self.path.parent();
        let folder = folder.filter(|folder| !folder.as_os_str().is_empty());
        folder.unwrap_or(Path::new("."))
    }

    /// The aliases of its locations.
    pub(in crate::cli) fn location_aliases(&mut self) -> Result<Vec<String>, CliError> {
        let locations = self.locations()?;
        Ok(locations
            .iter()
            .map(|(alias, _)| alias.to_owned())
            .collect())
    }

    /// Replaces nothing: the alias must not exist yet.
    pub(in crate::cli) fn add_location(&mut self, new: &NewLocation<'_>) -> Result<(), CliError> {
        let mut location = Table::new();
        if let Some(name) = new.name {
            location["name"] = value(name);
        }
        location["location_id"] = value(new.id.as_str());
        match new.reached_by {
            ReachedBy::Company(company) => location["company"] = value(company),
            ReachedBy::Token(source) => {
                let (key, text) = match source {
                    SecretSource::File(path) => ("file", path.display().to_string()),
                    SecretSource::Env(name) => ("env", name.clone()),
                    SecretSource::Keyring(user) => ("keyring", user.clone()),
                };
                let mut source = InlineTable::new();
                source.insert(key, text.into());
                location["token"] = value(source);
            }
        }
        self.locations()?.insert(new.alias, Item::Table(location));
        Ok(())
    }

    /// Removes a location. Returns whether it existed.
    pub(in crate::cli) fn remove_location(&mut self, alias: &str) -> Result<bool, CliError> {
        Ok(self.locations()?.remove(alias).is_some())
    }

    /// The settings as they would be with this file.
    pub(in crate::cli) fn settings(&self, flags: &Flags) -> Result<Config, CliError> {
        self.write_aside(flags, NamedTempFile::new()?)
            .map(|(config, _)| config)
    }

    /// Writes the file, if it makes valid settings. A new file or folder is private to its owner.
    pub(in crate::cli) fn save(&self, flags: &Flags) -> Result<(), CliError> {
        let place = self.path.display();
        let folder = self.folder();
        make_private_folder(folder)?;
        let unwritable =
            |error: std::io::Error| CliError(format!("{place} cannot be written: {error}"));
        let fresh = NamedTempFile::new_in(folder).map_err(unwritable)?;
        let (_, fresh) = self.write_aside(flags, fresh)?;
        let mode = std::fs::metadata(&self.path).map(|before| before.permissions());
        let mode = mode.unwrap_or_else(|_| Permissions::from_mode(PRIVATE));
        std::fs::set_permissions(fresh.path(), mode).map_err(unwritable)?;
        // A symbolic link stays: its target is replaced.
        let target = link_target(self.path.clone())?;
        fresh
            .persist(target)
            .map_err(|error| unwritable(error.error))?;
        Ok(())
    }

    fn write_aside(
        &self,
        flags: &Flags,
        mut file: NamedTempFile,
    ) -> Result<(Config, NamedTempFile), CliError> {
        file.write_all(self.document.to_string().as_bytes())?;
        file.flush()?;
        let flags = Flags {
            config: Some(file.path().to_owned()),
            ..flags.clone()
        };
        let config = Config::load(&flags).map_err(|error| {
            // The person knows the file by its own name.
            let (fresh, own) = (file.path().display(), self.path.display());
            CliError(
                error
                    .to_string()
                    .replace(&fresh.to_string(), &own.to_string()),
            )
        })?;
        Ok((config, file))
    }

    /// `[locations]`, made if it is missing.
    fn locations(&mut self) -> Result<&mut Table, CliError> {
        let mut fresh = Table::new();
        fresh.set_implicit(true);
        let item = self.document.entry("locations");
        let table = item.or_insert(Item::Table(fresh)).as_table_mut();
        table.ok_or_else(|| {
            let what = "`locations` in the settings file is not a section. Write each location as [locations.ALIAS]";
            CliError(what.to_owned())
        })
    }
}

/// The file itself if `path` is a symbolic link to it. Fails for a link to nothing, which a new file would replace.
pub(in crate::cli) fn link_target(path: PathBuf) -> Result<PathBuf, CliError> {
    match std::fs::canonicalize(&path) {
        Ok(target) => Ok(target),
        Err(error) if path.is_symlink() => Err(CliError(format!(
            "{} is a link to a file that cannot be opened: {error}. Create that file, or remove the link",
            path.display()
        ))),
        Err(_) => Ok(path),
    }
}

/// Makes the folder, private to its owner, if it is missing.
pub(in crate::cli) fn make_private_folder(folder: &Path) -> Result<(), CliError> {
    let mut builder = DirBuilder::new();
    let made = builder.recursive(true).mode(PRIVATE_FOLDER).create(folder);
    made.map_err(|error| CliError(format!("{} cannot be created: {error}", folder.display())))
}

/// Writes a token to a new file, private to its owner, as a whole or not at all. An existing file stays unchanged: it
/// holds the same token, or the call fails.
pub(in crate::cli) fn write_token(path: &Path, token: &str) -> Result<(), CliError> {
    let refused = |what: String| CliError(format!("{} {what}", path.display()));
    match read_text(path) {
        Ok(text) if text.trim() == token => return Ok(()),
        Ok(_) => {
            let what = "exists already with other content. Move it away or give another place";
            return Err(refused(what.to_owned()));
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(refused(format!("cannot be read: {error}"))),
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    let unwritable = |error: std::io::Error| refused(format!("cannot be written: {error}"));
    // A temporary file is private to its owner.
    let mut file = NamedTempFile::new_in(folder).map_err(unwritable)?;
    writeln!(file, "{token}").map_err(unwritable)?;
    let kept = file.persist_noclobber(path);
    kept.map_err(|error| unwritable(error.error))?;
    Ok(())
}

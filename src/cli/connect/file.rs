//! A client's file of servers: its path, and adding an entry without harm to the rest.

use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use toml_edit::{DocumentMut, TomlError};

use super::entries::add_to_toml;
use super::repeated::repeated_member;
use super::{Client, NAME};
use crate::cli::CliError;
use crate::cli::locations::document::link_target;
use crate::config::read_text;

/// Most `.bak` files beside one file. A write that changes nothing makes none.
const MOST_BACKUPS: usize = 100;

/// A file with a secret is its owner's alone.
const PRIVATE: u32 = 0o600;

/// Permissions of others than the owner.
const OPEN: u32 = 0o077;

pub(super) struct ClientFile {
    pub path: PathBuf,
    is_toml: bool,
    /// The secret that the entry contains, if it contains one.
    secret: Option<String>,
}

/// The result for the file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum WriteOutcome {
    /// It already had the entry and was left alone.
    Already,
    New,
    /// The previous content is in this file.
    Backed(PathBuf),
    /// The same, and the entry is in place of another of its name.
    Replaced(PathBuf),
}

impl ClientFile {
    /// The given file, or the one that the client reads.
    pub(super) fn new(client: Client, given: Option<PathBuf>) -> Result<Self, CliError> {
        let Some(usual) = client.file() else {
            return Err(CliError(format!(
                "{} has no configuration file that this command can extend. Run the command without --write and follow \
                 what it prints",
                client.name()
            )));
        };
        let path = given.or(usual.path).ok_or_else(|| {
            CliError("there is no home directory. Name the file: --write=FILE".to_owned())
        })?;
        Ok(Self {
            // A symbolic link stays: its target is written.
            path: link_target(path)?,
            is_toml: client == Client::Codex,
            secret: None,
        })
    }

    /// The same for an entry that may contain `secret`.
    pub(super) fn with_secret(self, secret: Option<&str>, entry: &Value) -> Self {
        let entry = entry.to_string();
        let secret = secret.filter(|secret| entry.contains(secret));
        Self {
            secret: secret.map(str::to_owned),
            ..self
        }
    }

    /// Whether others than its owner can read it, although the entry contains a secret.
    pub(super) fn is_too_open(&self) -> bool {
        let mode = fs::metadata(&self.path).map(|file| file.permissions().mode());
        self.secret.is_some() && mode.is_ok_and(|mode| mode & OPEN != 0)
    }

    /// Adds every member of `entry`: one of the same name is replaced, everything else stays.
    pub(super) fn add(&self, entry: &Value) -> Result<WriteOutcome, CliError> {
        let before = match read_text(&self.path) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(self.refused(&format!("cannot be read: {error}"))),
        };
        let given = before.as_deref().unwrap_or_default();
        let text = match self.is_toml {
            true => in_toml(given, entry),
            false => in_json(given, entry),
        };
        let text = text.map_err(|what| {
            self.refused(&format!(
                "{what}. Run this without --write, and add by hand what it prints"
            ))
        })?;
        let unwritable =
            |error: std::io::Error| self.refused(&format!("cannot be written: {error}"));
        let Some(text) = text else {
            if self.is_too_open() {
                make_private(&self.path).map_err(unwritable)?;
            }
            return Ok(WriteOutcome::Already);
        };
        let replaces = has_entry(given, entry, self.is_toml);
        let backup = self.replace(&text, before.is_some()).map_err(unwritable)?;
        Ok(match backup {
            None => WriteOutcome::New,
            Some(backup) if replaces => WriteOutcome::Replaced(backup),
            Some(backup) => WriteOutcome::Backed(backup),
        })
    }

    /// Writes beside the file and renames, so that an interruption leaves the old file. A new file, and one with a
    /// secret, is private to its owner. Returns the backup of an earlier file.
    fn replace(&self, text: &str, exists: bool) -> std::io::Result<Option<PathBuf>> {
        let folder = match self.path.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        fs::create_dir_all(folder)?;
        let mut beside = tempfile::NamedTempFile::new_in(folder)?;
        beside.write_all(text.as_bytes())?;
        let mut kept = None;
        if exists {
            let backup = self.free_backup()?;
            fs::copy(&self.path, &backup)?;
            match self.secret {
                // The earlier entry may contain a secret too.
                Some(_) => make_private(&backup)?,
                None => {
                    let permissions = fs::metadata(&self.path)?.permissions();
                    fs::set_permissions(beside.path(), permissions)?;
                }
            }
            kept = Some(backup);
        }
        beside.persist(&self.path)?;
        Ok(kept)
    }

    /// `.bak`, or with the first free number: the content before the first change is never lost.
    fn free_backup(&self) -> std::io::Result<PathBuf> {
        let name = |number: usize| {
            let mut name = OsString::from(&self.path);
            name.push(match number {
                0 => ".bak".to_owned(),
                number => format!(".bak.{number}"),
            });
            PathBuf::from(name)
        };
        let mut names = (0..MOST_BACKUPS).map(name);
        let free = names.find(|name| !name.exists() && !name.is_symlink());
        free.ok_or_else(|| {
            std::io::Error::other(format!(
                "it has {MOST_BACKUPS} .bak files already. Remove those that you do not need"
            ))
        })
    }

    fn refused(&self, what: &str) -> CliError {
        CliError(format!("{} {what}", self.path.display()))
    }
}

fn make_private(path: &Path) -> std::io::Result<()> {
    fs::set_permissions(path, Permissions::from_mode(PRIVATE))
}

/// Whether `given` has another entry of our name where `entry` has its own.
fn has_entry(given: &str, entry: &Value, is_toml: bool) -> bool {
    let given: Option<Value> = match is_toml {
        true => toml::from_str(given).ok(),
        false => serde_json::from_str(given).ok(),
    };
    let mut members = entry.as_object().into_iter().flatten();
    given.is_some_and(|given| {
        members.any(|(member, servers)| {
            servers.get(NAME).is_some() && given[member].get(NAME).is_some()
        })
    })
}

/// `given` with the entry; `None` if it already has it.
fn in_json(given: &str, entry: &Value) -> Result<Option<String>, String> {
    let given: Value = match given.trim() {
        "" => Value::Object(Map::new()),
        text => {
            let read = serde_json::from_str(text);
            let read = read.map_err(|error| format!("is not plain JSON ({error})"))?;
            if let Some(name) = repeated_member(text) {
                return Err(format!(
                    "has `{name}` twice in one object, of which one would be lost"
                ));
            }
            read
        }
    };
    let mut whole = given.clone();
    merge(&mut whole, entry).map_err(|what| format!("has {what}"))?;
    Ok((whole != given).then(|| format!("{whole:#}\n")))
}

/// The same for TOML; comments and order stay.
fn in_toml(given: &str, entry: &Value) -> Result<Option<String>, String> {
    let document: DocumentMut = given
        .parse()
        .map_err(|error: TomlError| format!("is not TOML ({})", error.message()))?;
    let mut whole = document.clone();
    if !add_to_toml(&mut whole, entry) {
        return Err("has another value where its servers should be".to_owned());
    }
    let text = whole.to_string();
    let table = |text: &str| text.parse::<toml::Table>().ok();
    Ok((table(&text) != table(given)).then_some(text))
}

/// Merges objects two levels deep (`mcpServers.ghl` is replaced as a whole); in lists, elements with other ids stay.
fn merge(whole: &mut Value, entry: &Value) -> Result<(), String> {
    let Value::Object(whole) = whole else {
        return Err("no object at its root".to_owned());
    };
    for (member, new) in entry.as_object().into_iter().flatten() {
        match (whole.get_mut(member), new) {
            (None, new) => drop(whole.insert(member.clone(), new.clone())),
            (Some(Value::Object(servers)), Value::Object(new)) => servers.extend(new.clone()),
            (Some(Value::Array(present)), Value::Array(new)) => {
                present.retain(|one| new.iter().all(|new| new["id"] != one["id"]));
                present.extend(new.iter().cloned());
            }
            _ => {
                return Err(format!(
                    "a `{member}` of a kind that the client does not accept"
                ));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn json_file(path: &Path) -> ClientFile {
        ClientFile {
            path: path.to_owned(),
            is_toml: false,
            secret: None,
        }
    }

    /// Adds one entry to a file of content `before`, and checks the content after it and the backup.
    #[track_caller]
    fn check(before: Option<&str>, entry: &Value, after: &str) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("new/mcp.json");
        if let Some(before) = before {
            fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            fs::write(&path, before).expect("written");
        }
        let file = json_file(&path);
        match file.add(entry) {
            Err(CliError(what)) => {
                assert!(what.contains(after), "{what}");
                let now = fs::read_to_string(&path).ok();
                assert_eq!(now.as_deref(), before, "a refused file changed");
                assert!(!path.with_extension("json.bak").exists());
            }
            Ok(written) => {
                assert_eq!(fs::read_to_string(&path).expect("read"), after);
                if let WriteOutcome::Backed(backup) | WriteOutcome::Replaced(backup) = written {
                    assert_eq!(fs::read_to_string(backup).ok().as_deref(), before);
                } else {
                    assert!(before.is_none() || written == WriteOutcome::Already);
                }
                assert!(matches!(file.add(entry), Ok(WriteOutcome::Already)));
            }
        }
    }

    #[test]
    fn an_entry_goes_in_and_everything_else_stays() {
        let entry = json!({"servers": {"ghl": 2}});
        let alone = "{\n  \"servers\": {\n    \"ghl\": 2\n  }\n}\n";
        check(None, &entry, alone);
        check(Some("\n"), &entry, alone);
        check(Some(alone), &entry, alone);
        check(
            Some(r#"{"z": 1, "servers": {"other": {"b": 1, "a": 2}, "ghl": {"old": 1}}}"#),
            &entry,
            "{\n  \"z\": 1,\n  \"servers\": {\n    \"other\": {\n      \"b\": 1,\n      \"a\": 2\n    },\n    \"ghl\": 2\n  }\n}\n",
        );
        check(
            Some(r#"{"inputs": [{"id": "x"}, {"id": "t", "old": 1}]}"#),
            &json!({"inputs": [{"id": "t"}]}),
            "{\n  \"inputs\": [\n    {\n      \"id\": \"x\"\n    },\n    {\n      \"id\": \"t\"\n    }\n  ]\n}\n",
        );
    }

    #[test]
    fn a_file_that_is_not_understood_is_left_alone() {
        let entry = json!({"servers": {"ghl": 2}});
        check(Some("// mine\n{}"), &entry, "is not plain JSON");
        check(Some("[]"), &entry, "no object at its root");
        check(Some(r#"{"servers": []}"#), &entry, "a `servers` of a kind");
        let twice = r#"{"servers": {"other": 1}, "servers": {}}"#;
        check(Some(twice), &entry, "`servers` twice in one object");
    }

    #[test]
    fn the_content_before_the_first_change_is_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("mcp.json");
        let file = json_file(&path);
        fs::write(&path, "{\"mine\": 1}").expect("written");
        for (number, name) in ["mcp.json.bak", "mcp.json.bak.1", "mcp.json.bak.2"]
            .into_iter()
            .enumerate()
        {
            let before = fs::read_to_string(&path).expect("read");
            let backup = folder.path().join(name);
            let entry = json!({"servers": {"ghl": number}});
            let expected = match number {
                0 => WriteOutcome::Backed(backup.clone()),
                _ => WriteOutcome::Replaced(backup.clone()),
            };
            assert_eq!(file.add(&entry).expect("written"), expected);
            assert_eq!(fs::read_to_string(backup).expect("read"), before);
        }
        let first = fs::read_to_string(folder.path().join("mcp.json.bak"));
        assert_eq!(first.expect("read"), "{\"mine\": 1}");
    }

    #[test]
    fn a_toml_file_keeps_its_comments() {
        let entry = json!({"mcp_servers": {"ghl": {"url": "u", "http_headers": {"a": "b"}}}});
        let added = "[mcp_servers.ghl]\nurl = \"u\"\nhttp_headers = { a = \"b\" }\n";
        let given = "# mine\nmodel = \"m\"\n\n[mcp_servers.other]\ncommand = \"c\"\n";
        let text = in_toml(given, &entry).expect("TOML").expect("changed");
        assert!(text.starts_with(given) && text.contains(added), "{text}");
        assert_eq!(in_toml(&text, &entry), Ok(None));
        assert_eq!(in_toml("", &entry), Ok(Some(added.to_owned())));
        for (given, part) in [("= 1", "is not TOML"), ("mcp_servers = 1", "another value")] {
            let why = in_toml(given, &entry).expect_err("refused");
            assert!(why.contains(part), "{why}");
        }
    }

    #[test]
    fn permissions_and_links_stay_and_a_new_file_is_private() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("real.json");
        let entry = json!({"servers": {"ghl": 2}});
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
        let file = json_file(&path);
        assert!(matches!(file.add(&entry), Ok(WriteOutcome::New)));
        assert_eq!(mode(&path), 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("set");
        let link = folder.path().join("link.json");
        std::os::unix::fs::symlink(&path, &link).expect("linked");
        let Ok(through) = ClientFile::new(Client::Vscode, Some(link.clone())) else {
            panic!("no file");
        };
        let other = json!({"servers": {"ghl": 3}});
        assert!(matches!(through.add(&other), Ok(WriteOutcome::Replaced(_))));
        assert!(link.is_symlink());
        assert_eq!(mode(&path), 0o640);
        // With a secret the file, and what is kept of it, are the owner's alone.
        let entry = json!({"servers": {"ghl": "hlk_secret"}});
        let file = file.with_secret(Some("hlk_secret"), &entry);
        assert!(file.is_too_open());
        let Ok(WriteOutcome::Replaced(backup)) = file.add(&entry) else {
            panic!("nothing was written");
        };
        assert_eq!((mode(&path), mode(&backup)), (0o600, 0o600));
        fs::set_permissions(&path, Permissions::from_mode(0o644)).expect("set");
        assert!(matches!(file.add(&entry), Ok(WriteOutcome::Already)));
        assert_eq!(mode(&path), 0o600);
        let other = json!({"servers": {"ghl": "${HIGHLEVEL_TOKEN}"}});
        assert!(
            file.with_secret(Some("hlk_secret"), &other)
                .secret
                .is_none()
        );
        // A link to nothing stays too.
        let broken = folder.path().join("broken.json");
        std::os::unix::fs::symlink("gone.json", &broken).expect("linked");
        let refused = ClientFile::new(Client::Vscode, Some(broken.clone())).err();
        let CliError(what) = refused.expect("a link to nothing");
        assert!(
            what.contains("is a link to a file that cannot be opened"),
            "{what}"
        );
        assert!(broken.is_symlink());
    }
}

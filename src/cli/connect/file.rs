//! A client's file of servers: its path, and adding an entry without harm to the rest.

use std::ffi::OsString;
use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use toml_edit::{DocumentMut, TomlError};

use super::Client;
use super::entries::add_to_toml;
use crate::cli::CliError;
use crate::config::read_text;

/// Most `.bak` files beside one file. A write that changes nothing makes none.
const MOST_BACKUPS: usize = 100;

pub(super) struct ClientFile {
    pub path: PathBuf,
    is_toml: bool,
}

/// The result for the file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum WriteOutcome {
    /// It already had the entry and was left alone.
    Already,
    New,
    /// The previous content is in this file.
    Backed(PathBuf),
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
            path: fs::canonicalize(&path).unwrap_or(path),
            is_toml: client == Client::Codex,
        })
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
        let Some(text) = text else {
            return Ok(WriteOutcome::Already);
        };
        self.replace(&text, before.is_some())
            .map_err(|error| self.refused(&format!("cannot be written: {error}")))
    }

    /// Writes beside the file and renames, so that an interruption leaves the old file. A new file is private to its
    /// owner, because it may hold a token.
    fn replace(&self, text: &str, exists: bool) -> std::io::Result<WriteOutcome> {
        let folder = match self.path.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        fs::create_dir_all(folder)?;
        let mut beside = tempfile::NamedTempFile::new_in(folder)?;
        beside.write_all(text.as_bytes())?;
        let mut written = WriteOutcome::New;
        if exists {
            let backup = self.free_backup()?;
            fs::copy(&self.path, &backup)?;
            fs::set_permissions(beside.path(), fs::metadata(&self.path)?.permissions())?;
            written = WriteOutcome::Backed(backup);
        }
        beside.persist(&self.path)?;
        Ok(written)
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

/// `given` with the entry; `None` if it already has it.
fn in_json(given: &str, entry: &Value) -> Result<Option<String>, String> {
    let given: Value = match given.trim() {
        "" => Value::Object(Map::new()),
        text => {
            serde_json::from_str(text).map_err(|error| format!("is not plain JSON ({error})"))?
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

    /// Adds one entry to a file of content `before`, and checks the content after it and the backup.
    #[track_caller]
    fn check(before: Option<&str>, entry: &Value, after: &str) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("new/mcp.json");
        if let Some(before) = before {
            fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            fs::write(&path, before).expect("written");
        }
        let file = ClientFile {
            path: path.clone(),
            is_toml: false,
        };
        match file.add(entry) {
            Err(CliError(what)) => {
                assert!(what.contains(after), "{what}");
                let now = fs::read_to_string(&path).ok();
                assert_eq!(now.as_deref(), before, "a refused file changed");
                assert!(!path.with_extension("json.bak").exists());
            }
            Ok(written) => {
                assert_eq!(fs::read_to_string(&path).expect("read"), after);
                if let WriteOutcome::Backed(backup) = written {
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
    }

    #[test]
    fn the_content_before_the_first_change_is_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("mcp.json");
        let file = ClientFile {
            path: path.clone(),
            is_toml: false,
        };
        fs::write(&path, "{\"mine\": 1}").expect("written");
        for (number, name) in ["mcp.json.bak", "mcp.json.bak.1", "mcp.json.bak.2"]
            .into_iter()
            .enumerate()
        {
            let before = fs::read_to_string(&path).expect("read");
            let backup = folder.path().join(name);
            let entry = json!({"servers": {"ghl": number}});
            let expected = WriteOutcome::Backed(backup.clone());
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

    #[cfg(unix)]
    #[test]
    fn permissions_and_links_stay_and_a_new_file_is_private() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("real.json");
        let entry = json!({"servers": {"ghl": 2}});
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
        let file = ClientFile {
            path: path.clone(),
            is_toml: false,
        };
        assert!(matches!(file.add(&entry), Ok(WriteOutcome::New)));
        assert_eq!(mode(&path), 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("set");
        let link = folder.path().join("link.json");
        std::os::unix::fs::symlink(&path, &link).expect("linked");
        let Ok(through) = ClientFile::new(Client::Vscode, Some(link.clone())) else {
            panic!("no file");
        };
        let other = json!({"servers": {"ghl": 3}});
        assert!(matches!(through.add(&other), Ok(WriteOutcome::Backed(_))));
        assert!(link.is_symlink());
        assert_eq!(mode(&path), 0o640);
    }
}

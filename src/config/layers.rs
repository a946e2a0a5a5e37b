//! Merges the sources of settings in order of precedence, and records the source of each value.

use std::collections::BTreeMap;
use std::fmt;
use std::io::ErrorKind;
use std::path::PathBuf;

use toml::{Table, Value};

use super::discovery::SettingsFile;
use super::environment;
use super::mistakes::{self, KeyLines, Mistake};
use super::server::parse_listen;
use super::{CONFIG_VARIABLE, ConfigError, DEFAULTS, Flags, read_text};

/// The source of a value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SettingOrigin {
    Default,
    File(PathBuf),
    Variable(String),
    Flag(&'static str),
}

/// The settings of all sources together.
pub(super) struct Layers {
    pub table: Table,
    /// By section and key. A missing entry means the default.
    pub origins: BTreeMap<(String, String), SettingOrigin>,
    /// The lines of the file's settings.
    lines: BTreeMap<(String, String), usize>,
    defaults: Table,
    /// What was wrong is not in the table.
    pub mistakes: Vec<String>,
}

impl fmt::Display for SettingOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Variable(name) => f.write_str(name),
            Self::Flag(name) => f.write_str(name),
        }
    }
}

impl Layers {
    /// Fails if the file cannot be read at all.
    pub(super) fn collect(
        flags: &Flags,
        file: Option<&SettingsFile>,
        variables: &[(String, String)],
    ) -> Result<Self, ConfigError> {
        let defaults: Table = DEFAULTS
            .parse()
            .map_err(|error| ConfigError::new(format!("the defaults are broken: {error}")))?;
        let mut layers = Self {
            table: defaults.clone(),
            origins: BTreeMap::new(),
            lines: BTreeMap::new(),
            defaults,
            mistakes: Vec::new(),
        };
        if let Some(file) = file {
            layers.lay_file(file)?;
        }
        for (name, value) in variables {
            layers.lay_variable(name, value);
        }
        layers.lay_flags(flags);
        Ok(layers)
    }

    /// A sentence that begins with a setting's name, after the place of its value.
    pub(super) fn located(&self, fault: &str) -> String {
        let name = fault.split([' ', ':']).next().unwrap_or_default();
        let Some((section, key)) = name.split_once('.') else {
            return fault.to_owned();
        };
        let setting = (section.to_owned(), key.to_owned());
        match (self.origins.get(&setting), self.lines.get(&setting)) {
            (Some(SettingOrigin::File(path)), Some(line)) => {
                format!("{}, line {line}: {fault}", path.display())
            }
            (Some(SettingOrigin::Variable(name)), _) => {
                format!("the environment variable {name} gives a wrong value: {fault}")
            }
            (Some(SettingOrigin::Flag(flag)), _) => format!("{flag}: {fault}"),
            _ => fault.to_owned(),
        }
    }

    /// The keys of a section whose values the file gives.
    pub(super) fn keys_of_file(&self, section: &str) -> Vec<String> {
        let given = self.origins.iter();
        let given = given.filter(|(_, origin)| matches!(origin, SettingOrigin::File(_)));
        let given = given.filter(|((of, _), _)| of == section);
        given.map(|((_, key), _)| key.clone()).collect()
    }

    fn lay_file(&mut self, file: &SettingsFile) -> Result<(), ConfigError> {
        let place = file.path.display();
        let text = read_text(&file.path).map_err(|error| {
            let remedy = match error.kind() {
                // Only a file that somebody named can be missing.
                ErrorKind::NotFound => format!("correct --config or {CONFIG_VARIABLE}"),
                _ => format!(
                    "correct the file or its permissions, or name another by --config or {CONFIG_VARIABLE}"
                ),
            };
            ConfigError::new(format!("{place} cannot be read: {error}; {remedy}"))
        })?;
        let lines = KeyLines::parse(&text)
            .map_err(|what| ConfigError::new(format!("{place} is not TOML: {what}")))?;
        let values: Table = text.parse().map_err(|error: toml::de::Error| {
            ConfigError::new(format!("{place} is not TOML: {}", error.message()))
        })?;
        let wrong = |path: &[&str], what: String| match lines.line_of(path) {
            Some(line) => format!("{place}, line {line}: {what}"),
            None => format!("{place}: {what}"),
        };
        for (section, values) in values {
            if let Some(what) = mistakes::section(&self.defaults, &section, &values) {
                self.mistakes.push(wrong(&[&section], what));
                continue;
            }
            let Value::Table(values) = values else {
                continue;
            };
            for (key, value) in values {
                let found = mistakes::value(&self.defaults, (&section, &key), &value)
                    .or_else(|| self.strange_address(file, (&section, &key), &value));
                let Some(mistake) = found else {
                    if let Some(line) = lines.line_of(&[&section, &key]) {
                        self.lines.insert((section.clone(), key.clone()), line);
                    }
                    self.put(
                        (&section, &key),
                        value,
                        SettingOrigin::File(file.path.clone()),
                    );
                    continue;
                };
                let mut path = vec![section.as_str(), key.as_str()];
                path.extend(mistake.members.iter().map(String::as_str));
                self.mistakes.push(wrong(&path, mistake.what));
            }
        }
        Ok(())
    }

    fn lay_variable(&mut self, name: &str, value: &str) {
        let wrong = |what: String| format!("the environment variable {name} {what}");
        let given = match environment::read(&self.defaults, name, value) {
            Ok(given) => given,
            Err(what) => return self.mistakes.push(wrong(what)),
        };
        for (section, key, value) in given {
            match mistakes::value(&self.defaults, (&section, &key), &value) {
                Some(mistake) => {
                    let form = match value {
                        Value::Array(_) => ". A list of such items is a JSON array in a variable",
                        _ => "",
                    };
                    let what = format!("gives a wrong value: {}{form}", mistake.what);
                    self.mistakes.push(wrong(what));
                }
                None => self.put(
                    (&section, &key),
                    value,
                    SettingOrigin::Variable(name.to_owned()),
                ),
            }
        }
    }

    fn lay_flags(&mut self, flags: &Flags) {
        let text = |value: &Option<String>| value.as_deref().map(Value::from);
        let list = |values: &[String]| {
            let items = values.iter().map(|one| one.as_str().into());
            (!values.is_empty()).then(|| Value::Array(items.collect()))
        };
        let given = [
            ("--listen", "server", "listen", text(&flags.listen)),
            ("--state", "state", "folder", text(&flags.state)),
            // A folder instead of a database.
            (
                "--state",
                "state",
                "url",
                flags.state.as_ref().map(|_| "".into()),
            ),
            ("--tls", "server", "tls", text(&flags.tls)),
            ("--base-url", "upstream", "base_url", text(&flags.base_url)),
            (
                "--allowed-host",
                "server",
                "allowed_hosts",
                list(&flags.allowed_hosts),
            ),
            (
                "--allowed-origin",
                "server",
                "allowed_origins",
                list(&flags.allowed_origins),
            ),
            ("--port", "server", "listen", self.with_port(flags.port)),
        ];
        for (flag, section, key, value) in given {
            let Some(value) = value else {
                continue;
            };
            match mistakes::value(&self.defaults, (section, key), &value) {
                Some(mistake) => self.mistakes.push(format!("{flag}: {}", mistake.what)),
                None => self.put((section, key), value, SettingOrigin::Flag(flag)),
            }
        }
    }

    /// The listen address so far, with this port.
    fn with_port(&self, port: Option<u16>) -> Option<Value> {
        let listen = self.table.get("server")?.get("listen")?;
        let listen = listen
            .as_str()
            .map_or_else(|| listen.to_string(), str::to_owned);
        let mut address = parse_listen(&listen).ok()?;
        address.set_port(port?);
        Some(Value::from(address.to_string()))
    }

    /// Tokens are sent to `upstream.base_url`. A file found in a folder, such as somebody else's repository, must not
    /// send this user's token to an address of its choice.
    fn strange_address(
        &self,
        file: &SettingsFile,
        setting: (&str, &str),
        value: &Value,
    ) -> Option<Mistake> {
        let address = value.as_str()?;
        let usual = self.defaults.get("upstream")?.get("base_url")?.as_str()?;
        let is_usual = address.trim_end_matches('/') == usual || is_local(address);
        if !file.is_of_folder || setting != ("upstream", "base_url") || is_usual {
            return None;
        }
        Some(Mistake {
            members: Vec::new(),
            what: format!(
                "upstream.base_url decides where tokens are sent, and this file was only found in the current folder. \
                 To use it, give --config {}",
                file.path.display()
            ),
        })
    }

    fn put(&mut self, (section, key): (&str, &str), value: Value, origin: SettingOrigin) {
        let present = self.table.entry(section);
        if let Value::Table(present) = present.or_insert_with(|| Value::Table(Table::new())) {
            present.insert(key.to_owned(), value);
            let setting = (section.to_owned(), key.to_owned());
            self.origins.insert(setting, origin);
        }
    }
}

/// Whether the address can only mean this machine.
fn is_local(address: &str) -> bool {
    address.parse::<reqwest::Url>().is_ok_and(|url| {
        let host = url.host_str().unwrap_or_default();
        ["localhost", "127.0.0.1", "[::1]"].contains(&host)
    })
}

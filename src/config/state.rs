//! The settings of the state, its place, and the rules for calls.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer, de};
use toml::Value;

use super::{Config, ConfigError, SecretSource, SecretText, WebhookSettings};
use secrecy::{ExposeSecret, SecretString};

/// The place of access keys, approvals, the audit and everything else that outlives the process.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StateSettings {
    /// Empty: `highlevel-mcp` in the user's folder for state. `none`: no state.
    pub folder: PathBuf,
    /// A PostgreSQL database that several machines share; empty: a file in the folder.
    pub url: SecretText,
    /// How long reads go on with known data while the database cannot be reached.
    pub outage_reads_ms: u64,
    /// How long `serve` waits at its start for a database that does not answer.
    pub start_wait_ms: u64,
    /// Whose state it is; empty: the upstream's.
    pub name: String,
    /// The keys that seal secrets in the store; empty: a key file in the folder.
    pub keys: Vec<SecretSource>,
}

/// The beginnings of a database's address.
const DATABASES: [&str; 2] = ["postgres://", "postgresql://"];

/// The value for no folder.
const NONE: &str = "none";

/// The rules for calls.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicySettings {
    /// Empty: the server has no rules of its own.
    pub file: PathBuf,
    /// The cap on sends if the rules have none; 0: no cap.
    pub sends_per_hour: u32,
    /// A batch of more sends is previewed and confirmed; 0 or "off": size alone requires nothing.
    #[serde(deserialize_with = "number_or_off")]
    pub preview_above: u32,
}

/// The audit of calls that change something.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditSettings {
    pub enabled: bool,
    pub keep_days: u32,
    pub arguments: AuditedArguments,
    /// A file that gets every line, too; empty: none.
    pub file: PathBuf,
}

/// The counting of calls.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UsageSettings {
    /// 0: counts nothing, and removes earlier counts.
    pub keep_days: u32,
}

/// The part of a call's arguments that the audit records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AuditedArguments {
    Hash,
    Full,
}

/// Calls that wait for a person.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApprovalSettings {
    /// The receivers of messages about each.
    pub webhooks: Vec<WebhookSettings>,
    pub expire_minutes: u32,
    /// How long a call waits for a person before it is answered.
    pub wait_ms: u64,
    pub max_pending_per_caller: usize,
}

/// A whole number; "off" is 0.
fn number_or_off<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let number = match Value::deserialize(deserializer)? {
        Value::Integer(number) => u32::try_from(number).ok(),
        Value::String(word) if word == "off" => Some(0),
        _ => None,
    };
    number.ok_or_else(|| de::Error::custom("must be a whole number from 0, or \"off\""))
}

impl Config {
    /// The address of the store's database; `None`: the store is in a folder, as the sandbox's always is.
    pub fn database(&self) -> Result<Option<SecretString>, ConfigError> {
        if self.upstream.simulated {
            return Ok(None);
        }
        let named = |error: ConfigError| ConfigError::new(format!("state.url: {error}"));
        let url = self.state.url.read(self).map_err(named)?;
        let text = url.expose_secret();
        if text.is_empty() {
            return Ok(None);
        }
        match is_database(text) {
            true => Ok(Some(url)),
            false => Err(ConfigError::new(NO_DATABASE.to_owned())),
        }
    }

    /// Fails if a key that seals the store's secrets cannot be read.
    pub fn check_state_keys(&self) -> Result<(), ConfigError> {
        for key in &self.state.keys {
            self.secret(key)
                .map_err(|error| ConfigError::new(format!("state.keys: {error}")))?;
        }
        Ok(())
    }

    /// Whether anything outlives the process.
    pub fn keeps_state(&self) -> Result<bool, ConfigError> {
        Ok(self.database()?.is_some() || self.state.folder()?.is_some())
    }
}

/// It repeats nothing: the text may contain a password.
const NO_DATABASE: &str = "state.url is not an address of a PostgreSQL database. Give one such as \
                           postgres://USER:PASSWORD@HOST:5432/DATABASE?sslmode=verify-full";

fn is_database(text: &str) -> bool {
    DATABASES.iter().any(|begin| text.starts_with(begin)) && text.parse::<reqwest::Url>().is_ok()
}

impl AuditSettings {
    /// The reason that no line gets into `audit.file`, if there is one.
    pub fn file_fault(&self) -> Option<String> {
        let file = self.file.as_path();
        if file.as_os_str().is_empty() {
            return None;
        }
        let folder = file
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        let why = match (file.is_dir(), folder.is_dir()) {
            (true, _) => "is a folder. Give a file in it",
            (_, false) => {
                "is in a folder that does not exist. Create the folder, or give another file"
            }
            _ => return None,
        };
        Some(format!("audit.file {} {why}", file.display()))
    }
}

impl StateSettings {
    /// The same for an address in the settings themselves. Sentences begin with the setting's name.
    pub(super) fn faults(&self) -> Vec<String> {
        let text = self.url.text().map(str::trim).unwrap_or_default();
        match text.is_empty() || is_database(text) {
            true => Vec::new(),
            false => vec![NO_DATABASE.to_owned()],
        }
    }

    /// Makes the settings name no place.
    pub fn keep_nothing(&mut self) {
        self.folder = NONE.into();
        self.url = SecretText::default();
    }

    /// `None`: nothing outlives the process.
    pub fn folder(&self) -> Result<Option<PathBuf>, ConfigError> {
        if self.folder.as_os_str() == NONE {
            return Ok(None);
        }
        if !self.folder.as_os_str().is_empty() {
            return Ok(Some(self.folder.clone()));
        }
        let home = dirs::state_dir().or_else(dirs::data_local_dir);
        home.map(|home| Some(home.join("highlevel-mcp")))
            .ok_or_else(|| {
                ConfigError::new(
                    "there is no folder for state. Give --state FOLDER, or set HOME. With --state none nothing is \
                     stored, and calls that change something are refused"
                        .to_owned(),
                )
            })
    }
}

//! The server's state on disk, its place, and the rules for calls.

use std::path::PathBuf;

use serde::{Deserialize, Deserializer, de};

use super::{Config, ConfigError, SecretSource, SecretText, WebhookSettings};
use secrecy::{ExposeSecret, SecretString};

/// Where access keys, approvals, the audit and all else that outlives the process is.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StateSettings {
    /// Empty: `highlevel-mcp` in the user's folder for state. `none`: nowhere.
    pub folder: PathBuf,
    /// A database of PostgreSQL that several machines share; empty: a file in the folder.
    pub url: SecretText,
    /// How long reads go on by what is known where the database cannot be reached.
    pub outage_reads_ms: u64,
    /// How long `serve` waits at its start for a database that does not answer.
    pub start_wait_ms: u64,
    /// Whose state it is; empty: the upstream's.
    pub name: String,
    /// What seals secrets in the store; empty: a key file in the folder.
    pub keys: Vec<SecretSource>,
}

/// Stands for no folder.
const NONE: &str = "none";

/// What may be called.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicySettings {
    /// Empty: no rules of the server's own.
    pub file: PathBuf,
    /// Where the rules name no cap on sends; 0: none.
    pub sends_per_hour: u32,
    /// A batch of more sends is previewed and confirmed; 0, or "off": none is for its size.
    #[serde(deserialize_with = "number_or_off")]
    pub preview_above: u32,
}

/// What is written down of calls that change something.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditSettings {
    pub enabled: bool,
    pub keep_days: u32,
    pub arguments: AuditedArguments,
    /// A file that gets every line, too; empty: none.
    pub file: PathBuf,
}

/// What is counted of calls.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UsageSettings {
    /// 0: nothing is counted, and what was is removed.
    pub keep_days: u32,
}

/// How much of a call's arguments the audit holds.
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
    /// Who is told of each.
    pub webhooks: Vec<WebhookSettings>,
    pub expire_minutes: u32,
    /// How long a call waits for a person before it is answered.
    pub wait_ms: u64,
    pub max_pending_per_caller: usize,
}

/// A whole number; "off" is 0.
fn number_or_off<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum NumberOrWord {
        Number(u32),
        Text(String),
    }
    match NumberOrWord::deserialize(deserializer)? {
        NumberOrWord::Number(number) => Ok(number),
        NumberOrWord::Text(text) if text == "off" => Ok(0),
        NumberOrWord::Text(text) => Err(de::Error::custom(format!(
            "{text:?} is neither a whole number nor \"off\""
        ))),
    }
}

impl Config {
    /// The address of the database that holds what outlives the process; `None`: it is in a folder, as the sandbox's always is.
    pub fn database(&self) -> Result<Option<SecretString>, ConfigError> {
        if self.upstream.simulated {
            return Ok(None);
        }
        let url = self.state.url.read(self)?;
        Ok(Some(url).filter(|url| !url.expose_secret().is_empty()))
    }

    /// Whether anything outlives the process.
    pub fn keeps_state(&self) -> Result<bool, ConfigError> {
        Ok(self.database()?.is_some() || self.state.folder()?.is_some())
    }
}

impl StateSettings {
    /// As though they named no place.
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
                    "there is no folder for state: give --state FOLDER, or set HOME; with --state none nothing is stored, \
                     and calls that change something are refused"
                        .to_owned(),
                )
            })
    }
}

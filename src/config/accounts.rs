//! The server's own locations and companies, and the places of their secrets.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};
use serde::de::{self, Unexpected};
use serde::{Deserialize, Deserializer};
use toml::Value;

use super::{Config, ConfigError, read_text, trimmed};

/// `[locations.<alias>]`: one sub-account with a credential of the server.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Location {
    /// Name for people; the alias if empty.
    #[serde(default)]
    pub name: String,
    pub location_id: String,
    /// Its token. Absent if a company's token is exchanged for one.
    pub token: Option<SecretSource>,
    /// Alias of the company whose token reaches the location.
    pub company: Option<String>,
    /// IANA name of its time zone, for times without an offset; read from HighLevel if absent.
    pub timezone: Option<String>,
}

/// `[companies.<alias>]`: an agency whose OAuth token is exchanged for those of its locations.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CompanySettings {
    pub company_id: String,
    pub client_id: String,
    pub client_secret: SecretSource,
    /// The answer of `/oauth/token` as JSON. It is rewritten whenever the pair is renewed.
    pub pair_file: PathBuf,
}

/// The place of a secret; never the secret itself.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SecretSource {
    /// The whole text of a file.
    File(PathBuf),
    /// An environment variable.
    Env(String),
    /// An entry of the system's keyring, by its user name; the service is `highlevel-mcp`.
    Keyring(String),
}

/// An address that is a secret: given directly, or by its place.
#[derive(Clone, Debug)]
pub enum SecretText {
    Source(SecretSource),
    Text(SecretString),
}

/// The environment variables that the file names, with their values at the time the settings were read.
#[derive(Clone, Debug, Default)]
pub struct Variables(BTreeMap<String, SecretString>);

/// The service name of our entries in the keyring.
#[cfg(feature = "keyring")]
const SERVICE: &str = "highlevel-mcp";

impl SecretSource {
    /// The secret, or a sentence that says which place does not have it.
    pub fn read(&self, variables: &Variables) -> Result<SecretString, ConfigError> {
        let text = match self {
            Self::File(path) => read_file(path)?,
            Self::Env(name) => {
                let found = variables.0.get(name);
                found.cloned().ok_or_else(|| {
                    ConfigError::new(format!("the environment variable {name} is not set. Set it where the server \
                                              runs"))
                })?
            }
            #[cfg(not(feature = "keyring"))]
            Self::Keyring(user) => return Err(without_keyring(user)),
            #[cfg(feature = "keyring")]
            Self::Keyring(user) => entry(user)?
                .get_password()
                .map(SecretString::from)
                .map_err(|error| {
                    ConfigError::new(format!(
                        "the keyring has no entry {user} of {SERVICE}: {error}; `highlevel-mcp locations add` makes one"
                    ))
                })?,
        };
        let plain = trimmed(text.expose_secret());
        if plain.is_empty() {
            return Err(ConfigError::new(format!("{self} is empty")));
        }
        Ok(SecretString::from(plain))
    }

    /// Writes `secret` to the keyring. The other places are written by their owners.
    pub fn keep(&self, secret: &SecretString) -> Result<(), ConfigError> {
        let Self::Keyring(user) = self else {
            return Err(ConfigError::new(format!("{self} is not a keyring entry")));
        };
        #[cfg(not(feature = "keyring"))]
        let kept = {
            let _ = secret;
            Err(without_keyring(user))
        };
        #[cfg(feature = "keyring")]
        let kept = entry(user)?
            .set_password(secret.expose_secret())
            .map_err(|error| {
                ConfigError::new(format!("the keyring does not accept {user}: {error}"))
            });
        kept
    }
}

impl std::fmt::Display for SecretSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Env(name) => write!(f, "variable {name}"),
            Self::Keyring(user) => write!(f, "keyring {user}"),
        }
    }
}

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(text) => Ok(Self::Text(text.into())),
            value if value.is_table() => {
                let source = SecretSource::deserialize(value);
                source
                    .map(Self::Source)
                    .map_err(|error| de::Error::custom(error.message()))
            }
            other => Err(de::Error::invalid_type(unexpected(&other), &"a string")),
        }
    }
}

/// The kind of a value, without the value.
fn unexpected(value: &Value) -> Unexpected<'static> {
    match value {
        Value::Boolean(_) => Unexpected::Other("boolean"),
        Value::Integer(_) | Value::Float(_) => Unexpected::Other("integer"),
        Value::Array(_) => Unexpected::Seq,
        _ => Unexpected::Other("value"),
    }
}

/// No secret.
impl Default for SecretText {
    fn default() -> Self {
        Self::Text(SecretString::default())
    }
}

impl SecretText {
    /// Fails with a sentence if its place does not have it.
    pub fn read(&self, config: &Config) -> Result<SecretString, ConfigError> {
        match self {
            Self::Source(source) => config.secret(source),
            Self::Text(text) => Ok(text.expose_secret().trim().into()),
        }
    }

    /// The secret, if it is given directly.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Source(_) => None,
            Self::Text(text) => Some(text.expose_secret()),
        }
    }

    /// The place of the secret, unless the secret is given directly.
    pub fn source(&self) -> Option<&SecretSource> {
        match self {
            Self::Source(source) => Some(source),
            Self::Text(_) => None,
        }
    }
}

impl Variables {
    /// The variables of `environment` that any of `sources` names.
    pub fn collect<'a>(
        sources: impl Iterator<Item = &'a SecretSource>,
        environment: &BTreeMap<String, String>,
    ) -> Self {
        let named = sources.filter_map(|source| match source {
            SecretSource::Env(name) => {
                let value = environment.get(name)?;
                Some((name.clone(), SecretString::from(value.as_str())))
            }
            _ => None,
        });
        Self(named.collect())
    }
}

fn read_file(path: &Path) -> Result<SecretString, ConfigError> {
    let read = read_text(path).map(SecretString::from);
    read.map_err(|error| ConfigError::new(format!("{} cannot be read: {error}", path.display())))
}

#[cfg(not(feature = "keyring"))]
fn without_keyring(user: &str) -> ConfigError {
    ConfigError::new(format!(
        "the keyring entry {user} cannot be used: this program is built without the feature `keyring`; keep the secret \
         in a file or a variable, or build with it"
    ))
}

#[cfg(feature = "keyring")]
fn entry(user: &str) -> Result<keyring::Entry, ConfigError> {
    keyring::Entry::new(SERVICE, user).map_err(|error| {
        ConfigError::new(format!(
            "the system's keyring cannot be used: {error}; keep the token in a file instead"
        ))
    })
}

#[cfg(all(test, not(feature = "keyring")))]
mod tests {
    use super::*;

    #[test]
    fn without_the_feature_a_keyring_entry_is_refused_with_a_remedy() {
        let entry = SecretSource::Keyring("acme".to_owned());
        let read = entry.read(&Variables::default()).map(|_| ());
        for refused in [read, entry.keep(&SecretString::from("pit-x"))] {
            let sentence = refused.map_err(|error| error.to_string());
            let sentence = sentence.expect_err("there is no keyring");
            assert!(
                sentence.contains("feature `keyring`; keep the secret in a file"),
                "{sentence}"
            );
        }
    }
}

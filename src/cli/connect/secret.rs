//! The secret that identifies a client: an access key of this server, or a HighLevel token.

use secrecy::{ExposeSecret, SecretString};

/// The beginning of an access key.
const KEY_PREFIX: &str = "hlk_";

/// Placeholders to be filled in by hand.
const UNKNOWN_KEY: &str = "hlk_…";
const UNKNOWN_TOKEN: &str = "pit-…";

#[derive(Clone)]
pub(super) enum ClientSecret {
    /// Given on the command line for this purpose: it may be printed and written.
    Given(SecretString),
    /// `HIGHLEVEL_TOKEN` holds it. It is named if the client reads the environment, and never printed.
    Environment(SecretString),
    Missing,
}

impl ClientSecret {
    pub(super) fn new(given: Option<SecretString>, token: &SecretString) -> Self {
        match given {
            Some(key) => Self::Given(key),
            None if token.expose_secret().is_empty() => Self::Missing,
            None => Self::Environment(token.clone()),
        }
    }

    /// Whether it is an access key. A key names its locations itself.
    pub(super) fn is_key(&self) -> bool {
        self.literal().is_some_and(is_key)
    }

    /// For a client that reads its environment: the secret itself, or a reference by `variable`.
    pub(super) fn named_or(&self, variable: &str) -> String {
        match self {
            Self::Given(secret) => secret.expose_secret().to_owned(),
            Self::Environment(_) | Self::Missing => variable.to_owned(),
        }
    }

    /// For a file of a client that reads no environment.
    pub(super) fn literal(&self) -> Option<&str> {
        match self {
            Self::Given(secret) | Self::Environment(secret) => Some(secret.expose_secret()),
            Self::Missing => None,
        }
    }

    /// The same for display.
    pub(super) fn shown(&self) -> String {
        self.named_or(if self.is_key() {
            UNKNOWN_KEY
        } else {
            UNKNOWN_TOKEN
        })
    }
}

pub(in crate::cli) fn is_key(secret: &str) -> bool {
    secret.starts_with(KEY_PREFIX)
}

/// Parses a value of `--key`.
pub(super) fn access_key(text: &str) -> Result<SecretString, String> {
    let text = text.trim();
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "_-".contains(letter);
    if is_key(text) && text.chars().all(is_plain) {
        return Ok(text.to_owned().into());
    }
    Err("an access key begins with hlk_. `highlevel-mcp keys create` creates one. A HighLevel token belongs in \
         HIGHLEVEL_TOKEN"
        .to_owned())
}

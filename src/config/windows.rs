//! The server at which several instances share their rate limits.

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::{Config, ConfigError, SecretText};

/// `[windows]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WindowSettings {
    /// Address of a Valkey or Redis; empty: each instance takes an equal part of the windows.
    pub url: SecretText,
}

/// The schemes of such addresses. Those that end with `s` use TLS.
const SCHEMES: [&str; 4] = ["redis", "rediss", "valkey", "valkeys"];

impl WindowSettings {
    /// The address; `None` if none is set. Fails with a sentence that does not repeat it, because it may contain a
    /// password.
    pub fn address(&self, config: &Config) -> Result<Option<SecretString>, ConfigError> {
        let text = self.url.read(config)?;
        if text.expose_secret().is_empty() {
            return Ok(None);
        }
        let url = text.expose_secret().parse::<reqwest::Url>();
        let is_usable = url.is_ok_and(|url| {
            SCHEMES.contains(&url.scheme()) && url.has_host() && url.fragment().is_none()
        });
        match is_usable {
            true => Ok(Some(text)),
            false => Err(ConfigError::new(
                "windows.url is not the address of a Valkey or Redis. Give one such as redis://127.0.0.1:6379, or with \
                 a password and TLS rediss://:PASSWORD@HOST:6379"
                    .to_owned(),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Flags;

    #[test]
    fn an_address_is_one_of_a_valkey_and_is_never_repeated() {
        for (url, is_usable) in [
            ("", true),
            ("redis://127.0.0.1:6379", true),
            (" rediss://user:pa55word@valkey.example:6379/1 ", true),
            ("valkeys://:pa55word@[::1]", true),
            ("redis://:pa55word@", false),
            ("http://:pa55word@127.0.0.1", false),
            ("rediss://:pa55word@valkey.example#insecure", false),
            ("127.0.0.1:pa55word", false),
        ] {
            let variables = [("HIGHLEVEL_MCP_WINDOWS_URL".into(), url.into())];
            let config = Config::from_sources(&Flags::default(), variables).expect("settings");
            let address = config.windows.address(&config);
            assert_eq!(address.is_ok(), is_usable, "{url}");
            match address {
                Ok(address) => assert_eq!(address.is_some(), !url.is_empty()),
                Err(error) => assert!(!error.to_string().contains("pa55word"), "{error}"),
            }
            assert!(!format!("{config:?}").contains("pa55word"));
        }
    }
}

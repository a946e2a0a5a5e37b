//! The settings of sign-in: the authorization server, HighLevel's Marketplace, and names shown to people.

use std::path::PathBuf;
use std::time::Duration;

use reqwest::Url;
use serde::{Deserialize, Deserializer, de};

use super::server::is_host;
use super::{Config, SecretSource};

/// The sign-in of clients and people by address alone.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OauthSettings {
    /// The bare origin without a slash at its end; empty: no OAuth.
    pub url: String,
    /// Host for clients that send a credential in a header; empty: loopback only.
    pub header_host: String,
    pub highlevel_tokens: HighLevelTokens,
    pub who: Who,
    pub register: Register,
    /// Whether people may paste tokens.
    pub vault: bool,
    #[serde(deserialize_with = "duration")]
    pub access_for: Duration,
    #[serde(deserialize_with = "duration")]
    pub refresh_idle: Duration,
    #[serde(deserialize_with = "duration")]
    pub refresh_for: Duration,
    #[serde(deserialize_with = "duration")]
    pub refresh_grace: Duration,
    /// Empty: none.
    pub pinned_documents: PathBuf,
}

/// Whether HighLevel's own tokens are accepted as bearer tokens at the sign-in address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HighLevelTokens {
    Accept,
    Refuse,
}

/// Who may connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Who {
    Invited,
    /// Anybody who brings a working token, or signs in at HighLevel.
    Anyone,
}

/// The ways for clients to become known. Each includes those after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Register {
    Open,
    Documents,
    Static,
}

/// The operator's own app of HighLevel's Marketplace.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MarketplaceSettings {
    /// Empty: no app.
    pub client_id: String,
    pub client_secret: Option<SecretSource>,
    pub version_id: String,
    pub white_label: bool,
    /// The page where people choose a location; empty: HighLevel's own page.
    pub url: String,
    /// The scopes that the app requests.
    pub scopes: Vec<String>,
    /// The key of HighLevel's webhook signatures: SubjectPublicKeyInfo in base64.
    pub webhook_key: String,
}

/// Where HighLevel sends people back to who signed in there, at `oauth.url`. It refuses addresses with its own name in
/// them, hence `crm`.
pub const MARKETPLACE_CALLBACK: &str = "/connect/crm/callback";

/// What people are shown.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BrandSettings {
    /// The operator; empty: the host of its address.
    pub name: String,
    pub crm_name: String,
    pub app_url: String,
    pub support: String,
    pub logo: String,
}

/// Shortest and longest lifetime of an access token.
const ACCESS: [Duration; 2] = [
    Duration::from_secs(10 * 60),
    Duration::from_secs(7 * 86_400),
];

impl OauthSettings {
    pub fn is_on(&self) -> bool {
        !self.url.is_empty()
    }

    /// Host of `url`, with its port if it has one.
    pub fn host(&self) -> &str {
        self.url.split_once("://").map_or("", |(_, host)| host)
    }

    /// Values that clients cannot use. Each sentence begins with the setting's name.
    pub(super) fn faults(&self) -> Vec<String> {
        if !self.is_on() {
            return Vec::new();
        }
        let mut faults: Vec<String> = self.url_fault().into_iter().collect();
        if !self.header_host.is_empty() && !is_host(&self.header_host) {
            faults.push(format!(
                "oauth.header_host {:?} is not a host. Give only its name, such as \"keys.example.com\"",
                self.header_host
            ));
        }
        if !self.header_host.is_empty() && self.header_host.eq_ignore_ascii_case(self.host()) {
            faults.push(format!(
                "oauth.header_host {:?} is the host of oauth.url. Give another host, because clients that can sign in \
                 ignore the header",
                self.header_host
            ));
        }
        if !(ACCESS[0]..=ACCESS[1]).contains(&self.access_for) {
            faults.push("oauth.access_for must be from 10m to 7d".to_owned());
        }
        if self.refresh_idle.is_zero() {
            faults.push("oauth.refresh_idle must be longer than 0".to_owned());
        }
        if self.refresh_for.is_zero() {
            faults.push("oauth.refresh_for must be longer than 0".to_owned());
        }
        faults
    }

    fn url_fault(&self) -> Option<String> {
        let (given, example) = (&self.url, "such as \"https://mcp.example.com\"");
        let Ok(url) = given.parse::<Url>() else {
            return Some(format!(
                "oauth.url {given:?} is not an address. Give scheme and host, {example}"
            ));
        };
        // Clients compare the metadata character by character.
        let origin = url.origin().ascii_serialization();
        let is_bare =
            url.path() == "/" && !given.ends_with('/') && !given.contains(['?', '#', '@']);
        if origin != *given && is_bare && url.has_host() {
            return Some(format!(
                "oauth.url {given:?} must be written as clients compare it: {origin:?}"
            ));
        }
        if origin != *given {
            return Some(format!(
                "oauth.url {given:?} has more than scheme and host. Give only these, {example}"
            ));
        }
        if !given.starts_with("https://") && !is_loopback(self.host()) {
            return Some(format!(
                "oauth.url {given:?} must begin with https://, because tokens are sent there. Only a loopback address \
                 may have http"
            ));
        }
        None
    }
}

impl Config {
    /// Warnings about settings of sign-in that work but are rarely intended.
    pub fn sign_in_warnings(&self) -> Vec<String> {
        let oauth = &self.oauth;
        let mut warnings = Vec::new();
        if !oauth.is_on() {
            return warnings;
        }
        if oauth.header_host.is_empty() && !is_loopback(oauth.host()) {
            warnings.push(format!(
                "oauth.header_host is empty. Clients that send a token or an access key in a header can reach this \
                 server only from this computer, because {} is for signing in. Name a second host that leads to this \
                 server",
                oauth.url
            ));
        }
        let refused = ["highlevel", "ghl"];
        if self.marketplace.is_on() && refused.iter().any(|word| oauth.url.contains(word)) {
            warnings.push(format!(
                "oauth.url {} contains \"highlevel\" or \"ghl\": HighLevel's Marketplace accepts no redirect address \
                 with these words",
                oauth.url
            ));
        }
        warnings
    }
}

impl MarketplaceSettings {
    pub fn is_on(&self) -> bool {
        !self.client_id.is_empty()
    }

    /// Values that make every sign-in impossible. Each sentence begins with the setting's name.
    pub(super) fn faults(&self) -> Vec<String> {
        if self.is_on() && !self.url.is_empty() && self.url.parse::<Url>().is_err() {
            return vec![format!(
                "marketplace.url {:?} is not an address; leave it empty for HighLevel's own page",
                self.url
            )];
        }
        Vec::new()
    }
}

/// Whether the host, with or without a port, can only mean this computer.
fn is_loopback(host: &str) -> bool {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    [host, name]
        .iter()
        .any(|one| matches!(*one, "localhost" | "127.0.0.1" | "[::1]"))
}

/// Parses a number with `s`, `m`, `h` or `d`.
pub(crate) fn parse_duration(text: &str) -> Option<Duration> {
    let split = text.len().checked_sub(1)?;
    let (number, unit) = (text.get(..split)?, text.get(split..)?);
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return None,
    };
    // More than ten years is a typo, and would not fit into a time.
    let seconds = number.parse::<u64>().ok()?.checked_mul(seconds)?;
    (seconds <= 3660 * 86_400).then(|| Duration::from_secs(seconds))
}

fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse_duration(&text).ok_or_else(|| {
        de::Error::custom(format!(
            "{text:?} is not a length of time. Give a whole number and s, m, h or d, such as \"24h\""
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Flags;

    fn config(settings: &[(&str, &str)]) -> Result<Config, crate::config::ConfigError> {
        let variables = settings.iter().map(|(name, value)| {
            let name = format!("HIGHLEVEL_MCP_{name}");
            (name.into(), (*value).into())
        });
        Config::from_sources(&Flags::default(), variables)
    }

    #[test]
    fn wrong_addresses_are_refused_with_the_right_form() {
        for (url, header_host, part) in [
            ("https://mcp.example.com", "", None),
            ("https://mcp.example.com", "keys.example.com", None),
            ("https://mcp.example.com", "mcp.example.com:8443", None),
            ("http://localhost:8100", "[::1]:8100", None),
            // Without a sign-in address it has no effect.
            ("", "https://x", None),
            (
                "https://mcp.example.com/",
                "",
                Some("more than scheme and host"),
            ),
            (
                "https://mcp.example.com/mcp",
                "",
                Some("more than scheme and host"),
            ),
            ("mcp.example.com", "", Some("is not an address")),
            ("ü", "", Some("is not an address")),
            (
                "https://MCP.example.com",
                "",
                Some("must be written as clients compare it: \"https://mcp.example.com\""),
            ),
            (
                "http://mcp.example.com",
                "",
                Some("must begin with https://"),
            ),
            (
                "http://localhost.evil.com",
                "",
                Some("must begin with https://"),
            ),
            (
                "https://mcp.example.com",
                "https://keys.example.com",
                Some("is not a host"),
            ),
            (
                "https://mcp.example.com",
                "keys.example.com/mcp",
                Some("is not a host"),
            ),
            (
                "https://mcp.example.com",
                "me@keys.example.com",
                Some("is not a host"),
            ),
            (
                "https://mcp.example.com",
                "MCP.example.com",
                Some("is the host of oauth.url"),
            ),
        ] {
            let made = config(&[("OAUTH_URL", url), ("OAUTH_HEADER_HOST", header_host)]);
            let problem = made.err().map(|error| error.to_string());
            match part {
                None => assert_eq!(problem, None, "{url} {header_host}"),
                Some(part) => {
                    let problem = problem.expect(part);
                    assert!(problem.contains(part), "{url} {header_host}: {problem}");
                }
            }
        }
    }

    #[test]
    fn unlikely_settings_give_a_warning() {
        for (url, header_host, app, parts) in [
            ("", "", "a-b", &[][..]),
            ("http://localhost:8100", "", "", &[]),
            ("https://mcp.example.com", "keys.example.com", "a-b", &[]),
            (
                "https://mcp.example.com",
                "",
                "",
                &["oauth.header_host is empty"],
            ),
            (
                "https://mcp.ghl.example.com",
                "",
                "a-b",
                &["oauth.header_host is empty", "accepts no redirect address"],
            ),
        ] {
            let settings = [
                ("OAUTH_URL", url),
                ("OAUTH_HEADER_HOST", header_host),
                ("MARKETPLACE_CLIENT_ID", app),
            ];
            let config = config(&settings).expect("settings");
            let warnings = config.sign_in_warnings();
            assert_eq!(warnings.len(), parts.len(), "{url}: {warnings:?}");
            for (warning, part) in warnings.iter().zip(parts) {
                assert!(warning.contains(part), "{warning}");
            }
        }
    }

    #[test]
    fn lengths_of_time_are_a_number_and_a_unit() {
        for (text, seconds) in [
            ("0s", Some(0)),
            ("10m", Some(600)),
            ("24h", Some(86_400)),
            ("90d", Some(7_776_000)),
        ] {
            assert_eq!(
                parse_duration(text).map(|one| one.as_secs()),
                seconds,
                "{text}"
            );
        }
        for text in [
            "",
            "h",
            "24",
            "1.5h",
            "-1h",
            "24 h",
            "1w",
            "99999999999d",
            "é",
        ] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }
}

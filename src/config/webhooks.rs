//! Who is told by a message that a call waits for a person.

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::{Config, ConfigError, SecretSource};

/// `[[approvals.webhooks]]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookSettings {
    pub url: WebhookUrl,
    #[serde(default)]
    pub shape: WebhookShape,
    /// By which messages of the plain shape are signed; none: they are not.
    pub secret: Option<SecretSource>,
}

/// Slack's and Teams' addresses let anybody post who knows them: they are secrets.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum WebhookUrl {
    Source(SecretSource),
    Text(SecretString),
}

/// How a message is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WebhookShape {
    /// JSON for a program of the operator's own.
    #[default]
    Plain,
    /// Blocks for an incoming webhook of Slack.
    Slack,
    /// An Adaptive Card for an incoming webhook of Workflows in Microsoft Teams.
    Teams,
}

impl WebhookSettings {
    /// Where its secrets stand.
    pub(super) fn sources(&self) -> impl Iterator<Item = &SecretSource> {
        let url = match &self.url {
            WebhookUrl::Source(source) => Some(source),
            WebhookUrl::Text(_) => None,
        };
        url.into_iter().chain(&self.secret)
    }
}

impl WebhookUrl {
    /// Fails with a sentence where the place that it names does not hold it.
    pub fn read(&self, config: &Config) -> Result<SecretString, ConfigError> {
        match self {
            Self::Source(source) => config.secret(source),
            Self::Text(text) => Ok(text.expose_secret().trim().into()),
        }
    }
}

impl WebhookShape {
    /// As it stands in the settings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Slack => "slack",
            Self::Teams => "teams",
        }
    }
}

//! Receivers of messages about waiting calls.

use serde::Deserialize;

use super::{SecretSource, SecretText};

/// `[[approvals.webhooks]]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookSettings {
    /// Anybody who knows an address of Slack or Teams can post there, so it is a secret.
    pub url: SecretText,
    #[serde(default)]
    pub shape: WebhookShape,
    /// The key that signs messages of the plain form; absent: they are not signed.
    pub secret: Option<SecretSource>,
}

/// The form of a message.
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
    /// The places of its secrets.
    pub fn sources(&self) -> impl Iterator<Item = &SecretSource> {
        self.url.source().into_iter().chain(&self.secret)
    }
}

impl WebhookShape {
    /// Its name in the settings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Slack => "slack",
            Self::Teams => "teams",
        }
    }
}

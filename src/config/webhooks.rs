//! Receivers of notices about calls that wait for a person.

use serde::Deserialize;

use super::{SecretSource, SecretText};

/// `[[approvals.webhooks]]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookSettings {
    /// Slack's and Teams' addresses let anybody post who knows them: they are secrets.
    pub url: SecretText,
    #[serde(default)]
    pub shape: WebhookShape,
    /// By which messages of the plain shape are signed; none: they are not.
    pub secret: Option<SecretSource>,
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
        self.url.source().into_iter().chain(&self.secret)
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

//! Tells a URL of the operator's of each call that waits for a person.

use std::time::Duration;

use serde_json::json;

use crate::store::approvals::Approval;

/// The URL may be slow; nobody waits for it.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where to tell it.
pub struct Webhook {
    url: reqwest::Url,
    http: reqwest::Client,
}

impl Webhook {
    /// Fails where `url` is no http(s) URL.
    pub fn new(url: &str, http: reqwest::Client) -> Result<Self, String> {
        let parsed = reqwest::Url::parse(url).ok();
        let parsed =
            parsed.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        match parsed {
            Some(url) => Ok(Self { url, http }),
            None => Err(format!("approvals.webhook {url:?} is no http or https URL")),
        }
    }

    /// Returns at once; a failure stands in the log.
    pub fn tell(&self, approval: &Approval) {
        let told = json!({
            "handle": approval.handle,
            "tool": approval.tool,
            "effect": approval.effect,
            "location": approval.location,
            "alias": approval.alias,
            "who": approval.who,
            "request": approval.preview,
            "expires": approval.expires,
        });
        let request = self
            .http
            .post(self.url.clone())
            .timeout(PATIENCE)
            .json(&told);
        let handle = approval.handle.clone();
        tokio::spawn(async move {
            let sent = request
                .send()
                .await
                .and_then(reqwest::Response::error_for_status);
            if let Err(error) = sent {
                // The URL may carry a secret of its own.
                let error = error.without_url();
                tracing::warn!(%error, handle, "the webhook was not told of an approval");
            }
        });
    }
}

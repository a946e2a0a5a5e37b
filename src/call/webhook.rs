//! Tells a URL of the operator's of calls that wait for a person: a message a second at most.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};

use state::approvals::Approval;

/// The URL may be slow; nobody waits for it.
const PATIENCE: Duration = Duration::from_secs(10);

/// Between two messages.
const INTERVAL: Duration = Duration::from_secs(1);

/// Most approvals that a message names; of more it tells the number.
const MOST_NAMED: usize = 20;

/// Where to tell it, and what is not told yet.
pub struct Webhook {
    url: reqwest::Url,
    http: reqwest::Client,
    backlog: Arc<Mutex<WebhookBacklog>>,
}

/// What came since the last message.
#[derive(Default)]
struct WebhookBacklog {
    /// The oldest, with its request.
    first: Option<Value>,
    others: Vec<Value>,
    /// What is beyond `MOST_NAMED`.
    unnamed: usize,
    /// Somebody is sending.
    is_busy: bool,
}

impl Webhook {
    /// Fails where `url` is no http(s) URL.
    pub fn new(url: &str, http: reqwest::Client) -> Result<Self, String> {
        let parsed = reqwest::Url::parse(url).ok();
        let parsed =
            parsed.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        match parsed {
            Some(url) => Ok(Self {
                url,
                http,
                backlog: Arc::default(),
            }),
            None => Err(format!("approvals.webhook {url:?} is no http or https URL")),
        }
    }

    /// Returns at once; a failure stands in the log.
    pub fn tell(&self, approval: &Approval) {
        let mut backlog = self.backlog.lock().unwrap_or_else(PoisonError::into_inner);
        backlog.add(approval);
        if std::mem::replace(&mut backlog.is_busy, true) {
            return;
        }
        drop(backlog);
        let (url, http) = (self.url.clone(), self.http.clone());
        tokio::spawn(send_all(url, http, Arc::clone(&self.backlog)));
    }
}

impl WebhookBacklog {
    fn add(&mut self, approval: &Approval) {
        let mut told = json!({
            "handle": approval.handle,
            "tool": approval.tool,
            "effect": approval.effect,
            "location": approval.location,
            "alias": approval.alias,
            "locations": approval.locations,
            "who": approval.who,
            "expires": approval.expires,
        });
        if self.first.is_none() {
            told["request"] = approval.preview.clone();
            self.first = Some(told);
        } else if self.others.len() + 1 < MOST_NAMED {
            self.others.push(told);
        } else {
            self.unnamed += 1;
        }
    }

    /// The next message; `None` where there is nothing to tell, and then nobody is busy any more.
    fn take(&mut self) -> Option<Value> {
        let Some(mut message) = self.first.take() else {
            self.is_busy = false;
            return None;
        };
        let others = std::mem::take(&mut self.others);
        let unnamed = std::mem::take(&mut self.unnamed);
        message["waiting"] = json!(1 + others.len() + unnamed);
        if !others.is_empty() {
            message["others"] = Value::Array(others);
        }
        Some(message)
    }
}

async fn send_all(url: reqwest::Url, http: reqwest::Client, backlog: Arc<Mutex<WebhookBacklog>>) {
    loop {
        let message = backlog
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some(message) = message else {
            return;
        };
        let next = Instant::now() + INTERVAL;
        let request = http.post(url.clone()).timeout(PATIENCE).json(&message);
        let sent = request.send().await;
        if let Err(error) = sent.and_then(reqwest::Response::error_for_status) {
            // The URL may carry a secret of its own.
            let error = error.without_url();
            let (handle, waiting) = (&message["handle"], &message["waiting"]);
            tracing::warn!(%error, %handle, %waiting, "the webhook was not told of approvals");
        }
        sleep_until(next).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use state::approvals::{Approvals, NewApproval};

    async fn approval(approvals: &Approvals, number: usize) -> Approval {
        let new = NewApproval {
            digest: number.to_string(),
            tool: "contacts_delete-contact".to_owned(),
            effect: "destructive".to_owned(),
            location: None,
            alias: None,
            locations: Vec::new(),
            who: number.to_string(),
            preview: json!({"body": "x".repeat(100_000)}),
            holder_decides: false,
            lasts: Duration::from_secs(60),
            request: None,
        };
        approvals.request(new).await.expect("asked").0
    }

    #[tokio::test]
    async fn a_message_names_how_many_wait_and_has_a_bound() {
        let store = state::Store::in_memory().expect("a store");
        let approvals = Approvals::new(&store);
        let first = approval(&approvals, 0).await;
        for (count, named) in [(1, 0), (2, 1), (20, 19), (300, 19)] {
            let mut backlog = WebhookBacklog::default();
            for _ in 0..count {
                backlog.add(&first);
            }
            let message = backlog.take().expect("a message");
            assert_eq!(message["waiting"], count);
            let others = message["others"].as_array().map_or(0, Vec::len);
            assert_eq!(others, named, "{count}");
            let bytes = message.to_string().len();
            assert!(bytes < 100_000, "{bytes}");
            assert_eq!(backlog.take(), None);
        }
    }
}

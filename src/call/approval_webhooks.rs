//! Sends the operator's webhooks a message when calls wait for a person: at most one per second to each, and never
//! while a call waits for it.

mod message;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use reqwest::{Response, StatusCode, Url, redirect};
use ring::hmac;
use secrecy::{ExposeSecret, SecretString};
use tokio::time::{Instant, sleep, sleep_until};

use super::Pipeline;
use crate::config::{Config, WebhookSettings, WebhookShape};
use message::{ApprovalMessage, WaitingCall};
use state::approvals::Approval;

/// A receiver may be slow: it delays only its own next message.
const PATIENCE: Duration = Duration::from_secs(5);

/// The interval between two messages to one receiver.
const INTERVAL: Duration = Duration::from_secs(1);

/// The waits before a message is sent again. After these it is given up.
const AGAIN: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(10)];

/// The longest delay that a receiver may ask for.
const LONGEST_OFF: Duration = Duration::from_secs(30);

/// The most calls that a message names. Of the rest it gives the number.
const MOST_NAMED: usize = 10;

/// The header has the time of signing, and the HMAC-SHA256 of that time, a full stop and the body.
const SIGNATURE: &str = "x-highlevel-mcp-signature";

const USER_AGENT: &str = concat!("highlevel-mcp/", env!("CARGO_PKG_VERSION"));

/// The webhooks of the settings. Cheap to clone.
#[derive(Clone, Default)]
pub struct ApprovalWebhooks {
    all: Arc<[ApprovalWebhook]>,
    /// Address of the console without a slash at its end; `None` if nobody signs in.
    console: Option<Arc<str>>,
}

/// One receiver and its unsent messages.
#[derive(Clone)]
struct ApprovalWebhook {
    receiver: Arc<WebhookReceiver>,
    backlog: Arc<Mutex<WebhookBacklog>>,
}

struct WebhookReceiver {
    /// The position in the settings, from 1.
    number: usize,
    url: Url,
    shape: WebhookShape,
    key: Option<hmac::Key>,
    http: reqwest::Client,
}

/// Calls since the last message.
#[derive(Default)]
struct WebhookBacklog {
    calls: Vec<WaitingCall>,
    /// The number of calls beyond `MOST_NAMED`.
    unnamed: usize,
    /// A task is sending.
    is_busy: bool,
}

/// The result of a sample message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookTest {
    /// The position in the settings, from 1.
    pub number: usize,
    pub shape: &'static str,
    /// The host only: the rest of the address may be a secret.
    pub host: String,
    /// The reason that the sample was not accepted, in one sentence.
    pub problem: Option<String>,
}

impl ApprovalWebhooks {
    /// Fails with a sentence if a webhook of the settings cannot be used.
    pub fn open(config: &Config) -> Result<Self, String> {
        let settings = config.approvals.webhooks.iter().zip(1..);
        let all = settings.map(|(settings, number)| {
            let receiver = WebhookReceiver::new(settings, number, config)?;
            Ok(ApprovalWebhook {
                receiver: Arc::new(receiver),
                backlog: Arc::default(),
            })
        });
        let console = config
            .oauth
            .is_on()
            .then(|| config.oauth.url.as_str().into());
        Ok(Self {
            all: all.collect::<Result<_, String>>()?,
            console,
        })
    }

    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Returns at once. Failures go to the log.
    fn tell(&self, call: &WaitingCall) {
        for webhook in self.all.iter() {
            let mut backlog = webhook.lock();
            backlog.add(call.clone());
            if std::mem::replace(&mut backlog.is_busy, true) {
                continue;
            }
            drop(backlog);
            tokio::spawn(webhook.clone().send_all(self.console.clone()));
        }
    }

    /// Sends one sample to each webhook.
    pub async fn test(&self) -> Vec<WebhookTest> {
        let mut tests = Vec::new();
        for ApprovalWebhook { receiver, .. } in self.all.iter() {
            let message = ApprovalMessage::sample(self.console.as_deref());
            let sent = receiver.post(&message).await;
            tests.push(WebhookTest {
                number: receiver.number,
                shape: receiver.shape.name(),
                host: receiver.host().to_owned(),
                problem: sent.err().map(|failed| failed.what),
            });
        }
        tests
    }
}

impl Pipeline {
    /// Announces a call that has begun to wait. Only the process that recorded the call does this.
    pub(super) async fn announce(&self, approval: &Approval) {
        let controls = self.controls();
        let requester = controls.requester(&approval.who).await;
        let requester = requester.unwrap_or_default();
        let call = WaitingCall::new(approval, &requester);
        controls.webhooks.tell(&call);
    }
}

impl ApprovalWebhook {
    fn lock(&self) -> std::sync::MutexGuard<'_, WebhookBacklog> {
        self.backlog.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn send_all(self, console: Option<Arc<str>>) {
        loop {
            let Some((calls, unnamed)) = self.lock().take() else {
                return;
            };
            let next = Instant::now() + INTERVAL;
            let message = ApprovalMessage::new(calls, unnamed, console.as_deref());
            self.receiver.send(&message).await;
            sleep_until(next).await;
        }
    }
}

impl WebhookBacklog {
    fn add(&mut self, call: WaitingCall) {
        match self.calls.len() < MOST_NAMED {
            true => self.calls.push(call),
            false => self.unnamed += 1,
        }
    }

    /// The next calls to send, and the number of further ones; `None` if there are none, and then no task is busy.
    fn take(&mut self) -> Option<(Vec<WaitingCall>, usize)> {
        if self.calls.is_empty() {
            self.is_busy = false;
            return None;
        }
        Some((
            std::mem::take(&mut self.calls),
            std::mem::take(&mut self.unnamed),
        ))
    }
}

/// The reason that a message was not accepted.
struct WebhookFailure {
    what: String,
    /// A retry may succeed, but not before this.
    again: Option<Duration>,
}

impl WebhookReceiver {
    fn new(settings: &WebhookSettings, number: usize, config: &Config) -> Result<Self, String> {
        let place = format!("approvals.webhooks, number {number}");
        let wrong = |what: &str| format!("{place}: {what}");
        let url = settings.url.read(config);
        let url = url.map_err(|error| wrong(&format!("url: {error}")))?;
        // The error leaves out the address, which may be a secret.
        let url = parse(&url).ok_or_else(|| {
            wrong(
                "url must be an address that begins with https://, or with http:// on this machine",
            )
        })?;
        let key = match &settings.secret {
            Some(_) if settings.shape != WebhookShape::Plain => {
                return Err(wrong("only the plain shape is signed; leave secret out"));
            }
            Some(source) => {
                let secret = config.secret(source);
                let secret = secret.map_err(|error| wrong(&format!("secret: {error}")))?;
                let secret = secret.expose_secret().as_bytes();
                Some(hmac::Key::new(hmac::HMAC_SHA256, secret))
            }
            None => None,
        };
        // An error means that a provider is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .redirect(redirect::Policy::none())
            .timeout(PATIENCE)
            .retry(reqwest::retry::never())
            .build()
            .map_err(|error| wrong(&format!("the HTTP client cannot be made: {error}")))?;
        Ok(Self {
            number,
            url,
            shape: settings.shape,
            key,
            http,
        })
    }

    /// The part of the address that may be shown.
    fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    async fn send(&self, message: &ApprovalMessage) {
        let mut waits = AGAIN.into_iter();
        loop {
            let Err(failed) = self.post(message).await else {
                return;
            };
            let wait = failed
                .again
                .and_then(|least| Some(least.max(waits.next()?)));
            let Some(wait) = wait else {
                let (webhook, host, what) = (self.number, self.host(), failed.what);
                let calls = message.waiting;
                tracing::warn!(
                    webhook,
                    host,
                    calls,
                    what,
                    "a webhook did not get a notice of approvals"
                );
                return;
            };
            sleep(wait).await;
        }
    }

    async fn post(&self, message: &ApprovalMessage) -> Result<(), WebhookFailure> {
        let body = match self.shape {
            WebhookShape::Plain => message.plain_body(),
            WebhookShape::Slack => message.slack_body(),
            WebhookShape::Teams => message.teams_body(),
        };
        let body = body.to_string();
        let json = HeaderValue::from_static("application/json");
        let mut request = self.http.post(self.url.clone()).header(CONTENT_TYPE, json);
        if let Some(key) = &self.key {
            let signature = sign(key, Timestamp::now().as_second(), &body);
            request = request.header(SIGNATURE, signature);
        }
        match request.body(body).send().await {
            Ok(response) => judge(&response),
            Err(error) => Err(WebhookFailure {
                what: format!("it cannot be reached: {}", error.without_url()),
                again: Some(Duration::ZERO),
            }),
        }
    }
}

/// An address that messages may go to.
fn parse(url: &SecretString) -> Option<Url> {
    let url = Url::parse(url.expose_secret()).ok()?;
    let host = url.host_str()?;
    let is_private = match url.scheme() {
        "https" => true,
        "http" => matches!(host, "localhost" | "127.0.0.1" | "[::1]"),
        _ => false,
    };
    is_private.then_some(url)
}

fn judge(response: &Response) -> Result<(), WebhookFailure> {
    let status = response.status();
    if status.is_success() {
        return Ok(());
    }
    let again = (status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS).then(|| {
        let seconds = response.headers().get(RETRY_AFTER);
        let seconds = seconds.and_then(|value| value.to_str().ok()?.parse().ok());
        Duration::from_secs(seconds.unwrap_or_default()).min(LONGEST_OFF)
    });
    let what = match status.is_redirection() {
        true => format!(
            "it answered {status}, and no redirect is followed; give the address that it leads to"
        ),
        false => format!("it answered {status}"),
    };
    Err(WebhookFailure { what, again })
}

/// `t=<seconds since 1970>,v1=<HMAC in hexadecimal>`
fn sign(key: &hmac::Key, seconds: i64, body: &str) -> String {
    let signed = hmac::sign(key, format!("{seconds}.{body}").as_bytes());
    format!("t={seconds},v1={}", state::hex(signed.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_go_by_https_or_stay_on_this_machine() {
        for (url, expected) in [
            ("https://hooks.example.test/x", true),
            ("http://localhost:9/x", true),
            ("http://127.0.0.1:9/x", true),
            ("http://[::1]:9/x", true),
            ("http://hooks.example.test/x", false),
            ("http://127.0.0.1.example.test/x", false),
            ("http://10.0.0.1/x", false),
            ("file:///etc/passwd", false),
            ("hooks.example.test", false),
            ("", false),
        ] {
            assert_eq!(parse(&url.into()).is_some(), expected, "{url}");
        }
    }

    #[test]
    fn waiting_notices_have_a_bound() {
        let call = WaitingCall::sample();
        for (count, named) in [(1, 1), (10, 10), (11, 10), (3_000, 10)] {
            let mut backlog = WebhookBacklog::default();
            for _ in 0..count {
                backlog.add(call.clone());
            }
            let (calls, unnamed) = backlog.take().expect("calls");
            assert_eq!((calls.len(), calls.len() + unnamed), (named, count));
            assert!(backlog.take().is_none());
        }
    }

    /// As a receiver computes it: `printf '1.{}' | openssl dgst -sha256 -hmac secret`.
    #[test]
    fn a_signature_is_the_hmac_of_time_and_body() {
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"secret");
        let signed = sign(&key, 1, "{}");
        assert_eq!(
            signed,
            "t=1,v1=1122767b193110cfec322b6f199b599edbf608ed087f2d27afb0b97d99523908"
        );
    }
}

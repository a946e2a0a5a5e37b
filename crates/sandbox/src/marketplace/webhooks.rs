//! The app's webhooks: their bodies, their signature, and their delivery, which may be double, late or out of order.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA256, digest};
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::APP;
use crate::call::date;

/// The bytes before the 32 of an Ed25519 key in a SubjectPublicKeyInfo (RFC 8410).
const SPKI: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];

/// [I] HighLevel's own time limit is documented nowhere.
const PATIENCE: Duration = Duration::from_secs(10);

const MOST_DELIVERIES: u32 = 100;
const LONGEST_DELAY: f64 = 60.0;

/// An event of the app.
#[derive(Default)]
pub(crate) struct AppEvent {
    /// `INSTALL` or `UNINSTALL`.
    pub kind: String,
    pub company: Option<String>,
    pub location: Option<String>,
    pub user: Option<String>,
    pub company_name: Option<Value>,
}

/// A webhook that a test orders.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct WebhookOrder {
    /// The target; the app's webhook address if absent.
    pub url: Option<String>,
    #[serde(rename = "type")]
    kind: String,
    company_id: Option<String>,
    location_id: Option<String>,
    user_id: Option<String>,
    /// Members to add to the body or to replace in it.
    #[serde(default)]
    more: Map<String, Value>,
    /// Sends the same bytes this many times, one after the other.
    #[serde(default = "once")]
    times: u32,
    /// The age that the event claims.
    #[serde(default)]
    age_seconds: i64,
    /// Wait before it is sent.
    #[serde(default)]
    delay_seconds: f64,
    /// Reverses the members, with spaces between them.
    #[serde(default)]
    reordered: bool,
    #[serde(default)]
    signature: WebhookSignature,
}

/// The kind of signature.
#[derive(Clone, Copy, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum WebhookSignature {
    /// [E] X-GHL-Signature.
    #[default]
    Ed25519,
    /// [E] until September 2026 X-WH-Signature was also sent: RSA, with a key that nobody has here.
    Both,
    Legacy,
    /// Signed with another key.
    Forged,
    None,
}

/// The sandbox's signing key, which depends only on the seed.
pub(crate) struct WebhookKey(Ed25519KeyPair);

/// Sends webhooks. Cheap to clone.
#[derive(Clone)]
pub(crate) struct WebhookSender(reqwest::Client);

fn once() -> u32 {
    1
}

/// The body of an event [M: the members of deliveries in 2026].
pub(crate) fn payload(event: &AppEvent, now: i64) -> Value {
    let mut body = json!({"type": event.kind, "appId": APP, "versionId": APP});
    if event.kind == "INSTALL" {
        let is_location = event.location.is_some();
        body["installType"] = json!(if is_location { "Location" } else { "Company" });
    }
    for (name, value) in [
        ("locationId", &event.location),
        ("companyId", &event.company),
        ("userId", &event.user),
    ] {
        if let Some(value) = value {
            body[name] = json!(value);
        }
    }
    if let Some(name) = &event.company_name {
        body["companyName"] = name.clone();
        body["isWhitelabelCompany"] = json!(false);
        body["whitelabelDetails"] = json!({"logoUrl": "", "domain": ""});
        body["trial"] = json!({});
    }
    body["timestamp"] = json!(date(now));
    body["webhookId"] = json!(id());
    body
}

impl WebhookOrder {
    fn body(&self, now: i64) -> Value {
        let event = AppEvent {
            kind: self.kind.clone(),
            company: self.company_id.clone(),
            location: self.location_id.clone(),
            user: self.user_id.clone(),
            company_name: None,
        };
        let mut body = payload(&event, now - self.age_seconds * 1000);
        if let Value::Object(members) = &mut body {
            members.extend(self.more.clone());
        }
        body
    }

    fn text(&self, body: &Value) -> String {
        if !self.reordered {
            return body.to_string();
        }
        let members = body.as_object().into_iter().flatten().rev();
        let members = members.map(|(name, value)| format!("\"{name}\" : {value}"));
        format!("{{ {} }}", members.collect::<Vec<_>>().join(" , "))
    }
}

impl WebhookKey {
    pub(crate) fn new(seed: u64) -> Option<Self> {
        let seed = digest(&SHA256, format!("sandbox webhooks {seed}").as_bytes());
        let pair = Ed25519KeyPair::from_seed_unchecked(seed.as_ref()).ok()?;
        Some(Self(pair))
    }

    /// In HighLevel's own form: base64 of the SubjectPublicKeyInfo.
    pub(crate) fn public(&self) -> String {
        let key = self.0.public_key();
        STANDARD.encode([&SPKI, key.as_ref()].concat())
    }

    fn sign(&self, body: &str) -> String {
        STANDARD.encode(self.0.sign(body.as_bytes()))
    }
}

impl WebhookSender {
    pub(crate) fn new() -> Result<Self, String> {
        // Fails if the program with the sandbox has installed a provider already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE);
        let client = client.build().map_err(|error| error.to_string())?;
        Ok(Self(client))
    }

    /// Sends events one after the other, in order. [E] failed deliveries are not repeated, except after a 429; that
    /// takes ten minutes, and a test can order one.
    pub(crate) async fn send_all(&self, url: &str, events: Vec<Value>, key: &WebhookKey) {
        for event in events {
            let body = event.to_string();
            let headers = vec![("x-ghl-signature", key.sign(&body))];
            if let Err(error) = self.deliver(url, body, headers).await {
                tracing::warn!(%error, "webhook not delivered");
            }
        }
    }

    /// The sent webhook, and the status of each delivery.
    pub(crate) async fn carry_out(
        &self,
        order: &WebhookOrder,
        url: &str,
        key: &WebhookKey,
        now: i64,
    ) -> Result<Value, String> {
        let body = order.body(now);
        let text = order.text(&body);
        let ours = || ("x-ghl-signature", key.sign(&text));
        // [I] 512 bytes, as for a key of 4,096 bits; nothing verifies them.
        let legacy = || ("x-wh-signature", STANDARD.encode([7; 512]));
        let headers = match order.signature {
            WebhookSignature::Ed25519 => vec![ours()],
            WebhookSignature::Both => vec![ours(), legacy()],
            WebhookSignature::Legacy => vec![legacy()],
            WebhookSignature::None => vec![],
            WebhookSignature::Forged => {
                let other = WebhookKey::new(u64::MAX).ok_or("no second key")?;
                vec![("x-ghl-signature", other.sign(&text))]
            }
        };
        let delay = order.delay_seconds.clamp(0.0, LONGEST_DELAY);
        tokio::time::sleep(Duration::from_secs_f64(delay)).await;
        let mut statuses = Vec::new();
        for _ in 0..order.times.min(MOST_DELIVERIES) {
            statuses.push(self.deliver(url, text.clone(), headers.clone()).await?);
        }
        Ok(json!({"webhookId": body["webhookId"], "body": text, "statuses": statuses}))
    }

    async fn deliver(
        &self,
        url: &str,
        body: String,
        headers: Vec<(&'static str, String)>,
    ) -> Result<u16, String> {
        let mut request = self.0.post(url).header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let reply = request.body(body).send().await;
        let reply = reply.map_err(|error| error.to_string())?;
        Ok(reply.status().as_u16())
    }
}

/// A UUID of the fourth version.
fn id() -> String {
    let bits = fastrand::u128(..);
    let hex = format!("{bits:032x}");
    let (a, rest) = hex.split_at(8);
    let (b, rest) = rest.split_at(4);
    let (c, rest) = rest.split_at(4);
    let (d, e) = rest.split_at(4);
    format!("{a}-{b}-4{}-a{}-{e}", &c[1..], &d[1..])
}

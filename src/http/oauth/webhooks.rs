//! `/webhooks/highlevel`: what HighLevel says of the operator's app, once its signature was checked over the bytes as they came.
//!
//! The older `X-WH-Signature` (RSA) is not taken: HighLevel has not sent it alone since September 2026.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::routing::post;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use ring::signature::{ED25519, UnparsedPublicKey};
use serde::Deserialize;

use super::SignIn;
use super::marketplace::MarketplaceApp;
use crate::upstream::TenantId;
use state::clock::SteadyClock;
use state::vault::{InstallNotice, NoticeOutcome};

const SIGNATURE: HeaderName = HeaderName::from_static("x-ghl-signature");

/// Largest notice, in bytes: HighLevel's have less than one thousand.
const LARGEST: usize = 64 << 10;

/// How far the time of a notice may be from now, either way.
const WINDOW: SignedDuration = SignedDuration::from_mins(5);

/// Longest id of a notice, in bytes.
const LONGEST_ID: usize = 256;

/// How an Ed25519 key begins as SubjectPublicKeyInfo (RFC 8410); its 32 bytes follow.
const SPKI: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];

/// The key by which HighLevel signs.
pub(super) struct HighLevelKey(UnparsedPublicKey<Vec<u8>>);

/// What is read of a notice.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NoticeBody {
    #[serde(rename = "type")]
    kind: String,
    app_id: Option<String>,
    company_id: Option<String>,
    location_id: Option<String>,
    timestamp: Option<Timestamp>,
    webhook_id: Option<String>,
}

pub(super) fn routes() -> Router<Arc<SignIn>> {
    Router::new()
        .route("/webhooks/highlevel", post(hear))
        .layer(DefaultBodyLimit::max(LARGEST))
}

/// 2xx where there is nothing more to do, 401 where it is not HighLevel's, 503 where the store does not answer.
async fn hear(
    State(sign_in): State<Arc<SignIn>>,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, &'static str) {
    let Some(marketplace) = &sign_in.marketplace else {
        return (StatusCode::NOT_FOUND, "no Marketplace app is set up here\n");
    };
    if !marketplace.webhook_key.signs(&headers, &body) {
        tracing::warn!("a webhook was refused: it does not have HighLevel's signature");
        return (
            StatusCode::UNAUTHORIZED,
            "the signature is not HighLevel's\n",
        );
    }
    let Ok(notice) = serde_json::from_slice::<NoticeBody>(&body) else {
        return (StatusCode::BAD_REQUEST, "this is no notice\n");
    };
    if !notice.is_fresh(SteadyClock::now()) {
        tracing::warn!("a webhook was refused: it is too old, or from a clock that is wrong");
        return (StatusCode::UNAUTHORIZED, "this is too old\n");
    }
    let Some(notice) = notice.read(marketplace) else {
        return (StatusCode::OK, "nothing to do\n");
    };
    let names_company = notice.company.is_some();
    let told = notice.location.clone();
    let told = told.map(|location| (location, names_company));
    match sign_in.vault.take_notice(notice).await {
        Ok(NoticeOutcome::Repeated) => (StatusCode::OK, "known\n"),
        Ok(NoticeOutcome::Uninstall(_)) => (StatusCode::OK, "done\n"),
        Ok(NoticeOutcome::Install(companies)) => {
            for company in companies {
                marketplace.sync.start(company, told.clone());
            }
            (StatusCode::OK, "done\n")
        }
        Err(error) => {
            tracing::warn!(%error, "a webhook was not taken");
            (StatusCode::SERVICE_UNAVAILABLE, "try again later\n")
        }
    }
}

impl HighLevelKey {
    /// Of SubjectPublicKeyInfo in base64, with or without the lines of PEM around it.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let lines = text.lines().filter(|line| !line.starts_with("-----"));
        let text: String = lines.collect::<String>().split_whitespace().collect();
        let bytes = STANDARD.decode(text).ok()?;
        let key = bytes.strip_prefix(&SPKI)?;
        (key.len() == 32).then(|| Self(UnparsedPublicKey::new(&ED25519, key.to_vec())))
    }

    /// Whether exactly one signature is there, and is over exactly these bytes.
    fn signs(&self, headers: &HeaderMap, body: &[u8]) -> bool {
        let mut lines = headers.get_all(SIGNATURE).iter();
        let (Some(line), None) = (lines.next(), lines.next()) else {
            return false;
        };
        let signature = STANDARD.decode(line.as_bytes());
        signature.is_ok_and(|signature| self.0.verify(body, &signature).is_ok())
    }
}

impl NoticeBody {
    fn is_fresh(&self, now: Timestamp) -> bool {
        let age = self.timestamp.map(|at| now.duration_since(at).abs());
        age.is_some_and(|age| age <= WINDOW)
    }

    /// What it says of our app; `None` of everything else that HighLevel may send.
    fn read(self, marketplace: &MarketplaceApp) -> Option<InstallNotice> {
        let is_install = match self.kind.as_str() {
            "INSTALL" => true,
            "UNINSTALL" => false,
            _ => return None,
        };
        let is_ours = self.app_id.as_deref() == Some(marketplace.installs.app_id());
        let id = self
            .webhook_id
            .filter(|id| (1..=LONGEST_ID).contains(&id.len()))?;
        let tenant = |id: Option<String>| TenantId::parse(&id?).map(|id| id.as_str().to_owned());
        is_ours.then_some(InstallNotice {
            id,
            client: marketplace.installs.client_id().to_owned(),
            is_install,
            company: tenant(self.company_id),
            location: tenant(self.location_id),
            at: self.timestamp?,
        })
    }
}

#[cfg(test)]
mod tests {
    use ring::signature::{Ed25519KeyPair, KeyPair};

    use super::*;

    fn pair(seed: u8) -> (Ed25519KeyPair, String) {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).expect("a key");
        let spki = [&SPKI[..], pair.public_key().as_ref()].concat();
        (pair, STANDARD.encode(spki))
    }

    #[test]
    fn a_key_is_ed25519_as_highlevel_publishes_it() {
        let (_, text) = pair(1);
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{text}\n-----END PUBLIC KEY-----\n");
        for (text, expected) in [
            (text.as_str(), true),
            (&pem, true),
            (&text[..56], false),
            ("", false),
            ("MIICIjANBgkqhkiG9w0BAQEFAAOCAg8A", false),
            (&STANDARD.encode([0; 32]), false),
        ] {
            assert_eq!(HighLevelKey::parse(text).is_some(), expected, "{text}");
        }
    }

    #[test]
    fn a_signature_is_over_the_bytes_as_they_came() {
        let (pair, text) = pair(1);
        let key = HighLevelKey::parse(&text).expect("a key");
        let (other, _) = super::tests::pair(2);
        let body = br#"{"type":"INSTALL", "a":1.0}"#;
        let signed = |pair: &Ed25519KeyPair| STANDARD.encode(pair.sign(body));
        let headers = |name: &'static str, values: &[String]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(name, value.parse().expect("a value"));
            }
            headers
        };
        let good = headers("x-ghl-signature", &[signed(&pair)]);
        assert!(key.signs(&good, body));
        assert!(!key.signs(&good, br#"{"type":"INSTALL","a":1.0}"#));
        for bad in [
            headers("x-ghl-signature", &[signed(&other)]),
            headers("x-ghl-signature", &[signed(&pair), signed(&pair)]),
            headers("x-ghl-signature", &["".to_owned()]),
            headers("x-wh-signature", &[signed(&pair)]),
            HeaderMap::new(),
        ] {
            assert!(!key.signs(&bad, body), "{bad:?}");
        }
    }

    #[test]
    fn a_notice_is_good_for_five_minutes() {
        let now: Timestamp = "2026-11-29T12:00:00Z".parse().expect("a time");
        for (at, expected) in [
            (Some("2026-11-29T12:00:00.123Z"), true),
            (Some("2026-11-29T11:55:00Z"), true),
            (Some("2026-11-29T11:54:59Z"), false),
            (Some("2026-11-29T12:05:01Z"), false),
            (None, false),
        ] {
            let notice = NoticeBody {
                kind: "INSTALL".to_owned(),
                app_id: None,
                company_id: None,
                location_id: None,
                timestamp: at.map(|at| at.parse().expect("a time")),
                webhook_id: None,
            };
            assert_eq!(notice.is_fresh(now), expected, "{at:?}");
        }
    }
}

//! `/webhooks/highlevel`: HighLevel's notices about the operator's app. The signature is checked over the raw bytes
//! first.
//!
//! The older `X-WH-Signature` (RSA) is not accepted: since September 2026 HighLevel never sends it alone.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::SignIn;
use super::marketplace::app::MarketplaceApp;
use crate::upstream::TenantId;
use state::clock::SteadyClock;
use state::vault::{InstallNotice, NoticeOutcome};

/// Largest notice, in bytes: HighLevel's have less than one thousand.
const LARGEST: usize = 64 << 10;

/// How far the time of a notice may be from now, in either direction.
const WINDOW: SignedDuration = SignedDuration::from_mins(5);

/// Longest id of a notice, in bytes.
const LONGEST_ID: usize = 256;

/// The parts of a notice that are read.
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

/// 2xx if there is nothing more to do, 401 if it is not HighLevel's, 503 if the store does not answer.
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
        return (StatusCode::BAD_REQUEST, "this is not a notice\n");
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

impl NoticeBody {
    fn is_fresh(&self, now: Timestamp) -> bool {
        let age = self.timestamp.map(|at| now.duration_since(at).abs());
        age.is_some_and(|age| age <= WINDOW)
    }

    /// The notice about our app; `None` for everything else that HighLevel may send.
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
    use super::*;

    #[test]
    fn a_notice_is_valid_for_five_minutes() {
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

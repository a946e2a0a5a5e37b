//! The audit as a file of JSON lines, written as it is read.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use tokio::sync::mpsc;

use super::{asked, reader};
use crate::http::console::export_body::ExportBody;
use crate::http::oauth::SignIn;
use crate::http::oauth::visitor::Visitor;
use crate::http::pages::PageKind;
use crate::http::pages::form::FormFields;
use crate::http::pages::notice::PageProblem;
use axum::http::StatusCode;
use state::audit::{AuditQuery, AuditReader, part};
use state::{Store, StoreError};

/// Most calls of one file.
const MOST_EXPORTED: usize = 100_000;

/// Calls that are read at once, and written before the next.
const AT_ONCE: usize = 1_000;

/// The last line of a file that is cut there.
const CUT: &str = "{\"cut\":\"A file has at most 100000 calls. Download older ones with an earlier last day.\"}\n";

pub(in crate::http::console) async fn export(
    State(sign_in): State<Arc<SignIn>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let begun = begin(&sign_in, query.as_deref(), &headers).await;
    sign_in.pages.respond(begun, PageKind::Entry)
}

async fn begin(
    sign_in: &SignIn,
    query: Option<&str>,
    headers: &HeaderMap,
) -> Result<Response, PageProblem> {
    let visitor = Visitor::find(sign_in, headers).await?;
    let session = visitor.signed_in()?;
    let fields = FormFields::parse(query.unwrap_or_default().as_bytes())?;
    let query = asked(sign_in, &fields).map_err(|what| {
        PageProblem::new(StatusCode::BAD_REQUEST, "This search is not possible", what)
            .with_link(super::PATH, "Back to the audit")
    })?;
    let reader = reader(sign_in, &session.person).await?;
    let (sender, receiver) = mpsc::channel(1);
    let store = sign_in.pipeline.controls().store.clone();
    tokio::spawn(async move {
        // Stops reading when nobody takes the file any more.
        if let Err(error) = write(&store, &query, reader.as_ref(), &sender).await {
            tracing::warn!(%error, "an export of the audit broke off");
            drop(sender.send(Err(error)).await);
        }
    });
    let body = Body::new(ExportBody(receiver));
    Ok(sign_in
        .pages
        .file("audit.jsonl", "application/x-ndjson", body))
}

/// Writes the newest call first.
async fn write(
    store: &Store,
    query: &AuditQuery,
    reader: Option<&AuditReader>,
    sender: &mpsc::Sender<Result<Bytes, StoreError>>,
) -> Result<(), StoreError> {
    let mut before = None;
    let mut count = 0;
    loop {
        let found = part(store, query, reader, before, AT_ONCE).await?;
        let mut text = String::new();
        for (_, record) in &found.calls {
            let line = serde_json::to_string(record)
                .map_err(|error| StoreError::from(format!("a call is not JSON: {error}")))?;
            text.push_str(&line);
            text.push('\n');
        }
        count += found.calls.len();
        let is_cut = found.before.is_some() && count >= MOST_EXPORTED;
        if is_cut {
            text.push_str(CUT);
        }
        if !text.is_empty() && sender.send(Ok(text.into())).await.is_err() {
            return Ok(());
        }
        match found.before {
            Some(next) if !is_cut && !sender.is_closed() => before = Some(next),
            _ => return Ok(()),
        }
    }
}

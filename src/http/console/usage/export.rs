//! A month of usage as a file for spreadsheets, written day by day as it is read.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::Response;
use jiff::ToSpan;
use tokio::sync::mpsc;

use super::{asked, reader, report, write_counted};
use crate::call::{UsageReport, usage_csv};
use crate::http::console::export_body::ExportBody;
use crate::http::console::extractors::{PageQuery, SignedIn};
use crate::http::oauth::SignIn;
use crate::http::pages::PageKind;
use crate::http::pages::form::FormFields;
use crate::http::pages::notice::PageProblem;
use axum::http::StatusCode;
use state::sessions::PersonSession;
use state::usage::{UsageGrouping, UsageQuery};
use state::{Store, StoreError};

pub(in crate::http::console) async fn export(
    State(sign_in): State<Arc<SignIn>>,
    SignedIn(session): SignedIn,
    PageQuery(query): PageQuery,
) -> Response {
    let begun = begin(&sign_in, &session, &query).await;
    sign_in.pages.respond(begun, PageKind::Entry)
}

async fn begin(
    sign_in: &SignIn,
    session: &PersonSession,
    fields: &FormFields,
) -> Result<Response, PageProblem> {
    let (month, days, problem) = asked(fields);
    if let Some(problem) = problem {
        let problem = PageProblem::new(StatusCode::BAD_REQUEST, "There is no such month", problem);
        return Err(problem.with_link(super::PATH, "Back to the usage"));
    }
    let by = UsageGrouping {
        day: true,
        principal: true,
        location: true,
        effect: true,
    };
    let query = UsageQuery {
        reader: reader(session),
        ..UsageQuery::sums(days, by)
    };
    write_counted(sign_in).await;
    let report = report(sign_in).await?;
    let (sender, receiver) = mpsc::channel(1);
    let store = sign_in.pipeline.controls().store.clone();
    tokio::spawn(async move {
        // Stops reading when nobody takes the file any more.
        if let Err(error) = write(&store, query, &report, &sender).await {
            tracing::warn!(%error, "an export of usage broke off");
            drop(sender.send(Err(error)).await);
        }
    });
    let name = format!("usage-{month}.csv");
    let body = Body::new(ExportBody(receiver));
    Ok(sign_in.pages.file(&name, "text/csv; charset=utf-8", body))
}

async fn write(
    store: &Store,
    query: UsageQuery,
    report: &UsageReport,
    sender: &mpsc::Sender<Result<Bytes, StoreError>>,
) -> Result<(), StoreError> {
    let mut header = Some("day");
    let (first, last) = query.days;
    for day in first.series(1.day()).take_while(|day| *day <= last) {
        let of_day = UsageQuery {
            days: (day, day),
            ..query.clone()
        };
        let rows = store.usage(&of_day).await?;
        let lines: Vec<_> = rows.iter().map(|row| report.line(row, None)).collect();
        let text = usage_csv(&lines, header.take())
            .map_err(|error| StoreError::from(format!("usage is no CSV: {error}")))?;
        if !text.is_empty() && sender.send(Ok(text.into())).await.is_err() {
            return Ok(());
        }
    }
    Ok(())
}

//! Calls that changed something or were refused: all for operators, their own for others.

mod export;
mod words;

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use super::extractors::{PageQuery, SignedIn};
use super::frame::show;
use super::is_operator;
use crate::http::oauth::SignIn;
use crate::http::oauth::visitor::unavailable;
use crate::http::pages::PageKind;
use crate::http::pages::audit::{AuditPage, AuditedCallPage, MOST_CALLS};
use crate::http::pages::form::FormFields;
use crate::http::pages::moment::Moment;
use crate::http::pages::notice::PageProblem;
pub(super) use export::export;
use state::audit::{AuditQuery, AuditReader, call, part};
use state::people::Person;
use state::sessions::PersonSession;

const PATH: &str = "/console/audit";

pub(super) async fn list(
    State(sign_in): State<Arc<SignIn>>,
    SignedIn(session): SignedIn,
    PageQuery(query): PageQuery,
) -> Response {
    let shown = show_list(&sign_in, &session, &query).await;
    sign_in.pages.respond(shown, PageKind::Entry)
}

async fn show_list(
    sign_in: &SignIn,
    session: &PersonSession,
    fields: &FormFields,
) -> Result<Response, PageProblem> {
    let before = fields.one("before").parse().ok();
    let (found, problem) = match asked(sign_in, fields) {
        Ok(query) => {
            let store = &sign_in.pipeline.controls().store;
            let reader = reader(sign_in, &session.person).await?;
            let found = part(store, &query, reader.as_ref(), before, MOST_CALLS).await;
            (found.map_err(unavailable)?, None)
        }
        Err(problem) => (Default::default(), Some(problem)),
    };
    let names = words::Names::new(sign_in).await?;
    let rows = found.calls.iter();
    let rows: Vec<_> = rows
        .map(|(number, record)| names.row(*number, record))
        .collect();
    let page = AuditPage {
        rows: &rows,
        query: fields,
        before: found.before,
        problem,
    };
    show(sign_in, session, page.page()).await
}

/// The part of the audit that a person may see; `None`: all.
async fn reader(sign_in: &SignIn, person: &Person) -> Result<Option<AuditReader>, PageProblem> {
    if is_operator(person) {
        return Ok(None);
    }
    let connected = sign_in.vault.list().await.map_err(unavailable)?;
    let own = connected.into_iter();
    let own = own.filter(|location| location.owner.as_ref() == Some(&person.id));
    Ok(Some(AuditReader {
        person: person.id.clone(),
        locations: own
            .map(|location| (location.alias, location.created))
            .collect(),
    }))
}

/// The query of a form. Fails with a sentence if a value is invalid.
fn asked(sign_in: &SignIn, fields: &FormFields) -> Result<AuditQuery, &'static str> {
    let given = |name: &'static str| Some(fields.one(name)).filter(|text| !text.is_empty());
    let begins = |name: &'static str| {
        given(name).map(|text| match text.ends_with('*') {
            true => text.to_owned(),
            false => format!("{text}*"),
        })
    };
    let (outcome, state) = match fields.one("outcome") {
        "refused" => (None, Some(state::audit::RecordState::Refused)),
        "failed" => (None, Some(state::audit::RecordState::Done)),
        other => (Some(other.to_owned()).filter(|text| !text.is_empty()), None),
    };
    Ok(AuditQuery {
        tool: begins("tool"),
        location: given("location").map(str::to_owned),
        who: given("who").map(|text| words::holder_id(sign_in, text)),
        client: begins("client"),
        effect: given("effect").map(str::to_owned),
        outcome,
        has_failed: fields.one("outcome") == "failed",
        state,
        since: given("since").map(|text| day(text, 0)).transpose()?,
        until: given("until").map(|text| day(text, 1)).transpose()?,
        last: None,
    })
}

/// The beginning of a day, or of the day that many days later.
fn day(text: &str, later: i64) -> Result<Timestamp, &'static str> {
    let day: Option<Date> = text.parse().ok();
    let day = day.and_then(|day| day.checked_add(later.days()).ok());
    let start = day.and_then(|day| TimeZone::UTC.to_timestamp(day.at(0, 0, 0, 0)).ok());
    start.ok_or("Give a day such as 2026-11-25.")
}

pub(super) async fn show_one(
    State(sign_in): State<Arc<SignIn>>,
    Path(number): Path<String>,
    SignedIn(session): SignedIn,
) -> Response {
    let shown = show_call(&sign_in, &session, &number).await;
    sign_in.pages.respond(shown, PageKind::Entry)
}

async fn show_call(
    sign_in: &SignIn,
    session: &PersonSession,
    number: &str,
) -> Result<Response, PageProblem> {
    let reader = reader(sign_in, &session.person).await?;
    let number: i64 = number.parse().unwrap_or_default();
    let store = &sign_in.pipeline.controls().store;
    let found = call(store, number, reader.as_ref()).await;
    let record = found.map_err(unavailable)?.ok_or_else(|| {
        let problem = PageProblem::new(
            StatusCode::NOT_FOUND,
            "You have no such action",
            "It may belong to somebody else, or be too old to be kept.",
        );
        problem.with_link(PATH, "All actions")
    })?;
    let names = words::Names::new(sign_in).await?;
    let by = names.confirmer(sign_in, &record).await?;
    let page = AuditedCallPage {
        row: &names.row(number, &record),
        ended: record.ended.map(Moment),
        facts: &words::facts(&record, by.as_deref()),
        sent: record.call.arguments.as_ref(),
    };
    show(sign_in, session, page.page()).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_one_of_utc() {
        for (text, later, expected) in [
            ("2026-11-25", 0, Some("2026-11-25T00:00:00Z")),
            ("2026-11-25", 1, Some("2026-11-26T00:00:00Z")),
            ("2026-02-30", 0, None),
            ("9999-12-31", 1, None),
            ("yesterday", 0, None),
        ] {
            let day = day(text, later).ok().map(|time| time.to_string());
            assert_eq!(day.as_deref(), expected, "{text}");
        }
    }
}

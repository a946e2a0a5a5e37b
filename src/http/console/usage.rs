//! Usage by caller: all for operators, their own calls and locations for others.

mod export;

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use jiff::civil::Date;
use jiff::{Timestamp, ToSpan, tz::TimeZone};

use super::callers::CallerNames;
use super::extractors::{PageQuery, SignedIn};
use super::frame::show;
use super::is_operator;
use crate::call::{UsageReport, days_of_month};
use crate::http::oauth::SignIn;
use crate::http::oauth::visitor::unavailable;
use crate::http::pages::PageKind;
use crate::http::pages::clean::one_line;
use crate::http::pages::form::FormFields;
use crate::http::pages::notice::PageProblem;
use crate::http::pages::paging::ListParts;
use crate::http::pages::usage::{MOST_SUMS, PATH, UsagePage, UsageSum};
pub(super) use export::export;
use state::sessions::PersonSession;
use state::usage::{UsageGrouping, UsageQuery, UsageRow};

/// Most months to choose from.
const MOST_MONTHS: usize = 60;

pub(super) async fn page(
    State(sign_in): State<Arc<SignIn>>,
    SignedIn(session): SignedIn,
    PageQuery(query): PageQuery,
) -> Response {
    let shown = show_page(&sign_in, &session, &query).await;
    sign_in.pages.respond(shown, PageKind::Entry)
}

async fn show_page(
    sign_in: &SignIn,
    session: &PersonSession,
    fields: &FormFields,
) -> Result<Response, PageProblem> {
    let controls = sign_in.pipeline.controls();
    let store = &controls.store;
    write_counted(sign_in).await;
    let months = months(store.first_day_of_usage().await.map_err(unavailable)?);
    let (month, days, problem) = asked(fields);
    let sums = UsageQuery {
        reader: reader(session),
        is_busiest_first: fields.one("by") != "day",
        most: MOST_SUMS,
        ..UsageQuery::sums(days, grouping(fields.one("by")))
    };
    let total = store.count_usage(&sums).await.map_err(unavailable)?;
    let paging = ListParts::new(PATH, fields, total, MOST_SUMS);
    let sums = UsageQuery {
        skip: paging.rows().start,
        ..sums
    };
    let rows = store.usage(&sums).await.map_err(unavailable)?;
    let all = UsageQuery {
        by: UsageGrouping::default(),
        is_busiest_first: false,
        skip: 0,
        ..sums
    };
    let all = store.usage(&all).await.map_err(unavailable)?;
    let report = report(sign_in).await?;
    let mut names = CallerNames::new(sign_in);
    let mut shown = Vec::new();
    for row in &rows {
        let caller = match row.principal.as_str() {
            "" => None,
            who => Some(names.name(who).await?),
        };
        let mut line = report.line(row, None);
        let clean = |text: String| one_line(&text, 80);
        line.alias = line.alias.map(clean);
        line.reference = line.reference.map(clean);
        line.location = clean(line.location);
        shown.push(UsageSum::new(&line, caller));
    }
    let page = UsagePage {
        sums: &shown,
        paging: &paging,
        all: all
            .first()
            .map(|row: &UsageRow| row.counts)
            .unwrap_or_default(),
        months: &months,
        month: &month,
        query: fields,
        crm: &sign_in.pages.brand.crm_name,
        is_off: controls.usage.is_none(),
        problem,
    };
    show(sign_in, session, page.page()).await
}

/// Writes this process's counts up to now. Other processes add theirs each minute.
async fn write_counted(sign_in: &SignIn) {
    if let Some(usage) = &sign_in.pipeline.controls().usage
        && let Err(error) = usage.write().await
    {
        tracing::warn!(%error, "usage is not written yet");
    }
}

/// The person whose usage may be seen; `None`: everybody's.
fn reader(session: &PersonSession) -> Option<String> {
    let person = &session.person;
    (!is_operator(person)).then(|| person.id.clone())
}

/// The requested month, or the current one, with its days.
fn asked(fields: &FormFields) -> (String, (Date, Date), Option<&'static str>) {
    let month = fields.one("month");
    if let Some(days) = days_of_month(month) {
        return (month.to_owned(), days, None);
    }
    let today = today();
    let days = (today.first_of_month(), today.last_of_month());
    let problem = (!month.is_empty()).then_some("Give a month such as 2026-11.");
    (month_of(today), days, problem)
}

fn grouping(by: &str) -> UsageGrouping {
    let none = UsageGrouping::default();
    let (principal, location) = (true, true);
    match by {
        "location" => UsageGrouping { location, ..none },
        "principal" => UsageGrouping { principal, ..none },
        "effect" => UsageGrouping {
            effect: true,
            ..none
        },
        "day" => UsageGrouping { day: true, ..none },
        _ => UsageGrouping {
            principal,
            location,
            ..none
        },
    }
}

/// From the current month back to the first.
fn months(first: Option<Date>) -> Vec<String> {
    let today = today();
    let first = first.unwrap_or(today).first_of_month();
    let all = today.first_of_month().series(-1.month());
    let all = all.take_while(|day| *day >= first).take(MOST_MONTHS);
    all.map(month_of).collect()
}

fn today() -> Date {
    TimeZone::UTC.to_datetime(Timestamp::now()).date()
}

fn month_of(day: Date) -> String {
    day.strftime("%Y-%m").to_string()
}

/// A report with the present names.
async fn report(sign_in: &SignIn) -> Result<UsageReport, PageProblem> {
    let labels = sign_in.pipeline.controls().store.usage_labels();
    let labels = labels.await.map_err(unavailable)?;
    let snapshot = sign_in.pipeline.snapshot();
    let own = snapshot.locations.iter().map(|account| {
        let configured = &account.configured;
        let id = configured.location.as_str().to_owned();
        (configured.alias.clone(), id)
    });
    Ok(UsageReport::new(labels, own))
}

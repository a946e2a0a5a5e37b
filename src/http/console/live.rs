//! The process's activity now and in the last hour, for operators.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use jiff::Timestamp;

use super::callers::CallerNames;
use super::extractors::Operator;
use super::frame::{self, operators_only};
use crate::catalog::TOOLS;
use crate::http::oauth::SignIn;
use crate::http::oauth::visitor::Visitor;
use crate::http::pages::PageKind;
use crate::http::pages::clean::one_line;
use crate::http::pages::live::{
    CallRow, LiveFigures, MOST_CALLERS, MOST_CALLS, MOST_WINDOWS, MinuteFigures, WindowRow,
};
use crate::http::pages::moment::Moment;
use crate::http::pages::notice::PageProblem;
use crate::telemetry::CallMinute;
use crate::upstream::WindowStatus;
use state::sessions::PersonSession;

/// The address of the refreshed figures.
pub(super) use crate::http::pages::live::FIGURES;

pub(super) async fn page(
    State(sign_in): State<Arc<SignIn>>,
    Operator(session): Operator,
) -> Response {
    let shown = show(&sign_in, &session).await;
    sign_in.pages.respond(shown, PageKind::Entry)
}

async fn show(sign_in: &SignIn, session: &PersonSession) -> Result<Response, PageProblem> {
    let figures = read(sign_in).await?;
    frame::show(sign_in, session, figures.page(&sign_in.pages.brand)).await
}

pub(super) async fn figures(State(sign_in): State<Arc<SignIn>>, headers: HeaderMap) -> Response {
    let shown = show_figures(&sign_in, &headers).await;
    sign_in.pages.respond_fragment(shown)
}

async fn show_figures(sign_in: &SignIn, headers: &HeaderMap) -> Result<Response, PageProblem> {
    let visitor = Visitor::watching(sign_in, headers).await?;
    operators_only(visitor.signed_in()?)?;
    let figures = read(sign_in).await?;
    let fragment = figures.fragment(&sign_in.pages.brand);
    Ok(sign_in.pages.fragment(&fragment))
}

async fn read(sign_in: &SignIn) -> Result<LiveFigures, PageProblem> {
    let activity = &sign_in.pipeline.telemetry().activity;
    let upstream = sign_in.pipeline.transport().status();
    let (calls, unlisted_calls) = activity.calls(MOST_CALLS);
    let calls_by_minute = activity.minutes();
    let mut hour = CallMinute::default();
    calls_by_minute.iter().for_each(|minute| hour.merge(minute));
    let requests = upstream.minutes.iter().map(|minute| minute.requests);
    let limited = upstream.minutes.iter().map(|minute| minute.limited);
    let shown_windows = upstream.windows.iter().take(MOST_WINDOWS);
    let windows: Vec<_> = shown_windows.map(|window| row(sign_in, window)).collect();
    let (busiest, unlisted_callers) = activity.busiest(MOST_CALLERS);
    let mut names = CallerNames::new(sign_in);
    let mut rows = Vec::new();
    for call in calls {
        let tool = TOOLS.iter().find(|tool| tool.name == call.tool);
        rows.push(CallRow {
            title: tool.map_or(call.tool, |tool| tool.title),
            location: call.location.map(|id| location_name(sign_in, &id)),
            who: names.name(&call.who).await?,
            runs_for: call.since.elapsed(),
        });
    }
    let mut callers = Vec::new();
    for (who, calls) in busiest {
        callers.push((names.name(&who).await?, calls));
    }
    Ok(LiveFigures {
        since: Moment(activity.since),
        read: Timestamp::now(),
        is_down: upstream.is_down,
        calls: rows,
        unlisted_calls,
        unlisted_windows: upstream.windows.len() - windows.len() + upstream.unseen,
        windows,
        instances: upstream.instances,
        valkey: upstream.valkey,
        requests: requests.clone().sum(),
        limited: limited.sum(),
        minutes: calls_by_minute
            .iter()
            .zip(requests)
            .map(|(minute, requests)| MinuteFigures {
                requests,
                calls: minute.calls(),
                median: minute.latencies.percentile(50),
                slow: minute.latencies.percentile(95),
            })
            .collect(),
        hour,
        callers,
        unlisted_callers,
    })
}

fn row(sign_in: &SignIn, window: &WindowStatus) -> WindowRow {
    let location = window.location.as_ref();
    WindowRow {
        name: location.map_or_else(
            || "A token with an unknown sub-account".to_owned(),
            |id| location_name(sign_in, id.as_str()),
        ),
        gate: window.gate,
        is_down: window.is_down,
    }
}

/// The server's name for the location of this id; the id if it is none of its own.
fn location_name(sign_in: &SignIn, id: &str) -> String {
    let snapshot = sign_in.pipeline.snapshot();
    let account = snapshot.locations.of_location(id);
    let name = account.map_or(id, |account| account.configured.name.as_str());
    one_line(name, 80)
}

//! Waiting calls: the list, and one call with everything that is needed to judge it.

mod request;

use maud::{Markup, html};

use super::form::token;
use super::moment::Moment;
use super::{Page, PageKind, Part};
use request::list;
pub(in crate::http) use request::{
    FieldValue, RequestField, RequestItem, RequestRecord, RequestView,
};

/// Most approvals on the list.
pub(in crate::http) const MOST_APPROVALS: usize = 50;

/// The address of the list alone.
pub(in crate::http) const LIST: &str = "/console/approvals-list";

pub(in crate::http) struct ApprovalRow {
    pub handle: String,
    /// The effect of the call.
    pub title: String,
    pub effect: &'static str,
    pub calls: usize,
    pub location: String,
    pub who: String,
    pub state: Markup,
}

pub(in crate::http) struct ApprovalsPage<'a> {
    pub waiting: &'a [ApprovalRow],
    /// The number of approvals that are not listed.
    pub unlisted: usize,
    /// Identifies what is shown, so that the page can ask for changes.
    pub version: &'a str,
}

impl ApprovalsPage<'_> {
    pub(in crate::http) fn page(&self) -> Page {
        let body = html! {
            (self.list())
            p { a href="/console/approvals" { "Refresh" } }
        };
        Page::new(PageKind::Console(Part::Approvals), "Approvals", body)
    }

    /// The part of the page that changes while it is open.
    pub(in crate::http) fn list(&self) -> Markup {
        html! {
            div id="waiting" aria-live="polite" hx-get={ (LIST) "?version=" (self.version) } hx-trigger="every 2s"
                hx-swap="outerHTML" {
                @if self.waiting.is_empty() {
                    p { "Nothing waits for your decision." }
                } @else {
                    ul class="cards" { @for row in self.waiting { (row.card()) } }
                }
                @if self.unlisted > 0 {
                    p { (self.unlisted) " more wait. They appear here once you have decided these." }
                }
            }
        }
    }
}

impl ApprovalRow {
    fn card(&self) -> Markup {
        html! {
            li {
                h2 { a id=(self.handle) href={ "/console/approvals/" (self.handle) } { (self.title) } }
                p { (self.effect) ": " (calls(self.calls)) " in " (self.location) }
                p { "Asked for by " (self.who) }
                p class="soft" { (self.state) }
            }
        }
    }
}

fn calls(count: usize) -> String {
    match count {
        1 => "one action".to_owned(),
        many => format!("{many} actions"),
    }
}

/// One call, or one batch of calls, for the person who decides.
pub(in crate::http) struct ApprovalPage<'a> {
    pub handle: &'a str,
    pub title: &'a str,
    /// The effect of the call: it sends something, costs money, deletes.
    pub effect: &'a str,
    pub calls: usize,
    /// Each location with the number of calls there.
    pub locations: &'a [(String, usize)],
    pub who: &'a str,
    pub asked: Moment,
    /// The state, or the time until which it waits.
    pub state: &'a Markup,
    /// The message to the assistant of the person who decided.
    pub note: Option<&'a str>,
    /// The word of the state, so that the page can ask for changes; `None` for a final one.
    pub watched: Option<&'a str>,
    /// The error of the pressed button.
    pub problem: Option<&'a str>,
    pub request: &'a RequestView,
    pub outcome: Option<&'a [RequestField]>,
    /// Whether it can still be decided.
    pub is_open: bool,
    /// What can be ended along with it.
    pub end: Option<&'a EndOffer>,
    pub token: &'a str,
}

/// The source of the call, if the person who decides may end it.
pub(in crate::http) struct EndOffer {
    /// The label of the button.
    pub button: &'static str,
    /// The consequence.
    pub explanation: &'static str,
}

impl ApprovalPage<'_> {
    pub(in crate::http) fn page(&self) -> Page {
        let path = format!("/console/approvals/{}", self.handle);
        let body = html! {
            @if let Some(problem) = self.problem { p class="problem" role="alert" { (problem) } }
            @match self.watched {
                Some(state) => {
                    p role="status" hx-get={ (path) "/state?shown=" (state) } hx-trigger="every 2s" hx-swap="none" { (self.state) }
                }
                None => p role="status" { (self.state) },
            }
            @if let Some(note) = self.note { p { "Message to the assistant: " (note) } }
            @if let Some(outcome) = self.outcome {
                h2 { "Result" }
                (list(outcome))
                h2 { "The request" }
            }
            // What is decided about comes before all else, also on a small screen.
            (self.request.about())
            (self.request.calls(if self.is_open { "What will be sent" } else { "What was requested" }))
            @if self.request.kept > self.request.items.len() {
                p {
                    a href={ (path) "/requests" } {
                        "and " (self.request.kept - self.request.items.len()) " more"
                    }
                }
            }
            dl {
                dt { "What it does" } dd { (self.effect) }
                dt { "How many" } dd {
                    (if self.calls == 1 { "One action".to_owned() } else { format!("{} actions", self.calls) })
                }
                dt { (if self.locations.len() == 1 { "Sub-account" } else { "Sub-accounts" }) }
                dd {
                    @for (index, (name, calls)) in self.locations.iter().enumerate() {
                        @if index > 0 { ", " }
                        (name)
                        @if self.locations.len() > 1 { " (" (calls) ")" }
                    }
                }
                dt { "Asked for by" } dd { (self.who) }
                dt { "Asked" } dd { (self.asked) }
            }
            @if self.is_open { (self.decision(&path)) }
            p {
                @if self.watched.is_some() { a href=(path) { "Refresh" } " · " }
                a href="/console/approvals" { "All waiting requests" }
            }
            @if self.is_open {
                div class="buttons decide" {
                    button form="decision" class="main" name="decision" value="approve" { "Approve: do it now" }
                    button form="decision" class="bad" name="decision" value="deny" { "Deny" }
                }
            }
        };
        Page::new(PageKind::Console(Part::Approvals), self.title, body)
    }

    fn decision(&self, path: &str) -> Markup {
        html! {
            form id="decision" method="post" action=(path) {
                (token(self.token))
                label class="field" for="note" { "Message to the assistant (optional)" }
                input type="text" id="note" name="note" maxlength="300" autocomplete="off";
                @if let Some(end) = self.end {
                    details {
                        summary { "Deny and disconnect" }
                        p { (end.explanation) }
                        button class="bad" name="decision" value="end" { (end.button) }
                    }
                }
            }
        }
    }
}

/// A part of a batch that is too long for one page.
pub(in crate::http) struct RequestsPage<'a> {
    pub handle: &'a str,
    pub title: &'a str,
    pub request: &'a RequestView,
    /// Where the previous and the next part begin.
    pub before: Option<usize>,
    pub behind: Option<usize>,
}

impl RequestsPage<'_> {
    pub(in crate::http) fn page(&self) -> Page {
        let path = format!("/console/approvals/{}", self.handle);
        let request = self.request;
        let last = (request.first + request.items.len()).saturating_sub(1);
        let body = html! {
            p { "Actions " (request.first) " to " (last) " of " (request.calls) ". "
                a href=(path) { "Back to the decision" }
            }
            @for note in &request.notes { p class="note" { (note) } }
            (request.calls("Action"))
            p {
                @if let Some(from) = self.before { a href={ (path) "/requests?from=" (from) } { "Previous" } " · " }
                @if let Some(from) = self.behind { a href={ (path) "/requests?from=" (from) } { "Next" } " · " }
                a href=(path) { "Back to the decision" }
            }
        };
        Page::new(PageKind::Console(Part::Approvals), self.title, body)
    }
}

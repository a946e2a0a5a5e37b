//! Calls that wait for a person: the list, and one with all that is needed to judge it.

use maud::{Markup, html};
use serde_json::Value;

use super::form::token;
use super::{Page, PageKind, Part};

/// Most approvals on the list.
pub(in crate::http) const MOST_APPROVALS: usize = 50;

/// Deepest that fields within fields are laid out; below that they are text.
const DEEPEST: usize = 6;

/// Most fields of one request that are laid out.
const MOST_FIELDS: usize = 250;

pub(in crate::http) struct ApprovalRow {
    pub handle: String,
    /// What the call does.
    pub title: String,
    pub location: String,
    pub who: String,
    pub state: String,
}

pub(in crate::http) struct ApprovalsPage<'a> {
    pub waiting: &'a [ApprovalRow],
    /// How many there are beside them.
    pub unlisted: usize,
}

impl ApprovalsPage<'_> {
    pub(in crate::http) fn page(&self) -> Page {
        let body = html! {
            @if self.waiting.is_empty() {
                p { "Nothing waits for you." }
            } @else {
                ul class="cards" { @for row in self.waiting { (row.card()) } }
            }
            @if self.unlisted > 0 {
                p { (self.unlisted) " more wait. They are shown here when these are decided." }
            }
        };
        Page::new(PageKind::Console(Part::Approvals), "Approvals", body)
    }
}

impl ApprovalRow {
    fn card(&self) -> Markup {
        html! {
            li {
                h2 { a href={ "/console/approvals/" (self.handle) } { (self.title) } }
                p { (self.location) " · asked for by " (self.who) }
                p class="soft" { (self.state) }
            }
        }
    }
}

/// One call, or one batch of them, as whoever decides sees it.
pub(in crate::http) struct ApprovalPage<'a> {
    pub handle: &'a str,
    pub title: &'a str,
    /// What such a call does: sends something, costs money, deletes.
    pub effect: &'a str,
    pub calls: usize,
    /// Each location with the number of calls there.
    pub locations: &'a [(String, usize)],
    pub who: &'a str,
    pub asked: &'a str,
    /// How it stands, or until when it waits.
    pub state: &'a str,
    /// What would be sent.
    pub preview: &'a Value,
    pub outcome: Option<&'a str>,
    /// Whether it can still be decided.
    pub is_open: bool,
    pub token: &'a str,
}

impl ApprovalPage<'_> {
    pub(in crate::http) fn page(&self) -> Page {
        let body = html! {
            p { (self.state) }
            dl {
                dt { "What it does" } dd { (self.effect) }
                dt { "How many" } dd { (if self.calls == 1 { "One call".to_owned() } else { format!("{} calls", self.calls) }) }
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
            (request(self.preview))
            @if let Some(outcome) = self.outcome {
                h2 { "What came of it" }
                p { code { (outcome) } }
            }
            @if self.is_open { (self.decision()) }
        };
        Page::new(PageKind::Console(Part::Approvals), self.title, body)
    }

    fn decision(&self) -> Markup {
        html! {
            form method="post" action={ "/console/approvals/" (self.handle) } {
                (token(self.token))
                label class="field" for="note" { "A word to the assistant, if you like" }
                input type="text" id="note" name="note" maxlength="300" autocomplete="off";
                div class="buttons" {
                    button class="main" name="decision" value="approve" { "Approve: do it now" }
                    button class="bad" name="decision" value="deny" { "Deny" }
                }
            }
        }
    }
}

/// What would be sent: about whom first, then the fields, and where it goes for those who know.
fn request(preview: &Value) -> Markup {
    let mut room = MOST_FIELDS;
    let calls = match preview {
        Value::Array(calls) => calls.as_slice(),
        one => match one.get("calls") {
            Some(Value::Array(calls)) => calls.as_slice(),
            _ => std::slice::from_ref(one),
        },
    };
    let about = preview.get("records").filter(|records| !is_empty(records));
    html! {
        @if let Some(about) = about {
            h2 { "About" }
            (fields(about, 0, &mut room))
        }
        @if let Some(Value::String(cut)) = preview.get("cut") {
            p class="note" { (cut) }
        }
        @if calls.iter().any(|call| call.get("method").is_some()) {
            @for (index, call) in calls.iter().enumerate() {
                h2 {
                    "What will be sent"
                    @if calls.len() > 1 { " (" (index + 1) " of " (calls.len()) ")" }
                }
                @match call.get("body").filter(|body| !is_empty(body)) {
                    Some(body) => (fields(body, 0, &mut room)),
                    None => p { "Nothing but the address below." },
                }
                p class="soft" { code { (text(call.get("method"))) " " (text(call.get("url"))) } }
            }
        } @else {
            h2 { "What will be sent" }
            (fields(preview, 0, &mut room))
        }
        @if room == 0 { p class="note" { "There is more than is shown here. `highlevel-mcp approvals list` shows all." } }
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(all) => all.is_empty(),
        Value::Object(all) => all.is_empty(),
        _ => false,
    }
}

fn text(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => crate::call::visible(text).into_owned(),
        Some(other) => crate::call::visible(&other.to_string()).into_owned(),
    }
}

/// A value field by field.
fn fields(value: &Value, depth: usize, room: &mut usize) -> Markup {
    match value {
        Value::Object(all) if depth < DEEPEST && !all.is_empty() => html! {
            dl {
                @for (name, value) in all {
                    @if take(room) {
                        dt { (crate::call::visible(name)) }
                        dd { (fields(value, depth + 1, room)) }
                    }
                }
            }
        },
        Value::Array(all)
            if depth < DEEPEST && all.iter().any(|one| one.is_object() || one.is_array()) =>
        {
            html! {
                ol {
                    @for value in all {
                        @if take(room) { li { (fields(value, depth + 1, room)) } }
                    }
                }
            }
        }
        Value::Array(all) => html! {
            @for (index, value) in all.iter().enumerate() {
                @if take(room) {
                    @if index > 0 { ", " }
                    (text(Some(value)))
                }
            }
        },
        Value::Null => html! { span class="soft" { "empty" } },
        Value::Bool(yes) => html! { (if *yes { "yes" } else { "no" }) },
        other => html! { (text(Some(other))) },
    }
}

fn take(room: &mut usize) -> bool {
    let has_room = *room > 0;
    *room = room.saturating_sub(1);
    has_room
}

//! A waiting request for its approver: the records, then field by field.

use maud::{Markup, html};

/// Everything that is shown of a request, or of a part of a batch.
pub(in crate::http) struct RequestView {
    /// The records of the request.
    pub about: Vec<RequestRecord>,
    /// Further facts about it, one sentence each.
    pub notes: Vec<String>,
    pub items: Vec<RequestItem>,
    /// The first item's number, from 1, and the number of calls.
    pub first: usize,
    pub calls: usize,
    /// The number of calls that are stored for display.
    pub kept: usize,
    /// Not all fields fit.
    pub is_cut: bool,
}

/// A record of a request.
pub(in crate::http) struct RequestRecord {
    /// Its kind, such as a contact.
    pub kind: String,
    pub name: Option<String>,
    pub id: String,
    pub fields: Vec<RequestField>,
    /// Warnings before anybody agrees.
    pub warnings: Vec<String>,
}

/// One call.
pub(in crate::http) struct RequestItem {
    pub fields: Vec<RequestField>,
    /// The address of the call, for people who know HighLevel's API.
    pub address: String,
}

pub(in crate::http) struct RequestField {
    pub label: String,
    /// The operation's text about it.
    pub hint: Option<String>,
    pub value: FieldValue,
}

pub(in crate::http) enum FieldValue {
    Text(String),
    /// A record by its name and id.
    Record(String, String),
    Empty,
    Fields(Vec<RequestField>),
    List(Vec<FieldValue>),
}

impl RequestView {
    pub(super) fn about(&self) -> Markup {
        html! {
            @if !self.about.is_empty() {
                h2 { "About" }
                ul class="cards about" { @for record in &self.about { (record.card()) } }
            }
            @for note in &self.notes { p class="note" { (note) } }
        }
    }

    /// The shown calls, each under this heading, and a note on the others.
    pub(super) fn calls(&self, heading: &str) -> Markup {
        html! {
            @for (item, number) in self.items.iter().zip(self.first..) {
                section class="call" {
                    h2 {
                        (heading)
                        @if self.calls > 1 { " (" (number) " of " (self.calls) ")" }
                    }
                    (item.body())
                }
            }
            @if self.is_cut {
                p class="note" { "The request is too long to show it all here. On the server, `highlevel-mcp approvals \
                                  show` prints all of it." }
            }
        }
    }
}

impl RequestRecord {
    fn card(&self) -> Markup {
        html! {
            li {
                strong { (self.name.as_deref().unwrap_or(&self.id)) }
                span class="soft" { " " (self.kind) }
                @for warning in &self.warnings { p class="note" { (warning) } }
                @if !self.fields.is_empty() { (list(&self.fields)) }
                @if self.name.is_some() { (folded("Its id", &self.id)) }
            }
        }
    }
}

impl RequestItem {
    fn body(&self) -> Markup {
        html! {
            @if self.fields.is_empty() { p { "It sends nothing but its address." } }
            (list(&self.fields))
            @if !self.address.is_empty() { (folded("Address, for developers", &self.address)) }
        }
    }
}

/// What most readers do not need.
fn folded(label: &str, text: &str) -> Markup {
    html! { details class="soft" { summary { (label) } code { (text) } } }
}

/// The fields, each with its label.
pub(super) fn list(fields: &[RequestField]) -> Markup {
    html! {
        @if !fields.is_empty() {
            dl {
                @for field in fields {
                    dt {
                        (field.label)
                        @if let Some(hint) = &field.hint { br; small { (hint) } }
                    }
                    dd { (value(&field.value)) }
                }
            }
        }
    }
}

fn value(shown: &FieldValue) -> Markup {
    match shown {
        FieldValue::Text(text) => html! { (text) },
        FieldValue::Record(name, id) => html! { (name) " " span class="soft" { (id) } },
        FieldValue::Empty => html! { span class="soft" { "empty" } },
        FieldValue::Fields(fields) => list(fields),
        FieldValue::List(all) if all.iter().all(FieldValue::is_short) => html! {
            @for (index, one) in all.iter().enumerate() {
                @if index > 0 { ", " }
                (value(one))
            }
        },
        FieldValue::List(all) => html! { ol { @for one in all { li { (value(one)) } } } },
    }
}

impl FieldValue {
    fn is_short(&self) -> bool {
        !matches!(self, Self::Fields(_) | Self::List(_))
    }
}

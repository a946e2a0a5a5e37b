//! The connected assistants, the rights of each, and the buttons that take them away.

use maud::{Markup, html};

use super::form::token;
use super::moment::Moment;
use super::paging::ListParts;
use super::{Page, PageKind, Part};

/// Most connections on the page.
pub(in crate::http) const MOST_CONNECTIONS: usize = 50;

/// A connection of a client to locations, for a person who may end it.
pub(in crate::http) struct ConnectionRow {
    pub id: String,
    pub client: String,
    /// The source of the client's name: a sentence without its full stop.
    pub origin: String,
    /// Its holder, if that is not the reader.
    pub holder: Option<String>,
    pub locations: String,
    /// Its rights, one line for each set of rules.
    pub rules: Vec<String>,
    pub used: Option<Moment>,
    /// It ends then in any case.
    pub ends: Moment,
    /// It ends then if it is not used.
    pub idle_until: Moment,
}

pub(in crate::http) struct ConnectionsPage<'a> {
    pub rows: &'a [ConnectionRow],
    pub paging: &'a ListParts,
    pub token: &'a str,
}

impl ConnectionsPage<'_> {
    pub(in crate::http) fn page(&self) -> Page {
        let body = html! {
            @if self.rows.is_empty() {
                p { "No assistant is connected." }
            } @else {
                p { "A connection ends at once. The assistant then has to ask you again." }
                form method="post" action="/console/connections/end" {
                    (token(self.token))
                    ul class="cards" { @for row in self.rows { (row.card()) } }
                }
                (self.paging.links())
            }
        };
        Page::new(PageKind::Console(Part::Connections), "Connections", body)
    }
}

impl ConnectionRow {
    fn card(&self) -> Markup {
        html! {
            li {
                h2 { a href={ "/console/connections/" (self.id) } { (self.client) } }
                p class="soft" { (self.origin) }
                (self.facts())
                button class="bad" name="id" value=(self.id) { "End" span class="hidden" { " the connection of " (self.client) } }
            }
        }
    }

    fn facts(&self) -> Markup {
        html! {
            dl {
                @if let Some(holder) = &self.holder { dt { "Owner" } dd { (holder) } }
                dt { "Sub-accounts" } dd { (self.locations) }
                dt { "May" } dd { (self.rules.join("\nlimited since then to: ")) }
                dt { "Last used" } dd { (Moment::or_never(self.used)) }
                dt { "Ends" } dd { (self.ends) ", or on " (self.idle_until) " if it is not used" }
            }
        }
    }
}

/// Rules that would take something away.
pub(in crate::http) struct NarrowingRow {
    pub value: String,
    pub title: String,
    pub text: String,
}

/// One connection.
pub(in crate::http) struct ConnectionPage<'a> {
    pub row: &'a ConnectionRow,
    /// Every sub-account by its short name.
    pub locations: &'a str,
    pub narrowings: &'a [NarrowingRow],
    /// The number of the client's other connections that the reader may end.
    pub of_client: usize,
    /// The holder, with the number of the holder's other connections, if the reader may end those.
    pub of_person: Option<(&'a str, usize)>,
    pub problem: Option<&'a str>,
    pub token: &'a str,
}

impl ConnectionPage<'_> {
    pub(in crate::http) fn page(&self) -> Page {
        let row = self.row;
        let body = html! {
            (super::form::problem(self.problem))
            p class="soft" { (row.origin) }
            (row.facts())
            @if self.locations != row.locations {
                details { summary { "All sub-accounts of this connection" } p { (self.locations) } }
            }
            (self.narrow())
            h2 { "End this connection" }
            p { "The connection ends at once. The assistant then has to ask again." }
            form method="post" action="/console/connections/end" {
                (token(self.token))
                input type="hidden" name="id" value=(row.id);
                div class="buttons" {
                    button class="bad" name="which" value="one" { "End this connection" }
                    @if self.of_client > 1 {
                        button class="bad" name="which" value="client" {
                            "End all " (self.of_client) " connections of this assistant"
                        }
                    }
                    @if let Some((person, count)) = self.of_person {
                        button class="bad" name="which" value="person" { "End all " (count) " connections of "
                            (person) }
                    }
                }
            }
            p { a href="/console/connections" { "All connections" } }
        };
        Page::new(
            PageKind::Console(Part::Connections),
            row.client.as_str(),
            body,
        )
    }

    fn narrow(&self) -> Markup {
        html! {
            h2 { "Reduce what it may do" }
            @if self.narrowings.is_empty() {
                p { "This connection already has the fewest permissions. You can only end it." }
            } @else {
                p {
                    "You can only reduce what the assistant may do. This takes effect within a second and cannot be \
                     undone: to allow more again, end the connection and connect the assistant anew."
                }
                form method="post" action="/console/connections/narrow" {
                    (token(self.token))
                    input type="hidden" name="id" value=(self.row.id);
                    fieldset {
                        legend { "From now on" }
                        @for row in self.narrowings {
                            label class="choice" {
                                input type="radio" name="rules" value=(row.value) required;
                                span { b { (row.title) } span { (row.text) } }
                            }
                        }
                    }
                    div class="buttons" { button class="main" { "Reduce permissions" } }
                }
            }
        }
    }
}

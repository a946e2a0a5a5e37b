//! Which assistants are connected, and the buttons that end them.

use maud::{Markup, html};

use super::form::token;
use super::{Page, PageKind, Part};

/// Most connections on the page.
pub(in crate::http) const MOST_CONNECTIONS: usize = 50;

/// A connection of a client to locations, for whoever may end it.
pub(in crate::http) struct ConnectionRow {
    pub id: String,
    pub client: String,
    /// Whose it is, where it is not the reader's own.
    pub holder: Option<String>,
    pub locations: String,
    pub rules: String,
    pub used: String,
    pub ends: String,
}

pub(in crate::http) struct ConnectionsPage<'a> {
    pub rows: &'a [ConnectionRow],
    pub unlisted: usize,
    pub token: &'a str,
}

impl ConnectionsPage<'_> {
    pub(in crate::http) fn page(&self) -> Page {
        let body = html! {
            @if self.rows.is_empty() {
                p { "No assistant is connected." }
            } @else {
                p { "Ending a connection takes effect at once. The assistant then has to ask you again." }
                form method="post" action="/console/connections/end" {
                    (token(self.token))
                    ul class="cards" { @for row in self.rows { (row.card()) } }
                }
                @if self.unlisted > 0 {
                    p { (self.unlisted) " older ones are not shown. `highlevel-mcp connections list` shows all." }
                }
            }
        };
        Page::new(PageKind::Console(Part::Connections), "Connections", body)
    }
}

impl ConnectionRow {
    fn card(&self) -> Markup {
        html! {
            li {
                h2 { (self.client) }
                dl {
                    @if let Some(holder) = &self.holder { dt { "Of" } dd { (holder) } }
                    dt { "Sub-accounts" } dd { (self.locations) }
                    dt { "May" } dd { (self.rules) }
                    dt { "Last used" } dd { (self.used) }
                    dt { "Ends" } dd { (self.ends) }
                }
                button class="bad" name="id" value=(self.id) { "End" span class="hidden" { " the connection of " (self.client) } }
            }
        }
    }
}

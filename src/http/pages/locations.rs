//! The sub-accounts that somebody reaches, how their tokens stand.

use maud::{Markup, html};

use super::form::token;
use super::{Page, PageKind, Part};

/// Most sub-accounts on the page.
pub(in crate::http) const MOST_LOCATIONS: usize = 100;

pub(in crate::http) struct ConnectedLocation {
    /// `None`: the reader cannot remove it.
    pub id: Option<String>,
    pub alias: String,
    pub name: String,
    pub zone: Option<String>,
    /// Whose it is, where it is not the reader's own.
    pub owner: Option<String>,
    /// A sentence.
    pub status: String,
    pub is_well: bool,
}

pub(in crate::http) struct LocationsPage<'a> {
    pub rows: &'a [ConnectedLocation],
    pub unlisted: usize,
    pub token: &'a str,
}

impl LocationsPage<'_> {
    pub(in crate::http) fn page(&self) -> Page {
        let body = html! {
            @if self.rows.is_empty() {
                p { "There are none yet." }
            } @else {
                form method="post" action="/console/locations/remove" {
                    (token(self.token))
                    ul class="cards" { @for row in self.rows { (row.card()) } }
                }
                @if self.unlisted > 0 {
                    p { (self.unlisted) " more are not shown. `highlevel-mcp locations` shows all." }
                }
            }
        };
        Page::new(PageKind::Console(Part::Locations), "Sub-accounts", body)
    }
}

impl ConnectedLocation {
    fn card(&self) -> Markup {
        html! {
            li {
                h2 { (self.name) }
                p class="soft" {
                    (self.alias)
                    @if let Some(zone) = &self.zone { " · " (zone) }
                    @if let Some(owner) = &self.owner { " · connected by " (owner) }
                }
                p class=[(!self.is_well).then_some("problem")] { (self.status) }
                @if let Some(id) = &self.id {
                    button class="bad" name="id" value=(id) { "Remove" span class="hidden" { " " (self.name) } }
                }
            }
        }
    }
}

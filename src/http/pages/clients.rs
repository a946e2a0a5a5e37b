//! The programs that people connect: the source of each one's name, and buttons to block or unblock it.

use maud::{Markup, html};

use super::form::token;
use super::moment::Moment;
use super::paging::ListParts;
use super::{Page, PageKind, Part};

/// Most clients on the page.
pub(in crate::http) const MOST_CLIENTS: usize = 50;

pub(in crate::http) struct ClientCard {
    /// The value in the form, because an id is an address of up to 2 KiB.
    pub handle: String,
    pub id: String,
    pub name: String,
    /// The source of the name.
    pub origin: String,
    pub connections: usize,
    pub used: Option<Moment>,
    /// The time since when it is blocked.
    pub blocked: Option<Moment>,
}

pub(in crate::http) struct ClientsPage<'a> {
    pub rows: &'a [ClientCard],
    pub paging: &'a ListParts,
    pub token: &'a str,
}

impl ClientsPage<'_> {
    pub(in crate::http) fn page(&self) -> Page {
        let body = html! {
            @if self.rows.is_empty() {
                p { "No assistant has connected yet." }
            } @else {
                p { "Blocking an assistant ends all its connections at once, for everybody. Nobody can connect it \
                     again until you unblock it." }
                form method="post" action="/console/clients/block" {
                    (token(self.token))
                    ul class="cards" { @for row in self.rows { (row.card()) } }
                }
                (self.paging.links())
            }
        };
        Page::new(PageKind::Console(Part::Clients), "Assistants", body)
    }
}

impl ClientCard {
    fn card(&self) -> Markup {
        html! {
            li {
                h2 { (self.name) }
                p class="soft" { (self.origin) " · " (self.id) }
                dl {
                    dt { "Connections" } dd { (self.connections) }
                    dt { "Last connected" } dd { (Moment::or_never(self.used)) }
                    @if let Some(blocked) = &self.blocked { dt { "Blocked" } dd { "since " (blocked) } }
                }
                @if self.blocked.is_some() {
                    button formaction="/console/clients/unblock" name="client" value=(self.handle) {
                        "Unblock" span class="hidden" { " " (self.name) }
                    }
                } @else {
                    button class="bad" name="client" value=(self.handle) { "Block" span class="hidden" { " " (self.name) } }
                }
            }
        }
    }
}

//! The sub-accounts that somebody reaches, how their tokens stand, and the form for another.

use maud::{Markup, html};

use super::brand::Brand;
use super::form::{problem, secret, text, token};
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
    /// Whether the reader may paste a token.
    pub may_add: bool,
    /// Where the reader signs in at the CRM to connect some; `None` where that is not for them, or there is no app.
    pub sign_in_at: Option<&'a str>,
    /// What was connected just now.
    pub done: Option<&'a str>,
    /// What was wrong with what was pasted.
    pub problem: Option<&'a str>,
    pub token: &'a str,
}

impl LocationsPage<'_> {
    pub(in crate::http) fn page(&self, brand: &Brand) -> Page {
        let body = html! {
            (problem(self.problem))
            @if let Some(done) = self.done { p class="note" role="status" { (done) } }
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
            @if let Some(address) = self.sign_in_at {
                h2 { "Connect by signing in" }
                p { a href=(address) { "Sign in at " (brand.crm_name) } ", and choose the sub-accounts there." }
            }
            @if self.may_add {
                h2 { "Connect a sub-account" }
                form method="post" action="/console/locations/add" {
                    (token(self.token))
                    (token_fields(brand))
                    div class="buttons" { button class="main" { "Check and connect" } }
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

/// The fields of a pasted token, with how one is made.
pub(super) fn token_fields(brand: &Brand) -> Markup {
    html! {
        ol {
            li {
                "In "
                @match &brand.app_url {
                    Some(url) => { a href=(url) target="_blank" rel="noreferrer" { (brand.crm_name) } }
                    None => { (brand.crm_name) }
                }
                ", open the sub-account, then Settings and Private Integrations, and make a new integration."
            }
            li { "Tick what your assistant should be able to do, such as contacts, conversations and calendars." }
            li { "Copy the token. It is shown once." }
        }
        (text("location", "Address of the sub-account's page, or its id", 300, true))
        (secret(
            "token",
            "Private integration token",
            "It begins with pit-. It is stored encrypted and never shown again. Whoever runs this server can use it. To be \
             sure that nobody uses it any more, remove it here and delete it there.",
        ))
    }
}

//! The sub-accounts that a person reaches, the status of their tokens, and the form for another.

use maud::{Markup, html};

use super::brand::Brand;
use super::form::{problem, secret, text_again, token};
use super::moment::Moment;
use super::{Page, PageKind, Part};

/// Most sub-accounts on the page.
pub(in crate::http) const MOST_LOCATIONS: usize = 80;

pub(in crate::http) struct ConnectedLocation {
    /// The key in the address of its own page.
    pub key: String,
    /// `None`: the reader cannot remove it.
    pub id: Option<String>,
    pub alias: String,
    pub name: String,
    pub zone: Option<String>,
    /// The owner, if that is not the reader.
    pub owner: Option<String>,
    /// A sentence.
    pub status: String,
    /// The time since when, if known.
    pub since: Option<Moment>,
    pub is_well: bool,
}

pub(in crate::http) struct LocationsPage<'a> {
    pub rows: &'a [ConnectedLocation],
    pub unlisted: usize,
    /// Whether the reader may paste a token.
    pub may_add: bool,
    /// The address where the reader signs in at the CRM to connect some; `None` if the reader may not, or there is no
    /// app.
    pub sign_in_at: Option<&'a str>,
    /// The location that was just connected.
    pub done: Option<&'a str>,
    /// The error of the pasted token.
    pub problem: Option<&'a str>,
    /// The sub-account as it was typed before that error.
    pub typed: &'a str,
    pub token: &'a str,
}

impl LocationsPage<'_> {
    pub(in crate::http) fn page(&self, brand: &Brand) -> Page {
        let body = html! {
            (problem(self.problem))
            @if let Some(done) = self.done { p class="done" role="status" { (done) } }
            @if self.rows.is_empty() {
                p { "No sub-account is connected yet." }
            } @else {
                form method="post" action="/console/locations/remove" {
                    (token(self.token))
                    ul class="cards" { @for row in self.rows { (row.card()) } }
                }
                @if self.unlisted > 0 {
                    p { (self.unlisted) " more are not shown. On the server, `highlevel-mcp locations list` prints all." }
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
                    (token_fields(brand, self.typed))
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
                h2 { a href={ "/console/locations/" (self.key) } { (self.name) } }
                (self.facts())
                @if let Some(id) = &self.id {
                    button class="bad" name="id" value=(id) { "Remove" span class="hidden" { " " (self.name) } }
                }
            }
        }
    }
}

impl ConnectedLocation {
    fn facts(&self) -> Markup {
        html! {
            p class="soft" {
                (self.alias)
                @if let Some(zone) = &self.zone { " · " (zone) }
                @if let Some(owner) = &self.owner { " · connected by " (owner) }
            }
            p class=[(!self.is_well).then_some("problem")] {
                (self.status)
                @if let Some(since) = &self.since { span class="soft" { " Since " (since) "." } }
            }
        }
    }
}

/// One sub-account, for a person who reaches it.
pub(in crate::http) struct LocationPage<'a> {
    pub row: &'a ConnectedLocation,
    pub may_check: bool,
    pub may_paste: bool,
    /// The address where the reader signs in at the CRM to connect it again.
    pub sign_in_at: Option<&'a str>,
    /// The result of the last action.
    pub done: Option<&'a str>,
    pub problem: Option<&'a str>,
    /// What its token can read, if it was just tried.
    pub reach: Option<&'a TokenReach>,
    pub token: &'a str,
}

/// The reads that a token allows, and those that it does not.
pub(in crate::http) struct TokenReach {
    pub can: Vec<&'static str>,
    pub cannot: Vec<&'static str>,
}

impl LocationPage<'_> {
    pub(in crate::http) fn page(&self, brand: &Brand) -> Page {
        let path = format!("/console/locations/{}", self.row.key);
        let body = html! {
            (problem(self.problem))
            @if let Some(done) = self.done { p class="done" role="status" { (done) } }
            (self.row.facts())
            @if let Some(reach) = self.reach { (reach.list()) }
            @if self.may_check {
                form method="post" action=(path) {
                    (token(self.token))
                    p { "A check reads a few records there and shows what the token can read." }
                    div class="buttons" { button name="action" value="check" { "Check again" } }
                }
            }
            @if let Some(address) = self.sign_in_at {
                p { a href=(address) { "Sign in at " (brand.crm_name) " again" } ", and choose this sub-account there." }
            }
            @if self.may_paste {
                h2 { "Replace the token" }
                form method="post" action=(path) {
                    (token(self.token))
                    (secret(
                        "token",
                        "Private integration token of this sub-account",
                        "The new token is tested first and then replaces the old one. Connected assistants keep \
                         working.",
                    ))
                    div class="buttons" { button class="main" name="action" value="token" { "Check and replace" } }
                }
            }
            @if let Some(id) = &self.row.id {
                details {
                    summary { "Remove this sub-account" }
                    p { "Connected assistants no longer reach it, and its token is deleted here. Nothing changes in "
                         (brand.crm_name) "." }
                    form method="post" action="/console/locations/remove" {
                        (token(self.token))
                        button class="bad" name="id" value=(id) { "Remove" }
                    }
                }
            } @else {
                p class="soft" { "Only the operator of this server can change this sub-account." }
            }
            p { a href="/console/locations" { "All sub-accounts" } }
        };
        Page::new(
            PageKind::Console(Part::Locations),
            self.row.name.clone(),
            body,
        )
    }
}

impl TokenReach {
    fn list(&self) -> Markup {
        html! {
            dl {
                dt { "It can read" } dd { (self.can.join(", ")) }
                @if !self.cannot.is_empty() {
                    dt { "It cannot read" }
                    dd {
                        (self.cannot.join(", "))
                        ". To change that, tick more permissions of the integration. You need not paste the token again."
                    }
                }
            }
        }
    }
}

/// The fields for a pasted token, with the way to make one. `typed`: the sub-account as it was typed before an error.
pub(super) fn token_fields(brand: &Brand, typed: &str) -> Markup {
    html! {
        ol {
            li {
                "In "
                @match &brand.app_url {
                    Some(url) => { a href=(url) target="_blank" rel="noreferrer" { (brand.crm_name) } }
                    None => { (brand.crm_name) }
                }
                ", open the sub-account, go to Settings → Private Integrations, and create an integration."
            }
            li { "Tick what your assistant should be able to do, such as contacts, conversations and calendars." }
            li { "Copy the token. It is shown only once." }
        }
        (text_again("location", "Web address of any page of the sub-account, or its id", 300, true, typed))
        (secret(
            "token",
            "Private integration token",
            &format!(
                "It begins with pit-, and is like a password. It is stored encrypted and never shown again. {}, who \
                 runs this server, can use it. To make sure that nobody can use it any more, remove the sub-account \
                 here and delete the integration there.",
                brand.name
            ),
        ))
    }
}

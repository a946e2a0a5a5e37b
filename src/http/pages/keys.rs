//! Access keys: what each opens, the form for another, and the only time that it is shown.

use maud::{Markup, html};

use super::form::{FormFields, copied, problem, token};
use super::moment::Moment;
use super::paging::ListParts;
use super::people::SectionRow;
use super::reach::ReachFields;
use super::{Page, PageKind, Part};

/// Most keys on the page.
pub(in crate::http) const MOST_KEYS: usize = 50;

pub(in crate::http) struct KeyCard {
    pub id: String,
    pub name: String,
    pub locations: String,
    /// One line for each set of rules.
    pub rules: Vec<String>,
    pub made: Moment,
    pub expires: Option<Moment>,
    pub used: Option<Moment>,
    /// The reason that it opens nothing any more; `None`: it is valid.
    pub over: Option<&'static str>,
}

pub(in crate::http) struct KeysPage<'a> {
    pub rows: &'a [KeyCard],
    pub paging: &'a ListParts,
    pub token: &'a str,
}

impl KeysPage<'_> {
    pub(in crate::http) fn page(&self) -> Page {
        let body = html! {
            p { "A key is for a program that cannot sign in, such as n8n. Anybody who has the key can use it." }
            div class="buttons" { a class="button" href="/console/keys/new" { "Create a key" } }
            @if self.rows.is_empty() {
                p { "There are no keys yet." }
            } @else {
                form method="post" action="/console/keys/revoke" {
                    (token(self.token))
                    ul class="cards" { @for row in self.rows { (row.card()) } }
                }
                (self.paging.links())
            }
        };
        Page::new(PageKind::Console(Part::Keys), "Keys", body)
    }
}

impl KeyCard {
    fn card(&self) -> Markup {
        html! {
            li {
                h2 { (self.name) }
                p class="soft" {
                    (self.id)
                    @if let Some(over) = self.over { " · " (over) }
                }
                dl {
                    dt { "Sub-accounts" } dd { (self.locations) }
                    dt { "May" } dd { (self.rules.join("\nlimited to: ")) }
                    dt { "Created" } dd { (self.made) }
                    dt { "Expires" } dd { (Moment::or_never(self.expires)) }
                    dt { "Last used" } dd { (Moment::or_never(self.used)) }
                }
                @if self.over.is_none() {
                    button class="bad" name="id" value=(self.id) { "Revoke" span class="hidden" { " " (self.name) } }
                }
            }
        }
    }
}

/// The form for another key.
pub(in crate::http) struct NewKeyPage<'a> {
    pub reach: &'a ReachFields,
    pub rules: &'a [SectionRow],
    /// The earlier input, if it had an error.
    pub before: Option<&'a FormFields>,
    pub problem: Option<&'a str>,
    pub token: &'a str,
}

/// Lifetimes of a key: values of the form, with their words.
const LASTS: [(&str, &str); 4] = [
    ("30", "30 days"),
    ("90", "90 days"),
    ("365", "A year"),
    ("never", "Until you revoke it"),
];

impl NewKeyPage<'_> {
    pub(in crate::http) fn page(&self) -> Page {
        let name = self.before.map_or("", |before| before.one("name"));
        let lasts = self.before.map_or("90", |before| before.one("lasts"));
        let body = html! {
            (problem(self.problem))
            form method="post" action="/console/keys/new" {
                (token(self.token))
                label class="field" for="name" { "Name" }
                p id="name-hint" class="soft" { "The program that gets the key, such as n8n. Each key needs its own \
                                                 name." }
                input type="text" id="name" name="name" value=(name) maxlength="64" required autocomplete="off"
                    aria-describedby="name-hint";
                (self.reach.fields())
                fieldset {
                    legend { "What it may do" }
                    @for row in self.rules { (row.choice()) }
                }
                fieldset {
                    legend { "How long it is valid" }
                    @for (value, title) in LASTS {
                        label class="choice" {
                            input type="radio" name="lasts" value=(value) checked[value == lasts] required;
                            span { b { (title) } }
                        }
                    }
                }
                div class="buttons" {
                    button class="main" { "Create the key" }
                    a class="button" href="/console/keys" { "Cancel" }
                }
            }
        };
        Page::new(PageKind::Console(Part::Keys), "Create a key", body)
    }

    /// The part that is shown once. `address`: where the client calls.
    pub(in crate::http) fn key(row: &KeyCard, key: &str, address: &str) -> Page {
        let body = html! {
            p { "This is the key of " strong { (row.name) } ". It is shown only once: copy it now." }
            (copied("key", "The key", key))
            (copied("header", "The header that the program sends with every request",
                &format!("Authorization: Bearer {key}")))
            (copied("address", "The address of the server", address))
            p { "For Claude Code, set the key as HIGHLEVEL_TOKEN. This command then prints what to enter:" }
            (copied("command", "Command", &format!("highlevel-mcp connect claude-code --url {address}")))
            dl {
                dt { "Sub-accounts" } dd { (row.locations) }
                dt { "May" } dd { (row.rules.join("\nlimited to: ")) }
                dt { "Expires" } dd { (Moment::or_never(row.expires)) }
            }
            div class="buttons" { a class="button" href="/console/keys" { "All keys" } }
        };
        Page::new(PageKind::Console(Part::Keys), "The key was created", body)
    }
}

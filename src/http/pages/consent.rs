//! The page on which a person admits a client, or declines.

use std::time::Duration;

use maud::{Markup, html};
use oauth::Destination;

use super::brand::Brand;
use super::form::{problem, token};
use super::{Page, PageKind};

/// Most locations with a box each: nobody reads a longer page.
pub(in crate::http) const MOST_LISTED: usize = 100;

/// The client as the page shows it.
#[derive(Clone, Debug)]
pub(in crate::http) struct ClientView {
    /// Cleaned and cut.
    pub name: String,
    pub origin: ClientOrigin,
    /// Where the browser goes afterwards.
    pub goes_to: Destination,
    /// The name has letters that look like others.
    pub may_imitate: bool,
}

/// The source of a client's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::http) enum ClientOrigin {
    /// This host publishes the document that is the client's id.
    Published(String),
    /// The operator entered it.
    Operator,
    /// Nobody has verified it.
    Unchecked,
}

/// A location with its box.
#[derive(Clone, Debug)]
pub(in crate::http) struct LocationRow {
    pub alias: String,
    pub name: String,
    pub zone: Option<String>,
    pub is_chosen: bool,
}

/// One set of rights for the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::http) struct RulesRow {
    /// The form's value, as in a grant.
    pub value: String,
    pub title: String,
    pub text: String,
    pub is_chosen: bool,
}

pub(in crate::http) struct ConsentPage<'a> {
    pub client: &'a ClientView,
    /// The person who decides.
    pub person: &'a str,
    /// Whether the person came with a session, and may sign out to be somebody else.
    pub has_session: bool,
    pub locations: &'a [LocationRow],
    /// The number of locations without a box.
    pub unlisted: usize,
    /// One box stands for all, future ones included.
    pub takes_all: bool,
    /// Whether the person may connect another one first.
    pub may_add: bool,
    pub rules: &'a [RulesRow],
    pub unused_for: Duration,
    pub longest: Duration,
    /// The page where connections are ended.
    pub console: &'a str,
    pub problem: Option<&'a str>,
    /// The client's request, sealed for this browser.
    pub sealed: &'a str,
}

impl ConsentPage<'_> {
    pub(in crate::http) fn page(&self, brand: &Brand) -> Page {
        let title = format!(
            "{} wants to work in your {} account",
            self.client.heading(),
            brand.crm_name
        );
        let body = html! {
            (problem(self.problem))
            (self.client.introduction())
            (self.client.destination())
            p class="soft" {
                "This server belongs to " strong { (brand.name) } ", not to " (brand.crm_name) ". What the assistant reads "
                "in your account is sent to the company that provides the assistant."
            }
            form method="post" action="/authorize/decide" {
                (token(self.sealed))
                (self.who())
                (self.location_choice())
                fieldset {
                    legend { "What may it do?" }
                    @for row in self.rules { (rules_choice(row)) }
                }
                p class="soft" {
                    "You can end this connection at any time at " a href="/console/connections" target="_blank" rel="noopener" {
                        (self.console)
                    }
                    ". It ends automatically after " (days(self.unused_for)) " without use. After " (days(self.longest))
                    " you are asked again."
                }
                div class="buttons" {
                    button class="main" name="decision" value="allow" { "Allow" }
                    // The boxes do not matter if the person declines.
                    button name="decision" value="deny" formnovalidate { "Cancel" }
                }
            }
        };
        Page::new(PageKind::Consent, title, body)
    }

    fn who(&self) -> Markup {
        html! {
            p {
                "You are " strong { (self.person) } "."
                @if self.has_session {
                    " " button class="link" formaction="/authorize/enter" name="leave" value="yes" formnovalidate {
                        "Not you?"
                    }
                }
            }
        }
    }

    fn location_choice(&self) -> Markup {
        let has_several = self.locations.len() > 1;
        html! {
            fieldset {
                legend { "Which sub-accounts?" }
                @for row in self.locations {
                    label class="choice" {
                        input type="checkbox" name="location" value=(row.alias) checked[row.is_chosen];
                        span {
                            b { (row.name) }
                            @if let Some(zone) = &row.zone { span class="soft" { (zone) } }
                        }
                    }
                }
                @if self.unlisted > 0 {
                    label class="field" for="others" { "Other sub-accounts, by their short names" }
                    p id="others-hint" class="soft" {
                        (self.unlisted) " more sub-accounts are not listed here. Separate their short names by commas: "
                        "acme, globex."
                    }
                    input type="text" id="others" name="others" autocomplete="off" autocapitalize="none" spellcheck="false"
                        aria-describedby="others-hint";
                }
                label class="choice" {
                    input type="checkbox" name="location" value="*" checked[self.takes_all];
                    span {
                        b { (if has_several { "All sub-accounts, and new ones too" } else { "New sub-accounts too" }) }
                        span class="soft" { "Also those that you get access to later." }
                    }
                }
                @if self.may_add {
                    button class="link" formaction="/authorize/location" formnovalidate {
                        "Connect another sub-account first"
                    }
                }
            }
        }
    }
}

impl ClientView {
    /// The name at the start of a sentence.
    fn heading(&self) -> String {
        match self.origin {
            ClientOrigin::Unchecked => format!("A program that calls itself “{}”", self.name),
            ClientOrigin::Published(_) | ClientOrigin::Operator => self.name.clone(),
        }
    }

    /// The name within a sentence.
    pub(in crate::http) fn mention(&self) -> String {
        match self.origin {
            ClientOrigin::Unchecked => format!("a program that calls itself “{}”", self.name),
            ClientOrigin::Published(_) | ClientOrigin::Operator => self.name.clone(),
        }
    }

    fn introduction(&self) -> Markup {
        html! {
            @match &self.origin {
                ClientOrigin::Published(host) => p { "Published by " strong { (host) } " (checked)." },
                ClientOrigin::Operator => p { "Added by the operator of this server." },
                ClientOrigin::Unchecked => p class="note" {
                    strong { "The program gives this name itself, and nobody can check it." }
                    " What you can check is where your browser returns to, below."
                },
            }
            @if self.may_imitate {
                p class="problem" {
                    strong { "This name contains letters that look like other letters." }
                    " The program may pretend to be another one. Trust the address below, not the name."
                }
            }
        }
    }

    fn destination(&self) -> Markup {
        let just_started =
            " Continue only if you started this connection yourself, just now, on this device.";
        html! {
            p {
                @match &self.goes_to {
                    Destination::ThisComputer { host } => {
                        "If you allow this, your browser returns to a program on this computer (" strong { (host) } ")."
                        (just_started)
                    }
                    Destination::Site(host) => {
                        "If you allow this, your browser goes to the website " strong { (host) } "."
                        @if self.origin == ClientOrigin::Unchecked {
                            " Continue only if you know that website and started this connection there yourself."
                        }
                    }
                    Destination::Program(scheme) => {
                        "If you allow this, your browser opens the program on this device that handles links beginning \
                         with "
                        strong { (scheme) ":" } "." (just_started)
                    }
                }
            }
        }
    }
}

fn rules_choice(row: &RulesRow) -> Markup {
    html! {
        label class="choice" {
            input type="radio" name="rules" value=(row.value) checked[row.is_chosen] required;
            span { b { (row.title) } span { (row.text) } }
        }
    }
}

/// `90 days`, `a year`.
fn days(time: Duration) -> String {
    let hours = time.as_secs() / 3600;
    match hours / 24 {
        365 | 366 => "a year".to_owned(),
        1 => "a day".to_owned(),
        0 => format!("{} hours", hours.max(1)),
        days => format!("{days} days"),
    }
}

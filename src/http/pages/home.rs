//! The first page of the console: waiting calls, an overview, and the address for a new assistant.

use maud::{Markup, html};

use super::connect::CONNECT;
use super::form::token;
use super::front::address;
use super::passkeys::PASSKEYS;
use super::{Page, PageKind, Part};

pub(in crate::http) struct HomePage<'a> {
    pub person: &'a str,
    pub is_operator: bool,
    /// Everything that changes something is refused for now.
    pub is_paused: bool,
    /// Calls that wait for this person.
    pub approvals: usize,
    pub connections: usize,
    pub locations: usize,
    /// The number of this person's passkeys; `None` if there can be none.
    pub passkeys: Option<usize>,
    /// The address for clients.
    pub endpoint: &'a str,
    pub token: &'a str,
}

impl HomePage<'_> {
    pub(in crate::http) fn page(&self) -> Page {
        let body = html! {
            p {
                "You are " strong { (self.person) }
                @if self.is_operator { ", an operator of this server" } "."
            }
            @if self.is_paused {
                p class="problem" {
                    "Everything is paused: assistants can look things up, and do nothing else"
                    @if self.is_operator { ", until you " a href="/console/pause" { "resume" } } "."
                }
            }
            ul class="cards" {
                (card("/console/approvals", "Approvals", &match self.approvals {
                    0 => "Nothing waits for your decision.".to_owned(),
                    1 => "1 request waits for your decision.".to_owned(),
                    many => format!("{many} requests wait for your decision."),
                }))
                (card("/console/connections", "Connections", &match self.connections {
                    0 => "No assistant is connected yet.".to_owned(),
                    1 => "1 assistant is connected.".to_owned(),
                    many => format!("{many} assistants are connected."),
                }))
                (card("/console/locations", "Sub-accounts", &match self.locations {
                    0 => "No sub-account is connected yet.".to_owned(),
                    1 => "1 sub-account is connected.".to_owned(),
                    many => format!("{many} sub-accounts are connected."),
                }))
            }
            @if let Some(passkeys) = self.passkeys {
                p {
                    @match passkeys {
                        0 => { "You have no passkey. Without one you need a new link for each sign-in. " }
                        1 => { "You sign in with 1 passkey. " }
                        many => { "You can sign in with any of your " (many) " passkeys. " }
                    }
                    a href=(PASSKEYS) { @if passkeys == 0 { "Add a passkey" } @else { "Show passkeys" } }
                }
            }
            h2 { "Connect an assistant" }
            p { "In your assistant, add a new connector (or MCP server) with this address." }
            (address(self.endpoint))
            p { a href=(CONNECT) { "Steps for each assistant" } }
            form method="post" action="/console/signout" {
                (token(self.token))
                div class="buttons" { button { "Sign out" } }
            }
        };
        Page::new(PageKind::Console(Part::Home), "Console", body)
    }
}

fn card(path: &str, name: &str, sentence: &str) -> Markup {
    html! {
        li {
            h2 { a href=(path) { (name) } }
            p { (sentence) }
        }
    }
}

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
                @if self.is_operator { ", and you run this server" } "."
            }
            ul class="cards" {
                (card("/console/approvals", "Approvals", &match self.approvals {
                    0 => "Nothing waits for you.".to_owned(),
                    1 => "1 request waits for your yes or no.".to_owned(),
                    many => format!("{many} requests wait for your yes or no."),
                }))
                (card("/console/connections", "Connections", &match self.connections {
                    0 => "No assistant is connected yet.".to_owned(),
                    1 => "1 assistant is connected.".to_owned(),
                    many => format!("{many} assistants are connected."),
                }))
                (card("/console/locations", "Sub-accounts", &match self.locations {
                    0 => "There are none yet.".to_owned(),
                    1 => "1 sub-account.".to_owned(),
                    many => format!("{many} sub-accounts."),
                }))
            }
            @if let Some(passkeys) = self.passkeys {
                p {
                    @match passkeys {
                        0 => { "You have no passkey, and need a new link each time that you sign in. " }
                        1 => { "You sign in by 1 passkey. " }
                        many => { "You sign in by one of " (many) " passkeys. " }
                    }
                    a href=(PASSKEYS) { @if passkeys == 0 { "Add a passkey" } @else { "See them" } }
                }
            }
            h2 { "Connect an assistant" }
            p { "Give your assistant this address as a new connector or MCP server." }
            (address(self.endpoint))
            p { a href=(CONNECT) { "Step by step, for each client" } }
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

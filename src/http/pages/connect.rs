//! The steps to connect a client, and whether it has arrived.

use maud::{Markup, html};

use super::client_steps::{ClientSteps, StepsFor};
use super::front::address;
use super::{Page, PageKind, Part};

/// The address of the clients' list.
pub(in crate::http) const CONNECT: &str = "/console/connect";

/// All clients, to choose one.
pub(in crate::http) struct ConnectPage<'a> {
    /// The address for clients.
    pub endpoint: &'a str,
}

/// One client and its steps.
pub(in crate::http) struct ClientPage<'a> {
    pub client: &'a ClientSteps,
    pub endpoint: &'a str,
    pub steps_for: StepsFor,
    /// The time when the page was first opened, in milliseconds since 1970: later clients count.
    pub since: i64,
    /// The client that has arrived since; `None`: none yet.
    pub arrived: Option<&'a str>,
}

impl ConnectPage<'_> {
    pub(in crate::http) fn page(&self) -> Page {
        let body = html! {
            p { "Choose your assistant or program to see the steps. Any other program that supports MCP takes this \
                 address:" }
            (address(self.endpoint))
            ul class="choices" {
                @for one in ClientSteps::all() {
                    li { a href={ (CONNECT) "/" (one.slug) } { (one.name) } }
                }
            }
        };
        Page::new(
            PageKind::Console(Part::Connect),
            "Connect an assistant",
            body,
        )
    }
}

impl ClientPage<'_> {
    pub(in crate::http) fn page(&self) -> Page {
        let here = format!("{CONNECT}/{}", self.client.slug);
        let since = self.since;
        let body = html! {
            (address(self.endpoint))
            (self.client.show(self.endpoint, self.steps_for))
            h2 { "Is it connected?" }
            div class="note" role="status" hx-get={ (here) "/live?since=" (since) } hx-trigger="every 2s" {
                (live(self.client, self.arrived))
            }
            p {
                a href={ (here) "?since=" (since) } { "Refresh" } " · " a href=(CONNECT) { "Another assistant" }
            }
        };
        let title = format!("Connect {}", self.client.name);
        Page::new(PageKind::Console(Part::Connect), title, body)
    }
}

/// The page's live part about the client.
pub(in crate::http) fn live(client: &ClientSteps, arrived: Option<&str>) -> Markup {
    html! {
        @match arrived {
            Some(arrived) => (arrived),
            None => { "Waiting for " (client.name) "…" }
        }
    }
}

//! The pages at the server's bare address and at MCP's paths: what this is, and how to connect.

use maud::{Markup, html};

use super::brand::Brand;
use super::client_steps::{ClientSteps, StepsFor};
use super::{Page, PageKind};

pub(in crate::http) struct FrontPage {
    /// The address for clients.
    pub endpoint: String,
    pub steps_for: StepsFor,
    /// Whether people can sign in at this host.
    pub has_console: bool,
    /// The client whose steps are shown.
    pub client: Option<&'static ClientSteps>,
}

impl FrontPage {
    pub(in crate::http) fn page(&self, brand: &Brand) -> Page {
        if let Some(client) = self.client {
            let body = html! {
                (address(&self.endpoint))
                (client.show(&self.endpoint, self.steps_for))
                p { a href="/" { "Another assistant" } }
            };
            return Page::new(PageKind::Entry, format!("Connect {}", client.name), body);
        }
        let body = html! {
            p {
                "Through this server an AI assistant such as Claude, ChatGPT or Cursor works in your " (brand.crm_name)
                " account: it looks up contacts, writes messages and changes records, as far as you allow."
            }
            p {
                @match self.steps_for {
                    StepsFor::SignIn => "In your assistant, add a new connector (or MCP server) with this address. The \
                                         assistant then sends you back here to allow it.",
                    StepsFor::OwnAccount => "In an assistant that runs on this computer, add a new MCP server with \
                                             this address.",
                    StepsFor::Key | StepsFor::SettingsKey => {
                        "In your assistant, add a new MCP server with this address, and an access key of this server or a token."
                    }
                    StepsFor::Token => "In your assistant, add a new MCP server with this address and a token.",
                }
            }
            (address(&self.endpoint))
            h2 { "Steps for your assistant" }
            ul class="choices" {
                @for one in ClientSteps::all() {
                    li { a href={ "/?client=" (one.slug) } { (one.name) } }
                }
            }
            @if self.has_console {
                h2 { "Your pages" }
                p { a href="/console" { "See what is connected, and approve or deny what waits for you" } }
                @if self.steps_for != StepsFor::SignIn {
                    p class="soft" { "To sign in there, run " code { "highlevel-mcp console" } " on this computer and open the link that it prints." }
                }
            }
        };
        Page::new(PageKind::Entry, "Connect an assistant", body)
    }

    /// The page for a person at an address for programs.
    pub(in crate::http) fn at_mcp(&self) -> Page {
        let body = html! {
            p { "This address is for assistants, not for browsers. In your assistant, add a new connector (or MCP \
                 server) with it:" }
            (address(&self.endpoint))
            div class="buttons" { a class="button main" href="/" { "How to connect" } }
        };
        Page::new(PageKind::Entry, "You are at the right address", body)
    }
}

/// An address that one click selects as a whole.
pub(in crate::http) fn address(endpoint: &str) -> Markup {
    html! { code class="address" { (endpoint) } }
}

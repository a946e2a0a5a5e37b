//! The page at the bare address of the server: what it is for, and where to go on.

use maud::html;

use super::{Page, PageKind};

pub(in crate::http) struct FrontPage<'a> {
    /// The address for clients.
    pub endpoint: &'a str,
}

impl FrontPage<'_> {
    pub(in crate::http) fn page(&self) -> Page {
        let body = html! {
            p { "Give your assistant this address as a new connector or MCP server. It sends you back here to say yes." }
            code class="address" { (self.endpoint) }
            p { a href="/console" { "See what is connected, and what waits for your yes or no" } }
        };
        Page::new(PageKind::Entry, "Connect an assistant", body)
    }
}

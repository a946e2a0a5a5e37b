//! Pages for a customer whom a builder asks to connect a location.

use maud::html;

use super::brand::Brand;
use super::form::{problem, secret, text, token};
use super::{Page, PageKind};

/// Where the link of a builder leads.
pub(in crate::http) const CONNECT: &str = "/connect";

/// The form for a token.
pub(in crate::http) const CONNECT_TOKEN: &str = "/connect/token";

/// The first page: a link shows nothing until a button is pressed, so that programs that preview links use none up.
pub(in crate::http) fn open_page(brand: &Brand, wrong: Option<&str>) -> Page {
    let body = html! {
        p {
            "You were asked to connect your " (brand.crm_name) " account. On the next page you see who asks, and what for."
        }
        (problem(wrong))
        form method="post" action=(CONNECT) {
            (text("link", "Your link", 500, true))
            div class="buttons" { button class="main" { "Continue" } }
        }
    };
    Page::new(PageKind::Entry, "Connect your account", body)
}

/// Where the customer says which location, and shows that it is theirs.
pub(in crate::http) struct CustomerPage<'a> {
    /// Who asks: the name of the builder's key.
    pub builder: &'a str,
    /// What the builder's program may do, in a sentence.
    pub may: &'a str,
    /// The host where the customer goes afterwards.
    pub goes_to: &'a str,
    pub problem: Option<&'a str>,
    /// The link, sealed for this browser.
    pub sealed: &'a str,
}

impl CustomerPage<'_> {
    pub(in crate::http) fn page(&self, brand: &Brand) -> Page {
        let crm = &brand.crm_name;
        let title = format!("{} asks to work in your {crm} account", self.builder);
        let body = html! {
            p { strong { (self.builder) } " " (self.may) }
            p class="soft" {
                "This server belongs to " strong { (brand.name) } ", not to " (crm) ". Afterwards your browser goes to "
                strong { (self.goes_to) } ". Only go on if you have just come from there yourself."
            }
            (problem(self.problem))
            form method="post" action=(CONNECT_TOKEN) {
                (token(self.sealed))
                p {
                    @if let Some(url) = &brand.app_url {
                        "Open " a href=(url) target="_blank" rel="noreferrer" { (crm) } ", choose your sub-account, and go"
                    } @else {
                        "In " (crm) ", choose your sub-account, and go"
                    }
                    " to Settings → Private Integrations. Make one, tick what it may do, and copy its token: it is shown once."
                }
                (text("location", "Address of any page of your sub-account, or its id", 500, true))
                (secret(
                    "token",
                    "Private integration token",
                    "It begins with pit-. It is kept encrypted; the operator of this server can use it.",
                ))
                div class="buttons" { button class="main" { "Connect" } }
            }
            p class="soft" {
                "To end it later, ask " (self.builder) ", or delete the integration in " (crm) "."
            }
        };
        Page::new(PageKind::Consent, title, body)
    }
}

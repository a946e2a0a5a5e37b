//! Pages for a customer whom a builder asks to connect a location.

use maud::{Markup, html};
use serde::{Deserialize, Serialize};

use super::brand::Brand;
use super::form::{problem, secret, text, text_again, token};
use super::{Page, PageKind};

/// The path of a builder's links.
pub(in crate::http) const CONNECT: &str = "/connect";

/// The path of the form for a token.
pub(in crate::http) const CONNECT_TOKEN: &str = "/connect/token";

/// The end of a sign-in at the CRM.
pub(in crate::http) const CONNECTED: &str = "/connect/connected";

/// The button that leads to the CRM.
pub(in crate::http) const CONNECT_SIGN_IN: &str = "/connect/sign-in";

/// The first page: a link shows nothing until a button is pressed, so that programs that preview links use none up.
pub(in crate::http) fn open_page(brand: &Brand, wrong: Option<&str>) -> Page {
    let body = html! {
        p {
            "You were asked to connect your " (brand.crm_name) " account. The next page shows who asks for it, and "
            "what they want to do."
        }
        (problem(wrong))
        form method="post" action=(CONNECT) {
            (text("link", "Your link", 500, true))
            div class="buttons" { button class="main" { "Continue" } }
        }
    };
    Page::new(PageKind::Entry, "Connect your account", body)
}

/// Where the customer says which location, and shows that it is theirs: by signing in at the CRM, or by a token.
pub(in crate::http) struct CustomerPage<'a> {
    /// The name of the builder's key.
    pub builder: &'a str,
    /// The rights of the builder's program, in a sentence.
    pub may: &'a str,
    /// The host where the customer goes afterwards.
    pub goes_to: &'a str,
    /// The operator has an app there.
    pub may_sign_in: bool,
    pub may_paste: bool,
    /// The sub-account as it was typed, if the form for a token was sent already.
    pub typed: Option<&'a str>,
    pub problem: Option<&'a str>,
    /// The link, sealed for this browser.
    pub sealed: &'a str,
}

/// A location is connected: which one, and the way on.
#[derive(Deserialize, Serialize)]
pub(in crate::http) struct ConnectedPage {
    pub builder: String,
    pub location: String,
    /// The host of `way_back`.
    pub goes_to: String,
    pub way_back: String,
}

impl CustomerPage<'_> {
    pub(in crate::http) fn page(&self, brand: &Brand) -> Page {
        let crm = &brand.crm_name;
        let title = format!("{} asks to work in your {crm} account", self.builder);
        let body = html! {
            p { strong { (self.builder) } " " (self.may) }
            p class="soft" {
                "This server belongs to " strong { (brand.name) } ", not to " (crm) ". Afterwards your browser goes to "
                strong { (self.goes_to) } ". Continue only if you came from there yourself, just now."
            }
            (problem(self.problem))
            @if self.may_sign_in {
                form method="post" action=(CONNECT_SIGN_IN) {
                    (token(self.sealed))
                    p { "Sign in at " (crm) " and choose " strong { "one" } " sub-account there. You then come back here." }
                    div class="buttons" { button class="main" { "Sign in at " (crm) } }
                }
            }
            @match (self.may_sign_in, self.may_paste) {
                (true, true) => {
                    details open[self.typed.is_some()] {
                        summary { "Cannot sign in there? Connect with a token" }
                        (self.token_form(brand))
                    }
                }
                (false, true) => (self.token_form(brand)),
                (_, false) => {}
            }
            p class="soft" { "To end this later, ask " (self.builder) ", or " (self.way_to_end()) " in " (crm) "." }
        };
        Page::new(PageKind::Consent, title, body)
    }

    fn token_form(&self, brand: &Brand) -> Markup {
        let crm = &brand.crm_name;
        html! {
            form method="post" action=(CONNECT_TOKEN) {
                (token(self.sealed))
                p {
                    @if let Some(url) = &brand.app_url {
                        "Open " a href=(url) target="_blank" rel="noreferrer" { (crm) } ", open your sub-account and go"
                    } @else {
                        "In " (crm) ", open your sub-account and go"
                    }
                    " to Settings → Private Integrations. Create an integration, tick what it may do, and copy its \
                     token. The token is shown only once."
                }
                (text_again(
                    "location",
                    "Web address of any page of your sub-account, or its id",
                    500,
                    true,
                    self.typed.unwrap_or_default(),
                ))
                (secret(
                    "token",
                    "Private integration token",
                    &format!(
                        "It begins with pit-, and is like a password. It is stored encrypted. {}, who runs this \
                         server, can use it.",
                        brand.name
                    ),
                ))
                div class="buttons" { button class=[(!self.may_sign_in).then_some("main")] { "Connect" } }
            }
        }
    }

    fn way_to_end(&self) -> &'static str {
        match (self.may_sign_in, self.may_paste) {
            (true, true) => "uninstall the app or delete the integration",
            (true, false) => "uninstall the app",
            (false, _) => "delete the integration",
        }
    }
}

impl ConnectedPage {
    pub(in crate::http) fn page(&self, brand: &Brand) -> Page {
        let body = html! {
            p {
                strong { (self.builder) } " can now work in the sub-account " strong { (self.location) } " of your "
                (brand.crm_name) " account, and in no other. Continue, so that it learns that you have finished."
            }
            div class="buttons" { a class="button main" href=(self.way_back) { "Continue to " (self.goes_to) } }
            p class="soft" {
                "To end this later, ask " (self.builder) ", or uninstall the app in " (brand.crm_name) "."
            }
        };
        Page::new(
            PageKind::Consent,
            format!("{} is connected", self.location),
            body,
        )
    }
}

//! The page on which a person whom a client sent identifies themselves, and connects a sub-account if they have none.

use maud::html;

use super::brand::Brand;
use super::consent::ClientView;
use super::form::{problem, secret, token};
use super::locations::token_fields;
use super::{Page, PageKind};

/// The first page of a consent, for a browser in which nobody is signed in.
pub(in crate::http) struct EntryPage<'a> {
    pub client: &'a ClientView,
    /// Whether a token of one's own is enough.
    pub may_paste: bool,
    /// The address to sign in at the CRM; `None` if there is no app.
    pub sign_in_at: Option<&'a str>,
    pub problem: Option<&'a str>,
    pub sealed: &'a str,
}

impl EntryPage<'_> {
    pub(in crate::http) fn page(&self, brand: &Brand) -> Page {
        let body = html! {
            p {
                "You come from " strong { (self.client.mention()) } ", which wants to work in your " (brand.crm_name)
                " account. Before you decide about that, show " strong { (brand.name) } " who you are."
            }
            (problem(self.problem))
            form method="post" action="/authorize/enter" {
                (token(self.sealed))
                (secret(
                    "proof",
                    "Your invitation or sign-in link, or an access key",
                    &format!(
                        "Copy the whole link from the message that you got, and paste it here. {} gives you one. If you \
                         started this server yourself, it printed one. An access key begins with hlk_.",
                        brand.name
                    ),
                ))
                div class="buttons" {
                    button class="main" { "Continue" }
                    // Returns to the client with a refusal.
                    button formaction="/authorize/decide" name="decision" value="deny" formnovalidate { "Cancel" }
                }
            }
            @if let Some(address) = self.sign_in_at {
                p { "Or " a href=(address) { "sign in at " (brand.crm_name) } "." }
            }
            @if self.may_paste {
                form method="post" action="/authorize/location" {
                    (token(self.sealed))
                    p {
                        "You have none of these? "
                        button class="link" { "Connect your own sub-account" }
                        " with a private integration token."
                    }
                }
            }
        };
        Page::new(PageKind::Consent, "Who are you?", body)
    }
}

/// The page to connect a sub-account of one's own.
pub(in crate::http) struct TokenPage<'a> {
    pub problem: Option<&'a str>,
    /// The sub-account as it was typed before the error.
    pub typed: &'a str,
    pub sealed: &'a str,
}

impl TokenPage<'_> {
    pub(in crate::http) fn page(&self, brand: &Brand) -> Page {
        let body = html! {
            (problem(self.problem))
            form method="post" action="/authorize/check" {
                (token(self.sealed))
                (token_fields(brand, self.typed))
                div class="buttons" {
                    button class="main" { "Check and continue" }
                    button formaction="/authorize/decide" name="decision" value="deny" formnovalidate { "Cancel" }
                }
            }
        };
        Page::new(PageKind::Consent, "Connect a sub-account", body)
    }
}

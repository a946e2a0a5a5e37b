//! The page for a person who returns from the CRM without this server's data.

use maud::html;

use super::brand::Brand;
use super::form::token;
use super::{Page, PageKind};

/// Asks whether the sign-in was begun here: another site may have sent the browser.
pub(in crate::http) struct ComeBackPage<'a> {
    pub sealed: &'a str,
}

impl ComeBackPage<'_> {
    pub(in crate::http) fn page(&self, brand: &Brand) -> Page {
        let body = html! {
            p {
                (brand.crm_name) " sent you here to connect a sub-account to " strong { (brand.name) } ". Continue only if you "
                "chose that yourself, just now."
            }
            form method="post" action="/connect/crm/confirm" {
                (token(self.sealed))
                div class="buttons" { button class="main" { "Connect" } }
            }
        };
        Page::new(PageKind::Entry, "Connect this sub-account?", body)
    }
}

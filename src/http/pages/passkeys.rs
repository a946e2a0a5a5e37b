//! The passkeys of a person, and the button to sign in with one.

use maud::{Markup, html};

use super::form::{text, token};
use super::moment::Moment;
use super::{Page, PageKind, Pages, Part};

/// The page of the passkeys.
pub(in crate::http) const PASSKEYS: &str = "/console/passkeys";

pub(in crate::http) struct PasskeyRow {
    /// Its name in a form; of no other use.
    pub id: String,
    pub name: String,
    pub created: Moment,
    pub used: Option<Moment>,
}

pub(in crate::http) struct PasskeysPage<'a> {
    pub rows: &'a [PasskeyRow],
    pub token: &'a str,
}

impl PasskeysPage<'_> {
    pub(in crate::http) fn page(&self, pages: &Pages) -> Page {
        let body = html! {
            p {
                "With a passkey you sign in with your fingerprint, face or screen lock, and stay signed in for 30 \
                 days. The passkey stays on your device. This server stores only what it needs to recognise it."
            }
            @if self.rows.is_empty() {
                p { "You have no passkey yet. Without one you need a new link for each sign-in." }
            } @else {
                ul class="cards" { @for row in self.rows { (self.card(row)) } }
            }
            h2 { "Add a passkey" }
            (button(pages, "create", (PASSKEYS, "/console/passkeys/begin"), &html! {
                (token(self.token))
                (text("name", "Its name, such as “my phone”", 64, true))
                div class="buttons" { button class="main" { "Add a passkey" } }
            }))
        };
        Page::new(PageKind::Console(Part::Home), "Passkeys", body)
    }

    fn card(&self, row: &PasskeyRow) -> Markup {
        html! {
            li {
                h2 { (row.name) }
                p class="soft" {
                    "Added " (row.created)
                    @match &row.used { Some(used) => { ", last used " (used) } None => { ", not used yet" } }
                }
                form method="post" action="/console/passkeys/remove" {
                    (token(self.token))
                    input type="hidden" name="passkey" value=(row.id);
                    div class="buttons" { button class="bad" { "Remove" } }
                }
            }
        }
    }
}

/// The button to sign in. `next`: the page of ours to go on to.
pub(in crate::http) fn sign_in_button(pages: &Pages, next: &str) -> Markup {
    let routes = ("/console/signin/passkey", "/console/signin/passkey/begin");
    button(
        pages,
        "get",
        routes,
        &html! {
            input type="hidden" name="next" value=(next);
            div class="buttons" { button class="main" { "Use a passkey" } }
        },
    )
}

/// A form that a script sends. It is shown only with script, and if the browser supports passkeys.
fn button(pages: &Pages, way: &str, (action, begin): (&str, &str), fields: &Markup) -> Markup {
    html! {
        form method="post" action=(action) data-passkey=(way) data-begin=(begin) hidden {
            p class="problem" role="alert" hidden {}
            (fields)
        }
        noscript { p class="soft" { "Passkeys need JavaScript, which is switched off in your browser." } }
        script src=(pages.passkey_script()) defer {}
    }
}

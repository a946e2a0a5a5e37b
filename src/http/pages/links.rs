//! Pages for links of ours: to become the first operator, to join, to sign in.
//!
//! The secret of a link is in its fragment, which browsers send nowhere. A small script puts it into the form; without
//! script the person pastes it.

use maud::html;

use super::brand::Brand;
use super::form::{problem, text, text_again};
use super::{Page, PageKind};

/// The purpose of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) enum LinkPage {
    First,
    Join,
    SignIn,
}

impl LinkPage {
    /// The path of its page.
    pub(in crate::http) fn path(self) -> &'static str {
        match self {
            Self::First => "/console/first",
            Self::Join => "/console/join",
            Self::SignIn => "/console/signin",
        }
    }

    /// `wrong`: the error of the form that was sent. `name`: the name that was typed there.
    pub(in crate::http) fn page(self, brand: &Brand, wrong: Option<&str>, name: &str) -> Page {
        let (title, sentence, button) = match self {
            Self::First => (
                format!("Become the operator of {}", brand.name),
                "You will decide who may connect, to which sub-accounts, and what they may do.",
                "Become the operator",
            ),
            Self::Join => (
                format!("Join {}", brand.name),
                "You were invited. After you join, you can connect your assistant to the sub-accounts of your \
                 invitation.",
                "Join",
            ),
            Self::SignIn => (
                format!("Sign in to {}", brand.name),
                "There is no password. You sign in with a link that the operator of this server creates for you. Each \
                 link works once.",
                "Sign in",
            ),
        };
        let body = html! {
            p { (sentence) }
            (problem(wrong))
            form method="post" action=(self.path()) {
                (text("link", "Your link", 500, true))
                @if self == Self::First {
                    (text_again("name", "Your name", 64, true, name))
                }
                div class="buttons" {
                    button class="main" { (button) }
                }
            }
        };
        Page::new(PageKind::Entry, title, body)
    }
}

/// The secret in pasted text: the whole link, or its fragment.
pub(in crate::http) fn secret_in(pasted: &str) -> Option<&str> {
    let pasted = pasted.trim();
    let secret = pasted
        .rsplit_once('#')
        .map_or(pasted, |(_, secret)| secret.trim());
    let is_one = secret.starts_with("hli_") && secret.len() <= 100;
    is_one.then_some(secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_pasted_whole_or_in_part() {
        for (pasted, expected) in [
            ("https://mcp.example/console/join#hli_abc", Some("hli_abc")),
            (" hli_abc\n", Some("hli_abc")),
            ("#hli_abc", Some("hli_abc")),
            ("https://mcp.example/console/join", None),
            ("hlk_abc", None),
            ("", None),
        ] {
            assert_eq!(secret_in(pasted), expected, "{pasted}");
        }
    }
}

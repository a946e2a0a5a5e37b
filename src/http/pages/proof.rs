//! The page on which a signed-in person proves again who they are, before an action that gives rights or cannot be undone.

use maud::{Markup, html};

use super::form::{problem, text, token};
use super::{Page, PageKind, Part};

pub(in crate::http) struct ProofPage<'a> {
    /// The person's name as the command takes it.
    pub person: &'a str,
    /// The path of the console to go on to.
    pub next: &'a str,
    pub problem: Option<&'a str>,
    pub token: &'a str,
}

impl ProofPage<'_> {
    pub(in crate::http) fn page(&self) -> Page {
        let body = html! {
            p {
                "This step gives somebody rights, or cannot be undone. Somebody else who finds your browser open must \
                 not be able to do it. It therefore needs a sign-in within the last 15 minutes."
            }
            (problem(self.problem))
            (self.by_link())
        };
        Page::new(
            PageKind::Console(Part::Home),
            "Confirm that it is you",
            body,
        )
    }

    fn by_link(&self) -> Markup {
        html! {
            p { "On the computer that runs this server, create a sign-in link for yourself and paste it here:" }
            code class="address" { "highlevel-mcp console link --person " (quoted(self.person)) }
            form method="post" action="/console/proof" {
                (token(self.token))
                input type="hidden" name="next" value=(self.next);
                (text("link", "Your sign-in link", 500, true))
                div class="buttons" {
                    button class="main" { "Continue" }
                    a class="button" href="/console" { "Cancel" }
                }
            }
        }
    }
}

/// Quoted for a shell as one word.
fn quoted(name: &str) -> String {
    let is_word =
        |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.');
    match name.chars().all(is_word) {
        true => name.to_owned(),
        false => format!("'{}'", name.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_word_for_a_shell() {
        for (name, expected) in [
            ("Ada", "Ada"),
            ("Ada Lovelace", "'Ada Lovelace'"),
            ("O'Neill", "'O'\\''Neill'"),
            ("$(id)", "'$(id)'"),
        ] {
            assert_eq!(quoted(name), expected);
        }
    }
}

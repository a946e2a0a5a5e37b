//! The form for an operator's invitation, and the resulting link.

use maud::{Markup, html};

use crate::http::pages::form::{FormFields, copied, problem, token};
use crate::http::pages::moment::Moment;
use crate::http::pages::reach::ReachFields;
use crate::http::pages::{Page, PageKind, Part};

/// Rules of the server's own that can be given to a person.
pub(in crate::http) struct SectionRow {
    /// The value in the form.
    pub value: String,
    pub title: String,
    pub text: String,
    pub is_chosen: bool,
}

impl SectionRow {
    pub(in crate::http::pages) fn choice(&self) -> Markup {
        html! {
            label class="choice" {
                input type="radio" name="rules" value=(self.value) checked[self.is_chosen] required;
                span { b { (self.title) } span { (self.text) } }
            }
        }
    }
}

pub(in crate::http) struct InvitePage<'a> {
    pub reach: &'a ReachFields,
    pub rules: &'a [SectionRow],
    /// The earlier input, if it had an error.
    pub before: Option<&'a FormFields>,
    pub problem: Option<&'a str>,
    pub token: &'a str,
}

impl InvitePage<'_> {
    pub(in crate::http) fn page(&self) -> Page {
        let body = html! {
            (problem(self.problem))
            form method="post" action="/console/people/invite" {
                (token(self.token))
                label class="field" for="name" { "Name" }
                input type="text" id="name" name="name" value=(self.sent("name")) maxlength="64" required autocomplete="off";
                fieldset {
                    legend { "Role" }
                    (self.choice("radio", "role", "member", "Member", "Connects assistants to the sub-accounts below.", true))
                    (self.choice("radio", "role", "operator", "Operator", "Runs this server as you do: reaches every \
                        sub-account, approves every action, invites people and ends their access.", false))
                }
                (self.reach.fields())
                fieldset {
                    legend { "Rules" }
                    @for row in self.rules { (row.choice()) }
                }
                fieldset {
                    legend { "Further permissions" }
                    (self.choice("checkbox", "approve", "yes", "May approve actions", "In the sub-accounts chosen above.", false))
                    (self.choice("checkbox", "connect", "yes", "May connect sub-accounts", "With their own tokens.", false))
                }
                fieldset {
                    legend { "How long the invitation is valid" }
                    (self.choice("radio", "lasts", "1", "A day", "", false))
                    (self.choice("radio", "lasts", "7", "A week", "", true))
                    (self.choice("radio", "lasts", "30", "A month", "", false))
                }
                div class="buttons" {
                    button class="main" { "Create the invitation" }
                    a class="button" href="/console/people" { "Cancel" }
                }
            }
        };
        Page::new(PageKind::Console(Part::People), "Invite somebody", body)
    }

    fn sent<'a>(&'a self, name: &'a str) -> &'a str {
        self.before.map_or("", |before| before.one(name))
    }

    fn choice(
        &self,
        kind: &str,
        name: &str,
        value: &str,
        title: &str,
        text: &str,
        is_usual: bool,
    ) -> Markup {
        let is_chosen = match self.before {
            Some(before) => before.one(name) == value,
            None => is_usual,
        };
        html! {
            label class="choice" {
                input type=(kind) name=(name) value=(value) checked[is_chosen];
                span { b { (title) } span { (text) } }
            }
        }
    }

    /// The part that is shown once.
    pub(in crate::http) fn link(name: &str, may: &str, until: Moment, link: &str) -> Page {
        let body = html! {
            p { "Send this link only to " strong { (name) } ". The first person who opens it joins." }
            (copied("link", "The invitation", link))
            p { "The link is valid until " (until) ", for one person. It is not shown again." }
            dl { dt { "May" } dd { (may) } }
            div class="buttons" { a class="button" href="/console/people" { "All people" } }
        };
        Page::new(
            PageKind::Console(Part::People),
            "The invitation was created",
            body,
        )
    }
}

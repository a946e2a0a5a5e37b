//! People who may sign in, open invitations, and the rights of each.

mod invite;

use maud::{Markup, html};

pub(in crate::http) use invite::{InvitePage, SectionRow};

use super::form::{problem, token};
use super::moment::Moment;
use super::paging::ListParts;
use super::{Page, PageKind, Part};

/// Most people, and most open invitations, on the page.
pub(in crate::http) const MOST_PEOPLE: usize = 50;
pub(in crate::http) const MOST_INVITATIONS: usize = 20;

/// Most sub-accounts of one person with a box each.
pub(in crate::http) const MOST_DECIDED: usize = 100;

pub(in crate::http) struct PersonCard {
    pub id: String,
    pub name: String,
    pub role: &'static str,
    /// The rights of the person.
    pub may: String,
    pub seen: Option<Moment>,
    /// The time since when the person may no longer sign in.
    pub ended: Option<Moment>,
}

pub(in crate::http) struct InvitationCard {
    pub id: String,
    pub name: String,
    pub role: &'static str,
    pub may: String,
    pub until: Moment,
    /// The number of people who may still join by it.
    pub uses: u32,
}

pub(in crate::http) struct PeoplePage<'a> {
    pub rows: &'a [PersonCard],
    pub paging: &'a ListParts,
    pub invitations: &'a [InvitationCard],
    pub unlisted_invitations: usize,
    pub token: &'a str,
}

impl PeoplePage<'_> {
    pub(in crate::http) fn page(&self) -> Page {
        let body = html! {
            div class="buttons" { a class="button" href="/console/people/invite" { "Invite somebody" } }
            ul class="cards" { @for row in self.rows { (row.card()) } }
            (self.paging.links())
            h2 { "Invitations" }
            @if self.invitations.is_empty() {
                p { "No invitation is open." }
            } @else {
                form method="post" action="/console/people/uninvite" {
                    (token(self.token))
                    ul class="cards" { @for row in self.invitations { (row.card()) } }
                }
                @if self.unlisted_invitations > 0 {
                    p {
                        (self.unlisted_invitations) " older ones are not shown. On the server, `highlevel-mcp people list` "
                        "prints all."
                    }
                }
            }
        };
        Page::new(PageKind::Console(Part::People), "People", body)
    }
}

impl PersonCard {
    fn card(&self) -> Markup {
        html! {
            li {
                h2 { a href={ "/console/people/" (self.id) } { (self.name) } }
                (self.facts())
            }
        }
    }

    fn facts(&self) -> Markup {
        html! {
            dl {
                dt { "Role" } dd { (self.role) }
                dt { "May" } dd { (self.may) }
                dt { "Last seen" } dd { (Moment::or_never(self.seen)) }
                @if let Some(ended) = &self.ended { dt { "Access" } dd { "ended " (ended) } }
            }
        }
    }
}

impl InvitationCard {
    fn card(&self) -> Markup {
        html! {
            li {
                h2 { (self.name) }
                dl {
                    dt { "Role" } dd { (self.role) }
                    dt { "May" } dd { (self.may) }
                    dt { "Valid until" } dd {
                        (self.until)
                        @if self.uses > 1 { ", for " (self.uses) " people" }
                    }
                }
                button class="bad" name="id" value=(self.id) {
                    "End" span class="hidden" { " the invitation of " (self.name) }
                }
            }
        }
    }
}

/// A sub-account of a person, and whether the person may approve calls there.
pub(in crate::http) struct DecidedLocation {
    pub alias: String,
    pub may_approve: bool,
}

/// One person.
pub(in crate::http) struct PersonPage<'a> {
    pub row: &'a PersonCard,
    /// `None` if there is nothing to choose: an operator approves everything.
    pub deciding: Option<DecidingForm<'a>>,
    /// The number of sub-accounts that the person connected.
    pub connected: usize,
    pub is_reader: bool,
    /// The reader has a fresh proof of identity.
    pub is_fresh: bool,
    pub problem: Option<&'a str>,
    pub token: &'a str,
}

pub(in crate::http) struct DecidingForm<'a> {
    pub everywhere: bool,
    pub rows: &'a [DecidedLocation],
    pub unlisted: usize,
}

impl PersonPage<'_> {
    pub(in crate::http) fn page(&self) -> Page {
        let row = self.row;
        let body = html! {
            (problem(self.problem))
            (row.facts())
            @if row.ended.is_none() {
                @if !self.is_fresh {
                    p { "You signed in more than 15 minutes ago. To change anything here, first confirm that it is \
                         you." }
                    div class="buttons" {
                        a class="button" href={ "/console/proof?next=/console/people/" (row.id) } { "Confirm" }
                    }
                } @else {
                    @if let Some(deciding) = &self.deciding { (self.decide(deciding)) }
                    (self.end())
                }
            }
            p { a href="/console/people" { "All people" } }
        };
        Page::new(PageKind::Console(Part::People), row.name.as_str(), body)
    }

    fn decide(&self, form: &DecidingForm) -> Markup {
        html! {
            h2 { "Approvals" }
            p { "The sub-accounts where this person may approve or deny waiting requests." }
            form method="post" action="/console/people/approvals" {
                (token(self.token))
                input type="hidden" name="id" value=(self.row.id);
                fieldset {
                    legend class="hidden" { "May approve actions in" }
                    label class="choice" {
                        input type="checkbox" name="everywhere" value="yes" checked[form.everywhere];
                        span { b { "All sub-accounts of this person" } span { "Future ones too." } }
                    }
                    @for location in form.rows {
                        label class="choice" {
                            input type="checkbox" name="location" value=(location.alias) checked[location.may_approve];
                            span { (location.alias) }
                        }
                    }
                }
                @if form.unlisted > 0 {
                    p { (form.unlisted) " more sub-accounts are not shown. They stay as they are." }
                }
                div class="buttons" { button class="main" { "Save" } }
            }
        }
    }

    fn end(&self) -> Markup {
        html! {
            h2 { "End access" }
            p {
                @if self.is_reader { "This is you. " }
                "This takes effect at once and cannot be undone. " (self.row.name) " is signed out everywhere. \
                 Connections, sign-in links and invitations that " (self.row.name) " made end."
            }
            form method="post" action="/console/people/end" {
                (token(self.token))
                input type="hidden" name="id" value=(self.row.id);
                @if self.connected > 0 {
                    label class="choice" {
                        input type="checkbox" name="remove" value="yes";
                        span {
                            b { "Remove their sub-accounts too" }
                            span { (self.connected) " that " (self.row.name) " connected, with their stored tokens." }
                        }
                    }
                }
                div class="buttons" { button class="bad" { "End the access of " (self.row.name) } }
            }
        }
    }
}

//! The emergency stop: what is paused, and the question before a pause or a resume.

use maud::{Markup, html};

use super::form::{problem, text_again, token};
use super::moment::Moment;
use super::{Page, PageKind, Part};

/// Most sub-accounts that the page offers by name.
pub(in crate::http) const MOST_OFFERED: usize = 200;

/// Longest reason, in characters.
const LONGEST_REASON: usize = 200;

const PATH: &str = "/console/pause";

const TITLE: &str = "Pause";

/// Something that is paused.
pub(in crate::http) struct PausedRow {
    /// Empty: everything.
    pub alias: String,
    pub since: Moment,
    /// The person who paused it; `None` if that is no longer known.
    pub by: Option<String>,
    pub reason: Option<String>,
}

pub(in crate::http) struct PausePage<'a> {
    pub rows: &'a [PausedRow],
    /// Aliases.
    pub locations: &'a [String],
    pub problem: Option<&'a str>,
    /// The sub-account and the reason as they were typed before the error.
    pub typed: (&'a str, &'a str),
    pub token: &'a str,
}

/// Asks for confirmation of a pause or a resume.
pub(in crate::http) struct PauseQuestion<'a> {
    pub resumes: bool,
    /// Empty: everything.
    pub alias: &'a str,
    pub reason: &'a str,
    pub token: &'a str,
}

impl PausePage<'_> {
    pub(in crate::http) fn page(&self) -> Page {
        let (alias, reason) = self.typed;
        let body = html! {
            (problem(self.problem))
            @if self.rows.is_empty() {
                p { "Nothing is paused. Assistants work as the rules allow." }
            } @else {
                ul class="cards" { @for row in self.rows { (row.card(self.token)) } }
            }
            h2 { "Pause" }
            p {
                "While a sub-account is paused, every action that changes, sends or deletes something there is refused \
                 at once, for everybody. Looking things up still works. The pause lasts until somebody resumes it."
            }
            form method="post" action=(PATH) {
                (token(self.token))
                label class="field" for="location" { "Sub-account" }
                p id="location-hint" class="soft" { "Its short name. Leave this empty to pause everything." }
                input type="text" id="location" name="location" value=[(!alias.is_empty()).then_some(alias)] maxlength="64"
                    list="aliases" autocomplete="off" autocapitalize="none" spellcheck="false"
                    aria-describedby="location-hint";
                datalist id="aliases" { @for alias in self.locations { option value=(alias) {} } }
                (text_again("reason", "Reason (shown to those whose actions are refused)", LONGEST_REASON, false, reason))
                div class="buttons" { button class="bad" name="what" value="pause" { "Pause…" } }
            }
        };
        Page::new(PageKind::Console(Part::Pause), TITLE, body)
    }
}

impl PausedRow {
    fn card(&self, sealed: &str) -> Markup {
        html! {
            li {
                h2 { (name(&self.alias)) " is paused" }
                p {
                    "Since " (self.since)
                    @if let Some(by) = &self.by { ", by " (by) }
                    @match &self.reason { Some(reason) => { ": " (reason) } None => { "." } }
                }
                form method="post" action=(PATH) {
                    (token(sealed))
                    input type="hidden" name="location" value=(self.alias);
                    button name="what" value="resume" { "Resume…" span class="hidden" { " " (name(&self.alias)) } }
                }
            }
        }
    }
}

impl PauseQuestion<'_> {
    pub(in crate::http) fn page(&self) -> Page {
        let what = name(self.alias);
        let (title, sentence, button) = match self.resumes {
            false => (
                format!("Pause {}?", lower(self.alias)),
                "From then on, every action that changes, sends or deletes something is refused, for everybody. \
                 Actions under way stop before their next step. What was sent already cannot be undone.",
                format!("Pause {}", lower(self.alias)),
            ),
            true => (
                format!("Resume {}?", lower(self.alias)),
                "Everybody's assistants work again as the rules allow. Requests that wait for a person still wait.",
                format!("Resume {}", lower(self.alias)),
            ),
        };
        let body = html! {
            p { (sentence) }
            @if !self.reason.is_empty() {
                dl { dt { "Sub-account" } dd { (what) } dt { "Reason" } dd { (self.reason) } }
            }
            form method="post" action=(PATH) {
                (token(self.token))
                input type="hidden" name="location" value=(self.alias);
                input type="hidden" name="reason" value=(self.reason);
                input type="hidden" name="sure" value="yes";
                div class="buttons" {
                    button class=(if self.resumes { "main" } else { "bad" }) name="what"
                        value=(if self.resumes { "resume" } else { "pause" }) { (button) }
                    a class="button" href=(PATH) { "Cancel" }
                }
            }
        };
        Page::new(PageKind::Console(Part::Pause), title, body)
    }
}

fn name(alias: &str) -> &str {
    if alias.is_empty() {
        "Everything"
    } else {
        alias
    }
}

fn lower(alias: &str) -> &str {
    if alias.is_empty() {
        "everything"
    } else {
        alias
    }
}

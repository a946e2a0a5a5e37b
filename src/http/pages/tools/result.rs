//! The state of a try: running, waiting for an answer, or answered.

use super::TOOLS;
use crate::http::pages::brand::Brand;
use crate::http::pages::form::token;
use crate::http::pages::{Page, PageKind, Part};
use maud::{Markup, html};

/// The beginning of the path of a try's result.
pub(in crate::http) const TRIES: &str = "/console/tries";

/// Longest shown answer and request, in bytes on the page.
pub(in crate::http) const LONGEST_ANSWER: usize = 18 << 10;
pub(in crate::http) const LONGEST_REQUEST: usize = 6 << 10;

pub(in crate::http) struct TryPage<'a> {
    pub id: &'a str,
    pub tool: &'a str,
    pub title: &'a str,
    pub location: &'a str,
    pub rules: &'a str,
    /// An assistant's request, as JSON.
    pub request: &'a str,
    /// Method and path of the request to HighLevel.
    pub asked: Option<&'a str>,
    pub state: TryView<'a>,
    pub token: &'a str,
}

/// The state of a try.
pub(in crate::http) enum TryView<'a> {
    UnderWay,
    Cancelled,
    /// Somebody has to agree first.
    Asked(AskedView<'a>),
    Answered(AnswerView<'a>),
}

pub(in crate::http) struct AskedView<'a> {
    /// The records of the call, as JSON; empty if unknown.
    pub about: &'a str,
    /// The request, as JSON.
    pub preview: &'a str,
    /// The page where another person decides; `None`: the reader confirms here.
    pub approve_at: Option<&'a str>,
}

pub(in crate::http) struct AnswerView<'a> {
    /// The result, in sentences.
    pub outcome: &'a str,
    pub is_error: bool,
    pub text: &'a str,
    /// The answer is longer than shown.
    pub is_cut: bool,
    /// The marks before and after other people's words.
    pub marks: Option<(&'a str, &'a str)>,
    /// A sentence about a file in the answer.
    pub file: Option<&'a str>,
}

impl TryPage<'_> {
    pub(in crate::http) fn page(&self, brand: &Brand) -> Page {
        let body = html! {
            p class="soft" { (self.location) " · " (self.rules) }
            (self.fragment(brand))
            div class="buttons" {
                a class="button" href={ (TOOLS) "/" (self.tool) "?again=" (self.id) } { "Change it and run it again" }
                a class="button" href=(TOOLS) { "Another tool" }
            }
        };
        Page::new(PageKind::Console(Part::Tools), self.title, body)
    }

    /// The part that is refreshed, if script runs, until there is an answer.
    pub(in crate::http) fn fragment(&self, brand: &Brand) -> Markup {
        let is_under_way = matches!(self.state, TryView::UnderWay);
        let again = is_under_way.then(|| format!("{TRIES}/{}/state", self.id));
        let every = is_under_way.then_some("every 1s");
        let how = is_under_way.then_some("outerHTML");
        html! {
            div id="try" hx-get=[again] hx-trigger=[every] hx-swap=[how] {
                @match &self.state {
                    TryView::UnderWay => (self.under_way()),
                    TryView::Cancelled => p role="status" { "You cancelled this. Nothing was sent." },
                    TryView::Asked(asked) => (self.asked(asked)),
                    TryView::Answered(answer) => (answer.markup(brand)),
                }
                @if let Some(asked) = self.asked {
                    h2 { (if is_done(&self.state) { "Request sent to " } else { "Request that would be sent to " })
                    (brand.crm_name) }
                    p { code { (asked) } }
                }
                h2 { "What an assistant would send" }
                pre tabindex="0" { (beginning(self.request, LONGEST_REQUEST)) }
            }
        }
    }

    fn under_way(&self) -> Markup {
        html! {
            p role="status" {
                "This is running. If somebody has to approve it first, it waits under "
                a href="/console/approvals" { "Approvals" } "."
            }
            div class="buttons" { a class="button" href={ (TRIES) "/" (self.id) } { "Refresh" } }
        }
    }

    fn asked(&self, asked: &AskedView<'_>) -> Markup {
        html! {
            p role="status" class="note" {
                @match asked.approve_at {
                    Some(address) => {
                        "Nothing was sent yet: somebody has to approve it. " a href=(address) { "Open the request" } "."
                    }
                    None => { "Nothing was sent yet. Below is what will be sent once you confirm." }
                }
            }
            @if !asked.about.is_empty() {
                h2 { "About" }
                pre tabindex="0" { (asked.about) }
            }
            h2 { "What would be sent" }
            pre tabindex="0" { (asked.preview) }
            form method="post" action={ (TRIES) "/" (self.id) } {
                (token(self.token))
                div class="buttons" {
                    @match asked.approve_at {
                        Some(_) => {
                            button class="main" name="decision" value="confirm" { "Continue after the approval" }
                        }
                        None => { button class="main" name="decision" value="confirm" { "Confirm: do it now" } }
                    }
                    button name="decision" value="cancel" { "Cancel" }
                }
            }
        }
    }
}

fn is_done(state: &TryView<'_>) -> bool {
    matches!(state, TryView::Answered(_))
}

impl AnswerView<'_> {
    fn markup(&self, brand: &Brand) -> Markup {
        let outcome = self.outcome.replace("HighLevel", &brand.crm_name);
        html! {
            p role="status" class=[self.is_error.then_some("problem")] { (outcome) }
            h2 { "Answer" }
            @if self.marks.is_some() {
                p class="soft" { "Text with a coloured background was written by other people. It is data, not \
                                  instructions." }
            }
            @if let Some(file) = self.file { p { (file) } }
            pre tabindex="0" { (self.marked()) }
            @if self.is_cut {
                p class="note" { "Only the beginning of the answer is shown here. An assistant gets more of it." }
            }
        }
    }

    /// The answer with other people's words on another background.
    fn marked(&self) -> Markup {
        let Some((opening, closing)) = self.marks else {
            return html! { (self.text) };
        };
        let mut parts = self.text.split(opening);
        let before = parts.next().unwrap_or_default();
        html! {
            (before)
            @for part in parts {
                @match part.split_once(closing) {
                    Some((theirs, rest)) => { mark { (theirs) } (rest) }
                    // The answer ends inside them.
                    None => mark { (part) },
                }
            }
        }
    }
}

/// The beginning of the text that fits on a page.
pub(in crate::http) fn beginning(text: &str, room: usize) -> &str {
    let mut used = 0;
    let end = text.char_indices().find(|(_, letter)| {
        used += match letter {
            '"' => "&quot;".len(),
            '&' => "&amp;".len(),
            '<' | '>' => "&lt;".len(),
            other => other.len_utf8(),
        };
        used > room
    });
    match end {
        Some((end, _)) => text.get(..end).unwrap_or_default(),
        None => text,
    }
}

#[cfg(test)]
pub(super) mod tests;

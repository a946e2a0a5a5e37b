//! Trying a tool: the search, and the form for a tool's arguments.

pub(in crate::http) mod fields;
pub(in crate::http) mod result;

use maud::{Markup, html};

use super::form::{problem, token};
use super::{Page, PageKind, Part};
use fields::ToolField;

/// The path of the search, and the beginning of each tool's path.
pub(in crate::http) const TOOLS: &str = "/console/tools";

/// Most sub-accounts to choose from. With more, one is typed.
pub(in crate::http) const MOST_CHOICES: usize = 100;

/// The fields of the form that are not the tool's.
pub(in crate::http) const LOCATION: &str = "location";
pub(in crate::http) const RULES: &str = "rules";
/// The field that identifies a form, so that a second submission is recognised.
pub(in crate::http) const TRY: &str = "try";

pub(in crate::http) struct SearchPage<'a> {
    pub query: &'a str,
    pub found: &'a [ToolRow],
    /// The search's note beside its results.
    pub hint: Option<&'a str>,
}

pub(in crate::http) struct ToolRow {
    pub name: &'static str,
    pub title: &'static str,
    /// The effect of a call.
    pub effect: &'static str,
    pub line: String,
}

impl SearchPage<'_> {
    pub(in crate::http) fn page(&self) -> Page {
        let body = html! {
            p { "Use a tool yourself. You see what an assistant would send, and what it would get back." }
            form method="get" action=(TOOLS) role="search" {
                label class="field" for="q" { "What do you want to do?" }
                input type="text" id="q" name="q" value=(self.query) maxlength="400" autocomplete="off"
                    placeholder="find a contact by phone number";
                div class="buttons" { button class="main" { "Search" } }
            }
            @if let Some(hint) = self.hint { p class="note" role="status" { (hint) } }
            @if !self.found.is_empty() {
                ul class="cards" { @for tool in self.found { (tool.card()) } }
            } @else if !self.query.is_empty() && self.hint.is_none() {
                p role="status" { "No tool that you may use matches. Try other words." }
            }
        };
        Page::new(PageKind::Console(Part::Tools), "Try a tool", body)
    }
}

impl ToolRow {
    fn card(&self) -> Markup {
        html! {
            li {
                h2 { a href={ (TOOLS) "/" (self.name) } { (self.title) } }
                p { (self.line) }
                p class="soft" { (self.effect) " · " code { (self.name) } }
            }
        }
    }
}

pub(in crate::http) struct ToolPage<'a> {
    pub name: &'a str,
    pub title: &'a str,
    pub description: &'a str,
    pub effect: &'a str,
    /// Alias and name of each sub-account that this person reaches.
    pub locations: &'a [(String, String)],
    /// There are more than can be offered.
    pub has_more_locations: bool,
    /// The chosen or typed sub-account.
    pub location: &'a str,
    /// Sets of rules: value, title, and what they allow.
    pub rules: &'a [(&'static str, String, String)],
    pub chosen_rules: &'a str,
    pub fields: &'a [ToolField],
    /// A problem of the call that belongs to no field.
    pub problem: Option<&'a str>,
    /// The id of this form.
    pub id: &'a str,
    pub token: &'a str,
}

impl ToolPage<'_> {
    pub(in crate::http) fn page(&self) -> Page {
        let body = html! {
            (problem(self.problem))
            p { (self.description) }
            p class="soft" { (self.effect) " · " code { (self.name) } }
            form method="post" action={ (TOOLS) "/" (self.name) } {
                (token(self.token))
                input type="hidden" name=(TRY) value=(self.id);
                (self.location_field())
                @if !self.fields.is_empty() {
                    fieldset {
                        legend { "Input" }
                        p class="soft" { "Required fields are marked. The others may stay empty." }
                        @for field in self.fields { (field.markup()) }
                    }
                }
                fieldset {
                    legend { "What it may do" }
                    @for (value, title, text) in self.rules {
                        label class="choice" {
                            input type="radio" name=(RULES) value=(value) checked[*value == self.chosen_rules] required;
                            span { b { (title) } span { (text) } }
                        }
                    }
                }
                div class="buttons" {
                    button class="main" { "Run it" }
                    a class="button" href=(TOOLS) { "Another tool" }
                }
            }
        };
        Page::new(PageKind::Console(Part::Tools), self.title, body)
    }

    fn location_field(&self) -> Markup {
        html! {
            label class="field" for=(LOCATION) { "Sub-account to act in" }
            @if self.has_more_locations {
                input type="text" id=(LOCATION) name=(LOCATION) value=(self.location) maxlength="120" autocomplete="off"
                    autocapitalize="none" spellcheck="false" aria-describedby="location-hint";
                p id="location-hint" class="soft" { "Its short name or id, as on the page “Sub-accounts”." }
            } @else {
                select id=(LOCATION) name=(LOCATION) {
                    @if self.locations.len() != 1 { option value="" { "Choose one" } }
                    @for (alias, name) in self.locations {
                        option value=(alias) selected[alias == self.location] { (name) }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests;

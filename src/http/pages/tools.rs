//! Trying a tool: the search, and the form that a tool's arguments make.

pub(in crate::http) mod fields;
pub(in crate::http) mod result;

use maud::{Markup, html};

use super::form::{problem, token};
use super::{Page, PageKind, Part};
use fields::ToolField;

/// Where tools are searched, and the start of the address of each.
pub(in crate::http) const TOOLS: &str = "/console/tools";

/// Most sub-accounts to choose from; of more, one is named.
pub(in crate::http) const MOST_CHOICES: usize = 100;

/// The fields of the form that are not the tool's.
pub(in crate::http) const LOCATION: &str = "location";
pub(in crate::http) const RULES: &str = "rules";
/// By it a form that is sent twice is known.
pub(in crate::http) const TRY: &str = "try";

pub(in crate::http) struct SearchPage<'a> {
    pub query: &'a str,
    pub found: &'a [ToolRow],
    /// What the search says beside what it found.
    pub hint: Option<&'a str>,
}

pub(in crate::http) struct ToolRow {
    pub name: &'static str,
    pub title: &'static str,
    /// What such a call does.
    pub effect: &'static str,
    pub line: String,
}

impl SearchPage<'_> {
    pub(in crate::http) fn page(&self) -> Page {
        let body = html! {
            p { "Call one tool as yourself, and see what an assistant would send and what it would get back." }
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
                p role="status" { "Nothing that you may use matches. Try other words." }
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
    /// There are more than can be chosen from.
    pub has_more_locations: bool,
    /// What was chosen or named.
    pub location: &'a str,
    /// Sets of rules: value, title, what they let through.
    pub rules: &'a [(&'static str, String, String)],
    pub chosen_rules: &'a str,
    pub fields: &'a [ToolField],
    /// What is wrong with the call, and with no field of it.
    pub problem: Option<&'a str>,
    /// Of this form.
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
                        legend { "What the tool is given" }
                        p class="soft" { "Fields that must be filled in are marked. The others may stay empty." }
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
                p id="location-hint" class="soft" { "Its alias or id, as the page of sub-accounts shows it." }
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

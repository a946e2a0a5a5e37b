//! Rules: those of the file to read, stored sections to write, and the effect of both on one operation.

use maud::{Markup, html};

use super::form::{problem, text, token};
use super::moment::Moment;
use super::{Page, PageKind, Part};

/// Longest shown part of the file, in bytes.
pub(in crate::http) const MOST_FILE: usize = 10 << 10;

pub(in crate::http) struct RuleSectionRow {
    pub name: String,
    /// The author.
    pub by: String,
    pub at: Moment,
    /// The keys, people and connections under it, in a sentence.
    pub uses: String,
    /// The file has a section of the same name, which applies in its place.
    pub is_shadowed: bool,
}

pub(in crate::http) struct RulesPage<'a> {
    /// The text of the file; `None` if the settings name none.
    pub file: Option<&'a str>,
    pub is_file_cut: bool,
    pub sections: &'a [RuleSectionRow],
    pub question: &'a ExplainQuestion,
    pub answer: Option<&'a ExplainAnswer>,
    pub problem: Option<&'a str>,
}

/// A question about one operation: the operation, the location, and the caller's rules.
#[derive(Default)]
pub(in crate::http) struct ExplainQuestion {
    pub tool: String,
    pub location: String,
    pub rules: String,
    /// The choices: aliases, and rules by name.
    pub locations: Vec<String>,
    pub all_rules: Vec<String>,
}

pub(in crate::http) struct ExplainAnswer {
    /// Allowed, asks or refused, and the line that decides.
    pub verdict: String,
    pub lines: String,
}

impl RulesPage<'_> {
    pub(in crate::http) fn page(&self) -> Page {
        let body = html! {
            (problem(self.problem))
            p { "Rules say which operations are allowed, how often, and which of them need a confirmation. A call must \
                 pass every rule that applies to it." }
            h2 { "Stored sections" }
            p { "A section applies to the access keys, people and connections that name it, in addition to the file. A \
                 section can only restrict." }
            @if self.sections.is_empty() { p { "There are no sections yet." } }
            ul class="cards" { @for row in self.sections { (row.card()) } }
            form method="get" action="/console/rules/new" {
                (text("name", "Name of a new section", 40, true))
                div class="buttons" { button { "Create" } }
            }
            (self.question.form(self.answer))
            h2 { "The file" }
            @match self.file {
                None => p { "The settings name no file of rules. Every operation is allowed. Operations that delete, \
                             cost money or change many records need a confirmation." },
                Some(file) => {
                    p class="soft" { "The file is changed on the server. The server reads it again on the signal \
                                      SIGHUP." }
                    pre { (file) }
                    @if self.is_file_cut { p class="note" { "The file is longer than what is shown here." } }
                }
            }
        };
        Page::new(PageKind::Console(Part::Rules), "Rules", body)
    }
}

impl RuleSectionRow {
    fn card(&self) -> Markup {
        html! {
            li {
                h2 { a href={ "/console/rules/" (self.name) } { (self.name) } }
                @if self.is_shadowed {
                    p class="problem" { "The file has a section of the same name, which applies instead." }
                }
                p { (self.uses) }
                p class="soft" { (self.by) ", " (self.at) }
            }
        }
    }
}

impl ExplainQuestion {
    fn form(&self, answer: Option<&ExplainAnswer>) -> Markup {
        html! {
            h2 id="explain" { "Rules for one operation" }
            form method="get" action="/console/rules" {
                label class="field" for="tool" { "Operation, such as contacts_delete-contact" }
                input type="text" id="tool" name="tool" value=(self.tool) maxlength="100" required autocomplete="off"
                    autocapitalize="none" spellcheck="false";
                (choice("location", "Sub-account", "Any", &self.locations, &self.location))
                (choice("rules", "Under the section", "None: only the server's rules", &self.all_rules, &self.rules))
                div class="buttons" { button { "Explain" } }
            }
            @if let Some(answer) = answer {
                p role="status" { strong { (answer.verdict) } }
                pre { (answer.lines) }
            }
        }
    }
}

fn choice(name: &str, label: &str, none: &str, all: &[String], chosen: &str) -> Markup {
    html! {
        label class="field" for=(name) { (label) }
        select id=(name) name=(name) {
            option value="" { (none) }
            @for one in all { option value=(one) selected[one == chosen] { (one) } }
        }
    }
}

/// The page to write one section.
pub(in crate::http) struct SectionPage<'a> {
    pub name: &'a str,
    pub text: &'a str,
    /// The version that it replaces; empty if there is none.
    pub replaces: &'a str,
    /// The faults, by line.
    pub problems: &'a [(usize, String)],
    pub problem: Option<&'a str>,
    /// The changes; `None` before they were requested.
    pub difference: Option<&'a DifferenceView>,
    /// Identifies the text whose difference was shown.
    pub checked: &'a str,
    pub uses: &'a str,
    pub versions: &'a [VersionRow],
    pub token: &'a str,
}

pub(in crate::http) struct VersionRow {
    pub version: i64,
    /// The author.
    pub by: String,
    pub at: Moment,
    pub is_removal: bool,
}

/// The effect of a change on all operations.
pub(in crate::http) struct DifferenceView {
    /// Such as "allowed → asks (human)", with the number and some of the operations.
    pub changes: Vec<(String, usize, Vec<String>)>,
    /// The number of operations whose caps, arguments, quiet hours or the like change.
    pub otherwise: usize,
    pub unchanged: usize,
}

impl SectionPage<'_> {
    pub(in crate::http) fn page(&self) -> Page {
        let path = format!("/console/rules/{}", self.name);
        let body = html! {
            (problem(self.problem))
            @if !self.problems.is_empty() {
                div class="problem" role="alert" {
                    p { "Nothing was saved." }
                    ul { @for (line, what) in self.problems { li { "Line " (line) ": " (what) } } }
                }
            }
            p { (self.uses) }
            form method="post" action=(path) {
                (token(self.token))
                input type="hidden" name="replaces" value=(self.replaces);
                input type="hidden" name="checked" value=(self.checked);
                label class="field" for="text" { "Rules, as in the file of rules" }
                p id="text-hint" class="soft" {
                    "One key per line, such as: deny = [\"effect:money\"], read_only = true, \
                     confirm = { send = \"human\" }, \
                     caps = { send = { hour = 20 } }."
                }
                textarea id="text" name="text" rows="12" spellcheck="false" autocapitalize="none" aria-describedby="text-hint" {
                    "\n" (self.text)
                }
                @if let Some(difference) = self.difference { (difference.body()) }
                div class="buttons" {
                    button name="action" value="check" class=[self.difference.is_none().then_some("main")] {
                        "Show the changes"
                    }
                    @if self.difference.is_some() { button name="action" value="save" class="main" { "Save" } }
                }
            }
            @if !self.replaces.is_empty() {
                details {
                    summary { "Remove this section" }
                    p { "Then all calls of the keys, people and connections that name it are refused." }
                    form method="post" action=(path) {
                        (token(self.token))
                        input type="hidden" name="replaces" value=(self.replaces);
                        button class="bad" name="action" value="remove" { "Remove" }
                    }
                }
            }
            @if !self.versions.is_empty() {
                h2 { "Versions" }
                ul {
                    @for row in self.versions {
                        li {
                            @if row.is_removal { "Removed: " } @else {
                                a href={ (path) "?version=" (row.version) } { "Version " (row.version) } ": "
                            }
                            (row.by) ", " (row.at)
                        }
                    }
                }
            }
            p { a href="/console/rules" { "All rules" } }
        };
        Page::new(
            PageKind::Console(Part::Rules),
            format!("Rules: {}", self.name),
            body,
        )
    }
}

impl DifferenceView {
    fn body(&self) -> Markup {
        html! {
            div role="status" {
                h2 { "Changes" }
                @if self.changes.is_empty() && self.otherwise == 0 { p { "Nothing changes." } }
                @for (what, count, names) in &self.changes {
                    details open[self.changes.len() < 3] {
                        summary { strong { (what) } ": " (count) (if *count == 1 { " operation" } else { " operations" }) }
                        p class="soft" {
                            (names.join(", "))
                            @if *count > names.len() { " and " (count - names.len()) " more" }
                        }
                    }
                }
                @if self.otherwise > 0 {
                    p { (self.otherwise) " more change in their caps, arguments, quiet hours or the confirmation for many records." }
                }
                p class="soft" { (self.unchanged) " operations stay as they are." }
            }
        }
    }
}

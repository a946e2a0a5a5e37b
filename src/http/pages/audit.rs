//! Calls that changed something or were refused: a search, one call in full, and a download.

use jiff::civil::Date;
use maud::{Markup, html};
use serde_json::Value;

use super::form::{FormFields, problem};
use super::moment::Moment;
use super::{Page, PageKind, Part};

/// Most calls on the page.
pub(in crate::http) const MOST_CALLS: usize = 50;

/// Most characters shown of a request.
const LONGEST_SENT: usize = 20_000;

const PATH: &str = "/console/audit";

pub(in crate::http) struct CallCard {
    /// The number of its first line.
    pub number: i64,
    /// The title of the operation, with the tool's own name.
    pub title: String,
    pub tool: String,
    pub time: Moment,
    pub outcome: String,
    pub is_well: bool,
    pub location: String,
    pub who: String,
}

pub(in crate::http) struct AuditPage<'a> {
    pub rows: &'a [CallCard],
    /// The query as it was sent.
    pub query: &'a FormFields,
    /// The start of older calls.
    pub before: Option<i64>,
    pub problem: Option<&'a str>,
}

/// Values of the form, with their words.
const EFFECTS: [(&str, &str); 6] = [
    ("", "any"),
    ("read", "reads"),
    ("write", "changes"),
    ("send", "sends"),
    ("money", "moves money"),
    ("destructive", "deletes"),
];

const OUTCOMES: [(&str, &str); 4] = [
    ("", "any"),
    ("ok", "it worked"),
    ("failed", "it did not work"),
    ("refused", "it was refused"),
];

impl AuditPage<'_> {
    pub(in crate::http) fn page(&self) -> Page {
        let body = html! {
            (problem(self.problem))
            (self.search())
            @if self.rows.is_empty() {
                @match self.before {
                    Some(_) => p { "Nothing found so far. Older entries have not been searched yet." },
                    None => p { "Nothing found." },
                }
            } @else {
                ul class="cards" { @for row in self.rows { (row.card()) } }
            }
            @if let Some(before) = self.before {
                nav class="parts" aria-label="Parts of the list" {
                    a href={ (self.address(PATH)) "before=" (before) } rel="next" { "Older" }
                }
            }
            p {
                a href=(self.address("/console/audit/export").trim_end_matches(['?', '&'])) { "Download these entries" }
                " (a JSON Lines file, newest first)."
            }
        };
        Page::new(PageKind::Console(Part::Audit), "Audit", body)
    }

    fn search(&self) -> Markup {
        let is_searched = self
            .query
            .iter()
            .any(|(name, value)| name != "before" && !value.is_empty());
        html! {
            details open[is_searched] {
                summary { "Search" }
                form method="get" action=(PATH) {
                    (self.field("location", "Sub-account", "Its short name or id."))
                    (self.field("who", "Person, key or connection", "A name, or an id as shown below."))
                    (self.field("client", "Assistant", "The beginning of its name."))
                    (self.field("tool", "Tool", "The beginning of its name, such as contacts_."))
                    (self.choice("effect", "Effect", &EFFECTS))
                    (self.choice("outcome", "Outcome", &OUTCOMES))
                    (self.day("since", "From (UTC)"))
                    (self.day("until", "Until (UTC)"))
                    div class="buttons" {
                        button class="main" { "Search" }
                        a class="button" href=(PATH) { "Everything" }
                    }
                }
            }
        }
    }

    fn field(&self, name: &str, label: &str, hint: &str) -> Markup {
        let hint_id = format!("{name}-hint");
        html! {
            label class="field" for=(name) { (label) }
            p id=(hint_id) class="soft" { (hint) }
            input type="text" id=(name) name=(name) value=(self.query.one(name)) maxlength="200" autocomplete="off"
                autocapitalize="none" spellcheck="false" aria-describedby=(hint_id);
        }
    }

    fn choice(&self, name: &str, label: &str, choices: &[(&str, &str)]) -> Markup {
        let chosen = self.query.one(name);
        html! {
            label class="field" for=(name) { (label) }
            select id=(name) name=(name) {
                @for (value, words) in choices {
                    option value=(value) selected[*value == chosen] { (words) }
                }
            }
        }
    }

    fn day(&self, name: &str, label: &str) -> Markup {
        let typed = self.query.one(name);
        // A browser shows nothing of a wrong day in a field for days, and its typist would start again.
        let is_wrong = !typed.is_empty() && typed.parse::<Date>().is_err();
        html! {
            label class="field" for=(name) { (label) }
            input type=(if is_wrong { "text" } else { "date" }) id=(name) name=(name) value=(typed);
        }
    }

    /// The address with the query, and room for further parameters.
    fn address(&self, path: &str) -> String {
        let start = path.len() + 1;
        let mut address = form_urlencoded::Serializer::for_suffix(format!("{path}?"), start);
        let asked = self
            .query
            .iter()
            .filter(|(name, value)| *name != "before" && !value.is_empty());
        for (name, value) in asked {
            address.append_pair(name, value);
        }
        let address = address.finish();
        match address.ends_with('?') {
            true => address,
            false => address + "&",
        }
    }
}

impl CallCard {
    fn card(&self) -> Markup {
        html! {
            li {
                h2 { a href={ (PATH) "/" (self.number) } { (self.title) } }
                p class="soft" { (self.time) " · " (self.location) " · " (self.who) " · " (self.tool) }
                p class=[(!self.is_well).then_some("problem")] { (self.outcome) }
            }
        }
    }
}

/// One call in full.
pub(in crate::http) struct AuditedCallPage<'a> {
    pub row: &'a CallCard,
    pub ended: Option<Moment>,
    /// Further facts, each with its name.
    pub facts: &'a [(&'static str, String)],
    /// The sent arguments; `None` if the settings keep only their digest.
    pub sent: Option<&'a Value>,
}

impl AuditedCallPage<'_> {
    pub(in crate::http) fn page(&self) -> Page {
        let row = self.row;
        let body = html! {
            p class=[(!row.is_well).then_some("problem")] { (row.outcome) }
            dl {
                dt { "When" } dd { (row.time) }
                @if let Some(ended) = self.ended { dt { "Ended" } dd { (ended) } }
                dt { "Sub-account" } dd { (row.location) }
                dt { "By" } dd { (row.who) }
                dt { "Tool" } dd { (row.tool) }
                @for (name, value) in self.facts { dt { (name) } dd { (value) } }
            }
            h2 { "What was sent" }
            @match self.sent {
                Some(sent) => (show_sent(sent)),
                None => p {
                    "Only its size and checksum (SHA-256) are stored. To store everything that is sent from now on, \
                     the operator sets audit.arguments = \"full\" in the settings."
                },
            }
            p { a href=(PATH) { "All actions" } }
        };
        Page::new(PageKind::Console(Part::Audit), row.title.as_str(), body)
    }
}

fn show_sent(sent: &Value) -> Markup {
    let text = serde_json::to_string_pretty(sent).unwrap_or_default();
    // Characters that reverse text or are invisible are shown by their numbers.
    let text: String = text
        .chars()
        .take(LONGEST_SENT + 1)
        .flat_map(visible)
        .collect();
    let is_cut = text.chars().count() > LONGEST_SENT;
    html! {
        code class="address sent" { (text) }
        @if is_cut { p { "The rest is not shown. The downloaded file has all of it." } }
    }
}

fn visible(letter: char) -> Vec<char> {
    let is_plain = letter == '\n' || !letter.is_control() && !super::clean::hides(letter);
    match is_plain {
        true => vec![letter],
        false => letter.escape_unicode().collect(),
    }
}

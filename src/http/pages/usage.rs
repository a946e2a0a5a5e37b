//! Usage: the sums of a month, and its download.

use maud::{Markup, html};

use super::form::FormFields;
use super::paging::ListParts;
use super::{Page, PageKind, Part};
use crate::call::UsageLine;
use state::usage::UsageCounts;

pub(in crate::http) const PATH: &str = "/console/usage";

/// The path of the download.
pub(in crate::http) const EXPORT: &str = "/console/usage/export";

/// Most sums on the page.
pub(in crate::http) const MOST_SUMS: usize = 50;

/// The ways to group sums: values of the form, with their words.
pub(in crate::http) const GROUPINGS: [(&str, &str); 5] = [
    ("", "caller and sub-account"),
    ("location", "sub-account"),
    ("principal", "caller"),
    ("effect", "effect"),
    ("day", "day"),
];

/// A sum under the names that people know.
pub(in crate::http) struct UsageSum {
    /// The first line, and the note beside it.
    pub title: String,
    pub about: Vec<String>,
    pub counts: UsageCounts,
}

pub(in crate::http) struct UsagePage<'a> {
    pub sums: &'a [UsageSum],
    pub paging: &'a ListParts,
    pub all: UsageCounts,
    /// The months with usage, newest first, and the shown one.
    pub months: &'a [String],
    pub month: &'a str,
    pub query: &'a FormFields,
    /// The name of the CRM.
    pub crm: &'a str,
    /// Nothing is counted here, for this reason.
    pub is_off: bool,
    pub problem: Option<&'a str>,
}

impl UsageSum {
    /// `line` by the grouping.
    pub(in crate::http) fn new(line: &UsageLine, caller: Option<String>) -> Self {
        let location = match (&line.alias, line.location.as_str()) {
            (Some(alias), _) => Some(alias.clone()),
            (None, "") => None,
            (None, id) => Some(id.to_owned()),
        };
        let customer = line.reference.as_ref();
        let customer = customer.map(|reference| format!("customer {reference}"));
        let effect = Some(line.effect.clone()).filter(|effect| !effect.is_empty());
        let mut parts = [line.day.clone(), caller, location, effect]
            .into_iter()
            .flatten();
        Self {
            title: parts.next().unwrap_or_else(|| "no sub-account".to_owned()),
            about: parts.chain(customer).collect(),
            counts: UsageCounts {
                calls: line.calls,
                failed: line.failed,
                requests: line.requests,
            },
        }
    }

    fn row(&self) -> Markup {
        html! {
            tr {
                th scope="row" {
                    (self.title)
                    @if !self.about.is_empty() { p class="soft" { (self.about.join(" · ")) } }
                }
                (counts(self.counts))
            }
        }
    }
}

impl UsagePage<'_> {
    pub(in crate::http) fn page(&self) -> Page {
        let body = html! {
            (super::form::problem(self.problem))
            (self.choice())
            @if self.is_off {
                p class="soft" { "This server counts no calls, because usage.keep_days is 0 or it keeps no state." }
            }
            @if self.sums.is_empty() {
                p { "No call was counted in " (self.month) "." }
            } @else {
                table {
                    thead { tr {
                        th scope="col" { "Counted by" } th scope="col" { "Calls" } th scope="col" { "Failed" }
                        th scope="col" { "Requests" }
                    } }
                    tbody { @for sum in self.sums { (sum.row()) } }
                    tfoot { tr { th scope="row" { "All of " (self.month) } (counts(self.all)) } }
                }
                (self.paging.links())
            }
            p class="soft" {
                "A call is one use of a tool. It counts if at least one request of it was sent to " (self.crm) ". \
                 Further pages and repetitions are further requests. A day is a day of UTC. Other instances add their \
                 counts every minute."
            }
            p {
                a href={ (EXPORT) "?month=" (self.month) } { "Download the month" }
                " as a CSV file for spreadsheets, day by day."
            }
        };
        Page::new(PageKind::Console(Part::Usage), "Usage", body).for_problem(self.problem)
    }

    fn choice(&self) -> Markup {
        let by = self.query.one("by");
        html! {
            form method="get" action=(PATH) {
                label class="field" for="month" { "Month" }
                select id="month" name="month" {
                    @for month in self.months { option value=(month) selected[month == self.month] { (month) } }
                }
                label class="field" for="by" { "By" }
                select id="by" name="by" {
                    @for (value, words) in GROUPINGS { option value=(value) selected[value == by] { (words) } }
                }
                div class="buttons" { button class="main" { "Show" } }
            }
        }
    }
}

fn counts(counts: UsageCounts) -> Markup {
    html! { td { (counts.calls) } td { (counts.failed) } td { (counts.requests) } }
}

//! A live report as text: Markdown for an issue, with the same data as JSON for a program.

use std::collections::BTreeMap;
use std::fmt::Write;

use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use super::shape::{Differences, ObservedShape, Texts};

/// Headers whose values describe HighLevel and not an account.
const TOLD_HEADERS: [&str; 3] = [
    "x-ratelimit-interval-milliseconds",
    "x-ratelimit-limit-daily",
    "x-ratelimit-max",
];

/// Most differences of one call in the table. The JSON has all.
const MOST_SHOWN: usize = 8;

/// Longest shown name of a header.
const LONGEST_HEADER: usize = 50;

/// One call, without any value of the account.
pub(super) struct ReportedCall {
    pub tool: &'static str,
    pub method: &'static str,
    pub path: &'static str,
    /// `None` if nothing was sent, or no answer came.
    pub status: Option<u16>,
    /// Class of a failure.
    pub class: Option<&'static str>,
    /// There was no record to ask for.
    pub is_made_up: bool,
    pub headers: BTreeMap<String, Option<String>>,
    pub shape: Option<ObservedShape>,
    /// `None` if the document describes no answer, or the call failed.
    pub differences: Option<Differences>,
}

/// The whole report.
pub(super) struct LiveReport {
    pub program: String,
    pub date: String,
    pub highlevel: &'static str,
    pub token: &'static str,
    pub writes: bool,
    pub calls: Vec<ReportedCall>,
}

/// Names of headers, and the values of a few that are the same for every account.
pub(super) fn header_names(headers: &HeaderMap, texts: &Texts) -> BTreeMap<String, Option<String>> {
    let names = headers.iter().filter_map(|(name, value)| {
        let name = name.as_str();
        if name.len() > LONGEST_HEADER || texts.contains(name) {
            return None;
        }
        let number = value.to_str().ok().filter(|text| {
            (1..=9).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
        });
        let told = number.filter(|_| TOLD_HEADERS.contains(&name));
        Some((name.to_owned(), told.map(str::to_owned)))
    });
    names.collect()
}

impl ReportedCall {
    fn json(&self) -> Value {
        let differences = self.differences.as_ref().map(
            |one| json!({"missing": one.missing, "new": one.new, "otherType": one.other_type}),
        );
        json!({
            "tool": self.tool,
            "request": format!("{} {}", self.method, self.path),
            "status": self.status,
            "class": self.class,
            "madeUpRecord": self.is_made_up,
            "headers": self.headers,
            "shape": self.shape.as_ref().map(ObservedShape::json),
            "differences": differences,
        })
    }

    fn row(&self) -> String {
        let status = self
            .status
            .map_or_else(|| "none".to_owned(), |one| one.to_string());
        let class = match (self.class, self.is_made_up) {
            (Some(class), true) => format!("{class} (a made-up record)"),
            (Some(class), false) => class.to_owned(),
            (None, _) => "ok".to_owned(),
        };
        let found = match &self.differences {
            None => "not compared".to_owned(),
            Some(one) => {
                let parts = [
                    ("missing", &one.missing),
                    ("new", &one.new),
                    ("other type", &one.other_type),
                ];
                let parts = parts.into_iter().filter(|(_, all)| !all.is_empty());
                let parts: Vec<String> = parts.map(|(what, all)| shortened(what, all)).collect();
                match parts.is_empty() {
                    true => "as documented".to_owned(),
                    false => parts.join("; "),
                }
            }
        };
        format!(
            "| {} | {} {} | {status} | {class} | {found} |",
            self.tool, self.method, self.path
        )
    }
}

fn shortened(what: &str, all: &[String]) -> String {
    let shown: Vec<String> = all
        .iter()
        .take(MOST_SHOWN)
        .map(|one| format!("`{one}`"))
        .collect();
    let rest = match all.len().saturating_sub(MOST_SHOWN) {
        0 => String::new(),
        rest => format!(" and {rest} more"),
    };
    format!("{what}: {}{rest}", shown.join(", "))
}

impl LiveReport {
    pub(super) fn markdown(&self) -> String {
        let mut text = String::new();
        let writes = if self.writes {
            "reads, and a test contact"
        } else {
            "reads only"
        };
        // Writing to a String never fails.
        let _ = write!(
            text,
            "# Live report of highlevel-mcp\n\n\
             Names and types only: no value, id or number of the account is in it.\n\n\
             - program: {}\n- date: {}\n- HighLevel: {}\n- token: {}\n- calls: {writes}\n\n\
             | Tool | Request | Status | Outcome | Differences from HighLevel's document |\n|---|---|---|---|---|\n",
            self.program, self.date, self.highlevel, self.token,
        );
        for call in &self.calls {
            let _ = writeln!(text, "{}", call.row());
        }
        let calls: Vec<Value> = self.calls.iter().map(ReportedCall::json).collect();
        let whole = json!({
            "program": self.program,
            "date": self.date,
            "highlevel": self.highlevel,
            "token": self.token,
            "writes": self.writes,
            "calls": calls,
        });
        let _ = write!(
            text,
            "\n<details><summary>The same as JSON</summary>\n\n```json\n{whole:#}\n```\n\n</details>\n"
        );
        text
    }
}

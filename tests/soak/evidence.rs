//! The written records: the sandbox's log, and the audit of the instances.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::intent::deletion;
use crate::sandbox::SandboxProcess;
use crate::settings::Settings;

#[derive(Default)]
pub(crate) struct Evidence {
    /// Writes that HighLevel did, by marker.
    pub writes: BTreeMap<String, Vec<Write>>,
    /// Beginnings of calls in the audit, by marker.
    pub rows: BTreeMap<String, Vec<Row>>,
    /// Requests that HighLevel received.
    pub requests: usize,
    /// The part of them that it refused for its limit.
    pub limited: usize,
    /// Refused calls in the audit, by class.
    pub refusals: BTreeMap<String, usize>,
}

/// A write that HighLevel did.
pub(crate) struct Write {
    pub trace: String,
    pub operation: String,
    pub location: String,
    /// Milliseconds since 1970.
    pub time: i64,
}

/// A call in the audit.
pub(crate) struct Row {
    pub end: Option<RowEnd>,
}

#[derive(Clone)]
pub(crate) struct RowEnd {
    pub outcome: String,
    pub trace: Option<String>,
}

impl Evidence {
    pub(crate) async fn read(settings: &Settings, sandbox: &SandboxProcess) -> Self {
        let mut evidence = Self::default();
        let log = std::fs::read_to_string(&sandbox.log).expect("a log");
        for line in log.lines() {
            evidence.add_request(&serde_json::from_str(line).expect("JSON"));
        }
        let audit = settings.output(&["audit", "export"]).await;
        let mut ends = BTreeMap::new();
        let mut begun = Vec::new();
        for line in audit.lines() {
            let line: Value = serde_json::from_str(line).expect("JSON");
            let text = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
            match line["state"].as_str() {
                Some("begun") => begun.push(line),
                Some("done") => {
                    let trace = line["trace_id"].as_str().map(str::to_owned);
                    let outcome = text("outcome");
                    ends.insert(text("id"), RowEnd { outcome, trace });
                }
                _ => *evidence.refusals.entry(text("class")).or_default() += 1,
            }
        }
        for line in begun {
            let marker = marker_of_row(&line).unwrap_or_else(|| panic!("no marker in {line}"));
            let end = ends.get(line["id"].as_str().unwrap_or_default()).cloned();
            evidence.rows.entry(marker).or_default().push(Row { end });
        }
        evidence
    }

    fn add_request(&mut self, line: &Value) {
        self.requests += 1;
        self.limited += usize::from(line["status"] == 429);
        if line["changes"] == 0 {
            return;
        }
        let text = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
        let operation = text("operation");
        let marker = match operation.as_str() {
            "POST /contacts/" => line["body"]["firstName"].as_str().map(str::to_owned),
            "POST /conversations/messages" => line["body"]["message"].as_str().map(str::to_owned),
            "DELETE /contacts/{contactId}" => line["path"]
                .as_str()
                .and_then(|path| path.rsplit('/').next())
                .map(deletion),
            _ => None,
        };
        let marker = marker.unwrap_or_else(|| panic!("a write that nobody asked for: {line}"));
        let time: jiff::Timestamp = text("time").parse().expect("a time");
        self.writes.entry(marker).or_default().push(Write {
            trace: text("trace"),
            operation,
            location: text("location"),
            time: time.as_millisecond(),
        });
    }

    pub(crate) fn rows(&self, marker: &str) -> &[Row] {
        self.rows.get(marker).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn writes(&self, marker: &str) -> &[Write] {
        self.writes.get(marker).map_or(&[], Vec::as_slice)
    }

    /// Whether a call of this marker began and has no known end.
    pub(crate) fn is_open(&self, marker: &str) -> bool {
        self.rows(marker).iter().any(Row::is_open)
    }
}

impl Row {
    /// Whether its end names this write.
    pub(crate) fn is(&self, write: &Write) -> bool {
        let trace = self.end.as_ref().and_then(|end| end.trace.as_ref());
        trace == Some(&write.trace)
    }

    /// Whether it has no recorded end.
    pub(crate) fn is_open(&self) -> bool {
        self.end.is_none()
    }

    /// Whether its recorded end is an unknown outcome. That includes a call that was given up before it could be sent.
    pub(crate) fn is_unknown(&self) -> bool {
        let end = self.end.as_ref();
        end.is_some_and(|end| matches!(end.outcome.as_str(), "cut_off" | "unknown_outcome"))
    }
}

fn marker_of_row(line: &Value) -> Option<String> {
    let arguments = &line["arguments"];
    let text = |name: &str| arguments[name].as_str();
    match line["tool"].as_str()? {
        "contacts_create-contact" => text("firstName").map(str::to_owned),
        "conversations_send-a-new-message" => text("message").map(str::to_owned),
        "contacts_delete-contact" => text("contactId").map(deletion),
        _ => None,
    }
}

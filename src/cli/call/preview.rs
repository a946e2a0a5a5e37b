//! Shows the planned request of a call, in lines that a person reads before saying yes.

use serde_json::{Map, Value};

use crate::call::Answer;
use crate::cli::terminal::{columns, visible};
use crate::upstream::failure::FailureClass;
use state::approvals::Approval;
use tool::Tool;

/// Most values of a list on one line.
const MOST_VALUES: usize = 12;

/// Longest value on a line, in characters.
const LONGEST_VALUE: usize = 300;

/// Most lines of fields: nobody reads a batch of a hundred calls.
const MOST_FIELDS: usize = 60;

/// Members of a preview that have their own line, or are not for people.
const KNOWN: [&str; 17] = [
    "status",
    "class",
    "preview",
    "error",
    "does",
    "calls",
    "remedy",
    "records",
    "request",
    "firstRequest",
    "notShown",
    "location",
    "locations",
    "_warnings",
    "rule",
    "approveAt",
    "confirm",
];

/// The answer to a call that waits for a yes.
pub(super) struct Preview {
    shown: Value,
    pub(super) yes: Yes,
}

/// The way to confirm the call.
#[derive(Debug, PartialEq)]
pub(super) enum Yes {
    /// The answer to the question of this token.
    Answered(String),
    /// The same call with this confirm token.
    Token(String),
    /// The decision of a person elsewhere about the approval of this handle.
    Person(String),
}

impl Preview {
    /// `None` if the answer waits for nobody.
    pub(super) fn new(answer: &Answer) -> Option<Self> {
        if answer.class != Some(FailureClass::NeedsConfirmation) {
            return None;
        }
        let mut shown: Value = serde_json::from_str(&answer.text).ok()?;
        // The compat surface has the preview inside an envelope.
        if let Some(data) = shown.get_mut("data").filter(|data| data.is_object()) {
            shown = data.take();
        }
        let question = answer.question.as_deref();
        let question = question.filter(|question| question.page.is_none());
        let yes = match (question, shown["confirm"].as_str()) {
            (Some(question), _) => Yes::Answered(question.token.clone()),
            (None, Some(handle)) if Approval::is_handle(handle) => Yes::Person(handle.to_owned()),
            (None, Some(token)) => Yes::Token(token.to_owned()),
            // An approval that was requested before and is still undecided.
            (None, None) => return None,
        };
        Some(Self { shown, yes })
    }

    /// The page where the person decides, if there is one.
    pub(super) fn page(&self) -> Option<&str> {
        self.shown["approveAt"].as_str()
    }

    /// The whole preview, one fact per line, of a call of `tool` if that is known.
    pub(super) fn lines(&self, tool: Option<&Tool>) -> String {
        let mut lines = PreviewLines(Vec::new());
        let title = match tool {
            Some(tool) => {
                let bulk = if tool.bulk {
                    ", many records at once"
                } else {
                    ""
                };
                let effect = tool.effect.name();
                lines.add("Tool", &format!("{} ({effect}{bulk})", tool.name));
                tool.title
            }
            None => self.text("preview"),
        };
        lines.add("Does", self.text("does"));
        match self.shown["calls"].as_u64() {
            None | Some(1) => {}
            Some(calls) => lines.add("Calls", &calls.to_string()),
        }
        let several = self.shown["locations"].as_array();
        for location in several
            .into_iter()
            .flatten()
            .chain(self.shown.get("location"))
        {
            lines.add("Location", &location_text(location));
        }
        for record in self.shown["records"].as_array().into_iter().flatten() {
            lines.add("Record", &record_text(record));
        }
        let all = self.shown.as_object().into_iter().flatten();
        for (name, value) in all.filter(|(name, _)| !KNOWN.contains(&name.as_str())) {
            let mut fields = Vec::new();
            flatten(name, value, &mut fields);
            for (name, text) in fields {
                lines.add(&name, &text);
            }
        }
        lines.add_requests("Sends", self.shown.get("request"));
        lines.add_requests("First", self.shown.get("firstRequest"));
        if let Some(more) = self.shown["notShown"].as_u64() {
            lines.add("", &format!("and {more} more requests"));
        }
        for warning in self.shown["_warnings"].as_array().into_iter().flatten() {
            lines.add("Warning", &value_text(warning));
        }
        lines.add("Rule", self.text("rule"));
        format!("{}\n{}", visible(title), columns("  ", lines.0))
    }

    fn text(&self, name: &str) -> &str {
        self.shown[name].as_str().unwrap_or_default()
    }
}

/// Pairs of a name and a text.
struct PreviewLines(Vec<[String; 2]>);

impl PreviewLines {
    /// Adds a line, unless the text is empty.
    fn add(&mut self, name: &str, text: &str) {
        if !text.is_empty() {
            self.0.push([visible(name), visible(text)]);
        }
    }

    /// One request, or a list of them, which may come with a sentence about those left out.
    fn add_requests(&mut self, name: &str, shown: Option<&Value>) {
        let calls = shown.and_then(|shown| shown.get("calls")).or(shown);
        match calls {
            Some(Value::Array(calls)) => {
                for call in calls {
                    self.add_request(name, call);
                }
            }
            Some(call) => self.add_request(name, call),
            None => {}
        }
    }

    fn add_request(&mut self, name: &str, request: &Value) {
        let part = |name: &str| request[name].as_str().unwrap_or_default();
        self.add(name, format!("{} {}", part("method"), part("url")).trim());
        let mut fields = Vec::new();
        if let Some(body) = request.get("body").filter(|body| !body.is_null()) {
            flatten("", body, &mut fields);
        }
        for (name, text) in fields.iter().take(MOST_FIELDS) {
            self.add(&format!("  {name}"), text);
        }
        let more = fields.len().saturating_sub(MOST_FIELDS);
        if more > 0 {
            self.add("", &format!("and {more} more fields"));
        }
    }
}

/// Every value inside `value` by its dotted path. A list of plain values counts as one value.
fn flatten(path: &str, value: &Value, fields: &mut Vec<(String, String)>) {
    match value {
        Value::Object(object) if !object.is_empty() => {
            for (name, value) in object {
                let inner = match path {
                    "" => name.clone(),
                    path => format!("{path}.{name}"),
                };
                flatten(&inner, value, fields);
            }
        }
        Value::Array(items) if items.iter().any(|item| item.is_object() || item.is_array()) => {
            for (index, item) in items.iter().enumerate() {
                flatten(&format!("{path}[{index}]"), item, fields);
            }
        }
        value => fields.push((path.to_owned(), value_text(value))),
    }
}

/// `Harbor Dental (harbor, locHarborDental00001)`.
fn location_text(location: &Value) -> String {
    let part = |name: &str| location[name].as_str().filter(|text| !text.is_empty());
    let beside: Vec<&str> = ["alias", "id"].into_iter().filter_map(part).collect();
    let mut text = match part("name") {
        Some(name) => format!("{name} ({})", beside.join(", ")),
        None => beside.join(", "),
    };
    if let Some(calls) = location["calls"].as_u64() {
        text += &format!(": {calls} calls");
    }
    text
}

/// The record's name first, then its other fields.
fn record_text(record: &Value) -> String {
    let empty = Map::new();
    let record = record.as_object().unwrap_or(&empty);
    let name = record.get("name").map(value_text);
    let others = record.iter().filter(|(key, _)| *key != "name");
    let others = others.flat_map(|(key, value)| {
        let mut fields = Vec::new();
        flatten(key, value, &mut fields);
        fields
    });
    let others: Vec<String> = others.map(|(key, text)| format!("{key} {text}")).collect();
    match name {
        Some(name) => format!("{name} ({})", others.join(", ")),
        None => others.join(", "),
    }
}

fn value_text(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Array(items)
            if items
                .iter()
                .all(|item| !item.is_object() && !item.is_array()) =>
        {
            let shown = items.iter().take(MOST_VALUES).map(value_text);
            let mut shown: Vec<String> = shown.collect();
            if let Some(more) = items
                .len()
                .checked_sub(MOST_VALUES)
                .filter(|more| *more > 0)
            {
                shown.push(format!("and {more} more"));
            }
            shown.join(", ")
        }
        other => other.to_string(),
    };
    match text.char_indices().nth(LONGEST_VALUE) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

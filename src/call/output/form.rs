//! Rows under one header: as JSON, as a table, and as CSV.

use serde_json::{Value, json};

use crate::upstream::Failure;
use crate::upstream::failure::FailureClass;

/// `{"columns": [name, …], "rows": [[value, …], …]}`: names once and not in every row.
pub(super) fn rows(columns: &[String], rows: &[Value]) -> Value {
    let cells = |row: &Value| {
        let cells = columns.iter().map(|column| row.get(column).cloned());
        cells.map(Option::unwrap_or_default).collect::<Value>()
    };
    json!({"columns": columns, "rows": rows.iter().map(cells).collect::<Value>()})
}

/// A header, a line a row, cells between bars.
pub(super) fn table(columns: &[String], rows: &[Value]) -> String {
    let cell = |value: &Value| {
        cell_text(value)
            .replace(['\n', '\r', '\t'], " ")
            .replace('|', "\\|")
    };
    let mut text = format!("{}\n", columns.join("|"));
    for row in rows {
        let cells = columns
            .iter()
            .map(|column| row.get(column).map(cell).unwrap_or_default());
        text += &format!("{}\n", joined(cells, "|"));
    }
    text
}

/// RFC 4180: a header, a record a row, lines that end in CR LF. Where it must be `safe`, a text that a spreadsheet would
/// take for a formula begins with an apostrophe (<https://owasp.org/www-community/attacks/CSV_Injection>); else every
/// text is as it is, for the apostrophe makes another of a phone number.
pub(super) fn csv(columns: &[String], rows: &[Value], safe: bool) -> Result<String, Failure> {
    let text = |text: String| if safe { harmless(text) } else { text };
    let cell = |value: &Value| match value {
        Value::Number(_) => cell_text(value),
        _ => text(cell_text(value)),
    };
    let unwritable = |what: String| {
        let what = format!("The rows cannot be written as CSV: {what}.");
        Failure::new(FailureClass::Upstream, what).with_remedy("Take another output.format.")
    };
    let mut writer = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .from_writer(Vec::new());
    let mut write = |cells: Vec<String>| {
        let written = writer.write_record(cells);
        written.map_err(|error| unwritable(error.to_string()))
    };
    if !columns.is_empty() {
        write(columns.iter().cloned().map(text).collect())?;
    }
    for row in rows.iter().filter(|_| !columns.is_empty()) {
        let cells = columns.iter();
        let cells = cells.map(|column| row.get(column).map(cell).unwrap_or_default());
        write(cells.collect())?;
    }
    let bytes = writer.into_inner();
    let bytes = bytes.map_err(|error| unwritable(error.to_string()))?;
    String::from_utf8(bytes).map_err(|error| unwritable(error.to_string()))
}

/// What is nested without the quotes of JSON, which CSV would double: `{id: a, name: b}; {id: c, name: d}`.
fn cell_text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => joined(items.iter().map(cell_text), "; "),
        Value::Object(members) => {
            let members = members
                .iter()
                .map(|(name, value)| format!("{name}: {}", cell_text(value)));
            format!("{{{}}}", joined(members, ", "))
        }
        other => other.to_string(),
    }
}

fn joined(texts: impl Iterator<Item = String>, between: &str) -> String {
    Vec::from_iter(texts).join(between)
}

/// A text that no spreadsheet takes for a formula.
pub(in crate::call) fn harmless(cell: String) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) {
        format!("'{cell}")
    } else {
        cell
    }
}

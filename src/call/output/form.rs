//! Rows under one header: as JSON, as a table, and as CSV for spreadsheets.

use serde_json::{Map, Value, json};

/// `{"columns": [name, …], "rows": [[value, …], …]}`: names once and not in every row.
pub(super) fn rows(columns: &[String], rows: &[Value]) -> Value {
    let cells = |row: &Value| {
        let cells = columns.iter().map(|column| row.get(column).cloned());
        cells.map(Option::unwrap_or_default).collect::<Value>()
    };
    json!({"columns": columns, "rows": rows.iter().map(cells).collect::<Value>()})
}

/// A header, a line a row, cells between bars; what else there is to say below, as JSON.
pub(super) fn table(columns: &[String], rows: &[Value], notes: &Map<String, Value>) -> String {
    let cell = |value: &Value| {
        cell_text(value)
            .replace(['\n', '\r', '\t'], " ")
            .replace('|', "\\|")
    };
    let line = |cells: Vec<String>| format!("{}\n", cells.join("|"));
    lines(columns, rows, notes, cell, line)
}

/// RFC 4180. A text that a spreadsheet would take for a formula begins with an apostrophe
/// (<https://owasp.org/www-community/attacks/CSV_Injection>).
pub(super) fn csv(columns: &[String], rows: &[Value], notes: &Map<String, Value>) -> String {
    let line = |cells: Vec<String>| {
        let cells: Vec<String> = cells.iter().map(|cell| quoted(cell)).collect();
        format!("{}\n", cells.join(","))
    };
    let cell = |value: &Value| match value {
        Value::Number(_) => cell_text(value),
        _ => harmless(cell_text(value)),
    };
    lines(columns, rows, notes, cell, line)
}

fn lines(
    columns: &[String],
    rows: &[Value],
    notes: &Map<String, Value>,
    cell: impl Fn(&Value) -> String,
    line: impl Fn(Vec<String>) -> String,
) -> String {
    let mut text = line(columns.to_vec());
    for row in rows {
        let cells = columns
            .iter()
            .map(|column| row.get(column).map(&cell).unwrap_or_default());
        text += &line(cells.collect());
    }
    if !notes.is_empty() {
        text += &format!("# {}\n", Value::Object(notes.clone()));
    }
    text
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

fn harmless(cell: String) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        format!("'{cell}")
    } else {
        cell
    }
}

fn quoted(cell: &str) -> String {
    if cell.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}

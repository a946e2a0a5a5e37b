//! Rows as a table or as CSV, for those who want fewer tokens or a spreadsheet.

use serde_json::{Map, Value};

/// A header, a line a row, cells between bars; what else there is to say below, as JSON.
pub fn table(columns: &[String], rows: &[Value], notes: &Map<String, Value>) -> String {
    let cell = |value: &Value| {
        plain(value)
            .replace(['\n', '\r', '\t'], " ")
            .replace('|', "\\|")
    };
    let line = |cells: Vec<String>| format!("{}\n", cells.join(" | "));
    lines(columns, rows, notes, cell, line)
}

/// RFC 4180. A text that a spreadsheet would take for a formula begins with an apostrophe
/// (<https://owasp.org/www-community/attacks/CSV_Injection>).
pub fn csv(columns: &[String], rows: &[Value], notes: &Map<String, Value>) -> String {
    let line = |cells: Vec<String>| {
        let cells: Vec<String> = cells.iter().map(|cell| quoted(cell)).collect();
        format!("{}\n", cells.join(","))
    };
    let cell = |value: &Value| match value {
        Value::Number(_) => plain(value),
        _ => harmless(plain(value)),
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

/// A list of texts joined, anything else nested as JSON.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.iter().all(Value::is_string) => {
            let texts: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
            texts.join("; ")
        }
        other => other.to_string(),
    }
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

//! A draft of the table of an operation without one: facts of its document, guesses, and places to fill in.

mod guess;

use std::fmt::Write as _;

use serde_json::Value;

use crate::annotations::TenantRole;
use crate::model::lint::tenants_without_role;
use crate::model::lower::LoweredOperation;
use crate::model::naming::{argument_name_fault, tool_name_fault};
use crate::model::operation::{Operation, OperationArgument, V3Operation};
use crate::unfinished::{TODO, operation_of};
use guess::{guess_paging, guess_role, guess_summary_fields};
use tool::{Rule, TokenClass};

/// A file of `openapi/tools/` with one more table.
pub struct TableDraft {
    /// The whole text of the file.
    pub text: String,
    /// The line where the table begins.
    pub line: usize,
    /// The number of lines of the table to fill in or review.
    pub places: usize,
}

/// Adds the table of `lowered` to the text of its file, after the table of the operation that precedes it in
/// `document`.
pub fn draft(lowered: &LoweredOperation, document: &Value, file: &str) -> TableDraft {
    let table = table(lowered);
    let lines: Vec<&str> = file.lines().collect();
    let before = place_behind(&lines, &lowered.operation.operation_id, document);
    let (above, below) = lines.split_at_checked(before).unwrap_or((&lines, &[]));
    let mut text = above.join("\n").trim_end().to_owned();
    text += "\n\n";
    let line = text.lines().count() + 1;
    text += table.trim_end();
    text.push('\n');
    let below = below.join("\n");
    if !below.trim().is_empty() {
        let _ = write!(text, "\n{}\n", below.trim());
    }
    TableDraft {
        text,
        line,
        places: table.lines().filter(|line| line.contains(TODO)).count(),
    }
}

/// The number of lines above the new table.
fn place_behind(lines: &[&str], operation_id: &str, document: &Value) -> usize {
    let operations = crate::document::resolve::operations(document);
    let ids: Vec<&str> = operations
        .filter_map(|(_, _, _, operation)| operation["operationId"].as_str())
        .take_while(|id| *id != operation_id)
        .collect();
    let headers: Vec<(usize, String)> = lines
        .iter()
        .enumerate()
        .filter_map(|(number, line)| Some((number, operation_of(line)?)))
        .collect();
    let last_of = |id: &str| headers.iter().rposition(|(_, one)| one == id);
    let before = ids.iter().rev().find_map(|id| last_of(id));
    let next = before.and_then(|before| headers.get(before + 1));
    let Some((mut end, _)) = next.cloned() else {
        return lines.len();
    };
    // A comment directly above a header belongs to that header.
    while lines
        .get(end.saturating_sub(1))
        .is_some_and(|line| line.starts_with('#'))
    {
        end -= 1;
    }
    end
}

fn table(lowered: &LoweredOperation) -> String {
    let operation = &lowered.operation;
    let id = key(&operation.operation_id);
    let mut lines = vec![format!("[{id}]")];
    if let Some(what) = tool_name_fault(&operation.tool) {
        lines.push(format!(
            "name = \"{TODO}\" # {}_{} {what}",
            operation.document, operation.operation_id
        ));
    }
    lines.push(format!(
        "title = \"{TODO}\" # what it does in two to five words"
    ));
    lines.push(format!(
        "description = \"{TODO}\" # the first sentence in a CRM user's words; at most 1,024 characters"
    ));
    lines.push(format!(
        "phrases = [\"{TODO}\"] # 5 to 30 ways to ask for it in other words than the title"
    ));
    lines.extend(review(operation));
    let (rows, paging) = guess_paging(operation, &lowered.answer);
    let fields = guess_summary_fields(&lowered.answer, rows.as_deref());
    lines.push(format!(
        "summary_fields = {} # {TODO}: guessed. The few fields that matter most, at most 10",
        toml::Value::from(fields)
    ));
    lines.push(paging);
    let mut text = lines.join("\n");
    text.push('\n');
    for (name, lines) in arguments(lowered) {
        let _ = write!(text, "\n[{id}.arguments.{}]{lines}\n", key(&name));
    }
    text
}

/// Effect and related keys.
fn review(operation: &Operation) -> Vec<String> {
    const EFFECTS: &str = "read, write, send, money or destructive; see CONTRIBUTING.md";
    let reason = format!(
        "reason = \"{TODO}\" # why, where the method does not show the effect: send, money, destructive, bulk; else remove the line"
    );
    let mut lines = match operation.method.as_str() {
        "GET" => vec![format!(
            "effect = \"read\" # {TODO}: guessed from GET. {EFFECTS}"
        )],
        "DELETE" => vec![
            format!("effect = \"destructive\" # {TODO}: guessed from DELETE. {EFFECTS}"),
            reason,
        ],
        _ => vec![format!("effect = \"{TODO}\" # {EFFECTS}"), reason],
    };
    if matches!(operation.method.as_str(), "PUT" | "DELETE") {
        lines.push(format!(
            "idempotent = true # {TODO}: guessed from {}. Twice leaves what once leaves",
            operation.method
        ));
    }
    if operation.token == TokenClass::Unknown {
        lines.push(format!(
            "token = \"{TODO}\" # location, agency or either: HighLevel's document does not say"
        ));
    }
    lines
}

/// The tables of arguments and of fields inside them: the keys that the build requires, and a text for each argument.
fn arguments(lowered: &LoweredOperation) -> Vec<(String, String)> {
    let operation = &lowered.operation;
    let tenants = tenants_without_role(operation, &Default::default());
    let tenants: Vec<String> = tenants.into_iter().map(|tenant| tenant.key).collect();
    let mut names: Vec<String> = Vec::new();
    let own = operation.arguments.iter().map(|one| one.wire_name.clone());
    for name in own
        .chain(tenants.iter().cloned())
        .chain(lowered.documented_dates.keys().cloned())
    {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let all = operation.arguments.iter().chain(match &operation.v3 {
        V3Operation::Other(v3) => v3.arguments.iter(),
        _ => [].iter(),
    });
    let all: Vec<&OperationArgument> = all.collect();
    names
        .into_iter()
        .map(|name| {
            let argument = all.iter().find(|one| one.wire_name == name);
            let mut lines = argument.map_or_else(String::new, |one| format!(" # {}", facts(one)));
            if argument.is_some_and(|one| argument_name_fault(&one.name).is_some()) {
                let _ = write!(lines, "\nname = \"{TODO}\" # clients take letters, digits, _, . and -");
            }
            let is_tenant = tenants.contains(&name);
            if is_tenant {
                lines += &role(operation, &name, argument.is_some());
            }
            if let Some(form) = lowered.documented_dates.get(&name) {
                let form = match form.is_day() {
                    true => "date",
                    false => "date-time",
                };
                let _ = write!(
                    lines,
                    "\ndate = \"{form}\" # {TODO}: guessed from its document. The form that HighLevel takes"
                );
            }
            if !is_tenant && argument.is_some() {
                let _ = write!(
                    lines,
                    "\ntext = \"{TODO}\" # what to give, in a few words; where the name says it, remove the line"
                );
            }
            (name, lines)
        })
        .collect()
}

fn role(operation: &Operation, name: &str, is_argument: bool) -> String {
    let (role, rule) = guess_role(operation, name);
    let mut lines = format!(
        "\nrole = \"{}\" # {TODO}: guessed from its name. location, company or none",
        match role {
            TenantRole::Location => "location",
            TenantRole::Company => "company",
            TenantRole::None => "none",
        }
    );
    if is_argument && role != TenantRole::None {
        let _ = write!(
            lines,
            "\nrule = \"{}\" # {TODO}: guessed. fill: the caller's own where none is given; explicit: never filled",
            match rule {
                Rule::Fill => "fill",
                Rule::Explicit => "explicit",
            }
        );
    }
    lines
}

/// The document's facts about an argument, in names and types.
fn facts(argument: &OperationArgument) -> String {
    let place = format!("{:?}", argument.place).to_lowercase();
    let kind = match &argument.schema["type"] {
        Value::String(kind) => kind.clone(),
        Value::Array(kinds) => {
            let kinds: Vec<&str> = kinds.iter().filter_map(Value::as_str).collect();
            kinds.join(" or ")
        }
        _ => "any type".to_owned(),
    };
    let required = if argument.required { ", required" } else { "" };
    format!("{place}, {kind}{required}")
}

/// A key of TOML, quoted if necessary.
fn key(name: &str) -> String {
    let is_bare = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-');
    if !name.is_empty() && name.chars().all(is_bare) {
        name.to_owned()
    } else {
        toml::Value::from(name).to_string()
    }
}

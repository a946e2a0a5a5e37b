//! One tool in full, for somebody who wants to call it.

use std::fmt::Write;

use serde_json::Value;

use super::EndpointTool;
use super::endpoint_tool::{effect, title};
use super::example::{Example, quoted};
use crate::cli::CliError;
use crate::cli::terminal::{columns, narrow_columns};
use crate::surfaces::Listing;
use crate::surfaces::search::{fields, is_required, type_text};
use tool::Tool;

/// The depth to which an argument's type shows its fields.
const DEPTH: usize = 1;

/// Most fields of an answer that are named.
const MOST_FIELDS: usize = 20;

/// Title, effect, text, arguments, an example, the answer and the scopes; the same on a terminal and in a pipe.
pub(super) fn text(tool: &EndpointTool, endpoint: Option<&str>) -> Result<String, CliError> {
    let listing = &tool.listing;
    let descriptor = crate::mcp::descriptor(listing)?;
    let mut text = format!("{}\n", title(listing));
    let bulk = tool.operation().is_some_and(|tool| tool.bulk);
    let bulk = if bulk { ", many records at once" } else { "" };
    writeln!(text, "{} ({}{bulk})\n", tool.name(), effect(listing))?;
    let description = descriptor["description"].as_str().unwrap_or_default();
    text += &columns("", [[description.to_owned()]]);
    text += "\nArguments\n";
    text += &arguments(&descriptor["inputSchema"], &tool.schema()?);
    let example = Example::new(tool)?;
    let at = endpoint.map_or_else(String::new, |endpoint| format!(" --endpoint {endpoint}"));
    let command = format!("highlevel-mcp call{at} {}", tool.name());
    writeln!(text, "\nExample\n  {command} {}", example.line())?;
    writeln!(text, "  {command} {}", quoted(&example.json()))?;
    if let Listing::Tool(tool) | Listing::Legacy(tool) = listing {
        text += &operation(tool);
    }
    Ok(text)
}

/// Required arguments first, then the others. `listed` is the schema that clients see, with its texts; `checked` has
/// the more exact types.
fn arguments(listed: &Value, checked: &Value) -> String {
    let known = fields(checked);
    let listed_fields = fields(listed);
    let (needed, optional): (Vec<_>, Vec<_>) = listed_fields
        .iter()
        .partition(|(name, _)| is_required(listed, name));
    let row = |(name, told): &(&str, &Value), is_needed: bool| {
        let whole = known.iter().find(|(one, _)| one == name);
        let kind = type_text(whole.map_or(*told, |(_, schema)| schema), DEPTH);
        let text = told["description"].as_str().unwrap_or_default();
        let text = match (is_needed, text) {
            (true, "") => "required".to_owned(),
            (true, text) => format!("required: {text}"),
            (false, text) => text.to_owned(),
        };
        [(*name).to_owned(), kind, text]
    };
    let needed = needed.into_iter().map(|one| row(one, true));
    let rows: Vec<[String; 3]> = needed
        .chain(optional.into_iter().map(|one| row(one, false)))
        .collect();
    match rows.is_empty() {
        true => "  none\n".to_owned(),
        false => narrow_columns("  ", rows),
    }
}

fn operation(tool: &Tool) -> String {
    let fields = match tool.summary_fields.is_empty() {
        true => tool.answers,
        false => tool.summary_fields,
    };
    let mut shown: Vec<&str> = fields.iter().take(MOST_FIELDS).copied().collect();
    if fields.len() > MOST_FIELDS {
        shown.push("…");
    }
    let answer = match (tool.answers_media(), tool.paging.rows.last()) {
        (Some(media), _) => format!("a file ({media})"),
        (None, _) if shown.is_empty() => {
            "HighLevel's answer, whose fields its documents do not name".to_owned()
        }
        (None, Some(rows)) => format!("rows of {rows}: {}", shown.join(", ")),
        (None, None) => shown.join(", "),
    };
    let scopes = match tool.scopes {
        [] => "none known".to_owned(),
        scopes => scopes.join(", "),
    };
    let rows = [
        ["Answer".to_owned(), answer],
        ["Scopes".to_owned(), scopes],
        ["Toolsets".to_owned(), tool.toolsets.join(", ")],
        [
            "Request".to_owned(),
            format!("{} {} (version {})", tool.method, tool.path, tool.version),
        ],
    ];
    format!("\n{}", columns("", rows))
}

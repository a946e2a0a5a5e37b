//! The tools of a surface as MCP lists them.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock, OnceLock};

use rmcp::model::{CacheScope, JsonObject, ListToolsResult, Tool as Listed, ToolAnnotations};

use serde_json::{Value, json};

use crate::catalog::TOOLS;
use crate::surfaces::mention::{unserved, with_titles};
use crate::surfaces::{Endpoint, Listing, MetaListing, legacy};
use tool::{Effect, Tool};

/// The list changes only with a release.
pub(super) const FRESH_MS: u64 = 3_600_000;

/// Lists of this many tools have no titles, which would cost 6,000 tokens and repeat the names, and no `output`.
const MANY: usize = 200;

/// The argument that shortens an answer, for tools that return lists. It is beside their own arguments, and the same
/// for all.
const OUTPUT: &str = "output";
const OUTPUT_TEXT: &str = "{fields: [paths], filter: [{field, op, value}], maxItems, allPages}";

/// Tools as lists show them: each is made when it is first listed, and shared by every surface.
type Parts = LazyLock<Vec<OnceLock<Listed>>>;

static PLAIN: Parts = LazyLock::new(unmade);
static WITH_OUTPUT: Parts = LazyLock::new(unmade);
static LEGACY: Parts = LazyLock::new(unmade);

/// The answer to `tools/list`: every tool on one page, for clients that read no second page.
pub fn list(endpoint: &Endpoint) -> Result<ListToolsResult, serde_json::Error> {
    let listings: Vec<Listing> = endpoint.list().collect();
    let is_long = listings.len() >= MANY;
    let tools = listings
        .iter()
        .map(|listing| Ok(in_words_of(endpoint, listing, part(listing, is_long)?)));
    let mut tools: Vec<Listed> = tools.collect::<Result<_, serde_json::Error>>()?;
    if is_long {
        tools.iter_mut().for_each(|tool| tool.title = None);
    }
    let mut list = ListToolsResult::with_all_items(tools);
    list.ttl_ms = Some(FRESH_MS);
    // It is the same for everyone who may ask.
    list.cache_scope = Some(CacheScope::Public);
    Ok(list)
}

/// One tool alone, in the form of a short list.
pub fn descriptor(listing: &Listing) -> Result<Value, serde_json::Error> {
    serde_json::to_value(part(listing, false)?)
}

fn unmade() -> Vec<OnceLock<Listed>> {
    TOOLS.iter().map(|_| OnceLock::new()).collect()
}

/// A copy that shares the schema, which is most of it.
fn part(listing: &Listing, is_long: bool) -> Result<Listed, serde_json::Error> {
    let (tool, parts) = match listing {
        Listing::Tool(tool) if is_long => (tool, &PLAIN),
        Listing::Tool(tool) => (tool, &WITH_OUTPUT),
        Listing::Legacy(tool) => (tool, &LEGACY),
        // There are only a few of these.
        Listing::Meta(meta) => return meta_tool(meta),
    };
    let place = TOOLS.binary_search_by(|one| one.name.cmp(tool.name));
    let part = place.ok().and_then(|index| parts.get(index));
    if let Some(made) = part.and_then(OnceLock::get) {
        return Ok(made.clone());
    }
    let made = listed(listing, tool, is_long)?;
    if let Some(part) = part {
        // Another thread may have made an equal one meanwhile.
        let _ = part.set(made.clone());
    }
    Ok(made)
}

fn listed(listing: &Listing, tool: &Tool, is_long: bool) -> Result<Listed, serde_json::Error> {
    let schema: JsonObject = match listing {
        Listing::Legacy(tool) => object(legacy::schema(tool))?,
        _ => {
            let mut schema: JsonObject = serde_json::from_str(tool.advertised_schema)?;
            if !is_long && takes_output(tool) {
                add_output(&mut schema);
            }
            schema
        }
    };
    let hints = if is_long {
        hints_beside_defaults(tool)
    } else {
        hints(tool)
    };
    Ok(Listed::new(tool.name, description(tool), Arc::new(schema))
        .with_title(tool.title)
        .with_annotations(hints))
}

/// Whether an answer of `tool` is a list, which may be long.
fn takes_output(tool: &Tool) -> bool {
    let mut arguments = tool.arguments.iter();
    let is_own = arguments.any(|argument| argument.name == OUTPUT);
    tool.effect == Effect::Read && !tool.paging.rows.is_empty() && !is_own
}

fn add_output(schema: &mut JsonObject) {
    let output = json!({"type": "object", "description": OUTPUT_TEXT});
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        properties.insert(OUTPUT.to_owned(), output);
    }
}

/// Adds that the operation is deprecated, and its replacement, unless the text names it already.
fn description(tool: &Tool) -> Cow<'static, str> {
    let told = tool.description;
    match tool.replaced_by {
        Some(other) if told.contains(other) => told.into(),
        Some(other) => format!("{told} Deprecated: use {other}.").into(),
        None if tool.deprecated => format!("{told} Deprecated.").into(),
        None => told.into(),
    }
}

/// The tool, in whose texts titles replace the names of tools that `endpoint` lacks.
fn in_words_of(endpoint: &Endpoint, listing: &Listing, mut listed: Listed) -> Listed {
    let (Listing::Tool(tool) | Listing::Legacy(tool)) = listing else {
        return listed;
    };
    let unserved = unserved(endpoint, tool);
    if unserved.is_empty() {
        return listed;
    }
    let told = listed
        .description
        .map(|told| with_titles(&told, &unserved).into_owned());
    listed.description = told.map(Cow::Owned);
    let mut schema = JsonObject::clone(&listed.input_schema);
    schema
        .values_mut()
        .for_each(|value| name_by_titles(value, &unserved));
    listed.input_schema = Arc::new(schema);
    listed
}

/// The same for the descriptions inside a schema.
fn name_by_titles(schema: &mut Value, unserved: &[&Tool]) {
    let members = schema.as_object_mut().into_iter().flatten();
    for (name, value) in members {
        match value {
            Value::String(text) if name == "description" => {
                *text = with_titles(text, unserved).into_owned();
            }
            value => name_by_titles(value, unserved),
        }
    }
}

fn meta_tool(meta: &MetaListing) -> Result<Listed, serde_json::Error> {
    let schema = Arc::new(object(meta.schema.clone())?);
    let mut tool = Listed::new(meta.name, meta.description, schema);
    if let Some(title) = meta.title {
        tool = tool.with_title(title);
    }
    if let Some(told) = meta.hints {
        let mut hints = ToolAnnotations::default();
        hints.read_only_hint = Some(told.read_only);
        if !told.read_only {
            // Some of its operations overwrite, and a repeat changes something again.
            hints.destructive_hint = Some(true);
            hints.idempotent_hint = Some(false);
        }
        hints.open_world_hint = Some(!told.closed_world);
        tool = tool.with_annotations(hints);
    }
    Ok(tool)
}

fn object(schema: Value) -> Result<JsonObject, serde_json::Error> {
    serde_json::from_value(schema)
}

/// All hints of the specification are given, because clients disagree on the meaning of missing ones. For a tool that
/// only reads, the two without a meaning are left out.
fn hints(tool: &Tool) -> ToolAnnotations {
    let mut hints = ToolAnnotations::default();
    let only_reads = tool.effect == Effect::Read;
    hints.read_only_hint = Some(only_reads);
    if !only_reads {
        hints.destructive_hint = Some(!(tool.effect == Effect::Write && tool.additive));
        hints.idempotent_hint = Some(tool.idempotent);
    }
    // Everything but messages stays within the account's own records.
    hints.open_world_hint = Some(tool.effect == Effect::Send);
    hints
}

/// The hints that differ from the specification's defaults. On a list of all tools, the others cost 9,000 tokens.
fn hints_beside_defaults(tool: &Tool) -> ToolAnnotations {
    let mut hints = hints(tool);
    hints.read_only_hint = hints.read_only_hint.filter(|reads| *reads);
    hints.destructive_hint = hints.destructive_hint.filter(|destroys| !destroys);
    hints.idempotent_hint = hints.idempotent_hint.filter(|is_idempotent| *is_idempotent);
    hints.open_world_hint = hints.open_world_hint.filter(|is_open| !is_open);
    hints
}

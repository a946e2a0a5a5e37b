//! The tools of a surface as MCP lists them.

use std::sync::{Arc, LazyLock, OnceLock};

use rmcp::model::{CacheScope, JsonObject, ListToolsResult, Tool as Listed, ToolAnnotations};

use crate::catalog::TOOLS;
use crate::surfaces::{Endpoint, Listing, MetaListing, legacy};
use tool::{Effect, Tool};

/// The list changes with a release only.
pub(super) const FRESH_MS: u64 = 3_600_000;

/// From so many tools on a list shows no titles: they cost 6,000 tokens for all, and names say as much.
const MANY: usize = 200;

/// Tools as lists show them: each made when it is first listed, and the same for every surface.
type Parts = LazyLock<Vec<OnceLock<Listed>>>;

static PLAIN: Parts = LazyLock::new(unmade);
static LEGACY: Parts = LazyLock::new(unmade);

/// The answer to `tools/list`: every tool on one page, for clients that read no second one.
pub fn list(endpoint: &Endpoint) -> Result<ListToolsResult, serde_json::Error> {
    let tools = endpoint.list().map(|listing| part(&listing));
    let mut tools: Vec<Listed> = tools.collect::<Result<_, _>>()?;
    if tools.len() >= MANY {
        tools.iter_mut().for_each(|tool| tool.title = None);
    }
    let mut list = ListToolsResult::with_all_items(tools);
    list.ttl_ms = Some(FRESH_MS);
    // The same for everyone who may ask.
    list.cache_scope = Some(CacheScope::Public);
    Ok(list)
}

fn unmade() -> Vec<OnceLock<Listed>> {
    TOOLS.iter().map(|_| OnceLock::new()).collect()
}

/// A copy that shares the schema, which is nearly all of it.
fn part(listing: &Listing) -> Result<Listed, serde_json::Error> {
    let (tool, parts) = match listing {
        Listing::Tool(tool) => (tool, &PLAIN),
        Listing::Legacy(tool) => (tool, &LEGACY),
        // As few as are counted on one's fingers.
        Listing::Meta(meta) => return meta_tool(meta),
    };
    let place = TOOLS.binary_search_by(|one| one.name.cmp(tool.name));
    let part = place.ok().and_then(|index| parts.get(index));
    if let Some(made) = part.and_then(OnceLock::get) {
        return Ok(made.clone());
    }
    let made = listed(listing, tool)?;
    if let Some(part) = part {
        // Another may have made it meanwhile, which is no other.
        let _ = part.set(made.clone());
    }
    Ok(made)
}

fn listed(listing: &Listing, tool: &Tool) -> Result<Listed, serde_json::Error> {
    let schema: JsonObject = match listing {
        Listing::Legacy(tool) => object(legacy::schema(tool))?,
        _ => serde_json::from_str(tool.advertised_schema)?,
    };
    Ok(Listed::new(tool.name, tool.description, Arc::new(schema))
        .with_title(tool.title)
        .with_annotations(annotations(tool)))
}

fn meta_tool(meta: &MetaListing) -> Result<Listed, serde_json::Error> {
    let schema = Arc::new(object(meta.schema.clone())?);
    let mut tool = Listed::new(meta.name, meta.description, schema);
    if let Some(title) = meta.title {
        tool = tool.with_title(title);
    }
    if let Some(told) = meta.hints {
        let mut hints = ToolAnnotations::default();
        hints.read_only_hint = told.read_only.then_some(true);
        hints.open_world_hint = told.closed_world.then_some(false);
        tool = tool.with_annotations(hints);
    }
    Ok(tool)
}

fn object(schema: serde_json::Value) -> Result<JsonObject, serde_json::Error> {
    serde_json::from_value(schema)
}

/// What the specification's words say. Hints equal to its defaults, and those that mean nothing for
/// a tool that only reads, cost tokens and say nothing.
fn annotations(tool: &Tool) -> ToolAnnotations {
    let mut hints = ToolAnnotations::default();
    if tool.effect == Effect::Read {
        hints.read_only_hint = Some(true);
    } else {
        hints.destructive_hint = (tool.effect == Effect::Write && tool.additive).then_some(false);
        hints.idempotent_hint = tool.idempotent.then_some(true);
    }
    // All but messages stay within the account's own records.
    hints.open_world_hint = (tool.effect != Effect::Send).then_some(false);
    hints
}

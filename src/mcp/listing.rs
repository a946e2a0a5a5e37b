//! The tools of a surface as MCP lists them.

use std::sync::{Arc, LazyLock, OnceLock};

use rmcp::model::{CacheScope, JsonObject, ListToolsResult, Tool as Listed, ToolAnnotations};

use crate::generated::TOOLS;
use crate::runtime::tool::{Effect, Tool};
use crate::tools::orchestrator::{Kind, Meta, meta_tools};
use crate::tools::surfaces::{MetaTools, Style, Surface};
use crate::tools::{compat, legacy};

/// The list changes with a release only.
pub const FRESH_MS: u64 = 3_600_000;

/// From so many tools on a list shows no titles: they cost 6,000 tokens for all, and names say as much.
const MANY: usize = 200;

/// Tools as lists show them: each made when it is first listed, and the same for every surface.
type Parts = LazyLock<Vec<OnceLock<Listed>>>;

static PLAIN: Parts = LazyLock::new(unmade);
static LEGACY: Parts = LazyLock::new(unmade);

/// The answer to `tools/list`: every tool on one page, for clients that read no second one.
pub fn list(surface: &Surface) -> Result<ListToolsResult, serde_json::Error> {
    let tools = surface.tools.iter().map(|tool| part(tool, surface.style));
    let mut tools: Vec<Listed> = tools.collect::<Result<_, _>>()?;
    if tools.len() >= MANY {
        tools.iter_mut().for_each(|tool| tool.title = None);
    }
    tools.extend(standing_for_all(surface.meta, surface.read_only)?);
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
fn part(tool: &Tool, style: Style) -> Result<Listed, serde_json::Error> {
    let parts = match style {
        Style::Plain => &PLAIN,
        Style::Legacy => &LEGACY,
    };
    let place = TOOLS.binary_search_by(|one| one.name.cmp(tool.name));
    let part = place.ok().and_then(|index| parts.get(index));
    if let Some(made) = part.and_then(OnceLock::get) {
        return Ok(made.clone());
    }
    let made = listed(tool, style)?;
    if let Some(part) = part {
        // Another may have made it meanwhile, which is no other.
        let _ = part.set(made.clone());
    }
    Ok(made)
}

/// The tools that stand for all operations, made once like the others.
fn standing_for_all(meta: MetaTools, read_only: bool) -> Result<Vec<Listed>, serde_json::Error> {
    static MADE: [OnceLock<Vec<Listed>>; 3] = [const { OnceLock::new() }; 3];
    let made = match (meta, read_only) {
        (MetaTools::None, _) => return Ok(Vec::new()),
        (MetaTools::Orchestrator, false) => &MADE[0],
        (MetaTools::Orchestrator, true) => &MADE[1],
        (MetaTools::Compat, _) => &MADE[2],
    };
    if let Some(made) = made.get() {
        return Ok(made.clone());
    }
    let mut tools = Vec::new();
    if meta == MetaTools::Orchestrator {
        for tool in meta_tools(read_only) {
            let (name, description) = (tool.name, tool.description);
            let listed = Listed::new(name, description, Arc::new(object(tool.schema)?));
            let listed = listed.with_title(tool.title);
            tools.push(listed.with_annotations(meta_annotations(tool.meta)));
        }
    } else {
        for (_, name, description, schema) in compat::tools() {
            tools.push(Listed::new(name, description, Arc::new(object(schema)?)));
        }
    }
    Ok(made.get_or_init(|| tools).clone())
}

fn listed(tool: &Tool, style: Style) -> Result<Listed, serde_json::Error> {
    let schema: JsonObject = match style {
        Style::Plain => serde_json::from_str(tool.advertised_schema)?,
        Style::Legacy => object(legacy::schema(tool))?,
    };
    Ok(Listed::new(tool.name, tool.description, Arc::new(schema))
        .with_title(tool.title)
        .with_annotations(annotations(tool)))
}

fn object(schema: serde_json::Value) -> Result<JsonObject, serde_json::Error> {
    serde_json::from_value(schema)
}

fn meta_annotations(meta: Meta) -> ToolAnnotations {
    let mut hints = ToolAnnotations::default();
    match meta {
        Meta::Search | Meta::Locations | Meta::Call(Kind::Read) => {
            hints.read_only_hint = Some(true)
        }
        Meta::Call(_) => {}
    }
    hints.open_world_hint = (meta != Meta::Call(Kind::Send)).then_some(false);
    hints
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

//! Turns a caller's arguments into those of the request: every change and every check.

mod absent;
mod clear;
mod coercion;
mod dates;
mod excerpt;
mod filters;
mod forms;
mod keywords;
mod lists;
mod meant;
mod names;
mod nulls;
pub(crate) mod own;
mod placement;
pub(crate) mod records;
mod renames;
mod roles;
mod schema;
mod tenant;

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde_json::{Map, Value};

use crate::upstream::{Caller, TenantId};
pub(crate) use dates::LocalZone;
use schema::Schema;
pub(crate) use tenant::{TenantNeed, location_on_the_wire};
use tool::{Arguments, Effect, Tool};

/// The most problems that one call reports: 100,000 unknown names took two seconds to answer.
const MOST_TOLD: usize = 20;

/// Checks the arguments of any tool. The schema of a tool is compiled at its first call.
pub(crate) struct Checker {
    /// By the tool's address in memory: its v3 variant has the same name.
    schemas: BTreeMap<usize, OnceLock<Result<Schema, String>>>,
    ignored: Vec<String>,
}

/// Arguments that passed every check, with warnings for the caller.
#[derive(Debug)]
pub(crate) struct CheckedArguments {
    pub arguments: Arguments,
    pub warnings: Vec<String>,
}

/// The reasons for refusing arguments: every fault of one call.
#[derive(Debug, PartialEq, Eq)]
pub struct Rejection {
    pub problems: Vec<ArgumentProblem>,
    /// Nothing is wrong, but a time has no offset and the location's zone was not looked up yet.
    pub(crate) needs_zone: bool,
}

/// One fault of one argument.
#[derive(Debug, PartialEq, Eq)]
pub struct ArgumentProblem {
    /// A sentence that opens with the argument's name or path, such as `customFields[0].id`.
    pub what: String,
    /// The argument names another location or company than the caller is bound to.
    pub foreign_tenant: bool,
}

impl Checker {
    /// `ignored`: names that clients add on their own. They are dropped if the tool has no such
    /// argument.
    pub(crate) fn new(tools: &'static [Tool], ignored: Vec<String>) -> Self {
        let variants = tools.iter().flat_map(Tool::variants);
        let schemas = variants
            .map(|tool| (tool.address(), OnceLock::new()))
            .collect();
        Self { schemas, ignored }
    }

    /// The arguments of one request, or every problem of `given`. `as_highlevel`: a null empties a value if its schema
    /// allows null, as on HighLevel's own servers; otherwise only `clear` empties. `zone` applies to times without an
    /// offset.
    pub(crate) fn check(
        &self,
        tool: &Tool,
        mut given: Map<String, Value>,
        caller: &Caller,
        as_highlevel: bool,
        zone: &LocalZone,
    ) -> Result<CheckedArguments, Rejection> {
        let schema = self.schema(tool)?;
        let mut problems = ArgumentProblems::default();
        let cleared = clear::take(tool, schema, &mut given, &mut problems);
        let mut values = names::canonical(tool, schema, given, &self.ignored, &mut problems);
        let gives_all = as_highlevel && schema.shown.iter().all(|name| values.contains_key(name));
        let (root, clearable) = (&schema.root, &schema.clearable);
        let mut nulls = absent::drop_arguments(tool, root, clearable, as_highlevel, &mut values);
        coercion::coerce(root, &mut values, &mut problems);
        let needs_zone = dates::lower(tool, schema, &mut values, zone, &mut problems);
        if as_highlevel {
            nulls::drop_unused(root, gives_all, &mut values);
        }
        absent::drop_fields(tool, root, as_highlevel, &mut values, &mut problems);
        lists::settle(tool, root, &mut values);
        renames::apply(tool, &mut values, &mut problems);
        clear::apply(&cleared, &mut values, &mut problems);
        tenant::bind(tool, schema, caller, &mut values, &mut problems);
        fill_absent(tool, &mut values);
        let values = schema.check(values, &mut problems);
        let arguments = placement::place(tool, schema, values, &mut problems);
        if needs_zone || !problems.0.is_empty() {
            return Err(Rejection {
                needs_zone: problems.0.is_empty(),
                problems: problems.0,
            });
        }
        nulls.retain(|name| !cleared.contains(&name.as_str()));
        Ok(CheckedArguments {
            arguments,
            warnings: null_warning(&nulls).into_iter().collect(),
        })
    }

    /// `given` under the names of the tool's schema. Unknown names stay, for the check to refuse. For a read, values
    /// that count as absent are removed, because the next page depends on what is there.
    pub(crate) fn canonical_names(
        &self,
        tool: &Tool,
        given: Map<String, Value>,
    ) -> Map<String, Value> {
        let named = given
            .into_iter()
            .map(|(name, value)| match names::find(tool, &name) {
                Some(argument) => (argument.name.to_owned(), value),
                None => (name, value),
            });
        match tool.effect {
            Effect::Read => named.filter(|(_, value)| !value.is_null()).collect(),
            _ => named.collect(),
        }
    }

    /// Whether a call may hold dates, which the location's zone can change.
    pub(crate) fn takes_dates(&self, tool: &Tool) -> bool {
        tool.takes_dates() || self.schema(tool).is_ok_and(Schema::has_search_filters)
    }

    /// The location or company that HighLevel needs for a call and that neither its arguments nor
    /// its connection give.
    pub(crate) fn tenant_need(
        &self,
        tool: &Tool,
        given: &Map<String, Value>,
        caller: &Caller,
    ) -> TenantNeed {
        if caller.location.is_some() && caller.company.is_some() {
            return TenantNeed::default();
        }
        let schema = self.schema(tool);
        schema.map_or_else(
            |_| TenantNeed::default(),
            |schema| tenant::need(tool, schema, given, caller),
        )
    }

    /// The location that `given` names in one of the tool's own arguments.
    pub(crate) fn named_location(tool: &Tool, given: &Map<String, Value>) -> Option<TenantId> {
        let named = given.iter().find_map(|(name, value)| {
            let argument = names::find(tool, name)?;
            argument.names_location().then(|| value.as_str()).flatten()
        });
        TenantId::parse(named?)
    }

    fn schema(&self, tool: &Tool) -> Result<&Schema, Rejection> {
        let compiled = self
            .schemas
            .get(&tool.address())
            .map(|cell| cell.get_or_init(|| Schema::new(tool)));
        match compiled {
            Some(Ok(schema)) => Ok(schema),
            Some(Err(fault)) => Err(Rejection::new(format!("{}: {fault}", tool.name))),
            None => Err(Rejection::new(format!("{} is not served here", tool.name))),
        }
    }
}

impl Rejection {
    fn new(what: String) -> Self {
        Self {
            problems: vec![ArgumentProblem {
                what,
                foreign_tenant: false,
            }],
            needs_zone: false,
        }
    }

    /// Every problem in one sentence.
    pub fn sentence(&self) -> String {
        let whats: Vec<&str> = self
            .problems
            .iter()
            .map(|problem| problem.what.as_str())
            .collect();
        let whats = whats.join("; ");
        // A question ends the sentence itself.
        let end = if whats.ends_with('?') { "" } else { "." };
        format!("Nothing was sent: {whats}{end}")
    }

    /// Whether the only fault is another tenant than the caller's.
    pub fn is_foreign_tenant(&self) -> bool {
        self.problems.iter().all(|problem| problem.foreign_tenant)
    }
}

/// Collects the faults of one call.
#[derive(Debug, Default)]
struct ArgumentProblems(Vec<ArgumentProblem>);

impl ArgumentProblems {
    /// Adds a problem. The same problem counts once, however many checks find it.
    fn add(&mut self, what: impl Into<String>) {
        let what = what.into();
        if !self.0.iter().any(|problem| problem.what == what) {
            self.push(what, false);
        }
    }

    /// Whether further problems would not be reported.
    fn is_full(&self) -> bool {
        self.0.len() >= MOST_TOLD
    }

    fn push(&mut self, what: String, foreign_tenant: bool) {
        if !self.is_full() {
            self.0.push(ArgumentProblem {
                what,
                foreign_tenant,
            });
        }
    }

    /// Adds a missing argument. It counts once, however many checks find it.
    fn add_missing(&mut self, name: &str, hint: &str) {
        let start = format!("{name} is missing");
        if !self
            .0
            .iter()
            .any(|problem| problem.what.starts_with(&start))
        {
            self.add(start + hint);
        }
    }

    fn add_foreign_tenant(&mut self, what: String) {
        self.push(what, true);
    }
}

/// A warning about nulls that seem meant to empty something.
fn null_warning(names: &[String]) -> Option<String> {
    let first = names.first()?;
    let (names, are) = (
        names.join(", "),
        if names.len() == 1 { "is" } else { "are" },
    );
    Some(format!(
        "{names} {are} null, which changes nothing; to empty one give clear: [\"{first}\"]"
    ))
}

/// Fills in values that are sent if the caller gives none, such as `altType`.
fn fill_absent(tool: &Tool, values: &mut Map<String, Value>) {
    for argument in tool.arguments {
        if let Some(text) = argument.when_absent
            && !values.contains_key(argument.name)
            && let Ok(value) = serde_json::from_str(text)
        {
            values.insert(argument.name.to_owned(), value);
        }
    }
}

#[cfg(test)]
mod tests;

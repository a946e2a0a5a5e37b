//! Resolves each given name to an argument.

use serde_json::{Map, Value};

use super::ArgumentProblems;
use super::meant::meant_argument;
use super::schema::Schema;
use tool::{Argument, Effect, Tool, edit_distance};

/// Arguments of ours beside those of an operation.
const BESIDE: [&str; 8] = [
    "output",
    "items",
    "each",
    "confirm",
    "dryRun",
    "idempotencyKey",
    "onError",
    "location",
];

/// Members of `output`.
const OF_OUTPUT: [&str; 13] = [
    "fields",
    "filter",
    "format",
    "maxItems",
    "allPages",
    "groupBy",
    "count",
    "sum",
    "avg",
    "min",
    "max",
    "minCount",
    "locations",
];

/// `given` under the names of the tool's schema. Unknown and duplicate names become problems.
pub(super) fn canonical(
    tool: &Tool,
    schema: &Schema,
    given: Map<String, Value>,
    ignored: &[String],
    problems: &mut ArgumentProblems,
) -> Map<String, Value> {
    let mut values: Map<String, Value> = Map::new();
    let mut unknown_names = Vec::new();
    for (name, value) in given {
        match find(tool, &name) {
            Some(argument) => match values.get(argument.name) {
                Some(first) if *first != value => problems.add(format!(
                    "{} is given twice with different values, once as {name}",
                    argument.name
                )),
                Some(_) => {}
                None => {
                    values.insert(argument.name.to_owned(), value);
                }
            },
            None if ignored.contains(&name) || problems.is_full() => {}
            None => unknown_names.push(name),
        }
    }
    // Once all names are resolved it is known which arguments are missing.
    let is_missing =
        |argument: &Argument| schema.requires(argument.name) && !values.contains_key(argument.name);
    let mut are_told = false;
    for name in unknown_names {
        if !problems.is_full() {
            problems.add(unknown(tool, &name, is_missing, &mut are_told));
        }
    }
    values
}

/// The argument that `name` means.
pub(super) fn find(tool: &Tool, name: &str) -> Option<&'static Argument> {
    let own = tool.arguments.iter().find(|argument| argument.name == name);
    own.or_else(|| {
        tool.arguments
            .iter()
            .find(|argument| argument.aliases.contains(&name))
    })
}

/// The problem of an unknown name. If none is similar, it lists the tool's names, once for all unknown names:
/// some tools have fifty.
fn unknown(
    tool: &Tool,
    name: &str,
    is_missing: impl Fn(&Argument) -> bool,
    are_told: &mut bool,
) -> String {
    let shown: String = name.chars().take(64).collect();
    let is_slip = || {
        let mut names = tool.arguments.iter().map(|one| one.name);
        names.any(|one| edit_distance(one, name) <= 1)
    };
    // A write may have fields of its own for it.
    if tool.effect == Effect::Read && OF_OUTPUT.contains(&name) && !is_slip() {
        return format!(
            "{name} is not an argument of {}: it is a member of output, which stands beside the arguments",
            tool.name
        );
    }
    match meant_argument(tool, name, is_missing) {
        Some(argument) => format!(
            "{shown} is not an argument of {}, did you mean {}?",
            tool.name, argument.name
        ),
        None if BESIDE.contains(&name) => format!(
            "{name} is not an argument of {}: it stands beside the arguments",
            tool.name
        ),
        None if *are_told => format!("{shown} is not an argument of {}", tool.name),
        None => {
            *are_told = true;
            let names: Vec<&str> = tool
                .arguments
                .iter()
                .map(|argument| argument.name)
                .collect();
            format!(
                "{shown} is not an argument of {}, which takes {}",
                tool.name,
                names.join(", ")
            )
        }
    }
}

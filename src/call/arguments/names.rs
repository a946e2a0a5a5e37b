//! Resolves each given name to an argument.

use serde_json::{Map, Value};

use super::ArgumentProblems;
use tool::nearest;
use tool::{Argument, Tool};

/// `given` under the names of the tool's schema. Unknown and duplicate names become problems.
pub(super) fn canonical(
    tool: &Tool,
    given: Map<String, Value>,
    ignored: &[String],
    problems: &mut ArgumentProblems,
) -> Map<String, Value> {
    let mut values: Map<String, Value> = Map::new();
    let mut are_told = false;
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
            None => problems.add(unknown(tool, &name, &mut are_told)),
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
fn unknown(tool: &Tool, name: &str, are_told: &mut bool) -> String {
    let shown: String = name.chars().take(64).collect();
    let known = tool.arguments.iter().flat_map(|argument| {
        let names = std::iter::once(&argument.name).chain(argument.aliases);
        names.map(move |name| (*name, argument))
    });
    match nearest(name, known) {
        Some(argument) => format!(
            "{shown} is not an argument of {}, did you mean {}?",
            tool.name, argument.name
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

//! Parses one `[[arguments]]` of the file, and checks it against the arguments of the tools.

use std::collections::BTreeSet;

use toml::Value;

use super::{Constraint, Plain, Test};
use crate::argument::{ArgumentPath, Missing, PathStanding};
use crate::problems::{PolicyProblems, selectors};
use crate::selector::{Selector, instead};
use tool::Tool;

const KEYS: [&str; 8] = [
    "tools",
    "argument",
    "one_of",
    "none_of",
    "starts_with",
    "max_length",
    "at_most",
    "required",
];

impl Constraint {
    /// `section` is the name of the rule, `at` its place.
    pub(crate) fn read(
        section: &str,
        at: &str,
        value: &Value,
        problems: &mut PolicyProblems,
    ) -> Option<Self> {
        let before = problems.count();
        let (mut tools, mut argument, mut required) = (None, None, false);
        let mut tests = Vec::new();
        for (key, value) in problems.table(at, value)? {
            let inside = format!("{at} {key}");
            match key.as_str() {
                "tools" => tools = Some(selectors(&inside, value, problems)),
                "argument" => argument = path(&inside, value, problems),
                "required" => required = problems.flag(&inside, value),
                key if KEYS.contains(&key) => tests.extend(test(key, &inside, value, problems)),
                _ => problems.unknown(at, key, &KEYS),
            }
        }
        if problems.count() > before {
            return None;
        }
        let (Some(tools), Some(argument)) = (tools, argument) else {
            problems.add(at, "tools and argument are needed");
            return None;
        };
        if tests.is_empty() && !required {
            problems.add(at, "has no condition. Give one_of, none_of, starts_with, max_length, at_most or required");
            return None;
        }
        let having = having(at, &tools, &argument, problems)?;
        Some(Self {
            rule: format!("{section} arguments {:?}", argument.text),
            tools,
            argument,
            tests,
            required,
            having,
        })
    }
}

/// The tools with the argument. It is a problem if none has it, or if no tool documents the field although some
/// document others: otherwise a rule on a misspelled field would have no effect.
fn having(
    at: &str,
    tools: &[Selector],
    argument: &ArgumentPath,
    problems: &mut PolicyProblems,
) -> Option<BTreeSet<usize>> {
    let (mut having, mut documented) = (BTreeSet::new(), false);
    let mut missing: Vec<Missing> = Vec::new();
    let variants = problems.tools.iter().flat_map(Tool::variants);
    let chosen = variants.filter(|tool| tools.iter().any(|one| one.matches(tool)));
    for tool in chosen {
        match argument.standing(tool) {
            PathStanding::Missing(fault) => missing.push(fault),
            standing => {
                documented |= matches!(standing, PathStanding::Documented);
                having.insert(tool.address());
            }
        }
    }
    let inside = missing.iter().any(|fault| fault.inside);
    if documented || (!having.is_empty() && !inside) {
        return Some(having);
    }
    missing.retain(|fault| fault.inside == inside);
    let name = missing.first().map_or("", |fault| &fault.name);
    let known: BTreeSet<&str> = missing
        .iter()
        .flat_map(|fault| fault.known.iter().map(String::as_str))
        .collect();
    let text = &argument.text;
    let hint = if known.is_empty() {
        ", nor any field there".to_owned()
    } else {
        let all = tool::first_names(known.iter().copied());
        instead(name, known, &all)
    };
    let what = format!("none of the tools has an argument {text}{hint}");
    problems.add(&format!("{at} argument"), what);
    None
}

fn path(at: &str, value: &Value, problems: &mut PolicyProblems) -> Option<ArgumentPath> {
    let path = match value.as_str() {
        Some(text) => ArgumentPath::parse(text),
        None => Err("must be a text, in quotes".to_owned()),
    };
    path.map_err(|what| problems.add(at, what)).ok()
}

fn test(key: &str, at: &str, value: &Value, problems: &mut PolicyProblems) -> Option<Test> {
    match key {
        "one_of" => plains(at, value, problems).map(Test::OneOf),
        "none_of" => plains(at, value, problems).map(Test::NoneOf),
        "starts_with" => {
            let starts = problems.texts(at, value);
            let starts: Vec<String> = starts.into_iter().map(str::to_owned).collect();
            if starts.iter().any(String::is_empty) {
                problems.add(at, "has an empty text, with which every text starts");
            }
            filled(at, value, problems)
                .then_some(starts)
                .map(Test::StartsWith)
        }
        "max_length" => problems.whole_number(at, value).map(Test::MaxLength),
        _ => match number(value) {
            Some(most) => Some(Test::AtMost(most)),
            None => {
                problems.add(at, "must be a number");
                None
            }
        },
    }
}

fn plains(at: &str, list: &Value, problems: &mut PolicyProblems) -> Option<Vec<Plain>> {
    let mut plains = Vec::new();
    for value in problems.list(at, list) {
        match (value, number(value)) {
            (Value::String(text), _) => plains.push(Plain::Text(text.clone())),
            (Value::Boolean(flag), _) => plains.push(Plain::Flag(*flag)),
            (_, Some(number)) => plains.push(Plain::Number(number)),
            _ => problems.add(
                at,
                format_args!("{value} must be a text, a number or true or false"),
            ),
        }
    }
    filled(at, list, problems).then_some(plains)
}

/// An empty list would refuse every value, or none.
fn filled(at: &str, list: &Value, problems: &mut PolicyProblems) -> bool {
    let empty = list.as_array().is_some_and(Vec::is_empty);
    if empty {
        problems.add(at, "is empty; leave it out, or deny the tools");
    }
    !empty
}

fn number(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Integer(number) => number.to_string().parse().ok(),
        Value::Float(number) => Some(*number),
        _ => None,
    };
    number.filter(|number: &f64| number.is_finite())
}

//! An argument in rules, in the schemas of tools, and in the request to be sent.

use std::borrow::Cow;

use serde_json::Value;

use tool::Arguments;
use tool::{Argument, ListStyle, Place, Tool};

/// An argument by the name that tools show, with the path of a field inside it: `customFields[].id`.
#[derive(Clone, Debug)]
pub(crate) struct ArgumentPath {
    /// Its text in the file.
    pub text: String,
    argument: String,
    fields: Vec<String>,
}

/// A tool's documentation of a path.
#[derive(Debug)]
pub(crate) enum PathStanding {
    Documented,
    /// It documents the object, but not its fields.
    Open,
    Missing(Missing),
}

/// A name that a tool does not have, with those that it has in that place.
#[derive(Debug)]
pub(crate) struct Missing {
    /// It is a field, and the tool has the argument.
    pub inside: bool,
    pub name: String,
    pub known: Vec<String>,
}

/// A value without fields in the middle of the path.
#[derive(Debug)]
pub(crate) struct Unreadable<'a>(pub &'a Value);

impl ArgumentPath {
    /// Parses a path. `[]` marks a list and may be omitted: a rule applies to every item of any list on the path.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut steps = text.split('.').map(|step| {
            let mut name = step;
            while let Some(holder) = name.strip_suffix("[]") {
                name = holder;
            }
            if name.is_empty() || name.contains(['[', ']']) {
                return Err(format!(
                    "{text:?} is not an argument. Name a field inside an argument like this: customFields[].id"
                ));
            }
            Ok(name.to_owned())
        });
        let argument = steps.next().unwrap_or(Ok(String::new()))?;
        Ok(Self {
            text: text.to_owned(),
            argument,
            fields: steps.collect::<Result<_, _>>()?,
        })
    }

    /// The argument of `tool`, by any of its names: otherwise a rule with HighLevel's spelling would have no effect
    /// where the tool shows another.
    pub(crate) fn find_in(&self, tool: &Tool) -> Option<&'static Argument> {
        let own = tool.arguments.iter().find(|one| one.name == self.argument);
        own.or_else(|| {
            let mut arguments = tool.arguments.iter();
            arguments.find(|one| one.aliases.contains(&self.argument.as_str()))
        })
    }

    /// The documentation of the path in `tool`.
    pub(crate) fn standing(&self, tool: &Tool) -> PathStanding {
        let Some(argument) = self.find_in(tool) else {
            let names = tool.arguments.iter().map(|one| one.name.to_owned());
            return PathStanding::Missing(Missing {
                inside: false,
                name: self.argument.clone(),
                known: names.collect(),
            });
        };
        if self.fields.is_empty() {
            return PathStanding::Documented;
        }
        let schema: Value = serde_json::from_str(tool.check_schema).unwrap_or_default();
        let properties = schema.get("properties");
        match properties.and_then(|properties| properties.get(argument.name)) {
            Some(schema) => standing(schema, &self.fields_in(tool, argument)),
            None => PathStanding::Open,
        }
    }

    /// Every value that a call of `tool` sends there, with lists flattened; none if it is not given.
    pub(crate) fn values<'a>(
        &self,
        tool: &Tool,
        arguments: &'a Arguments,
    ) -> Result<Vec<Cow<'a, Value>>, Unreadable<'a>> {
        let mut found = Vec::new();
        let Some(argument) = self.find_in(tool) else {
            return Ok(found);
        };
        let wire_name = argument.wire_name;
        let given = match argument.place {
            Place::Path => arguments.path.0.get(wire_name),
            Place::Query => arguments.query.0.get(wire_name),
            Place::Header => arguments.header.0.get(wire_name),
            Place::Body => arguments.body.as_ref().and_then(|body| body.get(wire_name)),
            Place::WholeBody => arguments.body.as_ref(),
        };
        match given {
            // In the request, such a list is one text.
            Some(Value::String(text)) if argument.list_style == Some(ListStyle::Comma) => {
                let items = text.split(',').map(|item| Cow::Owned(Value::from(item)));
                found.extend(items);
            }
            Some(value) => collect(value, &self.fields_in(tool, argument), &mut found)?,
            None => {}
        }
        Ok(found)
    }

    /// The fields as this variant of the tool sends them: `field_value` in one is `fieldValue` in another, and a rule
    /// on either applies to both.
    fn fields_in(&self, tool: &Tool, argument: &Argument) -> Vec<&str> {
        let mut fields: Vec<&str> = Vec::new();
        for field in &self.fields {
            let rename = tool.renames.iter().find(|rename| {
                let within = rename.within.iter().copied().filter(|step| *step != "[]");
                let path = std::iter::once(argument.name).chain(fields.iter().copied());
                rename.from == field && within.eq(path)
            });
            fields.push(rename.map_or(field, |rename| rename.to));
        }
        fields
    }
}

fn collect<'a>(
    value: &'a Value,
    fields: &[&str],
    found: &mut Vec<Cow<'a, Value>>,
) -> Result<(), Unreadable<'a>> {
    match (value, fields.split_first()) {
        (Value::Array(items), _) => {
            for item in items {
                collect(item, fields, found)?;
            }
        }
        (value, None) => found.push(Cow::Borrowed(value)),
        (Value::Object(object), Some((name, rest))) => {
            if let Some(inner) = object.get(*name) {
                collect(inner, rest, found)?;
            }
        }
        (Value::Null, _) => {}
        // If an operation accepts a text or an object, the text would bypass a rule about the object.
        (value, Some(_)) => return Err(Unreadable(value)),
    }
    Ok(())
}

fn standing(schema: &Value, fields: &[&str]) -> PathStanding {
    let Some((name, rest)) = fields.split_first() else {
        return PathStanding::Documented;
    };
    if let Some(items) = schema.get("items") {
        return standing(items, fields);
    }
    let properties = schema.get("properties").and_then(Value::as_object);
    if properties.is_none()
        && let Some(branches) = schema.get("anyOf").and_then(Value::as_array)
    {
        let branches = branches.iter().map(|branch| standing(branch, fields));
        return branches.min_by_key(rank).unwrap_or(PathStanding::Open);
    }
    let inner = properties
        .and_then(|properties| properties.get(*name))
        .or_else(|| schema.get("additionalProperties"))
        .filter(|inner| inner.is_object());
    if let Some(inner) = inner {
        return standing(inner, rest);
    }
    let plain = matches!(
        schema.get("type").and_then(Value::as_str),
        Some("string" | "number" | "integer" | "boolean")
    );
    if properties.is_none() && !plain {
        return PathStanding::Open;
    }
    let known = properties.into_iter().flat_map(serde_json::Map::keys);
    PathStanding::Missing(Missing {
        inside: true,
        name: (*name).to_owned(),
        known: known.cloned().collect(),
    })
}

/// Of several forms of a value, the one that documents the most counts.
fn rank(standing: &PathStanding) -> u8 {
    match standing {
        PathStanding::Documented => 0,
        PathStanding::Open => 1,
        PathStanding::Missing(_) => 2,
    }
}

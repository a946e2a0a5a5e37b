//! The arguments of one call in the form of HighLevel's later server: by place or side by side, under the names that
//! this server describes or under HighLevel's own.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::call::LOCATION;
use crate::upstream::Failure;
use crate::upstream::failure::FailureClass;
use tool::{Argument, Place, Tool, nearest};

/// The places of arguments in `params`.
const PLACES: [&str; 3] = ["path", "query", "body"];

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Params {
    path: Map<String, Value>,
    query: Map<String, Value>,
    body: Value,
    location_id: Option<String>,
    /// Arguments outside the places.
    #[serde(flatten)]
    flat: Map<String, Value>,
}

impl Params {
    /// The arguments of `tool` under its known names. Unknown ones stay as they were sent.
    pub(super) fn arguments(self, tool: &Tool) -> Result<Map<String, Value>, Failure> {
        let mut arguments = Map::new();
        let body = match self.body {
            Value::Object(body) if !takes_whole_body(tool) => body,
            Value::Null => Map::new(),
            body => Map::from_iter([("body".to_owned(), body)]),
        };
        let places = [
            ("", self.flat),
            ("path", self.path),
            ("query", self.query),
            ("body", body),
        ];
        for (place, values) in places {
            for (sent, value) in values {
                if place.is_empty() {
                    check_flat(tool, &sent, &value)?;
                }
                let name = name_in(tool, place, &sent);
                match arguments.get(&name) {
                    Some(first) if *first != value => {
                        let shown: String = sent.chars().take(64).collect();
                        let what = format!(
                            "Nothing was sent: params has {shown} twice, with different values."
                        );
                        return Err(Failure::new(FailureClass::Invalid, what));
                    }
                    _ => drop(arguments.insert(name, value)),
                }
            }
        }
        if let Some(location) = self.location_id {
            let named = tool.arguments.iter().find(|one| one.names_location());
            let name = named.map_or(LOCATION, |argument| argument.name);
            arguments.entry(name).or_insert_with(|| json!(location));
        }
        Ok(arguments)
    }
}

/// The required arguments that `arguments` lack, by their place in `params`.
pub(super) fn missing_by_place(tool: &Tool, arguments: &Map<String, Value>) -> Map<String, Value> {
    let shown: Value = serde_json::from_str(tool.advertised_schema).unwrap_or_default();
    let required = shown["required"].as_array().into_iter().flatten();
    let mut missing: Map<String, Value> = Map::new();
    for name in required.filter_map(Value::as_str) {
        let Some(argument) = find(tool, name) else {
            continue;
        };
        let mut given = arguments.keys();
        if given.any(|given| is_called(argument, given)) {
            continue;
        }
        let place = missing.entry(place_name(argument.place));
        if let Some(names) = place.or_insert_with(|| json!([])).as_array_mut() {
            names.push(json!(name));
        }
    }
    missing
}

/// Fails if an object that is not an argument looks like one of the places.
fn check_flat(tool: &Tool, sent: &str, value: &Value) -> Result<(), Failure> {
    let near = nearest(sent, PLACES.map(|name| (name, name)));
    match near.filter(|_| value.is_object() && find(tool, sent).is_none()) {
        None => Ok(()),
        Some(near) => {
            let shown: String = sent.chars().take(64).collect();
            let what = format!(
                "Nothing was sent: params.{shown} is not an argument of execute_operation, did you mean {near}?"
            );
            Err(Failure::new(FailureClass::Invalid, what))
        }
    }
}

/// The pipeline's name of the argument `sent` in `place`.
fn name_in(tool: &Tool, place: &str, sent: &str) -> String {
    let by_place = format!("{place}_{sent}");
    match find(tool, &by_place) {
        Some(_) => by_place,
        None => sent.to_owned(),
    }
}

fn find(tool: &Tool, name: &str) -> Option<&'static Argument> {
    let mut arguments = tool.arguments.iter();
    arguments.find(|argument| is_called(argument, name))
}

fn is_called(argument: &Argument, name: &str) -> bool {
    argument.name == name || argument.aliases.contains(&name)
}

fn place_name(place: Place) -> &'static str {
    match place {
        Place::Path => "path",
        Place::Query => "query",
        Place::Body | Place::WholeBody => "body",
        Place::Header => "params",
    }
}

fn takes_whole_body(tool: &Tool) -> bool {
    let whole = Place::WholeBody;
    let mut arguments = tool.arguments.iter();
    arguments.any(|argument| argument.place == whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::TOOLS;

    /// The argument that the checks will understand by `name`.
    fn meant<'t>(tool: &'t Tool, name: &str) -> Option<&'t Argument> {
        let mut arguments = tool.arguments.iter();
        let own = arguments.find(|argument| argument.name == name);
        own.or_else(|| find(tool, name))
    }

    /// Arguments are accepted in their place under every described name and HighLevel's own, and anywhere under the
    /// described name.
    #[test]
    fn every_argument_is_taken_as_it_is_described() {
        for tool in TOOLS {
            for argument in tool.arguments {
                let place = place_name(argument.place);
                for name in [argument.name, argument.wire_name] {
                    if takes_whole_body(tool) && place == "body" {
                        continue;
                    }
                    let params = match place {
                        "params" => json!({name: 1}),
                        place => json!({place: {name: 1}}),
                    };
                    check(tool, argument, params);
                }
                if ["path", "query", "body", "locationId"].contains(&argument.name) {
                    continue;
                }
                check(tool, argument, json!({argument.name: 1}));
            }
        }
    }

    #[track_caller]
    fn check(tool: &Tool, argument: &Argument, params: Value) {
        let read: Params = serde_json::from_value(params.clone()).expect("params");
        let taken = read.arguments(tool).expect("arguments");
        let mut names = taken.keys().map(|name| meant(tool, name));
        let found = names.next().flatten().map(|one| one.name);
        assert_eq!(found, Some(argument.name), "{}: {params}", tool.name);
    }

    #[test]
    fn missing_parameters_are_named_with_their_place() {
        let tool = TOOLS
            .iter()
            .find(|tool| tool.name == "contacts_add-tags")
            .expect("a tool");
        let missing = |given: Value| {
            let given = given.as_object().cloned().expect("an object");
            Value::Object(missing_by_place(tool, &given))
        };
        assert_eq!(
            missing(json!({})),
            json!({"path": ["contactId"], "body": ["tags"]})
        );
        assert_eq!(missing(json!({"path_contactId": 1, "tags": 1})), json!({}));
    }

    #[test]
    fn values_that_are_given_twice_must_be_equal() {
        let tool = TOOLS
            .iter()
            .find(|tool| tool.name == "contacts_add-tags")
            .expect("a tool");
        let read = |params: Value| -> Result<_, Failure> {
            let params: Params = serde_json::from_value(params).expect("params");
            params.arguments(tool)
        };
        assert!(read(json!({"path": {"x": 1}, "query": {"x": 1}})).is_ok());
        assert!(read(json!({"path": {"x": 1}, "query": {"x": 2}})).is_err());
    }
}

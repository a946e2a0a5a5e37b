//! The form of HighLevel's first server: argument names that contain their place, and answers in an envelope.
//!
//! It follows reports of users: `query_limit`, `path_contactId`, `body_tags`, and in the text block a JSON text
//! `{"success", "status", "data", "mcp_trace_id", "tool"}`. There is no published schema.

use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::toolset::Toolset;
use super::{Calling, Listing, Session, Surface, unknown_name};
use crate::call::Answer;
use tool::Tool;

/// Some tools in that form.
pub(crate) struct Legacy {
    tools: Toolset,
}

impl Legacy {
    pub(crate) fn new(tools: Toolset) -> Self {
        Self { tools }
    }
}

impl Surface for Legacy {
    fn list(&self) -> Vec<Listing> {
        self.tools.iter().map(Listing::Legacy).collect()
    }

    fn resolve(&self, name: &str) -> Option<Listing> {
        self.tools.get(name).map(Listing::Legacy)
    }

    fn call<'a>(
        &'a self,
        name: &'a str,
        arguments: Map<String, Value>,
        session: &'a Session<'a>,
    ) -> Calling<'a> {
        match self.tools.get(name) {
            Some(tool) => {
                let calling = session
                    .pipeline
                    .call_as_highlevel(tool, arguments, session.context);
                Box::pin(async move { wrap(tool, calling.await) })
            }
            None => Box::pin(async { unknown_name(name) }),
        }
    }
}

/// The advertised schema, with every argument under the name that contains its place.
pub(crate) fn schema(tool: &Tool) -> Value {
    let mut schema: Value = serde_json::from_str(tool.advertised_schema).unwrap_or_default();
    let renamed = |name: &str| {
        let argument = tool.arguments.iter().find(|argument| argument.name == name);
        argument.map_or_else(
            || name.to_owned(),
            |argument| argument.place.prefixed(argument.wire_name),
        )
    };
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        // Here a null empties the argument itself, and none of our own arguments are listed.
        properties.retain(|name, _| tool.arguments.iter().any(|argument| argument.name == name));
        let properties_by_place: Map<String, Value> = std::mem::take(properties)
            .into_iter()
            .map(|(name, property)| (renamed(&name), property))
            .collect();
        *properties = properties_by_place;
    }
    if let Some(required) = schema.get_mut("required").and_then(Value::as_array_mut) {
        for name in required {
            *name = json!(renamed(name.as_str().unwrap_or_default()));
        }
    }
    schema
}

/// The answer in the envelope.
fn wrap(tool: &Tool, answer: Answer) -> Answer {
    let data = serde_json::from_str::<Box<RawValue>>(&answer.text);
    let data = data.map_or_else(
        |_| json!(answer.text).to_string(),
        |raw| raw.get().to_owned(),
    );
    let status = answer
        .status
        .unwrap_or(if answer.is_error { 400 } else { 200 });
    let trace = answer.trace_id.as_deref().unwrap_or_default();
    let text = format!(
        "{{\"success\":{},\"status\":{status},\"data\":{data},\"mcp_trace_id\":{},\"tool\":{}}}",
        !answer.is_error,
        json!(trace),
        json!({"name": tool.name, "method": tool.method, "path": tool.path}),
    );
    Answer { text, ..answer }
}

//! Which locations a credential reaches, as far as HighLevel says.

use serde_json::{Map, Value, json};

use super::Request;
use crate::generated::TOOLS;
use crate::highlevel::Failure;
use crate::highlevel::failure::Class;
use crate::runtime::tool::Tool;
use crate::tools::dispatch::Answer;
use crate::tools::output::Output;

/// What is told of each location.
const FIELDS: [&str; 6] = ["id", "name", "companyId", "city", "country", "timezone"];

/// The caller's own location, or those of its company.
pub async fn list(request: &Request<'_>) -> Result<Answer, Failure> {
    let bound = request
        .caller
        .location
        .as_ref()
        .map(|bound| bound.location().as_str());
    let Some(location) = bound else {
        let every = operation("/locations/search")?;
        let output = Output {
            fields: Some(FIELDS.map(str::to_owned).to_vec()),
            ..Output::default()
        };
        let mut answer = request
            .dispatch
            .call_with(
                every,
                Map::new(),
                Some(&output),
                request.caller,
                request.parent,
            )
            .await;
        if answer.is_error {
            answer.text = hinted(&answer.text);
        }
        return Ok(answer);
    };
    let own = operation("/locations/{locationId}")?;
    let arguments = Map::from_iter([("locationId".to_owned(), json!(location))]);
    let mut answer = request
        .dispatch
        .call_with(own, arguments, None, request.caller, request.parent)
        .await;
    if let (false, Ok(told)) = (answer.is_error, serde_json::from_str::<Value>(&answer.text)) {
        let told = told.get("location").unwrap_or(&told);
        let fields = FIELDS
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), told.get(name)?.clone())));
        let row: Map<String, Value> = fields.collect();
        answer.text = json!({"locations": [row], "bound": true}).to_string();
    }
    Ok(answer)
}

fn operation(path: &str) -> Result<&'static Tool, Failure> {
    let found = TOOLS
        .iter()
        .find(|tool| tool.method == "GET" && tool.path == path);
    found.ok_or_else(|| {
        let what =
            format!("This server was built without GET {path}, by which locations are listed.");
        Failure::new(Class::Refused, what)
    })
}

/// A token of one location may not list locations; which one it belongs to, nobody can ask.
fn hinted(text: &str) -> String {
    let Ok(mut failure) = serde_json::from_str::<Map<String, Value>>(text) else {
        return text.to_owned();
    };
    let hint = "A token of one location reaches that one only: connect with its locationId header, or give locationId.";
    failure.insert("hint".to_owned(), json!(hint));
    Value::Object(failure).to_string()
}

//! The results of arguments, by the official tools and by one that has everything they lack.

mod beyond;
mod channels;
mod choices;
mod companies;
mod every;
mod filters;
mod ids;
mod keywords;
mod meant;
mod nothing;
mod official;

use serde_json::{Value, json};

use super::{CheckedArguments, Checker, LocalZone, Rejection};
use crate::upstream::Caller;
use crate::upstream::TenantId;
use crate::upstream::caller::{Credential, LocationBinding};
use tool::Arguments;
use tool::Tool;

/// Id of a location that a caller is bound to. Every other id is a caller's default.
const PIN: &str = "pinned";

/// The request of `tool` for `given`, by place, or the refusal. The company is always `company`.
fn sent(
    tools: &'static [Tool],
    tool: &Tool,
    location: Option<&str>,
    given: &Value,
) -> Result<Value, String> {
    let taken = checked(tools, tool, location, given).map(|checked| checked.arguments);
    taken.map(by_place).map_err(rejection_text)
}

fn checked(
    tools: &'static [Tool],
    tool: &Tool,
    location: Option<&str>,
    given: &Value,
) -> Result<CheckedArguments, Rejection> {
    checked_in(tools, tool, location, given, &LocalZone::Utc)
}

/// The same for a location in `zone`.
fn checked_in(
    tools: &'static [Tool],
    tool: &Tool,
    location: Option<&str>,
    given: &Value,
    zone: &LocalZone,
) -> Result<CheckedArguments, Rejection> {
    let id = |id| TenantId::parse(id).expect("an id");
    let caller = Caller {
        credential: Credential::parse("pit-1").expect("a token"),
        location: location.map(|name| match name {
            PIN => LocationBinding::Pin(id(PIN)),
            _ => LocationBinding::Default(id(name)),
        }),
        company: Some(id("company")),
        configured: None,
        home: None,
    };
    let checker = Checker::new(tools, vec!["toolCallId".to_owned()]);
    let given = given.as_object().cloned().expect("an object");
    checker.check(tool, given, &caller, false, zone)
}

fn by_place(arguments: Arguments) -> Value {
    let mut sent = json!({});
    for (place, values) in [
        ("path", arguments.path),
        ("query", arguments.query),
        ("header", arguments.header),
    ] {
        if !values.0.is_empty() {
            sent[place] = Value::Object(values.0);
        }
    }
    if let Some(body) = arguments.body {
        sent["body"] = body;
    }
    sent
}

fn rejection_text(rejection: Rejection) -> String {
    let foreign = rejection.is_foreign_tenant();
    let tenant = if foreign { "tenant: " } else { "" };
    format!("{tenant}{}", rejection.sentence())
}

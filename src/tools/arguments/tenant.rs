//! Binds a call to the caller's location and company.

use serde_json::{Map, Value, json};

use super::Problems;
use super::schema::Schema;
use crate::highlevel::Caller;
use crate::highlevel::caller::LocationBinding;
use crate::runtime::tool::{Role, Rule, Tool};

/// Fills what the caller's tenant fills and refuses every other tenant under a pin.
pub fn bind(
    tool: &Tool,
    schema: &Schema,
    caller: &Caller,
    values: &mut Map<String, Value>,
    problems: &mut Problems,
) {
    let pin = match &caller.location {
        Some(LocationBinding::Pin(id)) => Some(id.as_str()),
        _ => None,
    };
    let named = named_location(tool, values);
    let location = match &caller.location {
        Some(LocationBinding::Pin(id) | LocationBinding::Default(id)) => Some(id.as_str()),
        None => None,
    };
    // Payments tools name one location twice, as altId and as locationId: either fills the other.
    let location = named.as_deref().or(location).map(str::to_owned);
    let company = caller.company.as_ref().map(|id| id.as_str().to_owned());
    for argument in tool.arguments {
        let (rule, own) = match argument.role {
            Role::None => continue,
            Role::Location(rule) => (rule, &location),
            Role::Company(rule) => (rule, &company),
        };
        match (values.get(argument.name), own, rule) {
            (None, Some(own), Rule::Fill) => {
                values.insert(argument.name.to_owned(), json!(own));
            }
            (None, None, Rule::Fill) if schema.requires(argument.name) => {
                let (header, variable) = match argument.role {
                    Role::Company(_) => ("companyId", "HIGHLEVEL_COMPANY_ID"),
                    _ => ("locationId", "HIGHLEVEL_LOCATION_ID"),
                };
                problems.add_missing(
                    argument.name,
                    &format!(" (or connect with the {header} header; under stdio {variable})"),
                );
            }
            (Some(given), ..) if matches!(argument.role, Role::Location(_)) => {
                if let Some(pin) = pin
                    && !is_only(given, pin)
                {
                    problems.add_foreign_tenant(format!(
                        "{} is {given}, but this connection is bound to location {pin}: leave {} out or \
                         connect with the other location's locationId header",
                        argument.name, argument.name
                    ));
                }
            }
            _ => {}
        }
    }
}

/// The location that the arguments name themselves.
fn named_location(tool: &Tool, values: &Map<String, Value>) -> Option<String> {
    tool.arguments
        .iter()
        .filter(|argument| matches!(argument.role, Role::Location(_)))
        .find_map(|argument| values.get(argument.name)?.as_str().map(str::to_owned))
}

/// Whether `given` names `pin` and nothing else, as one value or as every item of a list.
fn is_only(given: &Value, pin: &str) -> bool {
    match given {
        Value::String(id) => id == pin,
        Value::Array(items) => items.iter().all(|item| is_only(item, pin)),
        _ => false,
    }
}

//! Binds a call to the caller's location and company.

use serde_json::{Map, Value, json};

use super::ArgumentProblems;
use super::excerpt::excerpt;
use super::names;
use super::schema::Schema;
use crate::upstream::caller::LocationBinding;
use crate::upstream::{Caller, TenantId};
use tool::Arguments;
use tool::{Place, Role, Rule, TokenClass, Tool};

/// Fills in the caller's location and company, and under a pin refuses every other one.
pub(super) fn bind(
    tool: &Tool,
    schema: &Schema,
    caller: &Caller,
    values: &mut Map<String, Value>,
    problems: &mut ArgumentProblems,
) {
    let pin = match &caller.location {
        Some(LocationBinding::Pin(pin)) => Some(pin),
        _ => None,
    };
    if let Some(pin) = pin {
        let other = |given: &str, name: &str| {
            format!(
                "{name} is {given}, but this connection is bound to location {}: leave {name} out (another \
                 location takes a connection of its own)",
                pin.as_str()
            )
        };
        let is_location = |role: Role| matches!(role, Role::Location(_));
        refuse_others(tool, is_location, pin.as_str(), values, problems, other);
    }
    // A company of the settings is bound even without a location.
    if let Some(company) = &caller.company
        && (pin.is_some() || caller.is_servers_own())
    {
        let other = |given: &str, name: &str| {
            format!(
                "{name} is {given}, but this connection is bound to company {}: leave {name} out",
                company.as_str()
            )
        };
        let is_company = |role: Role| matches!(role, Role::Company(_));
        refuse_others(tool, is_company, company.as_str(), values, problems, other);
    }
    let location = caller
        .location
        .as_ref()
        .map(|bound| bound.location().as_str());
    // Payments tools name one location twice, as altId and as locationId: either fills the other.
    let location = named_location(tool, values).or(location.map(str::to_owned));
    let company = caller.company.as_ref().map(|id| id.as_str().to_owned());
    for argument in tool.arguments {
        let own = match argument.role {
            Role::Location(Rule::Fill) => &location,
            Role::Company(Rule::Fill) => &company,
            _ => continue,
        };
        match own {
            _ if values.contains_key(argument.name) => {}
            Some(own) => drop(values.insert(argument.name.to_owned(), json!(own))),
            None if schema.requires(argument.name) => problems.add_missing(argument.name, ""),
            None => {}
        }
    }
}

/// The tenants that HighLevel needs for a call and that neither the call nor its connection names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TenantNeed {
    pub location: bool,
    pub company: bool,
    /// The call names a company, and its connection is bound to a location whose company is not known here.
    pub company_of_location: bool,
}

/// The tenants that a call of `tool` with the arguments `given` still needs.
pub(super) fn need(
    tool: &Tool,
    schema: &Schema,
    given: &Map<String, Value>,
    caller: &Caller,
) -> TenantNeed {
    let is_given = |is_role: fn(Role) -> bool| {
        let said = given
            .iter()
            .filter(|(_, value)| !value.is_null() && *value != "");
        said.filter_map(|(name, _)| names::find(tool, name))
            .any(|argument| is_role(argument.role))
    };
    let needs = |role: Role| {
        let mut arguments = tool.arguments.iter();
        arguments.any(|one| one.role == role && schema.requires(one.name))
    };
    let is_location = |role| matches!(role, Role::Location(_));
    let is_company = |role| matches!(role, Role::Company(_));
    TenantNeed {
        location: caller.location.is_none()
            && needs(Role::Location(Rule::Fill))
            && !is_given(is_location),
        company: caller.company.is_none()
            && needs(Role::Company(Rule::Fill))
            && !is_given(is_company),
        // An operation of the agency is refused to whoever is bound to a location.
        company_of_location: caller.company.is_none()
            && tool.token != TokenClass::Agency
            && matches!(caller.location, Some(LocationBinding::Pin(_)))
            && is_given(is_company),
    }
}

/// Every value of a role that `binds` must name `own`, inside arguments and in lists too. `other` makes the problem
/// from a given value and the argument's name.
fn refuse_others(
    tool: &Tool,
    binds: fn(Role) -> bool,
    own: &str,
    values: &Map<String, Value>,
    problems: &mut ArgumentProblems,
    other: impl Fn(&str, &str) -> String,
) {
    let arguments = tool.arguments.iter().filter(|one| binds(one.role));
    let inner = tool.inner_tenants.iter().filter(|one| binds(one.role));
    let steps = arguments
        .map(|one| std::slice::from_ref(&one.name))
        .chain(inner.map(|one| one.steps));
    for steps in steps {
        let Some((first, rest)) = steps.split_first() else {
            continue;
        };
        let mut found = Vec::new();
        if let Some(value) = values.get(*first) {
            collect(value, rest, &mut found);
        }
        for given in found.into_iter().filter(|given| !is_only(given, own)) {
            let name = steps.join(".").replace(".[]", "[]");
            problems.add_foreign_tenant(other(&excerpt(given), &name));
        }
    }
}

/// The values at the end of `steps` below `value`.
fn collect<'a>(value: &'a Value, steps: &[&str], found: &mut Vec<&'a Value>) {
    match (steps.split_first(), value) {
        (None, value) => found.push(value),
        (Some((&"[]", rest)), Value::Array(items)) => {
            items.iter().for_each(|item| collect(item, rest, found));
        }
        (Some((name, rest)), Value::Object(object)) => {
            if let Some(inner) = object.get(*name) {
                collect(inner, rest, found);
            }
        }
        _ => {}
    }
}

/// The location that a request with `arguments` names itself.
pub(crate) fn location_on_the_wire(tool: &Tool, arguments: &Arguments) -> Option<TenantId> {
    let of_location = tool
        .arguments
        .iter()
        .filter(|one| matches!(one.role, Role::Location(_)));
    of_location
        .filter_map(|argument| {
            let name = argument.wire_name;
            match argument.place {
                Place::Path => arguments.path.0.get(name),
                Place::Query => arguments.query.0.get(name),
                Place::Header => arguments.header.0.get(name),
                Place::Body => arguments.body.as_ref()?.get(name),
                Place::WholeBody => None,
            }
        })
        .find_map(|value| TenantId::parse(value.as_str()?))
}

/// The location that the arguments name themselves.
fn named_location(tool: &Tool, values: &Map<String, Value>) -> Option<String> {
    tool.arguments
        .iter()
        .filter(|argument| matches!(argument.role, Role::Location(_)))
        .find_map(|argument| values.get(argument.name)?.as_str().map(str::to_owned))
}

/// Whether `given` names only `own`, as one value or as every item of a list.
fn is_only(given: &Value, own: &str) -> bool {
    match given {
        Value::String(id) => id == own,
        Value::Array(items) => items.iter().all(|item| is_only(item, own)),
        _ => false,
    }
}

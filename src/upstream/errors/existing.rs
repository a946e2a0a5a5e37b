//! Names the record that prevents a new one, and the tools that lead to it.

use serde_json::{Map, Value};

use crate::catalog::TOOLS;
use crate::upstream::failure::{Failure, FailureClass};
use tool::Tool;

/// Longest id that is repeated, in characters.
const LONGEST_ID: usize = 100;

/// The tools beside one that makes, changes or upserts a record.
struct Siblings {
    get: Option<&'static str>,
    update: Option<&'static str>,
    upsert: Option<&'static str>,
}

/// Adds the existing record to a duplicate's failure, as far as HighLevel names it, and the tool to call for it.
pub(super) fn name_existing(failure: &mut Failure, tool: &Tool) {
    let details = failure.details.as_ref();
    let Some(meta) = details.and_then(|details| details.meta.as_ref()) else {
        return;
    };
    let (FailureClass::Duplicate, Some((name, id))) = (failure.class, id(meta)) else {
        return;
    };
    let by = match meta.get("matchingField").and_then(Value::as_str) {
        Some(field) => format!(" with the same {}", excerpt(field)),
        None => String::new(),
    };
    failure.sentence = format!("There is such a record already{by}: its {name} is {id}.");
    let siblings = Siblings::of_tool(tool);
    let remedy = match siblings {
        Siblings {
            update: Some(update),
            upsert,
            ..
        } if update != tool.name => {
            let upsert = match upsert {
                Some(upsert) if upsert != tool.name => {
                    format!(" {upsert} finds it by itself.")
                }
                _ => String::new(),
            };
            format!("Change that one with {update}.{upsert}")
        }
        Siblings { get: Some(get), .. } => {
            format!("Read that one with {get}, and decide which of the two to change.")
        }
        _ => "Read that one, and decide which of the two to change.".to_owned(),
    };
    failure.remedy = Some(remedy.into_boxed_str());
}

/// `existingId` or another name of an id, with its value.
fn id(meta: &Map<String, Value>) -> Option<(&str, String)> {
    let ids = meta.iter().filter_map(|(name, value)| {
        let is_id = name.ends_with("Id") || matches!(name.as_str(), "id" | "_id");
        let value = value.as_str().filter(|value| is_id && !value.is_empty())?;
        Some((name.as_str(), excerpt(value)))
    });
    // Ids of the location and the like are beside that of the record.
    let mut ids = ids.filter(|(name, _)| !matches!(*name, "locationId" | "companyId" | "traceId"));
    ids.next()
}

fn excerpt(text: &str) -> String {
    text.chars().take(LONGEST_ID).collect()
}

impl Siblings {
    fn of_tool(tool: &Tool) -> Self {
        let path = tool.path.trim_end_matches('/');
        let base = path.strip_suffix("/upsert").unwrap_or(path);
        let base = match base.rsplit_once('/') {
            Some((above, last)) if last.starts_with('{') => above,
            _ => base,
        };
        let find = |methods: &[&str], fits: &dyn Fn(&str) -> bool| {
            let mut beside = TOOLS.iter().filter(|other| {
                other.document == tool.document
                    && methods.contains(&other.method)
                    && other
                        .path
                        .strip_prefix(base)
                        .is_some_and(|rest| fits(rest.trim_end_matches('/')))
            });
            beside.next().map(|tool| tool.name)
        };
        let is_one = |rest: &str| rest.starts_with("/{") && rest.matches('/').count() == 1;
        Self {
            get: find(&["GET"], &is_one),
            update: find(&["PUT", "PATCH"], &is_one),
            upsert: find(&["POST"], &|rest| rest == "/upsert"),
        }
    }
}

#[cfg(test)]
mod tests;

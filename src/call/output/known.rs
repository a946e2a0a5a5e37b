//! Which of the fields that a caller names there are: those that rows have, and those that documents name.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Output;
use super::path::{PLAIN, field_at, find_at, last_step};
use crate::catalog::{TOOLS, custom_field};
use crate::upstream::Failure;
use crate::upstream::failure::FailureClass;
use tool::{Effect, Tool, name_words, nearest};

/// Most names of rows that are kept, and that an error lists.
const MOST_NAMES: usize = 300;
const MOST_LISTED: usize = 20;

/// Names that an error lists before others, in this order.
const USUAL_NAMES: [&str; 22] = [
    "id",
    "_id",
    "name",
    "title",
    "contactName",
    "firstName",
    "lastName",
    "email",
    "phone",
    "status",
    "tags",
    "type",
    "source",
    "amount",
    "total",
    "monetaryValue",
    "contactId",
    "assignedTo",
    "dateAdded",
    "createdAt",
    "dateUpdated",
    "startTime",
];

/// What the rows of a call have of the fields that it names.
#[derive(Debug, Default)]
pub(super) struct FieldSearch {
    /// The fields that no row had so far.
    missing: Option<BTreeSet<String>>,
    /// Names of members, and of members inside the objects on the way to a missing field, by their paths.
    names: BTreeSet<String>,
    has_rows: bool,
    /// A row is not an object.
    is_plain: bool,
}

impl FieldSearch {
    /// Looks for the fields that `output` names in the rows of one page.
    pub(super) fn look(&mut self, output: &Output, rows: &[Value]) {
        let missing = self.missing.get_or_insert_with(|| {
            let fields = output.named_fields();
            fields.map(|(_, field)| field.to_owned()).collect()
        });
        for row in rows {
            self.has_rows = true;
            self.is_plain |= !row.is_object();
            missing.retain(|field| find_at(row, field).is_none());
            note_names(&mut self.names, "", row);
            for field in missing.iter() {
                let mut path = String::new();
                let mut steps = field.split('.').peekable();
                while let Some(step) = steps.next().filter(|_| steps.peek().is_some()) {
                    let dot = if path.is_empty() { "" } else { "." };
                    path = format!("{path}{dot}{step}");
                    if let Some(inner) = field_at(row, &path) {
                        note_names(&mut self.names, &path, inner);
                    }
                }
            }
        }
    }

    pub(super) fn finds(&self, field: &str) -> bool {
        let missing = self.missing.as_ref();
        missing.is_some_and(|missing| !missing.contains(field))
    }

    /// What is wrong with a field that no row has: rows have another of nearly its name, or nothing knows it.
    fn fault(&self, tool: &Tool, member: &str, field: &str) -> Option<Failure> {
        if !self.has_rows || self.finds(field) {
            return None;
        }
        let invalid = |what: String| Failure::new(FailureClass::Invalid, what);
        let what = format!(
            "output.{member} names {field}, which no row of {} has",
            tool.name
        );
        if self.is_plain {
            let what = format!("{what}: its rows are no objects.");
            return Some(invalid(what).with_remedy(format!("Name the field {PLAIN}.")));
        }
        if let Some(remedy) = custom_field_remedy(tool, field) {
            return Some(invalid(format!("{what}.")).with_remedy(remedy));
        }
        let near = self.near(tool, field);
        // What documents name, or a custom field's id, may be in no row. Something else may be a slip.
        if is_named(tool, field) || near.is_none() && is_known(tool, field) {
            return None;
        }
        let remedy = match near {
            Some(near) => format!("Did you mean {near}?"),
            None => {
                let names = self.names.iter().filter(|name| !name.contains('.'));
                format!("Rows have {}.", listed(field, names.map(String::as_str)))
            }
        };
        let what = format!("{what}, nor do its documents name it.");
        Some(invalid(what).with_remedy(remedy))
    }

    /// The name that was meant: one in the same object; for an object that no document names, any.
    fn near(&self, tool: &Tool, field: &str) -> Option<String> {
        let split = |name: &str| match name.rsplit_once('.') {
            Some((holder, last)) => (holder.to_owned(), last.to_owned()),
            None => (String::new(), name.to_owned()),
        };
        let documented = tool.answers.iter().chain(tool.summary_fields);
        let names = self.names.iter().map(String::as_str);
        let names: Vec<(&str, String, String)> = names
            .chain(documented.copied())
            .map(|name| {
                let (holder, last) = split(name);
                (name, holder, last)
            })
            .collect();
        let (own, last) = split(field);
        let beside = names.iter().filter(|(_, holder, _)| *holder == own);
        let near = nearest(
            &last,
            beside.map(|(name, _, last)| (last.as_str(), (*name).to_owned())),
        );
        near.or_else(|| {
            let others = names.iter().filter(|_| !is_documented(tool, field));
            nearest(field, others.map(|(name, ..)| (*name, (*name).to_owned())))
        })
    }
}

impl Output {
    /// The fields that decide which rows count and how, each of which a row must have or a document name.
    pub(super) fn check_fields(&self, tool: &Tool, search: &FieldSearch) -> Result<(), Failure> {
        let by_presence = self.filter.iter().filter(|one| one.asks_presence());
        // Where nothing is documented, what no row has may still be a field.
        let lenient: Vec<&str> = match tool.answers {
            [] => by_presence.map(|one| one.field.as_str()).collect(),
            _ => Vec::new(),
        };
        let named = self
            .named_fields()
            .filter(|(member, _)| *member != "fields");
        let mut named = named.filter(|(_, field)| !lenient.contains(field));
        let fault = named.find_map(|(member, field)| search.fault(tool, member, field));
        fault.map_or(Ok(()), Err)
    }

    /// The fields to show, once all rows are read.
    pub(super) fn check_shown(
        &self,
        tool: &Tool,
        search: &FieldSearch,
        is_beside: impl Fn(&str) -> bool,
    ) -> Result<(), Failure> {
        let fields = self.fields.iter().flatten();
        let mut named = fields.filter(|field| *field != "*" && !is_beside(field));
        let fault = match search.is_plain {
            true => None,
            false => named.find_map(|field| search.fault(tool, "fields", field)),
        };
        fault.map_or(Ok(()), Err)
    }
}

/// Why fields were named that the one record of an answer does not have: an error where they are slips of others that it
/// has, and sentences where they may be no more than absent.
pub(super) fn check_record(
    output: &Output,
    tool: &Tool,
    answer: &Value,
) -> Result<Vec<String>, Failure> {
    let mut search = FieldSearch::default();
    search.look(output, std::slice::from_ref(answer));
    let inside = answer
        .as_object()
        .into_iter()
        .flat_map(|members| members.values());
    let inside: Vec<Value> = inside.filter(|value| value.is_object()).cloned().collect();
    search.look(output, &inside);
    let fields = output.fields.iter().flatten();
    let fields = fields.filter(|field| *field != "*" && !search.finds(field));
    let mut warnings = Vec::new();
    for field in fields {
        if let Some(remedy) = custom_field_remedy(tool, field) {
            warnings.push(format!("The answer has no field {field}. {remedy}"));
            continue;
        }
        let is_slip = tool.effect == Effect::Read && !is_named(tool, field);
        match search.near(tool, field).filter(|_| is_slip) {
            Some(near) => {
                let what = format!(
                    "output.fields names {field}, which the answer of {} does not have.",
                    tool.name
                );
                let failure = Failure::new(FailureClass::Invalid, what);
                return Err(failure.with_remedy(format!("Did you mean {near}?")));
            }
            None => warnings.push(format!("The answer has no field {field}.")),
        }
    }
    Ok(warnings)
}

/// What to write for a custom field that is not named by its id, and that no document names so.
fn custom_field_remedy(tool: &Tool, field: &str) -> Option<String> {
    let is_named = tool.answers.contains(&field) || tool.summary_fields.contains(&field);
    custom_field::remedy(field).filter(|_| !is_named)
}

/// Whether a document names exactly this field, or it is a custom field by its id.
fn is_named(tool: &Tool, field: &str) -> bool {
    let last = last_step(field);
    tool.answers.contains(&field)
        || tool.summary_fields.contains(&field)
        || field.contains('.') && custom_field::is_id(last)
}

/// Whether documents name it, or what holds it, or a field of its name in another operation of the same document.
fn is_known(tool: &Tool, field: &str) -> bool {
    let last = last_step(field);
    let mut beside = TOOLS.iter().filter(|one| one.document == tool.document);
    is_documented(tool, field)
        || beside.any(|one| {
            let mut arguments = one.arguments.iter();
            arguments.any(|argument| argument.wire_name == last)
                || one.answers.iter().any(|name| last_step(name) == last)
        })
}

/// Whether a document, or the list of summary fields, names it or what holds it.
pub(super) fn is_documented(tool: &Tool, field: &str) -> bool {
    let first = field.split('.').next().unwrap_or(field);
    let summary = tool.summary_fields.iter();
    let mut summary = summary.map(|name| name.split('.').next().unwrap_or(name));
    tool.answers.contains(&first)
        || tool.answers.contains(&field)
        || summary.any(|name| name == first)
}

/// The names of fields for an error about `field`: first those with a part of its name, then those that most rows are
/// told apart by, and how many there are besides.
fn listed<'n>(field: &str, names: impl Iterator<Item = &'n str>) -> String {
    // A number stands in many names.
    let words = |name: &str| {
        let words = name_words(name).into_iter();
        Vec::from_iter(words.filter(|word| word.len() > 1))
    };
    let asked = words(field);
    let place = |name: &str| {
        let own = words(name);
        let is_like = own.iter().any(|word| asked.contains(word));
        let usual = USUAL_NAMES.iter().position(|usual| *usual == name);
        (!is_like, usual.unwrap_or(USUAL_NAMES.len()))
    };
    let mut names: Vec<&str> = names.collect();
    names.sort_by_key(|name| place(name));
    let more = names.len().saturating_sub(MOST_LISTED);
    names.truncate(MOST_LISTED);
    match more {
        0 => names.join(", "),
        more => format!("{} and {more} more", names.join(", ")),
    }
}

fn note_names(names: &mut BTreeSet<String>, path: &str, value: &Value) {
    for name in value
        .as_object()
        .into_iter()
        .flat_map(|object| object.keys())
    {
        if names.len() < MOST_NAMES {
            names.insert(match path {
                "" => name.clone(),
                path => format!("{path}.{name}"),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_lists_first_what_was_probably_meant() {
        let own = ["id", "phone", "email", "tags", "city", "mobilePhone"];
        let mut names: Vec<String> = (1..=30)
            .map(|number| format!("additional{number}"))
            .collect();
        names.extend(own.map(str::to_owned));
        names.sort();
        let listed = |field: &str| listed(field, names.iter().map(String::as_str));
        let usual = listed("nonsense");
        assert!(
            usual.starts_with("id, email, phone, tags, additional1, "),
            "{usual}"
        );
        assert!(usual.ends_with(" and 16 more"), "{usual}");
        let meant = listed("workPhone");
        assert!(meant.starts_with("phone, mobilePhone, id, "), "{meant}");
        let few = super::listed("x", ["b", "a"].into_iter());
        assert_eq!(few, "b, a");
    }
}

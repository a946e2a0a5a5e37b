//! Maps fields of a row to arguments of the write.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::super::Each;
use crate::call::output::{IDS, field_at};
use crate::upstream::Failure;
use crate::upstream::failure::FailureClass;
use tool::{Argument, Place, Role, Tool, is_blank};

/// Arguments of a write, each with the fields of a row that may hold its value. The first field
/// with a value counts.
pub(super) struct Binding(Vec<(String, Vec<String>)>);

impl Binding {
    /// Follows `each.bind`. A required id that nobody gives is the row's field of the same name, or the row's own
    /// id if the rows are of the kind that the argument is named after.
    pub(super) fn new(
        write: &'static Tool,
        each: &Each,
        given: &Map<String, Value>,
    ) -> Result<Self, Failure> {
        let mut bound = Vec::new();
        for (name, path) in &each.bind {
            let Some(argument) = find(write, name) else {
                let what = format!(
                    "Nothing was sent: {} has no argument {name} to bind.",
                    write.name
                );
                return Err(Failure::new(FailureClass::Invalid, what));
            };
            let paths = match path.as_str() {
                "id" => IDS.map(str::to_owned).to_vec(),
                path => vec![path.to_owned()],
            };
            bound.push((argument.name.to_owned(), paths));
        }
        let is_given = |argument: &Argument| {
            let mut names = std::iter::once(&argument.name).chain(argument.aliases);
            names.any(|name| given.contains_key(*name))
                || bound.iter().any(|(name, _)| *name == argument.name)
        };
        let missing = required(write).filter(|one| !is_given(one));
        let usual: Vec<_> = missing
            .filter_map(|argument| {
                Some((
                    argument.name.to_owned(),
                    usual_fields(argument, write, each.tool)?,
                ))
            })
            .collect();
        bound.extend(usual);
        if bound.is_empty() {
            let what = format!(
                "Nothing was sent: each.bind must say which argument of {} is which field of a row.",
                write.name
            );
            return Err(Failure::new(FailureClass::Invalid, what)
                .with_remedy("Give each.bind, such as {\"contactId\": \"id\"}."));
        }
        Ok(Self(bound))
    }

    /// The arguments of a row, or the first one that it has no value for.
    pub(super) fn item(&self, row: &Value) -> Result<Map<String, Value>, &str> {
        let values = self.0.iter().map(|(name, paths)| {
            let mut found = paths.iter().filter_map(|path| field_at(row, path));
            match found.find(|value| !is_blank(value)) {
                Some(value) => Ok((name.clone(), value.clone())),
                None => Err(name.as_str()),
            }
        });
        values.collect()
    }

    /// The fields that may hold an argument's value.
    pub(super) fn paths(&self, argument: &str) -> &[String] {
        let bound = self.0.iter().find(|(name, _)| name == argument);
        bound.map_or(&[], |(_, paths)| paths.as_slice())
    }

    /// The fields of an argument, in words.
    pub(super) fn fields(&self, argument: &str) -> String {
        self.paths(argument).join(" or ")
    }
}

fn find<'t>(tool: &'t Tool, name: &str) -> Option<&'t Argument> {
    let mut arguments = tool.arguments.iter();
    arguments.find(|one| one.name == name || one.aliases.contains(&name))
}

/// Required arguments, without those of the location.
fn required(tool: &'static Tool) -> impl Iterator<Item = &'static Argument> {
    let schema: Value = serde_json::from_str(tool.advertised_schema).unwrap_or_default();
    let names = schema["required"].as_array().cloned().unwrap_or_default();
    let names: BTreeSet<String> = names
        .iter()
        .filter_map(|name| name.as_str().map(str::to_owned))
        .collect();
    let arguments = tool.arguments.iter();
    arguments.filter(move |one| {
        let is_needed = one.place == Place::Path || names.contains(one.name);
        is_needed && one.role == Role::None && one.when_absent.is_none()
    })
}

/// The fields of a row that an id of this name surely means; `None` if it is not an id.
fn usual_fields(argument: &Argument, write: &Tool, read: &Tool) -> Option<Vec<String>> {
    let own = || IDS.map(str::to_owned).to_vec();
    if argument.name == "id" {
        return (write.document == read.document).then(own);
    }
    let kind = argument.name.strip_suffix("Id")?;
    let mut fields = vec![argument.name.to_owned()];
    let segments = read.path.split('/').filter(|step| !step.starts_with('{'));
    let mut lists = read.paging.rows.iter().copied().chain(segments);
    if lists.any(|list| is_plural(list, kind)) {
        fields.extend(own());
    }
    Some(fields)
}

fn is_plural(list: &str, kind: &str) -> bool {
    let one = list
        .strip_suffix("ies")
        .map(|stem| format!("{stem}y"))
        .or_else(|| list.strip_suffix('s').map(str::to_owned));
    one.is_some_and(|one| one.eq_ignore_ascii_case(kind))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;
    use crate::call::output::Output;
    use crate::catalog::TOOLS;

    fn tool(name: &str) -> &'static Tool {
        TOOLS.iter().find(|tool| tool.name == name).expect("a tool")
    }

    #[track_caller]
    fn check(
        write: &str,
        read: &str,
        bind: &Value,
        given: &Value,
        row: &Value,
        expected: Result<&Value, &str>,
    ) {
        let bind: BTreeMap<String, String> = serde_json::from_value(bind.clone()).expect("texts");
        let each = Each {
            tool: tool(read),
            arguments: Map::new(),
            output: Output::default(),
            bind,
        };
        let given = given.as_object().expect("an object");
        let item = Binding::new(tool(write), &each, given);
        let item = item.map_err(|failure| failure.text()).and_then(|binding| {
            let item = binding.item(row).map(Value::Object);
            item.map_err(|name| format!("no {name}"))
        });
        match (&item, expected) {
            (Ok(item), Ok(expected)) => assert_eq!(item, expected, "{write} {read}"),
            (Err(error), Err(part)) => assert!(error.contains(part), "{write} {read}: {error}"),
            _ => panic!("{write} {read}: {item:?} is not {expected:?}"),
        }
    }

    #[test]
    fn an_id_is_bound_only_from_a_certain_field() {
        const TAG: &str = "contacts_add-tags";
        const CONTACTS: &str = "contacts_search-contacts-advanced";
        const DEALS: &str = "opportunities_search-opportunity";
        let none = json!({});
        let row = json!({"id": "r1", "contactId": "c1", "contact": {"id": "c2"}, "empty": " "});
        let plain = json!({"id": "r1"});
        check(
            TAG,
            CONTACTS,
            &none,
            &none,
            &plain,
            Ok(&json!({"contactId": "r1"})),
        );
        check(
            TAG,
            DEALS,
            &none,
            &none,
            &row,
            Ok(&json!({"contactId": "c1"})),
        );
        // The id of a deal is not that of a contact.
        check(TAG, DEALS, &none, &none, &plain, Err("no contactId"));
        check(
            "opportunities_update-opportunity",
            DEALS,
            &none,
            &none,
            &row,
            Ok(&json!({"id": "r1"})),
        );
        check(
            "opportunities_update-opportunity",
            CONTACTS,
            &none,
            &none,
            &row,
            Err("each.bind must say"),
        );
        check(
            TAG,
            DEALS,
            &json!({"contactId": "contact.id"}),
            &none,
            &row,
            Ok(&json!({"contactId": "c2"})),
        );
        check(
            TAG,
            CONTACTS,
            &json!({"contactId": "empty"}),
            &none,
            &row,
            Err("no contactId"),
        );
        check(
            TAG,
            CONTACTS,
            &json!({"contactId": "id"}),
            &none,
            &json!({"_id": "m"}),
            Ok(&json!({"contactId": "m"})),
        );
        check(
            TAG,
            CONTACTS,
            &json!({"tagz": "id"}),
            &none,
            &row,
            Err("has no argument tagz"),
        );
        check(
            TAG,
            CONTACTS,
            &none,
            &json!({"contactId": "c9"}),
            &row,
            Err("each.bind must say"),
        );
        check(
            "contacts_create-note",
            CONTACTS,
            &json!({"body": "id"}),
            &none,
            &row,
            Ok(&json!({"body": "r1", "contactId": "c1"})),
        );
    }
}

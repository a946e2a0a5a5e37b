//! The fields of a row that are shown, with long texts cut.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use super::path::find_at;
use super::{LONGEST_NAMED_TEXT, LONGEST_TEXT, Output};
use tool::Tool;

/// Names of a record's id; a row shows the one it has even where its documents know of none.
pub(in crate::call) const IDS: [&str; 2] = ["id", "_id"];

impl Output {
    /// Whether every field is wanted.
    pub(super) fn is_whole(&self) -> bool {
        let mut fields = self.fields.iter().flatten();
        fields.any(|field| field == "*")
    }

    /// Whether a field of this name is asked for.
    pub(super) fn names(&self, name: &str) -> bool {
        self.fields.iter().flatten().any(|field| field == name)
    }

    /// The longest text that is shown whole.
    pub(super) fn longest_text(&self) -> usize {
        match self.fields {
            Some(_) => LONGEST_NAMED_TEXT,
            None => LONGEST_TEXT,
        }
    }

    /// The wanted fields of one row; the whole row where it has none of them, for HighLevel's
    /// answers drift from its documents.
    pub(super) fn project(&self, tool: &Tool, row: &Value, cut: &mut Vec<String>) -> Value {
        self.project_by(tool, row, cut, |field| find_at(row, field))
    }

    /// The same of an answer that is one record, which HighLevel puts into an object of its own.
    pub(super) fn project_record(
        &self,
        tool: &Tool,
        answer: &Value,
        cut: &mut Vec<String>,
    ) -> Value {
        let inside = answer.as_object().into_iter().flat_map(Map::values);
        let inside = inside.filter(|value| value.is_object());
        let found = |field: &str| {
            let mut inside = inside.clone();
            find_at(answer, field).or_else(|| inside.find_map(|value| find_at(value, field)))
        };
        self.project_by(tool, answer, cut, found)
    }

    fn project_by<'v>(
        &self,
        tool: &Tool,
        row: &'v Value,
        cut: &mut Vec<String>,
        find: impl Fn(&str) -> Option<Cow<'v, Value>>,
    ) -> Value {
        let longest = self.longest_text();
        let fields = self.wanted(tool);
        if fields.is_empty() || self.is_whole() || !row.is_object() {
            return clipped(row, longest, "", cut);
        }
        let mut projected = Map::new();
        let has_id = |field: &&str| IDS.contains(field) && row.get(*field).is_some();
        if self.fields.is_none() && !fields.iter().any(has_id) {
            let id = IDS.iter().find_map(|name| Some((*name, row.get(name)?)));
            projected.extend(id.map(|(name, id)| (name.to_owned(), id.clone())));
        }
        let ids = projected.len();
        for field in fields {
            let found = find(field);
            if let Some(value) = found.filter(|value| !value.is_null()) {
                projected.insert(field.to_owned(), clipped(&value, longest, field, cut));
            }
        }
        if projected.len() == ids {
            return clipped(row, longest, "", cut);
        }
        Value::Object(projected)
    }

    /// The fields that were named, or the summary fields.
    pub(super) fn wanted<'a>(&'a self, tool: &Tool) -> Vec<&'a str> {
        match &self.fields {
            Some(fields) => fields.iter().map(String::as_str).collect(),
            None => tool.summary_fields.to_vec(),
        }
    }
}

/// `value` with its long texts cut; their paths go into `cut`.
pub(super) fn clipped(value: &Value, longest: usize, path: &str, cut: &mut Vec<String>) -> Value {
    let inside = |name: &str| {
        if path.is_empty() {
            name.to_owned()
        } else {
            format!("{path}.{name}")
        }
    };
    match value {
        Value::String(text) => match text.char_indices().nth(longest) {
            Some((end, _)) => {
                cut.push(path.to_owned());
                json!(format!(
                    "{}… ({} characters)",
                    &text[..end],
                    text.chars().count()
                ))
            }
            None => value.clone(),
        },
        Value::Array(items) => items
            .iter()
            .map(|item| clipped(item, longest, path, cut))
            .collect(),
        Value::Object(object) => object
            .iter()
            .map(|(name, value)| (name.clone(), clipped(value, longest, &inside(name), cut)))
            .collect::<Map<_, _>>()
            .into(),
        _ => value.clone(),
    }
}

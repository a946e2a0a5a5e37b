//! Lays out a request for a person: labelled fields, names beside ids, and times in the location's zone.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Map, Value};

use crate::call::visible;
use crate::http::pages::approvals::{FieldValue, RequestField, RequestItem, RequestRecord};
use tool::{Argument, DateForm, Role, Tool};

/// Deepest nesting of fields. Deeper ones are shown as text.
const DEEPEST: usize = 6;

/// Most fields of one page.
const MOST_FIELDS: usize = 250;

/// Longest shown value, in characters.
const LONGEST_VALUE: usize = 10_000;

/// Longest text of an argument that still helps a person.
const LONGEST_HINT: usize = 80;

/// Words with a spelling of their own.
const SPELLINGS: [(&str, &str); 8] = [
    ("html", "HTML"),
    ("url", "URL"),
    ("urls", "URLs"),
    ("sms", "SMS"),
    ("id", "ID"),
    ("ids", "IDs"),
    ("dnd", "do not disturb"),
    ("utm", "UTM"),
];

/// Lays out requests of one operation, as many as fit on one page.
pub(super) struct FieldReader<'a> {
    tool: Option<&'static Tool>,
    hints: BTreeMap<String, String>,
    /// Names of records, by id.
    names: BTreeMap<&'a str, String>,
    zone: TimeZone,
    room: usize,
}

impl<'a> FieldReader<'a> {
    /// `records`: the records of the requests, as in previews.
    pub(super) fn new(tool: Option<&'static Tool>, records: &'a [Value], zone: TimeZone) -> Self {
        let named = records.iter().filter_map(|record| {
            let (_, id) = record.as_object()?.iter().next()?;
            Some((id.as_str()?, shown(record.get("name")?.as_str()?)))
        });
        Self {
            tool,
            hints: tool.map(hints).unwrap_or_default(),
            names: named.collect(),
            zone,
            room: MOST_FIELDS,
        }
    }

    /// Whether something was left out.
    pub(super) fn is_full(&self) -> bool {
        self.room == 0
    }

    pub(super) fn record(&mut self, record: &Value) -> Option<RequestRecord> {
        let record = record.as_object()?;
        let (argument, id) = record.iter().next()?;
        let mut warnings = Vec::new();
        let mut fields = Vec::new();
        for (name, value) in record.iter().skip(1) {
            match (name.as_str(), value) {
                ("name", _) => {}
                ("doNotDisturb", Value::Bool(true)) => {
                    warnings.push("Asked not to be contacted.".to_owned());
                }
                ("noAddress", Value::Bool(true)) => {
                    warnings.push("Has no phone number or email address for this.".to_owned());
                }
                ("deletesToo", Value::Object(counts)) => {
                    let counts = counts.iter().filter(|(_, count)| **count != 0);
                    warnings.extend(
                        counts.map(|(what, count)| {
                            format!("Also deleted: {} ({count}).", shown(what))
                        }),
                    );
                }
                _ => fields.extend(self.field(name, value, 1)),
            }
        }
        Some(RequestRecord {
            kind: label(argument),
            name: record.get("name").and_then(Value::as_str).map(shown),
            id: text(id),
            fields,
            warnings,
        })
    }

    /// One request, as in previews: method, address and body.
    pub(super) fn item(&mut self, call: &Value) -> RequestItem {
        // A request that was too long is stored as the beginning of its text.
        if call.get("method").is_none() {
            return RequestItem {
                fields: call
                    .as_object()
                    .map_or_else(Vec::new, |all| self.fields(all)),
                address: String::new(),
            };
        }
        let of = |name: &str| call.get(name).and_then(Value::as_str).unwrap_or_default();
        let (method, url) = (of("method"), of("url"));
        let (path, query) = url.split_once('?').unwrap_or((url, ""));
        let variant = self.tool.and_then(|tool| {
            let mut variants = tool.variants();
            variants.find_map(|variant| Some((variant, path_values(variant.path, path)?)))
        });
        let arguments = variant.as_ref().map_or(&[][..], |(tool, _)| tool.arguments);
        let mut fields = Vec::new();
        let in_path = variant.iter().flat_map(|(_, values)| values);
        for (name, value) in in_path {
            fields.extend(self.argument(arguments, name, &Value::from(value.as_str())));
        }
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            fields.extend(self.argument(arguments, &name, &Value::from(value.as_ref())));
        }
        let body = call.get("body").unwrap_or(&Value::Null);
        match body {
            Value::Object(body) => {
                for (name, value) in body {
                    fields.extend(self.argument(arguments, name, value));
                }
            }
            Value::Null => {}
            other => fields.extend(self.field("items", other, 0)),
        }
        RequestItem {
            fields,
            address: shown(&format!("{method} {url}")),
        }
    }

    /// The members of an object.
    pub(super) fn fields(&mut self, all: &Map<String, Value>) -> Vec<RequestField> {
        let fields = all.iter();
        let fields = fields.filter_map(|(name, value)| self.field(name, value, 0));
        fields.collect()
    }

    /// The argument of a part of the request. The page shows the location elsewhere.
    fn argument(
        &mut self,
        arguments: &[Argument],
        name: &str,
        value: &Value,
    ) -> Option<RequestField> {
        let argument = arguments.iter().find(|one| one.wire_name == name);
        if argument.is_some_and(|one| !matches!(one.role, Role::None)) {
            return None;
        }
        let field = self.field(name, value, 0)?;
        if let Some(moment) = argument.and_then(|one| self.moment(one.date_form?, value)) {
            return Some(RequestField {
                value: FieldValue::Text(moment),
                ..field
            });
        }
        Some(RequestField {
            hint: argument.and_then(|one| self.hints.get(one.name).cloned()),
            ..field
        })
    }

    fn field(&mut self, name: &str, value: &Value, depth: usize) -> Option<RequestField> {
        let has_room = self.take();
        has_room.then(|| RequestField {
            label: label(name),
            hint: None,
            value: self.value(value, depth + 1),
        })
    }

    fn value(&mut self, value: &Value, depth: usize) -> FieldValue {
        match value {
            Value::Object(all) if depth < DEEPEST && !all.is_empty() => {
                let fields = all.iter();
                let fields = fields.filter_map(|(name, value)| self.field(name, value, depth));
                FieldValue::Fields(fields.collect())
            }
            Value::Array(all) if depth < DEEPEST && !all.is_empty() => {
                let mut list = Vec::new();
                for one in all {
                    if !self.take() {
                        break;
                    }
                    list.push(self.value(one, depth + 1));
                }
                FieldValue::List(list)
            }
            Value::Null => FieldValue::Empty,
            Value::Bool(true) => FieldValue::Text("yes".to_owned()),
            Value::Bool(false) => FieldValue::Text("no".to_owned()),
            Value::String(id) if self.names.contains_key(id.as_str()) => {
                let name = self.names.get(id.as_str()).cloned();
                FieldValue::Record(name.unwrap_or_default(), shown(id))
            }
            other => match text(other) {
                empty if empty.is_empty() => FieldValue::Empty,
                text => FieldValue::Text(text),
            },
        }
    }

    /// A time that HighLevel takes as a number, in readable form.
    fn moment(&self, form: DateForm, value: &Value) -> Option<String> {
        let number = value.as_i64().or_else(|| value.as_str()?.parse().ok())?;
        let moment = match form {
            DateForm::EpochSeconds => Timestamp::from_second(number),
            DateForm::EpochMilliseconds => Timestamp::from_millisecond(number),
            _ => return None,
        };
        let local = moment.ok()?.to_zoned_datetime(self.zone.clone());
        let zone = self.zone.iana_name().unwrap_or("UTC");
        Some(format!("{} ({zone})", local.strftime("%Y-%m-%d %H:%M")))
    }

    fn take(&mut self) -> bool {
        let has_room = self.room > 0;
        self.room = self.room.saturating_sub(1);
        has_room
    }
}

/// The texts of the arguments' schemas that are short.
fn hints(tool: &Tool) -> BTreeMap<String, String> {
    let schema: Value = serde_json::from_str(tool.advertised_schema).unwrap_or_default();
    let properties = schema["properties"].as_object();
    let hints = properties
        .into_iter()
        .flatten()
        .filter_map(|(name, schema)| {
            let hint = schema["description"].as_str()?;
            (hint.len() <= LONGEST_HINT).then(|| (name.clone(), shown(hint)))
        });
    hints.collect()
}

/// The values of the names in a template such as `/contacts/{contactId}`; `None` if the path is of another operation.
fn path_values(template: &str, path: &str) -> Option<Vec<(String, String)>> {
    let mut values = Vec::new();
    let (mut wanted, mut given) = (template.split('/'), path.split('/'));
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return Some(values),
            (Some(wanted), Some(given)) => {
                let name = wanted
                    .strip_prefix('{')
                    .and_then(|rest| rest.strip_suffix('}'));
                match name {
                    Some(name) => {
                        let value = percent_encoding::percent_decode_str(given);
                        values.push((name.to_owned(), value.decode_utf8_lossy().into_owned()));
                    }
                    None if wanted == given => {}
                    None => return None,
                }
            }
            _ => return None,
        }
    }
}

/// `scheduledTimestamp` as `Scheduled timestamp`, and `contactId` as `Contact`.
pub(super) fn label(name: &str) -> String {
    let name = shown(name);
    let mut words: Vec<String> = Vec::new();
    let mut was_small = false;
    for letter in name.chars() {
        let is_letter = letter.is_alphanumeric();
        if is_letter && (words.is_empty() || was_small && letter.is_uppercase()) {
            words.push(String::new());
        }
        match words.last_mut() {
            Some(word) if is_letter => word.extend(letter.to_lowercase()),
            Some(word) if !word.is_empty() => words.push(String::new()),
            _ => {}
        }
        was_small = letter.is_lowercase() || letter.is_numeric();
    }
    words.retain(|word| !word.is_empty());
    if words.len() > 1 && words.last().is_some_and(|word| word == "id") {
        words.pop();
    }
    let words = words.iter().map(|word| {
        let spelling = SPELLINGS.iter().find(|(plain, _)| plain == word);
        spelling.map_or(word.as_str(), |(_, spelling)| spelling)
    });
    let label = words.collect::<Vec<_>>().join(" ");
    let mut letters = label.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => name,
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => shown(text),
        other => shown(&other.to_string()),
    }
}

/// Without invisible characters, and cut if long.
fn shown(text: &str) -> String {
    match text.char_indices().nth(LONGEST_VALUE) {
        None => visible(text).into_owned(),
        Some((end, _)) => format!("{}…", visible(text.get(..end).unwrap_or_default())),
    }
}

#[cfg(test)]
mod tests;

//! One request that passed every check, as the routes see it.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::documents::DocumentedOperation;
use super::refusal::Refusal;
use super::state::{RecordKind, Records};
use super::tokens::KnownToken;

pub(crate) struct SandboxCall {
    pub operation: &'static DocumentedOperation,
    pub path: BTreeMap<String, String>,
    pub query: BTreeMap<String, String>,
    /// `null` if there is none.
    pub body: Value,
    pub token: KnownToken,
    /// Milliseconds since 1970.
    pub now: i64,
}

impl SandboxCall {
    /// A value of the path; empty if the template has no such name.
    pub(crate) fn path(&self, name: &str) -> &str {
        self.path.get(name).map_or("", String::as_str)
    }

    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        self.query
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    pub(crate) fn number(&self, name: &str) -> Option<usize> {
        let value: f64 = self.query(name)?.parse().ok()?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a page size or offset; what is absurd is cut to the range"
        )]
        Some(value as usize)
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.body.get(name)?.as_str()
    }

    /// The body's members.
    pub(crate) fn members(&self) -> Map<String, Value> {
        self.body.as_object().cloned().unwrap_or_default()
    }

    /// A list of texts in the body.
    pub(crate) fn texts(&self, name: &str) -> Vec<String> {
        let list = self.body.get(name).and_then(Value::as_array);
        let texts = list.into_iter().flatten().filter_map(Value::as_str);
        texts.map(str::to_owned).collect()
    }

    /// The location that the request names, or the token's own.
    pub(crate) fn location(&self) -> &str {
        named_locations(&self.path, &self.query, &self.body)
            .into_iter()
            .next()
            .unwrap_or(&self.token.location)
    }

    /// Now, as RFC 3339.
    pub(crate) fn date(&self) -> String {
        date(self.now)
    }

    /// A record that the token may see. [M] a missing one is a 400; [I] a foreign one is a 403.
    pub(crate) fn record<'s>(
        &self,
        state: &'s Records,
        kind: RecordKind,
        id: &str,
    ) -> Result<&'s Value, Refusal> {
        let Some(record) = state.get(kind, id) else {
            let mut label = kind.to_owned();
            label[..1].make_ascii_uppercase();
            return Err(Refusal::not_found(&label, id));
        };
        let owner = record["~location"].as_str().unwrap_or_default();
        if self.token.location.is_empty() || owner.is_empty() || owner == self.token.location {
            Ok(record)
        } else {
            Err(Refusal::location())
        }
    }
}

/// The locations that a request names at its top level, under any of HighLevel's names for them.
pub(crate) fn named_locations<'r>(
    path: &'r BTreeMap<String, String>,
    query: &'r BTreeMap<String, String>,
    body: &'r Value,
) -> Vec<&'r str> {
    let company = query.get("altType").map(String::as_str) == Some("company")
        || body.get("altType") == Some(&json!("company"));
    let names = ["locationId", "location_id", "altId"];
    let names = names.iter().filter(|name| !(company && **name == "altId"));
    let mut found: Vec<&str> = names
        .flat_map(|name| {
            let text = |map: &'r BTreeMap<String, String>| map.get(*name).map(String::as_str);
            let member = body.get(*name).and_then(Value::as_str);
            [text(path), text(query), member]
        })
        .flatten()
        .filter(|id| !id.is_empty())
        .collect();
    found.dedup();
    found
}

/// RFC 3339 of milliseconds since 1970.
pub(crate) fn date(milliseconds: i64) -> String {
    jiff::Timestamp::from_millisecond(milliseconds)
        .map(|at| at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string())
        .unwrap_or_default()
}

/// Milliseconds since 1970 of a record's date.
pub(crate) fn milliseconds(date: &Value) -> i64 {
    moment(date).unwrap_or_default()
}

/// Milliseconds since 1970 of a number, or of a text with or without a time of day. [M] a time without an offset is in
/// UTC; [I] a day is its beginning.
pub(crate) fn moment(date: &Value) -> Option<i64> {
    let Some(text) = date.as_str() else {
        return date.as_i64();
    };
    let moment = text.parse::<jiff::Timestamp>().or_else(|_| {
        let local: jiff::civil::DateTime = text.parse()?;
        Ok::<_, jiff::Error>(
            local
                .to_zoned_datetime(jiff::tz::TimeZone::UTC)?
                .timestamp(),
        )
    });
    moment.ok().map(jiff::Timestamp::as_millisecond)
}

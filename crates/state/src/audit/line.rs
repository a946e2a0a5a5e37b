//! The lines of the audit: the facts of a call before it is made, and its end.

use jiff::Timestamp;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

use super::now;
use crate::store::Transaction;
use crate::{StoreError, hex, random, sha256};

/// Longest text from a client, in bytes; the rest is cut off.
const LONGEST_TEXT: usize = 200;

/// The beginning of every line.
const START: &str = "{\"state\":\"";

/// Largest complete arguments, in bytes; of larger ones only hash and length are recorded.
const MOST_ARGUMENTS: usize = 64 << 10;

/// The facts of a call, from its caller.
#[derive(Clone, Copy, Debug)]
pub struct AuditEntry<'a> {
    /// `key:<id>`, `grant:<id>`, or `credential:<first 16 hex digits of its HMAC>`.
    pub who: &'a str,
    /// Its grant, if there is one.
    pub grant: Option<GrantEntry<'a>>,
    /// Name and version of the MCP client.
    pub client: Option<&'a str>,
    pub surface: &'a str,
    pub tool: &'a str,
    pub effect: &'a str,
    pub bulk: bool,
    pub location: Option<&'a str>,
    pub alias: Option<&'a str>,
    pub arguments: &'a Map<String, Value>,
    pub confirmation: Option<ConfirmationRecord<'a>>,
    /// Whether there is one. The key itself belongs to the client.
    pub idempotency_key: bool,
}

/// The holder and the client of a grant.
#[derive(Clone, Copy, Debug)]
pub struct GrantEntry<'a> {
    /// The client's id in OAuth.
    pub client: &'a str,
    /// The id of the holding person.
    pub person: Option<&'a str>,
    /// The id of the access key that holds it.
    pub key: Option<&'a str>,
}

/// The mode of a call's confirmation, and who confirmed it.
#[derive(Clone, Copy, Debug)]
pub struct ConfirmationRecord<'a> {
    pub mode: &'a str,
    pub by: Option<&'a str>,
}

/// One line. The state comes first.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub(crate) enum AuditLine {
    Begun(AuditedCall),
    Done(AuditEnd),
    Refused(AuditedCall),
}

/// The facts of a call before it is made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AuditedCall {
    pub id: String,
    #[serde(serialize_with = "milliseconds")]
    pub time: Timestamp,
    pub who: String,
    /// For a grant: its client's id in OAuth, its person, and the key that holds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    pub surface: String,
    pub tool: String,
    pub effect: String,
    pub bulk: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// Of the arguments as JSON without spaces, with keys sorted at every level.
    pub arguments_sha256: String,
    pub arguments_bytes: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arguments: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmation: Option<Confirmation>,
    pub idempotency_key: bool,
    /// The reason for a refusal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// The rule that refused it, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Confirmation {
    pub mode: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// The end of a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AuditEnd {
    pub id: String,
    #[serde(serialize_with = "milliseconds")]
    pub time: Timestamp,
    /// `ok`, the class of the failure, or `cut_off`.
    pub outcome: String,
    /// HighLevel's status, if it answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
}

impl AuditLine {
    pub(crate) fn time(&self) -> Timestamp {
        match self {
            Self::Begun(call) | Self::Refused(call) => call.time,
            Self::Done(end) => end.time,
        }
    }

    pub(crate) fn write(&self, transaction: &mut Transaction) -> Result<(), StoreError> {
        let (time, text) = (self.time(), self.text()?);
        let insert = sqlx::query("INSERT INTO audit (at, line) VALUES ($1, $2)");
        transaction.run(insert.bind(time.as_millisecond()).bind(text.clone()))?;
        transaction.announce(text);
        Ok(())
    }

    /// Writes many lines at once, without waiting.
    pub(crate) fn write_all(
        lines: &[Self],
        transaction: &mut Transaction,
    ) -> Result<(), StoreError> {
        if lines.is_empty() {
            return Ok(());
        }
        let rows = (0..lines.len()).map(|row| format!("(${}, ${})", 2 * row + 1, 2 * row + 2));
        let rows: Vec<String> = rows.collect();
        let insert = format!("INSERT INTO audit (at, line) VALUES {}", rows.join(", "));
        let mut insert = sqlx::query(sqlx::AssertSqlSafe(insert));
        for line in lines {
            insert = insert.bind(line.time().as_millisecond()).bind(line.text()?);
        }
        transaction.run(insert).map(drop)
    }

    /// As JSON.
    pub(crate) fn text(&self) -> Result<String, StoreError> {
        serde_json::to_string(self)
            .map_err(|error| StoreError::from(format!("a line of the audit is not JSON: {error}")))
    }

    /// `None` if it is not a line.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        // By its beginning: otherwise serde would read the whole line again to find the state.
        let rest = text.strip_prefix(START)?;
        if rest.starts_with("done\"") {
            serde_json::from_str(text).map(Self::Done).ok()
        } else if rest.starts_with("begun\"") {
            serde_json::from_str(text).map(Self::Begun).ok()
        } else if rest.starts_with("refused\"") {
            serde_json::from_str(text).map(Self::Refused).ok()
        } else {
            None
        }
    }
}

impl AuditedCall {
    pub fn new(entry: &AuditEntry, full_arguments: bool) -> Result<Self, StoreError> {
        let mut arguments = Value::Object(entry.arguments.clone());
        arguments.sort_all_objects();
        let text = arguments.to_string();
        let confirmation = entry.confirmation.map(|confirmed| Confirmation {
            mode: limited(confirmed.mode),
            by: confirmed.by.map(limited),
        });
        Ok(Self {
            id: hex(&random::<8>()?),
            time: now(),
            who: limited(entry.who),
            client_id: entry.grant.map(|grant| limited(grant.client)),
            person: entry.grant.and_then(|grant| grant.person.map(limited)),
            key: entry.grant.and_then(|grant| grant.key.map(limited)),
            client: entry.client.map(limited),
            surface: limited(entry.surface),
            tool: limited(entry.tool),
            effect: limited(entry.effect),
            bulk: entry.bulk,
            location: entry.location.map(limited),
            alias: entry.alias.map(limited),
            arguments_sha256: sha256(&text),
            arguments_bytes: text.len(),
            arguments: (full_arguments && text.len() <= MOST_ARGUMENTS).then_some(arguments),
            confirmation,
            idempotency_key: entry.idempotency_key,
            class: None,
            rule: None,
        })
    }
}

impl AuditEnd {
    pub fn new(id: String, outcome: &str, status: Option<u16>, trace_id: Option<&str>) -> Self {
        Self {
            id,
            time: now(),
            outcome: limited(outcome),
            status,
            trace_id: trace_id.map(limited),
        }
    }
}

pub(super) fn limited(text: &str) -> String {
    let kept = text.get(..text.floor_char_boundary(LONGEST_TEXT));
    match kept {
        Some(kept) if kept.len() < text.len() => format!("{kept}…"),
        _ => text.to_owned(),
    }
}

/// Always three digits, so that lines sort as texts.
pub(super) fn milliseconds<S: Serializer>(
    time: &Timestamp,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{time:.3}"))
}

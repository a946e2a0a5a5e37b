//! The lines of the audit: what is known of a call before it, and how it ended.

use jiff::Timestamp;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

use super::now;
use crate::store::Transaction;
use crate::{StoreError, hex, random, sha256};

/// Longest text of a client's, in bytes; the rest is cut off.
const LONGEST_TEXT: usize = 200;

/// What every line begins with.
const START: &str = "{\"state\":\"";

/// Most bytes of arguments in full; of more only hash and length are kept.
const MOST_ARGUMENTS: usize = 64 << 10;

/// What a call is, as its caller gives it.
#[derive(Clone, Copy, Debug)]
pub struct AuditEntry<'a> {
    /// `key:<id>`, `grant:<id>`, or `credential:<first 16 hex digits of its HMAC>`.
    pub who: &'a str,
    /// Whose grant it is, where it is one.
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
    /// Whether there is one; the key itself is the client's.
    pub idempotency_key: bool,
}

/// Whose a grant is, and which client's.
#[derive(Clone, Copy, Debug)]
pub struct GrantEntry<'a> {
    /// As OAuth knows the client.
    pub client: &'a str,
    /// The id of the person who holds it.
    pub person: Option<&'a str>,
    /// The id of the access key that it is bound to.
    pub key: Option<&'a str>,
}

/// How, and by whom, a call was confirmed.
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

/// What is known of a call before it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AuditedCall {
    pub id: String,
    #[serde(serialize_with = "milliseconds")]
    pub time: Timestamp,
    pub who: String,
    /// As OAuth knows the client of a grant, its person, and the key that it is bound to.
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
    /// Of the arguments as JSON without spaces, keys sorted at every level.
    pub arguments_sha256: String,
    pub arguments_bytes: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arguments: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmation: Option<Confirmation>,
    pub idempotency_key: bool,
    /// Why it was refused, where it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// The rule that refused it, where one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Confirmation {
    pub mode: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AuditEnd {
    pub id: String,
    #[serde(serialize_with = "milliseconds")]
    pub time: Timestamp,
    /// `ok`, the class of the failure, or `cut_off`.
    pub outcome: String,
    /// HighLevel's, where it answered.
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

    /// Many at once, which nobody hears of.
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

    /// `None` where it is none.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        // By what it begins with: serde would read the whole line once more to find the state.
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

/// Always three digits: the lines sort as texts do.
pub(super) fn milliseconds<S: Serializer>(
    time: &Timestamp,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{time:.3}"))
}

//! One client: its row.

use jiff::Timestamp;

use crate::store::{StoredRow, Transaction};
use crate::{StoreError, time};

/// A client, without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientRecord {
    /// The address of its document, or `cli_…`.
    pub id: String,
    pub kind: ClientKind,
    /// The client's own name.
    pub name: String,
    pub redirects: Vec<String>,
    pub method: ClientMethod,
    /// As it was last fetched.
    pub document: Option<String>,
    pub fetched: Option<Timestamp>,
    /// Until then it need not be fetched again.
    pub fresh_until: Option<Timestamp>,
    pub created: Timestamp,
    /// The time of its last token.
    pub used: Option<Timestamp>,
    pub expires: Option<Timestamp>,
    pub blocked: Option<Timestamp>,
}

/// How a client became known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientKind {
    /// By a document at the address that is its id.
    Document,
    /// It registered itself.
    Registered,
    /// The operator made it.
    Static,
}

/// How a client authenticates at the token endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientMethod {
    /// It has no secret.
    None,
    Basic,
    Post,
}

impl ClientKind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Document => "document",
            Self::Registered => "registered",
            Self::Static => "static",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Document, Self::Registered, Self::Static]
            .into_iter()
            .find(|kind| kind.name() == text)
    }
}

impl ClientMethod {
    /// Its name in OAuth.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Basic => "client_secret_basic",
            Self::Post => "client_secret_post",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::None, Self::Basic, Self::Post]
            .into_iter()
            .find(|method| method.name() == text)
    }
}

impl ClientRecord {
    /// Whether it has expired and need not be remembered as blocked.
    pub(super) fn is_over(&self, now: Timestamp) -> bool {
        self.blocked.is_none() && self.expires.is_some_and(|expires| expires <= now)
    }

    /// Stores it, replacing an earlier one of its id.
    pub(super) fn put(
        &self,
        transaction: &mut Transaction,
        secret_hash: Option<Vec<u8>>,
    ) -> Result<(), StoreError> {
        let redirects = serde_json::to_string(&self.redirects)
            .map_err(|error| StoreError::from(format!("redirects are no JSON: {error}")))?;
        let milliseconds = |time: Option<Timestamp>| time.map(Timestamp::as_millisecond);
        let put = "INSERT INTO client (id, kind, name, redirects, method, secret_hash, document, fetched_at, fresh_until,
                created_at, used_at, expires_at, blocked_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
            ON CONFLICT (id) DO UPDATE SET name = $3, redirects = $4, method = $5, document = $7, fetched_at = $8,
                fresh_until = $9, expires_at = $12";
        let put = sqlx::query(put)
            .bind(self.id.clone())
            .bind(self.kind.name())
            .bind(self.name.clone())
            .bind(redirects)
            .bind(self.method.name())
            .bind(secret_hash)
            .bind(self.document.clone())
            .bind(milliseconds(self.fetched))
            .bind(milliseconds(self.fresh_until))
            .bind(self.created.as_millisecond())
            .bind(milliseconds(self.used))
            .bind(milliseconds(self.expires))
            .bind(milliseconds(self.blocked));
        transaction.run(put).map(drop)
    }

    pub(super) fn from_row(row: &StoredRow) -> Result<Self, StoreError> {
        let id = row.text("id")?;
        let not_understood = |what: &str| {
            StoreError::from(format!(
                "the {what} of the client {id} is not understood; remove the client, or use the version that made it"
            ))
        };
        let optional_time = |column| -> Result<Option<Timestamp>, StoreError> {
            Ok(row.optional_integer(column)?.map(time))
        };
        Ok(Self {
            kind: ClientKind::parse(&row.text("kind")?).ok_or_else(|| not_understood("kind"))?,
            name: row.text("name")?,
            redirects: serde_json::from_str(&row.text("redirects")?)
                .map_err(|_| not_understood("list of redirects"))?,
            method: ClientMethod::parse(&row.text("method")?)
                .ok_or_else(|| not_understood("method"))?,
            document: row.optional_text("document")?,
            fetched: optional_time("fetched_at")?,
            fresh_until: optional_time("fresh_until")?,
            created: time(row.integer("created_at")?),
            used: optional_time("used_at")?,
            expires: optional_time("expires_at")?,
            blocked: optional_time("blocked_at")?,
            id,
        })
    }
}

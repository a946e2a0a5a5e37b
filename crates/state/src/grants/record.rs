//! One grant: its row, as people see it and as its tokens need it.

use jiff::Timestamp;
use sqlx::AssertSqlSafe;

use crate::store::{Statement, StoredRow, Transaction};
use crate::{StoreError, time};

/// A grant, without its secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantRecord {
    pub id: String,
    pub holder: GrantHolder,
    pub client: String,
    pub client_name: String,
    pub resource: String,
    pub scope: GrantScope,
    /// The consented rules, by name.
    pub rules: String,
    /// Further rules, by name: they took rights away later.
    pub narrowings: Vec<String>,
    /// Aliases; `*`: every location of the holder.
    pub locations: Vec<String>,
    pub created: Timestamp,
    /// Accurate to some minutes.
    pub used: Option<Timestamp>,
    pub idle_until: Timestamp,
    pub hard_until: Timestamp,
    pub ended: Option<Timestamp>,
    pub ended_why: Option<String>,
}

/// The holder whose rights limit a grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GrantHolder {
    /// The person's id.
    Person(String),
    /// The access key's id.
    Key(String),
}

/// The scopes of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum GrantScope {
    Read,
    /// Write and read.
    Write,
}

impl GrantScope {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }

    /// A word that this version does not know allows the least.
    pub(super) fn parse(text: &str) -> Self {
        match text {
            "write" => Self::Write,
            _ => Self::Read,
        }
    }
}

/// The columns of person and key, of which one is set.
pub(super) fn holder_columns(holder: &GrantHolder) -> (Option<String>, Option<String>) {
    match holder {
        GrantHolder::Person(id) => (Some(id.clone()), None),
        GrantHolder::Key(id) => (None, Some(id.clone())),
    }
}

/// Separates the rules of a grant in their column; no name of rules contains it.
pub(super) const BETWEEN_RULES: char = '\n';

/// The consented rules, and the further ones.
pub(super) fn split_rules(column: &str) -> (String, Vec<String>) {
    let mut all = column.split(BETWEEN_RULES).map(str::to_owned);
    (all.next().unwrap_or_default(), all.collect())
}

impl GrantRecord {
    /// By name, the consented rules first.
    pub fn all_rules(&self) -> impl Iterator<Item = &str> {
        let narrowings = self.narrowings.iter().map(String::as_str);
        std::iter::once(self.rules.as_str()).chain(narrowings)
    }

    pub(super) fn by_id(
        transaction: &mut Transaction,
        id: &str,
    ) -> Result<Option<Self>, StoreError> {
        let find = sqlx::query("SELECT * FROM oauth_grant WHERE id = $1").bind(id.to_owned());
        let Some(row) = transaction.one(find)? else {
            return Ok(None);
        };
        let locations = "SELECT alias FROM grant_location WHERE grant_id = $1 ORDER BY alias";
        let locations = transaction.all(sqlx::query(locations).bind(id.to_owned()))?;
        let locations: Result<_, StoreError> =
            locations.iter().map(|row| row.text("alias")).collect();
        Self::from_row(&row, locations?).map(Some)
    }

    pub(super) fn from_row(row: &StoredRow, locations: Vec<String>) -> Result<Self, StoreError> {
        let holder = match (
            row.optional_text("person")?,
            row.optional_text("access_key")?,
        ) {
            (Some(person), _) => GrantHolder::Person(person),
            (None, key) => GrantHolder::Key(key.unwrap_or_default()),
        };
        let (rules, narrowings) = split_rules(&row.text("rules")?);
        Ok(Self {
            id: row.text("id")?,
            holder,
            client: row.text("client")?,
            client_name: row.text("client_name")?,
            resource: row.text("resource")?,
            scope: GrantScope::parse(&row.text("scope")?),
            rules,
            narrowings,
            locations,
            created: time(row.integer("created_at")?),
            used: row.optional_integer("used_at")?.map(time),
            idle_until: time(row.integer("idle_until")?),
            hard_until: time(row.integer("hard_until")?),
            ended: row.optional_integer("ended_at")?.map(time),
            ended_why: row.optional_text("ended_why")?,
        })
    }
}

/// The data from which tokens are made and checked.
#[derive(Clone, Debug)]
pub(super) struct TokenGrant {
    pub(super) id: String,
    pub(super) client: String,
    pub(super) resource: String,
    pub(super) scope: GrantScope,
    pub(super) salt: Vec<u8>,
    /// Generation of the current refresh token.
    pub(super) seq: i64,
    pub(super) hard_until: i64,
    /// The earliest end by time.
    until: i64,
    /// The grant, its person, its key or its client has ended.
    has_ended: bool,
}

/// Columns of a grant `g`, with the facts that end it. A deleted key, person or client counts as ended.
pub(super) const GRANT_COLUMNS: &str =
    "g.id, g.client, g.resource, g.scope, g.salt, g.seq, g.idle_until, g.hard_until,
    (SELECT k.expires_at FROM access_key k WHERE k.id = g.access_key) AS key_until,
    CAST(CASE WHEN g.ended_at IS NOT NULL
        OR EXISTS (SELECT 1 FROM client c WHERE c.id = g.client AND c.blocked_at IS NOT NULL)
        OR g.person IS NOT NULL AND NOT EXISTS
            (SELECT 1 FROM person p WHERE p.id = g.person AND p.ended_at IS NULL)
        OR g.access_key IS NOT NULL AND NOT EXISTS
            (SELECT 1 FROM access_key k WHERE k.id = g.access_key AND k.ended_at IS NULL)
        THEN 1 ELSE 0 END AS BIGINT) AS has_ended";

impl TokenGrant {
    pub(super) fn by_id(
        transaction: &mut Transaction,
        id: &str,
    ) -> Result<Option<Self>, StoreError> {
        let find = format!("SELECT {GRANT_COLUMNS} FROM oauth_grant g WHERE g.id = $1");
        let find = sqlx::query(AssertSqlSafe(find)).bind(id.to_owned());
        Self::find(transaction, find)
    }

    pub(super) fn find(
        transaction: &mut Transaction,
        find: Statement,
    ) -> Result<Option<Self>, StoreError> {
        let row = transaction.one(find)?;
        row.as_ref().map(Self::from_row).transpose()
    }

    pub(super) fn from_row(row: &StoredRow) -> Result<Self, StoreError> {
        let hard_until = row.integer("hard_until")?;
        let until = row.integer("idle_until")?.min(hard_until);
        let key_until = row.optional_integer("key_until")?;
        Ok(Self {
            id: row.text("id")?,
            client: row.text("client")?,
            resource: row.text("resource")?,
            scope: GrantScope::parse(&row.text("scope")?),
            salt: row.bytes("salt")?,
            seq: row.integer("seq")?,
            hard_until: key_until.map_or(hard_until, |key| key.min(hard_until)),
            until: key_until.map_or(until, |key| key.min(until)),
            has_ended: row.integer("has_ended")? != 0,
        })
    }

    /// The earliest end by time.
    pub(super) fn until(&self) -> i64 {
        self.until
    }

    /// Whether something or somebody has ended it.
    pub(super) fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// Whether its time is over.
    pub(super) fn has_expired(&self, now: i64) -> bool {
        self.until <= now
    }

    pub(super) fn is_over(&self, now: i64) -> bool {
        self.has_ended() || self.has_expired(now)
    }
}

//! Events about people, links, clients, grants and locations. The audit has the events of calls.

use jiff::Timestamp;

use super::store::{Durability, Pending, Store, StoredRow, Transaction};
use super::{StoreError, time};

/// Most stored events; the oldest are deleted first.
const MOST: i64 = 100_000;

/// Events that are removed at once: other work waits meanwhile.
const AT_ONCE: i64 = 5_000;

/// Longest stored detail, in bytes.
const LONGEST_DETAIL: usize = 500;

/// An event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub at: Timestamp,
    /// A word of `EventKind`, or of a later version.
    pub kind: String,
    /// The id of the person, key or client who caused it. `None`: the command line, or the server itself.
    pub actor: Option<String>,
    /// The id of its subject.
    pub subject: Option<String>,
    pub detail: String,
}

/// An event to record. Never put a token in: people read the details.
#[derive(Clone, Debug)]
pub struct NewEvent {
    pub kind: EventKind,
    pub actor: Option<String>,
    pub subject: Option<String>,
    pub detail: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    PersonJoined,
    PersonEnded,
    ApprovalRightsChanged,
    PasskeyAdded,
    PasskeyRemoved,
    LinkMade,
    LinkUsed,
    LinkEnded,
    ClientSeen,
    ClientAdded,
    ClientBlocked,
    ClientUnblocked,
    ClientRemoved,
    GrantAllowed,
    GrantDenied,
    GrantNarrowed,
    GrantEnded,
    TokenReplayed,
    LocationAdded,
    LocationRefused,
    LocationRemoved,
    AppInstalled,
    AppUninstalled,
    KeyMade,
    KeyRevoked,
    RulesChanged,
    RulesRemoved,
    ApprovalDecided,
    Paused,
    Resumed,
}

/// The events of a store. Cheap to clone.
#[derive(Clone)]
pub struct Events {
    store: Store,
}

impl Events {
    pub fn new(store: &Store) -> Self {
        Self {
            store: store.clone(),
        }
    }

    /// Records an event that belongs to no other change.
    pub fn add(&self, event: NewEvent) -> Pending<()> {
        self.store.change(Durability::System, move |transaction| {
            write(transaction, event.clone())
        })
    }

    /// The newest of this kind about `subject`.
    pub fn last(&self, kind: EventKind, subject: &str) -> Pending<Option<Event>> {
        let subject = subject.to_owned();
        self.store
            .read(move |transaction| newest(transaction, kind, Some(&subject)))
    }

    /// The newest events, newest first.
    pub fn list(&self, newest: usize) -> Pending<Vec<Event>> {
        let newest = i64::try_from(newest).unwrap_or(i64::MAX);
        self.store.read(move |transaction| {
            let find = sqlx::query("SELECT * FROM event ORDER BY id DESC LIMIT $1");
            let rows = transaction.all(find.bind(newest))?;
            rows.iter().map(Event::from_row).collect()
        })
    }
}

/// In the transaction of the change, so that neither exists without the other.
pub(crate) fn write(transaction: &mut Transaction, event: NewEvent) -> Result<(), StoreError> {
    let insert = "INSERT INTO event (at, kind, actor, subject, detail) VALUES ($1, $2, $3, $4, $5)";
    let insert = sqlx::query(insert)
        // By the wall clock, like the audit: people compare it with other logs.
        .bind(Timestamp::now().as_millisecond())
        .bind(event.kind.name())
        .bind(event.actor)
        .bind(event.subject)
        .bind(cut(event.detail));
    transaction.run(insert).map(drop)
}

/// The newest of this kind about `subject`.
pub(crate) fn newest(
    transaction: &mut Transaction,
    kind: EventKind,
    subject: Option<&str>,
) -> Result<Option<Event>, StoreError> {
    // Compares texts: SQLite and PostgreSQL have no common operator for columns that are equal or both NULL.
    let find = "SELECT * FROM event WHERE kind = $1 AND COALESCE(subject, '') = $2 ORDER BY id DESC LIMIT 1";
    let find = sqlx::query(find).bind(kind.name());
    let row = transaction.one(find.bind(subject.unwrap_or_default().to_owned()))?;
    row.as_ref().map(Event::from_row).transpose()
}

/// Deletes events older than `first`, and the oldest if there are too many.
pub(crate) fn sweep(
    transaction: &mut Transaction,
    first: Option<Timestamp>,
) -> Result<(), StoreError> {
    if let Some(first) = first {
        let old = "DELETE FROM event WHERE id IN (SELECT id FROM event WHERE at < $1 ORDER BY at LIMIT $2)";
        let old = sqlx::query(old).bind(first.as_millisecond());
        transaction.run(old.bind(AT_ONCE))?;
    }
    // Ids are consecutive, so nothing has to be counted.
    let many = "DELETE FROM event WHERE id IN (SELECT id FROM event
        WHERE id <= (SELECT MAX(id) FROM event) - $1 ORDER BY id LIMIT $2)";
    let many = sqlx::query(many).bind(MOST).bind(AT_ONCE);
    transaction.run(many).map(drop)
}

/// Details include names of clients and people's input.
fn cut(detail: String) -> String {
    let end = detail.floor_char_boundary(LONGEST_DETAIL);
    match detail.get(..end) {
        Some(kept) if end < detail.len() => format!("{kept}…"),
        _ => detail,
    }
}

impl Event {
    fn from_row(row: &StoredRow) -> Result<Self, StoreError> {
        Ok(Self {
            at: time(row.integer("at")?),
            kind: row.text("kind")?,
            actor: row.optional_text("actor")?,
            subject: row.optional_text("subject")?,
            detail: row.text("detail")?,
        })
    }
}

impl EventKind {
    /// Its word in rows and for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::PersonJoined => "person joined",
            Self::PersonEnded => "person ended",
            Self::ApprovalRightsChanged => "approval rights changed",
            Self::PasskeyAdded => "passkey added",
            Self::PasskeyRemoved => "passkey removed",
            Self::LinkMade => "link made",
            Self::LinkUsed => "link used",
            Self::LinkEnded => "link ended",
            Self::ClientSeen => "client seen",
            Self::ClientAdded => "client added",
            Self::ClientBlocked => "client blocked",
            Self::ClientUnblocked => "client unblocked",
            Self::ClientRemoved => "client removed",
            Self::GrantAllowed => "grant allowed",
            Self::GrantDenied => "grant denied",
            Self::GrantNarrowed => "grant narrowed",
            Self::GrantEnded => "grant ended",
            Self::TokenReplayed => "token replayed",
            Self::LocationAdded => "location added",
            Self::LocationRefused => "location refused",
            Self::LocationRemoved => "location removed",
            Self::AppInstalled => "app installed",
            Self::AppUninstalled => "app uninstalled",
            Self::KeyMade => "key made",
            Self::KeyRevoked => "key revoked",
            Self::RulesChanged => "rules changed",
            Self::RulesRemoved => "rules removed",
            Self::ApprovalDecided => "approval decided",
            Self::Paused => "paused",
            Self::Resumed => "resumed",
        }
    }
}

#[cfg(test)]
mod tests;

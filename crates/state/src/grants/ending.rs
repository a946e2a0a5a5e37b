//! Ends grants: by people, by clients, or together with what they depend on.

use std::collections::HashMap;

use secrecy::SecretString;

use super::record::TokenGrant;
use super::{GrantHolder, GrantRecord, Grants, holder_columns, now};
use crate::StoreError;
use crate::events::{self, EventKind, NewEvent};
use crate::store::{Durability, Pending, Transaction};
use crate::token::hash_token;

/// The grants to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndedGrants {
    /// The grant of this id.
    One(String),
    /// All of a client, by its id.
    Client(String),
    /// All of a person, by its id.
    Person(String),
    /// All of an access key, by its id.
    Key(String),
    /// Those that reach only the location of this alias. The others lose that location.
    Location(String),
    All,
}

/// The grant of a token of any kind. Its client is the second parameter.
const BY_TOKEN: &str = "SELECT id FROM oauth_grant WHERE client = $2 AND id IN (
    SELECT grant_id FROM access WHERE hash = $1
    UNION ALL SELECT grant_id FROM retired WHERE hash = $1
    UNION ALL SELECT id FROM oauth_grant WHERE current = $1)";

impl Grants {
    /// Ends grants that have not ended, and returns their number. `why` is shown to people. For reads, other processes
    /// notice within 0.2 seconds; writes are refused from now on.
    pub fn end(&self, ended: EndedGrants, why: &str, by: Option<&str>) -> Pending<u64> {
        let (why, by) = (why.to_owned(), by.map(str::to_owned));
        self.store.change(Durability::Disk, move |transaction| {
            end_grants(transaction, &ended, &why, by.as_deref())
        })
    }

    /// A client gives back a token of any kind: its grant ends. An unknown token, or another client's, changes nothing.
    pub async fn revoke(&self, token: &SecretString, client: &str) -> Result<(), StoreError> {
        let (hash, client) = (hash_token(token), client.to_owned());
        let found = self.look_up(move |transaction| {
            let find = sqlx::query(BY_TOKEN).bind(hash.clone());
            let row = transaction.one(find.bind(client.clone()))?;
            row.map(|row| row.text("id")).transpose()
        });
        match found.await? {
            Some(id) => {
                let ended = self.end(EndedGrants::One(id), "revoked by the client", None);
                ended.await.map(drop)
            }
            None => Ok(()),
        }
    }

    /// Grants that clients have used, newest first, including recently ended ones.
    pub fn list(&self, holder: Option<GrantHolder>) -> Pending<Vec<GrantRecord>> {
        self.store.read(move |transaction| {
            let (person, key) = holder.as_ref().map_or((None, None), holder_columns);
            let is_all = i64::from(holder.is_none());
            let bind = |statement: &'static str| {
                sqlx::query(statement)
                    .bind(person.clone())
                    .bind(key.clone())
                    .bind(is_all)
            };
            let grants = "SELECT * FROM oauth_grant g
                WHERE current IS NOT NULL AND (person = $1 OR access_key = $2 OR $3 = 1) ORDER BY created_at DESC, id";
            let locations = "SELECT l.grant_id, l.alias FROM grant_location l JOIN oauth_grant g ON g.id = l.grant_id
                WHERE person = $1 OR access_key = $2 OR $3 = 1 ORDER BY l.alias";
            let grants = transaction.all(bind(grants))?;
            let mut aliases: HashMap<String, Vec<String>> = HashMap::new();
            for row in &transaction.all(bind(locations))? {
                let of_grant = aliases.entry(row.text("grant_id")?).or_default();
                of_grant.push(row.text("alias")?);
            }
            let record = |row| {
                let record = GrantRecord::from_row(row, Vec::new())?;
                let locations = aliases.remove(&record.id).unwrap_or_default();
                Ok(GrantRecord { locations, ..record })
            };
            grants.iter().map(record).collect()
        })
    }
}

impl TokenGrant {
    /// Two parties showed a token that only one may have.
    pub(super) fn end_replayed(
        &self,
        transaction: &mut Transaction,
        what: &str,
    ) -> Result<(), StoreError> {
        self.note_replay(transaction, what.to_owned())?;
        let ended = EndedGrants::One(self.id.clone());
        end_grants(transaction, &ended, "replayed", None).map(drop)
    }

    pub(super) fn note_replay(
        &self,
        transaction: &mut Transaction,
        what: String,
    ) -> Result<(), StoreError> {
        let event = NewEvent {
            kind: EventKind::TokenReplayed,
            actor: Some(self.client.clone()),
            subject: Some(self.id.clone()),
            detail: what,
        };
        events::write(transaction, event)
    }
}

/// Ends grants that have not ended, and returns their number.
pub(crate) fn end_grants(
    transaction: &mut Transaction,
    ended: &EndedGrants,
    why: &str,
    by: Option<&str>,
) -> Result<u64, StoreError> {
    let (end, which) = match ended {
        EndedGrants::One(id) => (
            "UPDATE oauth_grant SET ended_at = $2, ended_why = $3 WHERE ended_at IS NULL AND id = $1",
            id.as_str(),
        ),
        EndedGrants::Client(id) => (
            "UPDATE oauth_grant SET ended_at = $2, ended_why = $3 WHERE ended_at IS NULL AND client = $1",
            id.as_str(),
        ),
        EndedGrants::Person(id) => (
            "UPDATE oauth_grant SET ended_at = $2, ended_why = $3 WHERE ended_at IS NULL AND person = $1",
            id.as_str(),
        ),
        EndedGrants::Key(id) => (
            "UPDATE oauth_grant SET ended_at = $2, ended_why = $3 WHERE ended_at IS NULL AND access_key = $1",
            id.as_str(),
        ),
        // Its row is deleted below.
        EndedGrants::Location(alias) => (
            "UPDATE oauth_grant SET ended_at = $2, ended_why = $3 WHERE ended_at IS NULL
                AND id IN (SELECT grant_id FROM grant_location WHERE alias = $1)
                AND id NOT IN (SELECT grant_id FROM grant_location WHERE alias <> $1)",
            alias.as_str(),
        ),
        EndedGrants::All => (
            "UPDATE oauth_grant SET ended_at = $2, ended_why = $3 WHERE ended_at IS NULL AND $1 = ''",
            "",
        ),
    };
    let end = sqlx::query(end)
        .bind(which.to_owned())
        .bind(now())
        .bind(why.to_owned());
    let count = transaction.run(end)?;
    if count > 0 {
        let detail = match count {
            1 => why.to_owned(),
            _ => format!("{why}: {count} connections"),
        };
        let event = NewEvent {
            kind: EventKind::GrantEnded,
            actor: by.map(str::to_owned),
            subject: (!which.is_empty()).then(|| which.to_owned()),
            detail,
        };
        events::write(transaction, event)?;
    }
    let mut is_changed = count > 0;
    if let EndedGrants::Location(alias) = ended {
        let take = "DELETE FROM grant_location WHERE alias = $1
            AND grant_id IN (SELECT id FROM oauth_grant WHERE ended_at IS NULL)";
        is_changed |= transaction.run(sqlx::query(take).bind(alias.clone()))? > 0;
    }
    if is_changed {
        transaction.revise()?;
    }
    Ok(count)
}

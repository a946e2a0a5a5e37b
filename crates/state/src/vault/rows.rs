//! Rows of locations and of their credentials.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};

use super::{
    CredentialKind, CredentialStatus, MOST_LOCATIONS, MOST_LOCATIONS_OF_PERSON, VaultLocation,
    alias, ending,
};
use crate::clock::now;
use crate::store::{KeyRing, SealedAt, StoredRow, Transaction, meta, put_meta};
use crate::{StoreError, hex, random, time};

/// Counts their changes.
const CHANGES: &str = "vault_changes";

/// How long a removed location keeps its alias from others.
const KEPT_ENDED: SignedDuration = SignedDuration::from_hours(90 * 24);

/// Longest name and time zone, in characters.
const LONGEST_NAME: usize = 100;
const LONGEST_ZONE: usize = 64;

const COLUMNS: &str =
    "location.*, vault_credential.kind, vault_credential.company, vault_credential.status,
    vault_credential.status_at, vault_credential.sealed, vault_credential.generation
    FROM location JOIN vault_credential ON vault_credential.id = location.credential
    WHERE location.ended_at IS NULL";

/// The new content of a location's row.
pub(super) struct LocationChange<'a> {
    pub owner: Option<&'a str>,
    pub location: &'a str,
    pub name: &'a str,
    pub zone: Option<&'a str>,
}

/// An owner's earlier row for a location.
pub(super) struct LocationBefore {
    id: String,
    alias: String,
    pub is_ended: bool,
    pub credential: String,
    kind: Option<String>,
}

/// The facts about an install that its uninstallation needs.
pub(super) struct InstallRow {
    pub id: String,
    pub status: CredentialStatus,
    pub since: Timestamp,
}

/// The new content of a credential's row.
pub(super) struct CredentialChange<'a> {
    pub kind: CredentialKind,
    pub fingerprint: &'a [u8],
    pub company: Option<&'a str>,
    pub owner: Option<&'a str>,
    /// None: its pair is stored elsewhere.
    pub token: Option<&'a SecretString>,
}

impl LocationChange<'_> {
    pub(super) fn find(
        &self,
        transaction: &mut Transaction,
    ) -> Result<Option<LocationBefore>, StoreError> {
        let find = "SELECT location.id, alias, ended_at, credential, kind FROM location
            LEFT JOIN vault_credential ON vault_credential.id = location.credential
            WHERE location = $1 AND COALESCE(location.owner, '') = $2
            ORDER BY CASE WHEN ended_at IS NULL THEN 0 ELSE 1 END, ended_at DESC LIMIT 1";
        let find = sqlx::query(find)
            .bind(self.location.to_owned())
            .bind(self.owner.unwrap_or_default().to_owned());
        let Some(row) = transaction.one(find)? else {
            return Ok(None);
        };
        Ok(Some(LocationBefore {
            id: row.text("id")?,
            alias: row.text("alias")?,
            is_ended: row.optional_integer("ended_at")?.is_some(),
            credential: row.text("credential")?,
            kind: row.optional_text("kind")?,
        }))
    }

    /// Stores it under that credential. Returns its id.
    pub(super) fn put(
        &self,
        transaction: &mut Transaction,
        before: Option<LocationBefore>,
        credential: &str,
        reserved: &BTreeSet<String>,
    ) -> Result<String, StoreError> {
        if before.as_ref().is_none_or(|before| before.is_ended)
            && let Some(why) = self.no_room(transaction)?
        {
            return Err(why);
        }
        let name = tidy(self.name, LONGEST_NAME).unwrap_or_else(|| self.location.to_owned());
        let zone = self.zone.and_then(|zone| tidy(zone, LONGEST_ZONE));
        let Some(before) = before else {
            let (id, alias) = (new_id("loc")?, alias::free(transaction, &name, reserved)?);
            let insert = "INSERT INTO location (id, alias, location, credential, owner, name, zone, created_at)
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
            let insert = sqlx::query(insert)
                .bind(id.clone())
                .bind(alias)
                .bind(self.location.to_owned())
                .bind(credential.to_owned())
                .bind(self.owner.map(str::to_owned))
                .bind(name)
                .bind(zone)
                .bind(now());
            return transaction.run(insert).map(|_| id);
        };
        // While it was removed, the settings may have given its alias to another.
        let alias = match before.is_ended && reserved.contains(&before.alias) {
            true => alias::free(transaction, &name, reserved)?,
            false => before.alias,
        };
        let update = "UPDATE location SET alias = $2, credential = $3, name = $4, zone = COALESCE($5, zone),
            created_at = CASE WHEN ended_at IS NULL THEN created_at ELSE $6 END, ended_at = NULL WHERE id = $1";
        let update = sqlx::query(update)
            .bind(before.id.clone())
            .bind(alias)
            .bind(credential.to_owned())
            .bind(name)
            .bind(zone)
            .bind(now());
        transaction.run(update)?;
        if before.credential != credential {
            ending::forget_unused(transaction, &before.credential)?;
        }
        Ok(before.id)
    }

    /// The reason that there is no room for one more, if there is none.
    pub(super) fn no_room(
        &self,
        transaction: &mut Transaction,
    ) -> Result<Option<StoreError>, StoreError> {
        let count =
            "SELECT COUNT(*) AS n, COALESCE(SUM(CASE WHEN owner = $1 THEN 1 ELSE 0 END), 0) AS own
            FROM location WHERE ended_at IS NULL";
        let owner = self.owner.unwrap_or_default().to_owned();
        let Some(row) = transaction.one(sqlx::query(count).bind(owner))? else {
            return Ok(None);
        };
        if row.integer("n")? >= MOST_LOCATIONS {
            return Ok(Some(StoreError::from(format!(
                "{MOST_LOCATIONS} locations are connected, and no more can be; remove some that nobody uses"
            ))));
        }
        if self.owner.is_some() && row.integer("own")? >= MOST_LOCATIONS_OF_PERSON {
            return Ok(Some(StoreError::from(format!(
                "you have connected {MOST_LOCATIONS_OF_PERSON} locations, and no more can be; remove some that nobody uses"
            ))));
        }
        Ok(None)
    }
}

impl LocationBefore {
    /// The credential that another token may replace.
    pub(super) fn token(&self) -> Option<&str> {
        let is_token = self.kind.as_deref() == Some(CredentialKind::Pit.word());
        (is_token && !self.is_ended).then_some(&self.credential)
    }
}

impl CredentialChange<'_> {
    /// Stores it, replacing the same one, or `replaced`. Returns its id.
    pub(super) fn put(
        &self,
        transaction: &mut Transaction,
        ring: &KeyRing,
        replaced: Option<&str>,
    ) -> Result<String, StoreError> {
        let find = "SELECT id, generation FROM vault_credential WHERE fingerprint = $1 OR id = $2
            ORDER BY CASE WHEN fingerprint = $1 THEN 0 ELSE 1 END LIMIT 1";
        let find = sqlx::query(find)
            .bind(self.fingerprint.to_vec())
            .bind(replaced.unwrap_or_default().to_owned());
        let (id, generation) = match transaction.one(find)? {
            Some(row) => (row.text("id")?, row.integer("generation")? + 1),
            None => (new_id("cre")?, 1),
        };
        let sealed = self.token.map(|token| {
            let text = token.expose_secret().as_bytes();
            ring.seal(sealed_at(&id, generation), text)
        });
        let put = "INSERT INTO vault_credential
                (id, kind, fingerprint, company, generation, sealed, status, status_at, owner, created_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $8)
            ON CONFLICT (id) DO UPDATE SET fingerprint = $3, company = COALESCE($4, vault_credential.company),
                generation = $5, sealed = $6, status = $7, status_at = $8, owner = $9";
        let put = sqlx::query(put)
            .bind(id.clone())
            .bind(self.kind.word())
            .bind(self.fingerprint.to_vec())
            .bind(self.company.map(str::to_owned))
            .bind(generation)
            .bind(sealed.transpose()?)
            .bind(CredentialStatus::Good.word())
            .bind(now())
            .bind(self.owner.map(str::to_owned));
        transaction.run(put).map(|_| id)
    }
}

/// Returns whether that is news.
pub(super) fn set_status(
    transaction: &mut Transaction,
    credential: &str,
    status: CredentialStatus,
) -> Result<bool, StoreError> {
    let set =
        "UPDATE vault_credential SET status = $2, status_at = $3 WHERE id = $1 AND status <> $2";
    let set = sqlx::query(set)
        .bind(credential.to_owned())
        .bind(status.word())
        .bind(now());
    Ok(transaction.run(set)? > 0)
}

/// Fails if it was deleted.
pub(super) fn kind(
    transaction: &mut Transaction,
    credential: &str,
) -> Result<CredentialKind, StoreError> {
    let find = sqlx::query("SELECT kind FROM vault_credential WHERE id = $1");
    let row = transaction.one(find.bind(credential.to_owned()))?;
    let row = row.ok_or_else(|| {
        StoreError::from("the app was uninstalled meanwhile; sign in again".to_owned())
    })?;
    parse(&CredentialKind::ALL, &row.text("kind")?)
}

pub(super) fn install(
    transaction: &mut Transaction,
    fingerprint: &[u8],
) -> Result<Option<InstallRow>, StoreError> {
    let find = "SELECT id, status, status_at FROM vault_credential WHERE fingerprint = $1";
    let row = transaction.one(sqlx::query(find).bind(fingerprint.to_vec()))?;
    let install = |row: StoredRow| {
        Ok(InstallRow {
            id: row.text("id")?,
            status: parse(&CredentialStatus::ALL, &row.text("status")?)?,
            since: time(row.integer("status_at")?),
        })
    };
    row.map(install).transpose()
}

/// Those of all owners that companies reach, connected until `at`.
pub(super) fn of_companies(
    transaction: &mut Transaction,
    location: &str,
    at: Timestamp,
) -> Result<Vec<VaultLocation>, StoreError> {
    let find = format!(
        "SELECT {COLUMNS} AND location.location = $1 AND kind = 'company' AND location.created_at <= $2"
    );
    let find = sqlx::query(sqlx::AssertSqlSafe(find)).bind(location.to_owned());
    let rows = transaction.all(find.bind(at.as_millisecond()))?;
    rows.iter().map(VaultLocation::from_row).collect()
}

/// By alias.
pub(super) fn list(transaction: &mut Transaction) -> Result<Vec<VaultLocation>, StoreError> {
    rows(transaction)?
        .iter()
        .map(VaultLocation::from_row)
        .collect()
}

/// By alias, with their unsealed contents. A row that does not open does not affect the others.
pub(super) fn read(
    transaction: &mut Transaction,
    ring: &KeyRing,
) -> Result<Vec<(VaultLocation, Option<SecretString>)>, StoreError> {
    let mut read = Vec::new();
    for row in rows(transaction)? {
        let mut location = VaultLocation::from_row(&row)?;
        let token = match row.optional_bytes("sealed")? {
            None => None,
            Some(sealed) => {
                let at = sealed_at(&location.credential, row.integer("generation")?);
                let opened = ring.open(at, &sealed).ok();
                let text = opened.and_then(|text| String::from_utf8(text).ok());
                if text.is_none() {
                    tracing::error!(location = %location.id, "the token of a connected location cannot be opened by the keys of the store");
                    location.status = CredentialStatus::Refused;
                }
                text.map(SecretString::from)
            }
        };
        read.push((location, token));
    }
    Ok(read)
}

/// Fails if it was deleted.
pub(super) fn one(transaction: &mut Transaction, id: &str) -> Result<VaultLocation, StoreError> {
    find(transaction, id)?.ok_or_else(|| {
        StoreError::from(format!(
            "there is no connected location {id}; `highlevel-mcp locations list` shows all"
        ))
    })
}

pub(super) fn find(
    transaction: &mut Transaction,
    id: &str,
) -> Result<Option<VaultLocation>, StoreError> {
    let find = format!("SELECT {COLUMNS} AND location.id = $1");
    let find = sqlx::query(sqlx::AssertSqlSafe(find)).bind(id.to_owned());
    let row = transaction.one(find)?;
    row.map(|row| VaultLocation::from_row(&row)).transpose()
}

/// Makes every process read them again.
pub(super) fn changed(transaction: &mut Transaction) -> Result<(), StoreError> {
    let next = changes(transaction)?.wrapping_add(1);
    put_meta(transaction, CHANGES, &next.to_string())?;
    transaction.revise()
}

pub(super) fn changes(transaction: &mut Transaction) -> Result<i64, StoreError> {
    let known = meta(transaction, CHANGES)?;
    Ok(known.and_then(|known| known.parse().ok()).unwrap_or(0))
}

/// Deletes locations that were removed long ago, and notices that are too old to be received again.
pub(crate) fn sweep(transaction: &mut Transaction) -> Result<(), StoreError> {
    let kept = i64::try_from(KEPT_ENDED.as_millis()).unwrap_or(i64::MAX);
    let sweep = sqlx::query("DELETE FROM location WHERE ended_at <= $1");
    transaction.run(sweep.bind(now().saturating_sub(kept)))?;
    let notices = sqlx::query("DELETE FROM notice WHERE expires_at <= $1");
    transaction.run(notices.bind(now())).map(drop)
}

impl VaultLocation {
    fn from_row(row: &StoredRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.text("id")?,
            alias: row.text("alias")?,
            location: row.text("location")?,
            name: row.text("name")?,
            zone: row.optional_text("zone")?,
            owner: row.optional_text("owner")?,
            credential: row.text("credential")?,
            kind: parse(&CredentialKind::ALL, &row.text("kind")?)?,
            company: row.optional_text("company")?,
            status: parse(&CredentialStatus::ALL, &row.text("status")?)?,
            status_at: time(row.integer("status_at")?),
            created: time(row.integer("created_at")?),
        })
    }
}

fn rows(transaction: &mut Transaction) -> Result<Vec<StoredRow>, StoreError> {
    let find = format!("SELECT {COLUMNS} ORDER BY alias");
    transaction.all(sqlx::query(sqlx::AssertSqlSafe(find)))
}

fn parse<T: Copy>(all: &[(T, &'static str)], text: &str) -> Result<T, StoreError> {
    let found = all.iter().find(|(_, word)| *word == text);
    found.map(|(one, _)| *one).ok_or_else(|| {
        StoreError::from(format!(
            "a connected location says {text:?}, which this version does not know; use the version that wrote it"
        ))
    })
}

/// The text without characters that pages must not show, and cut; `None` if nothing is left.
fn tidy(text: &str, longest: usize) -> Option<String> {
    let plain = text.chars().filter(|letter| !letter.is_control());
    let text: String = plain.take(longest).collect();
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

fn new_id(prefix: &str) -> Result<String, StoreError> {
    Ok(format!("{prefix}_{}", hex(&random::<16>()?)))
}

fn sealed_at(credential: &str, generation: i64) -> SealedAt<'_> {
    SealedAt {
        table: "vault_credential",
        row: credential,
        column: "sealed",
        generation,
    }
}

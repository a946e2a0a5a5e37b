//! Locations that people connect: their names, their owners, and the sealed credentials that reach them.
//!
//! A private integration's token is sealed in the row of its credential. The token pair of an install is renewed under
//! a lease, like an agency's, and is stored with those (`token_pairs`), under the id of the credential.

mod alias;
mod ending;
mod installs;
mod rows;

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};

use super::StoreError;
use super::events::{self, EventKind, NewEvent};
use super::store::{Durability, Mirror, Pending, Store, Transaction};
pub use installs::{
    CompanyInstall, InstallNotice, InstalledLocation, MOST_AT_ONCE, NOTICE_KEPT, NewInstall,
    NoticeOutcome,
};
pub(crate) use rows::sweep;
use rows::{CredentialChange, LocationChange};

/// Most connected locations of all people.
pub const MOST_LOCATIONS: i64 = 10_000;

/// Most connected locations of one person.
pub const MOST_LOCATIONS_OF_PERSON: i64 = 2_000;

const TROUBLE: &str =
    "the connected locations cannot be read; those that were known go on as they were";

/// The kind of a location's credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialKind {
    /// The token of a private integration.
    Pit,
    /// The app is installed for the location.
    Location,
    /// The app is installed for the location's company.
    Company,
}

/// HighLevel's last verdict on a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialStatus {
    Good,
    /// HighLevel no longer accepts it.
    Refused,
    Uninstalled,
    /// A renewal was interrupted, and HighLevel's new pair is unknown.
    Unsure,
}

/// A location that somebody connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VaultLocation {
    /// `loc_…`
    pub id: String,
    pub alias: String,
    /// HighLevel's id.
    pub location: String,
    pub name: String,
    /// HighLevel's name of the zone.
    pub zone: Option<String>,
    /// A person's id; `None`: the operator's.
    pub owner: Option<String>,
    /// `cre_…`
    pub credential: String,
    pub kind: CredentialKind,
    /// HighLevel's id, if known.
    pub company: Option<String>,
    pub status: CredentialStatus,
    pub status_at: Timestamp,
    pub created: Timestamp,
}

/// A token that was checked at its location.
#[derive(Clone, Debug)]
pub struct NewToken {
    pub owner: Option<String>,
    pub location: String,
    pub name: String,
    pub zone: Option<String>,
    pub company: Option<String>,
    pub token: SecretString,
}

/// The connected locations of a store. Cheap to clone.
#[derive(Clone)]
pub struct Vault {
    store: Store,
    changes: Arc<Mirror<i64>>,
    /// Aliases in the settings.
    reserved: Arc<BTreeSet<String>>,
}

impl Vault {
    /// Blocks until the number of changes is known.
    pub fn new(store: &Store) -> Self {
        Self {
            store: store.clone(),
            changes: store.mirror(0, rows::changes, TROUBLE),
            reserved: Arc::default(),
        }
    }

    /// The same, without giving any of these aliases to a location.
    pub fn reserving(self, aliases: impl IntoIterator<Item = String>) -> Self {
        Self {
            reserved: Arc::new(aliases.into_iter().collect()),
            ..self
        }
    }

    /// Every location, by alias.
    pub fn list(&self) -> Pending<Vec<VaultLocation>> {
        self.store.read(rows::list)
    }

    /// Every location, with its unsealed token if it is of a private integration. One that cannot be unsealed is
    /// `None`, with the status `Refused`.
    pub fn read(&self) -> Pending<Vec<(VaultLocation, Option<SecretString>)>> {
        let ring = self.store.ring();
        self.store
            .read(move |transaction| rows::read(transaction, &ring))
    }

    /// Another number after each change that `read` shows, from memory: a change by another process is known within 0.2
    /// seconds.
    pub fn changes(&self) -> Result<i64, StoreError> {
        (*self.changes.value()).clone()
    }

    /// Stores a token, sealed. The same token of the same owner again, or another one for a location that the owner has
    /// connected, replaces the earlier one.
    pub fn put_token(&self, new: NewToken) -> Pending<VaultLocation> {
        let (ring, reserved) = (self.store.ring(), Arc::clone(&self.reserved));
        let owner = new.owner.clone().unwrap_or_default();
        let fingerprint = self.fingerprint(&["token", &owner, new.token.expose_secret()]);
        self.store.change(Durability::Disk, move |transaction| {
            let location = LocationChange {
                owner: new.owner.as_deref(),
                location: &new.location,
                name: &new.name,
                zone: new.zone.as_deref(),
            };
            let before = location.find(transaction)?;
            let replaced = before.as_ref().and_then(|before| before.token());
            let credential = CredentialChange {
                kind: CredentialKind::Pit,
                fingerprint: &fingerprint,
                company: new.company.as_deref(),
                owner: new.owner.as_deref(),
                token: Some(&new.token),
            };
            let credential = credential.put(transaction, &ring, replaced)?;
            let id = location.put(transaction, before, &credential, &reserved)?;
            rows::changed(transaction)?;
            let kept = rows::one(transaction, &id)?;
            let what = "a private integration's token";
            write_event(
                transaction,
                EventKind::LocationAdded,
                new.owner.clone(),
                &kept,
                what,
            )?;
            Ok(kept)
        })
    }

    /// Records HighLevel's present verdict on a credential. If the app was uninstalled, its locations leave every
    /// grant.
    pub fn set_status(&self, credential: &str, status: CredentialStatus) -> Pending<()> {
        let credential = credential.to_owned();
        self.store.change(Durability::Disk, move |transaction| {
            if !rows::set_status(transaction, &credential, status)? {
                return Ok(());
            }
            if status == CredentialStatus::Uninstalled {
                ending::leave_grants(transaction, &credential)?;
            }
            rows::changed(transaction)
        })
    }

    /// Deletes a location, and its credential if that reaches no other. Grants without any location left end.
    pub fn remove(&self, id: &str, by: Option<&str>) -> Pending<VaultLocation> {
        let (id, by) = (id.to_owned(), by.map(str::to_owned));
        self.store.change(Durability::Disk, move |transaction| {
            let removed = rows::one(transaction, &id)?;
            ending::remove(transaction, &removed, by.as_deref())?;
            rows::changed(transaction)?;
            Ok(removed)
        })
    }

    /// Forgets a credential that reaches no location; not a company's.
    pub fn forget_unused(&self, credential: &str) -> Pending<()> {
        let credential = credential.to_owned();
        self.store.change(Durability::Disk, move |transaction| {
            ending::forget_unused(transaction, &credential)
        })
    }

    /// Stands for a credential, so that the same again is known.
    fn fingerprint(&self, parts: &[&str]) -> Vec<u8> {
        let text = format!("vault\n{}", parts.join("\n"));
        self.store.identity().digest(&text).to_vec()
    }
}

/// Records an event about a location, and its cause.
fn write_event(
    transaction: &mut Transaction,
    kind: EventKind,
    actor: Option<String>,
    location: &VaultLocation,
    what: &str,
) -> Result<(), StoreError> {
    let event = NewEvent {
        kind,
        actor,
        subject: Some(location.id.clone()),
        detail: format!("{} ({}): {what}", location.alias, location.location),
    };
    events::write(transaction, event)
}

/// Deletes a location if it is still there, in the transaction of its cause.
pub(crate) fn forget(transaction: &mut Transaction, id: &str) -> Result<(), StoreError> {
    if let Some(removed) = rows::find(transaction, id)? {
        ending::remove(transaction, &removed, None)?;
        rows::changed(transaction)?;
    }
    Ok(())
}

impl CredentialKind {
    const ALL: [(Self, &'static str); 3] = [
        (Self::Pit, "pit"),
        (Self::Location, "location"),
        (Self::Company, "company"),
    ];

    /// The word in rows and lists.
    pub fn word(self) -> &'static str {
        word(&Self::ALL, self)
    }
}

impl CredentialStatus {
    const ALL: [(Self, &'static str); 4] = [
        (Self::Good, "good"),
        (Self::Refused, "refused"),
        (Self::Uninstalled, "uninstalled"),
        (Self::Unsure, "unsure"),
    ];

    /// The word in rows and lists.
    pub fn word(self) -> &'static str {
        word(&Self::ALL, self)
    }
}

fn word<T: Copy + PartialEq>(all: &[(T, &'static str)], one: T) -> &'static str {
    let found = all.iter().find(|(known, _)| *known == one);
    found.map_or("", |(_, word)| word)
}

#[cfg(test)]
mod tests;

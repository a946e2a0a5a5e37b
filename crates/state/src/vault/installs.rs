//! Installs of the operator's Marketplace app, and HighLevel's later notices about them.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use ring::digest::{SHA256, digest};
use secrecy::SecretString;

use super::rows::{CredentialChange, InstallRow, LocationChange};
use super::{CredentialKind, CredentialStatus, Vault, VaultLocation, ending, rows, write_event};
use crate::StoreError;
use crate::clock::SteadyClock;
use crate::events::{self, EventKind, NewEvent};
use crate::store::{Durability, Pending, Transaction};
use crate::token_pairs::{self, TokenPairs};

/// HighLevel's notices are remembered for this long. An older one is not accepted at all.
pub const NOTICE_KEPT: SignedDuration = SignedDuration::from_mins(15);

/// Locations that are stored in one transaction: other work waits meanwhile.
pub const MOST_AT_ONCE: usize = 50;

/// A pair of tokens that HighLevel gave the app.
#[derive(Clone, Debug)]
pub struct NewInstall {
    /// The app's client id.
    pub client: String,
    /// `Location` or `Company`.
    pub kind: CredentialKind,
    /// HighLevel's id of the location or company.
    pub holder: String,
    pub company: Option<String>,
    pub owner: Option<String>,
    pub pair: SecretString,
}

/// A location that an install reaches.
#[derive(Clone, Debug)]
pub struct InstalledLocation {
    /// HighLevel's id.
    pub location: String,
    /// Empty: unknown; then its id is used.
    pub name: String,
    pub zone: Option<String>,
    /// It is connected again if it was removed.
    pub comes_back: bool,
}

/// An install for a company.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompanyInstall {
    /// `cre_…`
    pub credential: String,
    /// HighLevel's id.
    pub company: String,
    pub owner: Option<String>,
}

/// HighLevel's notice about the app, after its signature was checked.
#[derive(Clone, Debug)]
pub struct InstallNotice {
    /// HighLevel's id, different for each notice.
    pub id: String,
    /// The app's client id.
    pub client: String,
    pub is_install: bool,
    pub company: Option<String>,
    pub location: Option<String>,
    /// The time of the event.
    pub at: Timestamp,
}

/// The result of a notice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoticeOutcome {
    /// It was received before.
    Repeated,
    /// Companies whose locations must be synchronised; empty if it is about no known company.
    Install(Vec<CompanyInstall>),
    /// This many locations are no longer reached.
    Uninstall(usize),
}

impl Vault {
    /// The store of an install's pair, for its renewal.
    pub fn pair(&self, credential: &str) -> TokenPairs {
        TokenPairs::new(&self.store, credential)
    }

    /// Stores the pair of an install, sealed, and returns the credential's id. The same install again replaces the
    /// earlier one, with its locations. The pair may be used once this has returned.
    pub fn put_install(&self, new: NewInstall) -> Pending<String> {
        let ring = self.store.ring();
        let fingerprint = self.install_fingerprint(&new.client, new.kind, &new.holder);
        self.store.change(Durability::Disk, move |transaction| {
            let change = CredentialChange {
                kind: new.kind,
                fingerprint: &fingerprint,
                company: new.company.as_deref(),
                owner: new.owner.as_deref(),
                token: None,
            };
            let id = change.put(transaction, &ring, None)?;
            token_pairs::put(transaction, &ring, &id, &new.pair)?;
            rows::changed(transaction)?;
            let event = NewEvent {
                kind: EventKind::AppInstalled,
                actor: new.owner.clone(),
                subject: Some(id.clone()),
                detail: format!("{} {}", new.kind.word(), new.holder),
            };
            events::write(transaction, event)?;
            Ok(id)
        })
    }

    /// Connects locations of an install, at most `MOST_AT_ONCE`. Returns those that it reaches now. A location that its
    /// owner connected in another way stays as it is, except the only one of a location's own install. A location
    /// without room is left out.
    pub fn put_locations(
        &self,
        credential: &str,
        owner: Option<&str>,
        found: Vec<InstalledLocation>,
    ) -> Pending<Vec<VaultLocation>> {
        if found.len() > MOST_AT_ONCE {
            return Pending::failed(StoreError::from(format!(
                "at most {MOST_AT_ONCE} locations are connected at once"
            )));
        }
        let reserved = Arc::clone(&self.reserved);
        let (credential, owner) = (credential.to_owned(), owner.map(str::to_owned));
        self.store.change(Durability::Disk, move |transaction| {
            let kind = rows::kind(transaction, &credential)?;
            let mut put = Vec::new();
            for one in &found {
                let change = LocationChange {
                    owner: owner.as_deref(),
                    location: &one.location,
                    name: &one.name,
                    zone: one.zone.as_deref(),
                };
                let before = change.find(transaction)?;
                let is_elsewhere = before.as_ref().is_some_and(|before| {
                    let is_removed = before.is_ended && !one.comes_back;
                    let is_other = !before.is_ended
                        && before.credential != credential
                        && kind == CredentialKind::Company;
                    is_removed || is_other
                });
                let is_new = before.as_ref().is_none_or(|before| before.is_ended);
                if is_elsewhere || (is_new && change.no_room(transaction)?.is_some()) {
                    continue;
                }
                let id = change.put(transaction, before, &credential, &reserved)?;
                let one = rows::one(transaction, &id)?;
                if is_new {
                    let (kind, what) = (EventKind::LocationAdded, one.kind.word());
                    write_event(transaction, kind, owner.clone(), &one, what)?;
                }
                put.push(one);
            }
            rows::changed(transaction)?;
            Ok(put)
        })
    }

    /// Connects the location of its own install. If that fails, its credential is forgotten, as nothing else uses it.
    pub async fn put_only_location(
        &self,
        credential: &str,
        owner: Option<&str>,
        found: InstalledLocation,
    ) -> Result<VaultLocation, StoreError> {
        let put = self.put_locations(credential, owner, vec![found]).await;
        match put.map(|mut put| put.pop()) {
            Ok(Some(location)) => Ok(location),
            outcome => {
                self.forget_unused(credential).await?;
                let no_room =
                    || StoreError::from("there is no room for another location".to_owned());
                Err(outcome.err().unwrap_or_else(no_room))
            }
        }
    }

    /// Every company with the app installed.
    pub fn companies(&self) -> Pending<Vec<CompanyInstall>> {
        self.store.read(companies)
    }

    /// Applies HighLevel's notice, once: an uninstalled app is marked so, and its locations leave every grant.
    pub fn take_notice(&self, notice: InstallNotice) -> Pending<NoticeOutcome> {
        let hash = digest(&SHA256, notice.id.as_bytes()).as_ref().to_vec();
        let fingerprint = |kind, id: &Option<String>| {
            let id = id.as_deref()?;
            Some(self.install_fingerprint(&notice.client, kind, id))
        };
        let of_company = fingerprint(CredentialKind::Company, &notice.company);
        let of_location = fingerprint(CredentialKind::Location, &notice.location);
        self.store.change(Durability::Disk, move |transaction| {
            if !is_news(transaction, &hash)? {
                return Ok(NoticeOutcome::Repeated);
            }
            if notice.is_install {
                let mut installs = companies(transaction)?;
                // It may name none, for a location that was created later.
                if let Some(company) = &notice.company {
                    installs.retain(|install| install.company == *company);
                }
                return Ok(NoticeOutcome::Install(installs));
            }
            let mut reached_no_more = 0;
            if let (Some(location), Some(fingerprint)) = (&notice.location, &of_location) {
                reached_no_more += uninstall(transaction, fingerprint, notice.at)?;
                for one in rows::of_companies(transaction, location, notice.at)? {
                    ending::remove(transaction, &one, None)?;
                    reached_no_more += 1;
                }
            } else if let Some(fingerprint) = &of_company {
                reached_no_more += uninstall(transaction, fingerprint, notice.at)?;
            }
            if reached_no_more > 0 {
                rows::changed(transaction)?;
            }
            Ok(NoticeOutcome::Uninstall(reached_no_more))
        })
    }

    fn install_fingerprint(&self, client: &str, kind: CredentialKind, id: &str) -> Vec<u8> {
        self.fingerprint(&["install", client, kind.word(), id])
    }
}

/// The locations that the install reached. One that was connected again after `at` stays.
fn uninstall(
    transaction: &mut Transaction,
    fingerprint: &[u8],
    at: Timestamp,
) -> Result<usize, StoreError> {
    let Some(InstallRow { id, status, since }) = rows::install(transaction, fingerprint)? else {
        return Ok(0);
    };
    if status == CredentialStatus::Good && since > at {
        return Ok(0);
    }
    rows::set_status(transaction, &id, CredentialStatus::Uninstalled)?;
    token_pairs::remove(transaction, &id)?;
    let reached = ending::leave_grants(transaction, &id)?;
    let event = NewEvent {
        kind: EventKind::AppUninstalled,
        actor: None,
        subject: Some(id),
        detail: format!("{reached} locations are reached no more"),
    };
    events::write(transaction, event).map(|()| reached)
}

fn companies(transaction: &mut Transaction) -> Result<Vec<CompanyInstall>, StoreError> {
    let find = "SELECT id, company, owner FROM vault_credential
        WHERE kind = 'company' AND company IS NOT NULL AND status <> 'uninstalled' ORDER BY created_at, id";
    let rows = transaction.all(sqlx::query(find))?;
    let install = |row: &crate::store::StoredRow| {
        Ok(CompanyInstall {
            credential: row.text("id")?,
            company: row.text("company")?,
            owner: row.optional_text("owner")?,
        })
    };
    rows.iter().map(install).collect()
}

/// Whether a notice is new.
fn is_news(transaction: &mut Transaction, hash: &[u8]) -> Result<bool, StoreError> {
    let now = SteadyClock::now();
    let until = now.checked_add(NOTICE_KEPT).unwrap_or(now);
    let put = "INSERT INTO notice (hash, expires_at) VALUES ($1, $2) ON CONFLICT (hash) DO NOTHING";
    let put = sqlx::query(put).bind(hash.to_vec());
    Ok(transaction.run(put.bind(until.as_millisecond()))? > 0)
}

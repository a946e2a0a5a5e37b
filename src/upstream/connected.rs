//! Locations that people connected, as accounts that calls act for.

use std::sync::Arc;

use jiff::tz::TimeZone;
use secrecy::SecretString;

use crate::upstream::accounts::Account;
use crate::upstream::caller::Credential;
use crate::upstream::company::Installs;
use crate::upstream::configured_location::{ConfiguredLocation, StoredLocation};
use crate::upstream::tenant_id::TenantId;
use state::vault::{CredentialKind, CredentialStatus, VaultLocation};

/// The stored locations, each with its unsealed token. An unusable one is left out and does not affect the others.
pub(crate) fn accounts(
    rows: Vec<(VaultLocation, Option<SecretString>)>,
    installs: Option<&Installs>,
) -> Vec<Account> {
    let account = |(row, token): (VaultLocation, Option<SecretString>)| {
        let made = credential(&row, token.as_ref(), installs)
            .and_then(|credential| account(&row, credential));
        if made.is_none() {
            let (alias, status) = (row.alias, row.status.word());
            tracing::warn!(alias, status, "a connected location cannot be used");
        }
        made
    };
    rows.into_iter().filter_map(account).collect()
}

fn account(row: &VaultLocation, credential: Credential) -> Option<Account> {
    let zone = row.zone.as_deref();
    Some(Account {
        configured: Arc::new(ConfiguredLocation {
            alias: row.alias.clone(),
            name: row.name.clone(),
            location: TenantId::parse(&row.location)?,
            timezone: zone.and_then(|zone| TimeZone::get(zone).ok()),
            stored: Some(StoredLocation {
                id: row.id.clone(),
                credential: row.credential.clone(),
                owner: row.owner.clone(),
                is_refused: row.status == CredentialStatus::Refused,
                is_install: row.kind != CredentialKind::Pit,
            }),
            shadows: Vec::new(),
        }),
        credential,
        company: row.company.as_deref().and_then(TenantId::parse),
    })
}

fn credential(
    row: &VaultLocation,
    token: Option<&SecretString>,
    installs: Option<&Installs>,
) -> Option<Credential> {
    match row.kind {
        CredentialKind::Pit => token.and_then(Credential::from_secret),
        CredentialKind::Location | CredentialKind::Company => {
            installs?.credential(row).map(Credential::from)
        }
    }
}

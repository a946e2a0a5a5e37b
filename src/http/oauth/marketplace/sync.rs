//! Connects the locations of companies that installed the app: they appear by themselves.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::call::Pipeline;
use crate::upstream::TenantId;
use crate::upstream::company::Installs;
use state::vault::{CompanyInstall, InstalledLocation, MOST_AT_ONCE, Vault};

/// Most locations that wait to be looked at, of one company: HighLevel may tell of thousands within seconds.
const MOST_TOLD: usize = 2_000;

/// Locations that HighLevel told of, each with whether it named the company.
type ToldLocations = HashMap<String, bool>;

/// One look at each company at a time, whatever HighLevel tells meanwhile. Cheap to clone.
#[derive(Clone)]
pub(in crate::http::oauth) struct InstallSync {
    pipeline: Pipeline,
    installs: Installs,
    vault: Vault,
    /// By credential: what to look at next, while a look is under way.
    under_way: Arc<Mutex<HashMap<String, SyncQueue>>>,
}

/// What came while a look was under way.
struct SyncQueue {
    is_again: bool,
    told: ToldLocations,
}

impl InstallSync {
    pub(super) fn new(pipeline: &Pipeline, installs: &Installs, vault: &Vault) -> Self {
        Self {
            pipeline: pipeline.clone(),
            installs: installs.clone(),
            vault: vault.clone(),
            under_way: Arc::default(),
        }
    }

    /// Looks at every company, one after the other: what HighLevel told while no server ran is not told again.
    pub(in crate::http::oauth) async fn catch_up(&self) {
        match self.vault.companies().await {
            Ok(companies) => {
                for company in companies {
                    self.look(&company, ToldLocations::new(), false).await;
                }
            }
            Err(error) => tracing::warn!(%error, "installed locations were not looked at"),
        }
    }

    /// Looks at a company soon. `told`: a location that HighLevel told of, and whether it named this company.
    pub(in crate::http::oauth) fn start(
        &self,
        company: CompanyInstall,
        told: Option<(String, bool)>,
    ) {
        match self.under_way().entry(company.credential.clone()) {
            Entry::Occupied(mut queue) => {
                let queue = queue.get_mut();
                queue.is_again = true;
                if queue.told.len() < MOST_TOLD {
                    queue.told.extend(told);
                }
                return;
            }
            Entry::Vacant(place) => place.insert(SyncQueue {
                is_again: true,
                told: told.into_iter().collect(),
            }),
        };
        let sync = self.clone();
        tokio::spawn(async move {
            while let Some(told) = sync.next(&company.credential) {
                sync.look(&company, told, false).await;
            }
        });
    }

    /// Connects what the company has now, and with `comes_back` what was removed here, too.
    pub(super) async fn look(
        &self,
        company: &CompanyInstall,
        told: ToldLocations,
        comes_back: bool,
    ) {
        let Some(id) = TenantId::parse(&company.company) else {
            return;
        };
        let Some(known) = self.installs.of_company(&company.credential, &id) else {
            return;
        };
        let mut found = match self.pipeline.installed_locations(&known).await {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(
                    error,
                    company = company.company,
                    "HighLevel did not list where the app is installed"
                );
                Vec::new()
            }
        };
        for one in &mut found {
            one.comes_back = comes_back || told.contains_key(&one.location);
        }
        // The list may lag behind what was told.
        let is_listed = |location: &str| found.iter().any(|one| one.location == location);
        let unlisted: Vec<_> = told
            .into_iter()
            .filter(|(location, names_company)| *names_company && !is_listed(location))
            .map(|(location, _)| InstalledLocation {
                location,
                name: String::new(),
                zone: None,
                comes_back: true,
            })
            .collect();
        found.extend(unlisted);
        for part in found.chunks(MOST_AT_ONCE) {
            let owner = company.owner.as_deref();
            let put = self
                .vault
                .put_locations(&company.credential, owner, part.to_vec());
            if let Err(error) = put.await {
                tracing::warn!(%error, company = company.company, "installed locations were not connected");
                return;
            }
        }
    }

    /// What to look at next; `None` where nothing came meanwhile.
    fn next(&self, credential: &str) -> Option<ToldLocations> {
        let mut under_way = self.under_way();
        let queue = under_way.get_mut(credential)?;
        if !std::mem::take(&mut queue.is_again) {
            under_way.remove(credential);
            return None;
        }
        Some(std::mem::take(&mut queue.told))
    }

    fn under_way(&self) -> MutexGuard<'_, HashMap<String, SyncQueue>> {
        self.under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

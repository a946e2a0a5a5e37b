//! Connects the locations of companies that installed the app, without anybody's action.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::call::Pipeline;
use crate::upstream::TenantId;
use crate::upstream::company::Installs;
use state::vault::{CompanyInstall, InstalledLocation, MOST_AT_ONCE, Vault};

/// Most reported locations of one company that wait: HighLevel may report thousands within seconds.
const MOST_TOLD: usize = 2_000;

/// Locations that HighLevel reported, each with whether it named the company.
type ToldLocations = HashMap<String, bool>;

/// Synchronises one company at a time, whatever HighLevel reports meanwhile. Cheap to clone.
#[derive(Clone)]
pub(in crate::http::oauth) struct InstallSync {
    pipeline: Pipeline,
    installs: Installs,
    vault: Vault,
    /// By credential: the next work of each company that is being synchronised.
    under_way: Arc<Mutex<HashMap<String, SyncQueue>>>,
}

/// Reports that arrived during a synchronisation.
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

    /// Synchronises every company, one after the other: notices that came while no server ran are not sent again.
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

    /// Synchronises a company soon. `told`: a reported location, and whether it named this company.
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

    /// Connects the company's present locations; with `comes_back` also those that were removed here.
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
        // The list may be older than the reports.
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

    /// The next work; `None` if nothing was reported meanwhile.
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

//! What calls are held to beside the rules, and where they are written down: caps, audit, approvals, emergency stop.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use super::Snapshot;
use super::webhook::Webhook;
use crate::config::{AuditedArguments, Config};
use crate::upstream::Transport;
use policy::CapCounts;
use state::StoreError;
use state::approvals::Approvals;
use state::audit::Audit;
use state::identity::Identity;
use state::keys::Keys;
use state::pause::Pauses;

/// Everything that calls are held to. The default has no locations, no rules, and keeps nothing.
#[derive(Default)]
pub struct Controls {
    snapshot: RwLock<Arc<Snapshot>>,
    pub audit: Option<Audit>,
    pub approvals: Option<Approvals>,
    pub approvals_last: Duration,
    pub webhook: Option<Webhook>,
    pub identity: Identity,
    pub counts: CapCounts,
    pub pauses: Pauses,
    pub keys: Option<Keys>,
}

impl Controls {
    /// What the settings want. Fails with a sentence where a file of theirs is not usable.
    pub fn open(config: &Config, transport: &Transport) -> Result<Self, String> {
        let mut controls = Self {
            snapshot: RwLock::new(Snapshot::read(config, &transport.oauth())?),
            ..Self::default()
        };
        let folder = match config.state.folder() {
            Ok(folder) => folder,
            Err(_) if !config.audit.enabled => return Ok(controls),
            Err(error) => {
                return Err(format!(
                    "{error}; or set audit.enabled to false, and nothing is written down"
                ));
            }
        };
        let sentence = |error: StoreError| error.to_string();
        if config.audit.enabled {
            let full = config.audit.arguments == AuditedArguments::Full;
            let audit = Audit::open(&folder, config.audit.keep_days, full);
            controls.audit = Some(audit.map_err(sentence)?);
        }
        if !config.approvals.webhook.is_empty() {
            let webhook =
                Webhook::new(&config.approvals.webhook, transport.upstream().http.clone())?;
            controls.webhook = Some(webhook);
        }
        let approvals = Approvals::open(&folder).map_err(sentence)?;
        let most = config.approvals.max_pending_per_caller;
        controls.approvals = Some(approvals.with_most_pending(most));
        let minutes = u64::from(config.approvals.expire_minutes);
        controls.approvals_last = Duration::from_secs(minutes * 60);
        controls.identity = Identity::open(&folder).map_err(sentence)?;
        controls.pauses = Pauses::open(&folder).map_err(sentence)?;
        controls.keys = Some(Keys::open(&folder).map_err(sentence)?);
        Ok(controls)
    }

    /// The locations and rules of this moment.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        let snapshot = self.snapshot.read();
        Arc::clone(&snapshot.unwrap_or_else(PoisonError::into_inner))
    }

    /// From now on calls are judged by `snapshot`, and so is what is yet to be sent of batches under way.
    pub fn replace_snapshot(&self, snapshot: Arc<Snapshot>) {
        let current = self.snapshot.write();
        *current.unwrap_or_else(PoisonError::into_inner) = snapshot;
    }
}

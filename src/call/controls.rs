//! Everything besides the rules that limits and records calls: the store, audit, approvals, emergency
//! stop.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use secrecy::SecretString;

use super::approval::Waiters;
use super::{ApprovalWebhooks, GrantControls, Snapshot};
use crate::config::{AuditedArguments, Config, ConfigError, read_text};
use crate::upstream::Transport;
use crate::upstream::accounts::Account;
use state::approvals::Approvals;
use state::audit::Audit;
use state::instances::InstanceNote;
use state::keys::Keys;
use state::pause::Pauses;
use state::rule_sections::{RuleSection, RuleSections};
use state::usage::Usage;
use state::{CopiedTables, SANDBOX, Store, StoreError, StoreOptions, network_file_system};

/// Everything that limits and records calls.
pub struct Controls {
    snapshot: RwLock<Arc<Snapshot>>,
    pub store: Store,
    pub audit: Auditing,
    /// None if they would be lost with the process.
    pub approvals: Option<Approvals>,
    pub approvals_last: Duration,
    /// How long a call waits for a person before its client is told to come back.
    pub approvals_wait: Duration,
    pub waiters: Waiters,
    /// Receivers of messages about waiting calls.
    pub webhooks: ApprovalWebhooks,
    pub pauses: Pauses,
    pub keys: Keys,
    pub rule_sections: RuleSections,
    /// None if the settings turn it off, or nothing outlives the process.
    pub usage: Option<Usage>,
    /// None if nobody signs in.
    pub sign_in: Option<GrantControls>,
}

/// Whether calls that change something are recorded.
pub enum Auditing {
    On(Audit),
    /// The settings turn it off.
    Off,
    /// The settings ask for it, but there is no durable store.
    Impossible,
}

impl Controls {
    /// Opens the controls of the settings. Fails with a sentence if one of their files is not
    /// usable.
    pub fn open(config: &Config, transport: &Transport) -> Result<Self, String> {
        let store = open_store(config)?;
        transport.name_by(store.identity().clone());
        let sentence = |error: StoreError| error.to_string();
        let oauth = transport.oauth();
        let sign_in = GrantControls::open(config, &oauth, &store)?;
        let snapshot = Snapshot::read(config, &oauth, &store, sign_in.as_ref())?;
        // A sandbox affects nobody.
        let may_audit = store.is_durable() || config.upstream.simulated;
        let audit = match config.audit.enabled {
            false => Auditing::Off,
            true if !may_audit => Auditing::Impossible,
            true => {
                let full = config.audit.arguments == AuditedArguments::Full;
                let audit = Audit::new(&store, config.audit.keep_days, full);
                Auditing::On(audit.map_err(sentence)?)
            }
        };
        let most = config.approvals.max_pending_per_caller;
        let approvals = store
            .is_durable()
            .then(|| Approvals::new(&store).with_most_pending(most));
        let minutes = u64::from(config.approvals.expire_minutes);
        Ok(Self {
            snapshot: RwLock::new(snapshot),
            audit,
            approvals,
            approvals_last: Duration::from_secs(minutes * 60),
            approvals_wait: Duration::from_millis(config.approvals.wait_ms),
            waiters: Waiters::default(),
            webhooks: ApprovalWebhooks::open(config)?,
            pauses: Pauses::new(&store),
            keys: Keys::new(&store),
            rule_sections: RuleSections::new(&store),
            usage: Usage::new(&store, config.usage.keep_days),
            sign_in,
            store,
        })
    }

    /// Without locations, rules or durable records.
    pub fn in_memory() -> Result<Self, String> {
        let store = Store::in_memory().map_err(|error| error.to_string())?;
        Ok(Self {
            snapshot: RwLock::default(),
            audit: Auditing::Off,
            approvals: None,
            approvals_last: Duration::default(),
            approvals_wait: Duration::default(),
            waiters: Waiters::default(),
            webhooks: ApprovalWebhooks::default(),
            pauses: Pauses::new(&store),
            keys: Keys::new(&store),
            rule_sections: RuleSections::new(&store),
            usage: None,
            sign_in: None,
            store,
        })
    }

    /// Registers this process among the servers on the database. It reads its own facts again at each call. Blocks on a
    /// file.
    pub fn join(&self, config: &Config) {
        // The start fails elsewhere if rules cannot be read.
        let rules = read_text(&config.policy.file).unwrap_or_default();
        self.store.join(InstanceNote {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            rules: state::sha256(&rules),
        });
    }

    /// The locations and rules of this moment.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        let snapshot = self.snapshot.read();
        Arc::clone(&snapshot.unwrap_or_else(PoisonError::into_inner))
    }

    /// From now on calls are judged by `snapshot`. This includes the remaining items of running batches.
    pub fn replace_snapshot(&self, snapshot: Arc<Snapshot>) {
        let current = self.snapshot.write();
        *current.unwrap_or_else(PoisonError::into_inner) = snapshot;
    }

    /// The same, with these in place of the connected locations, whatever else changes meanwhile.
    pub fn replace_connected(&self, connected: Vec<Account>) {
        let current = self.snapshot.write();
        let mut current = current.unwrap_or_else(PoisonError::into_inner);
        *current = Arc::new(current.with_connected(connected));
    }

    /// The same, with these in place of the stored sections of rules.
    pub fn replace_stored_rules(&self, sections: &[RuleSection]) {
        let current = self.snapshot.write();
        let mut current = current.unwrap_or_else(PoisonError::into_inner);
        if let Some(changed) = current.with_stored_rules(sections) {
            *current = Arc::new(changed);
        }
    }
}

/// The path of the store's file, if neither that nor files of an earlier version exist.
pub fn missing_store(config: &Config) -> Result<Option<PathBuf>, ConfigError> {
    if config.database()?.is_some() {
        return Ok(None);
    }
    let name = config.state_name();
    let folder = config.state.folder()?;
    Ok(folder.and_then(|folder| state::missing_file(&folder, name.as_deref().unwrap_or(SANDBOX))))
}

/// Whether a durable store exists. Does not create it.
pub fn has_store(config: &Config) -> Result<bool, ConfigError> {
    Ok(config.keeps_state()? && missing_store(config)?.is_none())
}

/// Replaces the durable store by a backup. Returns the new path of the old store, if there was one.
pub fn restore_store(config: &Config, backup: &Path) -> Result<Option<PathBuf>, String> {
    with_options(config, |options| Store::restore(options, backup))
}

/// Copies the durable store from the file into the database at `url`.
pub fn copy_store(config: &Config, url: &SecretString) -> Result<CopiedTables, String> {
    with_options(config, |options| Store::copy(options, url))
}

/// The store of the upstream that the settings name; in memory if they name no folder.
pub fn open_store(config: &Config) -> Result<Store, String> {
    let store = with_options(config, Store::open)?;
    if let Some(imported) = store.imported() {
        tracing::info!("{imported}");
    }
    let folder = store.path().and_then(Path::parent);
    if let Some(kind) = folder.and_then(network_file_system) {
        tracing::warn!(
            "the state folder is on {kind}, whose locks are not reliable: two processes may break its file. Give a \
             state.folder on a disk of this machine"
        );
    }
    Ok(store)
}

/// Waits for the database that the settings name, if they name one, as long as they say.
pub fn wait_for_database(config: &Config) -> Result<(), String> {
    let longest = Duration::from_millis(config.state.start_wait_ms);
    let url = config.database().map_err(|error| error.to_string())?;
    let Some(url) = url.filter(|_| !longest.is_zero()) else {
        return Ok(());
    };
    let waited = Store::wait_for_database(&url, longest);
    waited.map_err(|error| match error.is_away() {
        true => format!(
            "{error}. It is named by state.url, and the server waited {} s for it (state.start_wait_ms)",
            longest.as_secs_f32()
        ),
        false => format!("{error}. It is named by state.url"),
    })
}

/// Does it with where the settings have the store.
fn with_options<T>(
    config: &Config,
    act: impl FnOnce(&StoreOptions) -> Result<T, StoreError>,
) -> Result<T, String> {
    let sentence = |error: ConfigError| error.to_string();
    let folder = config.state.folder().map_err(sentence)?;
    let keys = config.state.keys.iter().map(|key| config.secret(key));
    let keys: Result<Vec<SecretString>, ConfigError> = keys.collect();
    let file = Some(config.audit.file.as_path()).filter(|file| !file.as_os_str().is_empty());
    let url = config.database().map_err(sentence)?;
    let done = act(&StoreOptions {
        folder: folder.as_deref(),
        url: url.as_ref(),
        outage_reads: Duration::from_millis(config.state.outage_reads_ms),
        upstream: config.state_name().as_deref().unwrap_or(SANDBOX),
        keys: &keys.map_err(sentence)?,
        audit_file: file,
    });
    done.map_err(|error| match (error.is_storage(), url.is_some()) {
        (true, true) => format!("{error}. It is named by state.url"),
        (true, false) if folder.is_some() => format!(
            "{error}. Or give another folder: state.folder, HIGHLEVEL_MCP_STATE_FOLDER or --state; `--state none` is enough for \
             reads"
        ),
        _ => error.to_string(),
    })
}

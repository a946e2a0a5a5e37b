//! Opens a store, takes over earlier files, and starts the removal of expired rows.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::StoreError;
use crate::approvals;
use crate::audit::{self, AuditFile, Retention};
use crate::calls;
use crate::clients;
use crate::customers;
use crate::events;
use crate::flows;
use crate::folder::StateFolder;
use crate::grants;
use crate::import::{has_old_files, take_over};
use crate::instances;
use crate::links;
use crate::people;
use crate::prepared;
use crate::sessions;
use crate::store::{Housekeeping, Store, StoreHooks, StoreOptions, Transaction, file_name};
use crate::stranger_reads;
use crate::token_facts;
use crate::token_pairs;
use crate::usage;
use crate::vault;

/// The upstream whose state has no files of an earlier version.
pub const SANDBOX: &str = "sandbox";

/// The interval of the sweeps.
const SWEEP: Duration = Duration::from_secs(60);

/// The sweeping beside other writes.
struct Sweeping {
    housekeeping: Arc<Housekeeping>,
    last: Option<Instant>,
    retention: Retention,
}

/// The path of the store's file in a folder, if neither that nor files of an earlier version exist.
pub fn missing_file(folder: &Path, upstream: &str) -> Option<PathBuf> {
    let path = folder.join(file_name(upstream));
    (!path.exists() && !has_old_files(folder)).then_some(path)
}

impl Store {
    /// Opens or creates the file, updates its tables, and takes over files of an earlier version. Blocks.
    pub fn open(options: &StoreOptions) -> Result<Self, StoreError> {
        // In a separate thread: the caller's may belong to a runtime, which cannot wait for another.
        let opened = thread::scope(|scope| scope.spawn(|| open_here(options)).join());
        opened.unwrap_or_else(|_| {
            Err(StoreError::storage(
                "the store was not opened: its thread broke off".to_owned(),
            ))
        })
    }

    /// A store that is lost with the process.
    pub fn in_memory() -> Result<Self, StoreError> {
        Self::open(&StoreOptions {
            folder: None,
            url: None,
            outage_reads: Duration::ZERO,
            upstream: "memory",
            keys: &[],
            audit_file: None,
        })
    }
}

fn open_here(options: &StoreOptions) -> Result<Store, StoreError> {
    let housekeeping = Arc::new(Housekeeping::new()?);
    let mut sweeping = Sweeping {
        housekeeping: Arc::clone(&housekeeping),
        last: None,
        retention: Retention::default(),
    };
    let counted = Arc::clone(&housekeeping);
    let hooks = StoreHooks {
        housekeeping,
        finish: Box::new(move |transaction| counted.usage().write_rest(transaction)),
        tidy: Box::new(move |transaction| sweeping.sweep(transaction)),
        announce: options.audit_file.map(|path| {
            let mut file = AuditFile::new(path);
            Box::new(move |lines: &[String]| file.append(lines)) as _
        }),
    };
    let (store, old) = Store::start(options, hooks, |transaction, ring, folder| match folder {
        Some(folder) if options.upstream != SANDBOX && options.url.is_none() => {
            take_over(transaction, folder, ring)
        }
        _ => Ok(None),
    })?;
    if let (Some(old), Some(folder)) = (old, options.folder)
        && let Some(sentence) = old.finish(&StateFolder::open(folder)?)?
    {
        store.set_imported(sentence);
    }
    token_pairs::put_back(&store);
    Ok(store)
}

impl Sweeping {
    fn sweep(&mut self, transaction: &mut Transaction) -> Result<(), StoreError> {
        calls::keep_alive(transaction, &self.housekeeping.under_way())?;
        approvals::keep_alive(transaction, &self.housekeeping.approved())?;
        self.housekeeping.membership.beat(transaction)?;
        self.housekeeping.usage().write_due(transaction)?;
        let now = Instant::now();
        if self
            .last
            .is_some_and(|last| now.duration_since(last) < SWEEP)
        {
            return Ok(());
        }
        self.last = Some(now);
        instances::sweep(transaction)?;
        prepared::sweep(transaction)?;
        stranger_reads::sweep(transaction)?;
        token_facts::sweep(transaction)?;
        sessions::sweep(transaction)?;
        links::sweep(transaction)?;
        let usage_days = self.housekeeping.usage_days();
        customers::sweep(transaction, usage_days)?;
        people::sweep(transaction)?;
        flows::sweep(transaction)?;
        vault::sweep(transaction)?;
        grants::sweep(transaction)?;
        clients::sweep(transaction)?;
        let has_room = calls::sweep(transaction)?;
        self.housekeeping.set_full(!has_room);
        let first = match self.housekeeping.keep_days() {
            0 => None,
            days => self
                .retention
                .remove_old(transaction, days, audit::today(), now)?,
        };
        events::sweep(transaction, first)?;
        if let Some(days) = usage_days {
            let today = audit::today();
            let last = self.retention.believed_day(transaction, today, now)?;
            usage::sweep(transaction, last, days)?;
        }
        Ok(())
    }
}

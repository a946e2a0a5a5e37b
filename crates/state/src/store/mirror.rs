//! What every call asks for, as this process knows it: in memory, read again when rows have changed.

use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};

use super::rows::Transaction;
use super::schema;
use crate::StoreError;

/// Rows in the form that lookups want. To look at it reads none.
pub(crate) struct Mirror<V> {
    load: fn(&mut Transaction) -> Result<V, StoreError>,
    /// What follows where they cannot be read, for the log.
    trouble: &'static str,
    value: RwLock<Arc<Result<V, StoreError>>>,
    /// Held while rows are read, so that an older reading never takes the place of a newer one.
    reading: Mutex<()>,
}

/// All mirrors of a store, and the revision of rows that they show.
#[derive(Default)]
pub(super) struct Mirrors {
    revision: Mutex<Option<i64>>,
    all: Mutex<Vec<Weak<dyn Reload>>>,
}

/// A mirror, whatever it shows.
trait Reload: Send + Sync {
    fn reload(&self, transaction: &mut Transaction) -> bool;
    fn fail(&self, error: StoreError);
}

impl<V: Send + Sync + 'static> Mirror<V> {
    pub(crate) fn value(&self) -> Arc<Result<V, StoreError>> {
        Arc::clone(&self.value.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn put(&self, value: Result<V, StoreError>) {
        if let Err(error) = &value
            && self.value().as_ref().as_ref().err() != Some(error)
        {
            tracing::error!(%error, "{}", self.trouble);
        }
        *self.value.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(value);
    }
}

impl<V: Send + Sync + 'static> Reload for Mirror<V> {
    /// Whether it shows what there is.
    fn reload(&self, transaction: &mut Transaction) -> bool {
        let _reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        let value = (self.load)(transaction);
        let is_read = value.is_ok();
        self.put(value);
        is_read
    }

    fn fail(&self, error: StoreError) {
        let _reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        self.put(Err(error));
    }
}

impl Mirrors {
    /// A mirror that is kept for as long as somebody has it; it shows `empty` until `refresh` comes by.
    pub(super) fn add<V: Send + Sync + 'static>(
        &self,
        empty: V,
        load: fn(&mut Transaction) -> Result<V, StoreError>,
        trouble: &'static str,
    ) -> Arc<Mirror<V>> {
        let mirror = Arc::new(Mirror {
            load,
            trouble,
            value: RwLock::new(Arc::new(Ok(empty))),
            reading: Mutex::default(),
        });
        let weak: Weak<dyn Reload> = Arc::downgrade(&mirror) as Weak<Mirror<V>>;
        // Read again, this one for the first time.
        let mut revision = self.revision.lock().unwrap_or_else(PoisonError::into_inner);
        *revision = None;
        self.all
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(weak);
        mirror
    }

    /// Reads again what has changed since the last time.
    pub(super) fn refresh(&self, transaction: &mut Transaction) {
        let mut known = self.revision.lock().unwrap_or_else(PoisonError::into_inner);
        match schema::revision(transaction) {
            Ok(revision) if *known == Some(revision) => {}
            Ok(revision) => {
                let mirrors = self.living();
                let unread = mirrors.iter().filter(|mirror| !mirror.reload(transaction));
                let shown = unread.count() == 0;
                // What could not be read is tried again next time.
                *known = shown.then_some(revision);
            }
            Err(error) => {
                *known = None;
                self.tell(&error);
            }
        }
    }

    /// Until they can be read again.
    pub(super) fn fail(&self, error: &StoreError) {
        *self.revision.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.tell(error);
    }

    fn tell(&self, error: &StoreError) {
        for mirror in self.living() {
            mirror.fail(error.clone());
        }
    }

    fn living(&self) -> Vec<Arc<dyn Reload>> {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|mirror| mirror.strong_count() > 0);
        all.iter().filter_map(Weak::upgrade).collect()
    }
}

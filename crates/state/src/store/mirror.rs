//! Rows that every call needs, mirrored in memory and read again when they change.

use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::time::{Duration, Instant};

use super::rows::Transaction;
use super::schema;
use crate::StoreError;

/// Rows in the form for look-ups. Looking at it reads no rows.
pub(crate) struct Mirror<V> {
    load: fn(&mut Transaction) -> Result<V, StoreError>,
    /// The consequence if they cannot be read, for the log.
    trouble: &'static str,
    value: RwLock<Arc<Result<V, StoreError>>>,
    /// Held while rows are read, so that an older read never replaces a newer one.
    reading: Mutex<()>,
}

/// All mirrors of a store, with the revision of rows that they show.
#[derive(Default)]
pub(super) struct Mirrors {
    revision: Mutex<Option<i64>>,
    all: Mutex<Vec<Weak<dyn Reload>>>,
    /// How long they keep showing the last state if rows cannot be read.
    patience: Duration,
    /// The time when the revision was last read.
    read: Mutex<Option<Instant>>,
}

/// A mirror of any content.
trait Reload: Send + Sync {
    /// Reads it again. Returns whether it shows the present rows. If these cannot be read, it reports so, or keeps
    /// showing the last state.
    fn reload(&self, transaction: &mut Transaction, goes_on: bool) -> bool;
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
    fn reload(&self, transaction: &mut Transaction, goes_on: bool) -> bool {
        let _reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        let value = (self.load)(transaction);
        let is_read = value.is_ok();
        if is_read || !goes_on {
            self.put(value);
        }
        is_read
    }

    fn fail(&self, error: StoreError) {
        let _reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        self.put(Err(error));
    }
}

impl Mirrors {
    pub(super) fn new(patience: Duration) -> Self {
        Self {
            patience,
            ..Self::default()
        }
    }

    /// A mirror that exists as long as somebody holds it. It shows `empty` until the next `refresh`.
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
        // Reads all mirrors again, this one for the first time.
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
            Ok(revision) if *known == Some(revision) => self.note_read(),
            Ok(revision) => {
                let (mirrors, goes_on) = (self.living(), self.is_lately_read());
                let unread = mirrors
                    .iter()
                    .filter(|mirror| !mirror.reload(transaction, goes_on));
                let shown = unread.count() == 0;
                if shown {
                    self.note_read();
                }
                // A failed read is repeated next time.
                *known = shown.then_some(revision);
            }
            Err(error) => {
                if !self.is_lately_read() {
                    *known = None;
                    self.tell(&error);
                }
            }
        }
    }

    /// Marks mirrors as failed until rows can be read again, but not before the last read is too old.
    pub(super) fn fail(&self, error: &StoreError) {
        if self.is_lately_read() {
            return;
        }
        *self.revision.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.tell(error);
    }

    fn note_read(&self) {
        *self.read.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    fn is_lately_read(&self) -> bool {
        let read = *self.read.lock().unwrap_or_else(PoisonError::into_inner);
        read.is_some_and(|read| read.elapsed() < self.patience)
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

//! Files that other processes change, as this one knows them: kept in memory, read again by one thread.

use std::sync::{Arc, Mutex, Once, PoisonError, RwLock, Weak};
use std::thread::{self, sleep};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::StoreError;
use super::clock::SteadyClock;
use super::json_file::{JsonFile, Stamp};

/// How often the thread looks: a change is known within twice that.
const INTERVAL: Duration = Duration::from_millis(100);

/// What a file holds, in the form `V` that lookups want. To look at it touches no file.
pub struct FileMirror<T, V> {
    file: JsonFile<T>,
    index: fn(T) -> V,
    /// What follows from a file that cannot be read, for the log.
    trouble: &'static str,
    /// Held while the file is read, so that an older reading never takes the place of a newer one.
    stamp: Mutex<Stamp>,
    value: RwLock<Arc<Result<V, StoreError>>>,
}

/// What the thread looks at.
trait Refresh: Send + Sync {
    fn refresh(&self);
}

static MIRRORS: Mutex<Vec<Weak<dyn Refresh>>> = Mutex::new(Vec::new());

impl<T, V> FileMirror<T, V>
where
    T: Serialize + DeserializeOwned + Default + 'static,
    V: Send + Sync + 'static,
{
    /// Reads the file; nobody reads it again before `watch` is called.
    pub fn open(file: JsonFile<T>, index: fn(T) -> V, trouble: &'static str) -> Arc<Self> {
        let mirror = Self {
            file,
            index,
            trouble,
            stamp: Mutex::new(Stamp::default()),
            value: RwLock::new(Arc::new(Ok(index(T::default())))),
        };
        mirror.refresh();
        Arc::new(mirror)
    }

    /// From now on the process's thread reads the file again when it has changed, as long as `mirror` lives.
    pub fn watch(mirror: &Arc<Self>) -> Result<(), StoreError> {
        let weak = Arc::downgrade(mirror);
        MIRRORS
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(weak);
        start()
    }

    pub fn value(&self) -> Arc<Result<V, StoreError>> {
        Arc::clone(&self.value.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// What the file holds at this moment; blocks.
    pub fn read(&self) -> Result<T, StoreError> {
        self.file.read()
    }

    /// Changes the file; blocks. This process knows the change at once.
    pub fn change<R>(
        &self,
        change: impl FnOnce(&mut T) -> Result<R, StoreError>,
    ) -> Result<R, StoreError> {
        let done = self.file.change(change);
        self.refresh();
        refresh_all();
        done
    }

    /// Reads the file where it is another than last time.
    pub fn refresh(&self) {
        let mut stamp = self.stamp.lock().unwrap_or_else(PoisonError::into_inner);
        let value = match self.file.changed(*stamp) {
            Ok(None) => return,
            Ok(Some(reading)) => {
                *stamp = reading.stamp;
                reading.value
            }
            Err(error) => {
                // Asked again next time: it may be that too many files were open.
                *stamp = Stamp::default();
                Err(error)
            }
        };
        if let Err(error) = &value
            && self.value().as_ref().as_ref().err() != Some(error)
        {
            tracing::error!(%error, "{}", self.trouble);
        }
        let value = Arc::new(value.map(self.index));
        *self.value.write().unwrap_or_else(PoisonError::into_inner) = value;
    }
}

impl<T, V> Refresh for FileMirror<T, V>
where
    T: Serialize + DeserializeOwned + Default + 'static,
    V: Send + Sync + 'static,
{
    fn refresh(&self) {
        Self::refresh(self);
    }
}

fn start() -> Result<(), StoreError> {
    static START: Once = Once::new();
    let mut started = Ok(());
    START.call_once(|| {
        let thread = thread::Builder::new().name("state".to_owned());
        let spawned = thread.spawn(|| {
            loop {
                sleep(INTERVAL);
                // A clock that nobody reads would notice a jump only when it is asked.
                SteadyClock::now();
                refresh_all();
            }
        });
        started = spawned.map(drop).map_err(|error| {
            StoreError::from(format!(
                "no thread can be started that watches the state folder: {error}; raise the limit on threads"
            ))
        });
    });
    started
}

fn refresh_all() {
    let mirrors: Vec<Arc<dyn Refresh>> = {
        let mut mirrors = MIRRORS.lock().unwrap_or_else(PoisonError::into_inner);
        mirrors.retain(|mirror| mirror.strong_count() > 0);
        mirrors.iter().filter_map(Weak::upgrade).collect()
    };
    for mirror in mirrors {
        mirror.refresh();
    }
}

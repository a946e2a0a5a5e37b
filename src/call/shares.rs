//! The share of each caller: slots for its calls, and bytes in flight.
//!
//! An entry lives as long as somebody holds a share of it, so that there are no more entries than connections.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::PrincipalId;
use crate::budget::{Budget, Charge, Full};
use crate::config;
use crate::upstream::standing::NEW_CALLS;

/// Places and bytes of the whole process, and what each caller has of them. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Shares(Arc<SharesInner>);

struct SharesInner {
    whole: Budget,
    places: Arc<Semaphore>,
    /// For tokens that HighLevel has not answered yet: the other half is always there for everybody else.
    newcomers: Arc<Semaphore>,
    most_places: usize,
    calls_per_caller: usize,
    bytes_per_caller: usize,
    longest_wait: Duration,
    entries: Mutex<HashMap<Holder, ShareEntry>>,
}

/// Whom an entry is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Holder {
    Caller(PrincipalId),
    /// Of callers that nobody vouches for yet; `None`: all of them.
    Address(Option<IpAddr>),
}

struct ShareEntry {
    allowance: Arc<Allowance>,
    shares: usize,
}

/// What one holder has.
struct Allowance {
    budget: Budget,
    places: Arc<Semaphore>,
    most_places: usize,
    /// Calls of tokens that HighLevel has not answered yet.
    newcomers: Arc<Semaphore>,
}

/// A part in what one caller, or one address, may hold. While there is one, the others count with it.
pub(crate) struct Share {
    shares: Shares,
    holder: Holder,
    allowance: Arc<Allowance>,
}

/// Bytes that a share holds; given back when dropped.
pub(crate) struct ByteLoan {
    charge: Charge,
    _share: Arc<Share>,
}

/// A call's right to run. Every clone is the same place, which is free when the last one is dropped.
#[derive(Clone)]
pub struct CallPlace(Arc<CallPlaceInner>);

struct CallPlaceInner {
    /// Before the shares, whose entries may go with them.
    permits: Mutex<Option<Permits>>,
    share: Arc<Share>,
    /// Where a newcomer comes from.
    address: Option<Share>,
}

/// In the order in which they are taken, which is the same for all, so that nobody waits for one who waits.
struct Permits {
    _newcomer: Option<[OwnedSemaphorePermit; 3]>,
    _own: OwnedSemaphorePermit,
    _whole: OwnedSemaphorePermit,
}

/// Why a call has no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Busy {
    #[error(
        "You have more calls under way than one caller may have; come back when some are done."
    )]
    Caller,
    #[error("The server has more calls than it carries; come back in a second.")]
    Server,
    #[error(
        "Calls of a token that HighLevel has not answered yet run a few at a time, and these took long; come back in a second."
    )]
    Newcomer,
}

/// Calls at once of all tokens from one address that HighLevel has not answered yet. Those beyond wait in line.
const NEWCOMER_CALLS_PER_ADDRESS: usize = 64;

/// Calls of a caller at once that step back for nobody.
const FEW_CALLS: usize = 4;

/// Bytes that callers from one address hold before HighLevel answered them: sixteen of the largest requests.
const BYTES_PER_ADDRESS: usize = 4 << 20;

/// The largest request of a token that HighLevel has not answered yet.
pub(crate) const MOST_NEWCOMER_BYTES: usize = 256 << 10;

impl Shares {
    /// `longest_wait`: of a newcomer's call in line.
    pub(crate) fn new(settings: &config::ServerSettings, longest_wait: Duration) -> Self {
        let places = |most: usize| Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS)));
        Self(Arc::new(SharesInner {
            most_places: settings.max_calls.min(Semaphore::MAX_PERMITS),
            whole: Budget::new(settings.max_bytes_in_flight),
            places: places(settings.max_calls),
            newcomers: places(settings.max_calls.div_ceil(2)),
            calls_per_caller: settings.max_calls_per_caller,
            bytes_per_caller: settings.max_bytes_per_caller,
            longest_wait,
            entries: Mutex::default(),
        }))
    }

    /// Bytes of the whole process.
    #[cfg(test)]
    pub(crate) fn budget(&self) -> &Budget {
        &self.0.whole
    }

    /// The part of a caller that the server or HighLevel knows.
    pub(crate) fn caller(&self, id: &PrincipalId) -> Share {
        self.share(Holder::Caller(id.clone()))
    }

    /// The part of those who come from `address` and are known to nobody; `None`: from anywhere.
    pub(crate) fn address(&self, address: Option<IpAddr>) -> Share {
        self.share(Holder::Address(address))
    }

    /// A place for one call. Who has too many is refused at once; a newcomer from `address` waits in line for a while.
    pub(crate) async fn enter(
        &self,
        id: &PrincipalId,
        newcomer: Option<Option<IpAddr>>,
    ) -> Result<CallPlace, Busy> {
        let place = CallPlaceInner {
            share: Arc::new(self.caller(id)),
            address: newcomer.map(|address| self.address(address)),
            permits: Mutex::default(),
        };
        let permits = match &place.address {
            None => None,
            Some(_) => {
                let line = timeout(self.0.longest_wait, place.newcomer_permits()).await;
                line.map_err(|_| Busy::Newcomer)?
            }
        };
        let own = &place.share.allowance.places;
        let own = Arc::clone(own).try_acquire_owned();
        let own = own.map_err(|_| Busy::Caller)?;
        let whole = Arc::clone(&self.0.places).try_acquire_owned();
        *place.permits() = Some(Permits {
            _newcomer: permits,
            _own: own,
            _whole: whole.map_err(|_| Busy::Server)?,
        });
        Ok(CallPlace(Arc::new(place)))
    }

    fn share(&self, holder: Holder) -> Share {
        let mut entries = self.entries();
        let entry = entries.entry(holder.clone()).or_insert_with(|| ShareEntry {
            allowance: Arc::new(self.allowance(&holder)),
            shares: 0,
        });
        entry.shares += 1;
        Share {
            shares: self.clone(),
            allowance: Arc::clone(&entry.allowance),
            holder,
        }
    }

    fn allowance(&self, holder: &Holder) -> Allowance {
        let inner = &self.0;
        let (bytes, newcomers) = match holder {
            Holder::Caller(_) => (inner.bytes_per_caller, NEW_CALLS),
            Holder::Address(Some(_)) => (
                BYTES_PER_ADDRESS.min(inner.bytes_per_caller),
                NEWCOMER_CALLS_PER_ADDRESS,
            ),
            // All clients of a proxy that tells nobody apart.
            Holder::Address(None) => (inner.bytes_per_caller, Semaphore::MAX_PERMITS),
        };
        // The operator's own programs share one entry, and need no protection from each other.
        let places = match holder {
            Holder::Caller(PrincipalId::Server | PrincipalId::Local) => Semaphore::MAX_PERMITS,
            _ => inner.calls_per_caller.min(Semaphore::MAX_PERMITS),
        };
        Allowance {
            budget: inner.whole.share(bytes),
            places: Arc::new(Semaphore::new(places)),
            most_places: places,
            newcomers: Arc::new(Semaphore::new(newcomers)),
        }
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<Holder, ShareEntry>> {
        self.0
            .entries
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Allowance {
    fn used_places(&self) -> usize {
        self.most_places - self.places.available_permits()
    }
}

impl Share {
    /// Nothing yet; it grows as bytes come.
    pub(crate) fn loan(self: &Arc<Self>) -> ByteLoan {
        ByteLoan {
            charge: self.allowance.budget.charge(),
            _share: Arc::clone(self),
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut entries = self.shares.entries();
        if let Some(entry) = entries.get_mut(&self.holder) {
            entry.shares -= 1;
            if entry.shares == 0 {
                entries.remove(&self.holder);
            }
        }
    }
}

impl ByteLoan {
    /// Holds `bytes` more.
    pub(crate) fn grow(&mut self, bytes: usize) -> Result<(), Full> {
        self.charge.grow(bytes)
    }

    /// Holds `bytes` fewer.
    pub(crate) fn shrink(&mut self, bytes: usize) {
        self.charge.shrink(bytes);
    }

    pub(crate) fn bytes(&self) -> usize {
        self.charge.bytes()
    }
}

impl CallPlace {
    /// Bytes of the caller, for what is made and gathered during the call. The place must outlive their use.
    pub fn budget(&self) -> Budget {
        self.0.share.allowance.budget.clone()
    }

    /// Whether its caller has more than a few calls under way, while others have some, too.
    pub fn is_one_of_many(&self) -> bool {
        let inner = &self.0.share.shares.0;
        let own = self.0.share.allowance.used_places();
        own > FEW_CALLS && inner.most_places - inner.places.available_permits() > own
    }

    /// Gives the place to others, for as long as the call only waits.
    pub fn suspend(&self) {
        drop(self.0.permits().take());
    }

    /// Waits for a place again, before those who come new; at once where the call has its place still.
    pub async fn resume(&self) {
        if self.0.permits().is_some() {
            return;
        }
        let newcomer = match &self.0.address {
            None => None,
            Some(_) => self.0.newcomer_permits().await,
        };
        let shares = &self.0.share.shares;
        let own = Arc::clone(&self.0.share.allowance.places).acquire_owned();
        let own = own.await;
        let whole = Arc::clone(&shares.0.places).acquire_owned().await;
        // Nobody closes them.
        if let (Ok(own), Ok(whole)) = (own, whole) {
            *self.0.permits() = Some(Permits {
                _newcomer: newcomer,
                _own: own,
                _whole: whole,
            });
        }
    }
}

impl CallPlaceInner {
    fn permits(&self) -> MutexGuard<'_, Option<Permits>> {
        self.permits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stands in line for its token, for its address and for all newcomers, one after the other.
    async fn newcomer_permits(&self) -> Option<[OwnedSemaphorePermit; 3]> {
        let address = self.address.as_ref()?;
        let token = Arc::clone(&self.share.allowance.newcomers).acquire_owned();
        let token = token.await.ok()?;
        let here = Arc::clone(&address.allowance.newcomers).acquire_owned();
        let here = here.await.ok()?;
        let all = Arc::clone(&self.share.shares.0.newcomers).acquire_owned();
        Some([token, here, all.await.ok()?])
    }
}

#[cfg(test)]
mod tests;

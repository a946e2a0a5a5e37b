//! Bytes in flight: one budget for the process and a share of it for each caller, charged as bytes are read.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A limit on the bytes that may be held at once. Cheap to clone: every clone is the same budget.
#[derive(Clone, Debug)]
pub struct Budget(Arc<BudgetInner>);

#[derive(Debug)]
struct BudgetInner {
    most: usize,
    used: AtomicUsize,
    /// Every charge here is also charged to this budget.
    whole: Option<Budget>,
}

/// Bytes that are held. They are given back on drop.
#[derive(Debug)]
pub struct Charge {
    budget: Budget,
    bytes: usize,
}

/// There is no room for more bytes now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("more bytes are in flight than the server carries")]
pub struct Full;

impl Budget {
    pub fn new(most: usize) -> Self {
        Self(Arc::new(BudgetInner {
            most,
            used: AtomicUsize::new(0),
            whole: None,
        }))
    }

    /// A share of this budget, at most `most` bytes.
    pub fn share(&self, most: usize) -> Self {
        Self(Arc::new(BudgetInner {
            most,
            used: AtomicUsize::new(0),
            whole: Some(self.clone()),
        }))
    }

    /// A charge of zero bytes, which grows as bytes arrive.
    pub fn charge(&self) -> Charge {
        Charge {
            budget: self.clone(),
            bytes: 0,
        }
    }

    pub fn used(&self) -> usize {
        self.0.used.load(Ordering::Relaxed)
    }

    fn take(&self, bytes: usize) -> Result<(), Full> {
        let inner = &self.0;
        let add = |used: usize| used.checked_add(bytes).filter(|sum| *sum <= inner.most);
        let taken = inner
            .used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
        taken.map_err(|_| Full)?;
        if let Some(whole) = &inner.whole
            && let Err(full) = whole.take(bytes)
        {
            inner.used.fetch_sub(bytes, Ordering::Relaxed);
            return Err(full);
        }
        Ok(())
    }

    fn give_back(&self, bytes: usize) {
        self.0.used.fetch_sub(bytes, Ordering::Relaxed);
        if let Some(whole) = &self.0.whole {
            whole.give_back(bytes);
        }
    }
}

impl Default for Budget {
    /// Without a limit: for commands, which serve one caller.
    fn default() -> Self {
        Self::new(usize::MAX)
    }
}

impl Charge {
    /// Holds `bytes` more.
    pub fn grow(&mut self, bytes: usize) -> Result<(), Full> {
        self.budget.take(bytes)?;
        self.bytes += bytes;
        Ok(())
    }

    /// Holds `bytes` fewer.
    pub fn shrink(&mut self, bytes: usize) {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        self.budget.give_back(bytes);
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.budget.give_back(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_charged_with_the_whole_and_given_back() {
        let whole = Budget::new(100);
        let (one, two) = (whole.share(80), whole.share(80));
        let mut first = one.charge();
        assert_eq!(first.grow(80), Ok(()));
        assert_eq!(first.grow(1), Err(Full), "its share is used up");
        let mut second = two.charge();
        assert_eq!(second.grow(21), Err(Full), "the whole is used up");
        assert_eq!((one.used(), two.used(), whole.used()), (80, 0, 80));
        assert_eq!(second.grow(20), Ok(()));
        first.shrink(30);
        assert_eq!((one.used(), whole.used()), (50, 70));
        drop((first, second));
        assert_eq!((one.used(), two.used(), whole.used()), (0, 0, 0));
    }
}

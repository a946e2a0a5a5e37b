//! A map that drops unused entries: after an idle time, and the least recently used first if it is full.

use std::hash::Hash;
use std::time::Duration;

use hashlink::LinkedHashMap;
use tokio::time::Instant;

/// Idle entries that are dropped at each access: more than one access can add.
const DROPPED_AT_ONCE: usize = 2;

/// Entries in use that are skipped while searching for one to evict.
const PASSED_OVER: usize = 4096;

/// Entries in the order of their last use. Its size is bounded by `most` and the number of entries in use.
pub(super) struct RecentMap<K, V> {
    entries: LinkedHashMap<K, Entry<V>>,
    most: usize,
    idle: Duration,
    in_use: fn(&V) -> bool,
}

struct Entry<V> {
    value: V,
    used: Instant,
}

impl<K: Eq + Hash, V> RecentMap<K, V> {
    /// Keeps up to `most` entries, each for `idle` after its last use.
    pub(super) fn new(most: usize, idle: Duration) -> Self {
        Self {
            entries: LinkedHashMap::new(),
            most,
            idle,
            in_use: |_| false,
        }
    }

    /// Entries for which `in_use` is true are neither evicted nor expired.
    pub(super) fn keeping(self, in_use: fn(&V) -> bool) -> Self {
        Self { in_use, ..self }
    }

    /// The entry, which counts as used.
    pub(super) fn touch(&mut self, key: &K) -> Option<&mut V> {
        // Most maps of a quiet server are empty, and a call looks into several.
        if self.entries.is_empty() {
            return None;
        }
        let now = Instant::now();
        self.expire(now);
        let idle = self.idle;
        let in_use = self.in_use;
        let is_live = |entry: &Entry<V>| {
            now.saturating_duration_since(entry.used) < idle || in_use(&entry.value)
        };
        if !self.entries.get(key).is_some_and(is_live) {
            return None;
        }
        let entry = self.entries.to_back(key)?;
        entry.used = now;
        Some(&mut entry.value)
    }

    /// The entry, which does not count as used.
    pub(super) fn peek(&self, key: &K) -> Option<&V> {
        if self.entries.is_empty() {
            return None;
        }
        let entry = self.entries.get(key)?;
        let is_live = entry.used.elapsed() < self.idle || (self.in_use)(&entry.value);
        is_live.then_some(&entry.value)
    }

    /// The key of the only entry; none if there are several.
    pub(super) fn only(&self) -> Option<&K> {
        let live = |(_, entry): &(&K, &Entry<V>)| entry.used.elapsed() < self.idle;
        let mut newest = self.entries.iter().rev().take_while(live);
        let (only, _) = newest.next()?;
        newest.next().is_none().then_some(only)
    }

    /// The most recently used first.
    pub(super) fn newest(&self) -> impl Iterator<Item = (&K, &V)> {
        let all = self.entries.iter().rev();
        all.map(|(key, entry)| (key, &entry.value))
    }

    pub(super) fn insert(&mut self, key: K, value: V) {
        self.insert_used(key, value, Instant::now());
    }

    /// The same for an entry that was last used at `used`.
    pub(super) fn insert_used(&mut self, key: K, value: V, used: Instant) {
        let now = Instant::now();
        self.expire(now);
        self.entries.remove(&key);
        if self.entries.len() >= self.most {
            self.evict(now);
        }
        self.entries.insert(key, Entry { value, used });
    }

    pub(super) fn remove(&mut self, key: &K) -> Option<V> {
        self.entries.remove(key).map(|entry| entry.value)
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Drops some idle entries.
    fn expire(&mut self, now: Instant) {
        for _ in 0..DROPPED_AT_ONCE {
            let idle = |(_, entry): &(&K, &Entry<V>)| {
                now.saturating_duration_since(entry.used) >= self.idle
            };
            if self.entries.front().filter(idle).is_none() {
                return;
            }
            self.drop_oldest(now);
        }
    }

    fn evict(&mut self, now: Instant) {
        for _ in 0..self.entries.len().min(PASSED_OVER) {
            if self.drop_oldest(now) {
                return;
            }
        }
    }

    /// Drops the least recently used entry, or makes it the newest if it is in use.
    fn drop_oldest(&mut self, now: Instant) -> bool {
        let Some((key, mut entry)) = self.entries.pop_front() else {
            return true;
        };
        let keeps = (self.in_use)(&entry.value);
        if keeps {
            entry.used = now;
            self.entries.insert(key, entry);
        }
        !keeps
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::time::advance;

    use super::*;

    const IDLE: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn idle_and_least_recently_used_entries_are_removed() {
        let mut map = RecentMap::new(3, IDLE);
        for number in 0..3 {
            map.insert(number, number);
        }
        assert_eq!(map.touch(&0), Some(&mut 0));
        map.insert(3, 3);
        assert_eq!(map.only(), None, "several");
        assert_eq!(map.peek(&1), None, "the longest unused");
        assert_eq!(map.peek(&0), Some(&0));
        advance(IDLE / 2).await;
        map.touch(&0);
        advance(IDLE / 2).await;
        assert_eq!(map.only(), Some(&0));
        assert_eq!(map.touch(&3), None, "idle");
        assert_eq!(map.touch(&0), Some(&mut 0));
        assert_eq!(map.len(), 1);
        assert_eq!(map.remove(&0), Some(0));
    }

    #[tokio::test(start_paused = true)]
    async fn entries_in_use_stay() {
        let mut map = RecentMap::new(2, IDLE).keeping(|value| Arc::strong_count(value) > 1);
        let held = Arc::new(0);
        map.insert(0, Arc::clone(&held));
        for number in 1..100 {
            map.insert(number, Arc::new(number));
        }
        assert!(map.peek(&0).is_some());
        assert_eq!(map.len(), 2);
        advance(IDLE).await;
        assert!(map.touch(&0).is_some());
        drop(held);
        advance(IDLE).await;
        assert!(map.touch(&0).is_none());
        assert_eq!(map.len(), 0);
    }
}

//! Counts that a process has not written yet.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::part::{TallyRow, UsagePart};
use super::{OTHERS, UsageCounts, UsageEntry, rows};
use crate::store::Transaction;
use crate::{StoreError, random};

/// Rows of a day that one process counts separately. Further calls are counted as those of others.
const MOST_ROWS: usize = 50_000;

/// Rows that are written in one transaction: other work waits meanwhile.
const AT_ONCE: usize = 1_000;

/// The interval at which everything is written.
const EVERY: Duration = Duration::from_secs(60);

/// The counts of a process. Counting never waits for writing.
#[derive(Default)]
pub(crate) struct UsageTally {
    day: Mutex<DayTally>,
    writing: Mutex<UsageWriting>,
}

/// The counts of the present day, and unwritten ones of earlier days.
#[derive(Default)]
struct DayTally {
    day: i64,
    kinds: Vec<(&'static str, HashMap<Arc<str>, LocationPlaces>)>,
    rows: Vec<TallyRow>,
    /// Indexes of rows that changed since they were written.
    changed: Vec<usize>,
    ended: Vec<TallyRow>,
}

/// The indexes of rows by location and effect.
type LocationPlaces = HashMap<Arc<str>, Vec<(&'static str, usize)>>;

struct UsageWriting {
    /// Identifies this process in the store.
    writer: Option<[u8; 16]>,
    last_number: i64,
    /// A part that may or may not be written.
    part: Option<UsagePart>,
    /// The time when everything was last begun to be written.
    begun: Instant,
    has_more: bool,
}

impl Default for UsageWriting {
    fn default() -> Self {
        Self {
            writer: None,
            last_number: 0,
            part: None,
            begun: Instant::now(),
            has_more: false,
        }
    }
}

impl UsageTally {
    pub(super) fn count(&self, day: i64, entry: &UsageEntry) {
        lock(&self.day).count(day, entry);
    }

    /// Writes what is due, a part at a time.
    pub(crate) fn write_due(&self, transaction: &mut Transaction) -> Result<(), StoreError> {
        let mut writing = lock(&self.writing);
        let is_due = writing.has_more || writing.begun.elapsed() >= EVERY;
        if !is_due && writing.part.is_none() {
            return Ok(());
        }
        writing.write(transaction, is_due.then_some(&self.day))
    }

    /// Whether something may be unwritten.
    pub(crate) fn has_rest(&self) -> bool {
        let day = lock(&self.day);
        let is_counted = !day.changed.is_empty() || !day.ended.is_empty();
        is_counted || lock(&self.writing).part.is_some()
    }

    /// Writes the next part, due or not. Returns whether there is more.
    pub(crate) fn write_rest(&self, transaction: &mut Transaction) -> Result<bool, StoreError> {
        let mut writing = lock(&self.writing);
        writing.write(transaction, Some(&self.day))?;
        Ok(writing.has_more)
    }
}

impl UsageWriting {
    /// First the earlier part, if it is not written; then the next of `day`.
    fn write(
        &mut self,
        transaction: &mut Transaction,
        day: Option<&Mutex<DayTally>>,
    ) -> Result<(), StoreError> {
        let writer = match self.writer {
            Some(writer) => writer,
            None => *self.writer.insert(random()?),
        };
        if let Some(part) = &self.part
            && rows::add(transaction, &writer, part)?
        {
            // The next call shows whether this commits.
            self.has_more = true;
            return Ok(());
        }
        self.part = None;
        let Some(day) = day else {
            return Ok(());
        };
        if !self.has_more {
            self.begun = Instant::now();
        }
        let (rows, has_more) = lock(day).take(AT_ONCE);
        self.has_more = has_more;
        if rows.is_empty() {
            return Ok(());
        }
        self.last_number += 1;
        let part = self.part.insert(UsagePart::new(self.last_number, rows));
        rows::add(transaction, &writer, part).map(drop)
    }
}

impl DayTally {
    fn count(&mut self, day: i64, entry: &UsageEntry) {
        if day != self.day {
            self.begin(day);
        }
        let place = match self.find(entry) {
            Some(place) => place,
            None if self.rows.len() < MOST_ROWS => self.make(entry),
            None => {
                let others = UsageEntry {
                    kind: OTHERS,
                    id: "",
                    location: "",
                    ..*entry
                };
                self.find(&others).unwrap_or_else(|| self.make(&others))
            }
        };
        if let Some(row) = self.rows.get_mut(place) {
            if row.counts == UsageCounts::default() {
                self.changed.push(place);
            }
            row.counts.add(entry.counts);
        }
    }

    fn find(&self, entry: &UsageEntry) -> Option<usize> {
        let (_, of_kind) = self.kinds.iter().find(|(kind, _)| *kind == entry.kind)?;
        let places = of_kind.get(entry.id)?.get(entry.location)?;
        let (_, place) = places.iter().find(|(effect, _)| *effect == entry.effect)?;
        Some(*place)
    }

    fn make(&mut self, entry: &UsageEntry) -> usize {
        let kind = self.kinds.iter().position(|(kind, _)| *kind == entry.kind);
        let kind = kind.unwrap_or_else(|| {
            self.kinds.push((entry.kind, HashMap::new()));
            self.kinds.len() - 1
        });
        let place = self.rows.len();
        let Some((_, of_kind)) = self.kinds.get_mut(kind) else {
            return place;
        };
        let (id, by_location) = shared(of_kind, entry.id);
        let (location, places) = shared(by_location, entry.location);
        places.push((entry.effect, place));
        self.rows.push(TallyRow {
            day: self.day,
            kind: entry.kind,
            id,
            location,
            effect: entry.effect,
            counts: UsageCounts::default(),
        });
        place
    }

    /// Begins another day: unwritten counts of the day before are kept, as far as there is room.
    fn begin(&mut self, day: i64) {
        let (rows, _) = self.take_changed(usize::MAX);
        for row in rows {
            self.keep_ended(row);
        }
        let ended = std::mem::take(&mut self.ended);
        *self = Self {
            day,
            ended,
            ..Self::default()
        };
    }

    fn keep_ended(&mut self, row: TallyRow) {
        if self.ended.len() < MOST_ROWS {
            return self.ended.push(row);
        }
        let mut late_first = self.ended.iter_mut().rev();
        let others = late_first
            .find(|one| one.day == row.day && one.kind == OTHERS && one.effect == row.effect);
        match others {
            Some(others) => others.counts.add(row.counts),
            None => self.ended.push(TallyRow {
                kind: OTHERS,
                id: Arc::from(""),
                location: Arc::from(""),
                ..row
            }),
        }
    }

    /// The rows to write, at most `most`, and whether there are more.
    fn take(&mut self, most: usize) -> (Vec<TallyRow>, bool) {
        let ended = self.ended.len().saturating_sub(most);
        let mut rows = self.ended.split_off(ended);
        let (changed, has_more) = self.take_changed(most - rows.len());
        rows.extend(changed);
        (rows, has_more || !self.ended.is_empty())
    }

    fn take_changed(&mut self, most: usize) -> (Vec<TallyRow>, bool) {
        let left = self.changed.len().saturating_sub(most);
        let mut taken = Vec::new();
        for place in self.changed.drain(left..) {
            if let Some(row) = self.rows.get_mut(place) {
                taken.push(row.clone());
                row.counts = UsageCounts::default();
            }
        }
        (taken, !self.changed.is_empty())
    }
}

/// The value of this key, created if there is none, and the key to share.
fn shared<'a, V: Default>(map: &'a mut HashMap<Arc<str>, V>, key: &str) -> (Arc<str>, &'a mut V) {
    match map.entry(Arc::from(key)) {
        Entry::Occupied(entry) => (Arc::clone(entry.key()), entry.into_mut()),
        Entry::Vacant(entry) => (Arc::clone(entry.key()), entry.insert(V::default())),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry<'a>(id: &'a str, location: &'a str) -> UsageEntry<'a> {
        UsageEntry {
            kind: "key",
            id,
            location,
            effect: "read",
            counts: UsageCounts {
                calls: 1,
                failed: 0,
                requests: 2,
            },
        }
    }

    fn sum(rows: &[TallyRow]) -> (usize, i64) {
        (rows.len(), rows.iter().map(|row| row.counts.calls).sum())
    }

    #[test]
    fn counts_are_taken_once() {
        let mut tally = DayTally::default();
        for id in ["a", "a", "b"] {
            tally.count(1, &entry(id, "L1"));
        }
        let (rows, has_more) = tally.take(1);
        assert_eq!((sum(&rows), has_more), ((1, 1), true));
        let (rows, has_more) = tally.take(1);
        assert_eq!((sum(&rows), has_more), ((1, 2), false));
        assert_eq!(sum(&tally.take(9).0), (0, 0));
        tally.count(1, &entry("a", "L1"));
        assert_eq!(sum(&tally.take(9).0), (1, 1));
        assert_eq!(tally.rows.len(), 2, "rows are made once");
    }

    #[test]
    fn a_day_that_is_over_keeps_its_counts() {
        let mut tally = DayTally::default();
        for (day, id) in [(1, "a"), (2, "a"), (1, "a")] {
            tally.count(day, &entry(id, "L1"));
        }
        let (rows, _) = tally.take(usize::MAX);
        let part = UsagePart::new(1, rows);
        let days: Vec<_> = part
            .rows
            .iter()
            .map(|row| (row.day, row.counts.calls, row.counts.requests))
            .collect();
        assert_eq!(days, [(1, 2, 4), (2, 1, 2)], "each row once");
    }

    #[test]
    fn no_number_of_locations_takes_more_memory() {
        let mut tally = DayTally::default();
        for day in 1..=3 {
            for number in 0..MOST_ROWS + 10 {
                tally.count(day, &entry("a", &format!("L{number}")));
            }
            assert_eq!(tally.rows.len(), MOST_ROWS + 1);
        }
        assert!(tally.ended.len() <= MOST_ROWS + 2, "{}", tally.ended.len());
        let (rows, has_more) = tally.take(usize::MAX);
        let all = i64::try_from(3 * (MOST_ROWS + 10)).expect("a number");
        assert_eq!((sum(&rows).1, has_more), (all, false), "nothing is lost");
        let others = rows.iter().filter(|row| row.kind == OTHERS);
        let others = others.map(|row| row.counts.calls).sum::<i64>();
        assert!(others > 10);
    }
}

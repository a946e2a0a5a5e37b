//! The sandbox's records by kind and id, in the order of creation, and its source of new ids.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::data::RecordsFile;
use super::kind_records::{KindRecords, NewestFirst};

/// Kind of a record; its name is the key in the store.
pub(crate) type RecordKind = &'static str;

/// All records. A member whose name starts with `~` never leaves the sandbox.
pub(crate) struct Records {
    records: BTreeMap<String, KindRecords>,
    random: fastrand::Rng,
    /// The number of created, changed and removed records so far.
    changes: u64,
    /// The file that also keeps the records.
    data: Option<RecordsFile>,
}

impl Records {
    /// No records yet.
    pub(crate) fn new(seed: u64, data: Option<RecordsFile>) -> Self {
        Self {
            records: BTreeMap::new(),
            random: fastrand::Rng::with_seed(seed),
            changes: 0,
            data,
        }
    }

    /// Loads the records of `data`; false if it has none.
    pub(crate) fn load(&mut self) -> Result<bool, String> {
        let kept = self.data.as_ref().map(RecordsFile::records).transpose()?;
        let kept = kept.unwrap_or_default();
        let any = !kept.is_empty();
        for (kind, id, record) in kept {
            self.records.entry(kind).or_default().put(id, record);
        }
        if any {
            // Ids from the seed are in use.
            self.random = fastrand::Rng::new();
        }
        Ok(any)
    }

    /// Runs `make`, which creates many records, and writes them at once.
    pub(crate) fn at_once(&mut self, make: impl FnOnce(&mut Self)) {
        if let Some(data) = &self.data {
            data.begin();
        }
        make(self);
        if let Some(data) = &self.data {
            data.commit();
        }
    }

    /// Removes everything; ids start again from `seed`.
    pub(crate) fn clear(&mut self, seed: u64) {
        if let Some(data) = &self.data {
            data.clear();
        }
        *self = Self {
            changes: self.changes,
            ..Self::new(seed, self.data.take())
        };
    }

    /// Twenty letters and digits, like HighLevel's ids.
    pub(crate) fn new_id(&mut self) -> String {
        std::iter::repeat_with(|| self.random.alphanumeric())
            .take(20)
            .collect()
    }

    /// Counts created, changed and removed records; it never decreases.
    pub(crate) fn changes(&self) -> u64 {
        self.changes
    }

    pub(crate) fn random(&mut self) -> &mut fastrand::Rng {
        &mut self.random
    }

    pub(crate) fn get(&self, kind: RecordKind, id: &str) -> Option<&Value> {
        self.records.get(kind)?.get(id)
    }

    /// Every record of a kind, oldest first.
    pub(crate) fn all(&self, kind: RecordKind) -> impl Iterator<Item = &Value> {
        self.records
            .get(kind)
            .into_iter()
            .flat_map(KindRecords::all)
    }

    /// The location's records of a kind, oldest first.
    pub(crate) fn of_location(
        &self,
        kind: RecordKind,
        location: &str,
    ) -> impl Iterator<Item = &Value> {
        let records = self.records.get(kind).into_iter();
        records.flat_map(move |records| records.of_location(location))
    }

    /// The location's records of a kind by a date that lists are sorted by; `None` where there are none.
    pub(crate) fn newest_first(
        &self,
        kind: RecordKind,
        location: &str,
        date: &'static str,
    ) -> Option<NewestFirst<'_>> {
        self.records.get(kind)?.newest_first(location, date)
    }

    /// Creates or replaces the record of that id.
    pub(crate) fn put(&mut self, kind: RecordKind, id: &str, record: Value) {
        self.changes += 1;
        if let Some(data) = &self.data {
            data.put(kind, id, &record);
        }
        let records = self.records.entry(kind.to_owned()).or_default();
        records.put(id.to_owned(), record);
    }

    pub(crate) fn remove(&mut self, kind: RecordKind, id: &str) -> Option<Value> {
        if let Some(data) = &self.data {
            data.remove(kind, id);
        }
        let gone = self.records.get_mut(kind)?.remove(id);
        self.changes += u64::from(gone.is_some());
        gone
    }

    pub(crate) fn remove_where(&mut self, kind: RecordKind, is: impl Fn(&Value) -> bool) {
        let records = self.records.get(kind);
        let gone = records.map(|records| records.ids_where(is));
        for id in gone.unwrap_or_default() {
            self.remove(kind, &id);
        }
    }

    /// Merges `changes` over a record and returns the whole record.
    pub(crate) fn change(
        &mut self,
        kind: RecordKind,
        id: &str,
        changes: Map<String, Value>,
    ) -> Option<Value> {
        let mut record = self.get(kind, id)?.clone();
        if let Value::Object(members) = &mut record {
            members.extend(changes);
        }
        self.put(kind, id, record.clone());
        Some(record)
    }
}

/// A record without its internal members.
pub(crate) fn public(value: Value) -> Value {
    match value {
        Value::Object(members) => members
            .into_iter()
            .filter(|(name, _)| !name.starts_with('~'))
            .map(|(name, member)| (name, public(member)))
            .collect(),
        Value::Array(items) => items.into_iter().map(public).collect(),
        plain => plain,
    }
}

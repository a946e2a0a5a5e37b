//! What the sandbox knows: records by kind and id, in the order they were made, and where new ids come from.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// Kind of a record; its name is the key in the store.
pub type Kind = &'static str;

/// All records. A member whose name starts with `~` never leaves the sandbox.
pub struct State {
    records: BTreeMap<String, Map<String, Value>>,
    random: fastrand::Rng,
}

impl State {
    pub fn new(seed: u64) -> Self {
        Self {
            records: BTreeMap::new(),
            random: fastrand::Rng::with_seed(seed),
        }
    }

    /// Twenty letters and digits, as HighLevel's ids are.
    pub fn new_id(&mut self) -> String {
        std::iter::repeat_with(|| self.random.alphanumeric())
            .take(20)
            .collect()
    }

    pub fn random(&mut self) -> &mut fastrand::Rng {
        &mut self.random
    }

    pub fn get(&self, kind: Kind, id: &str) -> Option<&Value> {
        self.records.get(kind)?.get(id)
    }

    /// Every record of a kind, oldest first.
    pub fn all(&self, kind: Kind) -> impl Iterator<Item = &Value> {
        self.records.get(kind).into_iter().flat_map(Map::values)
    }

    /// Makes or replaces the record of that id.
    pub fn put(&mut self, kind: Kind, id: &str, record: Value) {
        let records = self.records.entry(kind.to_owned()).or_default();
        records.insert(id.to_owned(), record);
    }

    pub fn remove(&mut self, kind: Kind, id: &str) -> Option<Value> {
        self.records.get_mut(kind)?.shift_remove(id)
    }

    pub fn remove_where(&mut self, kind: Kind, is: impl Fn(&Value) -> bool) {
        if let Some(records) = self.records.get_mut(kind) {
            records.retain(|_, record| !is(record));
        }
    }

    /// Lays `changes` over a record and gives it whole.
    pub fn change(&mut self, kind: Kind, id: &str, changes: Map<String, Value>) -> Option<Value> {
        let mut record = self.get(kind, id)?.clone();
        if let Value::Object(members) = &mut record {
            members.extend(changes);
        }
        self.put(kind, id, record.clone());
        Some(record)
    }
}

/// A record without what never leaves.
pub fn public(value: Value) -> Value {
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

//! The records of one kind: by id, in the order they were made, and those of each location by date, so that a page costs
//! the same however many records there are.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;

use serde_json::Value;

/// Members by whose date lists are sorted, and the one of them that holds milliseconds.
const DATES: [&str; 3] = ["dateAdded", "createdAt", IN_MILLISECONDS];
const IN_MILLISECONDS: &str = "lastMessageDate";

/// Where a record stands: counted up as records are made.
type Ordinal = u64;

/// Newest first, and of one date the oldest made first. Other dates than milliseconds are texts of one form, which sort as
/// their times do.
type ByDate = (Reverse<i64>, Reverse<Option<String>>, Ordinal);

#[derive(Default)]
pub(crate) struct KindRecords {
    places: HashMap<String, Ordinal>,
    records: BTreeMap<Ordinal, Value>,
    locations: HashMap<String, LocationIndex>,
    made: Ordinal,
}

#[derive(Default)]
struct LocationIndex {
    places: BTreeSet<Ordinal>,
    dates: [BTreeSet<ByDate>; DATES.len()],
}

/// A location's records of a kind, newest first.
#[derive(Clone, Copy)]
pub(crate) struct NewestFirst<'s> {
    kind: &'s KindRecords,
    dates: &'s BTreeSet<ByDate>,
    date: &'static str,
}

impl KindRecords {
    pub(crate) fn get(&self, id: &str) -> Option<&Value> {
        self.records.get(self.places.get(id)?)
    }

    /// In the order they were made.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Value> {
        self.records.values()
    }

    /// Those of a location, in the order they were made.
    pub(crate) fn of_location(&self, location: &str) -> impl Iterator<Item = &Value> {
        let index = self.locations.get(location);
        let places = index.into_iter().flat_map(|index| &index.places);
        places.filter_map(|place| self.records.get(place))
    }

    /// Those of a location by `date`, which is one of [`DATES`]; `None` where there are none.
    pub(crate) fn newest_first(
        &self,
        location: &str,
        date: &'static str,
    ) -> Option<NewestFirst<'_>> {
        let number = DATES.iter().position(|one| *one == date)?;
        Some(NewestFirst {
            kind: self,
            dates: self.locations.get(location)?.dates.get(number)?,
            date,
        })
    }

    /// Makes the record of that id, or replaces it where it stands.
    pub(crate) fn put(&mut self, id: String, record: Value) {
        let place = match self.places.get(&id) {
            Some(place) => *place,
            None => {
                self.made += 1;
                self.places.insert(id, self.made);
                self.made
            }
        };
        if let Some(before) = self.records.remove(&place) {
            self.leave_index(place, &before);
        }
        if let Some(location) = location_of(&record) {
            let index = self.locations.entry(location.to_owned()).or_default();
            index.places.insert(place);
            for (dates, name) in index.dates.iter_mut().zip(DATES) {
                dates.insert(by_date(&record, name, place));
            }
        }
        self.records.insert(place, record);
    }

    pub(crate) fn remove(&mut self, id: &str) -> Option<Value> {
        let place = self.places.remove(id)?;
        let record = self.records.remove(&place)?;
        self.leave_index(place, &record);
        Some(record)
    }

    /// Id and record of those which are so.
    pub(crate) fn ids_where(&self, is: impl Fn(&Value) -> bool) -> Vec<String> {
        let places = self.places.iter();
        let found = places.filter(|(_, place)| self.records.get(*place).is_some_and(&is));
        let mut found: Vec<(Ordinal, &String)> = found.map(|(id, place)| (*place, id)).collect();
        found.sort_unstable();
        found.into_iter().map(|(_, id)| id.clone()).collect()
    }

    fn leave_index(&mut self, place: Ordinal, record: &Value) {
        let location = location_of(record).and_then(|location| self.locations.get_mut(location));
        if let Some(index) = location {
            index.places.remove(&place);
            for (dates, name) in index.dates.iter_mut().zip(DATES) {
                dates.remove(&by_date(record, name, place));
            }
        }
    }
}

impl<'s> NewestFirst<'s> {
    pub(crate) fn len(self) -> usize {
        self.dates.len()
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = &'s Value> {
        let places = self.dates.iter().map(|(_, _, place)| place);
        places.filter_map(move |place| self.kind.records.get(place))
    }

    /// How many are newer than the record of that id, which is among them.
    pub(crate) fn position(self, id: &str) -> Option<usize> {
        let place = self.kind.places.get(id)?;
        let own = by_date(self.kind.records.get(place)?, self.date, *place);
        let newer = (Bound::Unbounded, Bound::Excluded(&own));
        let is_here = self.dates.contains(&own);
        is_here.then(|| self.dates.range::<ByDate, _>(newer).count())
    }
}

fn location_of(record: &Value) -> Option<&str> {
    record["~location"].as_str()
}

fn by_date(record: &Value, name: &str, place: Ordinal) -> ByDate {
    let date = &record[name];
    let (number, text) = match name {
        IN_MILLISECONDS => (date.as_i64().unwrap_or_default(), None),
        _ => (0, date.as_str().map(str::to_owned)),
    };
    (Reverse(number), Reverse(text), place)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn ids<'v>(records: impl Iterator<Item = &'v Value>) -> String {
        let ids = records.map(|one| one["id"].as_str().unwrap_or_default());
        ids.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn records_keep_their_order_through_every_change() {
        let mut kind = KindRecords::default();
        let put = |kind: &mut KindRecords, id: &str, location: &str, at: &str, message: i64| {
            let record = json!({"id": id, "~location": location, "dateAdded": at, "lastMessageDate": message});
            kind.put(id.to_owned(), record);
        };
        let check = |kind: &KindRecords, made: &str, dated: &str, messages: &str| {
            assert_eq!(ids(kind.of_location("L")), made);
            for (date, expected) in [("dateAdded", dated), ("lastMessageDate", messages)] {
                let found = kind.newest_first("L", date).expect("records");
                assert_eq!(ids(found.iter()), expected, "{date}");
                assert_eq!(found.len(), expected.split_whitespace().count());
                for (position, id) in expected.split_whitespace().enumerate() {
                    assert_eq!(found.position(id), Some(position), "{id} by {date}");
                }
            }
        };
        for (id, location, at, message) in [
            ("a", "L", "2026-01-02", 5),
            ("b", "L", "2026-01-03", 5),
            ("c", "M", "2026-01-04", 9),
            ("d", "L", "2026-01-03", 7),
        ] {
            put(&mut kind, id, location, at, message);
        }
        check(&kind, "a b d", "b d a", "d a b");
        // Replaced where it stands, and moved by its date.
        put(&mut kind, "a", "L", "2026-01-05", 1);
        check(&kind, "a b d", "a b d", "d b a");
        // Gone and made again it is the newest made.
        assert!(kind.remove("b").is_some() && kind.remove("b").is_none());
        put(&mut kind, "b", "L", "2026-01-03", 7);
        check(&kind, "a d b", "a d b", "d b a");
        // Another location's is not among them, nor is one that moved there.
        let found = kind.newest_first("L", "dateAdded").expect("records");
        assert_eq!((found.position("c"), found.position("none")), (None, None));
        put(&mut kind, "d", "M", "2026-01-03", 7);
        check(&kind, "a b", "a b", "b a");
        assert_eq!(ids(kind.all()), "a c d b");
        assert_eq!(kind.ids_where(|one| one["~location"] == "M"), ["c", "d"]);
        assert!(kind.newest_first("N", "dateAdded").is_none());
    }
}

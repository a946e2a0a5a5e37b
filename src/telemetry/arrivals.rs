//! The clients that arrived last, for a person who connects one and waits. They are kept only in memory.

use std::sync::{Mutex, MutexGuard, PoisonError};

use hashlink::LruCache;
use jiff::Timestamp;

/// Most callers whose last arrival is known. There may be more connections; the oldest are forgotten.
const MOST: usize = 1_000;

/// Longest stored name of a client, in characters: the client chooses it.
const LONGEST_NAME: usize = 64;

/// The last action of a caller: a handshake, or a call of a tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// The client's own name, if it gives one.
    pub client: Option<String>,
    pub tool: Option<String>,
    pub at: Timestamp,
}

/// By the audit's name of the caller.
pub struct Arrivals(Mutex<LruCache<String, Arrival>>);

impl Default for Arrivals {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(MOST)))
    }
}

impl Arrivals {
    /// `client`: its name. `tool`: the called tool, if any; its name is one of ours.
    pub fn note(&self, who: String, client: Option<&str>, tool: Option<&str>) {
        self.note_at(who, client, tool, Timestamp::now());
    }

    fn note_at(&self, who: String, client: Option<&str>, tool: Option<&str>, at: Timestamp) {
        let mut known = self.known();
        let before = known.get(&who);
        // Older clients give their name once, in the handshake.
        let named_before = before.and_then(|before| before.client.clone());
        let client = client.map(|name| name.chars().take(LONGEST_NAME).collect());
        let arrival = Arrival {
            client: client.or(named_before),
            tool: tool.map(str::to_owned),
            at,
        };
        known.insert(who, arrival);
    }

    /// The last arrival since `first` among the callers that pass `counts`.
    pub fn last(
        &self,
        first: Timestamp,
        counts: impl Fn(&str) -> bool,
    ) -> Option<(String, Arrival)> {
        let known = self.known();
        let newest_first = known.iter().rev();
        let mut late = newest_first.take_while(|(_, arrival)| arrival.at >= first);
        let (who, arrival) = late.find(|(who, _)| counts(who))?;
        Some((who.clone(), arrival.clone()))
    }

    fn known(&self) -> MutexGuard<'_, LruCache<String, Arrival>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a time")
    }

    #[test]
    fn the_last_arrival_of_the_selected_callers_is_found() {
        let arrivals = Arrivals::default();
        let note = |who: &str, client, tool, second| {
            arrivals.note_at(who.to_owned(), client, tool, time(second));
        };
        note("grant:a", Some("Claude Code"), None, 10);
        note("grant:b", Some("Cursor"), None, 20);
        note("grant:a", None, Some("contacts_get-contact"), 30);
        for (first, who, expected) in [
            (
                0,
                "grant:a",
                Some(("Claude Code", Some("contacts_get-contact"))),
            ),
            (
                30,
                "grant:a",
                Some(("Claude Code", Some("contacts_get-contact"))),
            ),
            (31, "grant:a", None),
            (0, "grant:b", Some(("Cursor", None))),
            (21, "grant:b", None),
            (0, "key:a", None),
        ] {
            let found = arrivals.last(time(first), |one| one == who);
            let found = found.as_ref().map(|(_, arrival)| arrival);
            let found = found.map(|one| (one.client.as_deref().unwrap_or(""), one.tool.as_deref()));
            assert_eq!(found, expected, "{who} since {first}");
        }
    }

    #[test]
    fn any_number_of_callers_leaves_a_thousand() {
        let arrivals = Arrivals::default();
        let long = "x".repeat(1_000);
        for number in 0..2_000 {
            arrivals.note_at(format!("grant:{number}"), Some(&long), None, time(number));
        }
        assert_eq!(arrivals.known().len(), MOST);
        let (who, last) = arrivals.last(time(0), |_| true).expect("one");
        assert_eq!(who, "grant:1999");
        assert_eq!(last.client.map(|name| name.len()), Some(LONGEST_NAME));
    }
}

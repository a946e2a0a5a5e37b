//! The emergency stop: while it is on, everything but reads is refused, by every process on the state folder.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::store::{Durability, Mirror, Pending, Store, StoredRow, Transaction};
use super::{StoreError, now, time};

const LONGEST_REASON: usize = 500;

const TROUBLE: &str = "the emergency stop cannot be read; everything but reads is refused";

/// What is paused, from memory. Cheap to clone.
#[derive(Clone)]
pub struct Pauses {
    store: Store,
    mirror: Arc<Mirror<Vec<Pause>>>,
}

/// Why a call that is no read is refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pause {
    /// The alias of a location; `None` is all of them, and what is in none.
    pub location: Option<String>,
    pub reason: Option<String>,
    pub since: Timestamp,
}

impl Pauses {
    /// Blocks until they are read.
    pub fn new(store: &Store) -> Self {
        Self {
            store: store.clone(),
            mirror: store.mirror(Vec::new(), read_all, TROUBLE),
        }
    }

    /// The pause that holds in the location of this alias, or for a call that is in none of the server's own. From
    /// memory; a change by another process is known within 0.2 seconds.
    pub fn paused(&self, alias: Option<&str>) -> Option<Pause> {
        match self.mirror.value().as_ref() {
            Ok(known) => {
                let holds = |paused: &&Pause| match paused.location.as_deref() {
                    None => true,
                    location => location == alias,
                };
                known.iter().find(holds).cloned()
            }
            Err(_) => Some(Pause {
                location: None,
                reason: Some(
                    "the server cannot read its emergency stop; its log says why".to_owned(),
                ),
                since: now(),
            }),
        }
    }

    /// Whether anything is paused.
    pub fn is_any(&self) -> bool {
        let known = self.mirror.value();
        let known = known.as_ref().as_ref();
        known.map_or(true, |known| !known.is_empty())
    }

    /// Everything that is paused.
    pub fn list(&self) -> Pending<Vec<Pause>> {
        self.store.read(read_all)
    }

    /// Pauses the location of this alias, or everything. What is paused already gets the new reason.
    pub fn pause(&self, alias: Option<&str>, reason: Option<&str>) -> Pending<Pause> {
        if reason.is_some_and(|reason| {
            reason.len() > LONGEST_REASON || reason.contains(char::is_control)
        }) {
            return Pending::failed(StoreError::from(format!(
                "a reason has at most {LONGEST_REASON} bytes and no control characters; shorten it"
            )));
        }
        let pause = Pause {
            location: alias.map(str::to_owned),
            reason: reason.map(str::to_owned),
            since: now(),
        };
        self.store.change(Durability::Disk, move |transaction| {
            let since = find(transaction, pause.location.as_deref())?.map(|before| before.since);
            let pause = Pause {
                since: since.unwrap_or(pause.since),
                ..pause.clone()
            };
            pause.put(transaction)?;
            transaction.revise()?;
            Ok(pause)
        })
    }

    /// Ends that pause, and no other. `None` where there was none.
    pub fn resume(&self, alias: Option<&str>) -> Pending<Option<Pause>> {
        let alias = alias.map(str::to_owned);
        self.store.change(Durability::Disk, move |transaction| {
            let ended = find(transaction, alias.as_deref())?;
            let end = sqlx::query("DELETE FROM pause WHERE location = $1");
            transaction.run(end.bind(column(alias.as_deref())))?;
            transaction.revise()?;
            Ok(ended)
        })
    }
}

/// The widest first: it is what a refusal names.
fn read_all(transaction: &mut Transaction) -> Result<Vec<Pause>, StoreError> {
    let rows = transaction.all(sqlx::query("SELECT * FROM pause ORDER BY location"))?;
    rows.iter().map(Pause::from_row).collect()
}

fn find(transaction: &mut Transaction, alias: Option<&str>) -> Result<Option<Pause>, StoreError> {
    let find = sqlx::query("SELECT * FROM pause WHERE location = $1");
    let row = transaction.one(find.bind(column(alias)))?;
    row.as_ref().map(Pause::from_row).transpose()
}

/// An alias is never empty: that stands for all.
fn column(alias: Option<&str>) -> String {
    alias.unwrap_or_default().to_owned()
}

impl Pause {
    pub fn put(&self, transaction: &mut Transaction) -> Result<(), StoreError> {
        let put = "INSERT INTO pause (location, reason, since) VALUES ($1, $2, $3)
            ON CONFLICT (location) DO UPDATE SET reason = $2, since = $3";
        let put = sqlx::query(put)
            .bind(column(self.location.as_deref()))
            .bind(self.reason.clone())
            .bind(self.since.as_millisecond());
        transaction.run(put).map(drop)
    }

    fn from_row(row: &StoredRow) -> Result<Self, StoreError> {
        Ok(Self {
            location: Some(row.text("location")?).filter(|alias| !alias.is_empty()),
            reason: row.optional_text("reason")?,
            since: time(row.integer("since")?),
        })
    }

    /// For the caller; it names no location.
    pub fn sentence(&self) -> String {
        let reason = self.reason.as_deref().map(|reason| format!(": {reason}"));
        format!(
            "The server's operator has paused everything but reads here since {:.0}{}.",
            self.since,
            reason.unwrap_or_default()
        )
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::store::for_tests;

    /// Which of these three are paused: nothing, acme, berlin.
    fn seen(pauses: &Pauses) -> [bool; 3] {
        [None, Some("acme"), Some("berlin")].map(|alias| pauses.paused(alias).is_some())
    }

    type PauseAction = fn(&Pauses);

    #[test]
    fn a_pause_holds_where_it_says_until_it_is_ended() {
        let rows: [(PauseAction, [bool; 3]); 6] = [
            (|_| {}, [false; 3]),
            (
                |pauses| drop(pauses.pause(Some("acme"), None).wait().expect("paused")),
                [false, true, false],
            ),
            (
                |pauses| {
                    drop(
                        pauses
                            .pause(None, Some("wrong texts"))
                            .wait()
                            .expect("paused"),
                    )
                },
                [true; 3],
            ),
            (
                |pauses| drop(pauses.pause(None, Some("worse")).wait().expect("paused")),
                [true; 3],
            ),
            (
                |pauses| assert!(pauses.resume(None).wait().expect("resumed").is_some()),
                [false, true, false],
            ),
            (
                |pauses| {
                    assert!(
                        pauses
                            .resume(Some("acme"))
                            .wait()
                            .expect("resumed")
                            .is_some()
                    )
                },
                [false; 3],
            ),
        ];
        let folder = for_tests::folder();
        let pauses = Pauses::new(&for_tests::open(&folder));
        for (index, (act, expected)) in rows.into_iter().enumerate() {
            act(&pauses);
            assert_eq!(seen(&pauses), expected, "{index}");
            assert_eq!(pauses.is_any(), expected.contains(&true), "{index}");
            let restarted = Pauses::new(&for_tests::open(&folder));
            assert_eq!(seen(&restarted), expected, "{index} after a restart");
        }
        assert_eq!(pauses.resume(None).wait(), Ok(None));
        assert!(pauses.pause(None, Some(&"x".repeat(501))).wait().is_err());
        assert!(pauses.pause(None, Some("a\u{1b}[2J")).wait().is_err());
        let fresh = Store::in_memory().expect("open");
        assert_eq!(seen(&Pauses::new(&fresh)), [false; 3]);
    }

    #[test]
    fn a_pause_that_is_paused_again_began_when_it_did_and_the_widest_comes_first() {
        let pauses = Pauses::new(&Store::in_memory().expect("open"));
        let pause = |alias, reason| pauses.pause(alias, reason).wait().expect("paused");
        let first = pause(Some("acme"), None);
        std::thread::sleep(std::time::Duration::from_millis(5));
        let again = pause(Some("acme"), Some("worse"));
        assert_eq!(
            (again.since, again.reason.as_deref()),
            (first.since, Some("worse"))
        );
        let all = pause(None, None);
        assert_eq!(pauses.list().wait(), Ok(vec![all.clone(), again]));
        assert_eq!(pauses.paused(Some("acme")), Some(all));
    }

    #[test]
    fn a_refusal_says_why_and_names_no_location() {
        let pauses = Pauses::new(&Store::in_memory().expect("open"));
        let paused = pauses.pause(Some("acme"), Some("wrong texts")).wait();
        let told = paused.expect("paused").sentence();
        assert!(
            told.ends_with("Z: wrong texts.") && !told.contains("acme"),
            "{told}"
        );
    }

    #[test]
    fn another_process_is_heard_within_a_fifth_of_a_second() {
        let folder = for_tests::folder();
        let [pauses, other] = [(); 2].map(|()| Pauses::new(&for_tests::open(&folder)));
        let comes_to =
            |expected| for_tests::comes("heard", || pauses.paused(None).is_some() == expected);
        other.pause(None, None).wait().expect("paused");
        comes_to(true);
        other.resume(None).wait().expect("resumed");
        comes_to(false);
    }

    #[test]
    fn what_cannot_be_read_is_paused() {
        let folder = for_tests::folder();
        let store = for_tests::open(&folder);
        let pauses = Pauses::new(&store);
        let comes_to =
            |expected| for_tests::comes("heard", || pauses.paused(None).is_some() == expected);
        fs::remove_file(for_tests::file(&folder)).expect("removed");
        comes_to(true);
        let told = pauses.paused(None).expect("fails safe").sentence();
        assert!(told.contains("cannot read its emergency stop"), "{told}");
        let error = pauses.resume(None).wait().expect_err("removed").to_string();
        assert!(error.contains("was removed or replaced"), "{error}");
    }
}

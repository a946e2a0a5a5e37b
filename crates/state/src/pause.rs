//! The emergency stop: while it is on, every process on the state folder refuses everything but reads.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::events::{self, Event, EventKind, NewEvent};
use super::store::{Durability, Mirror, Pending, Store, StoredRow, Transaction};
use super::{StoreError, now, time};

const LONGEST_REASON: usize = 500;

const TROUBLE: &str = "the emergency stop cannot be read; everything but reads is refused";

/// The pauses, from memory. Cheap to clone.
#[derive(Clone)]
pub struct Pauses {
    store: Store,
    mirror: Arc<Mirror<Vec<Pause>>>,
}

/// The reason that a write is refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pause {
    /// The alias of a location; `None` means all of them, and calls in none.
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

    /// The pause that applies in the location of this alias, or to a call in none of the server's own. From memory; a
    /// change by another process is known within 0.2 seconds.
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

    /// Whether the pauses are known: if not, everything but reads is refused.
    pub fn is_known(&self) -> bool {
        self.mirror.value().is_ok()
    }

    /// Everything that is paused.
    pub fn list(&self) -> Pending<Vec<Pause>> {
        self.store.read(read_all)
    }

    /// Every pause, with the event that says who paused last.
    pub fn list_with_events(&self) -> Pending<Vec<(Pause, Option<Event>)>> {
        self.store.read(|transaction| {
            let all = read_all(transaction)?.into_iter();
            let with_event = |pause: Pause| {
                let subject = pause.location.as_deref();
                let event = events::newest(transaction, EventKind::Paused, subject)?;
                Ok((pause, event))
            };
            all.map(with_event).collect()
        })
    }

    /// Pauses the location of this alias, or everything. An existing pause gets the new reason; a blank one is none.
    pub fn pause(&self, alias: Option<&str>, reason: Option<&str>) -> Pending<Pause> {
        self.pause_by(alias, reason, None)
    }

    /// The same, by the person of this id; `None` is the user of a command at the machine.
    pub fn pause_by(
        &self,
        alias: Option<&str>,
        reason: Option<&str>,
        person: Option<&str>,
    ) -> Pending<Pause> {
        let reason = reason.map(str::trim).filter(|reason| !reason.is_empty());
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
        let person = person.map(str::to_owned);
        self.store.change(Durability::Disk, move |transaction| {
            let since = find(transaction, pause.location.as_deref())?.map(|before| before.since);
            let pause = Pause {
                since: since.unwrap_or(pause.since),
                ..pause.clone()
            };
            pause.put(transaction)?;
            pause.note(transaction, EventKind::Paused, person.clone())?;
            transaction.revise()?;
            Ok(pause)
        })
    }

    /// Ends that pause, and no other. `None` if there was none.
    pub fn resume(&self, alias: Option<&str>) -> Pending<Option<Pause>> {
        self.resume_by(alias, None)
    }

    /// The same, by the person of this id.
    pub fn resume_by(&self, alias: Option<&str>, person: Option<&str>) -> Pending<Option<Pause>> {
        let (alias, person) = (alias.map(str::to_owned), person.map(str::to_owned));
        self.store.change(Durability::Disk, move |transaction| {
            let ended = find(transaction, alias.as_deref())?;
            let end = sqlx::query("DELETE FROM pause WHERE location = $1");
            transaction.run(end.bind(column(alias.as_deref())))?;
            if let Some(ended) = &ended {
                ended.note(transaction, EventKind::Resumed, person.clone())?;
            }
            transaction.revise()?;
            Ok(ended)
        })
    }
}

/// The widest first, because a refusal names the first.
fn read_all(transaction: &mut Transaction) -> Result<Vec<Pause>, StoreError> {
    let rows = transaction.all(sqlx::query("SELECT * FROM pause ORDER BY location"))?;
    rows.iter().map(Pause::from_row).collect()
}

fn find(transaction: &mut Transaction, alias: Option<&str>) -> Result<Option<Pause>, StoreError> {
    let find = sqlx::query("SELECT * FROM pause WHERE location = $1");
    let row = transaction.one(find.bind(column(alias)))?;
    row.as_ref().map(Pause::from_row).transpose()
}

/// An alias is never empty: an empty one means all.
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

    fn note(
        &self,
        transaction: &mut Transaction,
        kind: EventKind,
        person: Option<String>,
    ) -> Result<(), StoreError> {
        let what = self.location.as_deref().unwrap_or("everything");
        let reason = self.reason.as_deref();
        let reason = reason.map(|reason| format!(": {reason}"));
        let event = NewEvent {
            kind,
            actor: person,
            subject: self.location.clone(),
            detail: format!("{what}{}", reason.unwrap_or_default()),
        };
        events::write(transaction, event)
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

    /// Which of these three are paused: calls without a location, acme, berlin.
    fn seen(pauses: &Pauses) -> [bool; 3] {
        [None, Some("acme"), Some("berlin")].map(|alias| pauses.paused(alias).is_some())
    }

    type PauseAction = fn(&Pauses);

    #[on_both]
    fn a_pause_applies_to_its_location_until_it_ends() {
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
                |pauses| {
                    let paused = pauses.pause(None, Some("  ")).wait().expect("paused");
                    assert_eq!(paused.reason, None);
                },
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
        let fresh = for_tests::store();
        assert_eq!(seen(&Pauses::new(&fresh)), [false; 3]);
    }

    #[on_both]
    fn a_pause_that_is_paused_again_began_when_it_did_and_the_widest_comes_first() {
        let pauses = Pauses::new(&for_tests::store());
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

    #[on_both]
    fn the_events_name_the_person_who_paused_and_resumed() {
        let store = for_tests::store();
        let pauses = Pauses::new(&store);
        let pause = |alias, person| {
            let paused = pauses.pause_by(alias, Some("wrong texts"), person);
            paused.wait().expect("paused")
        };
        pause(None, Some("p_olga"));
        pause(Some("acme"), Some("p_ada"));
        pause(Some("acme"), None);
        let listed = pauses.list_with_events().wait().expect("listed");
        let actors: Vec<_> = listed
            .iter()
            .map(|(pause, event)| (pause.location.as_deref(), event.as_ref().expect("an event")))
            .map(|(alias, event)| (alias, event.actor.as_deref()))
            .collect();
        assert_eq!(actors, [(None, Some("p_olga")), (Some("acme"), None)]);
        pauses
            .resume_by(None, Some("p_ada"))
            .wait()
            .expect("resumed");
        // Resuming a location that is not paused is not an event.
        pauses
            .resume_by(None, Some("p_ada"))
            .wait()
            .expect("resumed");
        let events = crate::events::Events::new(&store).list(10).wait();
        let events: Vec<_> = events
            .expect("events")
            .into_iter()
            .map(|event| (event.kind, event.actor, event.detail))
            .collect();
        let expected = (
            "resumed".to_owned(),
            Some("p_ada".to_owned()),
            "everything: wrong texts".to_owned(),
        );
        assert_eq!(events.len(), 4);
        assert_eq!(events.first(), Some(&expected));
    }

    #[on_both]
    fn a_refusal_says_why_and_names_no_location() {
        let pauses = Pauses::new(&for_tests::store());
        let paused = pauses.pause(Some("acme"), Some("wrong texts")).wait();
        let told = paused.expect("paused").sentence();
        assert!(
            told.ends_with("Z: wrong texts.") && !told.contains("acme"),
            "{told}"
        );
    }

    #[on_both]
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

    #[on_sqlite("the file is removed")]
    fn an_unreadable_pause_counts_as_paused() {
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

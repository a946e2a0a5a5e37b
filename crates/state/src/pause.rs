//! The emergency stop: while it is on, everything but reads is refused, by every process on the state folder.

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::json_file::JsonFile;
use super::watch::FileMirror;
use super::{StoreError, now};

const NAME: &str = "pause.json";
const LOCK: &str = "pause.lock";
const REMEDY: &str =
    "until then everything but reads is refused; remove it, and pause again where that is wanted";
const TROUBLE: &str = "the emergency stop cannot be read; everything but reads is refused";

const LONGEST_REASON: usize = 500;

/// What is paused, as this process knows it. Cheap to clone. The default knows no folder, and nothing is paused.
#[derive(Clone, Default)]
pub struct Pauses(Option<Arc<FileMirror<PauseFile, Vec<Pause>>>>);

/// Why a call that is no read is refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pause {
    /// The alias of a location; `None` is all of them, and what is in none.
    pub location: Option<String>,
    pub reason: Option<String>,
    pub since: Timestamp,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PauseFile {
    pauses: Vec<Pause>,
}

impl Pauses {
    /// Opens or makes the folder, and watches the file from now on.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let file = JsonFile::open(folder, NAME, LOCK, REMEDY)?;
        let mirror = FileMirror::open(file, |file: PauseFile| file.pauses, TROUBLE);
        FileMirror::watch(&mirror)?;
        Ok(Self(Some(mirror)))
    }

    /// The pause that holds in the location of this alias, or for a call that is in none of the server's own. From
    /// memory; a change by another process is known within 0.2 seconds.
    pub fn paused(&self, alias: Option<&str>) -> Option<Pause> {
        let known = self.0.as_ref()?.value();
        match known.as_ref() {
            Ok(pauses) => {
                let holds = |paused: &&Pause| match paused.location.as_deref() {
                    None => true,
                    location => location == alias,
                };
                pauses.iter().find(holds).cloned()
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
        let known = self.0.as_ref().map(|mirror| mirror.value());
        known.is_some_and(|known| {
            known
                .as_ref()
                .as_ref()
                .map_or(true, |pauses| !pauses.is_empty())
        })
    }

    /// Everything that is paused, from the file; blocks.
    pub fn list(&self) -> Result<Vec<Pause>, StoreError> {
        let mirror = self.0.as_ref();
        mirror.map_or_else(|| Ok(Vec::new()), |mirror| Ok(mirror.read()?.pauses))
    }

    /// Pauses the location of this alias, or everything; blocks. What is paused already gets the new reason.
    pub fn pause(&self, alias: Option<&str>, reason: Option<&str>) -> Result<Pause, StoreError> {
        if reason.is_some_and(|reason| {
            reason.len() > LONGEST_REASON || reason.contains(char::is_control)
        }) {
            return Err(StoreError::from(format!(
                "a reason has at most {LONGEST_REASON} bytes and no control characters; shorten it"
            )));
        }
        self.change(|pauses| {
            let before = position(pauses, alias).map(|place| pauses.remove(place));
            let paused = Pause {
                location: alias.map(str::to_owned),
                reason: reason.map(str::to_owned),
                since: before.map_or_else(now, |before| before.since),
            };
            // The widest first: it is what a refusal names.
            match alias {
                None => pauses.insert(0, paused.clone()),
                Some(_) => pauses.push(paused.clone()),
            }
            Ok(paused)
        })
    }

    /// Ends that pause, and no other; blocks. `None` where there was none.
    pub fn resume(&self, alias: Option<&str>) -> Result<Option<Pause>, StoreError> {
        self.change(|pauses| Ok(position(pauses, alias).map(|place| pauses.remove(place))))
    }

    fn change<R>(
        &self,
        change: impl FnOnce(&mut Vec<Pause>) -> Result<R, StoreError>,
    ) -> Result<R, StoreError> {
        match &self.0 {
            Some(mirror) => mirror.change(|file| change(&mut file.pauses)),
            None => Err(StoreError::from(
                "there is no folder for state: set state.folder, or HOME".to_owned(),
            )),
        }
    }
}

impl Pause {
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

fn position(pauses: &[Pause], alias: Option<&str>) -> Option<usize> {
    pauses
        .iter()
        .position(|paused| paused.location.as_deref() == alias)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::thread::sleep;
    use std::time::{Duration, Instant};

    use super::*;

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
                |pauses| drop(pauses.pause(Some("acme"), None).expect("paused")),
                [false, true, false],
            ),
            (
                |pauses| drop(pauses.pause(None, Some("wrong texts")).expect("paused")),
                [true; 3],
            ),
            (
                |pauses| drop(pauses.pause(None, Some("worse")).expect("paused")),
                [true; 3],
            ),
            (
                |pauses| assert!(pauses.resume(None).expect("resumed").is_some()),
                [false, true, false],
            ),
            (
                |pauses| assert!(pauses.resume(Some("acme")).expect("resumed").is_some()),
                [false; 3],
            ),
        ];
        let folder = tempfile::tempdir().expect("a folder");
        let pauses = Pauses::open(folder.path()).expect("open");
        for (index, (act, expected)) in rows.into_iter().enumerate() {
            act(&pauses);
            assert_eq!(seen(&pauses), expected, "{index}");
            assert_eq!(pauses.is_any(), expected.contains(&true), "{index}");
            let restarted = Pauses::open(folder.path()).expect("open");
            assert_eq!(seen(&restarted), expected, "{index} after a restart");
        }
        assert_eq!(pauses.resume(None), Ok(None));
        assert!(pauses.pause(None, Some(&"x".repeat(501))).is_err());
        assert_eq!(seen(&Pauses::default()), [false; 3]);
    }

    #[test]
    fn a_refusal_says_why_and_names_no_location() {
        let folder = tempfile::tempdir().expect("a folder");
        let pauses = Pauses::open(folder.path()).expect("open");
        let paused = pauses
            .pause(Some("acme"), Some("wrong texts"))
            .expect("paused");
        let told = paused.sentence();
        assert!(
            told.ends_with("Z: wrong texts.") && !told.contains("acme"),
            "{told}"
        );
    }

    /// By the file alone, as another process changes it.
    #[test]
    fn another_process_is_heard_within_a_fifth_of_a_second() {
        let folder = tempfile::tempdir().expect("a folder");
        let pauses = Pauses::open(folder.path()).expect("open");
        let path = folder.path().join(NAME);
        let paused =
            "{\"pauses\":[{\"location\":null,\"reason\":null,\"since\":\"2026-11-28T00:00:00Z\"}]}";
        let rows = [
            (paused, true),
            ("{\"pauses\":[]}", false),
            ("{\"pauses\":", true),
            ("{\"pauses\":[]}", false),
            ("", true),
        ];
        for (text, expected) in rows {
            let beside = folder.path().join("beside");
            fs::write(&beside, text).expect("written");
            fs::rename(&beside, &path).expect("renamed");
            let since = Instant::now();
            while pauses.paused(None).is_some() != expected {
                assert!(since.elapsed() < Duration::from_secs(5), "{text:?}");
                sleep(Duration::from_millis(1));
            }
        }
        let told = pauses.paused(None).expect("fails safe").sentence();
        assert!(told.contains("cannot read its emergency stop"), "{told}");
        let error = pauses.resume(None).expect_err("broken").to_string();
        assert!(error.contains("pause.json is broken"), "{error}");
    }
}

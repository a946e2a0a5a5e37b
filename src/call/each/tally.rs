//! Summarises the results of the rows of one confirm: equal failures once, with their number.

use serde_json::{Map, Value, json};

use super::super::batch::without_values;
use super::super::prepared_request::SelectedRow;
use super::super::{Answer, record_names};

/// The most different failures that are reported, each with its first rows.
const MOST_FAILURES: usize = 20;

/// Longest reported sentence of HighLevel's, in characters.
const LONGEST_MESSAGE: usize = 300;

/// The state of every row.
pub(super) struct RowTally<'a> {
    rows: &'a [SelectedRow],
    outcomes: Vec<Option<RowOutcome>>,
    confirm: &'a str,
    /// There may be further rows: how to go on with them.
    incomplete: Option<&'a str>,
    stopped: Option<&'static str>,
    /// What came of a row was not written down in time.
    is_unrecorded: bool,
}

/// The result of one row.
#[derive(Clone, Debug, PartialEq, Eq)]
enum RowOutcome {
    Done,
    /// The record no longer exists.
    Gone,
    /// It may or may not have happened.
    Unknown,
    Failed {
        failure: Map<String, Value>,
        /// Nothing was sent: the next confirm tries it again.
        did_nothing: bool,
    },
}

impl<'a> RowTally<'a> {
    pub(super) fn new(rows: &'a [SelectedRow], confirm: &'a str) -> Self {
        Self {
            rows,
            outcomes: vec![None; rows.len()],
            confirm,
            incomplete: None,
            stopped: None,
            is_unrecorded: false,
        }
    }

    pub(super) fn with_incomplete(self, incomplete: Option<&'a str>) -> Self {
        Self { incomplete, ..self }
    }

    pub(super) fn set(&mut self, index: usize, answer: &Answer) {
        self.is_unrecorded |= answer.is_unrecorded;
        if let (Some(outcome), Some(row)) = (self.outcomes.get_mut(index), self.rows.get(index)) {
            *outcome = Some(RowOutcome::new(answer, &row.item));
        }
    }

    pub(super) fn is_known(&self, index: usize) -> bool {
        self.outcomes.get(index).is_some_and(Option::is_some)
    }

    pub(super) fn is_unrecorded(&self) -> bool {
        self.is_unrecorded
    }

    /// Rows whose outcome is known.
    pub(super) fn known(&self) -> usize {
        self.outcomes.iter().flatten().count()
    }

    /// Ends this call: it sends no further row.
    pub(super) fn stop(&mut self, why: &'static str) {
        self.stopped = Some(why);
    }

    /// Whether the call failed entirely: something failed, and nothing was done.
    pub(super) fn has_failed(&self) -> bool {
        let mut outcomes = self.outcomes.iter().flatten();
        let is_failure =
            |one: &RowOutcome| matches!(one, RowOutcome::Failed { .. } | RowOutcome::Unknown);
        self.count(&RowOutcome::Done) == 0 && outcomes.any(is_failure)
    }

    pub(super) fn did_nothing(&self) -> bool {
        let mut outcomes = self.outcomes.iter().flatten();
        outcomes.all(|one| {
            matches!(
                one,
                RowOutcome::Failed {
                    did_nothing: true,
                    ..
                }
            )
        })
    }

    pub(super) fn text(&self) -> String {
        let failed = |one: &RowOutcome| matches!(one, RowOutcome::Failed { .. });
        let again = |one: &RowOutcome| {
            matches!(
                one,
                RowOutcome::Failed {
                    did_nothing: true,
                    ..
                }
            )
        };
        let left = self.rows.len() - self.known();
        let mut shown = json!({
            "done": self.count(&RowOutcome::Done),
            "failed": self.outcomes.iter().flatten().filter(|one| failed(one)).count(),
            "notRun": left,
            "of": self.rows.len(),
        });
        for (name, outcome) in [("gone", RowOutcome::Gone), ("unknown", RowOutcome::Unknown)] {
            let count = self.count(&outcome);
            if count > 0 {
                shown[name] = json!({"count": count, "first": self.first(&outcome)});
            }
        }
        let failures = self.failures();
        if !failures.is_empty() {
            shown["failures"] = json!(failures);
        }
        if let Some(incomplete) = self.incomplete {
            shown["incomplete"] = json!(incomplete);
        }
        let mut remedies = Vec::new();
        if left > 0 {
            let why = self.stopped.unwrap_or("The client left");
            remedies.push(format!("{why}; repeat with this confirm alone to go on."));
        } else if self.outcomes.iter().flatten().any(again) {
            let what = "What was refused unsent is tried again with this confirm.";
            remedies.push(what.to_owned());
        }
        if self.count(&RowOutcome::Unknown) > 0 {
            let what = "What is unknown may or may not have happened: read the records.";
            remedies.push(what.to_owned());
        }
        if !remedies.is_empty() {
            shown["remedy"] = json!(remedies.join(" "));
            shown["confirm"] = json!(self.confirm);
        }
        shown.to_string()
    }

    fn count(&self, outcome: &RowOutcome) -> usize {
        let outcomes = self.outcomes.iter().flatten();
        outcomes.filter(|one| *one == outcome).count()
    }

    /// The names of the first rows with this outcome.
    fn first(&self, outcome: &RowOutcome) -> Vec<String> {
        let rows = self.rows.iter().zip(&self.outcomes);
        let found = rows.filter(|(_, one)| one.as_ref() == Some(outcome));
        found
            .take(record_names::MOST_NAMED)
            .map(|(row, _)| row.label())
            .collect()
    }

    /// Each failure once, in the order of the rows.
    fn failures(&self) -> Vec<Value> {
        let mut different: Vec<&RowOutcome> = Vec::new();
        for outcome in self.outcomes.iter().flatten() {
            let is_failure = matches!(outcome, RowOutcome::Failed { .. });
            if is_failure && !different.contains(&outcome) {
                different.push(outcome);
            }
        }
        let mut shown: Vec<Value> = different
            .iter()
            .take(MOST_FAILURES)
            .filter_map(|outcome| {
                let RowOutcome::Failed { failure, .. } = outcome else {
                    return None;
                };
                let mut shown = failure.clone();
                shown.insert("count".to_owned(), json!(self.count(outcome)));
                shown.insert("first".to_owned(), json!(self.first(outcome)));
                Some(Value::Object(shown))
            })
            .collect();
        let more = different.len().saturating_sub(MOST_FAILURES);
        if more > 0 {
            shown.push(json!(format!("{more} other failures")));
        }
        shown
    }
}

impl RowOutcome {
    /// `item`: the row's own arguments. Their values in an error are shown as their names, so that rows fail alike.
    fn new(answer: &Answer, item: &Map<String, Value>) -> Self {
        if !answer.is_error {
            return Self::Done;
        }
        let told: Map<String, Value> = serde_json::from_str(&answer.text)
            .unwrap_or_else(|_| Map::from_iter([("error".to_owned(), json!(answer.text))]));
        let class = told.get("class").and_then(Value::as_str);
        match class.unwrap_or_else(|| answer.outcome()) {
            "not_found" => return Self::Gone,
            "unknown_outcome" => return Self::Unknown,
            _ => {}
        }
        let failure = ["error", "class", "message", "remedy"]
            .into_iter()
            .filter_map(|name| {
                let text = told.get(name)?.as_str()?;
                let text = without_values(text, item);
                let text: String = text.chars().take(LONGEST_MESSAGE).collect();
                Some((name.to_owned(), json!(text)))
            });
        Self::Failed {
            failure: failure.collect(),
            did_nothing: answer.did_nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::Failure;
    use crate::upstream::failure::FailureClass;

    fn row(index: usize) -> SelectedRow {
        SelectedRow {
            item: Map::from_iter([("contactId".to_owned(), json!(format!("c{index}")))]),
            name: index.is_multiple_of(2).then(|| format!("Name {index}")),
            digest: String::new(),
        }
    }

    fn failed(class: FailureClass, what: &str) -> Answer {
        let mut failure = Failure::new(class, what);
        failure.sent = true;
        Answer::failed(&failure)
    }

    #[test]
    fn equal_failures_are_reported_once_with_their_rows() {
        let rows: Vec<SelectedRow> = (0..12).map(row).collect();
        let mut tally = RowTally::new(&rows, "t");
        for index in 0..12 {
            let answer = match index {
                0..=7 => failed(FailureClass::Dnd, "The contact asked not to be disturbed."),
                8 => failed(FailureClass::NotFound, "There is none."),
                9 => failed(FailureClass::UnknownOutcome, "It broke off."),
                _ => Answer::text("{}".to_owned()),
            };
            if index < 11 {
                tally.set(index, &answer);
            }
        }
        let told: Value = serde_json::from_str(&tally.text()).expect("JSON");
        let expected = json!({
            "done": 1, "failed": 8, "notRun": 1, "of": 12,
            "gone": {"count": 1, "first": ["Name 8 (c8)"]},
            "unknown": {"count": 1, "first": ["c9"]},
            "failures": [{
                "error": "The contact asked not to be disturbed.", "class": "dnd", "count": 8,
                "first": ["Name 0 (c0)", "c1", "Name 2 (c2)", "c3", "Name 4 (c4)"],
            }],
            "remedy": "The client left; repeat with this confirm alone to go on. What is unknown may or may not have happened: read the records.",
            "confirm": "t",
        });
        assert_eq!(told, expected);
        assert!(!tally.has_failed() && !tally.did_nothing());
    }

    #[test]
    fn a_run_without_a_done_row_fails() {
        for (class, has_failed) in [
            (FailureClass::Dnd, true),
            (FailureClass::UnknownOutcome, true),
            (FailureClass::NotFound, false),
        ] {
            let rows = [row(0)];
            let mut tally = RowTally::new(&rows, "t");
            tally.set(0, &failed(class, "No."));
            assert_eq!(tally.has_failed(), has_failed, "{class:?}");
        }
    }
}

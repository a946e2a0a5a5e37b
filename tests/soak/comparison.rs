//! Compares HighLevel's actions with the audit and with the answers to the agents.

use std::collections::{BTreeMap, BTreeSet};

use crate::client::CallResult;
use crate::evidence::{Evidence, Row, Write};
use crate::intent::{Fate, Intent, IntentKind, Ledger, is_narrow, location_id};
use crate::options::Options;
use crate::sweep::Repeat;
use crate::trouble::Trouble;

const HOUR: i64 = 3_600_000;

/// A violated invariant.
pub(crate) struct Fault {
    pub rule: &'static str,
    pub what: String,
}

/// All faults of the run.
pub(crate) fn compare(
    ledger: &Ledger,
    after: &Evidence,
    repeats: &[Repeat],
    options: &Options,
) -> Vec<Fault> {
    let mut faults = Vec::new();
    check_writes(ledger, after, &mut faults);
    check_audit(after, &mut faults);
    let is_database_away =
        [Trouble::DatabaseCrash, Trouble::DatabaseHang].contains(&options.trouble);
    for intent in &ledger.intents {
        check_answers(intent, after, &mut faults);
    }
    for repeat in repeats {
        check_repeat(&ledger.intents[repeat.intent], repeat, &mut faults);
    }
    check_caps(ledger, after, options, &mut faults);
    check_limit(after, options, &mut faults);
    if ledger.ends > 0 && !is_database_away {
        let what = ledger.ends.to_string();
        faults.push(Fault::new("an instance ended by itself", what));
    }
    if options.is_upgrade() {
        check_refused(ledger, &mut faults);
    }
    faults
}

/// Every write was done once, and began once by the audit.
fn check_writes(ledger: &Ledger, after: &Evidence, faults: &mut Vec<Fault>) {
    let given_up = given_up(ledger);
    for (marker, writes) in &after.writes {
        if writes.len() > 1 {
            let what = format!("{marker}: {} times", writes.len());
            faults.push(Fault::new("a write was done twice", what));
        }
        let Some(write) = writes.first() else {
            continue;
        };
        let rows = after.rows(marker);
        let count = |is: &dyn Fn(&Row) -> bool| rows.iter().filter(|row| is(row)).count();
        let (found, open) = (count(&|row| row.is(write)), count(&Row::is_open));
        let unknown = count(&Row::is_unknown);
        let is_found = found == 1 && (open == 0 || given_up.contains(marker));
        let is_unheard = found == 0 && (open, unknown) != (0, 0) && open <= 1;
        if !is_found && !is_unheard {
            let what = format!(
                "{marker}: {found} rows of {}, {open} without an end, {unknown} unknown",
                write.trace
            );
            faults.push(Fault::new("a write has not one begun row", what));
        }
    }
}

/// Items of batches whose agent was told that nothing happened. If the store did not answer in time they were given up,
/// and the store may still show a beginning, though nothing was sent.
fn given_up(ledger: &Ledger) -> BTreeSet<&String> {
    let batches = ledger.intents.iter().filter(|intent| intent.is_batch());
    let items = batches.flat_map(|intent| intent.markers.iter().zip(&intent.fates));
    let items = items.filter(|(_, fate)| **fate == Fate::Nothing);
    items.map(|(marker, _)| marker).collect()
}

/// Every write that the audit reports was done.
fn check_audit(after: &Evidence, faults: &mut Vec<Fault>) {
    for (marker, rows) in &after.rows {
        let ends = rows.iter().filter_map(|row| row.end.as_ref());
        for end in ends.filter(|end| end.outcome == "ok") {
            let writes = after.writes(marker);
            if !writes
                .iter()
                .any(|write| Some(&write.trace) == end.trace.as_ref())
            {
                let what = format!("{marker}: {:?}", end.trace);
                faults.push(Fault::new("the audit has a write that was not done", what));
            }
        }
    }
}

/// What agents were told is so.
fn check_answers(intent: &Intent, after: &Evidence, faults: &mut Vec<Fault>) {
    for (marker, fate) in intent.markers.iter().zip(&intent.fates) {
        let is_done = !after.writes(marker).is_empty();
        let kind = intent.kind;
        match fate {
            Fate::Done | Fate::Unrecorded if !is_done => {
                let what = format!("{kind:?} {marker}");
                faults.push(Fault::new("an answer says done, and it was not", what));
            }
            Fate::Done if after.is_open(marker) => {
                let what = format!("{kind:?} {marker}");
                faults.push(Fault::new("an answered call has no done row", what));
            }
            Fate::Nothing if is_done && !intent.was_lost => {
                let what = format!("{kind:?} {marker}");
                faults.push(Fault::new(
                    "an answer says nothing was done, and it was",
                    what,
                ));
            }
            _ => {}
        }
    }
}

/// An open call is reported as open, and a completed one is answered again.
fn check_repeat(intent: &Intent, repeat: &Repeat, faults: &mut Vec<Fault>) {
    let is_right = match (&repeat.result, repeat.was_open) {
        (CallResult::Unknown, true) => true,
        (CallResult::Unknown, false) => intent.fates.iter().all(|fate| *fate != Fate::Done),
        (CallResult::Done(answer), false) => {
            let was_done = intent.fates.iter().all(|fate| fate.is_done());
            !was_done || answer.get("_repeated").is_some()
        }
        // The call was unknown: it is done now, or refused like any call.
        (CallResult::Nothing(..), false) => intent.fates.contains(&Fate::Open),
        _ => false,
    };
    if !is_right {
        let (kind, marker, fates) = (intent.kind, &intent.markers[0], &intent.fates);
        let (was_open, result) = (repeat.was_open, &repeat.result);
        let what =
            format!("{kind:?} {marker}, told {fates:?}, open: {was_open}, repeated: {result:?}");
        faults.push(Fault::new("a repeat is answered wrongly", what));
    }
}

/// No location exceeds its hourly caps.
fn check_caps(ledger: &Ledger, after: &Evidence, options: &Options, faults: &mut Vec<Fault>) {
    let mut sends: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
    for write in after.writes.values().flatten() {
        if write.operation == "POST /conversations/messages" {
            sends.entry(&write.location).or_default().push(write.time);
        }
    }
    let mut narrow: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    let creates = [IntentKind::Create, IntentKind::KeyedCreate];
    let narrowed = ledger.intents.iter().filter(|one| is_narrow(one.agent));
    for intent in narrowed.filter(|one| creates.contains(&one.kind)) {
        let location = location_id(intent.agent % options.locations);
        let writes = intent
            .markers
            .iter()
            .flat_map(|marker| after.writes(marker));
        narrow
            .entry(location)
            .or_default()
            .extend(writes.map(|write: &Write| write.time));
    }
    for (location, times) in sends {
        check_cap("sends", location, times, options.sends, faults);
    }
    for (location, times) in narrow {
        check_cap(
            "narrow writes",
            &location,
            times,
            options.narrow_writes,
            faults,
        );
    }
}

fn check_cap(
    what: &str,
    location: &str,
    mut times: Vec<i64>,
    most: usize,
    faults: &mut Vec<Fault>,
) {
    let found = most_in_a_window(&mut times, HOUR);
    if found > most {
        let what = format!("{found} {what} in {location}, where {most} are allowed");
        faults.push(Fault::new("a cap was exceeded", what));
    }
}

/// The most of these times in any window of this many milliseconds.
fn most_in_a_window(times: &mut [i64], window: i64) -> usize {
    times.sort_unstable();
    let mut first = 0;
    let mut most = 0;
    for (last, time) in times.iter().enumerate() {
        while times[first] <= time - window {
            first += 1;
        }
        most = most.max(last + 1 - first);
    }
    most
}

fn check_limit(after: &Evidence, options: &Options, faults: &mut Vec<Fault>) {
    #[expect(clippy::cast_precision_loss, reason = "a share in percent")]
    let share = 100.0 * after.limited as f64 / after.requests.max(1) as f64;
    if share > options.most_refused {
        let what = format!("{share:.2} % of {} requests", after.requests);
        faults.push(Fault::new("HighLevel refused too many for its limit", what));
    }
}

/// A balancer sends a request that nobody listens for to another instance, so every request is accepted and answered.
fn check_refused(ledger: &Ledger, faults: &mut Vec<Fault>) {
    const FINE: [&str; 6] = [
        "done",
        "previewed",
        "under way",
        "not connected",
        "nothing happened: cap",
        "nothing happened: rate_limited",
    ];
    for (result, count) in &ledger.results {
        if !FINE.contains(&result.as_str()) {
            let what = format!("{result}: {count} times");
            faults.push(Fault::new("a request was refused in an upgrade", what));
        }
    }
}

impl Fault {
    fn new(rule: &'static str, what: String) -> Self {
        Self { rule, what }
    }
}

//! The figures of a run.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::comparison::Fault;
use crate::evidence::Evidence;
use crate::intent::{Fate, Ledger};
use crate::sweep::Repeat;

/// Most faults of a kind that are printed.
const MOST_SHOWN: usize = 5;

pub(crate) fn print(ledger: &Ledger, after: &Evidence, repeats: &[Repeat], faults: &[Fault]) {
    let line = |name: &str, value: String| println!("{name:<44}{value}");
    let seconds = ledger.lasted.as_secs_f64();
    let calls: usize = ledger.results.values().sum();
    line("seconds", format!("{seconds:.0}"));
    line("instances killed", ledger.kills.to_string());
    line("  replaced by another build", ledger.replaced.to_string());
    line("  ended by themselves", ledger.ends.to_string());
    line("other troubles", ledger.troubles.to_string());
    line(
        "calls",
        format!("{calls} ({:.0} per second)", per_second(calls, seconds)),
    );
    for (result, count) in &ledger.results {
        line(&format!("  {result}"), count.to_string());
    }
    let (half, most) = (percentile(&ledger.taken, 50), percentile(&ledger.taken, 99));
    line(
        "time to answer, for half and for 99 of 100",
        format!("{half:.0?}, {most:.0?}"),
    );
    line("tasks of the agents", ledger.intents.len().to_string());
    let fates = ledger.intents.iter().flat_map(|intent| &intent.fates);
    let count = |fate| fates.clone().filter(|one| **one == fate).count();
    line("  writes said to be done", count(Fate::Done).to_string());
    line(
        "  and not to be written down",
        count(Fate::Unrecorded).to_string(),
    );
    line("  said not to be done", count(Fate::Nothing).to_string());
    line("  said to be unknown", count(Fate::Unknown).to_string());
    line(
        "  without a conclusive answer",
        count(Fate::Open).to_string(),
    );
    line("requests at HighLevel", after.requests.to_string());
    line("  refused for the limit (429)", after.limited.to_string());
    line(
        "  writes done",
        after
            .writes
            .values()
            .map(Vec::len)
            .sum::<usize>()
            .to_string(),
    );
    let rows = after.rows.values().flatten();
    let open = rows.clone().filter(|row| row.end.is_none()).count();
    line("begun rows in the audit", rows.count().to_string());
    line("  without an end", open.to_string());
    for (class, count) in &after.refusals {
        line(&format!("  refusals: {class}"), count.to_string());
    }
    let were_open = repeats.iter().filter(|repeat| repeat.was_open).count();
    line(
        "repeated afterwards",
        format!("{}, of them open {were_open}", repeats.len()),
    );
    let mut kinds: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for fault in faults {
        kinds.entry(fault.rule).or_default().push(&fault.what);
    }
    line("faults", faults.len().to_string());
    for (rule, all) in kinds {
        line(&format!("  {rule}"), all.len().to_string());
        for what in all.iter().take(MOST_SHOWN) {
            println!("    {what}");
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn per_second(count: usize, seconds: f64) -> f64 {
    count as f64 / seconds
}

fn percentile(taken: &[Duration], percent: usize) -> Duration {
    let mut taken = taken.to_vec();
    taken.sort_unstable();
    let place = taken.len() * percent / 100;
    taken
        .get(place.min(taken.len().saturating_sub(1)))
        .copied()
        .unwrap_or_default()
}

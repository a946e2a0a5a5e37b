//! After the run: interrupted calls are repeated under their keys, and so are some of the completed ones.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use tokio::time::sleep;

use crate::client::{CallResult, Client};
use crate::evidence::Evidence;
use crate::fleet::Fleet;
use crate::intent::{Fate, Intent, Ledger};

/// Most completed calls that are repeated.
const MOST_DONE: usize = 300;

/// Concurrent repeats.
const AT_ONCE: usize = 8;

/// Most calls for one repeat.
const MOST_CALLS: usize = 40;

/// An intent that was repeated.
pub(crate) struct Repeat {
    /// Its index in the ledger.
    pub intent: usize,
    /// Whether one of its calls began and has no end in the audit.
    pub was_open: bool,
    pub result: CallResult,
}

/// Repeats the open calls, and the last of the completed ones.
pub(crate) async fn repeat(ledger: &Ledger, before: &Evidence, fleet: &Arc<Fleet>) -> Vec<Repeat> {
    let is_open = |intent: &Intent| {
        let mut told = intent.markers.iter().zip(&intent.fates);
        told.any(|(marker, fate)| {
            let is_given_up = intent.is_batch() && *fate == Fate::Nothing;
            before.is_open(marker) && !is_given_up
        })
    };
    let is_done = |intent: &Intent| intent.fates.iter().all(|fate| fate.is_done());
    let repeatable = ledger.intents.iter().enumerate();
    let repeatable = repeatable.filter(|(_, intent)| intent.repeat.is_some());
    let (open, rest): (Vec<_>, Vec<_>) = repeatable.partition(|(_, intent)| is_open(intent));
    let (done, rest): (Vec<_>, Vec<_>) = rest.into_iter().partition(|(_, intent)| is_done(intent));
    let unknown = rest
        .into_iter()
        .filter(|(_, intent)| intent.fates.contains(&Fate::Open));
    let done = done.into_iter().rev().take(MOST_DONE);
    let all = open.into_iter().map(|one| (one, true));
    let all = all.chain(unknown.chain(done).map(|one| (one, false)));
    let repeats = all.map(|((place, intent), was_open)| async move {
        let key = &ledger.keys[&intent.agent];
        let result = conclude(key, intent, fleet).await;
        Repeat {
            intent: place,
            was_open,
            result,
        }
    });
    stream::iter(repeats).buffered(AT_ONCE).collect().await
}

async fn conclude(key: &str, intent: &Intent, fleet: &Fleet) -> CallResult {
    let Some((tool, arguments)) = &intent.repeat else {
        return CallResult::NotConnected;
    };
    let mut client = Client::new(key, fleet.len());
    let mut last = CallResult::NotConnected;
    for _ in 0..MOST_CALLS {
        let instance = fleet.choose(None);
        let address = fleet.address(instance);
        last = client
            .call((instance, address), (tool, arguments), None)
            .await;
        let wait = match &last {
            CallResult::Done(_) | CallResult::Unknown | CallResult::Preview(_) => break,
            CallResult::Nothing(_, Some(wait)) if *wait < Duration::from_secs(15) => *wait,
            CallResult::Nothing(..) => break,
            _ => Duration::from_secs(1),
        };
        sleep(wait).await;
    }
    last
}

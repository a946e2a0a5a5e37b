//! The time zone of the location that a call is for: from the settings, or asked of HighLevel once.

use std::pin::Pin;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hashlink::LruCache;
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

use super::stop::Stoppable;
use super::{Answer, CallContext, ConsentSource, Facts, Pipeline};
use crate::call::arguments::{Checker, LocalZone};
use crate::catalog;
use crate::upstream::{Digest, Reply, TenantId};
use tool::Tool;

/// A location moves to another zone about never, and its operator sees what is sent.
const KNOWN_FOR: Duration = Duration::from_secs(3_600);

/// So long a read that failed is not tried again: a batch asks once, whatever comes of it.
const UNKNOWN_FOR: Duration = Duration::from_secs(30);

/// Zones that are kept at once, some 200 bytes each.
const MOST_KEPT: usize = 10_000;

/// The read that tells it; its scope is `locations.readonly`.
static GET_LOCATION: LazyLock<Option<&'static Tool>> =
    LazyLock::new(|| catalog::get("/locations/{locationId}"));

/// What HighLevel told of locations, for each token by itself: who is not let in learns nothing from who is.
pub(super) struct ZoneCache(Mutex<LruCache<(Digest, TenantId), KeptZone>>);

struct KeptZone {
    zone: LocalZone,
    since: Instant,
}

impl Default for ZoneCache {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(MOST_KEPT)))
    }
}

impl ZoneCache {
    fn get(&self, key: &(Digest, TenantId), now: Instant) -> Option<LocalZone> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = kept.get(key)?;
        let longest = match found.zone {
            LocalZone::Known(_) => KNOWN_FOR,
            _ => UNKNOWN_FOR,
        };
        let is_fresh = now.saturating_duration_since(found.since) < longest;
        is_fresh.then(|| found.zone.clone())
    }

    fn keep(&self, key: (Digest, TenantId), zone: LocalZone, since: Instant) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.insert(key, KeptZone { zone, since });
    }
}

impl Pipeline {
    /// Learns the zone of the call's times without an offset. A read of which it is not known takes them as UTC, and says
    /// so. What was stopped in the meantime asks nobody.
    pub(super) async fn set_zone(
        &self,
        facts: &mut Facts,
        context: &CallContext,
    ) -> Result<(), Answer> {
        if let Some((failure, rule)) = self.stopped(&Stoppable::new(facts, context)) {
            return Err(self.refuse(facts, &failure, rule, context));
        }
        facts.zone = self.find_zone(facts, context).await;
        facts.warn(facts.zone_warning().into_iter().collect());
        if let LocalZone::Unknown(why) = &facts.zone
            && facts.is_read()
        {
            facts.warn(vec![format!(
                "Times without an offset were taken as UTC: the location's time zone is not known ({why}). Give an \
                 offset such as -08:00, or a zone such as [America/Los_Angeles]."
            )]);
        }
        Ok(())
    }

    /// The zone of the location that the call is for, from the settings or asked of HighLevel.
    pub(super) async fn find_zone(&self, facts: &Facts, context: &CallContext) -> LocalZone {
        let named = Checker::named_location(facts.variant, &facts.arguments);
        let location = named
            .or_else(|| facts.location.clone())
            .or_else(|| self.transport().only_location(&facts.caller));
        let Some(location) = location else {
            return LocalZone::unknown("the call names no location");
        };
        if self.may_hear_of(&context.principal, &facts.caller, Some(&location))
            && let Some(account) = facts.snapshot.locations.of_location(location.as_str())
            && let Some(zone) = &account.configured.timezone
        {
            return LocalZone::Known(zone.clone());
        }
        let rules = facts.rules(context);
        let readable =
            GET_LOCATION.filter(|tool| rules.shows(tool).is_ok() && rules.asks_nobody(tool));
        let Some(tool) = readable else {
            return LocalZone::unknown("the rules do not let it be read");
        };
        let key = (self.transport().digest(&facts.caller), location.clone());
        if let Some(zone) = self.0.zones.get(&key, Instant::now()) {
            return zone;
        }
        let (variant, version) = tool.variant(self.transport().preferred());
        let asking = Facts {
            tool,
            variant,
            version,
            arguments: Map::from_iter([("locationId".to_owned(), json!(location.as_str()))]),
            once: None,
            idempotency_key: None,
            ..facts.clone()
        };
        let zone = match self.read_location(asking, context).await {
            Ok(reply) => zone_in(&reply.body),
            Err(answer) => {
                let why = answer.sentence();
                LocalZone::unknown(&format!(
                    "reading the location failed: {}",
                    why.trim_end_matches('.')
                ))
            }
        };
        self.0.zones.keep(key, zone.clone(), Instant::now());
        zone
    }

    /// Its type is written out, for this read is checked like the call that it is for.
    fn read_location<'a>(
        &'a self,
        facts: Facts,
        context: &'a CallContext,
    ) -> Pin<Box<dyn Future<Output = Result<Reply, Answer>> + Send + 'a>> {
        Box::pin(self.read(facts, ConsentSource::Caller(None), context))
    }
}

fn zone_in(body: &str) -> LocalZone {
    let answer: Value = serde_json::from_str(body).unwrap_or_default();
    let location = answer.get("location").unwrap_or(&answer);
    let name = location["timezone"].as_str().unwrap_or_default();
    match TimeZone::get(name) {
        Ok(zone) => LocalZone::Known(zone),
        Err(_) if name.is_empty() => LocalZone::unknown("HighLevel has none for it"),
        Err(_) => LocalZone::unknown("HighLevel's name for it is no IANA zone"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_is_kept_for_an_hour_and_a_failure_for_half_a_minute() {
        let cache = ZoneCache::default();
        let key = |id: &str| ([7; 32], TenantId::parse(id).expect("an id"));
        let start = Instant::now();
        let known = zone_in(r#"{"location":{"timezone":"America/Los_Angeles"}}"#);
        assert!(matches!(known, LocalZone::Known(_)));
        cache.keep(key("one"), known, start);
        cache.keep(key("two"), zone_in("{}"), start);
        for (id, after, expected) in [
            ("one", 3_599, true),
            ("one", 3_600, false),
            ("two", 29, true),
            ("two", 30, false),
            ("three", 0, false),
        ] {
            let now = start + Duration::from_secs(after);
            assert_eq!(
                cache.get(&key(id), now).is_some(),
                expected,
                "{id} after {after} s"
            );
        }
    }

    #[test]
    fn what_highlevel_answers_is_a_zone_or_a_reason() {
        for (body, expected) in [
            (r#"{"location":{"timezone":"US/Central"}}"#, "known"),
            (r#"{"timezone":"Asia/Tokyo"}"#, "known"),
            (r#"{"location":{"timezone":"Mars/Base"}}"#, "no IANA zone"),
            (r#"{"location":{}}"#, "has none"),
            ("<html>", "has none"),
        ] {
            let said = match zone_in(body) {
                LocalZone::Known(_) => "known".to_owned(),
                LocalZone::Unknown(why) => why.to_string(),
                LocalZone::Unasked | LocalZone::Utc => String::new(),
            };
            assert!(said.contains(expected), "{body}: {said}");
        }
    }
}

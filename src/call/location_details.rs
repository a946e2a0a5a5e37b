//! Time zone and company of a call's location, read from HighLevel once.

use std::pin::Pin;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hashlink::LruCache;
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

use super::{Answer, CallContext, ConsentSource, Facts, Pipeline};
use crate::call::arguments::{Checker, LocalZone};
use crate::catalog;
use crate::upstream::{Digest, Reply, TenantId};
use tool::Tool;

/// A location hardly ever moves to another zone or company, and its operator sees what is sent.
const KNOWN_FOR: Duration = Duration::from_secs(3_600);

/// The time before an answer without the fact is read again: a batch reads once, whatever the answer.
const UNKNOWN_FOR: Duration = Duration::from_secs(30);

/// The most locations that are kept, some 300 bytes each.
const MOST_KEPT: usize = 10_000;

/// The operation that is read; its scope is `locations.readonly`.
static GET_LOCATION: LazyLock<Option<&'static Tool>> =
    LazyLock::new(|| catalog::get("/locations/{locationId}"));

/// The facts about a location, or the reason that they are unknown.
#[derive(Clone)]
pub(super) struct LocationDetails {
    pub zone: LocalZone,
    pub company: Option<TenantId>,
}

/// The facts about locations, for each token by itself: a token without access learns nothing from one that has it.
pub(super) struct LocationDetailsCache(Mutex<LruCache<(Digest, TenantId), KeptDetails>>);

struct KeptDetails {
    details: LocationDetails,
    since: Instant,
}

impl Default for LocationDetailsCache {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(MOST_KEPT)))
    }
}

impl LocationDetailsCache {
    /// `tells`: whether the details have the required fact. Without it they are fresh for a shorter time.
    fn get(
        &self,
        key: &(Digest, TenantId),
        tells: fn(&LocationDetails) -> bool,
        now: Instant,
    ) -> Option<LocationDetails> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = kept.get(key)?;
        let longest = match tells(&found.details) {
            true => KNOWN_FOR,
            false => UNKNOWN_FOR,
        };
        let age = now.saturating_duration_since(found.since);
        if age < longest {
            return Some(found.details.clone());
        }
        if age >= KNOWN_FOR {
            kept.remove(key);
        }
        None
    }

    fn keep(&self, key: (Digest, TenantId), details: LocationDetails, since: Instant) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.insert(key, KeptDetails { details, since });
    }
}

impl LocationDetails {
    fn unknown(why: &str) -> Self {
        Self {
            zone: LocalZone::unknown(why),
            company: None,
        }
    }

    fn new(body: &str) -> Self {
        let answer: Value = serde_json::from_str(body).unwrap_or_default();
        let location = answer.get("location").unwrap_or(&answer);
        let name = location["timezone"].as_str().unwrap_or_default();
        let zone = match TimeZone::get(name) {
            Ok(zone) => LocalZone::Known(zone),
            Err(_) if name.is_empty() => LocalZone::unknown("HighLevel has none for it"),
            Err(_) => LocalZone::unknown("HighLevel's name for it is no IANA zone"),
        };
        let company = location["companyId"].as_str().and_then(TenantId::parse);
        Self { zone, company }
    }

    pub(super) fn has_zone(&self) -> bool {
        matches!(self.zone, LocalZone::Known(_))
    }

    pub(super) fn has_company(&self) -> bool {
        self.company.is_some()
    }
}

impl Pipeline {
    /// The call's location, if the call, the connection or HighLevel's list names it.
    pub(super) fn location_of_call(&self, facts: &Facts) -> Option<TenantId> {
        let named = Checker::named_location(facts.variant, &facts.arguments);
        named
            .or_else(|| facts.location.clone())
            .or_else(|| self.transport().only_location(&facts.caller))
    }

    /// The facts about `location`, read with the caller's own token if the rules allow that. `tells`: whether details have
    /// the required fact.
    pub(super) async fn location_details(
        &self,
        location: &TenantId,
        tells: fn(&LocationDetails) -> bool,
        facts: &Facts,
        context: &CallContext,
    ) -> LocationDetails {
        let rules = facts.rules(context);
        let readable =
            GET_LOCATION.filter(|tool| rules.shows(tool).is_ok() && rules.asks_nobody(tool));
        let Some(tool) = readable else {
            return LocationDetails::unknown("the rules do not let it be read");
        };
        let key = (self.transport().digest(&facts.caller), location.clone());
        if let Some(details) = self.0.location_details.get(&key, tells, Instant::now()) {
            return details;
        }
        let (variant, version) = tool.variant(self.transport().preferred());
        let asking = Facts {
            tool,
            variant,
            version,
            arguments: Map::from_iter([("locationId".to_owned(), json!(location.as_str()))]),
            once: None,
            answer_by: None,
            idempotency_key: None,
            ..facts.clone()
        };
        let details = match self.read_location(asking, context).await {
            Ok(reply) => LocationDetails::new(&reply.body),
            Err(answer) => {
                let why = answer.sentence();
                LocationDetails::unknown(&format!(
                    "reading the location failed: {}",
                    why.trim_end_matches('.')
                ))
            }
        };
        let cache = &self.0.location_details;
        cache.keep(key, details.clone(), Instant::now());
        details
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_are_kept_for_an_hour_and_failures_for_half_a_minute() {
        let cache = LocationDetailsCache::default();
        let key = |id: &str| ([7; 32], TenantId::parse(id).expect("an id"));
        let start = Instant::now();
        for (id, body) in [
            ("zone", r#"{"location":{"timezone":"America/Los_Angeles"}}"#),
            ("company", r#"{"location":{"companyId":"C1"}}"#),
            ("none", "{}"),
        ] {
            cache.keep(key(id), LocationDetails::new(body), start);
        }
        let has_zone: fn(&LocationDetails) -> bool = LocationDetails::has_zone;
        let has_company: fn(&LocationDetails) -> bool = LocationDetails::has_company;
        for (id, tells, after, expected) in [
            ("zone", has_company, 29, true),
            ("zone", has_company, 30, false),
            ("zone", has_zone, 3_599, true),
            ("company", has_company, 3_599, true),
            ("company", has_zone, 30, false),
            ("none", has_zone, 29, true),
            ("none", has_zone, 30, false),
            ("another", has_zone, 0, false),
            ("zone", has_zone, 3_600, false),
            // Forgotten, not only passed over.
            ("zone", has_zone, 0, false),
        ] {
            let now = start + Duration::from_secs(after);
            assert_eq!(
                cache.get(&key(id), tells, now).is_some(),
                expected,
                "{id} after {after} s"
            );
        }
    }

    #[test]
    fn an_answer_gives_a_zone_or_a_reason_and_perhaps_a_company() {
        for (body, zone, company) in [
            (
                r#"{"location":{"timezone":"US/Central","companyId":"C1"}}"#,
                "known",
                Some("C1"),
            ),
            (r#"{"timezone":"Asia/Tokyo"}"#, "known", None),
            (
                r#"{"location":{"timezone":"Mars/Base","companyId":"not an id"}}"#,
                "no IANA zone",
                None,
            ),
            (r#"{"location":{"companyId":"C2"}}"#, "has none", Some("C2")),
            ("<html>", "has none", None),
        ] {
            let details = LocationDetails::new(body);
            let said = match &details.zone {
                LocalZone::Known(_) => "known".to_owned(),
                LocalZone::Unknown(why) => why.to_string(),
                LocalZone::Unasked | LocalZone::Utc => String::new(),
            };
            assert!(said.contains(zone), "{body}: {said}");
            assert_eq!(details.company.as_ref().map(TenantId::as_str), company);
        }
    }
}

//! The reach of a token that its connection binds to no location: the locations and the company that HighLevel lists to it.

use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use hashlink::LruCache;
use serde_json::{Map, Value, json};

use super::location_details::LocationDetails;
use super::{Answer, CallContext, ConsentSource, Facts, Pipeline};
use crate::call::arguments::TenantNeed;
use crate::catalog;
use crate::upstream::errors::CONNECT_LOCATION;
use crate::upstream::failure::FailureClass;
use crate::upstream::{Digest, Failure, LocationBinding, Reply, TenantId};
use tool::TokenClass;

/// The read that lists a token's locations: the agency's all, those of a token of one location that one.
const LIST: &str = "/locations/search";

/// Locations of a page, and pages of one list.
const ROWS: usize = 100;
const MOST_PAGES: usize = 20;

/// A page with fewer rows is the last one: HighLevel gives none that is smaller unless it was asked for.
const SMALLEST_PAGE: usize = 10;

/// An agency gets a new location now and then; its operator sees which one a call was for.
const KNOWN_FOR: Duration = Duration::from_secs(600);

/// So long a list that failed is not asked for again: a batch asks once.
const UNKNOWN_FOR: Duration = Duration::from_secs(30);

/// Tokens of which something is kept, some 500 bytes each.
const MOST_KEPT: usize = 10_000;

/// Locations that an error names.
const MOST_NAMED: usize = 5;

/// A location as HighLevel lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ListedLocation {
    pub id: TenantId,
    pub name: Option<String>,
    company: Option<TenantId>,
}

/// What is kept of a token's list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Reach {
    first: Vec<ListedLocation>,
    count: usize,
    /// Of all of them, where that is one.
    company: Option<TenantId>,
}

/// What HighLevel listed to tokens; `None` where it listed nothing.
pub(super) struct ReachCache(Mutex<LruCache<Digest, (Option<Reach>, Instant)>>);

impl Default for ReachCache {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(MOST_KEPT)))
    }
}

impl ReachCache {
    fn get(&self, key: &Digest, now: Instant) -> Option<Option<Reach>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (reach, since) = kept.get(key)?;
        let longest = match reach {
            Some(_) => KNOWN_FOR,
            None => UNKNOWN_FOR,
        };
        let is_fresh = now.saturating_duration_since(*since) < longest;
        is_fresh.then(|| reach.clone())
    }

    fn keep(&self, key: Digest, reach: Option<Reach>, since: Instant) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.insert(key, (reach, since));
    }
}

impl Reach {
    fn new(listed: &[ListedLocation]) -> Self {
        let mut companies = listed.iter().map(|location| &location.company);
        let first = companies.next().cloned().flatten();
        let company = first.filter(|one| companies.all(|other| other.as_ref() == Some(one)));
        Self {
            first: listed.iter().take(MOST_NAMED).cloned().collect(),
            count: listed.len(),
            company,
        }
    }

    /// The location, where there is one.
    fn only(&self) -> Option<&TenantId> {
        match (self.first.as_slice(), self.count) {
            ([only], 1) => Some(&only.id),
            _ => None,
        }
    }

    /// The locations to choose from.
    fn choices(&self) -> String {
        let names = self
            .first
            .iter()
            .map(|location| match location.name.as_deref() {
                Some(name) => format!("{} ({name})", location.id.as_str()),
                None => location.id.as_str().to_owned(),
            });
        let names = Vec::from_iter(names).join(", ");
        match self.count.saturating_sub(self.first.len()) {
            0 => names,
            more => format!("{names} and {more} more"),
        }
    }
}

impl Pipeline {
    /// Fills in what the call needs and its connection does not say: the location and the company, where the token
    /// reaches one. Of several none is guessed; the failure will name them.
    pub(super) async fn find_tenants(
        &self,
        facts: &mut Facts,
        need: TenantNeed,
        context: &CallContext,
    ) {
        let is_unbound = facts.caller.location.is_none();
        let reach = match is_unbound {
            true => self.reach(context).await.unwrap_or_default(),
            false => Reach::default(),
        };
        let mut remedies = Vec::new();
        if need.location {
            match reach.only() {
                Some(only) => self.set_location(facts, only, context),
                // HighLevel refuses it, whichever location is given.
                None if reach.count > 1
                    && facts.variant.token == TokenClass::Location
                    && facts.caller.credential.is_private_integration() =>
                {
                    remedies.push(CONNECT_LOCATION.to_owned());
                }
                None if reach.count > 0 => remedies.push(format!(
                    "The token reaches {} locations; give locationId: {}.",
                    reach.count,
                    reach.choices()
                )),
                None => remedies.push(
                    "Give locationId, the location's id: HighLevel shows it in its address bar and under Settings, Business Profile."
                        .to_owned(),
                ),
            }
        }
        if need.company {
            match reach.company {
                Some(company) => facts.caller.company = Some(company),
                // A token of one location is listed nothing, where its scopes do not say otherwise.
                None => match self.set_company_of_location(facts, context).await {
                    Some(warning) => facts.warn(vec![warning]),
                    None => remedies.push(
                        "Give companyId, the agency's id: locations_get-location shows it, and HighLevel in the agency's Settings, Company."
                            .to_owned(),
                    ),
                },
            }
        }
        if need.company_of_location {
            // Where HighLevel does not tell it, the location's own token is all that binds the call.
            self.set_company_of_location(facts, context).await;
        }
        facts.tenant_remedy = (!remedies.is_empty()).then(|| remedies.join(" ").into_boxed_str());
    }

    /// The call is for `location`, which its connection stands for.
    fn set_location(&self, facts: &mut Facts, location: &TenantId, context: &CallContext) {
        let known = facts.snapshot.locations.of_location(location.as_str());
        facts.caller.configured = known.map(|account| account.configured.clone());
        facts.caller.location = Some(LocationBinding::Default(location.clone()));
        facts.location = Some(location.clone());
        facts.may_disclose = self.may_hear_of(&context.principal, &facts.caller, Some(location));
    }

    /// The call is for the company of its location, which the sentence says; `None` where HighLevel does not tell that
    /// company.
    async fn set_company_of_location(
        &self,
        facts: &mut Facts,
        context: &CallContext,
    ) -> Option<String> {
        let location = self.location_of_call(facts)?;
        let tells = LocationDetails::has_company;
        let details = self
            .location_details(&location, tells, facts, context)
            .await;
        let company = details.company?;
        let sentence = format!(
            "companyId was filled in: {}, the company of location {}.",
            company.as_str(),
            location.as_str()
        );
        facts.caller.company = Some(company);
        Some(sentence)
    }

    /// Says of a refusal what a person can do about it, where the token is known to be an agency's private integration:
    /// no scope of such a token opens a location's data.
    pub(super) async fn explain_refusal(
        &self,
        facts: &Facts,
        mut failure: Failure,
        context: &CallContext,
    ) -> Failure {
        let account = context.principal.account.as_ref();
        let is_refused = matches!(
            failure.class,
            FailureClass::Scope | FailureClass::TokenClass
        );
        if is_refused
            && facts.variant.token == TokenClass::Location
            && account.is_some_and(|account| account.location.is_none())
            && facts.caller.credential.is_private_integration()
            && self
                .reach(context)
                .await
                .is_some_and(|reach| reach.count > 1)
        {
            failure.sentence = "The token is the agency's, not a location's.".to_owned();
            failure.class = FailureClass::TokenClass;
            failure.remedy = Some(CONNECT_LOCATION.into());
        }
        failure
    }

    /// What the caller's own token reaches; nothing where the rules do not let it be asked, or HighLevel does not say.
    async fn reach(&self, context: &CallContext) -> Option<Reach> {
        let account = context.principal.account.as_ref()?;
        let tool = catalog::get(LIST)?;
        if !self.is_visible(tool, &context.principal) {
            return None;
        }
        let key = self.transport().digest(account);
        if let Some(reach) = self.reaches().get(&key, Instant::now()) {
            return reach;
        }
        self.listed_locations(context).await.ok()?;
        self.reaches().get(&key, Instant::now()).flatten()
    }

    /// Every location that HighLevel lists to the caller's own token, in its order.
    pub(super) async fn listed_locations(
        &self,
        context: &CallContext,
    ) -> Result<Vec<ListedLocation>, Answer> {
        let listed = self.list_pages(context).await;
        if let Some(account) = &context.principal.account {
            let reach = listed.as_ref().ok().map(|listed| Reach::new(listed));
            let reach = reach.filter(|reach| reach.count > 0);
            let key = self.transport().digest(account);
            self.reaches().keep(key, reach, Instant::now());
        }
        listed
    }

    async fn list_pages(&self, context: &CallContext) -> Result<Vec<ListedLocation>, Answer> {
        let mut listed: Vec<ListedLocation> = Vec::new();
        for _ in 0..MOST_PAGES {
            let reply = self.list_page(listed.len(), context).await?;
            let answer: Value = serde_json::from_str(&reply.body).unwrap_or_default();
            let rows = answer["locations"]
                .as_array()
                .map_or(&[][..], Vec::as_slice);
            let known = listed.len();
            for location in rows.iter().filter_map(listed_location) {
                if !listed.iter().any(|one| one.id == location.id) {
                    listed.push(location);
                }
            }
            if rows.len() < SMALLEST_PAGE || listed.len() == known {
                break;
            }
        }
        Ok(listed)
    }

    /// Its type is written out, for this read is checked like the call that it is for.
    fn list_page<'a>(
        &'a self,
        skip: usize,
        context: &'a CallContext,
    ) -> Pin<Box<dyn Future<Output = Result<Reply, Answer>> + Send + 'a>> {
        Box::pin(async move {
            let Some(tool) = catalog::get(LIST) else {
                let what = format!(
                    "This server was built without GET {LIST}, by which locations are listed."
                );
                return Err(Failure::new(FailureClass::Refused, what).into());
            };
            let arguments = [("skip", json!(skip)), ("limit", json!(ROWS))];
            let arguments = arguments.map(|(name, value)| (name.to_owned(), value));
            let facts = self.find_account(
                tool,
                Map::from_iter(arguments),
                None,
                context,
                &self.snapshot(),
            )?;
            self.read(facts, ConsentSource::Caller(None), context).await
        })
    }
}

fn listed_location(row: &Value) -> Option<ListedLocation> {
    Some(ListedLocation {
        id: TenantId::parse(row["id"].as_str()?)?,
        name: row["name"].as_str().map(str::to_owned),
        company: row["companyId"].as_str().and_then(TenantId::parse),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(rows: &[(&str, &str)]) -> Vec<ListedLocation> {
        let rows = rows.iter();
        let rows = rows.map(
            |(id, company)| json!({"id": id, "name": format!("At {id}"), "companyId": company}),
        );
        rows.filter_map(|row| listed_location(&row)).collect()
    }

    #[test]
    fn one_location_and_one_company_are_known_and_of_several_five_are_named() {
        let one = Reach::new(&listed(&[("a", "c")]));
        assert_eq!(one.only().map(TenantId::as_str), Some("a"));
        assert_eq!(one.company.as_ref().map(TenantId::as_str), Some("c"));
        let two = Reach::new(&listed(&[("a", "c"), ("b", "d")]));
        assert_eq!((two.only(), &two.company), (None, &None));
        assert_eq!(two.choices(), "a (At a), b (At b)");
        let seven = ["a", "b", "c", "d", "e", "f", "g"].map(|id| (id, "c"));
        let seven = Reach::new(&listed(&seven));
        assert_eq!(seven.only(), None);
        assert_eq!(seven.company.as_ref().map(TenantId::as_str), Some("c"));
        assert!(
            seven.choices().ends_with("e (At e) and 2 more"),
            "{}",
            seven.choices()
        );
        assert_eq!(Reach::new(&[]), Reach::default());
    }

    #[test]
    fn a_list_is_kept_for_ten_minutes_and_a_failure_for_half_a_minute() {
        let cache = ReachCache::default();
        let start = Instant::now();
        cache.keep([1; 32], Some(Reach::default()), start);
        cache.keep([2; 32], None, start);
        for (key, after, expected) in [
            (1, 599, true),
            (1, 600, false),
            (2, 29, true),
            (2, 30, false),
            (3, 0, false),
        ] {
            let now = start + Duration::from_secs(after);
            assert_eq!(
                cache.get(&[key; 32], now).is_some(),
                expected,
                "{key} after {after} s"
            );
        }
    }
}

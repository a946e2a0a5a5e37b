//! The time zone of a call's location: from the settings, or read from HighLevel once.

use super::location_details::LocationDetails;
use super::stop::Stoppable;
use super::{Answer, CallContext, Facts, Pipeline};
use crate::call::arguments::LocalZone;

impl Pipeline {
    /// Finds the zone for the call's times without an offset. A read whose zone is unknown takes them as UTC, with a
    /// warning. A call that was stopped meanwhile reads nothing.
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
        Ok(())
    }

    /// The zone of the location that the call is for, from the settings or asked of HighLevel.
    pub(super) async fn find_zone(&self, facts: &Facts, context: &CallContext) -> LocalZone {
        let Some(location) = self.location_of_call(facts) else {
            return LocalZone::unknown("the call names no location");
        };
        if self.may_hear_of(&context.principal, &facts.caller, Some(&location))
            && let Some(account) = facts.snapshot.locations.of_location(location.as_str())
            && let Some(zone) = &account.configured.timezone
        {
            return LocalZone::Known(zone.clone());
        }
        let tells = LocationDetails::has_zone;
        let details = self
            .location_details(&location, tells, facts, context)
            .await;
        details.zone
    }
}

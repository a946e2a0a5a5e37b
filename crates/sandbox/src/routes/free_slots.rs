//! The free times of a calendar: its opening hours without booked times, in the requested zone.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde_json::{Map, Value, json};

use super::records::of_location;
use crate::call::{SandboxCall, milliseconds};
use crate::refusal::Refusal;
use crate::state::Records;

const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;
/// The year 5138: nobody means a later time.
const LATEST: i64 = 100_000_000_000_000;

/// From and to, in milliseconds since 1970.
type SlotWindow = (i64, i64);

/// By day, as text with the offset of `timezone` [E], or of the location's zone without it [M].
pub(super) fn free_slots(state: &Records, call: &SandboxCall) -> Result<Value, Refusal> {
    let id = call.path("calendarId");
    let calendar = call.record(state, "calendar", id)?;
    let bound = |name: &str| -> i64 {
        let text = call.query(name).unwrap_or_default();
        let at: i64 = text.parse().unwrap_or_default();
        at.clamp(0, LATEST)
    };
    let (start, end) = (bound("startDate"), bound("endDate"));
    if end - start > 31 * DAY {
        // [E] the range may not exceed 31 days; [I] the status.
        return Err(Refusal::new(
            400,
            "The date range cannot be more than 31 days",
        ));
    }
    let diary = Diary::open(state, calendar);
    let shown = match call.query("timezone") {
        // [I] the message.
        Some(name) => TimeZone::get(name).map_err(|_| {
            Refusal::invalid(vec!["timezone must be a valid IANA time zone".to_owned()])
        })?,
        None => diary.zone.clone(),
    };
    let users: Vec<&str> = ["userId", "userIds"]
        .iter()
        .filter_map(|name| call.query(name))
        .flat_map(|ids| ids.split(','))
        .collect();
    let mut days = Map::new();
    for at in diary.slots((start, end), call.now, &users) {
        let Ok(at) = Timestamp::from_millisecond(at) else {
            continue;
        };
        let local = at.to_zoned_datetime(shown.clone());
        let day = local.date().to_string();
        let slot = local.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string();
        let day = days.entry(day).or_insert_with(|| json!({"slots": []}));
        if let Some(slots) = day["slots"].as_array_mut() {
            slots.push(json!(slot));
        }
    }
    Ok(Value::Object(days))
}

/// [M] a booked time, or one when the calendar is closed, is a 400; one that is longer than the calendar's slots is
/// not. [E] the caller may switch both checks off.
pub(super) fn check_free(
    state: &Records,
    call: &SandboxCall,
    event: &Value,
) -> Result<(), Refusal> {
    if event["ignoreFreeSlotValidation"] == true {
        return Ok(());
    }
    let calendar = event["calendarId"].as_str().unwrap_or_default();
    let diary = Diary::open(state, call.record(state, "calendar", calendar)?);
    let window = period(event);
    if window.0 >= window.1 {
        // [I] both.
        let message = "endTime must be after startTime";
        return Err(Refusal::invalid(vec![message.to_owned()]));
    }
    let booked = diary.booked(window, &[]);
    let booked = booked.filter(|other| other["id"] != event["id"]);
    let is_early = window.0 < diary.earliest(call.now) || window.0 > diary.latest(call.now);
    let is_free = diary.is_open(window) && diary.has_room(window, booked);
    if is_free && (!is_early || event["ignoreDateRange"] == true) {
        Ok(())
    } else {
        Err(Refusal::new(
            400,
            "The slot you have selected is no longer available.",
        ))
    }
}

/// The length of an appointment if none is given. A calendar may have any number, and absurd ones are limited to a day.
pub(super) fn slot_length(calendar: &Value) -> i64 {
    span(calendar, "slotDuration", "slotDurationUnit")
        .unwrap_or(30 * MINUTE)
        .max(MINUTE)
}

/// Milliseconds of a number and its unit, a day at most.
fn span(calendar: &Value, name: &str, unit: &str) -> Option<i64> {
    let minutes = if calendar[unit] == "hours" { 60 } else { 1 };
    let number = calendar[name].as_i64()?;
    Some(number.saturating_mul(minutes).clamp(0, 24 * 60) * MINUTE)
}

/// The time from now by `allowBookingAfter` and `allowBookingFor`, in milliseconds.
fn notice(calendar: &Value, name: &str) -> Option<i64> {
    let unit = calendar[&format!("{name}Unit")].as_str();
    // [I] a month has thirty days, and a number without a unit means days.
    let unit = match unit {
        Some("hours") => DAY / 24,
        Some("weeks") => 7 * DAY,
        Some("months") => 30 * DAY,
        _ => DAY,
    };
    let number = calendar[name].as_i64().filter(|number| *number > 0)?;
    Some(number.saturating_mul(unit).min(LATEST))
}

fn period(event: &Value) -> SlotWindow {
    (
        milliseconds(&event["startTime"]),
        milliseconds(&event["endTime"]),
    )
}

fn overlap(one: SlotWindow, other: SlotWindow) -> bool {
    one.0 < other.1 && other.0 < one.1
}

/// A calendar with its entries.
struct Diary<'s> {
    state: &'s Records,
    calendar: &'s Value,
    location: &'s str,
    /// [I] opening hours are in the location's time zone.
    zone: TimeZone,
}

impl<'s> Diary<'s> {
    fn open(state: &'s Records, calendar: &'s Value) -> Self {
        let location = calendar["~location"].as_str().unwrap_or_default();
        let zone = state.get("location", location);
        let zone = zone.and_then(|one| TimeZone::get(one["timezone"].as_str()?).ok());
        Self {
            state,
            calendar,
            location,
            zone: zone.unwrap_or(TimeZone::UTC),
        }
    }

    fn earliest(&self, now: i64) -> i64 {
        now + notice(self.calendar, "allowBookingAfter").unwrap_or(0)
    }

    fn latest(&self, now: i64) -> i64 {
        notice(self.calendar, "allowBookingFor").map_or(LATEST, |most| now + most)
    }

    /// Starts of the free times inside the window, for any of `users`, or anybody.
    fn slots(&self, (start, end): SlotWindow, now: i64, users: &[&str]) -> Vec<i64> {
        let length = slot_length(self.calendar);
        let step = span(self.calendar, "slotInterval", "slotIntervalUnit");
        let step = step.filter(|step| *step > 0).unwrap_or(length);
        let first = start.max(self.earliest(now));
        let last = end.min(self.latest(now));
        let mut found = Vec::new();
        let day = self.day(start);
        let Some(mut day) = day.filter(|_| self.calendar["isActive"] != false) else {
            return found;
        };
        let around = (start - DAY, end.saturating_add(2 * DAY));
        let booked: Vec<&Value> = self.booked(around, users).collect();
        while self.midnight(day).is_some_and(|midnight| midnight <= end) {
            for (opens, closes) in self.hours(day) {
                let mut at = opens;
                while at + length <= closes {
                    let slot = (at, at + length);
                    let is_free = at >= first && at <= last;
                    if is_free && self.has_room(slot, booked.iter().copied()) {
                        found.push(at);
                    }
                    at += step;
                }
            }
            match day.tomorrow() {
                Ok(tomorrow) => day = tomorrow,
                Err(_) => break,
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Appointments and blocked times that overlap the window.
    fn booked(
        &self,
        window: SlotWindow,
        users: &[&str],
    ) -> impl Iterator<Item = &'s Value> + use<'s> {
        let id = self.calendar["id"].clone();
        let users: Vec<String> = users.iter().map(|user| (*user).to_owned()).collect();
        let events = of_location(self.state, "event", self.location);
        let blocks = of_location(self.state, "block", self.location);
        let known = events.chain(blocks).filter(move |event| {
            let of_user = users.iter().any(|user| event["assignedUserId"] == **user);
            (event["calendarId"] == id || of_user) && event["appointmentStatus"] != "cancelled"
        });
        known.filter(move |event| overlap(period(event), window))
    }

    /// Whether one more appointment fits: [E] a maximum at once and per day, and a buffer around each.
    fn has_room(&self, slot: SlotWindow, booked: impl Iterator<Item = &'s Value>) -> bool {
        let before = span(self.calendar, "preBuffer", "preBufferUnit").unwrap_or(0);
        let after = span(self.calendar, "slotBuffer", "slotBufferUnit").unwrap_or(0);
        let at_once = self.calendar["appoinmentPerSlot"].as_u64().unwrap_or(1);
        let a_day = self.calendar["appoinmentPerDay"]
            .as_u64()
            .filter(|most| *most > 0);
        let padded = (slot.0 - before, slot.1 + after);
        let day = self.day(slot.0);
        let (mut taken, mut that_day) = (0, 0);
        for event in booked {
            let is_block = event.get("appointmentStatus").is_none();
            let period = period(event);
            if overlap(period, padded) {
                if is_block {
                    return false;
                }
                taken += 1;
            }
            that_day += u64::from(!is_block && self.day(period.0) == day);
        }
        taken < at_once.max(1) && a_day.is_none_or(|most| that_day < most)
    }

    fn is_open(&self, window: SlotWindow) -> bool {
        let day = self.day(window.0);
        let hours = day.map(|day| self.hours(day)).unwrap_or_default();
        hours
            .iter()
            .any(|(opens, closes)| window.0 >= *opens && window.1 <= *closes)
    }

    /// The opening hours of a day. [E] `availabilityType` 0: by the weekday only, 1: by dates only, else by the date if
    /// it has an entry. [I] a calendar without hours is open from nine to five, Monday to Friday.
    fn hours(&self, day: Date) -> Vec<SlotWindow> {
        let kind = self.calendar["availabilityType"].as_i64();
        let dates = self.calendar["availabilities"].as_array();
        let name = day.to_string();
        let of_date = dates.into_iter().flatten().find(|one| {
            one["date"]
                .as_str()
                .is_some_and(|date| date.starts_with(&name))
                && one["deleted"] != true
        });
        if let Some(own) = of_date.filter(|_| kind != Some(0)) {
            return self.windows(day, &own["hours"]);
        }
        if kind == Some(1) {
            return Vec::new();
        }
        // [E] 0 is Sunday.
        let weekday = day.weekday().to_sunday_zero_offset();
        let weekly = self.calendar["openHours"]
            .as_array()
            .filter(|list| !list.is_empty());
        let Some(weekly) = weekly else {
            let usual =
                json!([{"openHour": 9, "openMinute": 0, "closeHour": 17, "closeMinute": 0}]);
            return match weekday {
                1..=5 => self.windows(day, &usual),
                _ => Vec::new(),
            };
        };
        let own = weekly.iter().filter(|one| {
            let days = one["daysOfTheWeek"].as_array();
            days.is_some_and(|days| days.iter().any(|one| *one == weekday))
        });
        own.flat_map(|one| self.windows(day, &one["hours"]))
            .collect()
    }

    fn windows(&self, day: Date, hours: &Value) -> Vec<SlotWindow> {
        let hours = hours.as_array().into_iter().flatten();
        let windows = hours.filter_map(|one| {
            let at = |hour: &str, minute: &str| {
                let number = |name: &str| one[name].as_i64().unwrap_or(0).clamp(0, 24 * 60);
                let minutes = number(hour) * 60 + number(minute);
                self.instant(day, minutes.clamp(0, 24 * 60))
            };
            let window = (
                at("openHour", "openMinute")?,
                at("closeHour", "closeMinute")?,
            );
            (window.0 < window.1).then_some(window)
        });
        windows.collect()
    }

    fn midnight(&self, day: Date) -> Option<i64> {
        self.instant(day, 0)
    }

    /// This many minutes of local time after a day's beginning.
    fn instant(&self, day: Date, minutes: i64) -> Option<i64> {
        let local = day.at(0, 0, 0, 0).checked_add(minutes.minutes()).ok()?;
        let at = local.to_zoned_datetime(self.zone.clone()).ok()?;
        Some(at.timestamp().as_millisecond())
    }

    /// The local day of a time at the location.
    fn day(&self, at: i64) -> Option<Date> {
        let at = Timestamp::from_millisecond(at).ok()?;
        Some(at.to_zoned_datetime(self.zone.clone()).date())
    }
}

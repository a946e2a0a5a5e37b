//! Converts every date and time of a call to the form that its field takes.
//!
//! HighLevel takes eight forms. A caller may give any: RFC 3339, a zone in brackets (RFC 9557), seconds or
//! milliseconds since 1970, a day. A value without an offset is in the zone that it names, else in that of the
//! operation's own argument for it, else in the location's. If no zone is known, a write is refused: a guess books
//! an appointment eight hours early.

mod form;
mod given;
mod zone;

use jiff::Timestamp;
use jiff::civil::{DateTime, Time, date};
use jiff::tz::TimeZone;
use serde_json::{Map, Value};

use super::ArgumentProblems;
use super::excerpt::excerpt;
use super::filters::{FilterRange, RangeHolds, empty_range};
use super::schema::Schema;
use form::{edge_of_day, in_zone, write_day, write_local, write_moment};
use given::{DateFault, GivenKind, GivenTime, read};
use tool::{DateForm, Effect, Place, Tool};
pub(crate) use zone::LocalZone;
use zone::{WORDS, offset_text};

/// Converts every date of a call to its form. Invalid dates become problems. Returns whether the location's zone is
/// needed but was not looked up: the result must not be sent then.
pub(super) fn lower(
    tool: &Tool,
    schema: &Schema,
    values: &mut Map<String, Value>,
    zone: &LocalZone,
    problems: &mut ArgumentProblems,
) -> bool {
    let arguments = tool.arguments.iter();
    let dates = arguments.filter_map(|one| Some((one, one.date_form?)));
    let mut lowering = Lowering {
        tool,
        is_read: tool.effect == Effect::Read,
        own_zone: own_zone(tool, values),
        zone,
        needs_zone: false,
        found: Vec::new(),
        problems,
    };
    for (argument, form) in dates {
        let Some(value) = values.get_mut(argument.name) else {
            continue;
        };
        // An empty text of a filter is not a filter.
        let is_query = argument.place == Place::Query;
        if value == "" && is_query && !schema.requires(argument.name) {
            continue;
        }
        let as_text = schema.root["properties"][argument.name]["type"] == "string";
        lowering.field(form, as_text, value, argument.name.to_owned());
    }
    for date in tool.inner_dates {
        if let Some((first, rest)) = date.steps.split_first()
            && let Some(value) = values.get_mut(*first)
        {
            lowering.inner(date.form, value, rest, (*first).to_owned());
        }
    }
    lowering.check_windows();
    for (name, value) in values.iter_mut() {
        let filters = schema.search_filters(name).zip(value.as_array_mut());
        for range in filters.map_or_else(Vec::new, |(known, given)| known.date_ranges(given, name))
        {
            lowering.range(range);
        }
    }
    lowering.needs_zone
}

struct Lowering<'a> {
    tool: &'a Tool,
    is_read: bool,
    /// The zone of the operation's own argument, if given; an error if its name is unknown.
    own_zone: Option<Result<TimeZone, String>>,
    zone: &'a LocalZone,
    needs_zone: bool,
    /// Every date so far: its dotted path, its moment, and the text as given.
    found: Vec<(String, Timestamp, String)>,
    problems: &'a mut ArgumentProblems,
}

impl Lowering<'_> {
    fn inner(&mut self, form: DateForm, value: &mut Value, steps: &[&str], path: String) {
        match (steps.split_first(), value) {
            (None, value) if value == "" => {}
            (None, value) => {
                let as_text = value.is_string();
                self.field(form, as_text, value, path);
            }
            (Some((&"[]", rest)), Value::Array(items)) => {
                for (index, item) in items.iter_mut().enumerate() {
                    self.inner(form, item, rest, format!("{path}[{index}]"));
                }
            }
            (Some((name, rest)), Value::Object(object)) => {
                if let Some(value) = object.get_mut(*name) {
                    self.inner(form, value, rest, format!("{path}.{name}"));
                }
            }
            _ => {}
        }
    }

    /// Converts the date of an argument or of a field inside one.
    fn field(&mut self, form: DateForm, as_text: bool, value: &mut Value, path: String) {
        let is_end = self.tool.windows.iter().any(|window| window.end == path);
        let given = excerpt(value);
        if let Some(at) = self.date(form, as_text, is_end, value, &path) {
            self.found.push((path, at, given));
        }
    }

    /// Converts the bounds of a filter's range. A day is all of that day: its start for `gte` and `lt`, its end for
    /// `lte` and `gt`.
    fn range(&mut self, range: FilterRange<'_>) {
        let form = match range.holds {
            RangeHolds::Times => DateForm::DateTime,
            _ => DateForm::Date,
        };
        let mut found = Vec::new();
        for (name, bound) in range.bounds {
            if !range.holds.is_date(bound) {
                continue;
            }
            let given = excerpt(bound);
            let is_end = matches!(name.as_str(), "lte" | "gt");
            let path = format!("{}.{name}", range.path);
            if let Some(at) = self.date(form, true, is_end, bound, &path) {
                found.push((name.as_str(), at, given));
            }
        }
        if let Some(what) = empty_range(&found).filter(|_| !self.needs_zone) {
            self.problems.add(format!("{} {what}", range.path));
        }
    }

    /// Converts one date, and returns the moment by which it is compared. An invalid one becomes a problem.
    fn date(
        &mut self,
        form: DateForm,
        as_text: bool,
        is_end: bool,
        value: &mut Value,
        path: &str,
    ) -> Option<Timestamp> {
        let lowered = read(value)?
            .map_err(|fault| match fault {
                DateFault::Meaning(what) => what,
                DateFault::Form => self.wrong_form(form, value),
            })
            .and_then(|given| self.lowered(form, as_text, is_end, given));
        match lowered {
            Ok((lowered, at)) => {
                *value = lowered;
                Some(at)
            }
            Err(what) => {
                self.problems.add(format!("{path} {what}"));
                None
            }
        }
    }

    /// How to write a value that is no date. An example with `Z` would be copied, and book hours early.
    fn wrong_form(&self, form: DateForm, value: &Value) -> String {
        let given = excerpt(value);
        if form.is_day() {
            return format!("must be a date such as 2026-01-31, not {given}");
        }
        let zone = match (self.tool.timezone, &self.own_zone, self.zone) {
            (Some(name), Some(_), _) => format!("the zone of {name}"),
            (_, _, LocalZone::Utc) => "UTC".to_owned(),
            (_, _, LocalZone::Unknown(_)) if !self.is_read => String::new(),
            _ => "the location's time zone".to_owned(),
        };
        let local = match zone.is_empty() {
            true => String::new(),
            false => format!("2026-01-31T09:00:00, which is in {zone}, or "),
        };
        let number = match value.is_number() {
            true => ", or seconds or milliseconds since 1970",
            false => "",
        };
        format!(
            "must be a date such as {local}2026-01-31T09:00:00{} with its offset{number}, not {given}",
            self.usual_offset()
        )
    }

    /// The offset for examples: the location's, if its zone is known.
    fn usual_offset(&self) -> String {
        let zone = match self.zone {
            LocalZone::Known(zone) => Some(zone),
            _ => None,
        };
        let example = date(2026, 1, 31).at(9, 0, 0, 0);
        let known =
            zone.and_then(|zone| zone.to_ambiguous_zoned_datetime(example).compatible().ok());
        known.map_or_else(|| "-08:00".to_owned(), |known| offset_text(known.offset()))
    }

    /// The value to send, and the moment by which windows are compared, or the day's midnight.
    fn lowered(
        &mut self,
        form: DateForm,
        as_text: bool,
        is_end: bool,
        given: GivenTime,
    ) -> Result<(Value, Timestamp), String> {
        let GivenTime { kind, zone } = given;
        let is_zero = matches!(
            kind,
            GivenKind::Moment { at, rfc3339: None, .. } if at == Timestamp::UNIX_EPOCH
        );
        if is_zero && !self.is_read {
            return Err("is 1970, which is not a date to write".to_owned());
        }
        let local = match (form, &kind) {
            // If HighLevel takes local times, those without an offset are in its zone already.
            (form, kind) if form.is_local() && zone.is_none() => match kind {
                GivenKind::Local(local) => Some(*local),
                GivenKind::Day(day) if is_end => Some(day.at(23, 59, 59, 0)),
                GivenKind::Day(day) => Some(day.to_datetime(Time::midnight())),
                GivenKind::Moment { .. } => None,
            },
            _ => None,
        };
        if let Some(local) = local {
            return Ok((write_local(form, local), as_utc(local)?));
        }
        let day = match &kind {
            GivenKind::Day(day) => Some(*day),
            GivenKind::Local(local) => Some(local.date()),
            GivenKind::Moment { day, .. } => *day,
        };
        if let Some(day) = day.filter(|_| form.is_day()) {
            return Ok((
                write_day(form, day),
                as_utc(day.to_datetime(Time::midnight()))?,
            ));
        }
        let is_local_form = form.is_local();
        let (moment, rfc3339) = match kind {
            GivenKind::Moment { at, rfc3339, .. } => {
                // Only days and local times depend on the zone of the moment.
                let zone = match form.is_day() || is_local_form {
                    true => self.zone_of(if is_local_form { None } else { zone })?,
                    false => TimeZone::UTC,
                };
                (at.to_zoned_datetime(zone), rfc3339)
            }
            GivenKind::Local(local) => {
                let zone = self.zone_of(zone)?;
                (in_zone(local, &zone, self.is_read)?, None)
            }
            GivenKind::Day(day) => {
                let zone = self.zone_of(zone)?;
                (edge_of_day(day, &zone, is_end)?, None)
            }
        };
        let moment = match is_local_form {
            true => moment.with_time_zone(self.zone_of(None)?),
            false => moment,
        };
        let at = match form.is_day() {
            true => as_utc(moment.date().to_datetime(Time::midnight()))?,
            false => moment.timestamp(),
        };
        Ok((write_moment(form, as_text, &moment, rfc3339), at))
    }

    /// The zone of a value without an offset, or the reason that it is unknown.
    fn zone_of(&mut self, named: Option<TimeZone>) -> Result<TimeZone, String> {
        if let Some(zone) = named {
            return Ok(zone);
        }
        match (&self.own_zone, self.zone) {
            (Some(own), _) => own.clone(),
            (None, LocalZone::Known(zone)) => Ok(zone.clone()),
            (None, LocalZone::Utc) => Ok(TimeZone::UTC),
            (None, LocalZone::Unasked) => {
                self.needs_zone = true;
                Ok(TimeZone::UTC)
            }
            (None, LocalZone::Unknown(_)) if self.is_read => Ok(TimeZone::UTC),
            (None, LocalZone::Unknown(why)) => Err(format!(
                "depends on the location's time zone, which is not known ({why}); {WORDS}"
            )),
        }
    }

    /// Checks that windows run from the earlier to the later: HighLevel answers a reversed one with an empty
    /// list and no error.
    fn check_windows(&mut self) {
        if self.needs_zone {
            return;
        }
        let found = |path: &str| self.found.iter().find(|(name, ..)| name == path);
        let reversed: Vec<String> = self
            .tool
            .windows
            .iter()
            .filter_map(|window| {
                let ((start, from, first), (end, until, last)) =
                    (found(window.start)?, found(window.end)?);
                (from > until).then(|| {
                    format!(
                        "{start} ({first}) is after {end} ({last}); give the earlier one as {start}"
                    )
                })
            })
            .collect();
        for what in reversed {
            self.problems.add(what);
        }
    }
}

/// The zone of the operation's own argument.
fn own_zone(tool: &Tool, values: &Map<String, Value>) -> Option<Result<TimeZone, String>> {
    let name = tool.timezone?;
    let given = values.get(name)?.as_str().filter(|text| !text.is_empty())?;
    Some(TimeZone::get(given).map_err(|_| {
        let given = excerpt(&Value::from(given));
        format!("depends on {name}, and {given} is not a known time zone; give {name} an IANA name such as America/Los_Angeles")
    }))
}

fn as_utc(local: DateTime) -> Result<Timestamp, String> {
    let moment = TimeZone::UTC.to_ambiguous_timestamp(local).compatible();
    moment.map_err(|_| "is out of range".to_owned())
}

#[cfg(test)]
mod tests;

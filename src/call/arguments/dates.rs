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
use jiff::civil::{DateTime, Time};
use jiff::tz::TimeZone;
use serde_json::{Map, Value};

use super::ArgumentProblems;
use super::excerpt::excerpt;
use form::{edge_of_day, in_zone, write_day, write_local, write_moment};
use given::{DateFault, GivenKind, GivenTime, read};
use tool::{DateForm, Effect, Place, Tool};
pub(crate) use zone::LocalZone;
use zone::WORDS;

/// Converts every date of a call to its form. Invalid dates become problems. Returns whether the location's zone is
/// needed but was not looked up: the result must not be sent then.
pub(super) fn lower(
    tool: &Tool,
    schema: &Value,
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
        let is_required = |name: &str| {
            let names = schema["required"].as_array().into_iter().flatten();
            names.into_iter().any(|one| one == name)
        };
        if value == "" && argument.place == Place::Query && !is_required(argument.name) {
            continue;
        }
        let as_text = schema["properties"][argument.name]["type"] == "string";
        lowering.date(form, as_text, value, argument.name.to_owned());
    }
    for date in tool.inner_dates {
        if let Some((first, rest)) = date.steps.split_first()
            && let Some(value) = values.get_mut(*first)
        {
            lowering.inner(date.form, value, rest, (*first).to_owned());
        }
    }
    lowering.check_windows();
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
                self.date(form, as_text, value, path);
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

    fn date(&mut self, form: DateForm, as_text: bool, value: &mut Value, path: String) {
        let given = match read(value) {
            None => return,
            Some(Ok(given)) => given,
            Some(Err(DateFault::Meaning(what))) => {
                return self.problems.add(format!("{path} {what}"));
            }
            Some(Err(DateFault::Form)) => {
                let what = match value.is_number() {
                    true => ", or seconds or milliseconds since 1970",
                    false => "",
                };
                return self.problems.add(format!(
                    "{path} must be a date such as 2026-01-31T09:00:00Z{what}, not {}",
                    excerpt(value)
                ));
            }
        };
        let is_zero = matches!(
            given.kind,
            GivenKind::Moment { at, rfc3339: None, .. } if at == Timestamp::UNIX_EPOCH
        );
        if is_zero && !self.is_read {
            return self
                .problems
                .add(format!("{path} is 1970, which is not a date to write"));
        }
        match self.lowered(form, as_text, given, &path) {
            Ok((lowered, at)) => {
                self.found.push((path, at, excerpt(value)));
                *value = lowered;
            }
            Err(what) => self.problems.add(format!("{path} {what}")),
        }
    }

    /// The value to send, and the moment by which windows are compared, or the day's midnight.
    fn lowered(
        &mut self,
        form: DateForm,
        as_text: bool,
        given: GivenTime,
        path: &str,
    ) -> Result<(Value, Timestamp), String> {
        let GivenTime { kind, zone } = given;
        let local = match (form, &kind) {
            // If HighLevel takes local times, those without an offset are in its zone already.
            (DateForm::LocalTwelveHour | DateForm::LocalTwentyFourHour, kind) if zone.is_none() => {
                match kind {
                    GivenKind::Local(local) => Some(*local),
                    GivenKind::Day(day) => Some(day.to_datetime(Time::midnight())),
                    GivenKind::Moment { .. } => None,
                }
            }
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
        let is_local_form = matches!(
            form,
            DateForm::LocalTwelveHour | DateForm::LocalTwentyFourHour
        );
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
                let is_end = self.tool.windows.iter().any(|window| window.end == path);
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
        format!("depends on {name}, whose value is no time zone that is known; give an IANA name such as America/Los_Angeles")
    }))
}

fn as_utc(local: DateTime) -> Result<Timestamp, String> {
    let moment = TimeZone::UTC.to_ambiguous_timestamp(local).compatible();
    moment.map_err(|_| "is out of range".to_owned())
}

#[cfg(test)]
mod tests;

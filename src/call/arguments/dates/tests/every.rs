//! Every date of every tool, in both variants, in every form: the value sent matches a table worked out by hand.

use serde_json::{Map, Value, json};

use super::super::{Schema, lower};
use super::{LOS_ANGELES, LocalZone, sent, unknown, zone};
use crate::call::arguments::ArgumentProblems;
use crate::catalog::TOOLS;
use tool::{DateForm, Effect, Tool};

/// One time in each form, in Los Angeles.
struct TimeRow {
    given: Value,
    milliseconds: i64,
    rfc3339: &'static str,
    day: &'static str,
    month_first: &'static str,
    twelve_hour: &'static str,
    twenty_four_hour: &'static str,
    needs: Need,
}

/// The forms that need the location's zone.
#[derive(Clone, Copy, PartialEq)]
enum Need {
    Nothing,
    /// For moments: the value has no offset.
    Moment,
    /// For days and local times: the value is a moment, whose zone is not known.
    Day,
}

/// 12:30 on a Tuesday in December, and that day.
fn rows() -> Vec<TimeRow> {
    let row = |given: Value, rfc3339: &'static str, needs: Need| TimeRow {
        given,
        milliseconds: 1_796_157_000_000,
        rfc3339,
        day: "2026-12-01",
        month_first: "12-01-2026",
        twelve_hour: "2026-12-01 12:30 PM",
        twenty_four_hour: "2026-12-01 12:30:00",
        needs,
    };
    let local = "2026-12-01T12:30:00-08:00";
    let utc = "2026-12-01T20:30:00Z";
    vec![
        row(
            json!("2026-12-01T12:30:00[America/Los_Angeles]"),
            local,
            Need::Nothing,
        ),
        row(
            json!("2026-12-01T12:30:00-08:00[America/Los_Angeles]"),
            local,
            Need::Nothing,
        ),
        row(json!("2026-12-01T12:30:00-08:00"), local, Need::Nothing),
        row(json!("2026-12-01 12:30:00-08:00"), local, Need::Nothing),
        row(json!("2026-12-01T12:30:00"), local, Need::Moment),
        row(json!("2026-12-01T20:30:00Z"), utc, Need::Day),
        row(json!("2026-12-01t20:30:00z"), utc, Need::Day),
        row(json!(1_796_157_000), utc, Need::Day),
        row(json!("1796157000"), utc, Need::Day),
        row(json!(1_796_157_000_000_i64), utc, Need::Day),
        row(json!("1796157000000000"), utc, Need::Day),
        TimeRow {
            milliseconds: 1_796_112_000_000,
            twelve_hour: "2026-12-01 12:00 AM",
            twenty_four_hour: "2026-12-01 00:00:00",
            ..row(
                json!("2026-12-01"),
                "2026-12-01T00:00:00-08:00",
                Need::Moment,
            )
        },
        TimeRow {
            milliseconds: 1_796_112_000_000,
            twelve_hour: "2026-12-01 12:00 AM",
            twenty_four_hour: "2026-12-01 00:00:00",
            ..row(
                json!("12-01-2026"),
                "2026-12-01T00:00:00-08:00",
                Need::Moment,
            )
        },
    ]
}

impl TimeRow {
    fn is_day(&self) -> bool {
        self.twelve_hour.ends_with("AM")
    }

    fn expected(&self, form: DateForm, as_text: bool, is_end: bool) -> Value {
        let is_over = is_end && self.is_day();
        let milliseconds = match is_over {
            true => 1_796_198_399_999,
            false => self.milliseconds,
        };
        let number = |number: i64| match as_text {
            true => json!(number.to_string()),
            false => json!(number),
        };
        match form {
            DateForm::EpochMilliseconds => number(milliseconds),
            DateForm::EpochSeconds => number(milliseconds / 1_000),
            DateForm::Date => json!(self.day),
            DateForm::MonthDayYear => json!(self.month_first),
            DateForm::DateTime if is_over => json!("2026-12-01T23:59:59.999-08:00"),
            DateForm::DateTime => json!(self.rfc3339),
            DateForm::UtcMidnight => json!("2026-12-01T00:00:00.000Z"),
            DateForm::LocalTwelveHour => json!(self.twelve_hour),
            DateForm::LocalTwelveHourMonthFirst if is_over => json!("12-01-2026 11:59 PM"),
            DateForm::LocalTwelveHourMonthFirst => {
                json!(self.twelve_hour.replace("2026-12-01", self.month_first))
            }
            DateForm::LocalTwentyFourHour => json!(self.twenty_four_hour),
        }
    }

    fn needs_zone(&self, form: DateForm) -> bool {
        match form {
            DateForm::EpochMilliseconds | DateForm::EpochSeconds | DateForm::DateTime => {
                self.needs == Need::Moment
            }
            // No argument of the call names the zone of these.
            DateForm::LocalTwelveHourMonthFirst => self.needs != Need::Moment,
            _ => self.needs == Need::Day,
        }
    }
}

fn is_end(tool: &Tool, path: &str) -> bool {
    tool.windows.iter().any(|window| window.end == path)
}

/// Every tool in every variant.
fn variants() -> impl Iterator<Item = &'static Tool> {
    TOOLS.iter().flat_map(Tool::variants)
}

/// All required dates get the same value, and so does `name`.
fn given(tool: &Tool, name: &str, value: &Value) -> Value {
    let schema: Value = serde_json::from_str(tool.check_schema).expect("a schema");
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    let dates = tool.arguments.iter().filter(|one| one.date_form.is_some());
    let dates = dates.filter(|one| one.name == name || required.contains(&json!(one.name)));
    Value::Object(
        dates
            .map(|one| (one.name.to_owned(), value.clone()))
            .collect(),
    )
}

#[test]
fn every_date_goes_out_as_its_field_takes_it() {
    let (mut faults, mut checked) = (Vec::new(), 0);
    for tool in variants() {
        let schema: Value = serde_json::from_str(tool.check_schema).expect("a schema");
        let dates = tool.arguments.iter();
        for (argument, form) in dates.filter_map(|one| Some((one, one.date_form?))) {
            checked += 1;
            let as_text = schema["properties"][argument.name]["type"] == "string";
            for row in rows() {
                let expected = row.expected(form, as_text, is_end(tool, argument.name));
                let given = given(tool, argument.name, &row.given);
                let mut fault = |what: String| {
                    faults.push(format!(
                        "{} {} {}: {what}",
                        tool.name, argument.name, row.given
                    ))
                };
                match sent(tool, &given, &zone(LOS_ANGELES)) {
                    Ok(sent) if sent[argument.wire_name] == expected => {}
                    other => fault(format!("{other:?} is not {expected}")),
                }
                // The location's zone is needed exactly if it matters, and without it a write is refused.
                let own = tool.timezone.is_some_and(|name| {
                    schema["required"]
                        .as_array()
                        .is_some_and(|names| names.contains(&json!(name)))
                });
                let needs_zone = row.needs_zone(form) && !own;
                let asks = sent(tool, &given, &LocalZone::Unasked);
                if (asks == Err("asks".to_owned())) != needs_zone {
                    fault(format!("asks for the zone: {asks:?}"));
                }
                let without = sent(tool, &given, &unknown());
                let is_refused = matches!(&without, Err(what) if what.contains("give an offset"));
                if is_refused != (needs_zone && tool.effect != Effect::Read) {
                    fault(format!("without a zone {without:?}"));
                }
            }
            for garbage in [
                json!("soon"),
                json!(5),
                json!("20261201"),
                json!("2026-13-01"),
                json!("2026-12-01T25:00:00Z"),
            ] {
                let given = given(tool, argument.name, &garbage);
                let refusal = sent(tool, &given, &zone(LOS_ANGELES))
                    .err()
                    .unwrap_or_default();
                if !refusal.contains(&format!("{} must be a date", argument.name)) {
                    faults.push(format!(
                        "{} {} {garbage}: {refusal:?}",
                        tool.name, argument.name
                    ));
                }
            }
        }
    }
    assert!(checked > 121, "{checked} dates");
    assert!(
        faults.is_empty(),
        "{}:\n{}",
        faults.len(),
        faults.join("\n")
    );
}

#[test]
fn every_date_inside_an_argument_goes_out_as_its_field_takes_it() {
    let mut checked = 0;
    for tool in variants().filter(|tool| !tool.inner_dates.is_empty()) {
        let schema = Schema::new(tool).expect("a schema");
        for date in tool.inner_dates {
            checked += 1;
            for row in rows() {
                let mut value = row.given.clone();
                let as_text = value.is_string();
                for step in date.steps.iter().skip(1).rev() {
                    value = match *step {
                        "[]" => json!([value]),
                        name => json!({name: value}),
                    };
                }
                let first = (*date.steps.first().expect("a name")).to_owned();
                let mut values = Map::from_iter([(first, value)]);
                let mut problems = ArgumentProblems::default();
                lower(
                    tool,
                    &schema,
                    &mut values,
                    &zone(LOS_ANGELES),
                    &mut problems,
                );
                assert_eq!(problems.0, [], "{}", tool.name);
                let pointer: Vec<&str> = date
                    .steps
                    .iter()
                    .map(|step| if *step == "[]" { "0" } else { step })
                    .collect();
                let found = json!(values);
                let found = found.pointer(&format!("/{}", pointer.join("/")));
                let expected =
                    row.expected(date.form, as_text, is_end(tool, &date.steps.join(".")));
                assert_eq!(
                    found,
                    Some(&expected),
                    "{} {pointer:?} {}",
                    tool.name,
                    row.given
                );
            }
        }
    }
    assert!(checked > 40, "{checked} dates");
}

/// Names of dates in HighLevel's documents.
const NAMES: [&str; 16] = [
    "date",
    "startdate",
    "enddate",
    "starttime",
    "endtime",
    "fromdate",
    "todate",
    "datefrom",
    "dateto",
    "startat",
    "endat",
    "duedate",
    "issuedate",
    "expirydate",
    "scheduledate",
    "publishedat",
];

/// Ends of paths with such names that are no dates, and what they are.
const NO_DATES: [(&str, &str); 6] = [
    ("rrule.startTime", "a time of day"),
    ("rrule.endTime", "a time of day"),
    ("startDate.startTime", "an object of hours and minutes"),
    ("endDate.endTime", "an object of hours and minutes"),
    (
        "startAfterDate",
        "the cursor of a page, sent as it was answered",
    ),
    ("sortByDate", "asc or desc"),
];

/// Every value inside `schema`, by its path in dots, with `[]` for the items of a list.
fn leaves(schema: &Value, path: &str, found: &mut Vec<String>) {
    let fields = schema["properties"].as_object().into_iter().flatten();
    for (name, field) in fields.clone() {
        let path = match path {
            "" => name.clone(),
            path => format!("{path}.{name}"),
        };
        leaves(field, &path, found);
    }
    if let Some(items) = schema.get("items") {
        leaves(items, &format!("{path}.[]"), found);
    }
    let forms = ["anyOf", "allOf"].into_iter();
    let forms = forms.filter_map(|key| schema.get(key)?.as_array());
    for form in forms.flatten() {
        leaves(form, path, found);
    }
    let takes = |kind: &str| match &schema["type"] {
        Value::Array(kinds) => kinds.contains(&json!(kind)),
        one => one == kind,
    };
    let is_value = ["string", "number", "integer"].into_iter().any(takes);
    if is_value && schema.get("enum").is_none() && fields.count() == 0 {
        found.push(path.to_owned());
    }
}

#[test]
fn every_value_with_the_name_of_a_date_is_marked() {
    let mut faults = Vec::new();
    for tool in variants() {
        let schema: Value = serde_json::from_str(tool.check_schema).expect("a schema");
        let mut found = Vec::new();
        leaves(&schema, "", &mut found);
        for path in found {
            let last = path.trim_end_matches(".[]").rsplit('.').next();
            let name = last.unwrap_or_default().to_lowercase().replace('_', "");
            let is_named = NAMES.contains(&name.as_str())
                || ["date", "executeat", "dateofbirth"]
                    .iter()
                    .any(|end| name.ends_with(end));
            let own = tool.arguments.iter().find(|one| one.name == path);
            let is_marked = own.is_some_and(|one| one.date_form.is_some())
                || tool
                    .inner_dates
                    .iter()
                    .any(|date| date.steps.join(".") == path);
            let is_known = NO_DATES.iter().any(|(end, _)| path.ends_with(end));
            if is_named && !is_marked && !is_known {
                faults.push(format!("{} {path}", tool.name));
            }
        }
    }
    faults.dedup();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Pairs of dates that are no window: their order is free.
const NO_WINDOWS: [&str; 4] = ["issueDate", "dueDate", "expiryDate", "scheduleDate"];

#[test]
fn every_two_dates_of_an_operation_are_a_window() {
    let mut faults = Vec::new();
    for tool in variants() {
        let dates = tool.arguments.iter().filter(|one| one.date_form.is_some());
        let names: Vec<&str> = dates
            .map(|one| one.name)
            .filter(|name| !NO_WINDOWS.contains(name))
            .collect();
        let is_window = |[start, end]: [&str; 2]| {
            let mut windows = tool.windows.iter();
            windows.any(|window| window.start == start && window.end == end)
        };
        match names.as_slice() {
            [] | [_] => {}
            [one, other] if is_window([one, other]) || is_window([other, one]) => {}
            _ => faults.push(format!("{} {names:?}", tool.name)),
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

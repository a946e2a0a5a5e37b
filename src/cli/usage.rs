//! `usage`: the number of calls by caller, location and effect.

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use jiff::civil::Date;
use jiff::{Timestamp, ToSpan, tz::TimeZone};
use serde::Serialize;

use super::known_names::KnownNames;
use super::output::{Column, OutputFlags, TableRow, Text, note};
use super::reach::no_location;
use super::terminal::print_relayed;
use super::{CliError, StateFlags};
use crate::call::{UsageLine, UsageReport, days_of_month, usage_csv};
use crate::config::{Config, Flags};
use state::Store;
use state::usage::{UsageCounts, UsageGrouping, UsageQuery};
use state::vault::Vault;

#[derive(Args)]
pub(super) struct UsageCommand {
    /// Month, such as 2026-11. The default is the current month.
    #[arg(long, value_name = "MONTH", value_parser = month, conflicts_with_all = ["from", "to"])]
    month: Option<(Date, Date)>,
    /// First day, such as 2026-11-25.
    #[arg(long, value_name = "DAY")]
    from: Option<Date>,
    /// Last day. The default is today.
    #[arg(long, value_name = "DAY", requires = "from")]
    to: Option<Date>,
    /// Grouping of the sums. May be repeated, or have several values with commas [default: principal,location; with
    /// --csv day,principal,location,effect].
    #[arg(long, value_name = "WHAT", value_delimiter = ',')]
    by: Vec<UsageKey>,
    /// Only this location: its alias, or its id at HighLevel.
    #[arg(long, value_name = "ALIAS")]
    location: Option<String>,
    /// Print CSV for spreadsheets, with names and ids, and the ref of customers.
    #[arg(long, conflicts_with = "json")]
    csv: bool,
    #[command(flatten)]
    output: OutputFlags,
    #[command(flatten)]
    of: StateFlags,
}

/// What tells sums apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum UsageKey {
    /// Key, connection, person or token.
    Principal,
    Location,
    /// read, write, send, money, destructive
    Effect,
    Day,
    Month,
}

/// A part of the requested days.
struct UsagePeriod {
    days: (Date, Date),
    /// The month that it is for.
    month: Option<String>,
}

#[derive(Serialize)]
struct UsageTableRow {
    #[serde(flatten)]
    line: UsageLine,
    #[serde(skip)]
    who: String,
}

impl UsageCommand {
    pub(super) fn run(self, flags: &Flags) -> Result<ExitCode, CliError> {
        let days = self.days()?;
        let (config, store) = self.of.open(flags)?;
        let location = self.location.as_deref();
        let location = location
            .map(|text| location_id(&config, &store, text))
            .transpose()?;
        let labels = store.usage_labels().wait()?;
        let own = config.locations.iter();
        let own = own.map(|(alias, location)| (alias.clone(), location.location_id.clone()));
        let reader = UsageReader {
            report: UsageReport::new(labels, own),
            store: &store,
            location,
            keys: self.keys(),
        };
        if self.csv {
            reader.print_csv(days)?;
        } else {
            self.show(&reader, days, &KnownNames::read(&config, &store)?)?;
        }
        Ok(ExitCode::SUCCESS)
    }

    fn days(&self) -> Result<(Date, Date), CliError> {
        let today = TimeZone::UTC.to_datetime(Timestamp::now()).date();
        let days = match (self.month, self.from) {
            (Some(month), _) => month,
            (None, Some(from)) => (from, self.to.unwrap_or(today)),
            (None, None) => (today.first_of_month(), today.last_of_month()),
        };
        match days.0 <= days.1 {
            true => Ok(days),
            false => Err(CliError(format!(
                "{} is after {}. Give a --from that is not after --to",
                days.0, days.1
            ))),
        }
    }

    fn keys(&self) -> Vec<UsageKey> {
        use UsageKey::{Day, Effect, Location, Principal};
        match (self.by.as_slice(), self.csv) {
            ([], true) => vec![Day, Principal, Location, Effect],
            ([], false) => vec![Principal, Location],
            (keys, _) => keys.to_vec(),
        }
    }

    fn show(
        &self,
        reader: &UsageReader,
        days: (Date, Date),
        names: &KnownNames,
    ) -> Result<(), CliError> {
        let mut rows = Vec::new();
        for period in reader.periods(days, false) {
            let lines = reader.read(&period)?.into_iter();
            rows.extend(lines.map(|line| UsageTableRow {
                who: names.caller_or_id(&line.who),
                line,
            }));
        }
        let span = format!("from {} to {} (UTC)", days.0, days.1);
        let none = format!(
            "No call was counted {span}. A running server adds its counts every minute. With usage.keep_days = 0 it \
             counts nothing."
        );
        self.output.rows(&rows, none)?;
        if !rows.is_empty() && std::io::stdout().is_terminal() {
            let mut sum = UsageCounts::default();
            for row in &rows {
                sum.add(UsageCounts {
                    calls: row.line.calls,
                    failed: row.line.failed,
                    requests: row.line.requests,
                });
            }
            note(format_args!(
                "Total: {} calls {span}, of which {} failed, with {} requests.",
                sum.calls, sum.failed, sum.requests
            ));
        }
        Ok(())
    }
}

/// Reads rows and adds their names.
struct UsageReader<'a> {
    report: UsageReport,
    store: &'a Store,
    location: Option<String>,
    keys: Vec<UsageKey>,
}

impl UsageReader<'_> {
    fn has(&self, key: UsageKey) -> bool {
        self.keys.contains(&key)
    }

    /// The days in the parts in which they are read. Sums `by_days` are read day by day, so that any number of days
    /// needs the memory of one.
    fn periods(&self, (first, last): (Date, Date), by_days: bool) -> Vec<UsagePeriod> {
        if self.has(UsageKey::Month) {
            let month = |day: Date| day.strftime("%Y-%m").to_string();
            let first_days = first.first_of_month().series(1.month());
            let months = first_days.take_while(|day| *day <= last);
            return months
                .map(|day| UsagePeriod {
                    days: (day.max(first), day.last_of_month().min(last)),
                    month: Some(month(day)),
                })
                .collect();
        }
        let whole = UsagePeriod {
            days: (first, last),
            month: None,
        };
        match by_days && self.has(UsageKey::Day) {
            false => vec![whole],
            true => {
                let days = first.series(1.day()).take_while(|day| *day <= last);
                days.map(|day| UsagePeriod {
                    days: (day, day),
                    month: None,
                })
                .collect()
            }
        }
    }

    fn read(&self, period: &UsagePeriod) -> Result<Vec<UsageLine>, CliError> {
        let (is_by_month, is_by_day) = (self.has(UsageKey::Month), self.has(UsageKey::Day));
        let query = UsageQuery {
            location: self.location.clone(),
            is_busiest_first: !is_by_month && !is_by_day,
            ..UsageQuery::sums(
                period.days,
                UsageGrouping {
                    day: is_by_day && !is_by_month,
                    principal: self.has(UsageKey::Principal),
                    location: self.has(UsageKey::Location),
                    effect: self.has(UsageKey::Effect),
                },
            )
        };
        let rows = self.store.usage(&query).wait()?;
        let counted = rows
            .iter()
            .filter(|row| row.counts != UsageCounts::default());
        let lines = counted.map(|row| self.report.line(row, period.month.as_deref()));
        Ok(lines.collect())
    }

    fn print_csv(&self, days: (Date, Date)) -> Result<(), CliError> {
        let first = self.store.first_day_of_usage().wait()?;
        let days = (first.map_or(days.0, |first| first.max(days.0)), days.1);
        let mut header = Some(match self.has(UsageKey::Month) {
            true => "month",
            false => "day",
        });
        for period in self.periods(days, true) {
            print_relayed(&usage_csv(&self.read(&period)?, header.take())?)?;
        }
        match header {
            Some(_) => Ok(print_relayed(&usage_csv(&[], header)?)?),
            None => Ok(()),
        }
    }
}

impl TableRow<8> for UsageTableRow {
    const COLUMNS: [Column; 8] = [
        Column::copied("When"),
        Column::shortened("Who"),
        Column::shortened("Customer").rank(3),
        Column::shortened("Location"),
        Column::copied("Effect"),
        Column::copied("Calls"),
        Column::copied("Failed").rank(2),
        Column::copied("Requests").rank(1),
    ];

    fn cells(&self) -> [Text; 8] {
        let line = &self.line;
        let text = |text: Option<&str>| Text::from(text.unwrap_or_default());
        [
            text(line.month.as_deref().or(line.day.as_deref())),
            self.who.as_str().into(),
            text(line.reference.as_deref()),
            line.alias.as_deref().unwrap_or(&line.location).into(),
            line.effect.as_str().into(),
            line.calls.to_string().into(),
            line.failed.to_string().into(),
            line.requests.to_string().into(),
        ]
    }
}

fn month(text: &str) -> Result<(Date, Date), String> {
    days_of_month(text).ok_or_else(|| "give a month such as 2026-11".to_owned())
}

/// HighLevel's id of the location of this name.
fn location_id(config: &Config, store: &Store, text: &str) -> Result<String, CliError> {
    if let Some(own) = config.locations.get(text) {
        return Ok(own.location_id.clone());
    }
    let connected = Vault::new(store).list().wait()?;
    if let Some(found) = connected.iter().find(|location| location.alias == text) {
        return Ok(found.location.clone());
    }
    let query = UsageQuery {
        location: Some(text.to_owned()),
        ..UsageQuery::sums((Date::MIN, Date::MAX), UsageGrouping::default())
    };
    let counted = store.usage(&query).wait()?;
    if counted
        .iter()
        .any(|row| row.counts != UsageCounts::default())
    {
        return Ok(text.to_owned());
    }
    let connected = connected.iter().map(|location| location.alias.as_str());
    let known = config.locations.keys().map(String::as_str);
    Err(no_location(text, known.chain(connected)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::table::tests::check_fits;

    #[test]
    fn a_list_of_usage_fits() {
        let line = UsageLine {
            day: Some("2026-11-29".to_owned()),
            reference: Some("customer-000123 of the builder".to_owned()),
            location: "ve9EPM428h8vShlRW1KT".to_owned(),
            effect: "destructive".to_owned(),
            calls: 123_456,
            failed: 1_234,
            requests: 234_567,
            ..UsageLine::default()
        };
        let row = UsageTableRow {
            who: "Claude Code, for Ada Lovelace of Analytical Engines".to_owned(),
            line,
        };
        check_fits(&UsageTableRow::COLUMNS, &[row.cells().into()]);
        let usual = UsageTableRow {
            line: UsageLine {
                day: None,
                effect: String::new(),
                ..row.line
            },
            who: row.who,
        };
        let columns = UsageTableRow::COLUMNS;
        let shown = crate::cli::table::render(&columns, &[usual.cells().into()], Some(80));
        assert!(shown.left_out.is_empty(), "{:?}", shown.left_out);
        assert!(!shown.text.contains("When"), "{}", shown.text);
    }
}

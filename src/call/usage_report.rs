//! Usage by the names that people know for callers, customers and locations, as lines of a list and as CSV.

use std::collections::HashMap;

use jiff::civil::Date;
use serde::Serialize;

use super::output::harmless;
use state::usage::{UsageLabels, UsageRow};

/// Names for rows of usage at the moment of reading.
pub struct UsageReport {
    labels: UsageLabels,
    /// Aliases of the settings' locations, by HighLevel's id.
    aliases: HashMap<String, String>,
}

/// A row of usage with its names. Fields that the rows are not grouped by are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct UsageLine {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub day: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub month: Option<String>,
    /// The caller's name in the audit, and the word before its colon.
    pub who: String,
    pub kind: String,
    /// The name of the key, of the person, or of the client and its holder.
    pub name: Option<String>,
    /// The builder's own name for the customer.
    #[serde(rename = "ref")]
    pub reference: Option<String>,
    pub alias: Option<String>,
    pub location: String,
    pub effect: String,
    pub calls: i64,
    pub failed: i64,
    pub requests: i64,
}

/// Columns of the CSV after the first, which is the day or the month.
const COLUMNS: [&str; 10] = [
    "kind", "who", "name", "ref", "alias", "location", "effect", "calls", "failed", "requests",
];

impl UsageReport {
    /// `aliases`: of the settings' locations, with HighLevel's ids.
    pub fn new(labels: UsageLabels, aliases: impl IntoIterator<Item = (String, String)>) -> Self {
        let aliases = aliases.into_iter().map(|(alias, id)| (id, alias));
        Self {
            labels,
            aliases: aliases.collect(),
        }
    }

    /// `month`: the month that the row sums up.
    pub fn line(&self, row: &UsageRow, month: Option<&str>) -> UsageLine {
        let caller = self.labels.name(&row.principal);
        let name = caller.name.map(|name| match caller.holder {
            Some(holder) => format!("{name}, for {holder}"),
            None => name.to_owned(),
        });
        let reference = self.labels.reference(&row.principal, &row.location);
        UsageLine {
            day: row.day.map(|day| day.to_string()),
            month: month.map(str::to_owned),
            who: row.principal.clone(),
            kind: caller.kind.to_owned(),
            name,
            reference: reference.map(str::to_owned),
            alias: self.alias(&row.location).map(str::to_owned),
            location: row.location.clone(),
            effect: row.effect.clone(),
            calls: row.counts.calls,
            failed: row.counts.failed,
            requests: row.counts.requests,
        }
    }

    fn alias(&self, location: &str) -> Option<&str> {
        let own = self.aliases.get(location).map(String::as_str);
        own.or_else(|| self.labels.alias(location))
    }
}

/// The first and the last day of a month such as 2026-11.
pub fn days_of_month(month: &str) -> Option<(Date, Date)> {
    let first: Date = format!("{month}-01").parse().ok()?;
    // Accepts exactly this form: only a year and a month.
    (first.strftime("%Y-%m").to_string() == month).then(|| (first, first.last_of_month()))
}

/// RFC 4180, without formulas for spreadsheets. `header`: the name of the first column, for the line of names; `None`:
/// further lines of the same file.
pub fn usage_csv(lines: &[UsageLine], header: Option<&str>) -> Result<String, csv::Error> {
    let mut writer = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .from_writer(Vec::new());
    if let Some(first) = header {
        writer.write_record([first].into_iter().chain(COLUMNS))?;
    }
    for line in lines {
        let texts = [
            line.month.as_deref().or(line.day.as_deref()),
            Some(line.kind.as_str()),
            Some(&line.who),
            line.name.as_deref(),
            line.reference.as_deref(),
            line.alias.as_deref(),
            Some(&line.location),
            Some(&line.effect),
        ];
        let texts = texts.map(|text| harmless(text.unwrap_or_default().to_owned()));
        let numbers = [line.calls, line.failed, line.requests].map(|number| number.to_string());
        writer.write_record(texts.iter().chain(&numbers))?;
    }
    let bytes = writer.into_inner().map_err(|error| error.into_error())?;
    // Every cell was text, so this loses nothing.
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spreadsheets_read_the_file_and_run_nothing_in_it() {
        let line = UsageLine {
            day: Some("2026-11-29".to_owned()),
            who: "key:a1".to_owned(),
            kind: "key".to_owned(),
            name: Some("=HYPERLINK(\"http://x\")".to_owned()),
            reference: Some("@7, \"x\"".to_owned()),
            alias: Some("-acme".to_owned()),
            location: "L1".to_owned(),
            effect: "read".to_owned(),
            calls: 2,
            failed: 1,
            requests: 5,
            ..UsageLine::default()
        };
        let none = UsageLine {
            month: Some("2026-11".to_owned()),
            ..UsageLine::default()
        };
        let written = usage_csv(&[line], Some("day")).expect("CSV");
        let expected = "day,kind,who,name,ref,alias,location,effect,calls,failed,requests\r\n\
            2026-11-29,key,key:a1,\"'=HYPERLINK(\"\"http://x\"\")\",\"'@7, \"\"x\"\"\",'-acme,L1,read,2,1,5\r\n";
        assert_eq!(written, expected);
        let further = usage_csv(&[none], None).expect("CSV");
        assert_eq!(further, "2026-11,,,,,,,,0,0,0\r\n");
    }

    #[test]
    fn a_month_is_a_year_and_a_month() {
        for (month, expected) in [
            ("2026-02", Some("2026-02-01 to 2026-02-28")),
            ("2024-02", Some("2024-02-01 to 2024-02-29")),
            ("2026-13", None),
            ("2026-2", None),
            ("2026-11-29", None),
            ("november", None),
            ("", None),
        ] {
            let days = days_of_month(month).map(|(first, last)| format!("{first} to {last}"));
            assert_eq!(days.as_deref(), expected, "{month}");
        }
    }
}

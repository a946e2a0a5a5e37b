//! Reads the counts, summed as requested.

use jiff::civil::Date;

use super::{UsageCounts, date_of_number, number_of_date};
use crate::StoreError;
use crate::store::{Pending, Statement, Store, StoredRow};

/// The grouping of sums. Everything else is added up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UsageGrouping {
    pub day: bool,
    pub principal: bool,
    pub location: bool,
    pub effect: bool,
}

/// The selection of rows.
#[derive(Clone, Debug)]
pub struct UsageQuery {
    /// The first day and the last, in UTC.
    pub days: (Date, Date),
    /// HighLevel's id; `None`: all.
    pub location: Option<String>,
    /// The id of a person, who sees the person's own calls, and those in locations that the person connected, from that
    /// day on. `None`: all.
    pub reader: Option<String>,
    pub by: UsageGrouping,
    /// Sorted by the number of calls, the largest first; otherwise by the grouping.
    pub is_busiest_first: bool,
    pub skip: usize,
    pub most: usize,
}

/// A sum. Fields outside the grouping are empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageRow {
    pub day: Option<Date>,
    /// The audit's name of the caller.
    pub principal: String,
    pub location: String,
    pub effect: String,
    pub counts: UsageCounts,
}

/// The reader's own rows: as a person, by the person's grants, and in locations that the person connected.
const OF_READER: &str = "(principal = 'person:' || $4 OR principal IN
        (SELECT 'grant:' || oauth_grant.id FROM oauth_grant WHERE oauth_grant.person = $4)
    OR EXISTS (SELECT 1 FROM location WHERE location.location = usage.location AND location.owner = $4
        AND location.ended_at IS NULL AND usage.day >= location.created_at / 86400000))";

impl Store {
    /// The matching sums.
    pub fn usage(&self, query: &UsageQuery) -> Pending<Vec<UsageRow>> {
        let query = query.clone();
        self.read(move |transaction| {
            let find = query.bind(sqlx::query(sqlx::AssertSqlSafe(query.text())));
            let rows = transaction.all(find)?;
            rows.iter()
                .map(|row| UsageRow::from_row(row, query.by.day))
                .collect()
        })
    }

    /// The number of sums, regardless of `skip` and `most`.
    pub fn count_usage(&self, query: &UsageQuery) -> Pending<usize> {
        let query = UsageQuery {
            is_busiest_first: false,
            skip: 0,
            most: usize::MAX,
            ..query.clone()
        };
        self.read(move |transaction| {
            let count = format!("SELECT COUNT(*) AS n FROM ({}) AS sums", query.text());
            let count = query.bind(sqlx::query(sqlx::AssertSqlSafe(count)));
            let row = transaction.one(count)?;
            let count = row.map_or(Ok(0), |row| row.integer("n"))?;
            Ok(usize::try_from(count).unwrap_or_default())
        })
    }

    /// The first day with usage.
    pub fn first_day_of_usage(&self) -> Pending<Option<Date>> {
        self.read(|transaction| {
            let first = transaction.one(sqlx::query("SELECT MIN(day) AS day FROM usage"))?;
            let first = first.map_or(Ok(None), |row| row.optional_integer("day"))?;
            Ok(first.map(date_of_number))
        })
    }
}

impl UsageQuery {
    /// Every sum of these days.
    pub fn sums(days: (Date, Date), by: UsageGrouping) -> Self {
        Self {
            days,
            location: None,
            reader: None,
            by,
            is_busiest_first: false,
            skip: 0,
            most: usize::MAX,
        }
    }

    fn bind<'q>(&self, statement: Statement<'q>) -> Statement<'q> {
        statement
            .bind(number_of_date(self.days.0))
            .bind(number_of_date(self.days.1))
            .bind(self.location.clone().unwrap_or_default())
            .bind(self.reader.clone().unwrap_or_default())
            .bind(i64::try_from(self.most).unwrap_or(i64::MAX))
            .bind(i64::try_from(self.skip).unwrap_or(i64::MAX))
    }

    pub(crate) fn text(&self) -> String {
        let columns = [
            ("day", "CAST(0 AS BIGINT)", self.by.day),
            ("principal", "''", self.by.principal),
            ("location", "''", self.by.location),
            ("effect", "''", self.by.effect),
        ];
        let shown = columns.map(|(name, none, is_kept)| match is_kept {
            true => format!("usage.{name} AS {name}"),
            false => format!("{none} AS {name}"),
        });
        let kept = columns.iter().filter(|(_, _, is_kept)| *is_kept);
        let kept: Vec<String> = kept.map(|(name, _, _)| format!("usage.{name}")).collect();
        let mut conditions = vec!["usage.day >= $1", "usage.day <= $2"];
        // An unused parameter has no type, and PostgreSQL refuses it.
        conditions.push(match self.location {
            Some(_) => "usage.location = $3",
            None => "$3 = ''",
        });
        conditions.push(match self.reader {
            Some(_) => OF_READER,
            None => "$4 = ''",
        });
        let mut order: Vec<&str> = kept.iter().map(String::as_str).collect();
        if self.is_busiest_first {
            order.insert(0, "SUM(usage.calls) DESC");
            order.insert(1, "SUM(usage.requests) DESC");
        }
        let clause = |words: &str, parts: &[&str]| match parts {
            [] => String::new(),
            parts => format!(" {words} {}", parts.join(", ")),
        };
        let kept: Vec<&str> = kept.iter().map(String::as_str).collect();
        format!(
            "SELECT {}, CAST(COALESCE(SUM(usage.calls), 0) AS BIGINT) AS calls,
                CAST(COALESCE(SUM(usage.failed), 0) AS BIGINT) AS failed,
                CAST(COALESCE(SUM(usage.requests), 0) AS BIGINT) AS requests
            FROM usage WHERE {}{}{} LIMIT $5 OFFSET $6",
            shown.join(", "),
            conditions.join(" AND "),
            clause("GROUP BY", &kept),
            clause("ORDER BY", &order),
        )
    }
}

impl UsageRow {
    fn from_row(row: &StoredRow, has_day: bool) -> Result<Self, StoreError> {
        let day = row.integer("day")?;
        Ok(Self {
            day: has_day.then(|| date_of_number(day)),
            principal: row.text("principal")?,
            location: row.text("location")?,
            effect: row.text("effect")?,
            counts: UsageCounts {
                calls: row.integer("calls")?,
                failed: row.integer("failed")?,
                requests: row.integer("requests")?,
            },
        })
    }
}

//! Refuses impossible requests for an answer before anything is sent.

use serde_json::Value;

use super::aggregate::Aggregate;
use super::filter::Condition;
use super::{Format, Output};
use crate::upstream::Failure;
use crate::upstream::failure::FailureClass;
use tool::{Effect, Tool};

/// Most fields that rows are grouped by, and that are added up in one way.
const MOST_GROUP_FIELDS: usize = 3;
const MOST_MEASURED: usize = 10;

/// Most fields that rows show, conditions that they are kept by, and values of one condition. Each is looked for in
/// each row.
const MOST_FIELDS: usize = 200;
const MOST_CONDITIONS: usize = 50;
const MOST_CHOICES: usize = 500;

/// Longest name of a field, and longest text that one is compared with, in bytes.
const LONGEST_FIELD: usize = 200;
const LONGEST_COMPARED: usize = 2_000;

impl Output {
    /// Fails where no answer of `tool`, or of several calls of it, can be what is asked for.
    pub fn check(&self, tool: &Tool, is_batch: bool) -> Result<(), Failure> {
        let invalid = |what: String, remedy: &str| {
            let failure = Failure::new(FailureClass::Invalid, format!("Nothing was sent: {what}"));
            Err(match remedy {
                "" => failure,
                remedy => failure.with_remedy(remedy),
            })
        };
        let is_read = tool.effect == Effect::Read;
        if let Some(what) = self.beyond_bounds() {
            return invalid(what, "Ask for less, or in several calls.");
        }
        if let Some(fault) = self.filter.iter().find_map(|condition| condition.fault()) {
            return invalid(format!("output.filter: {fault}."), "");
        }
        if is_batch && self.format != Format::Json && !is_read {
            let what = "what writes answers with the outcome of each item, which is not a table.";
            return invalid(what.to_owned(), "Leave output.format out.");
        }
        if !self.aggregates() {
            return Ok(());
        }
        if !is_read {
            let what = format!(
                "{} does not only read: rows are added up of reads.",
                tool.name
            );
            return invalid(
                what,
                "Leave groupBy, count, sum, avg, min, max and minCount out.",
            );
        }
        if self.fields.is_some() {
            let what = "output.fields shows rows, and groupBy, count, sum, avg, min, max and minCount show figures.";
            return invalid(what.to_owned(), "Leave one of them out.");
        }
        if self.min_count.is_some() && self.group_by.is_empty() {
            let what =
                "output.minCount is the least count of a group, and output.groupBy is missing.";
            return invalid(what.to_owned(), "");
        }
        if self.group_by.len() > MOST_GROUP_FIELDS {
            let what = format!("output.groupBy takes at most {MOST_GROUP_FIELDS} fields.");
            return invalid(what, "");
        }
        for (_, word, fields) in self.measures() {
            if fields.len() > MOST_MEASURED {
                let what = format!("output.{word} takes at most {MOST_MEASURED} fields.");
                return invalid(what, "");
            }
        }
        let mut names = self.named_fields();
        if let Some((member, _)) = names.find(|(_, field)| field.is_empty()) {
            return invalid(format!("output.{member} names no field."), "");
        }
        Aggregate::new(self).map(drop)
    }

    /// Why it would take too long.
    fn beyond_bounds(&self) -> Option<String> {
        let fields = self.fields.as_ref().map_or(0, Vec::len);
        let too_many = |count: usize, most: usize, what: &str| {
            (count > most).then(|| format!("{what} are at most {most}, and {count} were given."))
        };
        let choices = |one: &Condition| one.value.as_array().map_or(1, Vec::len);
        let choices = self.filter.iter().map(choices).max().unwrap_or_default();
        let values = self.filter.iter().flat_map(|one| match &one.value {
            Value::Array(values) => values.as_slice(),
            value => std::slice::from_ref(value),
        });
        let longest = values.map(|value| value.to_string().len()).max();
        let is_long = |(_, name): &(&str, &str)| name.len() > LONGEST_FIELD;
        too_many(fields, MOST_FIELDS, "The fields of output.fields")
            .or_else(|| {
                too_many(
                    self.filter.len(),
                    MOST_CONDITIONS,
                    "The conditions of a filter",
                )
            })
            .or_else(|| too_many(choices, MOST_CHOICES, "The values of one condition"))
            .or_else(|| {
                too_many(
                    longest.unwrap_or_default(),
                    LONGEST_COMPARED,
                    "The characters of a condition's value",
                )
            })
            .or_else(|| {
                let (member, _) = self.named_fields().find(is_long)?;
                Some(format!(
                    "output.{member} names a field of more than {LONGEST_FIELD} characters."
                ))
            })
    }

    /// Fails where rows were to be added up and the answer is one record.
    pub(super) fn check_for_record(&self, tool: &Tool) -> Result<(), Failure> {
        if !self.aggregates() {
            return Ok(());
        }
        let what = format!(
            "{} answered with no list, so that there are no rows to add up.",
            tool.name
        );
        let failure = Failure::new(FailureClass::Invalid, what);
        Err(failure.with_remedy("Call it without groupBy, count, sum, avg, min, max and minCount."))
    }

    /// Whether what is asked for depends on the location's time zone.
    pub fn needs_zone(&self) -> bool {
        let mut groups = self.group_by.iter();
        groups.any(|name| name.contains(':')) || self.filter.iter().any(|one| one.needs_zone())
    }

    /// Every field that is named, and by which member.
    pub(super) fn named_fields(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let filter = self.filter.iter().map(|one| ("filter", one.field.as_str()));
        let groups = self.group_by.iter().map(|name| {
            let field = name
                .split_once(':')
                .map_or(name.as_str(), |(field, _)| field);
            ("groupBy", field.trim())
        });
        let measures = self.measures().into_iter();
        let measures = measures
            .flat_map(|(_, word, fields)| fields.iter().map(move |field| (word, field.as_str())));
        let fields = self.fields.iter().flatten();
        let fields = fields.filter(|field| *field != "*");
        let fields = fields.map(|field| ("fields", field.as_str()));
        filter.chain(groups).chain(measures).chain(fields)
    }
}

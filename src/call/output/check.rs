//! Refuses impossible requests for an answer before anything is sent.

use super::aggregate::Aggregate;
use super::{Format, Output};
use crate::upstream::Failure;
use crate::upstream::failure::FailureClass;
use tool::{Effect, Tool};

/// Most fields that rows are grouped by, and that are added up in one way.
const MOST_GROUP_FIELDS: usize = 3;
const MOST_MEASURED: usize = 10;

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

//! Rows counted and added up by group, a page at a time: nothing is kept of a row but what its groups need.

use std::cmp::Ordering;
use std::collections::{BTreeSet, HashMap};

use jiff::tz::TimeZone;
use serde_json::Value;

use super::Output;
use super::group::{Figure, Group, GroupField, Label, MeasureKind, Reading};
use super::path::{field_at, find_at, last_step};
use crate::upstream::Failure;
use crate::upstream::failure::FailureClass;

/// Groups that are kept at once; rows of further ones are counted together.
const MOST_GROUPS: usize = 30_000;

/// Groups that one row may count in.
const MOST_OF_ROW: usize = 200;

/// What a group takes beside its texts, in bytes, and what each of its figures takes.
const GROUP_BYTES: usize = 250;
const FIGURE_BYTES: usize = 250;

/// The member of a row that says what its amounts are in.
const CURRENCY: &str = "currency";

/// What the rows of a list come to.
#[derive(Debug)]
pub struct Aggregate {
    by: Vec<GroupField>,
    dates: Vec<Reading>,
    measures: Vec<Measure>,
    fields: Vec<MeasuredField>,
    /// Amounts are kept apart by their currency.
    by_currency: bool,
    currencies: BTreeSet<String>,
    keeps_ids: bool,
    groups: HashMap<String, Group>,
    /// Rows of groups that there was no room for.
    rest: Group,
    bytes: usize,
}

/// A figure that is shown of every group.
#[derive(Clone, Debug)]
pub(super) struct Measure {
    pub kind: MeasureKind,
    /// Its place among the measured fields.
    pub field: usize,
    /// Its column, such as `sum(amount)`.
    pub name: String,
}

#[derive(Debug)]
struct MeasuredField {
    field: String,
    is_added: bool,
    reading: Reading,
}

/// The groups in the order in which they are shown.
#[derive(Debug)]
pub struct SortedGroups {
    pub groups: Vec<Group>,
    /// There was no room for the rest of them.
    pub rest: Option<Group>,
    /// The last label of each is its currency, of which there are several.
    pub has_currency: bool,
}

impl Aggregate {
    /// For what `output` asks for; `None` where it asks for rows.
    pub(super) fn new(output: &Output) -> Result<Option<Self>, Failure> {
        if !output.aggregates() {
            return Ok(None);
        }
        let mut by: Vec<GroupField> = Vec::new();
        for name in &output.group_by {
            let field = GroupField::parse(name).map_err(|what| {
                let what = format!("Nothing was sent: output.groupBy: {what}.");
                Failure::new(FailureClass::Invalid, what)
            })?;
            if !by.iter().any(|known| known.name == field.name) {
                by.push(field);
            }
        }
        let (mut measures, mut fields) = (Vec::new(), Vec::<MeasuredField>::new());
        for (kind, word, names) in output.measures() {
            let is_added = matches!(kind, MeasureKind::Sum | MeasureKind::Average);
            for name in names {
                let place = fields.iter().position(|known| known.field == *name);
                let place = place.unwrap_or_else(|| {
                    fields.push(MeasuredField {
                        field: name.clone(),
                        is_added: false,
                        reading: Reading::default(),
                    });
                    fields.len() - 1
                });
                if let Some(field) = fields.get_mut(place) {
                    field.is_added |= is_added;
                }
                measures.push(Measure {
                    kind,
                    field: place,
                    name: format!("{word}({name})"),
                });
            }
        }
        let names_currency = by.iter().any(|one| last_step(&one.field) == CURRENCY);
        Ok(Some(Self {
            dates: by.iter().map(|_| Reading::default()).collect(),
            by_currency: !fields.is_empty() && !names_currency,
            currencies: BTreeSet::new(),
            keeps_ids: output.min_count.is_some_and(|least| least > 1),
            groups: HashMap::new(),
            rest: Group::new(Vec::new(), fields.len()),
            bytes: 0,
            by,
            measures,
            fields,
        }))
    }

    /// Adds one row.
    pub(super) fn add(&mut self, row: &Value, zone: &TimeZone) {
        let mut rows: Vec<Vec<Label>> = vec![Vec::new()];
        for (field, reading) in self.by.iter().zip(&mut self.dates) {
            let labels = field.labels(row, zone, reading);
            let longer = rows.iter().flat_map(|before| {
                let with =
                    |label: &Label| [before.as_slice(), std::slice::from_ref(label)].concat();
                labels.iter().map(with)
            });
            rows = longer.take(MOST_OF_ROW).collect();
        }
        if self.by_currency {
            let label = self.currency(row);
            rows.iter_mut()
                .for_each(|labels| labels.push(label.clone()));
        }
        let read = |field: &mut MeasuredField| {
            let found = find_at(row, &field.field);
            Figure::read(found.as_deref(), field.is_added, &mut field.reading)
        };
        let figures: Vec<Figure> = self.fields.iter_mut().map(read).collect();
        for labels in rows {
            let key = Group::key(&labels);
            let known = self.groups.len();
            let group = match self.groups.get_mut(&key) {
                Some(group) => group,
                None if known >= MOST_GROUPS => &mut self.rest,
                None => {
                    self.bytes += GROUP_BYTES + 3 * key.len() + FIGURE_BYTES * figures.len();
                    let group = Group::new(labels, figures.len());
                    self.groups.entry(key).or_insert(group)
                }
            };
            group.add(row, &figures, self.keeps_ids);
        }
    }

    /// The group of no rows.
    pub(super) fn no_rows(&self) -> Group {
        Group::new(Vec::new(), self.fields.len())
    }

    /// Bytes that it holds, about.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn measures(&self) -> &[Measure] {
        &self.measures
    }

    /// The columns of its groups, without what is measured.
    pub(super) fn label_names(&self, has_currency: bool) -> Vec<String> {
        let names = self.by.iter().map(|field| field.name.clone());
        let currency = has_currency.then(|| CURRENCY.to_owned());
        names.chain(currency).collect()
    }

    /// The groups: by date where that is the first they are grouped by, else the largest first.
    pub fn sorted(&self) -> SortedGroups {
        let has_currency = self.currencies.len() > 1;
        let mut groups: Vec<Group> = match self.by_currency && !has_currency {
            false => self.groups.values().cloned().collect(),
            true => {
                let mut joined: HashMap<String, Group> = HashMap::new();
                for group in self.groups.values() {
                    let labels = group.labels.get(..self.by.len()).unwrap_or_default();
                    let new = || Group::new(labels.to_vec(), self.fields.len());
                    let key = Group::key(labels);
                    joined.entry(key).or_insert_with(new).merge(group);
                }
                joined.into_values().collect()
            }
        };
        let by_date = self
            .by
            .first()
            .is_some_and(|field| field.interval.is_some());
        let first_sum = self
            .measures
            .iter()
            .find(|one| one.kind == MeasureKind::Sum);
        let size = |group: &Group| {
            let sum = first_sum.and_then(|measure| group.figures.get(measure.field));
            (sum.map(Figure::sum).unwrap_or_default(), group.rows)
        };
        let date = |group: &Group| {
            let key = group.labels.first().map(|label| label.key.clone());
            // Rows without a date come last.
            key.filter(|_| by_date).map(|key| (key.is_empty(), key))
        };
        groups.sort_by(|a, b| {
            let order: Ordering = date(a).cmp(&date(b));
            order
                .then_with(|| size(b).cmp(&size(a)))
                .then_with(|| Group::key(&a.labels).cmp(&Group::key(&b.labels)))
        });
        SortedGroups {
            groups,
            rest: (self.rest.rows > 0).then(|| self.rest.clone()),
            has_currency,
        }
    }

    /// Why its rows can be neither grouped nor added up as was asked.
    pub(super) fn check(&self) -> Result<(), Failure> {
        let invalid = |what: String| Err(Failure::new(FailureClass::Invalid, what));
        for (field, reading) in self.by.iter().zip(&self.dates) {
            let name = &field.field;
            if let Some(inside) = &reading.inside {
                let what = format!(
                    "output.groupBy: {name} holds objects; name a field in them, such as {inside}."
                );
                return invalid(what);
            }
            if let (0, Some(example)) = (reading.taken, &reading.example) {
                return invalid(format!("output.groupBy: {name} holds {example}, no date."));
            }
        }
        for measured in &self.fields {
            let (field, reading) = (&measured.field, &measured.reading);
            if let (0, Some(example)) = (reading.taken, &reading.example) {
                return invalid(format!("{field} holds {example}, which is not a number."));
            }
        }
        Ok(())
    }

    /// What whoever reads its figures should know.
    pub(super) fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        for (field, reading) in self.by.iter().zip(&self.dates) {
            if reading.has_lists {
                warnings.push(format!(
                    "A row counts once for each of its {}: the groups add up to more than matched.",
                    field.field
                ));
            }
        }
        let dates = self.by.iter().map(|field| &field.field).zip(&self.dates);
        let measured = self.fields.iter().map(|one| (&one.field, &one.reading));
        for ((field, reading), what) in dates
            .map(|one| (one, "date"))
            .chain(measured.map(|one| (one, "number")))
        {
            if let Some(example) = &reading.example {
                warnings.push(format!(
                    "{} values of {field} are no {what} and left out, such as {example}.",
                    reading.strange
                ));
            }
        }
        let averages = self.measures.iter();
        let averages = averages.filter(|measure| measure.kind == MeasureKind::Average);
        for measured in averages.filter_map(|measure| self.fields.get(measure.field)) {
            let reading = &measured.reading;
            if reading.empty > 0 && reading.taken > 0 {
                warnings.push(format!(
                    "{} rows have no {}: its average is of the other {}.",
                    reading.empty, measured.field, reading.taken
                ));
            }
        }
        if self.currencies.len() > 1 {
            let names = Vec::from_iter(self.currencies.iter().map(String::as_str)).join(", ");
            warnings.push(format!(
                "Amounts of different currencies ({names}) are not added up: each has its groups."
            ));
        }
        let mut figures = self.groups.values().flat_map(|group| &group.figures);
        if figures.any(Figure::is_beyond) {
            warnings.push("A sum has more digits than are added up: it is null.".to_owned());
        }
        warnings
    }

    /// What the amounts of a row are in: beside the first of them, or beside all.
    fn currency(&mut self, row: &Value) -> Label {
        let amount = self.fields.first().map(|one| one.field.as_str());
        let holder = amount.and_then(|amount| Some(amount.rsplit_once('.')?.0));
        let beside = holder.and_then(|holder| field_at(row, &format!("{holder}.{CURRENCY}")));
        let found = beside.or_else(|| row.get(CURRENCY));
        let Some(code) = found
            .and_then(Value::as_str)
            .filter(|code| !code.is_empty())
        else {
            return Label::nothing();
        };
        const LONGEST: usize = 16;
        let code: String = code.trim().to_uppercase().chars().take(LONGEST).collect();
        if self.currencies.len() < MOST_OF_ROW {
            self.currencies.insert(code.clone());
        }
        Label {
            shown: Value::String(code.clone()),
            key: code,
        }
    }
}

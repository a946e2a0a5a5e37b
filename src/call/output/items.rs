//! The answers to a batch of reads as one table: the rows of all items, each with its item's number.

use serde_json::{Map, Value, json};

use super::list::{OURS, list_name};
use super::path::PLAIN;
use super::{Format, ListText, Output};
use crate::upstream::Failure;
use tool::Tool;

/// The column that says which item a row is of, and the member that says whose notes are told.
const ITEM: &str = "item";

/// The groups of an answer.
const GROUPS: &str = "groups";

impl Output {
    /// The same for one item of a batch, whose answer becomes rows of a table.
    pub fn for_item(&self) -> Self {
        Self {
            format: Format::Json,
            is_item: self.is_table(),
            ..self.clone()
        }
    }

    /// Whether rows are shown as CSV or as a table.
    pub fn is_table(&self) -> bool {
        self.format != Format::Json
    }

    /// The table of a batch's outcomes. `notes`: what there is to say of the batch as a whole.
    pub fn table_of_items(
        &self,
        tool: &Tool,
        outcomes: Vec<Value>,
        mut notes: Map<String, Value>,
    ) -> Result<ListText, Failure> {
        let (mut rows, mut beside, mut failed) = (Vec::new(), Vec::new(), Vec::new());
        for mut outcome in outcomes {
            let item = outcome[ITEM].take();
            if outcome["ok"] != true {
                outcome[ITEM] = item;
                failed.push(outcome);
                continue;
            }
            let (found, mut note) = self.rows_of_item(tool, outcome["answer"].take());
            rows.extend(found.into_iter().map(|row| (item.clone(), row)));
            if !note.is_empty() {
                note.insert(ITEM.to_owned(), item);
                beside.push(Value::Object(note));
            }
        }
        for (name, list) in [("failures", failed), ("notes", beside)] {
            if !list.is_empty() {
                notes.insert(name.to_owned(), Value::Array(list));
            }
        }
        let (items, mut rows): (Vec<Value>, Vec<Value>) = rows.into_iter().unzip();
        let mut columns = vec![ITEM.to_owned()];
        columns.extend(
            self.columns(tool, &rows)
                .into_iter()
                .filter(|name| name != ITEM),
        );
        for (row, item) in rows.iter_mut().zip(items) {
            if let Value::Object(row) = row {
                row.insert(ITEM.to_owned(), item);
            }
        }
        self.tabular(&columns, &rows, notes)
    }

    /// The rows of one answer, and what stands beside them.
    fn rows_of_item(&self, tool: &Tool, answer: Value) -> (Vec<Value>, Map<String, Value>) {
        let Value::Object(mut answer) = answer else {
            return (vec![json!({PLAIN: answer})], Map::new());
        };
        let name = match self.aggregates() {
            true => GROUPS,
            false => list_name(tool),
        };
        let listed = answer.shift_remove(name).and_then(|list| match list {
            Value::Array(rows) => Some(rows),
            Value::Object(table) => from_columns(&table),
            _ => None,
        });
        if let Some(rows) = listed {
            let rows = rows.into_iter().map(|row| match row {
                Value::Object(_) => row,
                value => json!({PLAIN: value}),
            });
            return (rows.collect(), answer);
        }
        // One record, or figures of all rows.
        let (beside, record): (Map<String, Value>, Map<String, Value>) = answer
            .into_iter()
            .partition(|(name, _)| OURS.contains(&name.as_str()));
        let mut members = record.values();
        let record = match (members.next(), members.next()) {
            (Some(Value::Object(inside)), None) => inside.clone(),
            _ => record,
        };
        (vec![Value::Object(record)], beside)
    }
}

/// The rows of `{"columns": [name, …], "rows": [[value, …], …]}`.
fn from_columns(table: &Map<String, Value>) -> Option<Vec<Value>> {
    let columns = table.get("columns")?.as_array()?;
    let rows = table.get("rows")?.as_array()?.iter().map(|cells| {
        let cells = cells.as_array().into_iter().flatten();
        let named = columns.iter().zip(cells).filter_map(|(name, cell)| {
            let is_there = !cell.is_null();
            is_there.then(|| Some((name.as_str()?.to_owned(), cell.clone())))?
        });
        Value::Object(named.collect())
    });
    Some(rows.collect())
}

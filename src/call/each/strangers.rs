//! Other people's words among the values of chosen rows, as they are shown to the caller of the write.

use std::sync::Arc;

use serde_json::{Value, json};

use super::super::prepared_request::SelectedRow;
use super::super::record_names::MOST_NAMED;
use super::super::strangers::explain;
use super::super::{Answer, Each, Fences};
use super::Binding;

/// The words of the rows that a preview shows, and their fences.
pub(in super::super) struct StrangersInRows {
    fences: Arc<Fences>,
    /// Each text as it stands in a row, and in its fence.
    texts: Vec<(String, String)>,
}

impl StrangersInRows {
    /// `None`: nobody else wrote any of them.
    pub(super) fn find(
        fences: Arc<Fences>,
        each: &Each,
        binding: &Binding,
        rows: &[SelectedRow],
    ) -> Option<Self> {
        let mut texts = Vec::new();
        for row in rows.iter().take(MOST_NAMED) {
            for (argument, value) in &row.item {
                for path in binding.paths(argument) {
                    let mut field = json!({path: value});
                    fences.enclose(each.tool.paging.rows, &mut field);
                    texts.extend(changed(value, &field[path]));
                }
            }
        }
        fences.has_found().then_some(Self { fences, texts })
    }

    /// Fences them in a preview, wherever they stand.
    pub(in super::super) fn fence(&self, shown: &mut Value) {
        match shown {
            Value::String(text) => {
                for (raw, fenced) in &self.texts {
                    if text.contains(raw.as_str()) && !text.contains(fenced.as_str()) {
                        *text = text.replace(raw.as_str(), fenced);
                    }
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.fence(item)),
            Value::Object(members) => members.values_mut().for_each(|one| self.fence(one)),
            _ => {}
        }
    }

    /// Says what the fences are.
    pub(in super::super) fn explain(&self, answer: &mut Answer) {
        explain(Some(&self.fences), answer);
    }
}

/// The texts in `value` that are others in `fenced`.
fn changed(value: &Value, fenced: &Value) -> Vec<(String, String)> {
    match (value, fenced) {
        (Value::String(raw), Value::String(fenced)) if raw != fenced => {
            vec![(raw.clone(), fenced.clone())]
        }
        (Value::Array(values), Value::Array(fenced)) => {
            let pairs = values.iter().zip(fenced);
            pairs
                .flat_map(|(raw, fenced)| changed(raw, fenced))
                .collect()
        }
        (Value::Object(values), Value::Object(fenced)) => {
            let pairs = values.values().zip(fenced.values());
            pairs
                .flat_map(|(raw, fenced)| changed(raw, fenced))
                .collect()
        }
        _ => Vec::new(),
    }
}

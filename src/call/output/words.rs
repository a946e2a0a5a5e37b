//! The words that rows have in the fields of conditions, for a caller that compares with another word.

use std::collections::BTreeSet;

use serde_json::Value;

use super::filter::{Condition, example, same_text};
use super::path::find_at;
use crate::catalog::custom_field;
use tool::nearest;

/// Most words of one field that are kept. A field with more is no choice of a few.
const MOST_WORDS: usize = 12;

/// The least number of rows for each word of a choice.
const ROWS_PER_WORD: usize = 2;

/// Longest word, in bytes. Longer texts are names or sentences.
const LONGEST_WORD: usize = 30;

/// By condition, in their order.
#[derive(Debug, Default)]
pub(super) struct ConditionWords(Vec<FieldWords>);

#[derive(Debug)]
struct FieldWords {
    /// `None` if the field has other values, or too many different words.
    words: Option<BTreeSet<String>>,
    /// Rows with one of them.
    rows: usize,
}

impl ConditionWords {
    /// Notes the words of `row`.
    pub(super) fn note(&mut self, conditions: &[Condition], row: &Value) {
        self.0.resize_with(conditions.len(), || FieldWords {
            words: Some(BTreeSet::new()),
            rows: 0,
        });
        for (condition, words) in conditions.iter().zip(&mut self.0) {
            if words.words.is_some() && condition.op.is_equality() {
                words.note(find_at(row, &condition.field).as_deref());
            }
        }
    }

    /// A sentence for each condition with a word that no row has, which therefore holds of none or of all.
    pub(super) fn warnings(&self, conditions: &[Condition]) -> Vec<String> {
        let pairs = conditions.iter().zip(&self.0);
        let warnings = pairs.filter_map(|(condition, FieldWords { words, rows })| {
            // Words of a choice return; first names do so rarely.
            let is_choice = |words: &&BTreeSet<String>| *rows >= ROWS_PER_WORD * words.len();
            let words = words.as_ref().filter(|words| !words.is_empty());
            let words = words.filter(is_choice)?;
            let one = std::slice::from_ref(&condition.value);
            let wanted = condition.value.as_array().map_or(one, Vec::as_slice);
            let strange = wanted.iter().find(|wanted| {
                let text = wanted.as_str().filter(|text| !text.trim().is_empty());
                text.is_some_and(|text| !words.iter().any(|word| same_text(word, text)))
            })?;
            let field = &condition.field;
            let has = Vec::from_iter(words.iter().map(String::as_str)).join(", ");
            let text = strange.as_str().unwrap_or_default();
            let near = nearest(text, words.iter().map(|word| (word.as_str(), word)));
            let near = near.map_or_else(String::new, |near| format!(" Did you mean {near}?"));
            Some(format!(
                "No row that was read has {} in {field}: rows have {has}.{near}",
                example(strange)
            ))
        });
        warnings.collect()
    }
}

impl FieldWords {
    fn note(&mut self, value: Option<&Value>) {
        let word = match value {
            None | Some(Value::Null) => return,
            Some(Value::String(text)) if text.trim().is_empty() => return,
            // An error has no fences, so only single words are repeated.
            Some(Value::String(text)) if is_word(text) => text.trim(),
            Some(_) => {
                self.words = None;
                return;
            }
        };
        self.rows += 1;
        if let Some(words) = &mut self.words {
            if !words.contains(word) {
                words.insert(word.to_owned());
            }
            if words.len() > MOST_WORDS {
                self.words = None;
            }
        }
    }
}

fn is_word(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    let text = text.trim();
    text.len() <= LONGEST_WORD
        && text.bytes().all(is_plain)
        && text.bytes().any(|byte| byte.is_ascii_alphabetic())
        && !custom_field::is_id(text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_word_that_no_row_has_is_told_with_those_that_rows_have() {
        #[track_caller]
        fn check(values: &[&str], condition: Value, expected: &[&str]) {
            let condition: Condition = serde_json::from_value(condition).expect("a condition");
            let mut words = ConditionWords::default();
            let conditions = [condition];
            for value in values {
                words.note(&conditions, &json!({"status": value}));
            }
            words.note(&conditions, &json!({"status": null}));
            assert_eq!(words.warnings(&conditions), expected);
        }
        let equal = |value: Value| json!({"field": "status", "value": value});
        check(
            &["sent", "paid", "sent", "paid"],
            equal(json!("overdue")),
            &["No row that was read has \"overdue\" in status: rows have paid, sent."],
        );
        check(
            &["confirmed", "cancelled", "confirmed", "confirmed"],
            json!({"field": "status", "op": "not_in", "value": ["confirmed", "canceled"]}),
            &[
                "No row that was read has \"canceled\" in status: rows have cancelled, confirmed. Did you mean cancelled?",
            ],
        );
        check(&["sent", "paid"], equal(json!("Paid")), &[]);
        check(&["sent", "paid"], equal(json!("")), &[]);
        check(&[], equal(json!("paid")), &[]);
        // Names and ids are no choices.
        check(&["Ada", "Bob", "Ada"], equal(json!("Cleo")), &[]);
        check(&["Ada Lovelace", "sent"], equal(json!("paid")), &[]);
        check(&["OBj007Z8b4yV08OJdaWh"], equal(json!("paid")), &[]);
        let many: Vec<String> = (0..20).map(|number| format!("w{number}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        check(&many, equal(json!("paid")), &[]);
        let above = json!({"field": "status", "op": "contains", "value": "overdue"});
        check(&["sent"], above, &[]);
    }
}

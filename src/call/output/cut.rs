//! Says what of an answer is missing and how to get it: `_cut`, in one form wherever something is cut.

use serde_json::{Map, Value, json};

/// What an answer lacks.
#[derive(Clone, Debug, Default)]
pub(in crate::call) struct CutNote {
    /// Rows that are shown, and how many there are as far as that is known.
    pub shown: Option<usize>,
    pub of: Option<Value>,
    /// Fields whose texts are cut.
    pub texts: Vec<String>,
    /// Members beside the list that are left out for their size.
    pub left_out: Vec<String>,
    /// Sentences.
    pub why: Vec<String>,
    pub next: Vec<String>,
}

impl CutNote {
    /// Its JSON, where anything is cut.
    pub(in crate::call) fn json(self) -> Option<Value> {
        let Self {
            shown,
            of,
            texts,
            left_out,
            why,
            next,
        } = self;
        if why.is_empty() && texts.is_empty() && left_out.is_empty() {
            return None;
        }
        let mut note = Map::new();
        let mut add = |name: &str, value: Option<Value>| {
            note.extend(value.map(|value| (name.to_owned(), value)));
        };
        let list = |names: Vec<String>| (!names.is_empty()).then(|| json!(names));
        let sentences = |all: Vec<String>| (!all.is_empty()).then(|| json!(all.join(" ")));
        add("shown", shown.map(|shown| json!(shown)));
        add("of", of);
        add("texts", list(texts));
        add("leftOut", list(left_out));
        add("why", sentences(why));
        add("next", sentences(next));
        Some(Value::Object(note))
    }
}

//! The values beside the list in an answer, such as the totals of a search or the folders of a list of fields.

use serde_json::{Map, Value};

use super::value_at;
use tool::Tool;

/// The members beside the rows, at every level above them, by name; by path where two have one name. Unless `all` are
/// wanted, without what is empty and what only leads from page to page.
pub(super) fn companions(tool: &Tool, answer: &Value, all: bool) -> Map<String, Value> {
    let mut found = Map::new();
    let path = tool.paging.rows;
    for (depth, step) in path.iter().enumerate() {
        let Some(Value::Object(holder)) = value_at(answer, &path[..depth]) else {
            break;
        };
        for (name, value) in holder.iter().filter(|(name, _)| name != step) {
            let steps: Vec<&str> = path[..depth]
                .iter()
                .copied()
                .chain([name.as_str()])
                .collect();
            if !all && (is_empty(value) || is_paging(tool, &steps)) {
                continue;
            }
            let taken = found.contains_key(name) || path.last() == Some(&name.as_str());
            let name = if taken { steps.join(".") } else { name.clone() };
            found.insert(name, value.clone());
        }
    }
    found
}

/// Whether what pages are told apart by stands there or inside.
fn is_paging(tool: &Tool, steps: &[&str]) -> bool {
    let paging = &tool.paging;
    let paths = paging.next.iter().map(|step| step.path);
    let mut paths = paths.chain([paging.more, paging.total]);
    let own = [paging.position, paging.page_size];
    paths.any(|path| path.starts_with(steps))
        || steps.last().is_some_and(|name| own.contains(&Some(*name)))
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    }
}

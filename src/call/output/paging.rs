//! How one page of a list leads to the next, in the operation's own arguments.

use serde_json::{Map, Value, json};

use super::{rows, value_at};
use tool::{PagingStyle, Tool};

/// Rows a page where all are wanted: the most that reports of users show HighLevel to take.
const MOST_A_PAGE: i64 = 100;

/// The argument of the page size and the most it takes, where the operation has one.
pub fn most_rows_a_page(tool: &Tool) -> Option<(&'static str, i64)> {
    let name = tool.paging.page_size?;
    let schema: Value = serde_json::from_str(tool.check_schema).unwrap_or_default();
    let most = schema["properties"][name]["maximum"].as_i64();
    Some((name, most.map_or(MOST_A_PAGE, |most| most.min(MOST_A_PAGE))))
}

/// What to change in `arguments` for the page after `answer`; `None` where that was the last.
pub fn next_page(
    tool: &Tool,
    arguments: &Map<String, Value>,
    answer: &Value,
) -> Option<Map<String, Value>> {
    let paging = &tool.paging;
    let count = rows(tool, answer)?.len();
    let says_no = || value_at(answer, paging.more).is_some_and(|more| more == &json!(false));
    if count == 0 || (!paging.more.is_empty() && says_no()) {
        return None;
    }
    let number = |name: Option<&str>| -> Option<i64> {
        let value = arguments.get(name?)?;
        value.as_i64().or_else(|| value.as_str()?.parse().ok())
    };
    let count = i64::try_from(count).ok()?;
    let is_short = number(paging.page_size).is_some_and(|size| count < size);
    match paging.style {
        PagingStyle::None | PagingStyle::Window => None,
        PagingStyle::Cursor | PagingStyle::LastId => {
            let mut next = Map::new();
            for step in paging.next {
                let value =
                    value_at(answer, step.path).filter(|value| !value.is_null() && *value != "")?;
                next.insert(step.argument.to_owned(), value.clone());
            }
            let leads_on = next
                .iter()
                .any(|(name, value)| arguments.get(name) != Some(value));
            (leads_on && !is_short).then_some(next)
        }
        PagingStyle::Page | PagingStyle::Offset => {
            let position = paging.position?;
            let by_row = paging.style == PagingStyle::Offset;
            let before = number(Some(position)).unwrap_or(if by_row { 0 } else { paging.first });
            let next = before + if by_row { count } else { 1 };
            let total = value_at(answer, paging.total)
                .and_then(|total| total.as_i64().or_else(|| total.as_str()?.parse().ok()));
            let is_all = !paging.total.is_empty()
                && match total {
                    Some(total) if by_row => next >= total,
                    Some(total) => number(paging.page_size)
                        .is_some_and(|size| (next - paging.first) * size >= total),
                    None => false,
                };
            (!is_short && !is_all).then(|| Map::from_iter([(position.to_owned(), json!(next))]))
        }
    }
}

//! Leads from one page of a list to the next, in the operation's own arguments.

use std::cmp::Ordering;

use serde_json::{Map, Value, json};

use super::{AllPages, Output, value_at};
use tool::{DeepPaging, PagingStyle, Tool};

/// Rows a page where all are wanted: the most that reports of users show HighLevel to take.
const MOST_A_PAGE: i64 = 100;

/// The same where they are only added up and a document says that HighLevel takes as many.
const MOST_ADDED_UP: i64 = 500;

/// No page of HighLevel's that was reported is smaller, unless it was asked for: fewer rows are the last ones.
const SMALLEST_PAGE: i64 = 10;

/// What follows a page.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum Following {
    /// Nothing: HighLevel says so, or the page is empty.
    #[default]
    End,
    /// A page, by these changes of the arguments; null takes an argument away.
    Page {
        change: Map<String, Value>,
        evidence: Evidence,
    },
    /// More than HighLevel gives, and why.
    Lost(String),
}

/// How sure it is that a page follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Evidence {
    /// HighLevel says so.
    Certain,
    /// Nothing says so, nor that the list ends.
    Possible,
    /// The same, and the page is a small part of what was asked for.
    Slight,
}

/// The argument of the page size and the most it takes, where the operation has one.
pub fn most_rows_a_page(tool: &Tool, output: &Output) -> Option<(&'static str, i64)> {
    let name = tool.paging.page_size?;
    let schema: Value = serde_json::from_str(tool.check_schema).unwrap_or_default();
    let most = schema["properties"][name]["maximum"].as_i64();
    let wanted = match output.aggregates() {
        true => MOST_ADDED_UP,
        false => MOST_A_PAGE,
    };
    Some((name, most.map_or(MOST_A_PAGE, |most| most.min(wanted))))
}

/// The argument of the page size and the size to read by, where a call does not set its own. Figures are of all rows:
/// how many it wants a page only makes them slower, unless it counts pages by it.
pub fn added_page_size(
    tool: &Tool,
    output: &Output,
    arguments: &Map<String, Value>,
) -> Option<(&'static str, i64)> {
    let (size, most) = most_rows_a_page(tool, output)?;
    let is_free = || {
        output.aggregates()
            && !matches!(output.all_pages, AllPages::Pages(_))
            && rows_before(tool, arguments) == Some(0)
            && page_size(tool, arguments).is_some_and(|given| given < most)
    };
    (!arguments.contains_key(size) || is_free()).then_some((size, most))
}

/// How many rows of the list stand before the page that `arguments` ask for; `None` where nobody knows.
pub(super) fn rows_before(tool: &Tool, arguments: &Map<String, Value>) -> Option<i64> {
    let paging = &tool.paging;
    if paging
        .deep
        .as_ref()
        .is_some_and(|deep| is_given(arguments, deep.argument))
    {
        return None;
    }
    let position = paging
        .position
        .and_then(|name| number(arguments.get(name)?));
    match paging.style {
        PagingStyle::None | PagingStyle::Window => Some(0),
        PagingStyle::Cursor | PagingStyle::LastId => {
            let mut steps = paging.next.iter();
            let is_first = !steps.any(|step| is_given(arguments, step.argument));
            is_first.then_some(0)
        }
        PagingStyle::Offset => Some(position.unwrap_or(0)),
        PagingStyle::Page => match position.map_or(0, |page| page.saturating_sub(paging.first)) {
            0 => Some(0),
            pages => pages.checked_mul(page_size(tool, arguments)?),
        },
    }
}

/// What follows the page `answer` with these `rows`, which `before` rows of the list precede, `earlier` of them read by
/// this call.
///
/// A list ends where HighLevel says so, and else at an empty page: pages are often shorter than was asked for.
pub(super) fn following(
    tool: &Tool,
    arguments: &Map<String, Value>,
    answer: &Value,
    rows: &[Value],
    (before, earlier): (Option<i64>, usize),
) -> Following {
    let paging = &tool.paging;
    let total = total(tool, answer);
    let count = i64::try_from(rows.len()).unwrap_or(i64::MAX);
    if rows.is_empty() {
        return match (total, before) {
            (Some(total), Some(before)) if earlier > 0 && before < total => Following::Lost(
                format!("HighLevel counts {total} rows and gave an empty page after {before}."),
            ),
            _ => Following::End,
        };
    }
    let more = match value_at(answer, paging.more).filter(|_| !paging.more.is_empty()) {
        Some(Value::Bool(more)) => Some(*more),
        Some(Value::String(text)) => text.parse().ok(),
        _ => None,
    };
    let place = total
        .zip(before)
        .map(|(total, before)| before.saturating_add(count).cmp(&total));
    let is_all = place == Some(Ordering::Equal) && more != Some(true);
    if more == Some(false) || is_all {
        return Following::End;
    }
    let says_so = more == Some(true) || place == Some(Ordering::Less);
    let step = match paging.style {
        PagingStyle::None | PagingStyle::Window => {
            return match total {
                Some(total) if says_so => {
                    Following::Lost(format!("HighLevel counts {total} rows and sent {count}."))
                }
                _ => Following::End,
            };
        }
        PagingStyle::Cursor | PagingStyle::LastId => by_cursor(tool, answer, rows),
        PagingStyle::Page | PagingStyle::Offset => {
            by_number(tool, arguments, rows, before, count).map(|change| (change, false))
        }
    };
    let size = page_size(tool, arguments);
    match step {
        Ok((change, _))
            if change
                .iter()
                .all(|(name, value)| arguments.get(name) == Some(value)) =>
        {
            Following::Lost("HighLevel gave the cursor of this page again.".to_owned())
        }
        Ok((change, is_told)) => Following::Page {
            change,
            evidence: if says_so || is_told {
                Evidence::Certain
            } else if count < SMALLEST_PAGE && size.is_none_or(|size| count < size) {
                Evidence::Slight
            } else {
                Evidence::Possible
            },
        },
        Err(Some(why)) => Following::Lost(why),
        Err(None) if says_so => Following::Lost(
            "HighLevel says that there are more rows, but not where they begin.".to_owned(),
        ),
        Err(None) => Following::End,
    }
}

/// What to change in the arguments for the rows after `row`, where the row itself says how they are reached.
pub(super) fn after_row(
    tool: &Tool,
    arguments: &Map<String, Value>,
    row: &Value,
) -> Option<Map<String, Value>> {
    let paging = &tool.paging;
    if let Some(deep) = &paging.deep {
        return behind_row(tool, deep, arguments, row);
    }
    let mut change = Map::new();
    for step in paging.next {
        let inside = step.path.strip_prefix(paging.rows)?.strip_prefix(&["-1"])?;
        change.insert(step.argument.to_owned(), cursor(row, inside)?);
    }
    (!change.is_empty()).then_some(change)
}

/// How many rows there are, as HighLevel counts them.
pub(super) fn total(tool: &Tool, answer: &Value) -> Option<i64> {
    let path = tool.paging.total;
    if path.is_empty() {
        return None;
    }
    number(value_at(answer, path)?)
}

/// `arguments` for the next page.
pub(super) fn changed(arguments: &mut Map<String, Value>, change: &Map<String, Value>) {
    for (name, value) in change {
        if value.is_null() {
            arguments.shift_remove(name);
        } else {
            arguments.insert(name.clone(), value.clone());
        }
    }
}

/// The arguments that `answer` gives for the next page, and whether they stand beside the rows: a row has them
/// whether or not others follow.
fn by_cursor(
    tool: &Tool,
    answer: &Value,
    rows: &[Value],
) -> Result<(Map<String, Value>, bool), Option<String>> {
    let mut change = Map::new();
    let mut is_told = true;
    for step in tool.paging.next {
        let inside = step.path.strip_prefix(tool.paging.rows);
        let inside = inside.and_then(|path| path.strip_prefix(&["-1"]));
        let value = match (inside, rows.last()) {
            (Some(path), Some(row)) => {
                is_told = false;
                cursor(row, path)
            }
            _ => cursor(answer, step.path),
        };
        change.insert(step.argument.to_owned(), value.ok_or(None)?);
    }
    // The id of the last message is told with the last page too.
    is_told &= tool.paging.style == PagingStyle::Cursor;
    Ok((change, is_told))
}

fn by_number(
    tool: &Tool,
    arguments: &Map<String, Value>,
    rows: &[Value],
    before: Option<i64>,
    count: i64,
) -> Result<Map<String, Value>, Option<String>> {
    let paging = &tool.paging;
    let position = paging.position.ok_or(None)?;
    let given = arguments.get(position).and_then(number);
    let next = match paging.style {
        PagingStyle::Offset => before.unwrap_or(0).saturating_add(count),
        _ => given.unwrap_or(paging.first).saturating_add(1),
    };
    if let Some(deep) = &paging.deep {
        let size = page_size(tool, arguments).unwrap_or(count).max(count);
        let reach = next
            .saturating_sub(paging.first)
            .saturating_add(1)
            .saturating_mul(size);
        if is_given(arguments, deep.argument) || reach > deep.rows {
            let row = rows.last().ok_or(None)?;
            let change = behind_row(tool, deep, arguments, row);
            return change.ok_or_else(|| {
                let names = deep.members.join(" or ");
                Some(format!(
                    "HighLevel's pages end at {} rows, and its last row has no {names} by which the list goes on.",
                    deep.rows
                ))
            });
        }
    }
    Ok(Map::from_iter([(position.to_owned(), json!(next))]))
}

/// By what the row holds, in place of a page number.
fn behind_row(
    tool: &Tool,
    deep: &DeepPaging,
    arguments: &Map<String, Value>,
    row: &Value,
) -> Option<Map<String, Value>> {
    let mut members = deep.members.iter();
    let value = members.find_map(|member| cursor(row, &[member]))?;
    let mut change = Map::from_iter([(deep.argument.to_owned(), value)]);
    let position = tool.paging.position;
    if let Some(position) = position.filter(|name| arguments.contains_key(*name)) {
        change.insert(position.to_owned(), Value::Null);
    }
    Some(change)
}

fn cursor(value: &Value, path: &[&str]) -> Option<Value> {
    let found = value_at(value, path)?;
    (!is_empty(found)).then(|| found.clone())
}

fn is_given(arguments: &Map<String, Value>, name: &str) -> bool {
    arguments.get(name).is_some_and(|value| !is_empty(value))
}

/// Null, an empty text or an empty list.
pub(in crate::call) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

/// Rows that a page was asked to have, or has where nothing is asked for.
pub(super) fn page_size(tool: &Tool, arguments: &Map<String, Value>) -> Option<i64> {
    let name = tool.paging.page_size?;
    let argument = tool.arguments.iter().find(|one| one.name == name)?;
    let usual = || number(&serde_json::from_str(argument.when_absent?).ok()?);
    arguments
        .get(name)
        .and_then(number)
        .or_else(usual)
        .filter(|size| *size > 0)
}

/// A whole number, or the text of one.
fn number(value: &Value) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "counts are far below 2^53")]
    let whole = || {
        value
            .as_f64()
            .filter(|number| number.fract() == 0.0)
            .map(|number| number as i64)
    };
    let text = || value.as_str()?.trim().parse().ok();
    value.as_i64().or_else(whole).or_else(text)
}

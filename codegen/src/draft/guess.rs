//! Guesses from the names and types of an operation. A person reviews each one.

use crate::annotations::TenantRole;
use crate::model::answer::DocumentedAnswer;
use crate::model::operation::Operation;
use crate::unfinished::TODO;
use tool::Rule;

/// Names of arguments for the page size.
const PAGE_SIZES: [&str; 6] = ["limit", "pageLimit", "pageSize", "perPage", "count", "size"];

/// Arguments that count pages.
const PAGES: [&str; 3] = ["page", "pageNumber", "pageNo"];

/// Arguments that count rows.
const OFFSETS: [&str; 2] = ["skip", "offset"];

/// Arguments that continue after the previous page.
const CURSORS: [&str; 7] = [
    "startAfterId",
    "startAfter",
    "lastId",
    "lastMessageId",
    "cursor",
    "nextPageToken",
    "pageToken",
];

/// Fields that distinguish records, the most informative first.
const TELLING: [&str; 16] = [
    "id",
    "_id",
    "name",
    "title",
    "firstName",
    "lastName",
    "email",
    "phone",
    "status",
    "type",
    "amount",
    "currency",
    "startTime",
    "dueDate",
    "createdAt",
    "dateAdded",
];

/// Most guessed summary fields.
const MOST_FIELDS: usize = 6;

/// The path of the rows, and the line of `paging`.
pub(super) fn guess_paging(
    operation: &Operation,
    answer: &DocumentedAnswer,
) -> (Option<String>, String) {
    let argument = |names: &[&str]| {
        let has = |name: &&&str| operation.arguments.iter().any(|one| one.name == **name);
        names.iter().find(has).map(|name| (*name).to_owned())
    };
    let rows = answer.first_list();
    let size = argument(&PAGE_SIZES);
    let mut paging = toml::Table::new();
    let mut give = |key: &str, value: toml::Value| paging.insert(key.to_owned(), value);
    let (page, offset, cursor) = (argument(&PAGES), argument(&OFFSETS), argument(&CURSORS));
    let style = match (&rows, &page, &offset, &cursor) {
        (None, ..) => "none",
        (_, Some(_), ..) => "page",
        (_, None, Some(_), _) => "offset",
        (.., Some(_)) => "cursor",
        _ => "none",
    };
    give("style", style.into());
    if let Some(rows) = &rows {
        give("rows", rows.clone().into());
    }
    if style != "none" {
        match size {
            Some(size) => give("page_size", size.into()),
            None => give("narrow", TODO.into()),
        };
    }
    match style {
        "page" | "offset" => drop(give("position", page.or(offset).unwrap_or_default().into())),
        "cursor" => {
            let next = [(cursor.unwrap_or_default(), TODO.into())];
            give("next", toml::Table::from_iter(next).into());
        }
        _ => {}
    }
    let paging = toml::Value::from(paging);
    let line = match (&rows, style) {
        (None, _) => format!("paging = {paging}"),
        (Some(_), "none") => format!(
            "paging = {paging} # {TODO}: guessed. How one asks for more, where the answer is not everything"
        ),
        _ => format!("paging = {paging} # {TODO}: guessed. CONTRIBUTING.md has its keys"),
    };
    (rows, line)
}

/// Fields of a row of the list at `rows`, or of the answer, or of the only object in it.
pub(super) fn guess_summary_fields(answer: &DocumentedAnswer, rows: Option<&str>) -> Vec<String> {
    let fields = answer.fields_of(rows);
    let telling = TELLING.iter().filter_map(|name| {
        let is_it = |field: &&String| field.rsplit('.').next() == Some(*name);
        fields.iter().find(is_it).cloned()
    });
    telling.take(MOST_FIELDS).collect()
}

/// The tenant that an argument may name, and whether the caller's own is filled in.
pub(super) fn guess_role(operation: &Operation, name: &str) -> (TenantRole, Rule) {
    let plain = name.to_lowercase();
    let role = if plain.contains("company") || plain.contains("agency") {
        TenantRole::Company
    } else {
        TenantRole::Location
    };
    // An operation that changes the location itself must name it.
    let is_itself = operation.path.ends_with(&format!("{{{name}}}")) && operation.method != "GET";
    let rule = if is_itself {
        Rule::Explicit
    } else {
        Rule::Fill
    };
    (role, rule)
}

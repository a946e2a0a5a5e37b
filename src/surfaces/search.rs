//! Finds operations by people's words: the index of the build, filters, and the answer's text.

mod form;
mod level;
mod signature;

use std::sync::LazyLock;

use ::search::{Index, Lack, Ranking};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::elsewhere::only_reads;
use crate::catalog::{SEARCH_INDEX, TOOLS, TOOLSETS};
use tool::{Effect, LONGEST_NAME, Place, Tool, edit_distance, name_words, nearest_shown};

pub(crate) use form::{allowed_values, fields, forms, is_list, is_required, items, type_text};

/// Most intents in one search.
const MOST_QUERIES: usize = 5;

/// Longest query in characters: the time of ranking grows with its words.
const LONGEST_QUERY: usize = 400;

/// Hits for each intent, unless the caller gives a number.
const USUAL_LIMIT: usize = 5;
const MOST_HITS: usize = 20;

/// Most returned fields that are named.
const MOST_RETURNED: usize = 20;

/// Bytes of description and arguments if an operation is shown in full. With the rest this is at most 500 tokens, by a
/// test's count.
const LARGEST_SCHEMA: usize = 1_200;

/// Most operations that one call shows by name.
const MOST_NAMED: usize = 20;

static INDEX: LazyLock<Index> = LazyLock::new(|| {
    // The build wrote it, and a test parses it.
    serde_json::from_str(SEARCH_INDEX).unwrap_or_default()
});

/// The arguments of a search.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Search {
    pub queries: Vec<String>,
    /// Operations to show, by name.
    pub operations: Vec<String>,
    /// Toolset or document.
    pub domain: Option<String>,
    pub effect: Option<EffectName>,
    pub limit: Option<usize>,
    pub detail: Detail,
    /// For operations shown by name: the path of an argument or field to look into.
    pub path: Option<String>,
}

/// An effect in callers' words.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EffectName {
    Read,
    Write,
    Send,
    Money,
    Destructive,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Detail {
    Names,
    #[default]
    Signature,
    Schema,
}

/// Whether a search finds an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inclusion {
    Served,
    /// Its endpoint only reads, and it writes. The one who searches is told so.
    LeftOut,
    Hidden,
}

impl From<bool> for Inclusion {
    fn from(is_served: bool) -> Self {
        match is_served {
            true => Self::Served,
            false => Self::Hidden,
        }
    }
}

/// The answer to a search among the tools that `inclusion` serves. Fails if the search is faulty.
pub fn search<I: Into<Inclusion>>(
    search: &Search,
    inclusion: impl Fn(&Tool) -> I,
) -> Result<Value, String> {
    let inclusion = |tool: &Tool| -> Inclusion { inclusion(tool).into() };
    if search.queries.is_empty() && search.operations.is_empty() {
        return Err(
            "Give queries, what you want to do in a few words, or operations by name.".to_owned(),
        );
    }
    if search.queries.len() > MOST_QUERIES || search.operations.len() > MOST_NAMED {
        return Err(format!(
            "Give at most {MOST_QUERIES} queries and {MOST_NAMED} operations in one call."
        ));
    }
    let is_long = |query: &String| query.chars().count() > LONGEST_QUERY;
    if search.queries.iter().any(is_long) {
        return Err(format!(
            "Give queries of at most {LONGEST_QUERY} characters: what you want to do in a few words."
        ));
    }
    if search.path.is_some() && search.operations.is_empty() {
        return Err(
            "Give operations, by name, with path: the argument to look into, such as openHours."
                .to_owned(),
        );
    }
    if let Some(domain) = &search.domain
        && !domains().any(|(name, _)| name == domain)
    {
        let names: Vec<&str> = domains().map(|(name, _)| name).collect();
        let asked: String = domain.chars().take(LONGEST_NAME).collect();
        return Err(format!(
            "There is no domain {asked}; there are {}.",
            names.join(", ")
        ));
    }
    let mut answer = Map::new();
    if !search.operations.is_empty() {
        let shown = search
            .operations
            .iter()
            .map(|name| find_by_name(name, search, inclusion));
        answer.insert("operations".to_owned(), shown.collect());
    }
    let mut found: Vec<Map<String, Value>> = search
        .queries
        .iter()
        .map(|query| find(query, search, inclusion))
        .collect();
    let is_empty = found
        .iter()
        .flat_map(Map::values)
        .any(|list| list.as_array().is_some_and(Vec::is_empty));
    match found.as_mut_slice() {
        [] => {}
        [one] => answer.append(one),
        several => {
            let by_query = search.queries.iter().zip(several);
            let by_query = by_query.map(|(query, one)| {
                one.insert("query".to_owned(), json!(query));
                Value::Object(std::mem::take(one))
            });
            answer.insert("searches".to_owned(), by_query.collect());
        }
    }
    if is_empty && !answer.contains_key("hint") {
        let domains = domains().map(|(name, about)| json!(format!("{name}: {about}")));
        let hint = "Nothing matches; try other words, or a domain.";
        answer.insert("hint".to_owned(), json!(hint));
        answer.insert("domains".to_owned(), domains.collect());
    }
    Ok(Value::Object(answer))
}

/// Toolsets of one document's tools, which the index calls domains.
fn domains() -> impl Iterator<Item = (&'static str, &'static str)> {
    TOOLSETS
        .iter()
        .copied()
        .filter(|(name, _)| TOOLS.iter().any(|tool| tool.document == *name))
}

/// The operations for a query as `results`; if none fits, a `hint` that says so, and the `nearest` ones.
fn find(
    query: &str,
    search: &Search,
    inclusion: impl Fn(&Tool) -> Inclusion,
) -> Map<String, Value> {
    let limit = search.limit.unwrap_or(USUAL_LIMIT).clamp(1, MOST_HITS);
    let included = |number: usize| {
        let domain = search.domain.as_deref();
        let tool = TOOLS.get(number).filter(|tool| {
            domain.is_none_or(|domain| tool.document == domain || tool.toolsets.contains(&domain))
                && search.effect.is_none_or(|effect| effect.is(tool.effect))
        });
        tool.map_or(Inclusion::Hidden, &inclusion)
    };
    let is_wanted = |number: usize| included(number) == Inclusion::Served;
    let ranking = INDEX.find(query, |number| included(number) != Inclusion::Hidden);
    let numbers = ranking.operations.iter().map(|(number, _)| *number);
    let left_out = numbers.clone().next().filter(|number| !is_wanted(*number));
    let left_out = left_out.and_then(|number| TOOLS.get(number));
    let numbers = numbers.filter(|number| is_wanted(*number));
    let lack = ranking.lack().filter(|_| !ranking.operations.is_empty());
    let (list, known, hint) = match lack {
        None => match left_out {
            None => ("results", &[][..], figures_hint(&ranking)),
            Some(tool) => ("nearest", &[][..], Some(only_reads(tool))),
        },
        Some(Lack::Known(lacking)) => {
            let hint = format!(
                "No operation does this: HighLevel's API has none to {}.",
                lacking.what
            );
            ("nearest", lacking.nearest.as_slice(), Some(hint))
        }
        Some(Lack::Unknown) => {
            let hint = "No operation seems to do this; the nearest by their words follow.";
            ("nearest", &[][..], Some(hint.to_owned()))
        }
    };
    let known = known.iter().copied().filter(|number| is_wanted(*number));
    let mut shown_numbers: Vec<usize> = Vec::new();
    for number in known.chain(numbers) {
        if shown_numbers.len() < limit && !shown_numbers.contains(&number) {
            shown_numbers.push(number);
        }
    }
    let tools = shown_numbers
        .into_iter()
        .filter_map(|number| TOOLS.get(number));
    let shown = tools.map(|tool| shown(tool, search.detail)).collect();
    let hint = hint.map(|hint| ("hint".to_owned(), json!(hint)));
    hint.into_iter().chain([(list.to_owned(), shown)]).collect()
}

/// For a request for figures, which no operation returns: where they come from.
fn figures_hint(ranking: &Ranking<'_>) -> Option<String> {
    let (best, _) = ranking.operations.first()?;
    let has_rows = TOOLS
        .get(*best)
        .is_some_and(|tool| tool.effect == Effect::Read && !tool.paging.rows.is_empty());
    let hint =
        "output.count, sum, avg, min, max and groupBy of a call make figures of a list's rows.";
    (ranking.asks_figures && has_rows).then(|| hint.to_owned())
}

/// First words of names of operations that only read.
const READ_VERBS: [&str; 8] = [
    "get", "list", "search", "find", "read", "fetch", "show", "count",
];

/// First words of names of operations that remove something. Nobody is led to such a one by another word.
const REMOVE_VERBS: [&str; 6] = ["delete", "remove", "cancel", "void", "clear", "revoke"];

/// Operations that a wrong name may mean: the one with nearly that name, or some that its words are about. Spelling alone
/// would take contacts_complete-task for contacts_delete-task.
pub(super) fn meant(name: &str, is_shown: impl Fn(&Tool) -> bool) -> Vec<&'static Tool> {
    const MOST_MEANT: usize = 3;
    if name.len() > LONGEST_NAME {
        return Vec::new();
    }
    let names = TOOLS.iter().map(|tool| (tool.name, tool));
    let slip = nearest_shown(name, names, |tool| {
        is_slip(name, tool.name) && is_shown(tool)
    });
    if let Some(one) = slip {
        return vec![one];
    }
    // Names have no blanks; a sentence is for search_operations.
    if name.contains(char::is_whitespace) {
        return Vec::new();
    }
    let (document, act) = name.split_once('_').unwrap_or(("", name));
    let words = name_words(act);
    let begins = |verbs: &[&str]| {
        words
            .first()
            .is_some_and(|word| verbs.contains(&word.as_str()))
    };
    let (reads, removes) = (begins(&READ_VERBS), begins(&REMOVE_VERBS));
    let act = words.join(" ");
    let find = |query: &str, document: Option<&str>| {
        let ranking = INDEX.find(query, |number| {
            TOOLS.get(number).is_some_and(|tool| {
                document.is_none_or(|document| tool.document == document)
                    && (tool.effect == Effect::Read) == reads
                    && (removes || tool.effect != Effect::Destructive)
                    && is_shown(tool)
            })
        });
        let numbers = ranking.operations.iter().map(|(number, _)| *number);
        let numbers = numbers.filter(|_| ranking.lack().is_none());
        let tools = numbers.filter_map(|number| TOOLS.get(number));
        Vec::from_iter(tools.take(MOST_MEANT))
    };
    let beside = find(&act, Some(document));
    match beside.is_empty() {
        true => find(&format!("{document} {act}"), None),
        false => beside,
    }
}

/// Whether each word of one name is nearly the word of the other.
fn is_slip(name: &str, other: &str) -> bool {
    let (one, other) = (name_words(name), name_words(other));
    if edit_distance(&one.concat(), &other.concat()) <= 1 {
        return true;
    }
    let mut pairs = one.iter().zip(&other);
    one.len() == other.len()
        && pairs.all(|(one, other)| 4 * edit_distance(one, other) <= one.len().min(other.len()))
}

fn find_by_name(name: &str, search: &Search, inclusion: impl Fn(&Tool) -> Inclusion) -> Value {
    let inclusion = &inclusion;
    let of = |wanted: Inclusion| TOOLS.iter().filter(move |tool| inclusion(tool) == wanted);
    let served = || of(Inclusion::Served);
    if let Some(tool) = of(Inclusion::LeftOut).find(|tool| tool.is_called(name)) {
        return json!({"name": tool.name, "error": only_reads(tool)});
    }
    match served().find(|tool| tool.is_called(name)) {
        Some(tool) => match &search.path {
            Some(path) => inside(tool, path),
            None => shown(tool, search.detail),
        },
        None => {
            let meant = meant(name, |tool| inclusion(tool) == Inclusion::Served);
            let names: Vec<&str> = meant.iter().map(|tool| tool.name).collect();
            let near = match names.as_slice() {
                [] => Value::Null,
                [one] => json!(one),
                several => json!(several),
            };
            json!({"name": name, "error": "There is no such operation.", "didYouMean": near})
        }
    }
}

/// One operation as a search shows it.
pub fn shown(tool: &Tool, detail: Detail) -> Value {
    let mut shown = head(tool);
    match detail {
        Detail::Names => {}
        Detail::Signature => {
            shown["line"] = json!(line(tool.description));
            shown["signature"] = json!(signature::signature(tool));
        }
        Detail::Schema => {
            shown["description"] = json!(tool.description);
            let room = room_beside(tool);
            shown["arguments"] = json!(level::arguments(tool, room, |_| true));
            add_answers(tool, &mut shown);
        }
    }
    shown
}

/// One operation with the place of each argument, as HighLevel's own server describes it.
pub fn shown_by_place(tool: &Tool) -> Value {
    let mut shown = head(tool);
    shown["description"] = json!(tool.description);
    let places: [(&str, &[Place]); 4] = [
        ("path", &[Place::Path]),
        ("query", &[Place::Query]),
        ("body", &[Place::Body, Place::WholeBody]),
        ("params", &[Place::Header]),
    ];
    let is_in = |name: &str, places: &[Place]| {
        let mut arguments = tool.arguments.iter();
        arguments.any(|one| one.name == name && places.contains(&one.place))
    };
    let mut room = room_beside(tool);
    let mut arguments = Map::new();
    for (name, places) in places {
        if !tool.arguments.iter().any(|one| places.contains(&one.place)) {
            continue;
        }
        let told = level::arguments(tool, room, |argument| is_in(argument, places));
        room = room.saturating_sub(told.len());
        arguments.insert(name.to_owned(), json!(told));
    }
    shown["arguments"] = arguments.into();
    add_answers(tool, &mut shown);
    shown
}

/// The inside of an argument of one operation, or of a field.
pub fn inside(tool: &Tool, path: &str) -> Value {
    match level::inside(tool, path, LARGEST_SCHEMA) {
        Ok(fields) => json!({"name": tool.name, "path": path, "fields": fields}),
        Err(what) => json!({"name": tool.name, "error": what}),
    }
}

/// The facts about an operation at every detail.
fn head(tool: &Tool) -> Value {
    let mut head = json!({"name": tool.name, "effect": tool.effect.name()});
    if tool.bulk && tool.effect != Effect::Read {
        head["bulk"] = json!(true);
    }
    if tool.deprecated {
        head["deprecated"] = json!(true);
    }
    if let Some(other) = tool.replaced_by {
        head["replacedBy"] = json!(other);
    }
    head
}

/// The bytes that are left for arguments beside description and answer fields.
fn room_beside(tool: &Tool) -> usize {
    LARGEST_SCHEMA.saturating_sub(tool.description.len())
}

fn add_answers(tool: &Tool, shown: &mut Value) {
    if tool.answers.is_empty() {
        return;
    }
    let answers = tool.answers.iter().take(MOST_RETURNED);
    let name = match tool.paging.rows {
        [] => "returns",
        _ => "rowFields",
    };
    shown[name] = answers.copied().collect();
}

/// The first sentence.
fn line(description: &str) -> &str {
    match description.find(". ") {
        Some(end) => &description[..=end],
        None => description,
    }
}

impl EffectName {
    fn is(self, effect: Effect) -> bool {
        effect
            == match self {
                Self::Read => Effect::Read,
                Self::Write => Effect::Write,
                Self::Send => Effect::Send,
                Self::Money => Effect::Money,
                Self::Destructive => Effect::Destructive,
            }
    }
}

#[cfg(test)]
mod tests;

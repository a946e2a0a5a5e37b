//! One level of an operation's arguments, in as much detail as fits: most for the first arguments, only names for the
//! last.

use serde_json::Value;

use super::form::{bounds, field, fields, is_required, items, type_text};
use tool::{Tool, nearest};

/// The depth to which fields inside an argument are shown, if there is room.
const DEEPEST: usize = 2;

/// The amount of detail of one field.
const NAME: usize = 0;
const TYPE: usize = 1;
const TEXT: usize = 2;

/// One field of a level, at increasing detail from its name alone.
struct ShownField {
    tellings: Vec<String>,
}

/// The arguments that pass `is_wanted`: `{contactId, tags?: string[] /* … */, …dnd?}`. An argument without a type is a
/// text. After `…` there are only names, and a path shows the inside of `{…}`.
pub(super) fn arguments(tool: &Tool, room: usize, is_wanted: impl Fn(&str) -> bool) -> String {
    let (shown, checked) = schemas(tool);
    let properties = shown["properties"].as_object().into_iter().flatten();
    let arguments = properties
        .filter(|(name, _)| is_wanted(name))
        .map(|(name, told)| {
            // The list may show less of an argument than it takes. Arguments that are only checked are left out.
            let whole = checked["properties"].get(name).unwrap_or(told);
            let text = told["description"].as_str().map(str::to_owned);
            ShownField::new(name, is_required(&shown, name), whole, text)
        });
    write_fields(&arguments.collect::<Vec<_>>(), room)
}

/// The inside of the argument or field at `path`, such as `openHours.hours`.
pub(super) fn inside(tool: &Tool, path: &str, room: usize) -> Result<String, String> {
    let (shown, checked) = schemas(tool);
    let mut at = &checked;
    let mut way = tool.name.to_owned();
    for step in path.split('.') {
        // As in errors: `openHours[0].hours`.
        let step = step.split('[').next().unwrap_or_default();
        let known = fields(items_of(at));
        let Some((name, next)) = known.iter().find(|(name, _)| *name == step) else {
            return Err(unknown(step, &way, &known, &shown));
        };
        (at, way) = (next, (*name).to_owned());
    }
    let holder = items_of(at);
    let inner = fields(holder).into_iter();
    let inner = inner.map(|(name, schema)| {
        let is_required = is_required(holder, name);
        ShownField::new(name, is_required, schema, None)
    });
    let inner: Vec<ShownField> = inner.collect();
    let lists = depth_of_lists(at);
    Ok(match inner.is_empty() {
        true => type_text(at, 0),
        false => write_fields(&inner, room) + &"[]".repeat(lists),
    })
}

/// The shown and the checked schema.
fn schemas(tool: &Tool) -> (Value, Value) {
    let parsed = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_default();
    (parsed(tool.advertised_schema), parsed(tool.check_schema))
}

/// The items of a list, however deeply lists are nested; any other schema unchanged.
fn items_of(schema: &Value) -> &Value {
    match items(schema) {
        Some(items) if fields(schema).is_empty() => items_of(items),
        _ => schema,
    }
}

fn depth_of_lists(schema: &Value) -> usize {
    match items(schema) {
        Some(items) if fields(schema).is_empty() => 1 + depth_of_lists(items),
        _ => 0,
    }
}

fn unknown(step: &str, holder: &str, known: &[(&str, &Value)], shown: &Value) -> String {
    // Arguments that are not shown are no help.
    let is_argument = |name: &str| shown["properties"].get(name).is_some();
    let is_top = known.iter().any(|(name, _)| is_argument(name));
    let names = known.iter().map(|(name, _)| *name);
    let names: Vec<&str> = names.filter(|name| !is_top || is_argument(name)).collect();
    let step: String = step.chars().take(64).collect();
    match nearest(&step, names.iter().map(|name| (*name, *name))) {
        Some(near) => format!("{holder} has no {step}, did you mean {near}?"),
        None if names.is_empty() => format!("Nothing is known of what is inside {holder}."),
        None => format!("{holder} has no {step}; it has {}.", names.join(", ")),
    }
}

impl ShownField {
    fn new(name: &str, is_required: bool, schema: &Value, text: Option<String>) -> Self {
        let text = text.or_else(|| bounds(schema));
        let text = text.map_or_else(String::new, |text| format!(" /* {text} */"));
        let told = |depth: usize| field(name, is_required, &type_text(schema, depth));
        let full = (0..=DEEPEST).map(|depth| told(depth) + &text);
        let tellings = [field(name, is_required, "string"), told(0)];
        Self {
            tellings: tellings.into_iter().chain(full).collect(),
        }
    }

    fn telling(&self, fully: usize) -> &str {
        self.tellings.get(fully).map_or("", String::as_str)
    }
}

/// All of `fields`, with as much detail as fits: first the types of all, then their texts, then their inside.
fn write_fields(fields: &[ShownField], room: usize) -> String {
    let mut fully = vec![NAME; fields.len()];
    let mut taken: usize = fields
        .iter()
        .map(|field| field.telling(NAME).len() + 2)
        .sum();
    for wanted in TYPE..=TEXT + DEEPEST {
        for (field, told) in fields.iter().zip(&mut fully) {
            let more = taken - field.telling(*told).len() + field.telling(wanted).len();
            if more <= room {
                (taken, *told) = (more, wanted);
            }
        }
    }
    let tellings = fields.iter().zip(fully);
    let tellings = tellings.map(|(field, fully)| (fully, field.telling(fully)));
    let (told, named): (Vec<_>, Vec<_>) = tellings.partition(|(fully, _)| *fully > NAME);
    let join = |tellings: Vec<(usize, &str)>| {
        let texts: Vec<&str> = tellings.into_iter().map(|(_, text)| text).collect();
        texts.join(", ")
    };
    let (told, named) = (join(told), join(named));
    match (told.is_empty(), named.is_empty()) {
        (_, true) => format!("{{{told}}}"),
        (true, false) => format!("{{…{named}}}"),
        (false, false) => format!("{{{told}, …{named}}}"),
    }
}

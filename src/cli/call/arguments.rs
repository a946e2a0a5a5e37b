//! The arguments of `call`: JSON, or `name=value` in the style of HTTPie and `gh api`.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::cli::CliError;
use crate::config::{read_stdin, read_text};
use crate::surfaces::search::{fields, is_list, items};

/// The parts of a tool's schema by which the line is parsed.
pub(super) struct LineSchema<'a> {
    /// JSON Schema of its arguments.
    pub schema: &'a Value,
    /// Names of arguments that are files to upload.
    pub files: Vec<&'a str>,
}

/// One step of an argument's name.
#[derive(Debug, PartialEq)]
enum NameStep<'a> {
    Name(&'a str),
    /// `[]`: a further item.
    Further,
    /// `[2]`: the item of this number, or the next new one.
    Item(usize),
}

/// The arguments of the line, each `{…}`, `@FILE`, `-`, `name=text`, `name=@FILE`, `name:=JSON` or `name:=@FILE`. A
/// text stays a text here. The check of arguments converts it to a number or a boolean if the schema requires one.
pub(super) fn read(
    given: &[String],
    line: &LineSchema<'_>,
) -> Result<Map<String, Value>, CliError> {
    let mut arguments = Map::new();
    for one in given {
        if one == "-" || one.starts_with(['{', '[', '@']) {
            for (name, value) in object(one)? {
                if arguments.insert(name.clone(), value).is_some() {
                    return Err(twice(&name));
                }
            }
            continue;
        }
        let Some((name, text)) = one.split_once('=') else {
            return Err(CliError(format!(
                "{one} is not an argument. Give name=value, name:=JSON, or all arguments as '{{\"name\": \"value\"}}', \
                 @FILE or -"
            )));
        };
        let (name, value) = match name.strip_suffix(':') {
            Some(name) => (name, json_value(name, text)?),
            None => (name, text_value(name, text, line)?),
        };
        let steps = steps(name, line.schema)?;
        let [NameStep::Name(first), inner @ ..] = steps.as_slice() else {
            return Err(CliError(format!("{one} has no name before its =")));
        };
        put(&mut arguments, first, inner, value, name)?;
    }
    Ok(arguments)
}

/// All arguments as JSON: on the line, in a file, or from stdin.
fn object(given: &str) -> Result<Map<String, Value>, CliError> {
    let text = match given.strip_prefix('@') {
        Some(file) => text_of(file)?,
        None if given == "-" => text_of("-")?,
        None => given.to_owned(),
    };
    // Windows programs start files with a byte order mark.
    let text = text.trim_start_matches('\u{feff}');
    serde_json::from_str(text).map_err(|error| {
        CliError(format!(
            "the arguments are not a JSON object: {error}. Give them as '{{\"name\": \"value\"}}', @FILE or -, or each \
             as name=value"
        ))
    })
}

fn json_value(name: &str, given: &str) -> Result<Value, CliError> {
    let text = match given.strip_prefix('@') {
        Some(file) => text_of(file)?,
        None => given.to_owned(),
    };
    serde_json::from_str(text.trim_start_matches('\u{feff}')).map_err(|error| {
        CliError(format!(
            "the value of {name} behind := is not JSON: {error}. For a text, give {name}=…"
        ))
    })
}

fn text_value(name: &str, given: &str, line: &LineSchema<'_>) -> Result<Value, CliError> {
    let is_file = line.files.contains(&name.trim_end_matches("[]"));
    if let (true, Some(file)) = (is_file, given.strip_prefix('@')) {
        let path = Path::new(file);
        let bytes = std::fs::read(path);
        let bytes = bytes.map_err(|error| CliError(format!("{file} cannot be read: {error}")))?;
        let name = path.file_name().map(|name| name.to_string_lossy());
        return Ok(json!({"data": STANDARD.encode(bytes), "name": name}));
    }
    let text = match given.strip_prefix('@') {
        Some(file) => text_of(file)?,
        None => given.to_owned(),
    };
    // An item of a list is not a list itself.
    let is_whole = !name.ends_with(']');
    let is_list = is_whole && schema_at(name, line.schema).is_some_and(is_list);
    match (is_list, text.trim_start().starts_with('[')) {
        (true, false) if text.contains(',') => Err(CliError(format!(
            "{name} is a list. Give {name}[]=… once for each item, or {name}:='[…]'"
        ))),
        (true, false) => Ok(json!([text])),
        _ => Ok(Value::String(text)),
    }
}

fn text_of(file: &str) -> Result<String, CliError> {
    let read = match file {
        "-" => read_stdin(),
        file => read_text(Path::new(file)),
    };
    let place = if file == "-" { "stdin" } else { file };
    read.map_err(|error| CliError(format!("{place} cannot be read: {error}")))
}

/// The schema of the value at `name`, if there is one.
fn schema_at<'s>(name: &str, schema: &'s Value) -> Option<&'s Value> {
    let inside = |schema: &'s Value, wanted: &str| {
        let mut known = fields(schema).into_iter();
        known.find_map(|(name, schema)| (name == wanted).then_some(schema))
    };
    steps(name, schema)
        .ok()?
        .iter()
        .try_fold(schema, |schema, step| match step {
            NameStep::Name(name) => inside(schema, name),
            NameStep::Further | NameStep::Item(_) => items(schema),
        })
}

/// Splits `address.city` and `tags[]` into steps. A whole name that the schema has is one step.
fn steps<'a>(name: &'a str, schema: &Value) -> Result<Vec<NameStep<'a>>, CliError> {
    if fields(schema).iter().any(|(known, _)| *known == name) {
        return Ok(vec![NameStep::Name(name)]);
    }
    let unreadable = || {
        CliError(format!(
            "{name} is not the name of an argument. Write a.b for the field b of a, a[] for one more item, a[0] for \
             the first item"
        ))
    };
    let mut steps = Vec::new();
    for part in name.split('.') {
        let (plain, brackets) = match part.find('[') {
            Some(start) => part.split_at(start),
            None => (part, ""),
        };
        if plain.is_empty() {
            return Err(unreadable());
        }
        steps.push(NameStep::Name(plain));
        let mut rest = brackets;
        while !rest.is_empty() {
            let inner = rest.strip_prefix('[').and_then(|rest| rest.split_once(']'));
            let (number, behind) = inner.ok_or_else(unreadable)?;
            steps.push(match number {
                "" => NameStep::Further,
                number => NameStep::Item(number.parse().map_err(|_| unreadable())?),
            });
            rest = behind;
        }
    }
    Ok(steps)
}

fn put(
    object: &mut Map<String, Value>,
    first: &str,
    inner: &[NameStep<'_>],
    value: Value,
    whole: &str,
) -> Result<(), CliError> {
    if inner.is_empty() {
        return match object.insert(first.to_owned(), value) {
            None => Ok(()),
            Some(_) => Err(twice(whole)),
        };
    }
    let holder = object.entry(first).or_insert(Value::Null);
    put_inside(holder, inner, value, whole)
}

fn put_inside(
    holder: &mut Value,
    inner: &[NameStep<'_>],
    value: Value,
    whole: &str,
) -> Result<(), CliError> {
    let Some((step, inner)) = inner.split_first() else {
        return match holder.is_null() {
            true => {
                *holder = value;
                Ok(())
            }
            false => Err(twice(whole)),
        };
    };
    if holder.is_null() {
        *holder = match step {
            NameStep::Name(_) => json!({}),
            NameStep::Further | NameStep::Item(_) => json!([]),
        };
    }
    match (step, holder) {
        (NameStep::Name(name), Value::Object(object)) => put(object, name, inner, value, whole),
        (NameStep::Further, Value::Array(list)) => {
            let mut item = Value::Null;
            put_inside(&mut item, inner, value, whole)?;
            list.push(item);
            Ok(())
        }
        (NameStep::Item(number), Value::Array(list)) => {
            if *number == list.len() {
                list.push(Value::Null);
            }
            match list.get_mut(*number) {
                Some(item) => put_inside(item, inner, value, whole),
                None => Err(CliError(format!(
                    "{whole} leaves a gap, because the list has {} items so far",
                    list.len()
                ))),
            }
        }
        _ => Err(CliError(format!(
            "{whole} does not fit an earlier argument, which gives a value of another kind"
        ))),
    }
}

fn twice(name: &str) -> CliError {
    CliError(format!(
        "{name} is given twice. For one more item of a list give {name}[]=…"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(given: &[&str]) -> Result<Value, String> {
        let schema = json!({"properties": {
            "tags": {"type": ["array", "null"], "items": {"type": "string"}},
            "any": {"type": ["array", "string"]},
            "photo": {"type": "string"},
            "dotted.name": {"type": "string"},
        }});
        let line = LineSchema {
            schema: &schema,
            files: vec!["photo"],
        };
        let given: Vec<String> = given.iter().map(|one| (*one).to_owned()).collect();
        let read = read(&given, &line);
        read.map(Value::Object).map_err(|CliError(what)| what)
    }

    #[test]
    fn a_line_is_read_by_its_names() {
        let rows: &[(&[&str], Value)] = &[
            (&[], json!({})),
            (
                &["firstName=Ann", "limit=20"],
                json!({"firstName": "Ann", "limit": "20"}),
            ),
            (&["note=a=b"], json!({"note": "a=b"})),
            (&["note="], json!({"note": ""})),
            (
                &["tags[]=new", "tags[]=vip"],
                json!({"tags": ["new", "vip"]}),
            ),
            (&["tags=new"], json!({"tags": ["new"]})),
            (&["tags=[\"a\",\"b\"]"], json!({"tags": "[\"a\",\"b\"]"})),
            (&["any=a,b"], json!({"any": "a,b"})),
            (
                &["address.city=Rome", "address.zip=1"],
                json!({"address": {"city": "Rome", "zip": "1"}}),
            ),
            (
                &["items[0].name=a", "items[0].price:=5", "items[1].name=b"],
                json!({"items": [{"name": "a", "price": 5}, {"name": "b"}]}),
            ),
            (&["dotted.name=x"], json!({"dotted.name": "x"})),
            (&["dnd:=true", "x:=null"], json!({"dnd": true, "x": null})),
            (
                &[r#"{"limit": 1}"#, "query=ann"],
                json!({"limit": 1, "query": "ann"}),
            ),
        ];
        for (given, expected) in rows {
            assert_eq!(parse(given).as_ref(), Ok(expected), "{given:?}");
        }
    }

    #[test]
    fn unreadable_arguments_give_a_sentence() {
        let rows: &[(&[&str], &str)] = &[
            (
                &["firstName"],
                "firstName is not an argument. Give name=value",
            ),
            (&["=x"], "is not the name of an argument"),
            (&["a..b=x"], "a..b is not the name of an argument"),
            (&["a[x]=1"], "a[x] is not the name of an argument"),
            (&["a[=1"], "a[ is not the name of an argument"),
            (
                &["a=1", "a=2"],
                "a is given twice. For one more item of a list give a[]=…",
            ),
            (&[r#"{"a": 1}"#, "a=2"], "a is given twice"),
            (
                &["a=1", "a.b=2"],
                "a.b does not fit an earlier argument, which gives a value of another kind",
            ),
            (
                &["a[1]=x"],
                "a[1] leaves a gap, because the list has 0 items so far",
            ),
            (&["tags=a,b"], "tags is a list. Give tags[]=…"),
            (&["a:=Ann"], "the value of a behind := is not JSON"),
            (&["a=@/gone"], "/gone cannot be read"),
            (&["photo=@/gone"], "/gone cannot be read"),
            (&["@/gone"], "/gone cannot be read"),
            (&["[1]"], "the arguments are not a JSON object"),
        ];
        for (given, expected) in rows {
            let what = parse(given).expect_err("unreadable");
            assert!(what.contains(expected), "{given:?}: {what}");
        }
    }

    #[test]
    fn files_are_read_with_or_without_their_mark() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("given.txt");
        let file = path.display();
        let check = |text: &str, given: &str, expected: Option<Value>| {
            std::fs::write(&path, text).expect("written");
            assert_eq!(parse(&[given]).ok(), expected, "{given} {text:?}");
        };
        let contact = json!({"contactId": "c"});
        check(
            r#"{"contactId": "c"}"#,
            &format!("@{file}"),
            Some(contact.clone()),
        );
        check(
            "\u{feff}{\"contactId\": \"c\"}\r\n",
            &format!("@{file}"),
            Some(contact),
        );
        check("\u{feff}", &format!("@{file}"), None);
        check(
            "Dear Ann,\n",
            &format!("note=@{file}"),
            Some(json!({"note": "Dear Ann,\n"})),
        );
        check("[1]", &format!("a:=@{file}"), Some(json!({"a": [1]})));
        let photo = json!({"photo": {"data": "YWI=", "name": "given.txt"}});
        check("ab", &format!("photo=@{file}"), Some(photo));
    }
}

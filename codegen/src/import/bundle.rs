//! Resolves references: those into other files by copying their targets, those without a target by unknown schemas.

use serde_json::{Map, Value, json};

use super::Report;
use super::folder::{CheckoutFolder, file_of, file_of_document, home_of};
use crate::error::Problem;

/// `original` with all its references inside it.
pub(super) fn bundle(
    stem: &str,
    original: &Value,
    folder: &CheckoutFolder,
    report: &mut Report,
) -> Result<Value, Vec<Problem>> {
    let mut bundler = Bundler {
        stem,
        original,
        folder,
        report,
        copied: Map::new(),
        problems: Vec::new(),
    };
    let mut document = original.clone();
    bundler.rewrite(&mut document, home_of(stem), &mut String::new());
    let Bundler {
        copied, problems, ..
    } = bundler;
    if !problems.is_empty() {
        return Err(problems);
    }
    if !copied.is_empty() {
        let schemas = &mut document["components"]["schemas"];
        if !schemas.is_object() {
            *schemas = json!({});
        }
        if let Some(schemas) = schemas.as_object_mut() {
            schemas.extend(copied);
        }
    }
    Ok(document)
}

struct Bundler<'a> {
    stem: &'a str,
    original: &'a Value,
    folder: &'a CheckoutFolder,
    report: &'a mut Report,
    copied: Map<String, Value>,
    problems: Vec<Problem>,
}

impl Bundler<'_> {
    /// Rewrites every reference below `value`, at `place` of the file `home` (for the document itself: its folder).
    fn rewrite(&mut self, value: &mut Value, home: &str, place: &mut String) {
        if let Some(reference) = value.get("$ref").and_then(Value::as_str) {
            let reference = reference.to_owned();
            *value = self.rewritten(value, &reference, home, place);
            return;
        }
        match value {
            Value::Object(object) => {
                for (name, inner) in object {
                    let end = place.len();
                    place.push('/');
                    place.push_str(&name.replace('~', "~0").replace('/', "~1"));
                    self.rewrite(inner, home, place);
                    place.truncate(end);
                }
            }
            Value::Array(items) => {
                for (index, inner) in items.iter_mut().enumerate() {
                    let end = place.len();
                    place.push_str(&format!("/{index}"));
                    self.rewrite(inner, home, place);
                    place.truncate(end);
                }
            }
            _ => {}
        }
    }

    fn rewritten(&mut self, value: &Value, reference: &str, home: &str, place: &str) -> Value {
        let pointer = reference.split_once('#').map_or("", |(_, pointer)| pointer);
        let own = home_of(self.stem);
        let file = match file_of(reference, own) {
            Some(file) => Some(file),
            None if home == own => None,
            None => Some(home.to_owned()),
        };
        let Some(file) = file else {
            if self.original.pointer(pointer).is_some() {
                return value.clone();
            }
            self.report
                .dangling
                .push(format!("{}: {reference} at {place}", self.stem));
            self.report
                .counts
                .add("reference to nothing, now an unknown schema", 1);
            return json!({"x-dangling-ref": reference});
        };
        let shared = self.folder.shared.get(&file);
        let Some(target) = shared.and_then(|shared| shared.pointer(pointer)) else {
            self.problems.push(Problem::in_document(
                self.stem,
                format!("{} at {place}", file_of_document(self.stem)),
                format!("refers to {reference}, which is not in {file}"),
                "take the documents and the files they refer to from one commit",
            ));
            return Value::Null;
        };
        self.report
            .counts
            .add("reference into another file, bundled", 1);
        let name = self.copy(&file, pointer, target.clone());
        json!({"$ref": format!("#/components/schemas/{name}")})
    }

    /// Copies `target` into the document under its own name, or as `Shared<name>` if the document has another schema of
    /// that name.
    fn copy(&mut self, file: &str, pointer: &str, mut target: Value) -> String {
        let own = pointer.rsplit('/').next().unwrap_or_default();
        let taken = self
            .original
            .pointer(&format!("/components/schemas/{own}"))
            .is_some_and(|present| *present != target);
        let name = if taken {
            format!("Shared{own}")
        } else {
            own.to_owned()
        };
        if !self.copied.contains_key(&name) {
            self.copied.insert(name.clone(), Value::Null);
            self.rewrite(&mut target, file, &mut pointer.to_owned());
            self.copied.insert(name.clone(), target);
        }
        name
    }
}

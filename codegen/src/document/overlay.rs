//! Applies the repairs of `openapi/repairs/`: OpenAPI Overlay 1.0, every action of which must have an effect.

use serde::Deserialize;
use serde_json::Value;
use serde_json_path::JsonPath;

use crate::error::Problem;

/// The parts of an overlay document that are used.
#[derive(Deserialize)]
struct Overlay {
    overlay: String,
    actions: Vec<Action>,
}

#[derive(Clone, Deserialize)]
struct Action {
    target: String,
    description: Option<String>,
    #[serde(rename = "x-evidence")]
    evidence: Option<Value>,
    update: Option<Value>,
    /// Replaces `update` for the v3 variant of the document.
    #[serde(rename = "x-update-v3")]
    update_v3: Option<Value>,
    /// v3 has fixed it, or does not have the place.
    #[serde(rename = "x-not-in-v3", default)]
    not_in_v3: bool,
    #[serde(default)]
    remove: bool,
}

/// Applies `overlay` to `document`. Returns the number of actions, or every action that is faulty, matches nothing,
/// changes nothing or gives no evidence.
pub(crate) fn apply(
    stem: &str,
    overlay: &Value,
    document: &mut Value,
) -> Result<usize, Vec<Problem>> {
    let file = format!("openapi/repairs/{stem}.yaml");
    let overlay = Overlay::deserialize(overlay).map_err(|error| {
        vec![Problem::in_document(
            stem,
            &file,
            format!("is not an overlay: {error}"),
            "use the form of OpenAPI Overlay 1.0",
        )]
    })?;
    let mut problems = Vec::new();
    if !overlay.overlay.starts_with("1.0.") {
        problems.push(Problem::in_document(
            stem,
            &file,
            format!("says overlay {}", overlay.overlay),
            "use overlay: 1.0.0",
        ));
    }
    for (index, action) in overlay.actions.iter().enumerate() {
        if let Err((what, remedy)) = apply_action(action, document) {
            let place = format!("{file} action {} ({})", index + 1, action.target);
            problems.push(Problem::in_document(stem, place, what, remedy));
        }
    }
    if problems.is_empty() {
        Ok(overlay.actions.len())
    } else {
        Err(problems)
    }
}

/// Applies `overlay` to the v3 variants of its document, of which there may be several: v3 shares most of its schemas.
/// Returns every action that applies to none of them without saying so, or says so and would apply.
pub(crate) fn apply_to_v3(
    stem: &str,
    overlay: &Value,
    variants: &mut [&mut Value],
) -> Vec<Problem> {
    // Faults of the overlay itself are reported when it is applied to the document.
    let actions = Overlay::deserialize(overlay).map_or_else(|_| Vec::new(), |one| one.actions);
    let mut problems = Vec::new();
    for (index, mut action) in actions.into_iter().enumerate() {
        if let Some(update) = action.update_v3.take() {
            action.update = Some(update);
        }
        let mut applies = false;
        for variant in variants.iter_mut() {
            let in_v3 = Action {
                target: target_in_v3(&action.target, variant),
                ..action.clone()
            };
            applies |= match action.not_in_v3 {
                true => apply_action(&in_v3, &mut variant.clone()).is_ok(),
                false => apply_action(&in_v3, variant).is_ok(),
            };
        }
        let (what, remedy) = match (action.not_in_v3, applies) {
            (false, false) => (
                "applies to no v3 variant of the document",
                "correct the target or x-update-v3, or write x-not-in-v3: true if v3 needs no repair",
            ),
            (true, true) => (
                "has x-not-in-v3, but v3 has the same fault",
                "remove x-not-in-v3",
            ),
            _ => continue,
        };
        let place = format!(
            "openapi/repairs/{stem}.yaml action {} ({})",
            index + 1,
            action.target
        );
        problems.push(Problem::in_document(stem, place, what, remedy));
    }
    problems
}

/// `target` under v3's names of schemas: it adds `V3` to many.
fn target_in_v3(target: &str, document: &Value) -> String {
    let schemas = document.pointer("/components/schemas");
    let exists = |name: &str| schemas.is_some_and(|schemas| schemas.get(name).is_some());
    let is_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let mut out = String::new();
    let mut rest = target;
    while let Some(start) = rest.find(is_name) {
        let (before, from) = rest.split_at(start);
        let end = from.find(|letter| !is_name(letter)).unwrap_or(from.len());
        let (name, after) = from.split_at(end);
        let v3 = format!("{name}V3");
        out.push_str(before);
        out.push_str(if !exists(name) && exists(&v3) {
            &v3
        } else {
            name
        });
        rest = after;
    }
    out + rest
}

/// Whether all of it has a form that openapi/repairs/README.md explains.
fn is_evidence(evidence: &Value) -> bool {
    let is_one = |one: &Value| {
        let text = one.as_str().unwrap_or_default();
        let issues = ["docs#", "sdk#", "n8n#"].into_iter();
        let mut issues = issues.filter_map(|start| text.strip_prefix(start));
        text.starts_with("observation:")
            || issues.any(|rest| rest.starts_with(|letter: char| letter.is_ascii_digit()))
    };
    match evidence {
        Value::Array(several) => !several.is_empty() && several.iter().all(is_one),
        one => is_one(one),
    }
}

fn apply_action(action: &Action, document: &mut Value) -> Result<(), (String, &'static str)> {
    if action.description.is_none() || action.evidence.is_none() {
        return Err((
            "has no description or no x-evidence".to_owned(),
            "describe the fault and its evidence",
        ));
    }
    if !action.evidence.as_ref().is_some_and(is_evidence) {
        return Err((
            "has an x-evidence of another form".to_owned(),
            "begin each with docs#, sdk# or n8n# and a number, or with observation:",
        ));
    }
    let path = JsonPath::parse(&action.target)
        .map_err(|error| (format!("is not a JSONPath: {error}"), "correct the target"))?;
    let mut pointers: Vec<String> = path
        .query_located(document)
        .locations()
        .map(|location| location.to_json_pointer())
        .collect();
    if pointers.is_empty() {
        return Err((
            "matches nothing".to_owned(),
            "HighLevel may have corrected it: remove the action, or correct the target",
        ));
    }
    // Back to front, so that removing one item of a list does not shift the others.
    pointers.reverse();
    let mut changed = false;
    for pointer in &pointers {
        changed |= match &action.update {
            _ if action.remove => remove(document, pointer),
            Some(update) => document
                .pointer_mut(pointer)
                .is_some_and(|target| merge(target, update)),
            None => false,
        };
    }
    if changed {
        Ok(())
    } else {
        Err((
            "changes nothing".to_owned(),
            "HighLevel may have corrected it: remove the action",
        ))
    }
}

fn remove(document: &mut Value, pointer: &str) -> bool {
    let Some((parent, name)) = pointer.rsplit_once('/') else {
        return false;
    };
    match document.pointer_mut(parent) {
        Some(Value::Object(object)) => {
            let name = name.replace("~1", "/").replace("~0", "~");
            object.shift_remove(&name).is_some()
        }
        Some(Value::Array(items)) => match name.parse::<usize>() {
            Ok(index) if index < items.len() => {
                items.remove(index);
                true
            }
            _ => false,
        },
        _ => false,
    }
}

/// Merges as Overlay 1.0 requires: objects recursively, lists by appending, the rest by replacing. Returns whether
/// anything changed.
fn merge(target: &mut Value, update: &Value) -> bool {
    match (target, update) {
        (Value::Object(target), Value::Object(update)) => {
            let mut changed = false;
            for (name, value) in update {
                changed |= match target.get_mut(name) {
                    Some(present) => merge(present, value),
                    None => {
                        target.insert(name.clone(), value.clone());
                        true
                    }
                };
            }
            changed
        }
        (Value::Array(target), Value::Array(update)) => {
            target.extend(update.iter().cloned());
            !update.is_empty()
        }
        (target, update) => {
            let changed = target != update;
            target.clone_from(update);
            changed
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(action: Value, expected: Result<Value, &str>) {
        let mut document = json!({"a": {"required": ["x", "y"], "type": "object"}});
        let mut action = action;
        action["description"] = json!("why");
        action["x-evidence"] = json!(["docs#1"]);
        let overlay = json!({"overlay": "1.0.0", "info": {}, "actions": [action]});
        match (apply("d", &overlay, &mut document), expected) {
            (Ok(_), Ok(expected)) => assert_eq!(document, expected),
            (Err(problems), Err(part)) => {
                assert!(problems[0].to_string().contains(part), "{}", problems[0]);
            }
            (got, expected) => panic!("{got:?} is not {expected:?}"),
        }
    }

    #[test]
    fn actions_apply_or_fail_by_name() {
        check(
            json!({"target": "$.a.required[?@ == 'x']", "remove": true}),
            Ok(json!({"a": {"required": ["y"], "type": "object"}})),
        );
        check(
            json!({"target": "$.a.required[*]", "remove": true}),
            Ok(json!({"a": {"required": [], "type": "object"}})),
        );
        check(
            json!({"target": "$.a", "update": {"type": "string", "required": ["z"]}}),
            Ok(json!({"a": {"required": ["x", "y", "z"], "type": "string"}})),
        );
        check(
            json!({"target": "$.b", "update": {}}),
            Err("action 1 ($.b): matches nothing"),
        );
        check(
            json!({"target": "$.a", "update": {"type": "object"}}),
            Err("changes nothing"),
        );
        check(
            json!({"target": "a[", "remove": true}),
            Err("is not a JSONPath"),
        );
    }

    #[test]
    fn actions_apply_to_v3_or_say_that_they_do_not() {
        fn check(action: Value, expected: &[&str]) {
            let mut action = action;
            action["description"] = json!("why");
            action["x-evidence"] = json!(["docs#1"]);
            let overlay = json!({"overlay": "1.0.0", "info": {}, "actions": [action]});
            let mut variants = [json!({"a": {"type": "object"}}), json!({"b": {}})];
            let mut variants: Vec<&mut Value> = variants.iter_mut().collect();
            let problems = apply_to_v3("d", &overlay, &mut variants);
            assert_eq!(problems.len(), expected.len(), "{problems:?}");
            for (problem, part) in problems.iter().zip(expected) {
                assert!(problem.to_string().contains(part), "{problem}");
            }
        }
        let fits = json!({"target": "$.b", "update": {"type": "string"}});
        check(fits.clone(), &[]);
        let mut claimed = fits;
        claimed["x-not-in-v3"] = json!(true);
        check(claimed, &["action 1 ($.b): has x-not-in-v3"]);
        let gone = json!({"target": "$.c", "update": {"type": "string"}});
        check(gone.clone(), &["action 1 ($.c): applies to no v3 variant"]);
        let mut told = gone;
        told["x-not-in-v3"] = json!(true);
        check(told, &[]);
        let own =
            json!({"target": "$.a", "update": {"type": "object"}, "x-update-v3": {"type": "null"}});
        check(own, &[]);
        let same =
            json!({"target": "$.a", "update": {"type": "null"}, "x-update-v3": {"type": "object"}});
        check(same, &["applies to no v3 variant"]);
    }

    #[test]
    fn an_action_without_evidence_fails() {
        for evidence in [
            json!(null),
            json!([]),
            json!("because"),
            json!(["docs#"]),
            json!(["docs#1", "a colleague"]),
        ] {
            let action = json!({
                "target": "$", "update": {"a": 1}, "description": "why", "x-evidence": evidence,
            });
            let overlay = json!({"overlay": "1.0.0", "actions": [action]});
            let problems = apply("d", &overlay, &mut json!({})).unwrap_err();
            assert!(problems[0].to_string().contains("x-evidence"), "{evidence}");
        }
    }
}

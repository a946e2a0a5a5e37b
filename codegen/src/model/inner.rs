//! Fields inside arguments, and those of them that name a tenant or hold a date.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::annotations::{ArgumentAnnotations, TenantRole};
use crate::model::operation::{OperationArgument, OperationDate, OperationTenant};

/// One field inside an argument.
pub(crate) struct InnerField {
    /// Its path in HighLevel's names, such as `customFields[].id`.
    pub path: String,
    /// The same from the tool's own name of the argument, with `[]` for every item of a list.
    pub steps: Vec<String>,
}

impl InnerField {
    pub(crate) fn name(&self) -> &str {
        self.path.rsplit('.').next().unwrap_or_default()
    }
}

/// Every field inside `arguments`, each once.
pub(crate) fn inner_fields(arguments: &[OperationArgument]) -> Vec<InnerField> {
    let mut fields = BTreeMap::new();
    for argument in arguments {
        let steps = vec![argument.name.clone()];
        walk(&argument.schema, &argument.wire_name, &steps, &mut fields);
    }
    fields
        .into_iter()
        .map(|(path, steps)| InnerField { path, steps })
        .collect()
}

/// The fields that name a tenant according to `known`.
pub(crate) fn tenants(
    arguments: &[OperationArgument],
    known: &BTreeMap<String, ArgumentAnnotations>,
) -> Vec<OperationTenant> {
    inner_fields(arguments)
        .into_iter()
        .filter_map(|field| {
            let role = known.get(&field.path)?.role?;
            (role != TenantRole::None).then_some(OperationTenant {
                steps: field.steps,
                role,
            })
        })
        .collect()
}

/// The fields with a date or time according to `known`.
pub(crate) fn dates(
    arguments: &[OperationArgument],
    known: &BTreeMap<String, ArgumentAnnotations>,
) -> Vec<OperationDate> {
    inner_fields(arguments)
        .into_iter()
        .filter_map(|field| {
            let form = known.get(&field.path)?.date?;
            Some(OperationDate {
                steps: field.steps,
                form,
            })
        })
        .collect()
}

fn walk(schema: &Value, path: &str, steps: &[String], fields: &mut BTreeMap<String, Vec<String>>) {
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        let steps = [steps, std::slice::from_ref(name)].concat();
        walk(property, &path, &steps, fields);
        fields.insert(path, steps);
    }
    if let Some(items) = schema.get("items") {
        let steps = [steps, &["[]".to_owned()]].concat();
        walk(items, &format!("{path}[]"), &steps, fields);
    }
    for branches in ["anyOf", "allOf"] {
        for branch in schema[branches].as_array().into_iter().flatten() {
            walk(branch, path, steps, fields);
        }
    }
}

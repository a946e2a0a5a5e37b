//! The forms that a schema allows for a value: the schema itself, and each branch of its alternatives.

use serde_json::Value;

/// A schema and the branches of its `anyOf` at any depth. Empty if nothing is known of the value.
#[derive(Default)]
pub(super) struct Forms<'s> {
    own: Option<&'s Value>,
    branches: Vec<&'s Value>,
}

impl<'s> Forms<'s> {
    pub(super) fn new(schema: Option<&'s Value>) -> Self {
        let mut forms = Self {
            own: schema,
            branches: Vec::new(),
        };
        if let Some(schema) = schema {
            forms.add_branches(schema);
        }
        forms
    }

    fn add_branches(&mut self, schema: &'s Value) {
        let branches = schema.get("anyOf").and_then(Value::as_array);
        for branch in branches.into_iter().flatten() {
            self.branches.push(branch);
            self.add_branches(branch);
        }
    }

    fn add(&mut self, schema: &'s Value) {
        match self.own {
            None => *self = Self::new(Some(schema)),
            Some(_) => {
                self.branches.push(schema);
                self.add_branches(schema);
            }
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &'s Value> {
        self.own.into_iter().chain(self.branches.iter().copied())
    }

    /// The forms of the field `name` of an object of these forms.
    pub(super) fn field(&self, name: &str) -> Self {
        let mut found = Self::default();
        for form in self.iter() {
            let named = form.get("properties").and_then(|known| known.get(name));
            let other = || {
                form.get("additionalProperties")
                    .filter(|one| one.is_object())
            };
            if let Some(schema) = named.or_else(other) {
                found.add(schema);
            }
        }
        found
    }

    /// Whether a field `name` is described.
    pub(super) fn names(&self, name: &str) -> bool {
        let mut properties = self.iter().filter_map(|form| form.get("properties"));
        properties.any(|properties| properties.get(name).is_some())
    }

    /// The forms of the items of a list of these forms.
    pub(super) fn items(&self) -> Self {
        let mut found = Self::default();
        for schema in self.iter().filter_map(|form| form.get("items")) {
            found.add(schema);
        }
        found
    }

    /// Whether any type is given.
    pub(super) fn is_typed(&self) -> bool {
        self.iter().any(|form| form.get("type").is_some())
    }

    /// Whether a value of type `kind` is among the forms.
    pub(super) fn takes(&self, kind: &str) -> bool {
        self.iter().any(|form| match form.get("type") {
            Some(Value::String(one)) => one == kind,
            Some(Value::Array(several)) => several.iter().any(|one| one == kind),
            _ => false,
        })
    }

    /// Whether null is an explicit value. False if no type is known.
    pub(super) fn takes_null(&self) -> bool {
        self.iter().any(|form| {
            let values = form.get("enum").and_then(Value::as_array);
            let names_null = match form.get("type") {
                Some(Value::String(one)) => one == "null",
                Some(Value::Array(several)) => several.iter().any(|one| one == "null"),
                _ => false,
            };
            names_null && values.is_none_or(|values| values.contains(&Value::Null))
        })
    }

    /// The values of the first enum, if there is one.
    pub(super) fn values(&self) -> Option<&'s Vec<Value>> {
        self.iter().find_map(|form| form.get("enum")?.as_array())
    }
}

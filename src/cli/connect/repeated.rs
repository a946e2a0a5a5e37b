//! Finds a name that an object in JSON has twice: a program that writes the text again loses one of the two.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The members of one object as written.
struct Members(Vec<(String, Box<RawValue>)>);

struct MembersVisitor;

/// The first name that an object of `text` has twice, in it or in the objects inside it.
pub(super) fn repeated_member(text: &str) -> Option<String> {
    // Anything else has no members.
    let Members(members) = serde_json::from_str(text).ok()?;
    let mut known = BTreeSet::new();
    members
        .iter()
        .find_map(|(name, value)| match known.insert(name) {
            true => repeated_member(value.get()),
            false => Some(name.clone()),
        })
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Members(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_stands_twice_is_found() {
        for (text, expected) in [
            (r#"{"a": {"b": 1}, "c": {"b": [1, 2.50]}}"#, None),
            (r#"{"a": 1, "b": {}, "a": 2}"#, Some("a")),
            (r#"{"a": {"b": {"c": 1, "c": 1}}}"#, Some("c")),
            ("[1]", None),
            ("", None),
        ] {
            assert_eq!(repeated_member(text).as_deref(), expected, "{text}");
        }
    }
}

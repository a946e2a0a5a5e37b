//! The fields of answers with other people's words.

/// The fields in all answers of one document's reads, by path.
#[derive(Debug)]
pub struct StrangerFields {
    pub document: &'static str,
    /// Sentences.
    pub texts: &'static [&'static [&'static str]],
    /// Names and the like, mostly short.
    pub labels: &'static [&'static [&'static str]],
}

/// The kind of other people's words in a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StrangerWords {
    Text,
    Label,
}

impl StrangerFields {
    /// The words at `path`, the names of members from the answer inwards; `None` if they are the account's own.
    pub fn words_at(&self, path: &[&str]) -> Option<StrangerWords> {
        let any = |fields: &[&[&str]]| fields.iter().any(|field| is_meant(field, path));
        if any(self.texts) {
            return Some(StrangerWords::Text);
        }
        any(self.labels).then_some(StrangerWords::Label)
    }
}

/// Whether `field` matches `path`: its names occur there in sequence. An id never matches.
pub fn is_meant(field: &[&str], path: &[&str]) -> bool {
    let is_id = path.last().is_some_and(|name| is_id(name));
    !field.is_empty() && !is_id && path.windows(field.len()).any(|names| names == field)
}

/// Whether a member of this name is an id, which must be sent back unchanged.
fn is_id(name: &str) -> bool {
    matches!(name, "id" | "_id") || ["Id", "Ids", "_id"].iter().any(|end| name.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: StrangerFields = StrangerFields {
        document: "contacts",
        texts: &[&["notes", "body"], &["others"]],
        labels: &[&["name"]],
    };

    #[test]
    fn a_field_applies_wherever_its_names_follow_each_other() {
        for (path, expected) in [
            ("notes.body", Some(StrangerWords::Text)),
            ("contacts.notes.body", Some(StrangerWords::Text)),
            ("notes.body.html", Some(StrangerWords::Text)),
            ("others.a.b", Some(StrangerWords::Text)),
            ("others.contactId", None),
            ("others.id", None),
            ("contact.name", Some(StrangerWords::Label)),
            ("body", None),
            ("notes.title.body", None),
            ("names", None),
            ("", None),
        ] {
            let steps: Vec<&str> = path.split('.').filter(|step| !step.is_empty()).collect();
            assert_eq!(FIELDS.words_at(&steps), expected, "{path}");
        }
    }
}

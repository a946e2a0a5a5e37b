//! How custom fields of contacts and opportunities are named: by ids, in filters, in answers and in writes.

/// The tool whose answer has the id, the key and the options of each.
pub(crate) const IDS_FROM: &str = "locations_get-custom-fields";

/// HighLevel's ids: letters and digits, as in every document, or hexadecimal digits.
const ID_LENGTH: usize = 20;
const HEX_ID_LENGTH: usize = 24;

/// Members of records whose parts are custom fields.
const HOLDERS: [&str; 2] = ["customFields", "custom_fields"];

/// Whether `text` may be an id. HighLevel finds nothing under another name, and says nothing.
pub(crate) fn is_id(text: &str) -> bool {
    let is_all = |is: fn(&u8) -> bool| text.as_bytes().iter().all(is);
    text.len() == ID_LENGTH && is_all(u8::is_ascii_alphanumeric)
        || text.len() == HEX_ID_LENGTH && is_all(u8::is_ascii_hexdigit)
}

/// What to write for a custom field that the dotted path `field` names by something else than its id.
pub(crate) fn remedy(field: &str) -> Option<String> {
    let mut steps = field.split('.');
    let holder = steps.find(|step| HOLDERS.contains(step))?;
    let name = steps.next().filter(|name| !is_id(name))?;
    let start = field.find(holder)? + holder.len();
    let start = field.get(..start)?;
    // The place of an item in the list is no name.
    name.parse::<usize>()
        .is_err()
        .then(|| format!("Take the field's id from {IDS_FROM}, and write {start}.<id>."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ids_name_a_custom_field() {
        for (field, expected) in [
            ("customFields.Budget", Some("write customFields.<id>.")),
            (
                "contact.customFields.my budget",
                Some("write contact.customFields.<id>."),
            ),
            ("custom_fields.", Some("write custom_fields.<id>.")),
            ("customFields.OBj007Z8b4yV08OJdaWh", None),
            ("customFields.65b2c4d1e8f90a1b2c3d4e5f", None),
            ("customFields.OBj007Z8b4yV08OJdaWh.c1b70ec9", None),
            ("customFields.0", None),
            ("customFields", None),
            ("email", None),
        ] {
            let remedy = remedy(field);
            let is_expected = match (&remedy, expected) {
                (Some(remedy), Some(end)) => remedy.ends_with(end),
                (remedy, expected) => remedy.is_none() && expected.is_none(),
            };
            assert!(is_expected, "{field}: {remedy:?}");
        }
    }
}

//! Describes a value that does not fit its setting, in words for people instead of the parser's own.

/// `error` of the parser as the end of a sentence that begins with the setting's name.
pub(super) fn describe_misfit(error: &str) -> String {
    let error = error.trim().replace('\n', " ");
    if let Some((found, expected)) = split(&error, "invalid type: ", ", expected ") {
        let found = found_kind(found).map(|found| format!(", not {found}"));
        return format!("must be {}{}", kind(expected), found.unwrap_or_default());
    }
    if error.starts_with("wanted exactly 1 element") {
        return "must have exactly one member".to_owned();
    }
    if let Some((found, expected)) = split(&error, "invalid value: ", ", expected ") {
        let found = found.split('`').nth(1).unwrap_or("the value");
        return format!("{found} does not fit; give {}", kind(expected));
    }
    if let Some((found, known)) = split(&error, "unknown variant `", "`, expected ") {
        let known = known.trim_start_matches("one of ").replace('`', "");
        return format!("{found:?} does not exist; give one of {known}");
    }
    if let Some(field) = error.strip_prefix("missing field `") {
        return format!("has no {}", field.trim_end_matches('`'));
    }
    error
}

fn split<'a>(error: &'a str, begin: &str, between: &str) -> Option<(&'a str, &'a str)> {
    error.strip_prefix(begin)?.split_once(between)
}

/// The accepted values, by the parser's name for them.
fn kind(expected: &str) -> &'static str {
    match expected {
        "usize" | "u16" | "u32" | "u64" => "a whole number from 0",
        "i32" | "i64" => "a whole number",
        "a boolean" => "true or false",
        "a sequence" => "a list",
        _ if expected.contains("struct") || expected.contains("map") => "a section",
        _ => "a text",
    }
}

/// The value that was found, without repeating it: it may be a secret.
fn found_kind(found: &str) -> Option<&'static str> {
    Some(match found.split(' ').next()? {
        "integer" | "floating" => "a number",
        "boolean" => "true or false",
        "sequence" => "a list",
        "map" => "a section",
        "datetime" => "a date",
        "string" => "a text",
        // The parser does not say what it found in place of a word.
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parsers_words_become_sentences() {
        for (error, expected) in [
            (
                "invalid type: string \"many\", expected usize",
                "must be a whole number from 0, not a text",
            ),
            (
                "invalid type: unit variant, expected string only",
                "must be a text",
            ),
            (
                "invalid type: integer `3`, expected struct WebhookSettings",
                "must be a section, not a number",
            ),
            (
                "invalid value: integer `-1`, expected u32",
                "-1 does not fit; give a whole number from 0",
            ),
            (
                "unknown variant `loud`, expected one of `error`, `warn`\n",
                "\"loud\" does not exist; give one of error, warn",
            ),
            ("missing field `location_id`", "has no location_id"),
            ("\"x\" is not a port", "\"x\" is not a port"),
        ] {
            assert_eq!(describe_misfit(error), expected);
        }
    }
}

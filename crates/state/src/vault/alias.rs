//! The alias of a connected location: made from its name, and never one that another location has or had.

use std::collections::BTreeSet;

use crate::StoreError;
use crate::store::Transaction;

/// Longest alias made from a name: a number fits after it, within the 40 characters of an alias.
const LONGEST: usize = 32;

/// Words that cannot be aliases in commands.
const WORDS: [&str; 1] = ["all"];

/// Most locations of the same name.
const MOST_OF_NAME: u32 = 100_000;

/// An alias that nobody has, and that no key, grant or person still names for an earlier location: they must not reach
/// this one.
pub(super) fn free(
    transaction: &mut Transaction,
    name: &str,
    reserved: &BTreeSet<String>,
) -> Result<String, StoreError> {
    let stem = stem(name);
    for number in 1..=MOST_OF_NAME {
        let alias = match number {
            1 => stem.clone(),
            number => format!("{stem}-{number}"),
        };
        if !reserved.contains(&alias)
            && !WORDS.contains(&alias.as_str())
            && !is_taken(transaction, &alias)?
        {
            return Ok(alias);
        }
    }
    Err(StoreError::from(format!(
        "no alias is free for the location {name:?}; rename it in the CRM and try again"
    )))
}

fn is_taken(transaction: &mut Transaction, alias: &str) -> Result<bool, StoreError> {
    let named = "SELECT id FROM location WHERE alias = $1
        UNION ALL SELECT person FROM person_location WHERE alias = $1
        UNION ALL SELECT grant_id FROM grant_location WHERE alias = $1
        UNION ALL SELECT id FROM access_key WHERE ended_at IS NULL AND locations LIKE $2 LIMIT 1";
    // No alias has a character with a meaning in LIKE or JSON.
    let quoted = format!("%\"{alias}\"%");
    let named = sqlx::query(named).bind(alias.to_owned()).bind(quoted);
    Ok(transaction.one(named)?.is_some())
}

/// Lower-case letters and digits, separated by single hyphens.
fn stem(name: &str) -> String {
    let mut stem = String::new();
    for letter in name.chars() {
        match letter.to_ascii_lowercase() {
            letter if letter.is_ascii_alphanumeric() => stem.push(letter),
            _ if stem.is_empty() || stem.ends_with('-') => {}
            _ => stem.push('-'),
        }
        if stem.len() == LONGEST {
            break;
        }
    }
    let stem = stem.trim_end_matches('-');
    if stem.is_empty() { "location" } else { stem }.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alias_is_made_of_letters_and_digits_of_the_name() {
        for (name, expected) in [
            ("Acme Dental", "acme-dental"),
            ("  Müller & Söhne GmbH!  ", "m-ller-s-hne-gmbh"),
            ("ALL-IN 24/7", "all-in-24-7"),
            ("日本", "location"),
            ("", "location"),
            ("a\u{202e}b\"%_'", "a-b"),
            (&"x y".repeat(40), "x-yx-yx-yx-yx-yx-yx-yx-yx-yx-yx"),
        ] {
            assert_eq!(stem(name), expected, "{name}");
        }
    }
}

//! The name that was probably meant by an unknown one.

/// The least similarity in tenths (ten are equal) of a useful suggestion.
const NEAR_TENTHS: u8 = 6;

/// Longest name. Comparing takes the product of both lengths in steps, so a longer one is simply unknown.
pub const LONGEST_NAME: usize = 64;

/// The value of the name most similar to `name`, if any is similar.
pub fn nearest<'a, T>(name: &str, known: impl IntoIterator<Item = (&'a str, T)>) -> Option<T> {
    nearest_shown(name, known, |_| true)
}

/// The same for values that pass `is_shown`, which is asked about few: names are compared first.
pub fn nearest_shown<'a, T>(
    name: &str,
    known: impl IntoIterator<Item = (&'a str, T)>,
    is_shown: impl Fn(&T) -> bool,
) -> Option<T> {
    // Our names are ASCII, so a name with more bytes than this is none of ours.
    if name.len() > LONGEST_NAME {
        return None;
    }
    let length = name.chars().count();
    // Every additional letter is a change, so names of very different lengths need no comparison.
    let may_be_near = |one: &str| {
        let (short, long) = (one.len().min(length), one.len().max(length));
        10 * short >= usize::from(NEAR_TENTHS) * long
    };
    let known = known.into_iter().filter(|(one, _)| may_be_near(one));
    let mut near: Vec<(f64, T)> = known
        .map(|(one, what)| (strsim::normalized_damerau_levenshtein(name, one), what))
        .filter(|(likeness, _)| 10.0 * likeness >= f64::from(NEAR_TENTHS))
        .collect();
    // Of equally similar names the first: branch-05 for branch-5, and not branch-95.
    near.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut near = near.into_iter().map(|(_, what)| what);
    near.find(is_shown)
}

/// The number of letters to change, add, remove or swap until two names are equal.
pub fn edit_distance(one: &str, other: &str) -> usize {
    strsim::damerau_levenshtein(one, other)
}

/// Most names in an error.
const MOST_NAMES: usize = 12;

/// The known names for an error about an unknown one: the first names, and the number of the others.
pub fn first_names<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let mut names = names.into_iter();
    let first: Vec<&str> = names.by_ref().take(MOST_NAMES).collect();
    match names.count() {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}

/// The words of a name in camel, snake or kebab case, in small letters; digits are words of their own.
pub fn name_words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut before = ' ';
    for letter in name.chars() {
        let begins = !before.is_alphanumeric()
            || before.is_lowercase() && letter.is_uppercase()
            || before.is_ascii_digit() != letter.is_ascii_digit();
        if letter.is_alphanumeric() {
            if begins {
                words.push(String::new());
            }
            let word = words.last_mut();
            word.into_iter()
                .for_each(|word| word.extend(letter.to_lowercase()));
        }
        before = letter;
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_has_no_more_names_than_somebody_reads() {
        let names: Vec<String> = (1..=45).map(|number| format!("n{number}")).collect();
        let first = |count: usize| first_names(names.iter().take(count).map(String::as_str));
        assert_eq!(first(0), "");
        assert_eq!(first(2), "n1, n2");
        assert!(first(12).ends_with("n11, n12"));
        assert!(first(45).ends_with("n11, n12 and 33 more"));
    }

    #[test]
    fn a_name_is_taken_for_the_most_like_one() {
        fn check(name: &str, expected: Option<&str>) {
            let long = "x".repeat(LONGEST_NAME + 1);
            let known = [
                "contacts",
                "contact",
                "calendars",
                "br-05",
                "br-15",
                long.as_str(),
            ];
            let found = nearest(name, known.map(|one| (one, one)));
            assert_eq!(found, expected, "{name}");
        }
        check("contcts", Some("contacts"));
        check("contac", Some("contact"));
        check("br-5", Some("br-05"));
        check("workflow", None);
        check(
            &"x".repeat(LONGEST_NAME),
            Some(&"x".repeat(LONGEST_NAME + 1)),
        );
        check(&"x".repeat(LONGEST_NAME + 1), None);
    }

    #[test]
    fn a_name_of_any_length_costs_nothing() {
        let long = "contacts_".repeat(500_000);
        let known = (0..1_000_000).map(|_| ("contacts_get-contact", ()));
        let started = std::time::Instant::now();
        assert_eq!(nearest(&long, known), None);
        assert!(started.elapsed().as_millis() < 50);
    }

    #[test]
    fn names_are_made_of_words() {
        for (name, words) in [
            ("contactId", &["contact", "id"][..]),
            ("date_added", &["date", "added"]),
            ("add-tags", &["add", "tags"]),
            ("address2", &["address", "2"]),
            ("body_companyName", &["body", "company", "name"]),
            ("__", &[]),
        ] {
            assert_eq!(name_words(name), words, "{name}");
        }
    }
}

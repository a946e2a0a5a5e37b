//! The name that was meant by one that there is not.

/// Below this likeness (1 is equal) a name is no help.
const NEAR: f64 = 0.6;

/// No name is longer, and comparing takes as many steps as both lengths multiplied: a longer one is unknown, that is all.
pub const LONGEST_NAME: usize = 64;

/// What is known by the name most like `name`, if any is like it.
pub fn nearest<'a, T>(name: &str, known: impl IntoIterator<Item = (&'a str, T)>) -> Option<T> {
    // More bytes than characters make no name of ours either: they are ASCII.
    if name.len() > LONGEST_NAME {
        return None;
    }
    known
        .into_iter()
        .map(|(one, what)| (strsim::normalized_damerau_levenshtein(name, one), what))
        .filter(|(likeness, _)| *likeness >= NEAR)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, what)| what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_taken_for_the_most_like_one() {
        fn check(name: &str, expected: Option<&str>) {
            let long = "x".repeat(LONGEST_NAME + 1);
            let known = ["contacts", "contact", "calendars", long.as_str()];
            let found = nearest(name, known.map(|one| (one, one)));
            assert_eq!(found, expected, "{name}");
        }
        check("contcts", Some("contacts"));
        check("contac", Some("contact"));
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
}

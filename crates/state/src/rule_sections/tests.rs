//! Sections, their versions, and concurrent writes.

use super::*;
use crate::events::Events;
use crate::store::for_tests;

fn wanted(name: &str, text: Option<&str>, replaces: Option<i64>) -> NewRuleSection {
    NewRuleSection {
        name: name.to_owned(),
        text: text.map(str::to_owned),
        replaces,
        by: "Olga".to_owned(),
        actor: Some("per_olga".to_owned()),
    }
}

fn put(
    sections: &RuleSections,
    name: &str,
    text: Option<&str>,
    replaces: Option<i64>,
) -> Result<i64, String> {
    let put = sections.put(wanted(name, text, replaces)).wait();
    put.map(|section| section.version)
        .map_err(|error| error.to_string())
}

/// The present sections, as `name version text`.
fn current(sections: &RuleSections) -> Vec<String> {
    let all = sections.read().wait().expect("read");
    let line = |one: RuleSection| {
        format!(
            "{} {} {}",
            one.name,
            one.version,
            one.text.unwrap_or_default()
        )
    };
    all.into_iter().map(line).collect()
}

#[on_both]
fn a_section_is_written_removed_and_restored() {
    let folder = for_tests::folder();
    let store = for_tests::open(&folder);
    let sections = RuleSections::new(&store);
    assert_eq!(put(&sections, "desk", Some("a"), None), Ok(1));
    assert_eq!(put(&sections, "desk", Some("b"), Some(1)), Ok(2));
    assert_eq!(put(&sections, "attic", Some("c"), None), Ok(1));
    assert_eq!(current(&sections), ["attic 1 c", "desk 2 b"]);
    assert_eq!(put(&sections, "desk", None, Some(2)), Ok(3));
    assert_eq!(current(&sections), ["attic 1 c"]);
    assert_eq!(put(&sections, "desk", Some("b"), None), Ok(4));
    let restarted = RuleSections::new(&for_tests::open(&folder));
    assert_eq!(current(&restarted), ["attic 1 c", "desk 4 b"]);
    let versions = restarted.versions("desk").wait().expect("versions");
    let texts: Vec<_> = versions.iter().map(|one| one.text.as_deref()).collect();
    assert_eq!(texts, [Some("b"), None, Some("b"), Some("a")]);
    assert_eq!((versions[0].by.as_str(), versions[0].version), ("Olga", 4));
    let events = Events::new(&store).list(9).wait().expect("events");
    let kinds: Vec<&str> = events
        .iter()
        .rev()
        .map(|event| event.kind.as_str())
        .collect();
    assert_eq!(
        kinds,
        [
            "rules changed",
            "rules changed",
            "rules changed",
            "rules removed",
            "rules changed"
        ]
    );
}

#[on_both]
fn a_writer_who_did_not_see_the_last_version_is_refused() {
    let sections = RuleSections::new(&for_tests::store());
    assert_eq!(put(&sections, "desk", Some("a"), None), Ok(1));
    for replaces in [None, Some(0), Some(2)] {
        let error = put(&sections, "desk", Some("b"), replaces).expect_err("refused");
        assert!(error.contains("somebody changed the section"), "{error}");
    }
    assert_eq!(current(&sections), ["desk 1 a"]);
}

#[on_both]
fn names_texts_and_numbers_have_bounds() {
    let sections = RuleSections::new(&for_tests::store());
    let long = "x".repeat(LONGEST_NAME + 1);
    for name in ["", "Desk", "a b", "ä", "1a", "a/b", long.as_str()] {
        let error = put(&sections, name, Some(""), None).expect_err("refused");
        assert!(error.contains("a section's name"), "{name:?}: {error}");
    }
    let text = "x".repeat(LONGEST + 1);
    assert!(put(&sections, "desk", Some(&text), None).is_err());
    assert!(put(&sections, "desk", None, None).is_err());
    for version in 0..MOST_VERSIONS + 5 {
        let replaces = (version > 0).then_some(version);
        assert_eq!(put(&sections, "desk", Some("a"), replaces), Ok(version + 1));
    }
    let kept = sections.versions("desk").wait().expect("versions");
    assert_eq!(i64::try_from(kept.len()), Ok(MOST_VERSIONS));
    for number in 1..MOST {
        assert_eq!(put(&sections, &format!("s{number}"), Some(""), None), Ok(1));
    }
    let error = put(&sections, "more", Some(""), None).expect_err("refused");
    assert!(error.contains("there are 60 sections"), "{error}");
    // An existing one may still be written.
    assert_eq!(put(&sections, "s1", Some("b"), Some(1)), Ok(2));
}

#[on_both]
fn another_process_is_heard_within_a_fifth_of_a_second() {
    let folder = for_tests::folder();
    let [sections, other] = [(); 2].map(|()| RuleSections::new(&for_tests::open(&folder)));
    assert_eq!(put(&other, "desk", Some("a"), None), Ok(1));
    for_tests::comes("heard", || {
        let current = sections.current();
        current.as_ref().as_ref().is_ok_and(|all| all.len() == 1)
    });
}

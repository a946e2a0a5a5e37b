//! Texts of sections, and their faults.

use super::*;

#[track_caller]
fn check(text: &str, expected: &[(usize, &str)]) {
    let problems = match StoredSection::parse("desk", text, &[]) {
        Ok(_) => Vec::new(),
        Err(problems) => problems,
    };
    assert_eq!(problems.len(), expected.len(), "{text}: {problems:?}");
    for (problem, (line, part)) in problems.iter().zip(expected) {
        assert_eq!(problem.line, *line, "{text}: {problem:?}");
        assert!(problem.what.contains(part), "{text}: {problem:?}");
        assert!(!problem.what.contains("policies.desk"), "{problem:?}");
    }
}

#[test]
fn each_problem_stands_at_its_line() {
    check("read_only = true\n", &[]);
    check("", &[]);
    check(
        "confirm = { send = \"human\" }\nmany = \"elicit or human\"",
        &[],
    );
    check("read_only = 5", &[(1, "must be true or false")]);
    check(
        "read_only = true\n\nconfirm = { send = \"humans\" }\ncapz = 5\nquiet = 1\n",
        &[
            (3, "is not a confirmation"),
            (4, "capz is not a key"),
            (5, "must be a table"),
        ],
    );
    check(
        "read_only = true\n[caps.send]\nhour = \"x\"",
        &[(2, "send")],
    );
    check("read_only = true\nread_only", &[(2, "not TOML")]);
    check("a = \"\nb", &[(2, "not TOML")]);
}

#[test]
fn stored_sections_accept_no_confirmation_that_an_assistant_gives_itself() {
    for text in [
        "confirm = { send = \"token\" }",
        "confirm = { send = \"elicit or token\" }",
        "many = \"token\"",
        "lockdown = {}",
        "lockdown = { confirm = \"token\" }",
    ] {
        check(text, &[(1, "which the assistant gives itself")]);
    }
}

#[test]
fn the_files_own_section_comes_first_and_unreadable_ones_allow_nothing() {
    let stored = |text: &str| StoredSection::parse("desk", text, &[]).ok();
    let file =
        Policy::parse("[policies.desk]\nread_only = true\n", "rules.toml", &[]).expect("rules");
    let both = file.with_stored([
        ("desk".to_owned(), stored("")),
        ("night".to_owned(), stored("many = \"human\"")),
        ("broken".to_owned(), stored("many = 5")),
    ]);
    assert!(both.section_called("desk").read_only);
    assert_eq!(
        both.policy_names().collect::<Vec<_>>(),
        ["desk", "broken", "night"]
    );
    assert!(both.has_policy("night") && !both.has_in_file("night"));
    assert_eq!(
        both.section_called("broken").allow.as_ref().map(Vec::len),
        Some(0)
    );
    let without = both.with_stored([]);
    assert!(!without.has_policy("night") && without.has_policy("desk"));
}

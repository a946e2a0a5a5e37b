//! The built-in rules that people choose when they connect a client, over every tool.

use policy::{BuiltInRules, Class, MOST_NAMED, Mode, NamedRules, Policy, PolicyDefaults};
use tool::Effect;

use super::{BULK, DELETE, SEARCH, SEND, TAGS, parse, tool};
use highlevel_mcp::catalog::TOOLS;

const fn built_in(rules: BuiltInRules) -> NamedRules {
    NamedRules::BuiltIn(rules)
}

#[test]
fn chosen_rules_allow_exactly_what_they_describe() {
    let policy = Policy::default();
    for tool in TOOLS {
        let alone = policy.over(None, None);
        let usual = alone.confirmation(tool, false).0;
        for rules in BuiltInRules::ALL {
            let named = [built_in(rules)];
            let over = policy.over_all(None, &named);
            let is_read = tool.effect == Effect::Read;
            let place = format!("{} {}", rules.name(), tool.name);
            let shown = is_read || rules != BuiltInRules::ReadOnly;
            assert_eq!(over.shows(tool).is_ok(), shown, "{place}");
            let asks_person = match rules {
                BuiltInRules::ReadOnly | BuiltInRules::Everything => false,
                _ if is_read => false,
                _ if tool.bulk => true,
                BuiltInRules::AskFirst => tool.effect != Effect::Write,
                BuiltInRules::Everyday => !matches!(tool.effect, Effect::Write | Effect::Send),
            };
            let expected = if asks_person { Mode::Human } else { usual };
            assert_eq!(over.confirmation(tool, false).0, expected, "{place}");
            // Two at once are stricter than either alone.
            let many = over.confirmation_of_many(tool, 2, false);
            let asks_of_many = matches!(rules, BuiltInRules::AskFirst | BuiltInRules::Everyday);
            assert_eq!(many.is_some(), asks_of_many && !is_read, "{place}");
            assert_eq!(over.confirmation_of_many(tool, 1, false), None, "{place}");
            // The caller's own choice is not a rule of the operator.
            let operators = usual >= Mode::Human;
            assert_eq!(
                over.operator_asks_person(tool, tool.asks_person, false),
                operators,
                "{place}"
            );
        }
    }
}

#[test]
fn all_that_are_named_hold_and_too_many_let_nothing_through() {
    let policy = parse(
        "[policies.no-tags]\ndeny = [\"contacts_add-tags\"]\n[policies.no-sms]\ndeny = [\"effect:send\"]\n",
    );
    let policy = policy.expect("rules");
    let section = |name: &str| NamedRules::Section(name.to_owned());
    let everything = built_in(BuiltInRules::Everything);
    let rows = [
        (vec![everything.clone()], [true, true, true]),
        (
            vec![everything.clone(), section("no-tags")],
            [true, false, true],
        ),
        (
            vec![section("no-sms"), section("no-tags")],
            [true, false, false],
        ),
        (
            vec![built_in(BuiltInRules::ReadOnly), everything.clone()],
            [true, false, false],
        ),
        // A section of the file never stands for a built-in one.
        (vec![section("everything")], [false; 3]),
        (vec![everything.clone(); MOST_NAMED], [true, true, true]),
        (vec![everything; MOST_NAMED + 1], [false; 3]),
    ];
    for (named, expected) in rows {
        let over = policy.over_all(None, &named);
        let shown = [SEARCH, TAGS, SEND].map(|name| over.shows(tool(name)).is_ok());
        assert_eq!(shown, expected, "{named:?}");
    }
}

/// A caller's choice loosens none of the settings' defaults, and counts its own calls alone.
#[test]
fn a_chosen_cap_applies_in_addition_to_the_usual_one() {
    let policy = Policy::default().with_defaults(PolicyDefaults {
        sends_per_hour: 30,
        preview_above: 5,
    });
    let named = [built_in(BuiltInRules::Everyday)];
    let caps = policy.over_all(None, &named).caps(tool(SEND));
    let mut found: Vec<_> = caps
        .iter()
        .map(|cap| (cap.most, cap.class == Class::Send, cap.is_callers))
        .collect();
    found.sort_unstable();
    assert_eq!(found, [(30, true, false), (50, true, true)]);
}

/// The person who connected the caller may decide only what nothing but the caller's own rules asks about.
#[test]
fn confirmations_of_the_operator_are_told_from_those_of_chosen_rules() {
    let ask_first = built_in(BuiltInRules::AskFirst);
    let rows = [
        ("[server]\nconfirm.read = \"off\"", DELETE, false),
        ("[server]\nconfirm.destructive = \"human\"", DELETE, true),
        ("[server]\nconfirm.destructive = \"human\"", SEND, false),
        (
            "[locations.acme]\nconfirm.destructive = \"human\"",
            DELETE,
            true,
        ),
        ("[server]\nmany = \"human\"", DELETE, true),
        ("[server]\nmany = \"human\"", BULK, true),
        ("[server]\nlockdown = { confirm = \"human\" }", SEND, true),
        (
            "[server]\nconfirm.destructive = \"elicit or human\"",
            DELETE,
            true,
        ),
    ];
    for (rules, name, expected) in rows {
        let policy = parse(rules).expect(rules);
        let over = policy.over_all(Some("acme"), std::slice::from_ref(&ask_first));
        assert_eq!(
            over.operator_asks_person(tool(name), tool(name).asks_person, false),
            expected,
            "{rules} {name}"
        );
    }
}

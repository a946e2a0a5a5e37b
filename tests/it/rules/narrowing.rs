//! Rules added to others, over every pair of them and every tool: nothing passes that did not pass before.

use policy::{BuiltInRules, Mode, NamedRules, PolicyDefaults};

use super::parse;
use highlevel_mcp::catalog::TOOLS;

/// Sections that loosen everything a section can, and some that do not.
const RULES: &str = r#"
[policies.loose]
allow = ["*"]
confirm = { read = "off", write = "off", send = "off", money = "off", destructive = "off", bulk = "off" }
many = "off"
preview_above = 0

[policies.loud]
caps = { send = { hour = 1000 } }

[policies.front]
deny = ["contacts_delete-contact"]
caps = { write = { day = 5 } }

[policies.strict]
allow = ["contacts_*"]
confirm = { write = "human" }
"#;

fn every_rule() -> Vec<NamedRules> {
    let sections =
        ["loose", "loud", "front", "strict"].map(|name| NamedRules::Section(name.to_owned()));
    let built_in = BuiltInRules::ALL.map(NamedRules::BuiltIn);
    built_in.into_iter().chain(sections).collect()
}

#[test]
fn rules_beside_others_take_away_and_give_nothing() {
    let policy = parse(RULES).expect("rules").with_defaults(PolicyDefaults {
        sends_per_hour: 30,
        preview_above: 5,
    });
    let mut pairs = 0;
    for held in every_rule() {
        for added in every_rule() {
            if !policy.only_takes_away(&added) {
                assert_eq!(added.to_string(), "section:loud");
                continue;
            }
            pairs += 1;
            let (alone, both) = ([held.clone()], [held.clone(), added.clone()]);
            let (before, after) = (policy.over_all(None, &alone), policy.over_all(None, &both));
            let place = format!("{held} and {added}");
            for tool in TOOLS {
                assert!(
                    before.shows(tool).is_ok() || after.shows(tool).is_err(),
                    "{place}: {}",
                    tool.name
                );
                for can_ask in [true, false] {
                    let mode = |over: &policy::EffectiveRules| over.confirmation(tool, can_ask).0;
                    assert!(mode(&after) >= mode(&before), "{place}: {}", tool.name);
                    let many = |over: &policy::EffectiveRules| {
                        over.confirmation_of_many(tool, 2, can_ask)
                            .map_or(Mode::Off, |(mode, _)| mode)
                    };
                    assert!(many(&after) >= many(&before), "{place}: {}", tool.name);
                }
                let caps = after.caps(tool);
                for cap in before.caps(tool) {
                    assert!(caps.contains(&cap), "{place}: {} lost {cap:?}", tool.name);
                }
            }
            assert!(after.preview_above() <= before.preview_above(), "{place}");
        }
    }
    assert_eq!(pairs, 8 * 7);
}

/// The reason why one section is left out.
#[test]
fn a_section_that_caps_sends_would_lift_the_usual_cap() {
    let policy = parse(RULES).expect("rules").with_defaults(PolicyDefaults {
        sends_per_hour: 30,
        preview_above: 5,
    });
    let most = |named: &[NamedRules]| {
        let caps = policy.over_all(None, named).caps(super::tool(super::SEND));
        caps.iter().map(|cap| cap.most).min()
    };
    let everything = NamedRules::BuiltIn(BuiltInRules::Everything);
    let loud = NamedRules::Section("loud".to_owned());
    assert_eq!(most(std::slice::from_ref(&everything)), Some(30));
    assert_eq!(most(&[everything, loud]), Some(1000));
}

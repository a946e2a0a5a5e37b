//! Random rules: nothing brings back what one section denies, and more sections let less through.

use super::parse;
use fastrand::Rng;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use highlevel_mcp::catalog::TOOLS;
use policy::EffectiveRules;
use tool::Arguments;
use tool::{Argument, Place, Tool, V3Variant};

const SELECTORS: [&str; 14] = [
    "effect:read",
    "effect:write",
    "effect:send",
    "effect:money",
    "effect:destructive",
    "effect:bulk",
    "toolset:official",
    "toolset:payments",
    "toolset:contacts",
    "contacts_*",
    "contacts_delete-*",
    "opportunities_create-opportunity",
    "conversations_*",
    "*",
];

const CONSTRAINTS: [&str; 6] = [
    "{ tools = [\"*\"], argument = \"contactId\", one_of = [\"a\", 5] }",
    "{ tools = [\"opportunities_*\"], argument = \"pipelineId\", none_of = [\"a\"], required = true }",
    "{ tools = [\"contacts_*\", \"effect:send\"], argument = \"tags\", max_length = 1 }",
    "{ tools = [\"*\"], argument = \"limit\", at_most = 4 }",
    "{ tools = [\"effect:send\"], argument = \"message\", starts_with = [\"a\"] }",
    "{ tools = [\"*\"], argument = \"locationId\", required = true }",
];

/// The denials of a section, and its text.
struct Made {
    deny: Vec<&'static str>,
    text: String,
}

fn some<'a>(random: &mut Rng, from: &[&'a str], most: usize) -> Vec<&'a str> {
    let count = random.usize(0..=most);
    random.choose_multiple(from.iter().copied(), count)
}

fn section(random: &mut Rng, place: &str) -> Made {
    // A denied `*` leaves nothing to check.
    let deny = some(random, &SELECTORS[..13], 2);
    let mut text = format!("[{place}]\ndeny = {deny:?}\n");
    if random.u8(0..3) == 0 {
        text += &format!("allow = {:?}\n", some(random, &SELECTORS, 6));
    }
    if random.u8(0..6) == 0 {
        text += "read_only = true\n";
    }
    let modes = [
        "off",
        "elicit",
        "elicit or token",
        "elicit or human",
        "token",
        "human",
        "refuse",
    ];
    for class in some(
        random,
        &["read", "write", "send", "money", "destructive", "bulk"],
        4,
    ) {
        let mode = random.choice(modes).unwrap_or("off");
        text += &format!(
            "confirm.{class} = \"{mode}\"\ncaps.{class} = {{ hour = {} }}\n",
            random.u8(..)
        );
    }
    if random.bool() {
        let (from, to) = (random.u8(0..12), random.u8(12..24));
        text += &format!(
            "quiet = {{ from = \"{from:02}:00\", to = \"{to:02}:30\", zone = \"UTC\" }}\n"
        );
    }
    let constraints = some(random, &CONSTRAINTS, 3).join(", ");
    text += &format!("arguments = [{constraints}]\n");
    Made { deny, text }
}

/// The meaning of a selector, implemented a second time.
fn selects(selector: &str, tool: &Tool) -> bool {
    match selector.split_once(':') {
        Some(("effect", "bulk")) => tool.bulk,
        Some(("effect", name)) => format!("{:?}", tool.effect).to_lowercase() == name,
        Some((_, name)) => tool.toolsets.contains(&name),
        None => match selector.strip_suffix('*') {
            Some(start) => tool.name.starts_with(start),
            None => tool.name == selector,
        },
    }
}

fn request(random: &mut Rng, tool: &Tool) -> Arguments {
    let values = [
        json!("a"),
        json!("b"),
        json!(5),
        json!(["a", "bb"]),
        json!(null),
    ];
    let mut arguments = Arguments::default();
    let mut body = Map::new();
    for argument in tool.arguments {
        let value = random.choice(&values).cloned().unwrap_or_default();
        let name = argument.wire_name.to_owned();
        match argument.place {
            _ if random.bool() => {}
            Place::Path => drop(arguments.path.0.insert(name, value)),
            Place::Query => drop(arguments.query.0.insert(name, value)),
            Place::Header => drop(arguments.header.0.insert(name, value)),
            Place::Body | Place::WholeBody => drop(body.insert(name, value)),
        }
    }
    arguments.body = Some(Value::Object(body));
    arguments
}

#[test]
fn more_sections_let_less_through() {
    let mut random = Rng::with_seed(5);
    let (mut permitted, mut denied) = (0, 0);
    for _ in 0..40 {
        let places = ["server", "locations.acme", "policies.front-desk"];
        let made = places.map(|place| section(&mut random, place));
        let text: String = made.iter().map(|one| one.text.as_str()).collect();
        let policy = parse(&text).expect(&text);
        let [server, location, named] = &made;
        let alone = policy.over(None, None);
        let ladders: [(EffectiveRules, Vec<EffectiveRules>, Vec<&Made>); 3] = [
            (
                policy.over(Some("acme"), None),
                vec![alone],
                vec![server, location],
            ),
            (
                policy.over(None, Some("front-desk")),
                vec![alone],
                vec![server, named],
            ),
            (
                policy.over(Some("acme"), Some("front-desk")),
                vec![
                    policy.over(Some("acme"), None),
                    policy.over(None, Some("front-desk")),
                ],
                vec![server, location, named],
            ),
        ];
        for tool in TOOLS {
            let now =
                Timestamp::UNIX_EPOCH + std::time::Duration::from_secs(random.u64(0..200_000));
            let arguments = request(&mut random, tool);
            for (more, fewer, made) in &ladders {
                let shown = more.shows(tool).is_ok();
                let permits = more.permits(tool, &arguments, || now).is_ok();
                let mut rules = made.iter().flat_map(|one| &one.deny);
                if rules.any(|rule| selects(rule, tool)) {
                    assert!(!shown, "{text}: {}", tool.name);
                }
                assert!(shown || !permits, "{text}: {}", tool.name);
                for less in fewer {
                    assert!(!shown || less.shows(tool).is_ok(), "{text}: {}", tool.name);
                    let passes = less.permits(tool, &arguments, || now).is_ok();
                    assert!(!permits || passes, "{text}: {} {arguments:?}", tool.name);
                    for can_ask in [true, false] {
                        let [more, less] =
                            [more, less].map(|rules| rules.confirmation(tool, can_ask).0);
                        assert!(more >= less, "{text}: {}", tool.name);
                    }
                    let caps = more.caps(tool);
                    assert!(
                        less.caps(tool).iter().all(|cap| caps.contains(cap)),
                        "{text}"
                    );
                    assert!(more.hides_anything() || !less.hides_anything(), "{text}");
                }
                permitted += usize::from(permits);
                denied += usize::from(shown && !permits);
            }
        }
    }
    assert!(
        permitted > 3_000 && denied > 1_000,
        "{permitted} permitted, {denied} denied by arguments or hours"
    );
}

/// Rules are made for a tool and hold for every version of it.
#[test]
fn every_variant_of_a_tool_is_under_the_same_rules() {
    let (mut variants, mut renamed) = (0, Vec::new());
    for tool in TOOLS {
        let V3Variant::Other(v3) = tool.v3 else {
            continue;
        };
        variants += 1;
        assert_eq!(
            (tool.name, tool.effect, tool.bulk, tool.toolsets),
            (v3.name, v3.effect, v3.bulk, v3.toolsets)
        );
        let gone = |argument: &&Argument| v3.arguments.iter().all(|one| one.name != argument.name);
        renamed.extend(
            tool.arguments
                .iter()
                .filter(gone)
                .map(|argument| format!("{} {}", tool.name, argument.name)),
        );
    }
    assert!(variants > 50, "{variants}");
    // Its v3 version has other arguments for pages.
    assert_eq!(
        renamed,
        [
            "oauth_get-installed-location skip",
            "oauth_get-installed-location limit"
        ]
    );
}

/// A section in the store, under which no token is asked for.
fn stored_section(random: &mut Rng) -> String {
    let made = section(random, "policies.x").text;
    let lines = made.lines().skip(1);
    let lines = lines.map(|line| {
        line.replace("elicit or token", "human")
            .replace("token", "human")
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// A section written into the store allows nothing that the file does not: no tool, no call without a question, and not
/// more calls.
#[test]
fn a_section_of_the_store_lets_nothing_more_through() {
    let mut random = Rng::with_seed(34);
    let now = Timestamp::UNIX_EPOCH;
    let arguments = Arguments::default();
    let mut read = 0;
    for round in 0..200 {
        let server = section(&mut random, "server").text;
        let there = section(&mut random, "locations.acme").text;
        let defaults = policy::PolicyDefaults {
            sends_per_hour: random.u32(0..200),
            preview_above: random.u32(0..9),
        };
        let file = parse(&format!("{server}{there}"))
            .expect("rules")
            .with_defaults(defaults);
        let text = stored_section(&mut random);
        let section = policy::StoredSection::parse("x", &text, TOOLS);
        read += usize::from(section.is_ok());
        let with = file.clone().with_stored([("x".to_owned(), section.ok())]);
        for alias in [None, Some("acme")] {
            let (before, after) = (file.over(alias, None), with.over(alias, Some("x")));
            for tool in random.choose_multiple(TOOLS, 40) {
                let told = || {
                    format!(
                        "round {round}: {} under\n{server}{there}\nand\n{text}",
                        tool.name
                    )
                };
                assert!(
                    after.shows(tool).is_err() || before.shows(tool).is_ok(),
                    "{}",
                    told()
                );
                let permits =
                    |rules: &EffectiveRules<'_>| rules.permits(tool, &arguments, || now).is_ok();
                assert!(!permits(&after) || permits(&before), "{}", told());
                for can_ask in [true, false] {
                    let asked = |rules: &EffectiveRules<'_>| {
                        let alone = rules.confirmation(tool, can_ask);
                        let locked = rules.after_strangers(
                            alone.clone(),
                            std::time::Duration::ZERO,
                            can_ask,
                        );
                        let many = rules.confirmation_of_many(tool, 2, can_ask);
                        [Some(alone.0), Some(locked.0), many.map(|(mode, _)| mode)]
                    };
                    for (after, before) in asked(&after).into_iter().zip(asked(&before)) {
                        assert!(after >= before, "{}", told());
                        // A token that the assistant gives itself never replaces a question to a person.
                        let is_person = before == Some(policy::Mode::Elicit);
                        assert!(
                            !is_person || after != Some(policy::Mode::Token),
                            "{}",
                            told()
                        );
                    }
                }
                let kept = after.caps(tool);
                assert!(
                    before.caps(tool).iter().all(|cap| kept.contains(cap)),
                    "{}",
                    told()
                );
                let most = |rules: &EffectiveRules<'_>| rules.preview_above().unwrap_or(usize::MAX);
                assert!(most(&after) <= most(&before), "{}", told());
            }
        }
    }
    assert!(read > 100, "{read} of 200 sections were read");
}

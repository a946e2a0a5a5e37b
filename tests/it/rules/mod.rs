//! The combined effect of sections, in rows of one tool each, and one explanation as printed.

mod arguments;
mod file;
mod lockdown;
mod named;
mod narrowing;
mod properties;
mod quiet;

use jiff::Timestamp;

use highlevel_mcp::call::read_rules;
use highlevel_mcp::catalog::TOOLS;
use policy::{Class, Mode, Policy, PolicyDefaults, PolicyErrors};
use tool::Tool;

fn parse(text: &str) -> Result<Policy, PolicyErrors> {
    Policy::parse(text, "policy.toml", TOOLS)
}

/// A tool of the catalog.
pub(crate) fn tool(name: &str) -> &'static Tool {
    let mut tools = TOOLS.iter();
    tools.find(|tool| tool.name == name).expect(name)
}

const DELETE: &str = "contacts_delete-contact";
const SEARCH: &str = "contacts_get-contacts";
const TAGS: &str = "contacts_add-tags";
const SEND: &str = "conversations_send-a-new-message";
const INVOICE: &str = "invoices_send-invoice";
const BULK_READ: &str = "conversations_export-messages-by-location";
const BULK: &str = "contacts_bulk-set-business";

/// `rule` hides the tool in location acme under the policy front-desk. Empty if nothing hides it.
fn check_shown(rules: &str, name: &str, rule: &str) {
    let policy = parse(rules).expect(rules);
    let over = policy.over(Some("acme"), Some("front-desk"));
    let found = over.shows(tool(name)).err().map(|denied| denied.rule);
    assert_eq!(found.unwrap_or_default(), rule, "{rules}: {name}");
    assert!(rule.is_empty() || over.hides_anything(), "{rules}");
}

#[test]
fn a_tool_must_pass_every_section() {
    let open = "[policies.front-desk]\n";
    check_shown(open, DELETE, "");
    let deny = "[server]\ndeny = [\"effect:destructive\", \"toolset:invoices\"]\nallow = [\"*\"]\n[policies.front-desk]";
    check_shown(deny, DELETE, "[server] deny \"effect:destructive\"");
    check_shown(deny, INVOICE, "[server] deny \"toolset:invoices\"");
    check_shown(deny, SEND, "");
    let both = "[locations.acme]\nallow = [\"contacts_*\"]\n[policies.front-desk]\nallow = [\"effect:read\", \"contacts_add-tags\"]";
    check_shown(both, SEARCH, "");
    check_shown(both, TAGS, "");
    check_shown(both, DELETE, "[policies.front-desk] allow");
    check_shown(both, SEND, "[locations.acme] allow");
    let nothing = "[locations.acme]\nallow = []\n[policies.front-desk]";
    check_shown(nothing, SEARCH, "[locations.acme] allow");
    let reads = "[policies.front-desk]\nread_only = true";
    check_shown(reads, SEARCH, "");
    for name in [TAGS, SEND, INVOICE, DELETE] {
        check_shown(reads, name, "[policies.front-desk] read_only");
    }
    let bulk =
        "[locations.acme]\ndeny = [\"effect:bulk\", \"contacts_delete-*\"]\n[policies.front-desk]";
    check_shown(bulk, BULK, "[locations.acme] deny \"effect:bulk\"");
    check_shown(bulk, DELETE, "[locations.acme] deny \"contacts_delete-*\"");
    check_shown(bulk, TAGS, "");
    let elsewhere = "[locations.other]\nread_only = true\n[policies.back-office]\nread_only = true\n[policies.front-desk]";
    check_shown(elsewhere, DELETE, "");
    // An alias counts as the tool.
    let alias = "[server]\ndeny = [\"calendars_disable-group\"]\n[policies.front-desk]";
    let group = TOOLS
        .iter()
        .find(|tool| tool.is_called("calendars_disable-group"));
    check_shown(
        alias,
        group.expect("a tool").name,
        "[server] deny \"calendars_disable-group\"",
    );
}

#[test]
fn a_policy_that_there_is_not_lets_nothing_through() {
    let policy = Policy::default();
    let over = policy.over(None, Some("gone"));
    let denied = over
        .shows(tool(SEARCH))
        .expect_err("nothing is let through");
    assert_eq!(
        denied.to_string(),
        "contacts_get-contacts is not among what the operator allows here. The rule: [policies] (this key's policy is not in the file) allow."
    );
    assert!(over.hides_anything());
    let over = policy.over(Some("gone"), None);
    assert_eq!(over.shows(tool(DELETE)), Ok(()));
    assert!(!over.hides_anything());
}

fn check_confirmed(rules: &str, name: &str, mode: Mode, rule: &str) {
    let policy = parse(rules).expect(rules);
    let over = policy.over(Some("acme"), Some("front-desk"));
    let found = over.confirmation(tool(name), true);
    assert_eq!(found, (mode, rule.to_owned()), "{rules}: {name}");
}

/// Each kind of client gets the strictest mode that any section has for it.
#[test]
fn a_client_that_cannot_ask_gets_its_own_confirmation() {
    let rows = [
        ("elicit", "off", Mode::Elicit, Mode::Elicit),
        ("elicit or token", "off", Mode::Elicit, Mode::Token),
        ("elicit or human", "off", Mode::Elicit, Mode::Human),
        ("elicit or human", "token", Mode::Token, Mode::Human),
        (
            "elicit or human",
            "elicit or token",
            Mode::Elicit,
            Mode::Human,
        ),
        ("elicit or token", "human", Mode::Human, Mode::Human),
    ];
    for (server, location, can_ask, cannot) in rows {
        let rules = format!(
            "[server]\nconfirm.money = {server:?}\n[locations.acme]\nconfirm.money = {location:?}"
        );
        let policy = parse(&rules).expect(&rules);
        let over = policy.over(Some("acme"), None);
        let found = [true, false].map(|can_ask| over.confirmation(tool(INVOICE), can_ask).0);
        assert_eq!(found, [can_ask, cannot], "{rules}");
    }
    let rules = parse("[server]\nconfirm.money = \"elicit or human\"").expect("rules");
    let told = rules
        .over(None, None)
        .explain(tool(INVOICE), Timestamp::UNIX_EPOCH);
    let expected = "Confirm   elicit, by [server] confirm money = \"elicit or human\"\n          \
                    where the client cannot ask its user: human, by [server] confirm money = \"elicit or human\"\n";
    assert!(told.contains(expected), "{told}");
    for bad in [
        "token or human",
        "elicit or off",
        "elicit or elicit",
        "elicit or refuse",
        "elicit  or token",
    ] {
        assert!(
            parse(&format!("[server]\nconfirm.money = {bad:?}")).is_err(),
            "{bad}"
        );
    }
}

#[test]
fn the_strictest_confirmation_wins() {
    let none = "[policies.front-desk]\n";
    check_confirmed(none, SEARCH, Mode::Off, "the default for read");
    check_confirmed(none, TAGS, Mode::Off, "the default for write");
    check_confirmed(none, SEND, Mode::Off, "the default for send");
    check_confirmed(none, INVOICE, Mode::Token, "the default for money");
    check_confirmed(none, DELETE, Mode::Token, "the default for destructive");
    check_confirmed(none, BULK, Mode::Token, "the default for bulk");
    check_confirmed(none, BULK_READ, Mode::Off, "the default for read");
    let server = "[server]\nconfirm = { money = \"off\", destructive = \"elicit\", bulk = \"off\", write = \"elicit\" }\n\
        [locations.acme]\nconfirm = { money = \"human\" }\n\
        [policies.front-desk]\nconfirm = { money = \"token\", destructive = \"elicit\" }";
    check_confirmed(
        server,
        INVOICE,
        Mode::Human,
        "[locations.acme] confirm money = \"human\"",
    );
    check_confirmed(
        server,
        DELETE,
        Mode::Elicit,
        "[policies.front-desk] confirm destructive = \"elicit\"",
    );
    check_confirmed(
        server,
        BULK,
        Mode::Elicit,
        "[server] confirm write = \"elicit\"",
    );
    // A key does not lower the default.
    let loose = "[locations.acme]\nconfirm = { money = \"off\" }\n[policies.front-desk]\nconfirm = { send = \"refuse\" }";
    check_confirmed(loose, INVOICE, Mode::Token, "the default for money");
    check_confirmed(
        loose,
        SEND,
        Mode::Refuse,
        "[policies.front-desk] confirm send = \"refuse\"",
    );
    let policy = parse(loose).expect("rules");
    let over = policy.over(None, Some("front-desk"));
    assert_eq!(
        over.shows(tool(SEND)),
        Ok(()),
        "what is refused when asked is listed"
    );
}

#[test]
fn a_call_counts_under_every_cap_of_its_classes() {
    fn check(name: &str, expected: &[&str]) {
        let rules = "[server]\ncaps = { send = { hour = 50, day = 200 }, write = { hour = 9 } }\n\
            [locations.acme]\ncaps = { bulk = { day = 1 }, write = { hour = 3 } }";
        let policy = parse(rules).expect("rules");
        let caps = policy.over(Some("acme"), None).caps(tool(name));
        let found: Vec<String> = caps.into_iter().map(|cap| cap.rule).collect();
        assert_eq!(found, expected, "{name}");
    }
    check(SEARCH, &[]);
    check(
        SEND,
        &[
            "[server] caps send = { day = 200 }",
            "[server] caps send = { hour = 50 }",
        ],
    );
    check(
        BULK,
        &[
            "[server] caps write = { hour = 9 }",
            "[locations.acme] caps write = { hour = 3 }",
            "[locations.acme] caps bulk = { day = 1 }",
        ],
    );
}

/// Every cap that the file accepts is enforced.
#[test]
fn a_cap_of_any_class_counts() {
    for class in Class::ALL {
        let rules = format!("[server]\ncaps = {{ {} = {{ hour = 1 }} }}", class.name());
        let policy = parse(&rules).expect("rules");
        let rules = policy.over(None, None);
        for tool in TOOLS {
            let caps = rules.caps(tool).len();
            assert_eq!(
                caps,
                usize::from(class.holds(tool)),
                "{}: {}",
                class.name(),
                tool.name
            );
        }
    }
}

/// The default cap and the size of a previewed batch, for a send in location acme by the key front-desk.
#[track_caller]
fn check_defaults(rules: &str, defaults: [u32; 2], caps: &[&str], preview_above: Option<usize>) {
    let [sends_per_hour, preview_above_setting] = defaults;
    let policy = parse(rules).expect(rules);
    let policy = policy.with_defaults(PolicyDefaults {
        sends_per_hour,
        preview_above: preview_above_setting,
    });
    let over = policy.over(Some("acme"), Some("front-desk"));
    let found: Vec<String> = over
        .caps(tool(SEND))
        .into_iter()
        .map(|cap| cap.rule)
        .collect();
    assert_eq!(found, caps, "{rules}");
    assert_eq!(over.preview_above(), preview_above, "{rules}");
    assert!(over.caps(tool(TAGS)).is_empty(), "{rules}");
}

#[test]
fn settings_apply_if_the_rules_say_nothing() {
    let none = "[policies.front-desk]\n";
    let by_setting = ["the setting policy.sends_per_hour = 100"];
    check_defaults(none, [100, 5], &by_setting, Some(5));
    check_defaults(none, [0, 0], &[], None);
    let capped = "[locations.acme]\ncaps = { send = { hour = 9 } }\npreview_above = 8\n[policies.front-desk]\npreview_above = 3";
    let rule = ["[locations.acme] caps send = { hour = 9 }"];
    check_defaults(capped, [100, 5], &rule, Some(3));
    let off = "[server]\npreview_above = 0\n[policies.front-desk]\ncaps = { bulk = { hour = 9 } }";
    check_defaults(off, [100, 5], &by_setting, Some(5));
    check_defaults(off, [100, 0], &by_setting, None);
    let policy = Policy::default().with_defaults(PolicyDefaults {
        sends_per_hour: 7,
        preview_above: 0,
    });
    let told = policy.default_cap().expect("a sentence");
    assert!(
        told.contains("7 sends") && told.contains("policy.sends_per_hour"),
        "{told}"
    );
    assert_eq!(Policy::default().default_cap(), None);
    let explained = policy
        .over(None, None)
        .explain(tool(SEND), Timestamp::UNIX_EPOCH);
    assert!(
        explained.contains("Caps      the setting policy.sends_per_hour = 7"),
        "{explained}"
    );
}

#[test]
fn rules_hold_for_the_deprecated_form_too() {
    let twins = [
        "saas-api_pause-location",
        "saas-api_pause-location-deprecated",
    ];
    for (named, other) in [(twins[0], twins[1]), (twins[1], twins[0])] {
        let deny = format!("[server]\ndeny = [\"{named}\"]\n[policies.front-desk]");
        check_shown(&deny, other, &format!("[server] deny \"{named}\""));
        let allow = format!("[server]\nallow = [\"{named}\"]\n[policies.front-desk]");
        check_shown(&allow, other, "");
        check_shown(&allow, DELETE, "[server] allow");
        let limit = format!(
            "[[server.arguments]]\ntools = [\"{named}\"]\nargument = \"locationId\"\none_of = [\"acme\"]"
        );
        let policy = parse(&limit).expect("rules");
        for name in twins {
            let mut arguments = tool::Arguments::default();
            arguments
                .path
                .0
                .insert("locationId".to_owned(), "another".into());
            let denied = policy
                .over(None, None)
                .permits(tool(name), &arguments, || Timestamp::UNIX_EPOCH)
                .expect_err(name);
            assert_eq!(
                denied.rule, "[server] arguments \"locationId\" one_of",
                "{name}"
            );
        }
    }
}

#[test]
fn a_person_agrees_to_a_new_login() {
    let (create, update) = ("users_create-user", "users_update-user");
    for name in [create, update] {
        let rule = format!("the default for {name}");
        check_confirmed("[policies.front-desk]\n", name, Mode::Human, &rule);
        let effect = tool(name).effect.name();
        let off = format!("[server]\nconfirm = {{ {effect} = \"off\" }}\n[policies.front-desk]");
        let rule = format!("[server] confirm {effect} = \"off\"");
        check_confirmed(&off, name, Mode::Off, &rule);
    }
}

#[test]
fn a_refusal_can_be_worded_without_a_name() {
    let rules = "[locations.acme]\ndeny = [\"effect:send\"]\n[policies.front-desk]";
    let policy = parse(rules).expect("rules");
    let denied = policy.over(Some("acme"), None).shows(tool(SEND));
    let told = denied.expect_err("denied").anonymous();
    for name in ["acme", "effect", "deny", SEND] {
        assert!(!told.contains(name), "{told}");
    }
}

#[test]
fn a_file_without_a_rule_is_an_error() {
    let rows = [
        ("", false),
        (" \n\t\n", false),
        ("# Rules come here.\n", false),
        ("[server]\n", false),
        (
            "[server]\nread_only = false\n[locations.acme]\n[policies.x]\n",
            false,
        ),
        ("[server]\nread_only = true\n", true),
        ("[policies.x]\npreview_above = 2\n", true),
        ("[policies.x]\nlockdown = {}\n", true),
    ];
    for (text, usable) in rows {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), text).expect("written");
        let told = read_rules(file.path())
            .map(drop)
            .map_err(|error| error.to_string());
        let holds_none = told
            .as_ref()
            .is_err_and(|error| error.contains("has no rule"));
        assert_eq!(
            (told.is_ok(), holds_none),
            (usable, !usable),
            "{text:?}: {told:?}"
        );
    }
}

#[test]
fn an_explanation_names_the_rules_that_apply() {
    let rules = r#"
        [server]
        confirm = { send = "token" }
        caps = { send = { hour = 50 } }
        quiet = { from = "20:00", to = "08:00", zone = "Europe/Berlin", days = ["sun"] }
        [[server.arguments]]
        tools = ["effect:send"]
        argument = "toNumber"
        starts_with = ["+49"]
        [locations.acme]
        allow = ["conversations_*"]
        [policies.front-desk]
        read_only = true
        lockdown = { confirm = "human" }
    "#;
    let policy = parse(rules).expect("rules");
    let now: Timestamp = "2026-11-25T19:00:00Z".parse().expect("a time");
    assert_eq!(
        policy.over(Some("acme"), None).explain(tool(SEND), now),
        "conversations_send-a-new-message (send)
Sections  [server], [locations.acme]
Listed    yes, by [locations.acme] allow \"conversations_*\"
Confirm   token, by [server] confirm send = \"token\"
Caps      [server] caps send = { hour = 50 }
Arguments [server] arguments \"toNumber\": a text that starts with \"+49\"
Quiet     [server] quiet from 20:00 to 08:00 and on sun (Europe/Berlin): holds now, at 2026-11-25 20:00
"
    );
    assert_eq!(
        policy
            .over(None, Some("front-desk"))
            .explain(tool(BULK), now),
        "contacts_bulk-set-business (write, bulk)
Sections  [server], [policies.front-desk]
Listed    no, by [policies.front-desk] read_only
Confirm   token, by the default for bulk
Caps      none
Lockdown  human, for 10 minutes after a read of what other people wrote, by [policies.front-desk] lockdown
Arguments none
Quiet     none
"
    );
}

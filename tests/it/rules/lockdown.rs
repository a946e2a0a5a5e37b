//! The confirmation of a call whose caller read other people's text minutes before.

use std::time::Duration;

use policy::Mode;

use super::{DELETE, SEND, TAGS, parse, tool};

/// The confirmation of a call in location acme by the key front-desk, `seconds` after the read.
#[track_caller]
fn check(rules: &str, name: &str, seconds: u64, mode: Mode, rule: &str) {
    let policy = parse(rules).expect(rules);
    let over = policy.over(Some("acme"), Some("front-desk"));
    let asked = over.confirmation(tool(name), true);
    let found = over.after_strangers(asked, Duration::from_secs(seconds), true);
    assert_eq!(found, (mode, rule.to_owned()), "{rules} {name} {seconds}");
}

const ACME: &str = "[locations.acme]\nlockdown = {}\n[policies.front-desk]\n";

#[test]
fn a_call_is_asked_about_for_so_many_minutes() {
    let rule =
        |when: &str| format!("[locations.acme] lockdown: what other people wrote was read {when}");
    for (seconds, when) in [
        (0, "less than a minute ago"),
        (59, "less than a minute ago"),
        (60, "a minute ago"),
        (599, "9 minutes ago"),
    ] {
        check(ACME, SEND, seconds, Mode::Token, &rule(when));
        check(ACME, TAGS, seconds, Mode::Token, &rule(when));
    }
    check(ACME, TAGS, 600, Mode::Off, "the default for write");
    let two = ACME.replace("{}", "{ minutes = 2, confirm = \"human\" }");
    check(&two, TAGS, 119, Mode::Human, &rule("a minute ago"));
    check(&two, TAGS, 120, Mode::Off, "the default for write");
}

#[test]
fn the_strictest_of_all_rules_holds() {
    let token = "the default for destructive";
    check(ACME, DELETE, 0, Mode::Token, token);
    let human = ACME.replace("{}", "{ confirm = \"human\" }");
    let lockdown =
        "[locations.acme] lockdown: what other people wrote was read less than a minute ago";
    check(&human, DELETE, 0, Mode::Human, lockdown);
    // Each of two sections holds for its own time.
    let both = "[server]\nlockdown = { minutes = 5, confirm = \"refuse\" }\n".to_owned() + &human;
    let server = "[server] lockdown: what other people wrote was read 4 minutes ago";
    check(&both, TAGS, 299, Mode::Refuse, server);
    let acme = "[locations.acme] lockdown: what other people wrote was read 5 minutes ago";
    check(&both, TAGS, 300, Mode::Human, acme);
    // A token is given to the agent itself. A client that asks its user keeps doing so.
    let elicit = format!("[server]\nconfirm = {{ write = \"elicit\" }}\n{ACME}");
    let rule = "[server] confirm write = \"elicit\"";
    check(&elicit, TAGS, 0, Mode::Elicit, rule);
    let another = "[locations.another]\nlockdown = {}\n[locations.acme]\n[policies.front-desk]\n";
    check(another, TAGS, 0, Mode::Off, "the default for write");
}

#[test]
fn reads_are_remembered_as_long_as_any_section_asks() {
    fn check(rules: &str, minutes: Option<u64>) {
        let found = parse(rules).expect(rules).longest_lockdown();
        assert_eq!(found, minutes.map(Duration::from_mins), "{rules}");
    }
    check("[server]\nread_only = true\n", None);
    check(ACME, Some(10));
    check(
        "[server]\nlockdown = { minutes = 3 }\n[policies.x]\nlockdown = { minutes = 1440 }\n",
        Some(1_440),
    );
}

//! Rules files and all their possible faults.

use std::path::Path;

use highlevel_mcp::call::read_rules;

use super::parse;

/// Every fault of the file, without its name.
fn check(text: &str, expected: &[&str]) {
    let found = match parse(text) {
        Ok(_) => Vec::new(),
        Err(errors) => errors.0,
    };
    let expected: Vec<String> = expected
        .iter()
        .map(|what| format!("policy.toml{what}"))
        .collect();
    assert_eq!(found, expected, "{text}");
}

/// One fault of one key of `[server]`.
fn check_key(line: &str, expected: &str) {
    let expected = format!(" [server] {expected}");
    check(&format!("[server]\n{line}"), &[&expected]);
}

#[test]
fn every_key_of_every_section_is_read() {
    let section = r#"
        deny = ["toolset:payments", "effect:destructive", "contacts_delete-*"]
        allow = ["effect:read", "contacts_*", "conversations_send-a-new-message"]
        read_only = false
        confirm = { read = "off", write = "elicit", send = "token", money = "elicit or human", bulk = "refuse" }
        caps = { send = { hour = 50, day = 200 }, money = { day = 5 }, bulk = { hour = 1 } }
        quiet = { from = "20:00", to = "08:00", zone = "Europe/Berlin", days = ["sat", "sun"] }
        preview_above = 3
        lockdown = { minutes = 10, confirm = "human" }
        [[PLACE.arguments]]
        tools = ["opportunities_*"]
        argument = "pipelineId"
        one_of = ["abc", 5, 7.5, true]
        none_of = ["d"]
        starts_with = ["a"]
        max_length = 320
        at_most = 1.5
        required = true
    "#;
    let places = [
        "server",
        "locations.acme",
        "locations.\"a b\"",
        "policies.front-desk",
    ];
    let text: String = places
        .iter()
        .map(|place| format!("[{place}]{}", section.replace("PLACE", place)))
        .collect();
    check(&text, &[]);
    check(include_str!("../../../crates/policy/example.toml"), &[]);
    check("", &[]);
    check("[server]\n[locations]\n[policies.empty]", &[]);
    let policy = parse(&text).expect("rules");
    assert_eq!(Vec::from_iter(policy.location_names()), ["a b", "acme"]);
    assert_eq!(Vec::from_iter(policy.policy_names()), ["front-desk"]);
    assert!(policy.has_policy("front-desk") && !policy.has_policy("acme"));
}

#[test]
fn all_faults_are_reported_at_once_with_their_places() {
    let text = r#"
        [servers]
        [locations.acme]
        deny = ["effect:sned", "contacts_get-contacts", "toolset:contact"]
        alow = []
        [policies."front desk"]
        confirm = { send = "ask", sent = "off" }
    "#;
    check(
        text,
        &[
            " [locations.acme]: alow is not a key; did you mean allow?",
            " [locations.acme] deny: sned is not an effect; did you mean send?",
            " [locations.acme] deny: contact is not a toolset; did you mean contacts?",
            " [policies.\"front desk\"] confirm send: \"ask\" is not a confirmation; there are off, elicit, token, \
             human, refuse, and for clients that cannot ask: elicit or token, elicit or human",
            " [policies.\"front desk\"] confirm: sent is not an effect; did you mean send?",
            ": servers is not a key; did you mean server?",
        ],
    );
    check(
        "[server]\ndeny = [",
        &[" line 2: no TOML: unclosed array, expected `]`"],
    );
    check(
        "server = 1\nlocations = []\npolicies.a = 2",
        &[
            " [locations]: must be a table",
            " [policies.a]: must be a table",
            " [server]: must be a table",
        ],
    );
    let gone = read_rules(Path::new("/nowhere/policy.toml")).expect_err("no file");
    assert!(
        gone.to_string()
            .starts_with("/nowhere/policy.toml cannot be read: "),
        "{gone}"
    );
}

#[test]
fn selectors_find_tools_or_are_refused() {
    check_key(
        "deny = [\"contacts_delete-contct\"]",
        "deny: there is no tool contacts_delete-contct; did you mean contacts_delete-contact?",
    );
    check_key(
        "deny = [\"xyz\"]",
        "deny: there is no tool xyz; `highlevel-mcp tools list` shows them",
    );
    check_key(
        "deny = [\"contact_*\"]",
        "deny: no tool's name begins with contact_; did you mean contacts_*?",
    );
    check_key(
        "deny = [\"contacts_xyz*\"]",
        "deny: no tool's name begins with contacts_xyz; `highlevel-mcp tools list` shows them",
    );
    check_key(
        "deny = [\"*_delete-*\"]",
        "deny: \"*_delete-*\" has a * that does not stand at the end",
    );
    check_key(
        "allow = [\"tool:x\"]",
        "allow: \"tool:x\" begins with tool:, where only toolset: and effect: are known",
    );
    check_key(
        "allow = [\"effect:x\"]",
        "allow: x is not an effect; there are read, write, send, money, destructive, bulk",
    );
    check_key("allow = \"effect:read\"", "allow: must be a list, in [ ]");
    check_key("allow = [1]", "allow: 1 must be a text, in quotes");
    check_key("read_only = 1", "read_only: must be true or false");
    check_key(
        "preview_above = \"never\"",
        "preview_above: must be a whole number from 0 to 4294967295",
    );
    check_key("lockdown = 10", "lockdown: must be a table");
    check_key(
        "lockdown = { minutes = 0 }",
        "lockdown minutes: must be 1 to 1440",
    );
    check_key(
        "lockdown = { minutes = \"10\" }",
        "lockdown minutes: must be a whole number from 0 to 4294967295",
    );
    check_key(
        "lockdown = { confirm = \"off\" }",
        "lockdown confirm: off asks nobody. Leave lockdown out instead",
    );
    check_key(
        "lockdown = { confirms = \"human\" }",
        "lockdown: confirms is not a key; did you mean confirm?",
    );
}

#[test]
fn caps_and_quiet_hours_are_checked() {
    check_key(
        "caps = { send = {} }",
        "caps send: names neither hour nor day",
    );
    check_key(
        "caps = { send = { hours = 1 } }",
        "caps send: hours is not a key; did you mean hour?",
    );
    check_key(
        "caps = { send = { day = -1 } }",
        "caps send day: must be a whole number from 0 to 4294967295",
    );
    check_key("caps = { send = 5 }", "caps send: must be a table");
    let quiet = |rest: &str, expected: &str| {
        check_key(
            &format!("quiet = {{ {rest} }}"),
            &format!("quiet{expected}"),
        );
    };
    quiet(
        "from = \"20:00\", to = \"08:00\"",
        ": zone is missing, such as zone = \"Europe/Berlin\"",
    );
    quiet(
        "from = \"20:00\", zone = \"UTC\"",
        ": from and to are needed, or days",
    );
    quiet("zone = \"UTC\"", ": from and to are needed, or days");
    quiet(
        "from = \"8:00\", to = \"09:00\", zone = \"UTC\"",
        " from: must be a time such as \"20:00\"",
    );
    quiet(
        "from = \"08:00\", to = \"24:00\", zone = \"UTC\"",
        " to: must be a time such as \"20:00\"",
    );
    quiet(
        "from = \"08:00\", to = \"08:00\", zone = \"UTC\"",
        ": from and to are the same. For whole days use days",
    );
    quiet(
        "from = \"08:00\", to = \"09:00\", zone = \"Europe/Berln\"",
        " zone: Europe/Berln is not a known zone; did you mean Europe/Berlin?",
    );
    quiet(
        "from = \"08:00\", to = \"09:00\", zone = \"Etc/Unknown\"",
        " zone: Etc/Unknown is not a known zone; give one such as Europe/Berlin",
    );
    quiet(
        "days = [\"saturday\"], zone = \"UTC\"",
        " days: saturday is not a day; there are mon, tue, wed, thu, fri, sat, sun",
    );
    quiet(
        "days = [\"mon\", \"tue\", \"wed\", \"thu\", \"fri\", \"sat\", \"sun\"], zone = \"UTC\"",
        " days: names all seven days; deny \"effect:send\" instead",
    );
}

#[test]
fn rules_about_arguments_must_bind_something() {
    let rule = |inside: &str, expected: &str| {
        check_key(
            &format!("arguments = [{{ {inside} }}]"),
            &format!("arguments[0]{expected}"),
        );
    };
    let tools = "tools = [\"opportunities_*\"]";
    rule(
        "tools = [\"opportunities_*\"], required = true",
        ": tools and argument are needed",
    );
    rule(
        "argument = \"a\", required = true",
        ": tools and argument are needed",
    );
    rule(
        &format!("{tools}, argument = \"pipelineId\""),
        ": has no condition. Give one_of, none_of, starts_with, max_length, at_most or required",
    );
    rule(
        &format!("{tools}, argument = \"pipelineId\", one_off = []"),
        ": one_off is not a key; did you mean one_of?",
    );
    rule(
        &format!("{tools}, argument = \"pipelineId\", one_of = []"),
        " one_of: is empty; leave it out, or deny the tools",
    );
    rule(
        &format!("{tools}, argument = \"pipelineId\", one_of = [[]]"),
        " one_of: [] must be a text, a number or true or false",
    );
    rule(
        &format!("{tools}, argument = \"pipelineId\", at_most = nan"),
        " at_most: must be a number",
    );
    rule(
        &format!("{tools}, argument = \"pipelineId\", max_length = 1.5"),
        " max_length: must be a whole number from 0 to 4294967295",
    );
    rule(
        &format!("{tools}, argument = \"pipelineId\", starts_with = [\"\"]"),
        " starts_with: has an empty text, with which every text starts",
    );
    rule(
        &format!("{tools}, argument = \"pipelinId\", required = true"),
        " argument: none of the tools has an argument pipelinId; did you mean pipelineId?",
    );
    rule(
        &format!("{tools}, argument = \"customFields[].idd\", required = true"),
        " argument: none of the tools has an argument customFields[].idd; did you mean id?",
    );
    rule(
        "tools = [\"contacts_add-tags\"], argument = \"tags.name\", required = true",
        " argument: none of the tools has an argument tags.name, nor any field there",
    );
    // Of these two tools, one does not describe what is inside, and the other does.
    let templates = "\"invoices_create-estimate-template\"";
    let field = |tools: &str, name: &str| {
        format!("tools = [{tools}], argument = \"items[].{name}\", required = true")
    };
    let both = format!("{templates}, \"invoices_create-estimate\"");
    rule(
        &field(&both, "amuont"),
        " argument: none of the tools has an argument items[].amuont; did you mean amount?",
    );
    let sound = [field(&both, "amount"), field(templates, "amuont")];
    for inside in sound {
        check(&format!("[server]\narguments = [{{ {inside} }}]"), &[]);
    }
    for odd in ["customFields[0].id", "a..b", "", "[]"] {
        rule(
            &format!("{tools}, argument = \"{odd}\", required = true"),
            &format!(
                " argument: {odd:?} is not an argument. Name a field inside an argument like this: customFields[].id"
            ),
        );
    }
}

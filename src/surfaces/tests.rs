//! Endpoints by name, and misspelt names.

use super::*;

#[test]
fn endpoints_are_known_by_name() {
    #[track_caller]
    fn check(name: &str, own_name: &str, tools: usize, metas: usize) {
        let endpoint = Endpoint::parse(name).expect(name);
        let list: Vec<Listing> = endpoint.list().collect();
        let is_meta = |listing: &&Listing| matches!(listing, Listing::Meta(_));
        let found = list.iter().filter(is_meta).count();
        assert_eq!(
            (endpoint.name.as_str(), list.len() - found, found),
            (own_name, tools, metas),
            "{name}"
        );
        let tools = list.iter().filter(|listing| !is_meta(listing));
        assert!(tools.is_sorted_by_key(|listing| listing.name()));
        for listing in &list {
            assert!(
                endpoint.resolve(listing.name()).is_some(),
                "{}",
                listing.name()
            );
        }
    }
    let reads = TOOLS
        .iter()
        .filter(|tool| tool.effect == Effect::Read)
        .count();
    check("", "highlevel", 21, 6);
    check("official", "highlevel-official", 21, 0);
    check("official/", "highlevel-official", 21, 0);
    check("official/readonly", "highlevel-official-readonly", 14, 0);
    check("readonly", "highlevel-readonly", 14, 3);
    check("official-36", "highlevel-official-36", 36, 0);
    check("legacy", "highlevel-legacy", 36, 0);
    check("orchestrator", "highlevel-orchestrator", 0, 6);
    check("compat", "highlevel-compat", 0, 4);
    let is_in = |toolset: &&str| {
        let tools = TOOLS.iter().filter(|tool| tool.toolsets.contains(toolset));
        tools.count()
    };
    let both = is_in(&"contacts") + is_in(&"campaigns");
    for name in ["x/contacts+campaigns", "campaigns+contacts+campaigns"] {
        check(name, "highlevel-campaigns+contacts", both, 0);
    }
    check("x/all", "highlevel-all", TOOLS.len(), 0);
    check("x/all/readonly", "highlevel-all-readonly", reads, 0);
    let long = "contacts+".repeat(10_000);
    for unknown in ["contacts+", "nothing", "x/", &long] {
        let error = Endpoint::parse(unknown).err().expect("unknown").to_string();
        assert!(error.contains("there are ad-manager, "), "{error}");
        assert!(error.len() < 2_000, "{}", error.len());
    }
}

#[test]
fn a_wrong_name_leads_to_its_slip_or_to_what_its_words_are_about() {
    #[track_caller]
    fn check(name: &str, expected: &[&str], forbidden: &str) {
        let meant = search::meant(name, |_| true);
        let names: Vec<&str> = meant.iter().map(|tool| tool.name).collect();
        assert!(names.starts_with(expected), "{name}: {names:?}");
        assert!(expected.is_empty() == names.is_empty(), "{name}: {names:?}");
        assert!(!names.contains(&forbidden), "{name}: {names:?}");
    }
    check("contacts_get-contakt", &["contacts_get-contact"], "");
    check("contacts_getcontact", &["contacts_get-contact"], "");
    for (name, expected, opposite) in [
        (
            "contacts_complete-task",
            "contacts_update-task-completed",
            "contacts_delete-task",
        ),
        (
            "conversations_send-message",
            "conversations_send-a-new-message",
            "conversations_get-message",
        ),
        (
            "calendars_get-events",
            "calendars_get-calendar-events",
            "calendars_get-slots",
        ),
        (
            "contacts_search-contacts",
            "contacts_search-contacts-advanced",
            "",
        ),
    ] {
        check(name, &[expected], opposite);
    }
    check("something else entirely", &[], "");
    check(&"contacts_get-contact".repeat(4), &[], "");
    check(&"c".repeat(400_000), &[], "");
}

//! Objects with a closed set of keys: channels of do-not-disturb settings are known in any case, and no other key is sent.

use serde_json::{Value, json};

use super::sent;
use crate::catalog::TOOLS;
use tool::{Tool, V3Variant};

fn check(tool: &Tool, settings: Value, expected: Result<Value, &str>) {
    let given = json!({"contactId": "c", "dndSettings": settings});
    match (sent(TOOLS, tool, Some("L0"), &given), expected) {
        (Ok(sent), Ok(expected)) => assert_eq!(sent["body"]["dndSettings"], expected),
        (Err(told), Err(part)) => assert!(told.contains(part), "{given}: {told}"),
        (sent, _) => panic!("{given}: {sent:?}"),
    }
}

#[test]
fn channels_are_known_in_any_case_and_others_are_refused() {
    let mut tools = TOOLS.iter();
    let tool = tools.find(|tool| tool.name == "contacts_update-contact");
    let tool = tool.expect("a tool");
    let V3Variant::Other(v3) = tool.v3 else {
        panic!("v3 has names of its own");
    };
    let off = json!({"status": "active"});
    for (given, older, newer) in [
        ("SMS", "SMS", "sms"),
        ("Sms", "SMS", "sms"),
        ("whatsapp", "WhatsApp", "whatsApp"),
        ("WHATSAPP", "WhatsApp", "whatsApp"),
        ("gmb", "GMB", "gmb"),
        ("Fb", "FB", "fb"),
        ("EMAIL", "Email", "email"),
        ("call", "Call", "call"),
    ] {
        check(tool, json!({given: off}), Ok(json!({older: off})));
        check(v3, json!({given: off}), Ok(json!({newer: off})));
    }
    for other in ["All", "text", "instagram"] {
        let told = format!("dndSettings has no field {other}, it takes");
        check(tool, json!({other: off}), Err(&told));
        check(v3, json!({other: off}), Err(&told));
    }
    check(
        tool,
        json!({"sms": off, "Sms": off}),
        Err("dndSettings gives both sms and Sms, which are one field"),
    );
    check(
        tool,
        json!({"SMS": off, "Sms": off}),
        Err("dndSettings gives both Sms and SMS, which are one field"),
    );
}

#[test]
fn the_one_channel_of_inbound_messages_is_all() {
    let mut tools = TOOLS.iter();
    let tool = tools.find(|tool| tool.name == "contacts_update-contact");
    let given = |channel: &str| json!({"contactId": "c", "inboundDndSettings": {channel: {"status": "active"}}});
    let tool = tool.expect("a tool");
    for channel in ["all", "All", "ALL"] {
        let sent = sent(TOOLS, tool, Some("L0"), &given(channel)).expect("it is sent");
        let channels = &sent["body"]["inboundDndSettings"];
        assert_eq!(*channels, json!({"all": {"status": "active"}}), "{channel}");
    }
    let told = sent(TOOLS, tool, Some("L0"), &given("SMS")).expect_err("it is refused");
    assert!(
        told.contains("inboundDndSettings has no field SMS, it takes all"),
        "{told}"
    );
}

#[test]
fn a_key_that_would_widen_a_call_is_refused() {
    for (name, given, part) in [
        (
            "products_bulkUpdate",
            json!({"filters": {"collections": ["c"]}}),
            "filters has no field collections, it takes",
        ),
        (
            "ad-manager_li-upsert-campaign-group",
            json!({"adCampaigns": [{"audience": {"targetAudience": {"excluded": []}}}]}),
            "adCampaigns[0].audience.targetAudience has no field excluded, it takes exclude, include",
        ),
    ] {
        let mut tools = TOOLS.iter();
        let tool = tools.find(|tool| tool.is_called(name)).expect("a tool");
        let told = sent(TOOLS, tool, Some("L0"), &given).expect_err("it is refused");
        assert!(told.contains(part), "{name}: {told}");
    }
}

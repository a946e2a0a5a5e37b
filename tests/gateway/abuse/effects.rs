//! The effects of operations as the program lists them: those that were once too weak.

use std::collections::BTreeMap;

use super::setup::Setup;

/// Names by effect, or prefixes of names.
const EFFECTS: [(&str, &[&str]); 4] = [
    (
        "destructive",
        &[
            "users_create-user",
            "users_update-user",
            "snapshots_create-snapshot-share-link",
            "saas-api_pause-location",
            "saas-api_pause-location-deprecated",
            "marketplace_migrateConnection",
            "conversations_user-subscription-change",
        ],
    ),
    (
        "money",
        &[
            "payments_create-integration",
            "payments_create-whitelabel-provider",
            "payments_update-custom-provider-capabilities",
            "payments_create-coupon",
            "payments_update-coupon",
            "products_create-price-for-product",
            "products_update-price-by-id-for-product",
            "products_bulkEdit",
            "invoices_update-invoice",
            "invoices_update-invoice-schedule",
            "invoices_update-template-late-fees",
            "invoices_text2pay-invoice",
            "locations_create-location",
            "store_create-shipping-rate",
            "store_update-shipping-rate",
            "ad-manager_fb-duplicate-ad",
            "ad-manager_fb-duplicate-adset",
            "ad-manager_fb-duplicate-campaign",
            "ad-manager_fb-upsert-ad",
            "ad-manager_fb-upsert-campaign",
        ],
    ),
    (
        "send",
        &[
            "voice-ai_create-agent",
            "voice-ai_patch-agent",
            "voice-ai_create-action",
            "voice-ai_update-action",
            "conversation-ai_create-action",
            "conversation-ai_update-action",
            "conversation-ai_update-followup-settings",
            "funnels_create-redirect",
            "funnels_update-redirect-by-id",
            "links_update-link",
            "locations_update-custom-value",
            "chat-widget_createChatWidget",
            "chat-widget_patchChatWidget",
            "agent-studio_updateAgentMetadata",
            "agent-studio_executeAgent",
            "custom-menus_create-custom-menu",
            "custom-menus_update-custom-menu",
            "products_update-store-status",
            "products_bulk-update-product-review",
            "ad-manager_fb-add-custom-audience-member",
            "ad-manager_fb-batch-update-audience-members",
            "contacts_add-contact-to-workflow",
        ],
    ),
    (
        "write",
        &[
            "invoices_record-invoice-payment",
            "payments_record-order-payment",
            "contacts_bulk-update-tags",
        ],
    ),
];

/// Operations that nobody may call, because their answer is a token.
const TOKENS: [&str; 2] = ["oauth_get-location-access-token", "oauth_get-access-token"];

/// Operations with a bulk mark besides their effect.
const BULK: [&str; 5] = [
    "conversations_export-messages-by-location",
    "oauth_get-installed-location",
    "users_search-users",
    "custom-menus_create-custom-menu",
    "custom-menus_update-custom-menu",
];

async fn effects() -> BTreeMap<String, String> {
    let (code, list) = Setup::new().run(&["tools", "list"]).await;
    assert_eq!(code, 0, "{list}");
    let rows = list.lines().filter_map(|line| {
        let mut cells = line.split('\t').map(str::to_owned);
        Some((cells.next()?, cells.next()?))
    });
    rows.collect()
}

#[tokio::test]
async fn effects_are_as_strong_as_what_operations_do() {
    let effects = effects().await;
    let mut weak = Vec::new();
    let mut all = 0;
    for (expected, names) in EFFECTS {
        for name in names {
            all += 1;
            let found = effects.get(*name).map(String::as_str);
            if !found.is_some_and(|found| found.starts_with(expected)) {
                weak.push(format!("{name} is {found:?}, not {expected}"));
            }
        }
    }
    for name in [
        "social-media-posting_saveEditSession",
        "social-media-posting_updateQueue",
    ] {
        let found = effects.get(name).map_or("", String::as_str);
        assert!(
            found.starts_with("send") || found.starts_with("destructive"),
            "{name}: {found}"
        );
    }
    println!("{} of {all} effects are wrong", weak.len());
    assert!(weak.is_empty(), "{weak:#?}");
}

#[tokio::test]
async fn no_tool_answers_with_a_token() {
    let effects = effects().await;
    let listed: Vec<&str> = TOKENS
        .into_iter()
        .filter(|name| effects.contains_key(*name))
        .collect();
    println!(
        "{} operations that answer with tokens are listed",
        listed.len()
    );
    assert!(listed.is_empty(), "{listed:?}");
}

/// One part of `policy explain` for tools under these rules.
async fn explained(rules: &str, names: &[&str], part: &str) -> Vec<String> {
    let setup = Setup::new().rules(rules);
    let mut without = Vec::new();
    for name in names {
        let (code, text) = setup.run(&["policy", "explain", name]).await;
        assert_eq!(code, 0, "{name}: {text}");
        if !text.contains(part) {
            without.push(format!("{name}: {text}"));
        }
    }
    println!("{} of {} say nothing of {part}", without.len(), names.len());
    without
}

#[tokio::test]
async fn reads_that_carry_everything_off_are_bulk() {
    let without = explained("[server]\nconfirm = { bulk = \"human\" }\n", &BULK, "human").await;
    assert!(without.is_empty(), "{without:#?}");
}

#[tokio::test]
async fn a_person_is_asked_for_the_gravest_by_default() {
    // The rules do not mention them, whatever their effect.
    let rules = "[server]\ncaps = { write = { hour = 1000000 } }\n";
    let without = explained(rules, EFFECTS[0].1, "human").await;
    assert!(without.is_empty(), "{without:#?}");
}

#[tokio::test]
async fn quiet_hours_hold_back_messages_of_other_effects() {
    let rules = "[server]\nquiet = { from = \"20:00\", to = \"08:00\", zone = \"UTC\" }\n";
    let names = [
        "social-media-posting_saveEditSession",
        "social-media-posting_updateQueue",
    ];
    let without = explained(rules, &names, "20:00").await;
    assert!(without.is_empty(), "{without:#?}");
}

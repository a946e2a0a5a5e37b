//! Receivers of messages about calls that wait for a person, and what the messages do not contain.

use std::time::Duration;

use highlevel_mcp::call::ApprovalWebhooks;
use highlevel_mcp::config::{Config, Flags};
use ring::hmac;
use serde_json::{Value, json};

use super::URL;
use super::browser::SIGN_IN;
use super::connections::{Connections, Terms};
use super::deciding::ask_to_delete;
use crate::agency::{Agency, contact};
use test_support::recording::{RecordedRequest, Recording, json as answer};

const OPERATOR: &str = "Bearer operator-of-this-agency-1";
const RULES: &str = "[server]\nconfirm = { destructive = \"human\" }\n";

/// Waits for `count` messages.
async fn messages(receiver: &Recording, count: usize) -> Vec<RecordedRequest> {
    for _ in 0..400 {
        if receiver.seen().len() >= count {
            return receiver.take();
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{} of {count} messages", receiver.seen().len());
}

fn body(request: &RecordedRequest) -> Value {
    serde_json::from_slice(&request.body).expect("JSON")
}

fn with(webhooks: &Value, further: &[(&str, &str)]) -> Vec<(String, String)> {
    let own = ("HIGHLEVEL_MCP_APPROVALS_WEBHOOKS", webhooks.to_string());
    let all = [SIGN_IN.as_slice(), further].concat();
    let all = all.iter().map(|(name, value)| (*name, (*value).to_owned()));
    all.chain([own])
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

async fn agency(webhooks: &Value, further: &[(&str, &str)]) -> Agency {
    let variables = with(webhooks, further);
    let variables: Vec<_> = variables
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    Agency::start_with(2, RULES, &variables).await
}

/// Requests the deletion of the contact with this number. Returns the handle and the contact's id.
async fn ask(agency: &mut Agency, number: usize) -> (String, String) {
    ask_to_delete(agency, OPERATOR, number).await
}

#[tokio::test]
async fn each_receiver_gets_one_message_in_its_shape_without_arguments() {
    let [plain, slack, teams] = [
        Recording::always(204, "").await,
        Recording::always(200, "ok").await,
        Recording::always(202, "").await,
    ];
    let webhooks = json!([
        {"url": format!("{}/plain?key=k", plain.url), "secret": {"env": "HOOK_SECRET"}},
        {"url": {"env": "SLACK_ADDRESS"}, "shape": "slack"},
        {"url": format!("{}/workflows/x", teams.url), "shape": "teams"},
    ]);
    let address = format!("{}/services/T0/B0/x", slack.url);
    let further = [
        ("HOOK_SECRET", "of the receiver"),
        ("SLACK_ADDRESS", &address),
    ];
    let mut agency = agency(&webhooks, &further).await;
    // A process beside it does not send the message again.
    let _other = agency.another().await;
    let (handle, id) = ask(&mut agency, 0).await;
    let page = format!("{URL}/console/approvals/{handle}");

    let message = messages(&plain, 1).await.remove(0);
    assert_eq!(
        (message.method.as_str(), message.target.as_str()),
        ("POST", "/plain?key=k")
    );
    let signature = message
        .header("x-highlevel-mcp-signature")
        .expect("a signature")
        .to_owned();
    let (time, signed) = signature.split_once(",v1=").expect("both parts");
    let time = time.strip_prefix("t=").expect("a time");
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"of the receiver");
    let text = [time.as_bytes(), b".", &message.body].concat();
    assert_eq!(state::hex(hmac::sign(&key, &text).as_ref()), signed);
    let body_of_plain = body(&message);
    let expires = body_of_plain["calls"][0]["expires"].clone();
    assert_eq!(
        body_of_plain,
        json!({"event": "approvals.waiting", "waiting": 1, "calls": [{
            "handle": handle, "tool": "contacts_delete-contact", "title": "Delete contact", "effect": "destructive",
            "calls": 1, "locations": ["b01"], "locationCount": 1, "who": "a program with its own token or key",
            "expires": expires, "url": page,
        }]})
    );

    let message = messages(&slack, 1).await.remove(0);
    assert_eq!(message.target, "/services/T0/B0/x");
    assert_eq!(message.header("x-highlevel-mcp-signature"), None);
    let of_slack = body(&message);
    assert_eq!(of_slack["blocks"][0]["text"]["text"], "Delete contact");
    assert_eq!(
        of_slack["blocks"][2]["elements"][0]["url"], page,
        "{of_slack}"
    );

    let message = messages(&teams, 1).await.remove(0);
    let of_teams = body(&message);
    let card = &of_teams["attachments"][0]["content"];
    assert_eq!(
        card["actions"],
        json!([{"type": "Action.OpenUrl", "title": "Look at it and decide", "url": page}])
    );

    for told in [&body_of_plain, &of_slack, &of_teams] {
        let told = told.to_string();
        assert!(
            !told.contains(&id) && !told.contains("pit-") && !told.contains("operator-of"),
            "{told}"
        );
    }
    tokio::time::sleep(Duration::from_millis(1_300)).await;
    let again = [&plain, &slack, &teams].map(|one| one.seen().len());
    assert_eq!(again, [0; 3], "nobody is told twice");
}

#[tokio::test]
async fn a_connection_is_named_by_its_client_and_person() {
    let receiver = Recording::always(200, "ok").await;
    let webhooks = json!([{"url": receiver.url, "shape": "slack"}]).to_string();
    let variables = [
        ("HIGHLEVEL_MCP_APPROVALS_WEBHOOKS", webhooks.as_str()),
        ("HIGHLEVEL_MCP_APPROVALS_WAIT_MS", "0"),
    ];
    let mut connections = Connections::start_with(1, RULES, &variables).await;
    let ada = connections.member("Ada <!channel>", &["b01"]).await;
    let connection = connections.connect(Terms::of_person(&ada)).await;
    let key = connections.agency.key("all", None, None);
    let id = contact(&mut connections.agency, &key, "b01").await;
    let reply = connections
        .call(
            &connection,
            "contacts_delete-contact",
            json!({"contactId": id}),
        )
        .await
        .expect("a question");
    assert!(reply["confirm"].is_string(), "{reply}");
    let message = body(&messages(&receiver, 1).await[0]);
    let fields = &message["blocks"][1]["fields"];
    assert_eq!(
        fields[2],
        json!({"type": "plain_text", "text": "Asked for by\nTest client, for Ada <!channel>", "emoji": false})
    );
    assert!(
        message["text"].to_string().contains("Ada &lt;!channel&gt;"),
        "{message}"
    );
}

#[tokio::test]
async fn a_failing_receiver_is_tried_again_and_no_redirect_is_followed() {
    let elsewhere = Recording::always(200, "{}").await;
    let address = elsewhere.url.clone();
    let moved = Recording::start(move |_| {
        let mut moved = answer(307, "");
        let to = format!("{address}/stolen").parse().expect("an address");
        moved.headers_mut().insert("location", to);
        moved
    })
    .await;
    let tries = std::sync::atomic::AtomicUsize::new(0);
    let broken = Recording::start(move |_| {
        let first = tries.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 0;
        answer(if first { 503 } else { 200 }, "{}")
    })
    .await;
    let webhooks = json!([{"url": moved.url}, {"url": broken.url}]);
    let mut agency = agency(&webhooks, &[]).await;
    let since = std::time::Instant::now();
    let (handle, _) = ask(&mut agency, 0).await;
    assert!(
        since.elapsed() < Duration::from_secs(2),
        "the call waits for no receiver"
    );
    let twice = messages(&broken, 2).await;
    assert_eq!(body(&twice[0]), body(&twice[1]));
    assert_eq!(body(&twice[1])["calls"][0]["handle"], json!(handle));
    assert_eq!((moved.seen().len(), elsewhere.seen().len()), (1, 0));
}

/// A burst of requests makes few messages, which name all of them.
#[tokio::test]
async fn many_requests_are_few_messages() {
    let receiver = Recording::always(200, "{}").await;
    let mut agency = agency(&json!([{"url": receiver.url}]), &[]).await;
    let keys: Vec<String> = (0..4)
        .map(|number| agency.key(&format!("key {number}"), None, None))
        .collect();
    for key in &keys {
        for number in 0..3 {
            ask_to_delete(&mut agency, key, number).await;
        }
    }
    let mut told = 0;
    for _ in 0..300 {
        let waiting = |one: &RecordedRequest| body(one)["waiting"].as_u64().unwrap_or_default();
        told = receiver.seen().iter().map(waiting).sum();
        if told == 12 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let messages = receiver.seen().len();
    println!("12 requests: {messages} messages");
    assert_eq!(told, 12);
    assert!(messages <= 8, "{messages} messages");
}

#[tokio::test]
async fn a_sample_goes_to_each_receiver_and_the_results_are_shown() {
    let good = Recording::always(200, "ok").await;
    let bad = Recording::always(404, "no such hook").await;
    let webhooks =
        json!([{"url": good.url}, {"url": format!("{}/secret", bad.url), "shape": "teams"}]);
    let variables = with(&webhooks, &[]);
    let variables = variables
        .into_iter()
        .map(|(name, value)| (name.into(), value.into()));
    let config = Config::from_sources(&Flags::default(), variables).expect("settings");
    let tests = ApprovalWebhooks::open(&config)
        .expect("usable")
        .test()
        .await;
    let problems: Vec<_> = tests.iter().map(|test| test.problem.as_deref()).collect();
    assert_eq!(problems, [None, Some("it answered 404 Not Found")]);
    assert_eq!(
        (tests[1].number, tests[1].shape, tests[1].host.as_str()),
        (2, "teams", "127.0.0.1")
    );
    let sample = body(&messages(&good, 1).await[0]);
    assert_eq!(
        (&sample["event"], &sample["waiting"]),
        (&json!("approvals.test"), &json!(1))
    );
    assert_eq!(bad.seen().len(), 1, "a sample is tried once");
}

#[tokio::test]
async fn settings_that_would_leak_or_do_nothing_are_refused_by_name() {
    for (webhook, part) in [
        (
            json!({"url": "http://hooks.example.test/secret"}),
            "number 1: url must be an address",
        ),
        (
            json!({"url": "https://x.example/secret", "shape": "slack", "secret": {"env": "HOOK"}}),
            "only the plain shape",
        ),
        (
            json!({"url": {"env": "HOOK_UNSET"}}),
            "HOOK_UNSET is not set",
        ),
    ] {
        let variables = with(&json!([webhook]), &[("HOOK", "x")]);
        let variables = variables
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()));
        let config = Config::from_sources(&Flags::default(), variables).expect("settings");
        let error = ApprovalWebhooks::open(&config).err().unwrap_or_default();
        assert!(error.contains(part), "{error}");
        assert!(!error.contains("/secret"), "{error}");
    }
}

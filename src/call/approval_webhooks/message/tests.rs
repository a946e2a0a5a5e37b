//! The exact bodies that receivers get.

use super::*;

fn call(title: &str, who: &str) -> WaitingCall {
    WaitingCall {
        handle: "apr_AAAAAAAAAAAAAAAAAAAA".to_owned(),
        title: title.to_owned(),
        who: who.to_owned(),
        ..WaitingCall::sample()
    }
}

const CONSOLE: Option<&str> = Some("https://mcp.example.test");

#[test]
fn the_message_about_a_call_for_each_kind_of_receiver() {
    let message = ApprovalMessage::new(
        vec![call("Delete contact", "<!channel>, for Ada")],
        0,
        CONSOLE,
    );
    let url = "https://mcp.example.test/console/approvals/apr_AAAAAAAAAAAAAAAAAAAA";
    assert_eq!(
        message.plain_body(),
        json!({"event": "approvals.waiting", "waiting": 1, "calls": [{
            "handle": "apr_AAAAAAAAAAAAAAAAAAAA", "tool": "contacts_delete-contact", "title": "Delete contact",
            "effect": "destructive", "calls": 1, "locations": ["acme"], "locationCount": 1,
            "who": "<!channel>, for Ada", "expires": "1970-01-01T00:00:00Z", "url": url,
        }]})
    );
    let text = |text: &str| json!({"type": "plain_text", "text": text, "emoji": false});
    assert_eq!(
        message.slack_body(),
        json!({
            "text": "Delete contact: Delete contact (1 action) in acme, asked for by &lt;!channel&gt;, for Ada, waits until \
                     1970-01-01 00:00 UTC",
            "blocks": [
                {"type": "header", "text": text("Delete contact")},
                {"type": "section", "fields": [
                    text("What it does\nDeletes or ends something (1 action)"),
                    text("Where\nacme"),
                    text("Asked for by\n<!channel>, for Ada"),
                    text("Waits until\n1970-01-01 00:00 UTC"),
                ]},
                {"type": "actions", "elements": [
                    {"type": "button", "text": text("Look at it and decide"), "url": url, "style": "primary"},
                ]},
            ],
        })
    );
    let fact = |name: &str, what: &str| {
        json!({"type": "RichTextBlock", "inlines": [
            {"type": "TextRun", "text": name, "weight": "bolder"},
            {"type": "TextRun", "text": what, "weight": "default"},
        ]})
    };
    assert_eq!(
        message.teams_body(),
        json!({"type": "message", "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "body": [
                    {"type": "RichTextBlock", "inlines": [
                        {"type": "TextRun", "text": "Delete contact", "weight": "bolder", "size": "large"},
                    ]},
                    fact("What it does: ", "Deletes or ends something (1 action)"),
                    fact("Where: ", "acme"),
                    fact("Asked for by: ", "<!channel>, for Ada"),
                    fact("Waits until: ", "1970-01-01 00:00 UTC"),
                ],
                "actions": [{"type": "Action.OpenUrl", "title": "Look at it and decide", "url": url}],
            },
        }]})
    );
}

#[test]
fn several_calls_are_one_message_that_leads_to_the_list() {
    let calls = vec![call("Delete contact", "n8n"), call("Send message", "n8n")];
    let message = ApprovalMessage::new(calls, 7, CONSOLE);
    let list = "https://mcp.example.test/console/approvals";
    assert_eq!(message.plain_body()["waiting"], 9);
    let slack = message.slack_body();
    assert_eq!(
        slack["blocks"][0]["text"]["text"],
        "9 requests wait for a decision"
    );
    assert_eq!(slack["blocks"][3]["text"]["text"], "and 7 more");
    assert_eq!(slack["blocks"][4]["elements"][0]["url"], list);
    let card = &message.teams_body()["attachments"][0]["content"];
    assert_eq!(card["body"][3]["inlines"][0]["text"], "and 7 more");
    assert_eq!(card["actions"][0]["url"], list);
}

#[test]
fn without_sign_in_the_message_names_a_command_instead_of_a_page() {
    let message = ApprovalMessage::new(vec![call("Delete contact", "n8n")], 0, None);
    assert_eq!(message.plain_body()["calls"][0]["url"], Value::Null);
    let command = "Decide with: highlevel-mcp approvals approve apr_AAAAAAAAAAAAAAAAAAAA";
    let slack = message.slack_body();
    assert_eq!(slack["blocks"][2]["text"]["text"], command);
    assert_eq!(slack["blocks"].as_array().map(Vec::len), Some(3));
    let card = &message.teams_body()["attachments"][0]["content"];
    assert_eq!(card["body"][5]["inlines"][0]["text"], command);
    assert_eq!(card["actions"], Value::Null);
}

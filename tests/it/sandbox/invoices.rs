//! Invoices: their items and sums, text-to-pay, manual payments, and changes that are no longer possible.

use ::sandbox::{LOCATION, SandboxOptions};
use serde_json::{Value, json};

use super::orchestrator::start_at;
use super::{Sandbox, list, ok, refused, text};

fn account(mut more: Value) -> Value {
    more["altId"] = json!(LOCATION);
    more["altType"] = json!("location");
    more
}

fn text2pay(action: &str) -> Value {
    let tax = json!({"_id": "t", "name": "Sales tax", "rate": 10, "calculation": "exclusive"});
    account(json!({
        "name": "Crown", "currency": "USD", "issueDate": "2031-01-01", "liveMode": true, "action": action, "userId": "u",
        "items": [
            {"name": "Crown", "currency": "USD", "amount": 400, "qty": 1, "taxes": [tax]},
            {"name": "Visit", "currency": "USD", "amount": 50, "qty": 2},
        ],
        "discount": {"type": "percentage", "value": 50},
        "contactDetails": {"id": "ada", "name": "Ada", "phoneNo": "+15550100", "email": "ada@example.org"},
        "sentTo": {"email": ["ada@example.org"]},
    }))
}

#[tokio::test]
async fn text_to_pay_makes_an_invoice_that_is_there_afterwards() {
    let sandbox = Sandbox::start(SandboxOptions::default()).await;
    let account_of = format!("altId={LOCATION}&altType=location");
    let draft = ok(&sandbox, "POST /invoices/text2pay", Some(text2pay("draft"))).await;
    assert_eq!(draft["invoice"]["status"], "draft", "{draft}");
    let id = text(&draft, "/invoice/_id");
    assert!(text(&draft, "/invoiceUrl").contains(id));
    let shown = ok(&sandbox, &format!("GET /invoices/{id}?{account_of}"), None).await;
    let names: Vec<&str> = list(&shown, "/invoiceItems")
        .iter()
        .map(|item| text(item, "/name"))
        .collect();
    assert_eq!(names, ["Crown", "Visit"]);
    assert_eq!(
        shown["totalSummary"],
        json!({"subTotal": 500, "discount": 250, "tax": 20})
    );
    let sums = ["total", "amountPaid", "amountDue"].map(|name| shown[name].as_f64());
    assert_eq!(sums, [Some(270.0), Some(0.0), Some(270.0)]);

    let mut send = text2pay("send");
    send["id"] = json!(id);
    let sent = ok(&sandbox, "POST /invoices/text2pay", Some(send)).await;
    assert_eq!(
        (&sent["invoice"]["_id"], &sent["invoice"]["status"]),
        (&json!(id), &json!("sent"))
    );
    let of_ada = format!("GET /invoices/?{account_of}&limit=10&offset=0&contactId=ada");
    let listed = ok(&sandbox, &of_ada, None).await;
    assert_eq!(
        (&listed["total"], &listed["invoices"][0]["_id"]),
        (&json!(1), &json!(id))
    );

    let cash = account(json!({"mode": "cash", "notes": "", "amount": 70.5}));
    let paid = ok(
        &sandbox,
        &format!("POST /invoices/{id}/record-payment"),
        Some(cash),
    )
    .await;
    assert_eq!(paid["invoice"]["status"], "partially_paid");
    assert_eq!(paid["invoice"]["amountDue"].as_f64(), Some(199.5));
    let void = format!("POST /invoices/{id}/void");
    let voided = ok(&sandbox, &void, Some(account(json!({})))).await;
    assert_eq!(voided["status"], "void");
    refused(&sandbox, &void, account(json!({}))).await;
    let send = account(json!({"userId": "u", "action": "email", "liveMode": true}));
    refused(&sandbox, &format!("POST /invoices/{id}/send"), send).await;
}

/// A state that there is not finds nothing, which reads as if no invoice were unpaid.
#[tokio::test]
async fn invoices_are_filtered_by_the_states_that_there_are() {
    let stack = start_at("/mcp/orchestrator").await;
    let read = async |operation: &str, arguments: Value| {
        let output = json!({"count": true});
        let asked = json!({"operation": operation, "arguments": arguments, "output": output});
        stack.try_call("call_read", asked).await
    };
    let count = async |status: Value| {
        let found = read("invoices_list-invoices", json!({"status": status})).await;
        let found = found.unwrap_or_else(|error| panic!("{status}: {error}"));
        found["count"].as_u64().expect("a count")
    };
    let (sent, paid) = (count(json!("sent")).await, count(json!("paid")).await);
    assert!(sent > 0 && paid > 0);
    assert_eq!(count(json!("sent,paid")).await, sent + paid);
    assert_eq!(count(json!(["sent", "paid"])).await, sent + paid);
    for (operation, name, value) in [
        ("invoices_list-invoices", "status", "unpaid"),
        ("invoices_list-invoices", "status", "overdue"),
        ("invoices_list-invoices", "status", "sent,overdue"),
        ("payments_list-transactions", "paymentMode", "production"),
        ("payments_list-orders", "paymentMode", "production"),
        ("payments_list-subscriptions", "paymentMode", "production"),
    ] {
        let error = read(operation, json!({name: value})).await;
        let error = error.expect_err(value);
        assert_eq!(error["class"], "invalid", "{error}");
        assert!(text(&error, "/error").contains(name), "{error}");
    }
}

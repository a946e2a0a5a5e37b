//! The sandbox beyond the 21 tools: reads find what other operations wrote.

use ::sandbox::{LOCATION, SandboxOptions, TOKEN};
use serde_json::{Value, json};

use super::{Sandbox, list, ok, refused, text};

fn account(mut more: Value) -> Value {
    more["altId"] = json!(LOCATION);
    more["altType"] = json!("location");
    more
}

fn payment(amount: u32) -> Value {
    account(json!({
        "mode": "cash", "card": {"brand": "visa", "last4": "4242"}, "cheque": {"number": "1"}, "notes": "",
        "amount": amount,
    }))
}

#[tokio::test]
async fn an_invoice_is_made_sent_and_paid_and_the_payments_are_listed() {
    let sandbox = Sandbox::start(SandboxOptions::default()).await;
    let item = |name: &str, amount: u32, qty: u32| json!({"name": name, "currency": "USD", "amount": amount, "qty": qty});
    let contact =
        json!({"id": "c", "name": "Ada", "phoneNo": "+15550100", "email": "ada@example.com"});
    let draft = account(json!({
        "name": "Crown", "currency": "USD", "title": "INVOICE", "businessDetails": {"name": "Harbor"},
        "contactDetails": contact, "items": [item("Crown", 300, 1), item("Visit", 50, 2)],
        "discount": {"type": "percentage", "value": 0}, "issueDate": "2031-01-01", "dueDate": "2031-01-14",
        "sentTo": {"email": ["ada@example.com"]}, "liveMode": true,
    }));
    let made = ok(&sandbox, "POST /invoices/", Some(draft)).await;
    assert_eq!(
        (&made["status"], made["total"].as_f64()),
        (&json!("draft"), Some(400.0)),
        "{made}"
    );
    let id = text(&made, "/_id");
    let send = account(json!({"userId": "u", "action": "email", "liveMode": true}));
    let sent = ok(&sandbox, &format!("POST /invoices/{id}/send"), Some(send)).await;
    assert_eq!(sent["invoice"]["status"], "sent");
    let pay = format!("POST /invoices/{id}/record-payment");
    refused(&sandbox, &pay, payment(401)).await;
    let part = ok(&sandbox, &pay, Some(payment(150))).await;
    assert_eq!(part["invoice"]["status"], "partially_paid");
    assert_eq!(part["invoice"]["amountDue"], 250.0);
    let rest = ok(&sandbox, &pay, Some(payment(250))).await;
    assert_eq!(rest["invoice"]["status"], "paid");
    refused(
        &sandbox,
        &format!("POST /invoices/{id}/void"),
        account(json!({})),
    )
    .await;
    let listed =
        format!("GET /payments/transactions?altId={LOCATION}&altType=location&entityId={id}");
    let listed = ok(&sandbox, &listed, None).await;
    let amounts: Vec<_> = list(&listed, "/data")
        .iter()
        .map(|one| one["amount"].as_f64())
        .collect();
    assert_eq!(amounts.len(), 2);
    assert!(
        amounts.contains(&Some(150.0)) && amounts.contains(&Some(250.0)),
        "{listed}"
    );
    let gone = format!("/invoices/{id}?altId={LOCATION}&altType=location");
    ok(&sandbox, &format!("DELETE {gone}"), None).await;
    assert_eq!(
        sandbox.send(&format!("GET {gone}"), TOKEN, None).await.0,
        400
    );
}

#[tokio::test]
async fn products_have_prices_and_forms_have_submissions_of_contacts() {
    let sandbox = Sandbox::start(SandboxOptions::default()).await;
    let here = format!("locationId={LOCATION}");
    let products = ok(
        &sandbox,
        &format!("GET /products/?{here}&search=plan"),
        None,
    )
    .await;
    assert_eq!(products["total"], json!([{"total": 1}]));
    let new = json!({"name": "Whitening", "locationId": LOCATION, "productType": "SERVICE"});
    let product = ok(&sandbox, "POST /products/", Some(new)).await;
    let product = text(&product, "/_id");
    let price = json!({"name": "Once", "type": "one_time", "currency": "USD", "amount": 120, "locationId": LOCATION});
    ok(
        &sandbox,
        &format!("POST /products/{product}/price"),
        Some(price),
    )
    .await;
    let prices = ok(
        &sandbox,
        &format!("GET /products/{product}/price?{here}"),
        None,
    )
    .await;
    assert_eq!(
        (&prices["total"], &prices["prices"][0]["amount"]),
        (&json!(1), &json!(120))
    );

    let price = text(&prices, "/prices/0/_id");
    let price = format!("GET /products/{product}/price/{price}?{here}");
    ok(&sandbox, &price, None).await;
    ok(
        &sandbox,
        &format!("DELETE /products/{product}?{here}"),
        None,
    )
    .await;
    assert_eq!(sandbox.send(&price, TOKEN, None).await.0, 400);

    let form = ok(&sandbox, &format!("GET /forms/?{here}"), None).await;
    let form = text(&form, "/forms/0/id");
    let page = async |page: u32| {
        let request = format!("GET /forms/submissions?{here}&formId={form}&limit=10&page={page}");
        ok(&sandbox, &request, None).await
    };
    let (first, second) = (page(1).await, page(2).await);
    assert_eq!(
        (&first["meta"]["nextPage"], &second["meta"]["prevPage"]),
        (&json!(2), &json!(1))
    );
    let total = list(&first, "/submissions").len() + list(&second, "/submissions").len();
    assert_eq!(first["meta"]["total"], total);
    let contact = text(&first, "/submissions/0/contactId");
    let contact = ok(&sandbox, &format!("GET /contacts/{contact}"), None).await;
    assert_eq!(
        contact["contact"]["email"],
        first["submissions"][0]["email"]
    );
    let surveys = ok(
        &sandbox,
        &format!("GET /surveys/submissions?{here}&endAt=2001-01-01"),
        None,
    )
    .await;
    assert_eq!(surveys["meta"]["total"], 0);
}

#[tokio::test]
async fn followers_and_tags_of_many_contacts_are_kept() {
    let sandbox = Sandbox::start(SandboxOptions::default()).await;
    let contacts = ok(
        &sandbox,
        &format!("GET /contacts/?locationId={LOCATION}&limit=2"),
        None,
    )
    .await;
    let [one, two] = [0, 1].map(|index| text(&contacts, &format!("/contacts/{index}/id")));
    let user = &contacts["contacts"][0]["assignedTo"];
    let follow = json!({"followers": [user]});
    let followers = format!("/contacts/{one}/followers");
    let added = ok(&sandbox, &format!("POST {followers}"), Some(follow.clone())).await;
    assert_eq!(
        added,
        json!({"followers": [user], "followersAdded": [user]})
    );
    let again = ok(&sandbox, &format!("POST {followers}"), Some(follow.clone())).await;
    assert_eq!(again["followersAdded"], json!([]));
    refused(
        &sandbox,
        &format!("POST {followers}"),
        json!({"followers": ["nobody"]}),
    )
    .await;
    let removed = ok(&sandbox, &format!("DELETE {followers}"), Some(follow)).await;
    assert_eq!(
        removed,
        json!({"followers": [], "followersRemoved": [user]})
    );

    let many =
        |contacts: Value| json!({"contacts": contacts, "tags": ["Spring"], "locationId": LOCATION});
    let bulk = "POST /contacts/bulk/tags/update/add";
    refused(&sandbox, bulk, many(json!([one, "nobody"]))).await;
    let tags = async |id: &str| {
        ok(&sandbox, &format!("GET /contacts/{id}"), None).await["contact"]["tags"].clone()
    };
    assert!(
        !tags(one).await.to_string().contains("spring"),
        "a refused call changed a contact"
    );
    ok(&sandbox, bulk, Some(many(json!([one, two])))).await;
    assert!(tags(two).await.to_string().contains("spring"));
    ok(
        &sandbox,
        "POST /contacts/bulk/tags/update/remove",
        Some(many(json!([one]))),
    )
    .await;
    assert!(!tags(one).await.to_string().contains("spring"));
}

#[tokio::test]
async fn a_blocked_time_is_not_free_until_it_is_deleted() {
    let sandbox = Sandbox::start(SandboxOptions::default()).await;
    let calendars = ok(
        &sandbox,
        &format!("GET /calendars/?locationId={LOCATION}"),
        None,
    )
    .await;
    let calendar = text(&calendars, "/calendars/1/id");
    let now = jiff::Timestamp::now().as_millisecond();
    let slots = format!(
        "GET /calendars/{calendar}/free-slots?timezone=UTC&startDate={now}&endDate={}",
        now + 7 * 86_400_000
    );
    let before = ok(&sandbox, &slots, None).await;
    let day = before
        .as_object()
        .and_then(|days| days.keys().next_back())
        .expect("a day")
        .clone();
    let block = json!({
        "calendarId": calendar, "locationId": LOCATION, "title": "Holiday",
        "startTime": format!("{day}T00:00:00Z"), "endTime": format!("{day}T23:59:00Z"),
    });
    let block = ok(&sandbox, "POST /calendars/events/block-slots", Some(block)).await;
    let blocked = ok(&sandbox, &slots, None).await;
    assert!(blocked.get(&day).is_none(), "{blocked}");
    let id = text(&block, "/id");
    ok(
        &sandbox,
        &format!("DELETE /calendars/events/{id}"),
        Some(json!({})),
    )
    .await;
    assert_eq!(ok(&sandbox, &slots, None).await, before);
}

#[tokio::test]
async fn an_email_is_read_by_its_id_and_deals_are_found_by_a_body() {
    let sandbox = Sandbox::start(SandboxOptions::default()).await;
    let contacts = ok(
        &sandbox,
        &format!("GET /contacts/?locationId={LOCATION}&limit=1"),
        None,
    )
    .await;
    let person = &contacts["contacts"][0];
    let mail = json!({"type": "Email", "contactId": person["id"], "subject": "Your visit", "html": "<p>Soon!</p>"});
    let sent = ok(&sandbox, "POST /conversations/messages", Some(mail)).await;
    let id = text(&sent, "/emailMessageId");
    let email = ok(
        &sandbox,
        &format!("GET /conversations/messages/email/{id}"),
        None,
    )
    .await;
    assert_eq!(
        (&email["subject"], &email["body"]),
        (&json!("Your visit"), &json!("<p>Soon!</p>"))
    );
    assert_eq!(email["to"], json!([person["email"]]));

    let find = async |query: &str, page: u32, after: Value| {
        let details = json!({"notes": false, "tasks": false, "calendarEvents": false, "unReadConversations": false});
        let body = json!({
            "locationId": LOCATION, "query": query, "limit": 5, "page": page, "searchAfter": after,
            "additionalDetails": details,
        });
        ok(&sandbox, "POST /opportunities/search", Some(body)).await
    };
    let first = find("", 1, json!([])).await;
    let by_page = find("", 2, json!([])).await;
    let by_cursor = find("", 1, first["opportunities"][4]["sort"].clone()).await;
    assert_eq!(list(&first, "/opportunities").len(), 5);
    assert_eq!(by_page["opportunities"], by_cursor["opportunities"]);
    let name = text(&first, "/opportunities/2/contact/email");
    assert_eq!(
        find(name, 1, json!([])).await["opportunities"][0]["contact"]["email"],
        name
    );
}

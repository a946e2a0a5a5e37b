//! Contacts: the accepted fields and how they are stored, and the filters of the search.

use ::sandbox::{LOCATION, SandboxOptions, TOKEN};
use serde_json::{Value, json};

use super::{Sandbox, list, ok, text};

const SUMMIT: &str = "locSummitFitness0001";

#[tokio::test]
async fn invalid_contacts_are_refused() {
    let sandbox = Sandbox::start(SandboxOptions::default()).await;
    let nobody = "Contacts without email, phone, firstName and lastName are not allowed.";
    let unknown = "Pass at least one of number, email query parameter";
    let twice = "This location does not allow duplicated contacts.";
    let taken = json!({"email": "twice@example.org", "phone": "(415) 555-0133"});
    let rows = [
        ("POST /contacts/", json!({}), 422, json!(nobody)),
        (
            "POST /contacts/",
            json!({"name": "Ada Byron"}),
            422,
            json!(nobody),
        ),
        (
            "POST /contacts/",
            json!({"lastName": "Byron"}),
            201,
            Value::Null,
        ),
        (
            "POST /contacts/",
            json!({"email": "not-an-email"}),
            422,
            json!(["email must be an email"]),
        ),
        ("POST /contacts/", taken, 201, Value::Null),
        (
            "POST /contacts/",
            json!({"email": "Twice@Example.org"}),
            400,
            json!(twice),
        ),
        (
            "POST /contacts/",
            json!({"phone": "+1 415 555 0133"}),
            400,
            json!(twice),
        ),
        (
            "POST /contacts/upsert",
            json!({"firstName": "Ada"}),
            400,
            json!(unknown),
        ),
        (
            "POST /contacts/upsert",
            json!({"phone": "415-555-0133"}),
            200,
            Value::Null,
        ),
    ];
    for (request, mut body, status, message) in rows {
        body["locationId"] = json!(LOCATION);
        let (got, _, answer) = sandbox.send(request, TOKEN, Some(body.clone())).await;
        assert_eq!(
            (got, &answer["message"]),
            (status, &message),
            "{request} {body}"
        );
    }
}

#[tokio::test]
async fn a_phone_is_kept_in_e164_and_an_email_is_one_contacts() {
    let sandbox = Sandbox::start(SandboxOptions::default()).await;
    let ada = json!({"locationId": LOCATION, "firstName": "Ada", "phone": "(415) 555-0133"});
    let ada = ok(&sandbox, "POST /contacts/", Some(ada)).await;
    assert_eq!(ada["contact"]["phone"], "+14155550133");
    let ben = json!({"locationId": LOCATION, "email": "ben@example.org", "country": "GB", "phone": "020 7946 0018"});
    let ben = ok(&sandbox, "POST /contacts/", Some(ben)).await;
    assert_eq!(ben["contact"]["phone"], "+442079460018");
    let find = format!("GET /contacts/search/duplicate?locationId={LOCATION}&number=4155550133");
    let found = ok(&sandbox, &find, None).await;
    assert_eq!(found["contact"]["id"], ada["contact"]["id"]);

    let change = format!("PUT /contacts/{}", text(&ada, "/contact/id"));
    let (status, _, refused) = sandbox
        .send(&change, TOKEN, Some(json!({"email": "ben@example.org"})))
        .await;
    assert_eq!(
        (status, &refused["meta"]["matchingField"]),
        (400, &json!("email"))
    );
    ok(&sandbox, &change, Some(json!({"phone": "+14155550133"}))).await;

    // Summit allows what Harbor does not.
    let again = json!({"locationId": SUMMIT, "email": "same@example.org"});
    for _ in 0..2 {
        let made = sandbox.send("POST /contacts/", "pit-sandbox-summit", Some(again.clone()));
        assert_eq!(made.await.0, 201);
    }
}

/// A search with one filter: status, and the total or the message.
async fn search(sandbox: &Sandbox, filter: Value) -> (u16, Value) {
    let body = json!({"locationId": LOCATION, "pageLimit": 5, "filters": [filter]});
    let (status, _, found) = sandbox
        .send("POST /contacts/search", TOKEN, Some(body))
        .await;
    let told = if status == 200 { "total" } else { "message" };
    (status, found[told].clone())
}

#[tokio::test]
async fn filters_that_are_none_are_refused() {
    let sandbox = Sandbox::start(SandboxOptions::default()).await;
    let is = |field: &str, operator: &str, value: Value| json!({"field": field, "operator": operator, "value": value});
    let fields = format!("GET /locations/{LOCATION}/customFields");
    let fields = ok(&sandbox, &fields, None).await;
    let budget = format!("customFields.{}", text(&fields, "/customFields/0/id"));
    let long = "x".repeat(76);
    let rows = [
        (
            is("additional_phones", "eq", json!("1")),
            "Invalid field additional_phones",
        ),
        (
            is("firstName", "eq", json!("ada")),
            "Invalid field firstName",
        ),
        (is("tag", "eq", json!("vip")), "Invalid field tag"),
        (
            is("dateAdded", "gt", json!("2026-01-01")),
            "Invalid operator gt for field dateAdded",
        ),
        (
            is("email", "contains", json!("a")),
            "Invalid operator contains for field email",
        ),
        (
            is("id", "exists", Value::Null),
            "Invalid operator exists for field id",
        ),
        (
            is(&budget, "contains", json!("1")),
            "Invalid operator contains for field",
        ),
        (
            is("dateAdded", "range", json!("2026-01-01")),
            "Invalid value for field dateAdded",
        ),
        (
            is("dateAdded", "range", json!({"gte": "last week"})),
            "Invalid value for field dateAdded",
        ),
        (
            is("dateAdded", "range", json!({"from": "2026-01-01"})),
            "Invalid value for field dateAdded",
        ),
        (
            is("tags", "eq", Value::Null),
            "Invalid value for field tags",
        ),
        (
            is("city", "contains", json!(long)),
            "Invalid value for field city",
        ),
        (
            json!({"group": "NOT", "filters": []}),
            "group must be one of",
        ),
        (
            is("opportunities", "eq", json!("open")),
            "Invalid operator for field opportunities",
        ),
    ];
    for (filter, message) in rows {
        let (status, told) = search(&sandbox, filter.clone()).await;
        assert_eq!(status, 400, "{filter}: {told}");
        assert!(
            told.as_str().is_some_and(|told| told.starts_with(message)),
            "{filter}: {told}"
        );
    }
    let limits = [
        json!({"pageLimit": 501}),
        json!({"pageLimit": 20, "query": long}),
        json!({"pageLimit": 500, "page": 21}),
        json!({"pageLimit": 20, "sort": [{"field": "city", "direction": "asc"}]}),
    ];
    for mut body in limits {
        body["locationId"] = json!(LOCATION);
        let (status, _, told) = sandbox
            .send("POST /contacts/search", TOKEN, Some(body))
            .await;
        assert!(matches!(status, 400 | 422), "{status} {told}");
    }
}

#[tokio::test]
async fn filters_find_who_they_describe() {
    let sandbox = Sandbox::start(SandboxOptions::default()).await;
    let fields = format!("GET /locations/{LOCATION}/customFields");
    let fields = ok(&sandbox, &fields, None).await;
    let budget = format!("customFields.{}", text(&fields, "/customFields/0/id"));
    let is = |field: &str, operator: &str, value: Value| json!({"field": field, "operator": operator, "value": value});
    let total = async |filter: Value| {
        let (status, total) = search(&sandbox, filter.clone()).await;
        assert_eq!(status, 200, "{filter}: {total}");
        total.as_u64().expect("a total")
    };
    let all = 220;
    // A filter, and another that finds exactly the rest.
    let halves = [
        (
            is("phone", "not_exists", Value::Null),
            is("phone", "exists", Value::Null),
            4,
        ),
        (
            is("email", "not_exists", Value::Null),
            is("email", "exists", Value::Null),
            3,
        ),
        (
            is("dnd", "eq", json!(true)),
            is("dnd", "eq", json!(false)),
            0,
        ),
        (
            is("dndSettings.SMS.status", "eq", json!("active")),
            is("dndSettings.SMS.status", "not_eq", json!("active")),
            13,
        ),
        (
            is(&budget, "range", json!({"gt": 2500})),
            is(&budget, "range", json!({"lte": "2500"})),
            110,
        ),
        (
            is("activeWorkflows", "exists", Value::Null),
            is("activeWorkflows", "not_exists", Value::Null),
            22,
        ),
    ];
    for (some, rest, expected) in halves {
        let (some, rest) = (total(some.clone()).await, total(rest).await);
        assert_eq!((some, some + rest), (expected, all));
    }
    // A custom field by a key other than its id finds nothing.
    assert_eq!(
        total(is("customFields.Budget", "eq", json!("250"))).await,
        0
    );
    let week = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(7 * 24);
    let recent = total(is("dateAdded", "range", json!({"gte": week.to_string()}))).await;
    assert!((10..=20).contains(&recent), "{recent}");
    let either = json!({"group": "OR", "filters": [is("phone", "not_exists", Value::Null), is("email", "not_exists", Value::Null)]});
    assert_eq!(total(either).await, 7);

    let won = |status: &str| {
        is(
            "opportunities",
            "nested",
            json!([is("status", "eq", json!(status))]),
        )
    };
    let open = total(won("open")).await;
    let deals = format!("GET /opportunities/search?location_id={LOCATION}&status=open&limit=1");
    assert_eq!(ok(&sandbox, &deals, None).await["meta"]["total"], open);

    // A contact that is put into a workflow is found by it.
    let workflows = format!("GET /workflows/?locationId={LOCATION}");
    let workflows = ok(&sandbox, &workflows, None).await;
    let names: Vec<&str> = list(&workflows, "/workflows")
        .iter()
        .map(|one| text(one, "/name"))
        .collect();
    assert_eq!(
        names,
        [
            "New lead follow-up",
            "Missed appointment",
            "Birthday greetings"
        ]
    );
    let [missed, birthday] =
        [1, 2].map(|index| text(&workflows, &format!("/workflows/{index}/id")));
    let contacts = format!("GET /contacts/?locationId={LOCATION}&limit=1");
    let contacts = ok(&sandbox, &contacts, None).await;
    let workflow = |id: &str| {
        format!(
            "/contacts/{}/workflow/{id}",
            text(&contacts, "/contacts/0/id")
        )
    };
    let members = async || total(is("activeWorkflows", "eq", json!(missed))).await;
    ok(
        &sandbox,
        &format!("POST {}", workflow(missed)),
        Some(json!({})),
    )
    .await;
    assert_eq!(members().await, 1);
    ok(
        &sandbox,
        &format!("DELETE {}", workflow(missed)),
        Some(json!({})),
    )
    .await;
    assert_eq!(members().await, 0);
    super::refused(&sandbox, &format!("POST {}", workflow(birthday)), json!({})).await;
    super::refused(
        &sandbox,
        &format!("POST {}", workflow("nowhere")),
        json!({}),
    )
    .await;
}

#[tokio::test]
async fn options_and_dates_of_custom_fields_are_kept_as_they_are() {
    let sandbox = Sandbox::start(SandboxOptions::default()).await;
    let fields = format!("/locations/{LOCATION}/customFields");
    let colours = json!({
        "name": "Colours", "dataType": "MULTIPLE_OPTIONS", "model": "contact", "options": ["red", "green"],
    });
    let colours = ok(&sandbox, &format!("POST {fields}"), Some(colours)).await;
    let colours = text(&colours, "/customField/id");
    let birthday = json!({"name": "Renewal", "dataType": "DATE", "model": "contact"});
    let birthday = ok(&sandbox, &format!("POST {fields}"), Some(birthday)).await;
    let birthday = text(&birthday, "/customField/id");
    let renamed = json!({"name": "Colour"});
    ok(&sandbox, &format!("PUT {fields}/{colours}"), Some(renamed)).await;
    let shown = async || {
        ok(&sandbox, &format!("GET {fields}/{colours}"), None).await["customField"].clone()
    };
    assert_eq!(shown().await["picklistOptions"], json!(["red", "green"]));
    let wider =
        json!({"name": "Colour", "textBoxListOptions": [{"label": "red"}, {"label": "blue"}]});
    ok(&sandbox, &format!("PUT {fields}/{colours}"), Some(wider)).await;
    assert_eq!(shown().await["picklistOptions"], json!(["red", "blue"]));

    let person = json!({"locationId": LOCATION, "firstName": "A", "customFields": [
        {"id": colours, "value": ["blue", "green"]}, {"id": birthday, "value": "2031-05-05T10:30:00Z"},
    ]});
    let made = ok(&sandbox, "POST /contacts/", Some(person)).await;
    let values: Vec<&Value> = list(&made, "/contact/customFields")
        .iter()
        .map(|one| &one["value"])
        .collect();
    assert_eq!(values, [&json!(["blue"]), &json!("2031-05-05")]);
}

//! Questions whose answer is a number, and changes of the records that they find.

use super::*;

pub(super) const JOBS: [Job; 5] = [
    Job {
        name: "contacts without phone",
        calls: 1,
        bytes: 1_000,
        run: |desk| Box::pin(without_phone(desk)),
    },
    Job {
        name: "the location with the highest open pipeline",
        calls: 1,
        bytes: 1_000,
        run: |desk| Box::pin(highest_pipeline(desk)),
    },
    Job {
        name: "revenue by month",
        calls: 1,
        bytes: 1_000,
        run: |desk| Box::pin(revenue(desk)),
    },
    Job {
        name: "contacts that share an email",
        calls: 1,
        bytes: 1_000,
        run: |desk| Box::pin(duplicates(desk)),
    },
    Job {
        name: "old deals of a stage to lost",
        calls: 2,
        bytes: 3_000,
        run: |desk| Box::pin(old_deals(desk)),
    },
];

async fn without_phone(desk: &mut Desk) {
    let output =
        json!({"count": true, "filter": [{"field": "phone", "op": "exists", "value": false}]});
    let counted = desk
        .read("contacts_search-contacts-advanced", json!({}), output)
        .await;
    assert!(counted["_cut"].is_null(), "{counted}");
}

async fn highest_pipeline(desk: &mut Desk) {
    let output = json!({"sum": "monetaryValue", "locations": ["*"]});
    let call = json!({"operation": "opportunities_search-opportunity", "arguments": {"status": "open"}, "output": output});
    let answer = desk.ask_as_agency("call_read", call).await;
    assert!(list(&answer, "/locations").len() > 1, "{answer}");
}

async fn revenue(desk: &mut Desk) {
    let output = json!({"groupBy": "createdAt:month", "sum": "amount", "filter": [{"field": "status", "op": "=", "value": "succeeded"}]});
    let answer = desk
        .read("payments_list-transactions", json!({}), output)
        .await;
    assert!(answer["_cut"].is_null(), "{answer}");
}

async fn duplicates(desk: &mut Desk) {
    let output = json!({"groupBy": "email", "minCount": 2});
    let answer = desk
        .read("contacts_search-contacts-advanced", json!({}), output)
        .await;
    assert!(answer["_cut"].is_null(), "{answer}");
    // Contacts without an email do not share one.
    let groups = list(&answer, "/groups/rows");
    assert!(
        !groups.is_empty() && groups.iter().all(|group| group[0].is_string()),
        "{answer}"
    );
}

async fn old_deals(desk: &mut Desk) {
    let month = (jiff::Timestamp::now() - jiff::SignedDuration::from_hours(30 * 24)).to_string();
    let each = json!({
        "operation": "opportunities_search-opportunity", "arguments": {"status": "open"},
        "filter": [{"field": "createdAt", "op": "before", "value": month}],
    });
    let call = json!({"operation": "opportunities_update-opportunity-status", "arguments": {"status": "lost"}, "each": each});
    let preview = desk.ask("call_write", call).await;
    let done = desk.confirm("call_write", &preview).await;
    assert_eq!(done["done"], preview["calls"], "{done}");
}

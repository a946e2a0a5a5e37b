//! Orders, transactions and invoices of a location, by offset.

use serde_json::{Value, json};

use super::records::{make, of_location};
use crate::sandbox::call::{Call, milliseconds};
use crate::sandbox::refusal::Refusal;
use crate::sandbox::state::State;

/// [E] rows where the caller names no number; [I] the most.
const PAGE: usize = 10;
const LARGEST_PAGE: usize = 100;

pub fn answer(state: &mut State, call: &Call) -> Option<Result<Value, Refusal>> {
    let list = |kind| {
        let (rows, total) = found(state, call, kind);
        Ok(json!({"data": rows, "totalCount": total}))
    };
    Some(match call.operation.key.as_str() {
        "GET /payments/orders" => list("order"),
        "GET /payments/transactions" => list("transaction"),
        "GET /invoices/" => {
            let (rows, total) = found(state, call, "invoice");
            Ok(json!({"invoices": rows, "total": total}))
        }
        "POST /invoices/" => Ok(make_invoice(state, call)),
        _ => return None,
    })
}

/// Newest first. [E] `startAt` and `endAt` are days, `endAt` to its end.
fn found(state: &State, call: &Call, kind: &'static str) -> (Vec<Value>, usize) {
    let day = |name: &str| {
        let text = format!("{}T00:00:00Z", call.query(name)?);
        Some(text.parse::<jiff::Timestamp>().ok()?.as_millisecond())
    };
    let (start, end) = (day("startAt"), day("endAt"));
    let is = |one: &Value, name: &str| call.query(name).is_none_or(|wanted| one[name] == *wanted);
    let needle = call.query("search").unwrap_or_default().to_lowercase();
    let mut rows: Vec<&Value> = of_location(state, kind, call.location())
        .filter(|one| {
            let at = milliseconds(&one["createdAt"]);
            let name = one["contactName"].as_str().unwrap_or_default();
            start.is_none_or(|start| at >= start)
                && end.is_none_or(|end| at < end + 86_400_000)
                && [
                    "contactId",
                    "entityId",
                    "status",
                    "entitySourceType",
                    "subscriptionId",
                ]
                .iter()
                .all(|name| is(one, name))
                && name.to_lowercase().contains(&needle)
        })
        .collect();
    rows.sort_by_key(|one| std::cmp::Reverse(milliseconds(&one["createdAt"])));
    let total = rows.len();
    let limit = call.number("limit").unwrap_or(PAGE).clamp(1, LARGEST_PAGE);
    let offset = call.number("offset").unwrap_or(0);
    (
        rows.into_iter().skip(offset).take(limit).cloned().collect(),
        total,
    )
}

fn make_invoice(state: &mut State, call: &Call) -> Value {
    let mut members = call.members();
    let next = of_location(state, "invoice", call.location()).count() + 1;
    // [E] text in the request, a number in the answer.
    let number = call
        .text("invoiceNumber")
        .and_then(|text| text.parse().ok());
    members.insert("invoiceNumber".to_owned(), json!(number.unwrap_or(next)));
    members.insert("status".to_owned(), json!("draft"));
    make(state, call, "invoice", Value::Object(members))
}

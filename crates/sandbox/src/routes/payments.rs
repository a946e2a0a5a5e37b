//! Orders, transactions and invoices of a location, by offset.

use serde_json::{Map, Value, json};

use super::records::{in_days, make, mentions, of_location};
use crate::call::{SandboxCall, milliseconds};
use crate::refusal::Refusal;
use crate::state::Records;

/// [E] rows where the caller names no number; [I] the most.
const PAGE: usize = 10;
const LARGEST_PAGE: usize = 100;

pub(super) fn answer(state: &mut Records, call: &SandboxCall) -> Option<Result<Value, Refusal>> {
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
        "PUT /invoices/{invoiceId}" => invoice(state, call, |_| Ok(call.members())),
        "DELETE /invoices/{invoiceId}" => invoice(state, call, |_| Ok(Map::new())).inspect(|_| {
            state.remove("invoice", call.path("invoiceId"));
        }),
        "POST /invoices/{invoiceId}/send" => invoice(state, call, |before| match before {
            "void" => Err(Refusal::new(400, "A void invoice cannot be sent")),
            "draft" => Ok(status("sent")),
            _ => Ok(Map::new()),
        })
        .map(|invoice| json!({"invoice": invoice, "smsData": {}, "emailData": {}})),
        "POST /invoices/{invoiceId}/void" => invoice(state, call, |before| match before {
            "paid" => Err(Refusal::new(400, "A paid invoice cannot be voided")),
            _ => Ok(status("void")),
        }),
        "POST /invoices/{invoiceId}/record-payment" => pay(state, call),
        "GET /invoices/generate-invoice-number" => {
            Ok(json!({"invoiceNumber": next_number(state, call)}))
        }
        _ => return None,
    })
}

/// Newest first.
fn found(state: &Records, call: &SandboxCall, kind: &'static str) -> (Vec<Value>, usize) {
    let is = |one: &Value, name: &str| call.query(name).is_none_or(|wanted| one[name] == *wanted);
    let needle = call.query("search").unwrap_or_default().to_lowercase();
    let mut rows: Vec<&Value> = of_location(state, kind, call.location())
        .filter(|one| {
            in_days(call, one)
                && [
                    "contactId",
                    "entityId",
                    "status",
                    "entitySourceType",
                    "subscriptionId",
                ]
                .iter()
                .all(|name| is(one, name))
                && mentions(one, &["/contactName"], &needle)
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

fn make_invoice(state: &mut Records, call: &SandboxCall) -> Value {
    let mut members = call.members();
    let next = next_number(state, call);
    // [E] text in the request, a number in the answer.
    let number = call
        .text("invoiceNumber")
        .and_then(|text| text.parse().ok());
    members.insert("invoiceNumber".to_owned(), json!(number.unwrap_or(next)));
    members.insert("status".to_owned(), json!("draft"));
    keep_items(&mut members, "items");
    let made = make(state, call, "invoice", Value::Object(members));
    let id = made["_id"].as_str().unwrap_or_default();
    state.change("invoice", id, sums(&made)).unwrap_or_default()
}

fn next_number(state: &Records, call: &SandboxCall) -> u64 {
    let numbers = of_location(state, "invoice", call.location());
    let last = numbers
        .filter_map(|one| one["invoiceNumber"].as_u64())
        .max();
    last.unwrap_or(0).saturating_add(1)
}

/// Changes an invoice by what its status before allows, and counts its sums anew. [I] the words of the refusals.
fn invoice(
    state: &mut Records,
    call: &SandboxCall,
    changes: impl FnOnce(&str) -> Result<Map<String, Value>, Refusal>,
) -> Result<Value, Refusal> {
    let id = call.path("invoiceId");
    let before = call.record(state, "invoice", id)?;
    let mut changes = changes(before["status"].as_str().unwrap_or_default())?;
    if let Some(Value::String(number)) = changes.get("invoiceNumber") {
        match number.parse::<u64>() {
            Ok(number) => changes.insert("invoiceNumber".to_owned(), json!(number)),
            Err(_) => changes.remove("invoiceNumber"),
        };
    }
    keep_items(&mut changes, "invoiceItems");
    changes.insert("updatedAt".to_owned(), json!(call.date()));
    let changed = state.change("invoice", id, changes).unwrap_or_default();
    let changed = state.change("invoice", id, sums(&changed));
    Ok(changed.unwrap_or_default())
}

/// A payment by hand: the invoice is owed less, and the transaction is listed.
fn pay(state: &mut Records, call: &SandboxCall) -> Result<Value, Refusal> {
    let before = call
        .record(state, "invoice", call.path("invoiceId"))?
        .clone();
    let due = before["amountDue"].as_f64().unwrap_or_default();
    let amount = call.body["amount"].as_f64().unwrap_or(due);
    let paid = before["amountPaid"].as_f64().unwrap_or_default() + amount;
    let invoice = invoice(state, call, |before| {
        if before == "void" || amount <= 0.0 || amount > due {
            let message = "The payment does not fit the amount that is due";
            return Err(Refusal::new(400, message));
        }
        let mut changes = status(if amount < due {
            "partially_paid"
        } else {
            "paid"
        });
        changes.insert("amountPaid".to_owned(), json!(paid));
        Ok(changes)
    })?;
    let contact = &before["contactDetails"];
    let transaction = json!({
        "altId": call.location(), "altType": "location", "contactId": contact["id"],
        "contactName": contact["name"], "contactEmail": contact["email"], "currency": before["currency"],
        "amount": amount, "liveMode": true, "status": "succeeded", "entityType": "invoice",
        "entityId": before["_id"], "entitySourceType": "invoice", "paymentProviderType": call.body["mode"],
        "entitySource": {"type": "invoice", "id": before["_id"], "name": before["name"]},
        "amountRefunded": 0, "fulfilledAt": call.date(),
    });
    make(state, call, "transaction", transaction);
    Ok(json!({"success": true, "invoice": invoice}))
}

fn status(status: &str) -> Map<String, Value> {
    Map::from_iter([("status".to_owned(), json!(status))])
}

/// Kept apart: answers have texts for items by their document, requests objects.
fn keep_items(members: &mut Map<String, Value>, name: &str) {
    if let Some(items) = members.remove(name) {
        members.insert("~items".to_owned(), items);
    }
}

/// Total, paid and due, from the items where there are any.
fn sums(invoice: &Value) -> Map<String, Value> {
    let items = invoice["~items"].as_array().into_iter().flatten();
    let of_item = |item: &Value| Some(item["amount"].as_f64()? * item["qty"].as_f64()?);
    let items: Vec<f64> = items.filter_map(of_item).collect();
    let total = match items[..] {
        [] => invoice["total"].as_f64().unwrap_or_default(),
        _ => items.iter().sum(),
    };
    let paid = invoice["amountPaid"].as_f64().unwrap_or_default();
    let sums = [
        ("total", total),
        ("amountPaid", paid),
        ("amountDue", (total - paid).max(0.0)),
    ];
    let sums = sums.into_iter();
    sums.map(|(name, value)| (name.to_owned(), json!(value)))
        .collect()
}

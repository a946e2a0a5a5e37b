//! Invoices: create, send, pay by hand, void; their sums are computed from their items.

use serde_json::{Map, Value, json};

use super::payments::found;
use super::records::{make, of_location};
use crate::call::SandboxCall;
use crate::refusal::Refusal;
use crate::state::Records;

pub(super) fn answer(state: &mut Records, call: &SandboxCall) -> Option<Result<Value, Refusal>> {
    Some(match call.operation.key.as_str() {
        "GET /invoices/" => {
            let (rows, total) = found(state, call, "invoice");
            Ok(json!({"invoices": rows, "total": total}))
        }
        "POST /invoices/" => Ok(draft(state, call)),
        "POST /invoices/text2pay" => text2pay(state, call),
        "PUT /invoices/{invoiceId}" => change(state, call, path(call), |before| {
            require_unpaid(before)?;
            Ok(call.members())
        }),
        "DELETE /invoices/{invoiceId}" => change(state, call, path(call), |_| Ok(Map::new()))
            .inspect(|_| {
                state.remove("invoice", path(call));
            }),
        "POST /invoices/{invoiceId}/send" => send(state, call, path(call))
            .map(|invoice| json!({"invoice": invoice, "smsData": {}, "emailData": {}})),
        "POST /invoices/{invoiceId}/void" => change(state, call, path(call), |before| {
            require_unpaid(before)?;
            Ok(status("void"))
        }),
        "POST /invoices/{invoiceId}/record-payment" => pay(state, call),
        "GET /invoices/generate-invoice-number" => {
            Ok(json!({"invoiceNumber": next_number(state, call)}))
        }
        _ => return None,
    })
}

fn path(call: &SandboxCall) -> &str {
    call.path("invoiceId")
}

fn draft(state: &mut Records, call: &SandboxCall) -> Value {
    let mut members = call.members();
    let next = next_number(state, call);
    // [E] text in the request, a number in the answer.
    let number = call
        .text("invoiceNumber")
        .and_then(|text| text.parse().ok());
    members.insert("invoiceNumber".to_owned(), json!(number.unwrap_or(next)));
    members.insert("status".to_owned(), json!("draft"));
    // [I] due at once if no date is given; the business is the location.
    let issued = members.get("issueDate").cloned().unwrap_or_default();
    let location = state.get("location", call.location());
    let business = json!({"name": location.map(|one| one["name"].clone())});
    for (name, usual) in [
        ("dueDate", issued),
        ("title", json!("INVOICE")),
        ("businessDetails", business),
        ("discount", json!({"type": "percentage", "value": 0})),
    ] {
        members.entry(name).or_insert(usual);
    }
    rename_items(&mut members);
    let made = make(state, call, "invoice", Value::Object(members));
    let id = made["_id"].as_str().unwrap_or_default();
    state.change("invoice", id, sums(&made)).unwrap_or_default()
}

/// [I] a draft of that `id` is changed, otherwise one is created; `send` sends it at once.
fn text2pay(state: &mut Records, call: &SandboxCall) -> Result<Value, Refusal> {
    let mut invoice = match call.text("id").filter(|id| !id.is_empty()) {
        Some(id) => change(state, call, id, |before| {
            require_unpaid(before)?;
            Ok(call.members())
        })?,
        None => draft(state, call),
    };
    let id = invoice["_id"].as_str().unwrap_or_default().to_owned();
    if call.text("action") == Some("send") {
        invoice = send(state, call, &id)?;
    }
    let url = format!("https://pay.example.com/invoice/{id}");
    Ok(json!({"invoice": invoice, "invoiceUrl": url}))
}

fn send(state: &mut Records, call: &SandboxCall, id: &str) -> Result<Value, Refusal> {
    change(state, call, id, |before| match before {
        "void" => Err(Refusal::new(400, "A void invoice cannot be sent")),
        "draft" => {
            let mut changes = status("sent");
            changes.insert("sentAt".to_owned(), json!(call.date()));
            Ok(changes)
        }
        _ => Ok(Map::new()),
    })
}

fn next_number(state: &Records, call: &SandboxCall) -> u64 {
    let numbers = of_location(state, "invoice", call.location());
    let last = numbers
        .filter_map(|one| one["invoiceNumber"].as_u64())
        .max();
    last.unwrap_or(0).saturating_add(1)
}

/// [I] both the rule and the words.
fn require_unpaid(status: &str) -> Result<(), Refusal> {
    match status {
        "paid" | "void" => {
            let message = format!("A {status} invoice cannot be changed");
            Err(Refusal::new(400, message))
        }
        _ => Ok(()),
    }
}

/// Changes an invoice if its present status allows it, and recomputes its sums. [I] the words of the refusals.
fn change(
    state: &mut Records,
    call: &SandboxCall,
    id: &str,
    changes: impl FnOnce(&str) -> Result<Map<String, Value>, Refusal>,
) -> Result<Value, Refusal> {
    let before = call.record(state, "invoice", id)?;
    let mut changes = changes(before["status"].as_str().unwrap_or_default())?;
    if let Some(Value::String(number)) = changes.get("invoiceNumber") {
        match number.parse::<u64>() {
            Ok(number) => changes.insert("invoiceNumber".to_owned(), json!(number)),
            Err(_) => changes.remove("invoiceNumber"),
        };
    }
    rename_items(&mut changes);
    changes.insert("updatedAt".to_owned(), json!(call.date()));
    let changed = state.change("invoice", id, changes).unwrap_or_default();
    let changed = state.change("invoice", id, sums(&changed));
    Ok(changed.unwrap_or_default())
}

/// A payment by hand: it reduces the amount due, and adds a transaction.
fn pay(state: &mut Records, call: &SandboxCall) -> Result<Value, Refusal> {
    let before = call.record(state, "invoice", path(call))?.clone();
    let due = before["amountDue"].as_f64().unwrap_or_default();
    let amount = call.body["amount"].as_f64().unwrap_or(due);
    let paid = before["amountPaid"].as_f64().unwrap_or_default() + amount;
    let invoice = change(state, call, path(call), |before| {
        if before == "void" || amount <= 0.0 || amount > due {
            let message = "The payment does not fit the amount that is due";
            return Err(Refusal::new(400, message));
        }
        let mut changes = status(if amount < due {
            "partially_paid"
        } else {
            "paid"
        });
        changes.insert("amountPaid".to_owned(), money(paid));
        Ok(changes)
    })?;
    let contact = &before["contactDetails"];
    let transaction = json!({
        "altId": call.location(), "altType": "location", "contactId": contact["id"],
        "contactName": contact["name"], "contactEmail": contact["email"], "currency": before["currency"],
        "amount": money(amount), "liveMode": true, "status": "succeeded", "entityType": "invoice",
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

/// [E] `items` of a new invoice are stored as its `invoiceItems`.
fn rename_items(members: &mut Map<String, Value>) {
    if let Some(items) = members.remove("items") {
        members.insert("invoiceItems".to_owned(), items);
    }
    for name in ["action", "userId", "id"] {
        members.remove(name);
    }
}

/// Total, paid and due, from the items if there are any.
fn sums(invoice: &Value) -> Map<String, Value> {
    let items = invoice["invoiceItems"].as_array();
    let items = items.map_or(&[][..], Vec::as_slice);
    let prices: Vec<f64> = items.iter().map(price).collect();
    let paid = invoice["amountPaid"].as_f64().unwrap_or_default();
    let (subtotal, discount, tax) = if items.is_empty() {
        (invoice["total"].as_f64().unwrap_or_default(), 0.0, 0.0)
    } else {
        let subtotal = prices.iter().sum();
        let discount = discount(&invoice["discount"], items, &prices);
        let share = if subtotal > 0.0 {
            discount / subtotal
        } else {
            0.0
        };
        // [I] a tax applies to the price after the discount.
        let taxes = items.iter().zip(&prices);
        let tax = taxes.map(|(item, price)| price * (1.0 - share) * tax_rate(item));
        (subtotal, discount, tax.sum())
    };
    let total = (subtotal - discount + tax).max(0.0);
    let summary = json!({
        "subTotal": money(subtotal), "discount": money(discount), "tax": money(tax),
    });
    Map::from_iter([
        ("total".to_owned(), money(total)),
        ("amountPaid".to_owned(), money(paid)),
        ("amountDue".to_owned(), money((total - paid).max(0.0))),
        ("totalSummary".to_owned(), summary),
    ])
}

fn price(item: &Value) -> f64 {
    let number = |name: &str| item[name].as_f64().unwrap_or_default();
    number("amount") * number("qty")
}

/// [E] on all items or on some products; never more than their price.
fn discount(discount: &Value, items: &[Value], prices: &[f64]) -> f64 {
    let products = discount["validOnProductIds"].as_array();
    let products = products.filter(|products| !products.is_empty());
    let is_valid =
        |item: &Value| products.is_none_or(|products| products.contains(&item["productId"]));
    let valid = items.iter().zip(prices).filter(|(item, _)| is_valid(item));
    let base: f64 = valid.map(|(_, price)| price).sum();
    let value = discount["value"].as_f64().unwrap_or_default();
    let off = match discount["type"].as_str() {
        Some("fixed") => value,
        _ => base * value / 100.0,
    };
    off.clamp(0.0, base.max(0.0))
}

/// The taxes that are added to the price.
fn tax_rate(item: &Value) -> f64 {
    let taxes = item["taxes"].as_array().into_iter().flatten();
    let taxes = taxes.filter(|_| item["taxInclusive"] != true);
    let rates = taxes.filter_map(|tax| tax["rate"].as_f64());
    rates.sum::<f64>() / 100.0
}

/// Rounded to cents; whole amounts without a fraction.
fn money(amount: f64) -> Value {
    let cents = (amount * 100.0).round();
    #[expect(
        clippy::cast_possible_truncation,
        reason = "an amount without a fraction; what is absurd is cut to the range"
    )]
    if cents % 100.0 == 0.0 {
        json!((cents / 100.0) as i64)
    } else {
        json!(cents / 100.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_come_from_the_items() {
        fn check(invoice: &Value, subtotal: f64, discount: f64, tax: f64, due: f64) {
            let sums = Value::Object(sums(invoice));
            let number = |pointer: &str| sums.pointer(pointer).and_then(Value::as_f64);
            let found = [
                "/totalSummary/subTotal",
                "/totalSummary/discount",
                "/totalSummary/tax",
                "/amountDue",
            ];
            let found = found.map(|pointer| number(pointer).expect("a number"));
            assert_eq!(found, [subtotal, discount, tax, due], "{invoice}");
        }
        let visit = json!({"amount": 50, "qty": 2, "productId": "visit"});
        let crown = json!({"amount": 300.5, "qty": 1, "productId": "crown"});
        let taxed = json!({"amount": 100, "qty": 1, "taxes": [{"rate": 8}, {"rate": 2}]});
        let included =
            json!({"amount": 100, "qty": 1, "taxes": [{"rate": 8}], "taxInclusive": true});
        check(
            &json!({"invoiceItems": [visit, crown]}),
            400.5,
            0.0,
            0.0,
            400.5,
        );
        check(
            &json!({"invoiceItems": [visit, crown], "amountPaid": 100.5}),
            400.5,
            0.0,
            0.0,
            300.0,
        );
        let half = json!({"type": "percentage", "value": 50});
        check(
            &json!({"invoiceItems": [taxed], "discount": half}),
            100.0,
            50.0,
            5.0,
            55.0,
        );
        check(&json!({"invoiceItems": [included]}), 100.0, 0.0, 0.0, 100.0);
        let fixed = json!({"type": "fixed", "value": 150, "validOnProductIds": ["visit"]});
        check(
            &json!({"invoiceItems": [visit, crown], "discount": fixed}),
            400.5,
            100.0,
            0.0,
            300.5,
        );
        check(
            &json!({"invoiceItems": [], "total": 60}),
            60.0,
            0.0,
            0.0,
            60.0,
        );
    }
}

//! Invoices, products and payments.

use super::*;

pub(super) const JOBS: [Job; 4] = [
    Job {
        name: "the last ten transactions over $100",
        calls: 1,
        bytes: 3_000,
        run: |desk| Box::pin(transactions(desk)),
    },
    Job {
        name: "an invoice of $500, sent, $200 in cash",
        calls: 6,
        bytes: 6_000,
        run: |desk| Box::pin(invoice(desk)),
    },
    Job {
        name: "a product with a monthly price",
        calls: 3,
        bytes: 2_500,
        run: |desk| Box::pin(product(desk)),
    },
    Job {
        name: "void an invoice, and no refund",
        calls: 4,
        bytes: 5_000,
        run: |desk| Box::pin(void(desk)),
    },
];

async fn transactions(desk: &mut Desk) {
    let output = json!({
        "fields": ["_id", "amount", "currency", "status", "amountRefunded", "createdAt", "contactName"], "maxItems": 10,
        "allPages": true, "filter": [{"field": "amount", "op": ">", "value": 100}],
    });
    let found = desk
        .read("payments_list-transactions", json!({}), output)
        .await;
    assert!(list(&found, "/data").len() <= 10, "{found}");
}

/// The invoice, and the user to whom its contact is assigned.
async fn make_invoice(desk: &mut Desk) -> (String, Value) {
    let output =
        json!({"fields": ["id", "contactName", "email", "phone", "assignedTo"], "maxItems": 1});
    let found = desk
        .read("contacts_get-contacts", json!({"query": "Ada"}), output)
        .await;
    let contact = &found["contacts"][0];
    let invoice = json!({
        "name": "Whitening", "businessDetails": {"name": "Harbor Dental"}, "currency": "USD",
        "items": [{"name": "Whitening", "qty": 1, "amount": 500, "currency": "USD"}],
        "discount": {"value": 0, "type": "percentage"},
        "contactDetails": {"id": contact["id"], "name": contact["contactName"], "email": contact["email"], "phoneNo": contact["phone"]},
        "issueDate": "2030-01-07", "dueDate": "2030-01-21", "sentTo": {"email": [contact["email"]]}, "liveMode": false,
    });
    let call = json!({"operation": "invoices_create-invoice", "arguments": invoice});
    let made = desk.ask("call_write", call).await;
    (
        text(&made, "/_id").to_owned(),
        contact["assignedTo"].clone(),
    )
}

async fn invoice(desk: &mut Desk) {
    let (id, user) = make_invoice(desk).await;
    let sent = json!({"invoiceId": id, "userId": user, "action": "email", "liveMode": false});
    desk.destroy("invoices_send-invoice", sent).await;
    let paid = json!({"invoiceId": id, "mode": "cash", "amount": 200, "notes": "at the desk"});
    let paid = desk
        .ask(
            "call_write",
            json!({"operation": "invoices_record-invoice-payment", "arguments": paid}),
        )
        .await;
    let left = desk
        .look(
            "call_read",
            json!({"operation": "invoices_get-invoice", "arguments": {"invoiceId": id}}),
        )
        .await;
    assert_eq!(left["amountDue"], 300, "{paid} {left}");
}

async fn product(desk: &mut Desk) {
    let made = desk
        .write(
            "products_create-product",
            json!({"name": "Care plan", "productType": "SERVICE"}),
        )
        .await;
    let product = text(&made, "/_id").to_owned();
    let price = json!({"productId": product, "name": "Monthly", "type": "recurring", "currency": "USD", "amount": 29, "recurring": {"interval": "month", "intervalCount": 1}});
    desk.destroy("products_create-price-for-product", price)
        .await;
}

async fn void(desk: &mut Desk) {
    let found = desk
        .ask(
            "search_operations",
            json!({"queries": ["void invoice", "refund a transaction"], "limit": 2}),
        )
        .await;
    assert!(
        found.to_string().contains("invoices_void-invoice"),
        "{found}"
    );
    let open = desk
        .read(
            "invoices_list-invoices",
            json!({}),
            json!({"maxItems": 1, "fields": ["_id", "status"], "filter": [{"field": "status", "op": "in", "value": ["draft", "sent"]}]}),
        )
        .await;
    let id = text(&open, "/invoices/0/_id").to_owned();
    desk.destroy("invoices_void-invoice", json!({"invoiceId": id}))
        .await;
}

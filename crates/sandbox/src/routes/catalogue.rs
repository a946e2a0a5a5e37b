//! The offers and questions of a location: products with their prices, forms and surveys with their submissions.

use serde_json::{Value, json};

use super::found_records::newest_first;
use super::records::{in_days, make, mentions, of_location};
use crate::call::SandboxCall;
use crate::refusal::Refusal;
use crate::state::{RecordKind, Records};

/// [I] rows if the caller gives no number, and the most.
const PAGE: usize = 20;
const LARGEST_PAGE: usize = 100;

pub(super) fn answer(state: &mut Records, call: &SandboxCall) -> Option<Result<Value, Refusal>> {
    Some(match call.operation.key.as_str() {
        "GET /products/" => Ok(products(state, call)),
        "DELETE /products/{productId}" => delete(state, call),
        "GET /products/{productId}/price" => prices(state, call),
        "POST /products/{productId}/price" => make_price(state, call),
        "GET /forms/" => Ok(asked(state, call, "form", "forms")),
        "GET /surveys/" => Ok(asked(state, call, "survey", "surveys")),
        "GET /forms/submissions" => Ok(submissions(state, call, "formSubmission", "formId")),
        "GET /surveys/submissions" => Ok(submissions(state, call, "surveySubmission", "surveyId")),
        _ => return None,
    })
}

fn products(state: &Records, call: &SandboxCall) -> Value {
    let needle = call.query("search").unwrap_or_default().to_lowercase();
    let found: Vec<&Value> = of_location(state, "product", call.location())
        .filter(|one| mentions(one, &["/name"], &needle))
        .collect();
    let total = found.len();
    json!({"products": page(call, "offset", found), "total": [{"total": total}]})
}

/// Deletes its prices too.
fn delete(state: &mut Records, call: &SandboxCall) -> Result<Value, Refusal> {
    let product = call.path("productId");
    call.record(state, "product", product)?;
    state.remove("product", product);
    state.remove_where("price", |price| price["product"] == product);
    Ok(json!({"status": true}))
}

fn prices(state: &Records, call: &SandboxCall) -> Result<Value, Refusal> {
    let product = call.path("productId");
    call.record(state, "product", product)?;
    let found: Vec<&Value> = of_location(state, "price", call.location())
        .filter(|one| one["product"] == product)
        .collect();
    let total = found.len();
    Ok(json!({"prices": page(call, "offset", found), "total": total}))
}

fn make_price(state: &mut Records, call: &SandboxCall) -> Result<Value, Refusal> {
    let product = call.path("productId");
    call.record(state, "product", product)?;
    let mut members = call.members();
    members.insert("product".to_owned(), json!(product));
    Ok(make(state, call, "price", Value::Object(members)))
}

fn asked(state: &Records, call: &SandboxCall, kind: RecordKind, name: &str) -> Value {
    let found: Vec<&Value> = of_location(state, kind, call.location()).collect();
    let total = found.len();
    json!({name: page(call, "skip", found), "total": total})
}

/// Newest first; pages are counted [E].
fn submissions(state: &Records, call: &SandboxCall, kind: RecordKind, parent: &str) -> Value {
    let needle = call.query("q").unwrap_or_default().to_lowercase();
    let found: Vec<&Value> = newest_first(state, kind, call.location(), "createdAt")
        .filter(|one| {
            call.query(parent)
                .is_none_or(|wanted| one[parent] == *wanted)
                && mentions(one, &["/name", "/email"], &needle)
                && in_days(call, one)
        })
        .collect();
    let total = found.len();
    let limit = call.number("limit").unwrap_or(PAGE).clamp(1, LARGEST_PAGE);
    let current = call.number("page").unwrap_or(1).max(1);
    let start = (current - 1).saturating_mul(limit).min(total);
    let rows: Vec<&Value> = found.into_iter().skip(start).take(limit).collect();
    let mut meta = json!({"total": total, "currentPage": current});
    if start + rows.len() < total {
        meta["nextPage"] = json!(current + 1);
    }
    if current > 1 {
        meta["prevPage"] = json!(current - 1);
    }
    json!({"submissions": rows, "meta": meta})
}

fn page<'v>(call: &SandboxCall, skip: &str, found: Vec<&'v Value>) -> Vec<&'v Value> {
    let limit = call.number("limit").unwrap_or(PAGE).clamp(1, LARGEST_PAGE);
    let skip = call.number(skip).unwrap_or(0);
    found.into_iter().skip(skip).take(limit).collect()
}

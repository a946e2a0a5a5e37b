//! A request as its page shows it: the stored preview, laid out, and a batch in parts.

use jiff::tz::TimeZone;
use serde_json::{Map, Value};

use super::fields::FieldReader;
use crate::catalog::TOOLS;
use crate::http::oauth::SignIn;
use crate::http::pages::approvals::{FieldValue, RequestField, RequestView};
use crate::http::pages::clean::one_line;
use state::approvals::Approval;
use tool::Tool;

/// Calls of a batch on the page of the decision, and on each further page.
pub(super) const FIRST_CALLS: usize = 10;
pub(super) const CALLS_A_PAGE: usize = 25;

/// Longest outcome that is shown as text, in characters.
const LONGEST_OUTCOME: usize = 2_000;

/// The shown calls: the first one's index from 0, and their number.
#[derive(Clone, Copy)]
pub(super) struct CallRange {
    pub from: usize,
    pub count: usize,
}

pub(super) fn view(sign_in: &SignIn, approval: &Approval, range: CallRange) -> RequestView {
    let tool = TOOLS.iter().find(|tool| tool.name == approval.tool);
    let calls = approval.locations.iter().map(|one| one.calls).sum();
    let zone = zone(sign_in, approval);
    lay_out(tool, (&approval.preview, calls), zone, range)
}

/// The records of the call, by name or else by id.
pub(super) fn record_names(sign_in: &SignIn, approval: &Approval) -> Vec<String> {
    let none = CallRange { from: 0, count: 0 };
    let records = view(sign_in, approval, none).about.into_iter();
    records
        .map(|record| record.name.unwrap_or(record.id))
        .collect()
}

/// Lays out a preview of this many calls.
fn lay_out(
    tool: Option<&'static Tool>,
    (preview, calls): (&Value, usize),
    zone: TimeZone,
    range: CallRange,
) -> RequestView {
    let kept = kept_calls(preview);
    let records = preview.get("records").and_then(Value::as_array);
    let records = records.map_or(&[][..], Vec::as_slice);
    let mut reader = FieldReader::new(tool, records, zone);
    let about = match range.from {
        0 => records
            .iter()
            .filter_map(|record| reader.record(record))
            .collect(),
        _ => Vec::new(),
    };
    let mut items = Vec::new();
    for call in kept.iter().skip(range.from).take(range.count) {
        if reader.is_full() {
            break;
        }
        items.push(reader.item(call));
    }
    RequestView {
        about,
        notes: notes(preview, calls),
        items,
        first: range.from.saturating_add(1),
        calls,
        kept: kept.len(),
        is_cut: reader.is_full(),
    }
}

/// The requests in a preview: one, those of a batch, or the first of those for rows.
fn kept_calls(preview: &Value) -> &[Value] {
    match preview {
        Value::Array(calls) => calls,
        one => match (one.get("calls"), one.get("firstRequest")) {
            (Some(Value::Array(calls)), _) => calls,
            (_, Some(first)) => std::slice::from_ref(first),
            _ => std::slice::from_ref(one),
        },
    }
}

/// Further facts about a request, one sentence each.
fn notes(preview: &Value, calls: usize) -> Vec<String> {
    let text = |name: &str| preview.get(name).and_then(Value::as_str);
    let mut notes = Vec::new();
    if let Some(each) = preview.get("each") {
        let operation = each["operation"].as_str().unwrap_or_default();
        let tool = TOOLS.iter().find(|tool| tool.name == operation);
        let title = tool.map_or(operation, |tool| tool.title);
        notes.push(format!(
            "This is done {calls} times, once for each record that matched: {} of {} records that “{}” returned. The \
             first one is shown below. The others differ only in their record.",
            each["matched"],
            each["lookedAt"],
            one_line(title, 80)
        ));
    }
    let skipped = preview.get("skipped").and_then(Value::as_object);
    for (why, count) in skipped.into_iter().flatten() {
        let sentence = match why.as_str() {
            "noValue" => "lack a value that is needed",
            "duplicates" => "would be done twice",
            "doNotDisturb" => "asked not to be contacted",
            "noAddress" => "have no phone number or email address",
            _ => continue,
        };
        notes.push(format!("Left out, because they {sentence}: {count}."));
    }
    let further = [text("unseen"), text("incomplete"), text("cut")];
    notes.extend(
        further
            .into_iter()
            .flatten()
            .map(|note| one_line(note, 300)),
    );
    notes
}

/// The location's zone, for times.
fn zone(sign_in: &SignIn, approval: &Approval) -> TimeZone {
    let alias = approval.locations.first().map(|one| one.location.as_str());
    let snapshot = sign_in.pipeline.snapshot();
    let account = alias.and_then(|alias| snapshot.locations.find(alias));
    let zone = account.and_then(|account| account.configured.timezone.clone());
    zone.unwrap_or(TimeZone::UTC)
}

/// The outcome, field by field if it is an object.
pub(super) fn outcome(outcome: &str) -> Vec<RequestField> {
    let parsed: Option<Map<String, Value>> = serde_json::from_str(outcome).ok();
    match parsed {
        Some(answer) => FieldReader::new(None, &[], TimeZone::UTC).fields(&answer),
        None => vec![RequestField {
            label: "Answer".to_owned(),
            hint: None,
            value: FieldValue::Text(one_line(outcome, LONGEST_OUTCOME)),
        }],
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn call(number: usize) -> Value {
        json!({"method": "POST", "url": "/x", "version": "v", "body": {"n": number}})
    }

    /// The first call's number, and the numbers of all, shown and stored calls; then the notes.
    #[track_caller]
    fn check(preview: &Value, calls: usize, from: usize, expected: [usize; 4], parts: &[&str]) {
        let range = CallRange { from, count: 2 };
        let view = lay_out(None, (preview, calls), TimeZone::UTC, range);
        let shown = [view.first, view.calls, view.items.len(), view.kept];
        assert_eq!(shown, expected, "{preview}");
        assert_eq!(view.notes.len(), parts.len(), "{:?}", view.notes);
        for (note, part) in view.notes.iter().zip(parts) {
            assert!(note.contains(part), "{note}");
        }
        assert!(view.items.iter().all(|item| !item.fields.is_empty()));
    }

    #[test]
    fn every_form_of_a_preview_is_laid_out() {
        let three = Value::Array((0..3).map(call).collect());
        check(&call(1), 1, 0, [1, 1, 1, 1], &[]);
        check(&three, 3, 0, [1, 3, 2, 3], &[]);
        check(&three, 3, 2, [3, 3, 1, 3], &[]);
        check(&three, 3, 9, [10, 3, 0, 3], &[]);
        let named = json!({"records": [{"contactId": "c"}], "calls": three});
        check(&named, 3, 0, [1, 3, 2, 3], &[]);
        let cut = json!({"cut": "90 of its 100 calls are left out.", "calls": [call(1)]});
        check(&cut, 100, 0, [1, 100, 1, 1], &["90 of its 100"]);
        let beginning = json!({"cut": "the beginning of its 9 bytes", "beginning": "{"});
        check(&beginning, 1, 0, [1, 1, 1, 1], &["the beginning"]);
        let each = json!({
            "calls": 28, "records": [], "each": {"operation": "contacts_get-contacts", "lookedAt": 40, "matched": 31},
            "skipped": {"doNotDisturb": 2, "noValue": 1}, "incomplete": "More may match.", "firstRequest": call(1),
        });
        let notes = [
            "28 times, once for each record that matched: 31 of 40",
            "not to be contacted: 2",
            "lack a value that is needed: 1",
            "More may match.",
        ];
        check(&each, 28, 0, [1, 28, 1, 1], &notes);
    }
}

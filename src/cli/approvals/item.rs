//! One waiting call, in words for the person who judges it.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use state::approvals::{Approval, ApprovalState, LocationCount};

use crate::catalog::TOOLS;
use crate::cli::StateFlags;
use crate::cli::known_names::KnownNames;
use crate::cli::output::{CardField, Column, TableRow, Text};
use crate::cli::text::count;

#[derive(Serialize)]
pub(in crate::cli) struct ApprovalItem<'a> {
    id: &'a str,
    state: &'static str,
    tool: &'a str,
    title: Option<&'static str>,
    /// The call's effect, for people.
    does: Option<&'static str>,
    effect: &'a str,
    calls: usize,
    /// The records of the call, with their names.
    records: &'a Value,
    alias: Option<&'a str>,
    location: Option<&'a str>,
    location_name: Option<String>,
    locations: &'a [LocationCount],
    who: &'a str,
    who_name: Option<String>,
    created: Timestamp,
    expires: Timestamp,
    decided: Option<Timestamp>,
    decided_by: Option<&'a str>,
    note: Option<&'a str>,
    preview: &'a Value,
    outcome: Option<&'a str>,
    is_error: bool,
    #[serde(skip)]
    asks: String,
    #[serde(skip)]
    places: Vec<String>,
    #[serde(skip)]
    is_open: bool,
    #[serde(skip)]
    in_sandbox: bool,
}

const NO_RECORDS: &Value = &Value::Null;

impl<'a> ApprovalItem<'a> {
    pub(in crate::cli) fn new(
        approval: &'a Approval,
        names: &KnownNames,
        now: Timestamp,
        of: &StateFlags,
    ) -> Self {
        let tool = TOOLS.iter().find(|tool| tool.name == approval.tool);
        let (alias, id) = (approval.alias.as_deref(), approval.location.as_deref());
        let state = match approval.has_expired(now) {
            true => ApprovalState::Expired,
            false => approval.state,
        };
        let several = approval.locations.len() > 1;
        let place = |one: &LocationCount| {
            // The value is an alias or an id.
            let name = names.location(Some(&one.location), Some(&one.location));
            let place = match name {
                Some(name) if name != one.location => format!("{name} ({})", one.location),
                _ => one.location.clone(),
            };
            match several {
                true => format!("{}: {}", place, count(one.calls, "call")),
                false => place,
            }
        };
        let places = match approval.locations.as_slice() {
            [] => alias.or(id).map(str::to_owned).into_iter().collect(),
            all => all.iter().map(place).collect(),
        };
        Self {
            id: &approval.handle,
            state: state.name(),
            tool: &approval.tool,
            title: tool.map(|tool| tool.title),
            does: tool.map(|tool| tool.description),
            effect: &approval.effect,
            calls: approval.locations.iter().map(|one| one.calls).sum(),
            records: approval.preview.get("records").unwrap_or(NO_RECORDS),
            alias,
            location: id,
            location_name: names.location(alias, id).map(str::to_owned),
            locations: &approval.locations,
            who: &approval.who,
            who_name: names.caller(&approval.who),
            created: approval.created,
            expires: approval.expires,
            decided: approval.decided_at,
            decided_by: approval.decided_by.as_deref(),
            note: approval.note.as_deref(),
            preview: &approval.preview,
            outcome: approval.outcome.as_deref(),
            is_error: approval.is_error,
            asks: names.caller_or_id(&approval.who),
            places,
            is_open: state == ApprovalState::Pending,
            in_sandbox: of.sandbox,
        }
    }

    /// Everything needed to judge it, and everything that would be sent.
    pub(super) fn everything(&self) -> Vec<CardField> {
        let mut fields = self.summary();
        let mut requests = Vec::new();
        for call in self.requests() {
            requests.push(("Sends", address(call).into()));
            let body = call.get("body").filter(|body| !is_empty(body));
            match (body, call.get("method")) {
                (Some(body), _) => lay_out(body, &mut requests),
                (None, Some(_)) => {}
                (None, None) => lay_out(call, &mut requests),
            }
        }
        fields.extend(requests);
        fields.extend(self.next_steps());
        fields
    }

    fn summary(&self) -> Vec<CardField> {
        let state = match self.is_open {
            true => Text::warning(format!("waits until {:.0}", self.expires)),
            false => self.ended(),
        };
        let who = match self.who_name.as_deref() {
            Some(name) => format!("{name} ({})", self.who),
            None => self.who.to_owned(),
        };
        let mut fields = vec![
            ("Id", self.id.into()),
            ("State", state),
            ("Call", self.in_words().into()),
            ("Tool", format!("{} ({})", self.tool, self.effect).into()),
            ("How many", count(self.calls.max(1), "call").into()),
        ];
        for record in self.about() {
            fields.push(("About", record.into()));
        }
        fields.extend([
            ("Location", self.places.join("; ").into()),
            ("Asked by", who.into()),
            ("Asked", format!("{:.0}", self.created).into()),
        ]);
        if let Some(Value::String(cut)) = self.preview.get("cut") {
            fields.push(("Careful", Text::warning(cut.as_str())));
        }
        fields
    }

    /// The commands for the next step.
    fn next_steps(&self) -> Vec<CardField> {
        if !self.is_open {
            return Vec::new();
        }
        let sandbox = if self.in_sandbox { " --sandbox" } else { "" };
        let command = |what: &str| format!("highlevel-mcp approvals {what} {}{sandbox}", self.id);
        vec![
            ("Yes", Text::good(command("approve"))),
            ("No", Text::bad(command("deny"))),
        ]
    }

    fn ended(&self) -> Text {
        let by = self.decided_by.map(|by| format!(" by {by}"));
        let note = self.note.map(|note| format!(": {note}"));
        let outcome = match self.state {
            "done" if self.is_error => ", and the call failed",
            "done" => ", and the call was made",
            "running" => ", and the call is under way",
            _ => "",
        };
        let word = match self.state {
            "done" | "running" => "approved",
            other => other,
        };
        let by = by.unwrap_or_default() + outcome + &note.unwrap_or_default();
        format!("{word}{by}").into()
    }

    /// The tool's title, and what it comes with.
    fn in_words(&self) -> String {
        match (self.title, self.does) {
            (Some(title), Some(does)) => format!("{title}: {does}"),
            _ => self.tool.to_owned(),
        }
    }

    /// The records with their names, one per line.
    fn about(&self) -> Vec<String> {
        let records = self.records.as_array().map(Vec::as_slice);
        let records = records.unwrap_or_default().iter();
        records.filter_map(Value::as_object).map(describe).collect()
    }

    fn requests(&self) -> &[Value] {
        let calls = self.preview.get("calls").and_then(Value::as_array);
        match (self.preview, calls) {
            (Value::Array(calls), _) | (_, Some(calls)) => calls,
            (one, None) => std::slice::from_ref(one.get("firstRequest").unwrap_or(one)),
        }
    }
}

impl TableRow<9> for ApprovalItem<'_> {
    const COLUMNS: [Column; 9] = [
        Column::copied("Id"),
        Column::shortened("State").least(8),
        Column::wrapped("Call"),
        Column::wrapped("About").rank(1),
        Column::shortened("Calls").rank(3),
        Column::wrapped("Location").rank(2),
        Column::shortened("Who").rank(4),
        Column::copied("Expires").rank(5),
        Column::shortened("Tool").rank(6),
    ];

    fn cells(&self) -> [Text; 9] {
        [
            self.id.into(),
            self.state.into(),
            self.title.unwrap_or(self.tool).into(),
            Text::names(self.about()),
            self.calls.to_string().into(),
            Text::names(self.places.iter().map(String::as_str)),
            self.asks.as_str().into(),
            Text::time(self.expires),
            self.tool.into(),
        ]
    }

    fn card(&self) -> Option<Vec<CardField>> {
        let mut fields = self.summary();
        let sandbox = if self.in_sandbox { " --sandbox" } else { "" };
        let look = format!("highlevel-mcp approvals show {}{sandbox}", self.id);
        fields.push(("In full", look.into()));
        fields.extend(self.next_steps());
        Some(fields)
    }
}

/// A record by its name, then its other distinguishing fields.
fn describe(record: &serde_json::Map<String, Value>) -> String {
    let name = record.get("name").and_then(Value::as_str);
    let others = record.iter().filter(|(key, _)| *key != "name");
    let others: Vec<String> = others
        .map(|(key, value)| format!("{key} {}", short(value)))
        .collect();
    match name {
        Some(name) => format!("{name} ({})", others.join(", ")),
        None => others.join(", "),
    }
}

/// A value on one line; an object by its members.
fn short(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Object(all) => {
            let members = all
                .iter()
                .map(|(name, value)| format!("{name} {}", short(value)));
            members.collect::<Vec<_>>().join(" ")
        }
        other => other.to_string(),
    }
}

fn address(call: &Value) -> String {
    let part = |name: &str| call.get(name).and_then(Value::as_str);
    match (part("method"), part("url")) {
        (Some(method), Some(url)) => format!("{method} {url}"),
        _ => "as follows".to_owned(),
    }
}

/// The fields of a body, one per line.
fn lay_out(body: &Value, fields: &mut Vec<CardField>) {
    match body.as_object() {
        Some(all) => {
            for (name, value) in all.iter().filter(|(name, _)| *name != "records") {
                fields.push(("", format!("{name}: {}", short(value)).into()));
            }
        }
        None => fields.push(("", short(body).into())),
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(all) => all.is_empty(),
        Value::Object(all) => all.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cli::table::tests::check_fits;

    fn approval(preview: Value) -> Approval {
        let approval = json!({
            "handle": "apr_rYFS3WxHyfsMCnpdo8Mo", "digest": "d", "tool": "contacts_delete-contact",
            "effect": "destructive", "location": "locBranch00000000005", "alias": "branch-05", "who": "key:28xsrwfb",
            "preview": preview, "created": "2026-11-28T04:48:54Z", "expires": "2999-11-28T05:48:54Z", "state": "pending",
            "decided_at": null, "decided_by": null, "note": null, "claimed_at": null, "outcome": null,
            "locations": (1..=40).map(|number| json!({"location": format!("branch-{number:02}"), "calls": number})).collect::<Vec<_>>(),
        });
        serde_json::from_value(approval).expect("an approval")
    }

    fn item(approval: &Approval) -> ApprovalItem<'_> {
        let store = state::Store::in_memory().expect("a store");
        let config =
            crate::config::Config::load(&crate::config::Flags::default()).expect("settings");
        let names = KnownNames::read(&config, &store).expect("names");
        let of = StateFlags { sandbox: true };
        let now = "2026-11-28T04:50:00Z".parse().expect("a time");
        ApprovalItem::new(approval, &names, now, &of)
    }

    #[test]
    fn a_call_is_shown_with_all_that_is_needed_to_judge_it() {
        let preview = json!({
            "method": "PUT", "url": "https://services.leadconnectorhq.com/contacts/s2fv", "body": {"tags": ["vip"], "email": "a@x.example"},
            "records": [{"contactId": "s2fv6dBtVu9jFsvXGyhm", "name": "Ada \u{1b}Abbott", "deletesToo": {"opportunities": 2}}]
        });
        let approval = approval(preview);
        let item = item(&approval);
        let shown: Vec<String> = item
            .everything()
            .iter()
            .map(|(name, text)| format!("{name}|{}", text.whole()))
            .collect();
        for line in [
            "State|waits until 2999-11-28T05:48:54Z",
            "Tool|contacts_delete-contact (destructive)",
            "How many|820 calls",
            "About|Ada \\u{1b}Abbott (contactId s2fv6dBtVu9jFsvXGyhm, deletesToo opportunities 2)",
            "Asked by|key:28xsrwfb",
            "Sends|PUT https://services.leadconnectorhq.com/contacts/s2fv",
            "|tags: [\"vip\"]",
            "|email: a@x.example",
            "Yes|highlevel-mcp approvals approve apr_rYFS3WxHyfsMCnpdo8Mo --sandbox",
        ] {
            assert!(shown.iter().any(|one| one == line), "no {line}: {shown:#?}");
        }
        let call = shown.iter().find(|line| line.starts_with("Call|"));
        assert!(call.is_some_and(|call| call.len() > 40), "{call:?}");
        assert!(
            shown
                .iter()
                .any(|line| line.contains("branch-40: 40 calls"))
        );
        check_fits(&ApprovalItem::COLUMNS, &[item.cells().into()]);
        let json = serde_json::to_value(&item).expect("JSON");
        assert_eq!(
            (&json["calls"], &json["state"]),
            (&json!(820), &json!("pending"))
        );
    }
}

//! Finds the tools that the token may use: reads are tried, each with minimal arguments; writes never are.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::{CheckMark, Finding};
use crate::call::CallContext;
use crate::call::{Answer, Pipeline};
use crate::upstream::Caller;
use tool::Tool;

/// One read.
struct Probe {
    tool: &'static str,
    /// Arguments that name a record, by kind. An earlier read may have found one.
    records: &'static [(&'static str, ProbeKind)],
    /// Takes `limit`.
    few: bool,
    /// The paths in the answer that name records for later reads.
    tells: &'static [(ProbeKind, &'static str)],
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum ProbeKind {
    Contact,
    Conversation,
    Opportunity,
    User,
    Appointment,
    Order,
}

macro_rules! probes {
    ($($tool:literal [$($name:literal $record:ident)?] $few:literal [$($kind:ident $pointer:literal),*];)*) => {
        &[$(Probe {
            tool: $tool,
            records: &[$(($name, ProbeKind::$record))?],
            few: $few,
            tells: &[$((ProbeKind::$kind, $pointer)),*],
        }),*]
    };
}

/// Every read of the 21, those first that name records for others.
const PROBES: &[Probe] = probes! {
    "locations_get-location" [] false [];
    "locations_get-custom-fields" [] false [];
    "contacts_get-contacts" [] true [Contact "/contacts/0/id", User "/contacts/0/assignedTo"];
    "contacts_get-contact" ["contactId" Contact] false [];
    "contacts_get-all-tasks" ["contactId" Contact] false [];
    "conversations_search-conversation" [] true [Conversation "/conversations/0/id"];
    "conversations_get-messages" ["conversationId" Conversation] true [];
    "opportunities_get-pipelines" [] false [];
    "opportunities_search-opportunity" [] true [Opportunity "/opportunities/0/id", User "/opportunities/0/assignedTo"];
    "opportunities_get-opportunity" ["id" Opportunity] false [];
    "calendars_get-calendar-events" ["userId" User] false [Appointment "/events/0/id"];
    "calendars_get-appointment-notes" ["appointmentId" Appointment] true [];
    "payments_list-transactions" [] true [Order "/data/0/entityId"];
    "payments_get-order-by-id" ["orderId" Order] false [];
};

/// Replaces an unknown record: it has the length of HighLevel's ids and belongs to nobody.
const NOBODY: &str = "doctor00000000000000";

/// One finding per tool. `scopes`: the token's, if it lists them. With an `obstacle` nothing is tried.
pub(super) async fn run(
    pipeline: &Pipeline,
    tools: &[&'static Tool],
    caller: &Caller,
    scopes: Option<&[String]>,
    mut obstacle: Option<&'static str>,
) -> Vec<Finding> {
    let mut told: Vec<(Finding, usize)> = Vec::new();
    let mut place = None;
    let mut untried = 0;
    let mut known: HashMap<ProbeKind, String> = HashMap::new();
    for probe in PROBES {
        let Some(tool) = tools.iter().find(|tool| tool.is_called(probe.tool)) else {
            continue;
        };
        if obstacle.is_some() {
            untried += 1;
            continue;
        }
        let answer = pipeline
            .call(
                tool,
                probe.arguments(&known),
                &CallContext::local(caller.clone()),
            )
            .await;
        let finding = judged(tool, &answer, probe, &known);
        let value: Value = serde_json::from_str(&answer.text).unwrap_or_default();
        if answer.is_error && value["class"] == "auth" {
            obstacle = Some("the token is not accepted");
        }
        if probe.tool == "locations_get-location" && !answer.is_error {
            place = Some(location(&value, caller));
        }
        for (kind, pointer) in probe.tells {
            if let Some(id) = value.pointer(pointer).and_then(Value::as_str) {
                known.entry(*kind).or_insert_with(|| id.to_owned());
            }
        }
        // Each cause is reported once.
        let same = |one: &Finding| one.mark == CheckMark::Fault && one.what == finding.what;
        match told.iter_mut().find(|(one, _)| same(one)) {
            Some((_, more)) => *more += 1,
            None => told.push((finding, 0)),
        }
    }
    let told = told.into_iter().map(|(mut finding, more)| {
        if more > 0 {
            finding.subject += &format!(" and {more} more");
        }
        finding
    });
    let mut findings: Vec<Finding> = place.into_iter().chain(told).collect();
    if let Some(why) = obstacle {
        let subject = match findings.is_empty() {
            true => format!("{untried} reads"),
            false => format!("{untried} other reads"),
        };
        findings.push(Finding::new(CheckMark::Untried, subject, why));
    }
    let rest = tools.iter();
    let rest = rest.filter(|tool| PROBES.iter().all(|probe| probe.tool != tool.name));
    findings.extend(rest.map(|tool| unread(tool, scopes)));
    findings
}

impl Probe {
    fn arguments(&self, known: &HashMap<ProbeKind, String>) -> Map<String, Value> {
        let mut arguments = Map::new();
        for (name, kind) in self.records {
            let id = known.get(kind).map_or(NOBODY, String::as_str);
            arguments.insert((*name).to_owned(), json!(id));
        }
        if self.few {
            arguments.insert("limit".to_owned(), json!(1));
        }
        if self
            .records
            .iter()
            .any(|(_, kind)| *kind == ProbeKind::User)
        {
            let now = Timestamp::now();
            let month = SignedDuration::from_hours(30 * 24);
            arguments.insert("startTime".to_owned(), json!((now - month).to_string()));
            arguments.insert("endTime".to_owned(), json!((now + month).to_string()));
        }
        arguments
    }
}

fn judged(
    tool: &Tool,
    answer: &Answer,
    probe: &Probe,
    known: &HashMap<ProbeKind, String>,
) -> Finding {
    if !answer.is_error {
        return Finding::ok(tool.name, "may be used");
    }
    let made_up = probe
        .records
        .iter()
        .any(|(_, kind)| !known.contains_key(kind));
    let failure: Value = serde_json::from_str(&answer.text).unwrap_or_default();
    // Without a status the call was refused here and never sent, which says nothing about the token.
    let answered = failure["status"].is_number();
    if made_up && answered && matches!(failure["class"].as_str(), Some("not_found" | "invalid")) {
        let what =
            "seems to be allowed. There is no record to test it on, so a made-up one was requested";
        return Finding::ok(tool.name, what);
    }
    let part = |name: &str| failure[name].as_str().unwrap_or_default().to_owned();
    let what = format!("{} {}", part("error"), part("remedy"));
    Finding::fault(tool.name, what.trim())
}

/// Compares name and company of the location with the settings.
fn location(answer: &Value, caller: &Caller) -> Finding {
    let part = |name: &str| answer["location"][name].as_str().unwrap_or("?").to_owned();
    let (id, name, company) = (part("id"), part("name"), part("companyId"));
    match &caller.company {
        Some(set) if set.as_str() != company => {
            let set = set.as_str();
            let what = format!(
                "{name} ({id}) belongs to the company {company}, but HIGHLEVEL_COMPANY_ID is {set}. Correct or unset it"
            );
            Finding::fault("location", what)
        }
        _ => Finding::ok(
            "location",
            format!("{name} ({id}) of the company {company}"),
        ),
    }
}

/// A write is not tried. The finding follows from the token's own list of scopes, if it has one.
fn unread(tool: &Tool, scopes: Option<&[String]>) -> Finding {
    let needed = tool.scopes.join(" or ");
    match scopes {
        Some(scopes)
            if tool
                .scopes
                .iter()
                .any(|one| scopes.iter().any(|has| has == one)) =>
        {
            Finding::ok(
                tool.name,
                format!("not tested, because it writes. The token has {needed}"),
            )
        }
        Some(_) if !tool.scopes.is_empty() => {
            let what = format!("the token lacks {needed}. Add the scope and authorise again");
            Finding::fault(tool.name, what)
        }
        _ => {
            let what = format!("not tested, because it writes. It needs the scope {needed}");
            Finding::new(CheckMark::Untried, tool.name, what)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::surfaces::{OFFICIAL, tools_in};
    use tool::Effect;

    #[test]
    fn every_read_of_the_21_is_tried_and_no_write() {
        let tools = tools_in(OFFICIAL).expect("the 21");
        let reads = tools.iter().filter(|tool| tool.effect == Effect::Read);
        let mut reads: Vec<&str> = reads.map(|tool| tool.name).collect();
        let mut probed: Vec<&str> = PROBES.iter().map(|probe| probe.tool).collect();
        reads.sort_unstable();
        probed.sort_unstable();
        assert_eq!(probed, reads);
    }
}

//! Calls of the audit in the words of their pages.

use std::collections::HashMap;

use crate::catalog::TOOLS;
use crate::http::oauth::SignIn;
use crate::http::oauth::visitor::unavailable;
use crate::http::pages::audit::CallCard;
use crate::http::pages::clean::one_line;
use crate::http::pages::moment::Moment;
use crate::http::pages::notice::PageProblem;
use state::audit::{AuditRecord, RecordState};
use state::events::EventKind;

/// Names of people and keys by id, ended ones included.
pub(super) struct Names {
    people: HashMap<String, String>,
    keys: HashMap<String, String>,
}

impl Names {
    pub(super) async fn new(sign_in: &SignIn) -> Result<Self, PageProblem> {
        let people = sign_in.people.list().await.map_err(unavailable)?;
        let keys = sign_in.pipeline.controls().keys.list().await;
        let keys = keys.map_err(unavailable)?;
        let people = people.into_iter().map(|person| (person.id, person.name));
        let keys = keys.into_iter().map(|key| (key.id, key.name));
        Ok(Self {
            people: people.collect(),
            keys: keys.collect(),
        })
    }

    pub(super) fn row(&self, number: i64, record: &AuditRecord) -> CallCard {
        let call = &record.call;
        let location = call.alias.as_deref().or(call.location.as_deref());
        CallCard {
            number,
            title: match TOOLS.iter().find(|tool| tool.name == call.tool) {
                Some(tool) => tool.title.to_owned(),
                None => one_line(&call.tool, 80),
            },
            tool: one_line(&call.tool, 80),
            time: Moment(call.time),
            outcome: outcome(record),
            is_well: record.state == RecordState::Done && record.outcome.as_deref() == Some("ok"),
            location: location.map_or_else(
                || "no sub-account".to_owned(),
                |location| one_line(location, 80),
            ),
            who: self.who(record),
        }
    }

    /// The party that confirmed a call; for an approval the person who decided, as long as that is known.
    pub(super) async fn confirmer(
        &self,
        sign_in: &SignIn,
        record: &AuditRecord,
    ) -> Result<Option<String>, PageProblem> {
        let confirmation = record.call.confirmation.as_ref();
        let Some(by) = confirmation.and_then(|confirmation| confirmation.by.as_ref()) else {
            return Ok(None);
        };
        // Approvals are stored for a week, events as long as the audit.
        if let Some(approvals) = &sign_in.pipeline.controls().approvals {
            let approval = approvals.get(by).await.map_err(unavailable)?;
            if let Some(name) = approval.and_then(|approval| approval.decided_by) {
                return Ok(Some(name));
            }
        }
        let event = sign_in.events.last(EventKind::ApprovalDecided, by).await;
        let actor = event.map_err(unavailable)?.and_then(|event| event.actor);
        let name = actor.and_then(|id| self.people.get(&id).cloned());
        Ok(Some(name.unwrap_or_else(|| by.clone())))
    }

    /// The client and its holder; the audit's own name if they are no longer known.
    fn who(&self, record: &AuditRecord) -> String {
        let call = &record.call;
        let key = |id: &str| {
            self.keys
                .get(id)
                .map(|name| format!("key {}", one_line(name, 64)))
        };
        let person = |id: &str| self.people.get(id).map(|name| one_line(name, 64));
        let (kind, id) = call.who.split_once(':').unwrap_or_default();
        let holder = match (kind, &call.person, &call.key) {
            ("key", _, _) => key(id),
            (_, Some(id), _) => person(id),
            (_, None, Some(id)) => key(id),
            ("credential", _, _) => Some("a program with its own token".to_owned()),
            _ => None,
        };
        let holder = holder.unwrap_or_else(|| one_line(&call.who, 80));
        match &call.client {
            Some(client) => format!("{}, for {holder}", one_line(client, 60)),
            None => holder,
        }
    }
}

fn outcome(record: &AuditRecord) -> String {
    let known = |text: &Option<String>| text.as_deref().map(|text| one_line(text, 80));
    match record.state {
        RecordState::Begun => {
            "The result is not known. It is still running, or the server stopped meanwhile."
                .to_owned()
        }
        RecordState::Refused => {
            let class = known(&record.call.class).unwrap_or_else(|| "refused".to_owned());
            match known(&record.call.rule) {
                Some(rule) => format!("Refused ({class}): {rule}"),
                None => format!("Refused: {class}"),
            }
        }
        RecordState::Done => match known(&record.outcome).as_deref() {
            Some("ok") => "It worked.".to_owned(),
            Some("cut_off") => "It was cut off. It is not known whether it happened.".to_owned(),
            Some(class) => format!("It did not work: {class}"),
            None => "It ended.".to_owned(),
        },
    }
}

/// Further facts about a call. `by`: the party that confirmed it.
pub(super) fn facts(record: &AuditRecord, by: Option<&str>) -> Vec<(&'static str, String)> {
    let call = &record.call;
    let confirmed = call.confirmation.as_ref().map(|confirmation| {
        let mode = one_line(&confirmation.mode, 40);
        match by {
            Some(by) => format!("by {} ({mode})", one_line(by, 64)),
            None => mode,
        }
    });
    let effect = match call.bulk {
        true => format!("{}, on many records at once", call.effect),
        false => call.effect.clone(),
    };
    let status = record.status.map(|status| status.to_string());
    let line = |text: &Option<String>| text.as_deref().map(|text| one_line(text, 200));
    let rows = [
        ("Effect", Some(one_line(&effect, 80))),
        ("Confirmed", confirmed),
        ("Status", status),
        ("Trace id", line(&record.trace_id)),
        ("Id of the sub-account", line(&call.location)),
        ("Caller", Some(one_line(&call.who, 200))),
        ("Id of the assistant", line(&call.client_id)),
        ("Surface", Some(one_line(&call.surface, 80))),
        ("Size", Some(format!("{} bytes", call.arguments_bytes))),
        ("SHA-256", Some(one_line(&call.arguments_sha256, 64))),
        ("Id", Some(one_line(&call.id, 40))),
    ];
    let known = rows.into_iter();
    known
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
}

/// The id of the person or key of this name; else the text itself is an id.
pub(super) fn holder_id(sign_in: &SignIn, text: &str) -> String {
    let person = sign_in.people.with_name(text).ok().flatten();
    let key = || sign_in.pipeline.controls().keys.with_name(text);
    match person {
        Some(person) => person.id.clone(),
        None => key().map_or_else(|| text.to_owned(), |key| key.id.clone()),
    }
}

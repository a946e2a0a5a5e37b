//! The subject of a consent: all calls of one request, by digest, by location and by the requests they would send.

use std::collections::BTreeMap;
use std::sync::Arc;

use ring::digest::{Context, SHA256};
use serde_json::{Map, Value, json};

use super::each::StrangersInRows;
use super::record_names::{MOST_NAMED, RecordRef};
use super::{AccessRef, Answer, CallContext, Facts, OnError, Pipeline, Validated};
use crate::catalog::masking::mask_secrets;
use crate::upstream::ConfiguredLocation;
use state::approvals::{LocationCount, MOST_PREVIEW, cut_preview};
use tool::Tool;

/// Calls of one operation that are agreed to together.
pub(super) struct Subject {
    /// Those of the first call: credential, rules and location that the request began with.
    facts: Facts,
    principal: [u8; 32],
    calls: usize,
    digest: Context,
    requests: Vec<Value>,
    shown_bytes: usize,
    /// How many calls there are for each location.
    locations: BTreeMap<String, (Option<Arc<ConfiguredLocation>>, usize)>,
    /// What the first calls are about.
    record_refs: Vec<RecordRef>,
    /// The same by name.
    records: Vec<Value>,
    /// What is shown of rows that a read chose, beside the first of the requests.
    chosen: Option<Map<String, Value>>,
    /// Other people's words among what is shown.
    strangers: Option<StrangersInRows>,
    /// Stands for all, where the calls were counted and checked before.
    known_digest: Option<String>,
    /// As it is kept until it is confirmed.
    preparation: Option<Vec<u8>>,
    /// What whoever asks should know of the calls.
    warnings: Vec<String>,
    /// Where they are the items of a batch, what was asked.
    batch: Option<BatchRequest>,
    /// Of the grant that asks, and whether its client can ask its user.
    access: Option<AccessRef>,
    can_ask: bool,
    /// A rule of the operator's has a person decide about one of them.
    operator_asks: bool,
}

/// A batch as it was asked for.
pub(super) struct BatchRequest {
    pub arguments: Map<String, Value>,
    pub items: Vec<Map<String, Value>>,
    pub location: Option<String>,
    pub on_error: OnError,
    pub idempotency_key: Option<String>,
    pub as_highlevel: bool,
}

/// Who agrees sees no password.
fn without_secrets(preview: Value) -> Value {
    let text = mask_secrets(preview.to_string());
    serde_json::from_str(&text).unwrap_or_default()
}

impl Subject {
    pub(super) fn new(pipeline: &Pipeline, context: &CallContext, facts: &Facts) -> Self {
        Self {
            facts: facts.clone(),
            principal: pipeline.principal_digest(&context.principal),
            calls: 0,
            digest: Context::new(&SHA256),
            requests: Vec::new(),
            shown_bytes: 0,
            locations: BTreeMap::new(),
            record_refs: Vec::new(),
            records: Vec::new(),
            chosen: None,
            strangers: None,
            known_digest: None,
            preparation: None,
            warnings: Vec::new(),
            batch: None,
            access: context.principal.access.clone(),
            can_ask: context.elicitation.can_ask(),
            operator_asks: false,
        }
    }

    /// Whether whoever holds the grant that asks may decide about them: no rule but the grant's own has a person do so.
    pub(super) fn holder_decides(&self) -> bool {
        let grant = self.access.as_ref().and_then(AccessRef::terms);
        grant.is_some() && self.calls > 0 && !self.operator_asks
    }

    /// The calls are the items of `batch`.
    pub(super) fn set_batch(&mut self, batch: BatchRequest) {
        self.batch = Some(batch);
    }

    pub(super) fn batch(&self) -> Option<&BatchRequest> {
        self.batch.as_ref()
    }

    /// Adds one call.
    pub(super) fn add(&mut self, validated: &Validated) {
        self.calls += 1;
        self.digest.update(validated.fingerprint().as_bytes());
        self.digest.update(b"\n");
        let facts = validated.facts();
        let location = facts.configured().map(Arc::as_ref);
        let rules = facts.snapshot.rules_over(location, self.access.as_ref());
        self.operator_asks |=
            rules.operator_asks_person(facts.tool, validated.asks_person(), self.can_ask);
        for warning in facts.warnings() {
            if !self.warnings.contains(warning) {
                self.warnings.push(warning.clone());
            }
        }
        let location = facts.location.as_ref();
        let id = location.map_or_else(String::new, |id| id.as_str().to_owned());
        let location = facts.disclosed_location().cloned();
        self.locations.entry(id).or_insert((location, 0)).1 += 1;
        if self.record_refs.len() < MOST_NAMED {
            self.record_refs.extend(RecordRef::in_call(validated));
        }
        if self.requests.is_empty() || self.shown_bytes < MOST_PREVIEW {
            // However large it is, of the first something is shown.
            let preview = cut_preview(&without_secrets(validated.preview()));
            self.shown_bytes += preview.to_string().len();
            if self.requests.is_empty() || self.shown_bytes <= MOST_PREVIEW {
                self.requests.push(preview);
            }
        }
    }

    /// What the first calls are about.
    pub(super) fn record_refs(&self) -> &[RecordRef] {
        &self.record_refs
    }

    /// Says that more is deleted than is counted.
    pub(super) fn note_deleted(&mut self) {
        let are_contacts = self.record_refs.iter().any(RecordRef::is_deleted_contact);
        if are_contacts && self.calls > MOST_NAMED {
            self.warnings.push(format!(
                "A contact's opportunities are deleted with it. They are counted for the first {MOST_NAMED} only."
            ));
        }
    }

    pub(super) fn warnings(&self) -> &[String] {
        &self.warnings
    }

    pub(super) fn set_records(&mut self, records: Vec<Value>) {
        self.records = records;
    }

    pub(super) fn records(&self) -> &[Value] {
        &self.records
    }

    /// The calls are made for rows that a read chose: of their requests the first is shown, and what is told of the rows.
    pub(super) fn set_chosen(&mut self, chosen: Map<String, Value>, records: Vec<Value>) {
        self.requests.truncate(1);
        self.chosen = Some(chosen);
        self.records = records;
    }

    pub(super) fn set_strangers(&mut self, strangers: StrangersInRows) {
        self.strangers = Some(strangers);
    }

    /// Fences other people's words in what the caller is shown.
    pub(super) fn fence(&self, shown: &mut Value) {
        if let Some(strangers) = &self.strangers {
            strangers.fence(shown);
        }
    }

    /// Says what the fences in an answer are.
    pub(super) fn explain_fences(&self, answer: &mut Answer) {
        if let Some(strangers) = &self.strangers {
            strangers.explain(answer);
        }
    }

    pub(super) fn chosen(&self) -> Option<&Map<String, Value>> {
        self.chosen.as_ref()
    }

    /// The calls were agreed to, or asked about, under this digest.
    pub(super) fn set_digest(&mut self, digest: String) {
        self.known_digest = Some(digest);
    }

    /// Who is asked need not send it again.
    pub(super) fn set_preparation(&mut self, preparation: Vec<u8>) {
        self.preparation = Some(preparation);
    }

    pub(super) fn preparation(&self) -> Option<&[u8]> {
        self.preparation.as_deref()
    }

    pub(super) fn tool(&self) -> &'static Tool {
        self.facts.tool
    }

    pub(super) fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Stands for whoever asks, in every process.
    pub(super) fn principal(&self) -> [u8; 32] {
        self.principal
    }

    pub(super) fn calls(&self) -> usize {
        self.calls
    }

    /// Stands for all that is agreed to; the same in every process.
    pub(super) fn digest(&self) -> String {
        match &self.known_digest {
            Some(known) => known.clone(),
            None => state::hex(self.digest.clone().finish().as_ref()),
        }
    }

    /// All that a person who decides is shown: the requests, and the names of the records that they are about.
    pub(super) fn shown(&self) -> Value {
        let requests = self.requests();
        if let Some(chosen) = &self.chosen {
            let mut shown = Map::from_iter([("calls".to_owned(), json!(self.calls))]);
            shown.insert("records".to_owned(), json!(self.records));
            shown.extend(chosen.clone());
            shown.insert("firstRequest".to_owned(), requests);
            return Value::Object(shown);
        }
        match requests {
            requests if self.records.is_empty() => requests,
            Value::Object(mut request) => {
                request.insert("records".to_owned(), json!(self.records));
                Value::Object(request)
            }
            requests => json!({"records": self.records, "calls": requests}),
        }
    }

    /// The requests, or as many as may be shown and a sentence that says so.
    pub(super) fn requests(&self) -> Value {
        match self.requests.as_slice() {
            [one] if self.calls == 1 || self.chosen.is_some() => one.clone(),
            shown if shown.len() < self.calls => {
                let hidden = self.left_off();
                let cut = format!(
                    "The request is too long to be shown: {hidden} of its {} calls are left out.",
                    self.calls
                );
                json!({"cut": cut, "calls": shown})
            }
            all => json!(all),
        }
    }

    /// How many requests are not shown.
    pub(super) fn left_off(&self) -> usize {
        self.calls - self.requests.len()
    }

    /// Every location, with the number of its calls where there are several.
    pub(super) fn locations(&self) -> Vec<Value> {
        let located = self.locations.iter().filter(|(id, _)| !id.is_empty());
        let several = self.locations.len() > 1;
        located
            .map(|(id, (location, calls))| {
                let mut shown = match location {
                    Some(location) => {
                        json!({"alias": location.alias, "name": location.name, "id": id})
                    }
                    None => json!({"id": id}),
                };
                if several {
                    shown["calls"] = json!(calls);
                }
                shown
            })
            .collect()
    }

    /// The same for whoever decides: by alias where there is one; `-` stands for the token's own location.
    pub(super) fn location_counts(&self) -> Vec<LocationCount> {
        let counts = self.locations.iter().map(|(id, (location, calls))| {
            let name = location
                .as_ref()
                .map_or(id.as_str(), |location| &location.alias);
            LocationCount {
                location: if name.is_empty() { "-" } else { name }.to_owned(),
                calls: *calls,
            }
        });
        counts.collect()
    }

    /// The locations in words, each with its number of calls where there are several.
    pub(super) fn describe_locations(&self) -> String {
        let several = self.locations.len() > 1;
        let name =
            |(id, (location, calls)): (&String, &(Option<Arc<ConfiguredLocation>>, usize))| {
                let name = match location {
                    Some(location) => format!("{} ({})", location.name, location.alias),
                    None if id.is_empty() => "the token's own location".to_owned(),
                    None => format!("location {id}"),
                };
                match several {
                    true => format!("{calls} in {name}"),
                    false => format!("in {name}"),
                }
            };
        let names: Vec<String> = self.locations.iter().map(name).collect();
        names.join(", ")
    }
}

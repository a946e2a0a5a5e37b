//! What somebody is asked to agree to: all calls of one request, by digest, by location and by what they would send.

use std::collections::BTreeMap;
use std::sync::Arc;

use ring::digest::{Context, SHA256};
use serde_json::{Map, Value, json};

use super::recipients::{MOST_NAMED, contact_id};
use super::{CallContext, Facts, OnError, Pipeline, Validated};
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
    /// The contacts that the first calls reach.
    contacts: Vec<(Facts, String)>,
    /// What is known of them.
    recipients: Vec<Value>,
    /// What whoever asks should know of the calls.
    warnings: Vec<String>,
    /// Where they are the items of a batch, what was asked.
    batch: Option<BatchRequest>,
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
            contacts: Vec::new(),
            recipients: Vec::new(),
            warnings: Vec::new(),
            batch: None,
        }
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
        for warning in facts.warnings() {
            if !self.warnings.contains(warning) {
                self.warnings.push(warning.clone());
            }
        }
        let location = facts.location.as_ref();
        let id = location.map_or_else(String::new, |id| id.as_str().to_owned());
        let location = facts.disclosed_location().cloned();
        self.locations.entry(id).or_insert((location, 0)).1 += 1;
        if self.contacts.len() < MOST_NAMED
            && let Some(contact) = contact_id(validated)
        {
            self.contacts.push((facts.clone(), contact.to_owned()));
        }
        if self.requests.is_empty() || self.shown_bytes < MOST_PREVIEW {
            // However large it is, of the first something is shown.
            let preview = cut_preview(&validated.preview());
            self.shown_bytes += preview.to_string().len();
            if self.requests.is_empty() || self.shown_bytes <= MOST_PREVIEW {
                self.requests.push(preview);
            }
        }
    }

    /// The contacts that the first calls reach, each with the facts of its call.
    pub(super) fn contacts(&self) -> impl Iterator<Item = (&Facts, &str)> {
        self.contacts.iter().map(|(facts, id)| (facts, id.as_str()))
    }

    pub(super) fn warnings(&self) -> &[String] {
        &self.warnings
    }

    pub(super) fn set_recipients(&mut self, recipients: Vec<Value>) {
        self.recipients = recipients;
    }

    pub(super) fn recipients(&self) -> &[Value] {
        &self.recipients
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
        state::hex(self.digest.clone().finish().as_ref())
    }

    /// The requests, or as many as may be shown and a sentence that says so.
    pub(super) fn requests(&self) -> Value {
        match self.requests.as_slice() {
            [one] if self.calls == 1 => one.clone(),
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

//! `doctor --live-report`: HighLevel's answers to the official tools as names and types, for developers without an
//! account.

mod plan;
mod report;
mod shape;

use std::fs;
use std::path::Path;

use jiff::Timestamp;
use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};

use crate::call::{CallContext, Pipeline};
use crate::catalog::TOOLS;
use crate::cli::CliError;
use crate::cli::version::version;
use crate::config::{Config, DEFAULTS};
use crate::upstream::failure::FailureClass;
use crate::upstream::{Caller, Claims, LocationBinding, Observation};
use ::sandbox::documented_answer;
use plan::{KnownRecords, PlannedCall, READS, WRITES};
use report::{LiveReport, ReportedCall, header_names};
use shape::{ObservedShape, Texts, collect_texts};
use tool::Tool;

const CREATE: &str = "contacts_create-contact";
const DELETE: &str = "contacts_delete-contact";
const LIST: &str = "contacts_get-contacts";

/// The tag that is added to and removed from the throw-away contact.
const TAG: &str = "highlevel-mcp live report";

/// The result of one call, with the account's values.
struct ObservedCall {
    tool: &'static Tool,
    is_made_up: bool,
    class: Option<FailureClass>,
    observation: Option<Observation>,
}

/// The calls of one report.
struct LiveCalls<'a> {
    pipeline: &'a Pipeline,
    context: CallContext,
    known: KnownRecords,
    calls: Vec<ObservedCall>,
}

/// The fate of the throw-away contact.
pub(super) enum ThrowAway {
    NotMade,
    Deleted,
    /// A contact of this name may still exist.
    Left(String),
}

/// Makes the calls and writes the report. With `writes` a contact is made, changed and deleted.
pub(super) async fn write_report(
    (config, pipeline): (&Config, &Pipeline),
    caller: Caller,
    file: &Path,
    writes: bool,
) -> Result<ThrowAway, CliError> {
    pipeline.transport().observe();
    let location = match &caller.location {
        Some(LocationBinding::Pin(id) | LocationBinding::Default(id)) => id.as_str().to_owned(),
        _ => String::new(),
    };
    let mut live = LiveCalls {
        pipeline,
        context: CallContext::local(caller),
        known: KnownRecords::new(),
        calls: Vec::new(),
    };
    for step in READS {
        live.make(step).await;
    }
    let throw_away = if writes {
        live.change_a_contact().await
    } else {
        ThrowAway::NotMade
    };
    let secret = config.account.token.expose_secret();
    let token = match Claims::parse(secret) {
        None => "private integration token",
        Some(claims) => match claims.auth_class.as_deref() {
            Some("Location") => "OAuth, of a location",
            Some("Company") => "OAuth, of a company",
            _ => "OAuth",
        },
    };
    let usual_host = DEFAULTS.contains(&format!("\"{}\"", config.upstream.base_url));
    let report = LiveReport {
        program: version().to_owned(),
        date: Timestamp::now().strftime("%Y-%m-%d").to_string(),
        highlevel: match (pipeline.is_simulated(), usual_host) {
            (true, _) => "the sandbox of this program",
            (false, true) => "HighLevel's own address",
            (false, false) => "another address",
        },
        token,
        writes,
        calls: without_values(live.calls, [secret.to_owned(), location]),
    };
    fs::write(file, report.markdown())
        .map_err(|error| CliError(format!("{} cannot be written: {error}", file.display())))?;
    Ok(throw_away)
}

/// The calls by names and types. A name that is also a text of an answer is not shown.
fn without_values(calls: Vec<ObservedCall>, own: [String; 2]) -> Vec<ReportedCall> {
    let bodies: Vec<Option<Value>> = calls
        .iter()
        .map(|call| serde_json::from_slice(&call.observation.as_ref()?.body).ok())
        .collect();
    let mut texts = Texts::from(own);
    for body in bodies.iter().flatten() {
        collect_texts(body, &mut texts);
    }
    let reported = calls.into_iter().zip(bodies).map(|(call, body)| {
        let tool = call.observation.as_ref().map_or(call.tool, |one| one.tool);
        let status = call.observation.as_ref().map(|one| one.status);
        let is_success = status.is_some_and(|status| (200..300).contains(&status));
        let documented = documented_answer(tool.method, tool.path).filter(|_| is_success);
        let shape = body
            .as_ref()
            .map(|body| ObservedShape::new(body, documented.as_ref(), &texts));
        let differences = shape.as_ref().zip(documented.as_ref());
        ReportedCall {
            tool: call.tool.name,
            method: tool.method,
            path: tool.path,
            status,
            class: call.class.map(FailureClass::name),
            is_made_up: call.is_made_up,
            headers: call
                .observation
                .as_ref()
                .map(|one| header_names(&one.headers, &texts))
                .unwrap_or_default(),
            differences: differences.map(|(shape, documented)| shape.differences(documented)),
            shape,
        }
    });
    reported.collect()
}

impl LiveCalls<'_> {
    async fn make(&mut self, step: &PlannedCall) {
        let (arguments, is_made_up) = step.arguments(&self.known);
        let answer = self.call(step.tool, arguments, is_made_up).await;
        step.learn(&answer, &mut self.known);
    }

    /// HighLevel's answer. A call that needs a confirmation is confirmed: the person at the terminal agreed to all.
    async fn call(
        &mut self,
        name: &str,
        mut arguments: Map<String, Value>,
        is_made_up: bool,
    ) -> Value {
        let Some(tool) = TOOLS.iter().find(|tool| tool.is_called(name)) else {
            return Value::Null;
        };
        let pipeline = self.pipeline;
        let given = arguments.clone();
        let mut answer = pipeline.call(tool, given, &self.context).await;
        if answer.class == Some(FailureClass::NeedsConfirmation) {
            let asked: Value = serde_json::from_str(&answer.text).unwrap_or_default();
            arguments.insert("confirm".to_owned(), asked["confirm"].clone());
            answer = pipeline.call(tool, arguments, &self.context).await;
        }
        let observations = pipeline.transport().take_observations();
        let own = observations
            .into_iter()
            .rfind(|one| one.tool.name == tool.name);
        let body = own
            .as_ref()
            .and_then(|one| serde_json::from_slice(&one.body).ok());
        self.calls.push(ObservedCall {
            tool,
            is_made_up,
            class: answer.class.filter(|_| answer.is_error),
            observation: own,
        });
        body.unwrap_or_default()
    }

    /// Makes a contact, changes it, and deletes it whatever happened meanwhile.
    async fn change_a_contact(&mut self) -> ThrowAway {
        let name = format!("throw-away {}", Timestamp::now().as_millisecond());
        let stopped = tokio::select! {
            () = self.make_and_change(&name) => false,
            _ = tokio::signal::ctrl_c() => true,
        };
        if stopped {
            eprintln!("stopping: the test contact is deleted first");
        }
        if !self.known.contains_key("made") && !self.find(&name).await {
            let created = self.calls.iter().rfind(|call| call.tool.name == CREATE);
            let status = created
                .and_then(|call| call.observation.as_ref())
                .map(|one| one.status);
            // After a refusal there is no contact; after anything else there may be one (even a 422 may have made it).
            return match status {
                Some(400 | 401 | 403 | 404 | 429) => ThrowAway::NotMade,
                _ => ThrowAway::Left(name),
            };
        }
        let Some(id) = self.known.get("made").cloned() else {
            return ThrowAway::Left(name);
        };
        let arguments = Map::from_iter([("contactId".to_owned(), json!(id))]);
        self.call(DELETE, arguments, false).await;
        let last = self.calls.last().map(|call| call.class);
        match last {
            Some(None) => ThrowAway::Deleted,
            _ => ThrowAway::Left(name),
        }
    }

    async fn make_and_change(&mut self, name: &str) {
        // No email and no phone, so that nothing can be sent to it.
        let contact = json!({"firstName": "highlevel-mcp live report", "lastName": name});
        let contact = contact.as_object().cloned().unwrap_or_default();
        let answer = self.call(CREATE, contact, false).await;
        let Some(id) = answer["contact"]["id"].as_str() else {
            return;
        };
        self.known.insert("made", id.to_owned());
        self.known.insert("tag", TAG.to_owned());
        for step in WRITES {
            self.make(step).await;
        }
    }

    /// Looks for a contact after an unusable answer to its creation.
    async fn find(&mut self, name: &str) -> bool {
        let arguments = json!({"query": name, "limit": 20});
        let arguments = arguments.as_object().cloned().unwrap_or_default();
        let answer = self.call(LIST, arguments, false).await;
        let contacts = answer["contacts"].as_array().into_iter().flatten();
        let is_it = |contact: &&Value| {
            let last = contact["lastName"].as_str().unwrap_or_default();
            last.eq_ignore_ascii_case(name)
        };
        let found = contacts.filter(is_it).find_map(|one| one["id"].as_str());
        if let Some(id) = found {
            self.known.insert("made", id.to_owned());
        }
        found.is_some()
    }
}

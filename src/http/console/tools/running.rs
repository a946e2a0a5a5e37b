//! Makes the call of a try through the pipeline, as the person at the console.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use tokio::time::timeout;

use super::tries::{TriedCall, TryOutcome, TryQuestion};
use crate::call::{
    Answer, CallContext, Elicitation, Fences, LOCATION, Options, Pipeline, Principal, Request,
    visible,
};
use crate::catalog::masking::mask_secrets;
use crate::http::oauth::SignIn;
use crate::http::pages::live::duration;
use crate::http::pages::tools::result::{LONGEST_ANSWER, LONGEST_REQUEST, beginning};
use crate::surfaces::{Endpoint, Listing, USUAL};
use crate::upstream::failure::FailureClass;
use policy::{BuiltInRules, NamedRules};
use state::people::Person;
use tool::{Effect, Tool};

/// How long a page waits for a call. A longer call is looked up again.
const LONGEST: Duration = Duration::from_secs(3);

/// The surface of these calls in audit and log.
const SURFACE: &str = "console";

/// The consent to the call of a try.
pub(super) enum TryConsent {
    /// Nobody was asked yet.
    Unasked,
    Given(TryQuestion),
}

pub(super) fn principal(person: &Arc<Person>, rules: BuiltInRules) -> Principal {
    Principal::at_console(Arc::clone(person), &NamedRules::BuiltIn(rules))
}

/// Method and path of the request. Fails with the answer to a call that would not be sent as it is.
pub(super) async fn check(
    pipeline: &Pipeline,
    principal: &Principal,
    (tool, arguments, location): (&'static Tool, &Map<String, Value>, Option<&str>),
) -> Result<Option<String>, Answer> {
    let context = context(principal.clone(), Elicitation::Supported);
    let options = Options {
        location: location.map(str::to_owned),
        dry_run: true,
        ..Options::default()
    };
    let request = Request {
        tool,
        arguments: arguments.clone(),
        options,
        context: &context,
        progress: &|_, _| {},
    };
    let answer = pipeline.execute(request).await;
    if answer.is_error {
        return Err(answer);
    }
    let shown: Value = serde_json::from_str(&answer.text).unwrap_or_default();
    let request = &shown["request"];
    let (method, url) = (request["method"].as_str(), request["url"].as_str());
    Ok(method
        .zip(url)
        .map(|(method, url)| format!("{method} {url}")))
}

/// Makes the call, for as long as it takes.
async fn run(
    pipeline: &Pipeline,
    person: &Arc<Person>,
    call: &TriedCall,
    consent: TryConsent,
) -> TryOutcome {
    let (confirm, elicitation) = match &consent {
        TryConsent::Unasked => (None, Elicitation::Supported),
        TryConsent::Given(question) if question.is_elicited => {
            (None, Elicitation::Accepted(question.token.clone()))
        }
        TryConsent::Given(question) => (Some(question.token.clone()), Elicitation::Supported),
    };
    let context = context(principal(person, call.rules), elicitation);
    let fences = pipeline.fences(call.tool);
    let options = Options {
        output: (!is_listed(call.tool)).then(Default::default),
        location: call.location.clone(),
        confirm,
        idempotency_key: (call.tool.effect != Effect::Read).then(|| call.id.clone()),
        fences: fences.clone(),
        ..Options::default()
    };
    let request = Request {
        tool: call.tool,
        arguments: call.arguments.clone(),
        options,
        context: &context,
        progress: &|_, _| {},
    };
    let start = Instant::now();
    let answer = pipeline.execute(request).await;
    let took = duration(start.elapsed());
    outcome(&answer, &took, fences.as_deref(), consent)
}

/// Starts the call and waits a while for it. It goes on if the person leaves.
pub(super) async fn start(
    sign_in: &Arc<SignIn>,
    person: &Arc<Person>,
    call: Arc<TriedCall>,
    consent: TryConsent,
) {
    let (sign_in, person) = (Arc::clone(sign_in), Arc::clone(person));
    let running = tokio::spawn(async move {
        let outcome = run(&sign_in.pipeline, &person, &call, consent).await;
        sign_in.tries.finish(&call.id, outcome);
    });
    // A longer call is looked up again.
    let _ = timeout(LONGEST, running).await;
}

fn context(principal: Principal, elicitation: Elicitation) -> CallContext {
    CallContext {
        surface: SURFACE.to_owned(),
        elicitation,
        ..CallContext::with_principal(principal)
    }
}

/// The request of an assistant at `/mcp` for the same call.
pub(super) fn request_text(
    tool: &Tool,
    arguments: &Map<String, Value>,
    location: Option<&str>,
) -> String {
    let endpoint = Endpoint::parse(USUAL).ok();
    let runner = endpoint.and_then(|endpoint| endpoint.runner(tool));
    let location = location.map(|location| (LOCATION.to_owned(), json!(location)));
    let (name, arguments) = match runner.filter(|_| !is_listed(tool)) {
        None => {
            let all = arguments.clone().into_iter().chain(location);
            (tool.name, all.collect::<Map<String, Value>>())
        }
        Some(runner) => {
            let mut around = Map::new();
            around.insert("operation".to_owned(), json!(tool.name));
            around.insert("arguments".to_owned(), json!(arguments));
            around.extend(location);
            (runner, around)
        }
    };
    let request = json!({
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": name, "arguments": arguments},
    });
    mask_secrets(serde_json::to_string_pretty(&request).unwrap_or_default())
}

/// Whether `/mcp` lists the tool itself, and not only a tool that runs it.
fn is_listed(tool: &Tool) -> bool {
    let endpoint = Endpoint::parse(USUAL).ok();
    let found = endpoint
        .as_ref()
        .and_then(|endpoint| endpoint.resolve(tool.name));
    found.is_some_and(|(_, listing)| matches!(listing, Listing::Tool(_)))
}

fn outcome(
    answer: &Answer,
    took: &str,
    fences: Option<&Fences>,
    consent: TryConsent,
) -> TryOutcome {
    let parsed: Option<Value> = serde_json::from_str(&answer.text).ok();
    let asked = match answer.class {
        Some(FailureClass::NeedsConfirmation) => question(answer, parsed.as_ref(), consent),
        _ => None,
    };
    let pretty = parsed.and_then(|value| serde_json::to_string_pretty(&value).ok());
    let pretty = pretty.unwrap_or_else(|| answer.text.clone());
    let text = visible(&pretty);
    let shown = beginning(&text, LONGEST_ANSWER);
    let marks = fences.filter(|fences| fences.has_marked());
    let file = answer.file();
    TryOutcome {
        sentence: sentence(answer, took),
        is_error: answer.is_error,
        is_cut: shown.len() < text.len(),
        text: shown.to_owned(),
        marks: marks.map(|fences| {
            let (opening, closing) = fences.marks();
            (opening.to_owned(), closing.to_owned())
        }),
        file: file.map(|file| {
            let (bytes, media) = (file.bytes.len(), &file.media_type);
            format!("The answer is a file of {bytes} bytes ({media}). It is not shown here.")
        }),
        asked,
    }
}

fn question(answer: &Answer, preview: Option<&Value>, consent: TryConsent) -> Option<TryQuestion> {
    let text = |name: &str| Some(preview?.get(name)?.as_str()?.to_owned());
    let shown = |name: &str| {
        let value = preview.and_then(|preview| preview.get(name));
        let pretty = value.and_then(|value| serde_json::to_string_pretty(value).ok());
        beginning(&visible(&pretty.unwrap_or_default()), LONGEST_REQUEST).to_owned()
    };
    let (about, shown) = (shown("records"), shown("request"));
    if let Some(question) = &answer.question {
        return Some(TryQuestion {
            about,
            preview: shown,
            token: question.token.clone(),
            is_elicited: true,
            approve_at: None,
        });
    }
    match (text("confirm"), consent) {
        (Some(token), _) => Some(TryQuestion {
            about,
            preview: shown,
            token,
            is_elicited: false,
            approve_at: text("approveAt"),
        }),
        // Nobody has decided yet: the earlier question stays.
        (None, TryConsent::Given(question)) => Some(question),
        (None, TryConsent::Unasked) => None,
    }
}

/// The result in words: outcome, status, duration and number of attempts.
fn sentence(answer: &Answer, took: &str) -> String {
    let mut text = match answer.is_error {
        true => answer.sentence(),
        false => "It worked.".to_owned(),
    };
    if let Some(status) = answer.status {
        text.push_str(&format!(" The status is {status}."));
    }
    text.push_str(&format!(" It took {took}"));
    text.push_str(&match answer.retries {
        0 => ".".to_owned(),
        1 => ", at the second attempt.".to_owned(),
        more => format!(", after {more} more attempts."),
    });
    text
}

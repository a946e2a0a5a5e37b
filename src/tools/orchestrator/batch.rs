//! One operation for many argument objects, one after the other, within HighLevel's limits.

use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::Request;
use super::call::{Given, one};
use crate::highlevel::Failure;
use crate::highlevel::failure::Class;
use crate::runtime::tool::Effect;
use crate::tools::dispatch::{Answer, Permit, Planned};

/// Most calls in one batch.
const MOST: usize = 100;

/// A batch ends after this long: clients give up on a tool after a minute.
const LONGEST: Duration = Duration::from_secs(50);

/// What happens to the calls after one that failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnError {
    #[default]
    Stop,
    Continue,
}

/// Is told how many of how many calls are done.
pub type Progress = Box<dyn Fn(usize, usize) + Send + Sync>;

/// The arguments of each call: those of the item over those that all have in common.
pub fn calls(
    common: &Map<String, Value>,
    items: &[Map<String, Value>],
) -> Result<Vec<Map<String, Value>>, Failure> {
    if items.is_empty() || items.len() > MOST {
        let what = format!(
            "items must hold 1 to {MOST} argument objects, not {}.",
            items.len()
        );
        return Err(Failure::new(Class::Invalid, what));
    }
    let over = |item: &Map<String, Value>| {
        let mut arguments = common.clone();
        arguments.extend(item.clone());
        arguments
    };
    Ok(items.iter().map(over).collect())
}

/// Runs `calls`, and tells the outcome of each, in no more bytes than any answer may have: what was read and finds no
/// room is left for the next batch, what was written is told without HighLevel's answer.
pub async fn run(
    calls: Vec<Planned>,
    given: &Given,
    request: &Request<'_>,
    permit: &Permit,
) -> Answer {
    let (started, many) = (Instant::now(), calls.len());
    let room = request.dispatch.max_answer_bytes();
    let mut outcomes: Vec<String> = Vec::new();
    let (mut failed, mut taken) = (0, 0);
    let mut stopped = None;
    for (index, call) in calls.into_iter().enumerate() {
        let reads = call.tool.effect == Effect::Read;
        let answer = patiently(call, index, started, given, request, permit).await;
        let mut told = outcome(index, &answer);
        let fits = answer.is_error || index == 0 || taken + told.len() <= room;
        if !fits && reads {
            stopped = Some("The answer is full (output.fields makes it smaller)");
            break;
        }
        (request.progress)(index + 1, many);
        if !fits {
            let bytes = answer.text.len();
            let note = format!("HighLevel's answer of {bytes} bytes has no room here.");
            told = json!({"item": index, "ok": true, "withheld": note}).to_string();
        }
        taken += told.len();
        outcomes.push(told);
        failed += usize::from(answer.is_error);
        if answer.is_error && given.on_error == OnError::Stop {
            stopped = Some("An item failed");
            break;
        }
        if started.elapsed() > LONGEST {
            stopped = Some("The time of one call is used up");
            break;
        }
    }
    let run = outcomes.len();
    let stopped = stopped.filter(|_| run < many);
    // A key stands for an item by its place.
    let key = given.idempotency_key.as_ref();
    let key = key.map_or("", |_| ", under another idempotencyKey");
    let stopped = stopped.map_or_else(String::new, |why| {
        let told = format!("{why}; call again with the items from {run} on{key}.");
        format!(",\"stopped\":{}", json!(told))
    });
    let text = format!(
        "{{\"done\":{},\"failed\":{failed},\"notRun\":{}{stopped},\"outcomes\":[{}]}}",
        run - failed,
        many - run,
        outcomes.join(",")
    );
    Answer {
        is_error: failed > 0,
        ..Answer::text(text)
    }
}

/// One call, made again when it may go where the limit held it back: such a refusal was never sent.
async fn patiently(
    call: Planned,
    index: usize,
    started: Instant,
    given: &Given,
    request: &Request<'_>,
    permit: &Permit,
) -> Answer {
    let key = given.idempotency_key.as_ref();
    let key = key.map(|key| format!("{key}#{index}"));
    loop {
        let key = key.as_deref();
        let answer = one(call.clone(), Some(&given.output), key, request, permit).await;
        let wait = answer
            .retry_after
            .filter(|wait| started.elapsed() + *wait < LONGEST);
        match wait {
            Some(wait) => tokio::time::sleep(wait).await,
            None => return answer,
        }
    }
}

fn outcome(index: usize, answer: &Answer) -> String {
    let name = if answer.is_error { "error" } else { "answer" };
    let told = serde_json::from_str::<Box<RawValue>>(&answer.text);
    let told = told.map_or_else(
        |_| json!(answer.text).to_string(),
        |raw| raw.get().to_owned(),
    );
    let ok = !answer.is_error;
    format!("{{\"item\":{index},\"ok\":{ok},\"{name}\":{told}}}")
}

//! One operation for many argument objects, one after the other, within HighLevel's limits.

use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::Request;
use super::call::{Given, one};
use crate::highlevel::Failure;
use crate::highlevel::failure::Class;
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

/// Runs `calls`, and tells the outcome of each.
pub async fn run(
    calls: Vec<Planned>,
    given: &Given,
    request: &Request<'_>,
    permit: &Permit,
) -> Answer {
    let (started, many) = (Instant::now(), calls.len());
    let mut outcomes = Vec::new();
    let mut failed = 0;
    for (index, call) in calls.into_iter().enumerate() {
        let key = given
            .idempotency_key
            .as_ref()
            .map(|key| format!("{key}#{index}"));
        let answer = loop {
            let key = key.as_deref();
            let answer = one(call.clone(), Some(&given.output), key, request, permit).await;
            // A refusal at the limit was never sent; it says when to come back.
            let wait = answer
                .retry_after
                .filter(|wait| started.elapsed() + *wait < LONGEST);
            match wait {
                Some(wait) => tokio::time::sleep(wait).await,
                None => break answer,
            }
        };
        let name = if answer.is_error { "error" } else { "answer" };
        failed += usize::from(answer.is_error);
        let told = serde_json::from_str::<Box<RawValue>>(&answer.text);
        let told = told.map_or_else(
            |_| json!(answer.text).to_string(),
            |raw| raw.get().to_owned(),
        );
        outcomes.push(format!(
            "{{\"item\":{index},\"ok\":{},\"{name}\":{told}}}",
            !answer.is_error
        ));
        (request.progress)(index + 1, many);
        let out_of_time = started.elapsed() > LONGEST;
        if (answer.is_error && given.on_error == OnError::Stop) || out_of_time {
            break;
        }
    }
    let not_run = many - outcomes.len();
    let text = format!(
        "{{\"done\":{},\"failed\":{failed},\"notRun\":{not_run},\"outcomes\":[{}]}}",
        outcomes.len() - failed,
        outcomes.join(",")
    );
    Answer {
        is_error: failed > 0,
        ..Answer::text(text)
    }
}

//! One call's answer: a single one as it came, or the pages of a list gathered.

use serde_json::{Map, Value, json};

use super::Dispatch;
use crate::highlevel::{Caller, Failure, Reply};
use crate::runtime::tool::{Effect, Tool};
use crate::telemetry::CallWatch;
use crate::tools::output::{Gathered, Output, most_rows_a_page, next_page};
use crate::tools::read_back::Sent;
use crate::tools::shape::shape;

impl Dispatch {
    pub(super) async fn answer(
        &self,
        tool: &'static Tool,
        given: Map<String, Value>,
        caller: &Caller,
        watch: &mut CallWatch,
        location: &mut Option<String>,
    ) -> Result<Got, Failure> {
        let sent = Sent::of(tool, &given);
        let reply = self.reply(tool, given, caller, watch, location).await?;
        let got = Got::of(&reply);
        let text = shape(tool, reply.body, self.0.max_answer_bytes)?;
        // Few calls send what may be dropped; only their answers are read.
        let read = sent.and_then(|sent| Some((sent, serde_json::from_str(&text).ok()?)));
        let text = match read {
            Some((sent, answer)) => sent.warned(text, &answer),
            None => text,
        };
        Ok(Got { text, ..got })
    }

    /// Follows the pages that `output` wants. What was read before a page failed is answered, with the
    /// reason why it is not all.
    pub(super) async fn listed(
        &self,
        tool: &'static Tool,
        given: Map<String, Value>,
        output: &Output,
        caller: &Caller,
        watch: &mut CallWatch,
        location: &mut Option<String>,
    ) -> Result<Got, Failure> {
        let most = self.0.max_answer_bytes;
        // A page is another call: what writes happens once, whatever its answer holds.
        let pages = match tool.effect {
            Effect::Read => output.pages(self.0.transport.calls_per_interval() / 2),
            _ => 1,
        };
        let mut arguments = self.0.checker.named(tool, given);
        if pages > 1
            && let Some((size, rows)) = most_rows_a_page(tool)
        {
            arguments.entry(size).or_insert_with(|| json!(rows));
        }
        let mut gathered = Gathered::default();
        loop {
            let replied = self.reply(tool, arguments.clone(), caller, watch, location);
            let reply = match replied.await {
                Ok(reply) => reply,
                Err(failure) if gathered.pages > 0 => {
                    gathered.stopped = Some(failure.sentence);
                    return Ok(Got {
                        text: output.list(tool, gathered, most)?,
                        ..Got::default()
                    });
                }
                Err(failure) => return Err(failure),
            };
            let got = Got::of(&reply);
            let Ok(answer) = serde_json::from_str::<Value>(&reply.body) else {
                return Ok(Got {
                    text: shape(tool, reply.body, most)?,
                    ..got
                });
            };
            if !output.gather(tool, &answer, &mut gathered) {
                let text = shape(tool, output.record(tool, &answer), most)?;
                let text = match Sent::of(tool, &arguments) {
                    Some(sent) => sent.warned(text, &answer),
                    None => text,
                };
                return Ok(Got { text, ..got });
            }
            let next = next_page(tool, &arguments, &answer);
            let ends = output.is_enough(&gathered) || gathered.pages >= pages;
            match next {
                Some(next) if !ends => arguments.extend(next),
                next => {
                    gathered.next = next;
                    return Ok(Got {
                        text: output.list(tool, gathered, most)?,
                        ..got
                    });
                }
            }
        }
    }

    async fn reply(
        &self,
        tool: &'static Tool,
        given: Map<String, Value>,
        caller: &Caller,
        watch: &mut CallWatch,
        location: &mut Option<String>,
    ) -> Result<Reply, Failure> {
        let (request, call) = self.request(tool, given, caller)?;
        if let Some(named) = &call.location {
            watch.located(named.as_str());
            *location = Some(named.as_str().to_owned());
        }
        self.0.transport.execute(&call, request).await
    }
}

/// What a call brought.
#[derive(Default)]
pub(super) struct Got {
    pub text: String,
    pub status: Option<u16>,
    pub retries: u8,
    pub trace_id: Option<String>,
}

impl Got {
    /// Of the last page; its text comes later.
    fn of(reply: &Reply) -> Self {
        Self {
            text: String::new(),
            status: Some(reply.status),
            retries: reply.retries,
            trace_id: reply.trace_id.clone(),
        }
    }
}

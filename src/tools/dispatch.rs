//! The one way to call a tool: check the arguments, bind the location, prepare, send, shape.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::config;
use crate::highlevel::failure::Class;
use crate::highlevel::{Call, Caller, Digest, Failure, Reply, Transport};
use crate::runtime::body;
use crate::runtime::prepare::PrepareError;
use crate::runtime::tool::{Effect, Tool};
use crate::telemetry::{CallWatch, End, Parent, Telemetry};
use crate::tools::arguments::{Checker, Rejection, location_on_the_wire};
use crate::tools::orchestrator::{Confirmations, Once};
use crate::tools::output::{Gathered, Output, most_rows_a_page, next_page};
use crate::tools::read_back;
use crate::tools::shape::shape;

/// Calls tools. Cheap to clone; one for the whole process.
#[derive(Clone)]
pub struct Dispatch(Arc<Inner>);

struct Inner {
    transport: Transport,
    checker: Checker,
    max_answer_bytes: usize,
    telemetry: Telemetry,
    ignored_arguments: Vec<String>,
    once: Once,
    confirmations: Confirmations,
}

/// The argument that says what an answer is to hold.
const OUTPUT: &str = "output";

/// What a client gets: one text block.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    pub text: String,
    pub is_error: bool,
    /// The location that the call was for, where that is known.
    pub location: Option<String>,
    /// HighLevel's status and its own id of the call, where it answered.
    pub status: Option<u16>,
    pub trace_id: Option<String>,
    /// When a call that was refused at the limit may come back.
    pub retry_after: Option<Duration>,
    /// It failed before anything reached HighLevel, or HighLevel refused it at the limit.
    pub was_never_sent: bool,
}

impl Answer {
    pub fn text(text: String) -> Self {
        Self {
            text,
            ..Self::default()
        }
    }

    pub fn error(text: String) -> Self {
        Self {
            text,
            is_error: true,
            ..Self::default()
        }
    }

    pub fn failed(failure: &Failure) -> Self {
        let limited = failure.class == Class::RateLimited;
        Self {
            status: failure.status,
            trace_id: failure.trace_id.clone(),
            retry_after: failure
                .retry_after_ms
                .filter(|_| limited)
                .map(Duration::from_millis),
            was_never_sent: limited || (failure.status.is_none() && failure.class.is_callers()),
            ..Self::error(failure.text())
        }
    }
}

impl Dispatch {
    /// Fails where the system gives no random numbers.
    pub fn new(
        tools: &'static [Tool],
        transport: Transport,
        settings: &config::Tools,
        telemetry: Telemetry,
    ) -> Result<Self, String> {
        Ok(Self(Arc::new(Inner {
            telemetry,
            transport,
            checker: Checker::new(tools, settings.ignored_arguments.clone()),
            max_answer_bytes: settings.max_answer_bytes,
            ignored_arguments: settings.ignored_arguments.clone(),
            once: Once::default(),
            confirmations: Confirmations::new()?,
        })))
    }

    /// Calls `tool`; `parent` is the client's span. Dropping the future ends the call to HighLevel. An
    /// `output` among the arguments says what the answer is to hold, unless the tool has one of its own.
    pub async fn call(
        &self,
        tool: &'static Tool,
        mut arguments: Map<String, Value>,
        caller: &Caller,
        parent: &Parent,
    ) -> Answer {
        let own = tool.arguments.iter().any(|one| one.name == OUTPUT);
        let output = match arguments.remove(OUTPUT).filter(|_| !own) {
            None => None,
            Some(Value::String(text)) => Some(serde_json::from_str(&text)),
            Some(given) => Some(serde_json::from_value(given)),
        };
        match output.transpose() {
            Ok(output) => {
                self.call_with(tool, arguments, output.as_ref(), caller, parent)
                    .await
            }
            Err(error) => {
                let what = format!("Nothing was sent: output is not of its form: {error}.");
                Answer::failed(&Failure::new(Class::Invalid, what))
            }
        }
    }

    /// Calls `tool`; what is in `output` decides which of the answer comes back, and in what form.
    pub async fn call_with(
        &self,
        tool: &'static Tool,
        arguments: Map<String, Value>,
        output: Option<&Output>,
        caller: &Caller,
        parent: &Parent,
    ) -> Answer {
        let mut watch = self.0.telemetry.call(tool.name, tool.effect.name(), parent);
        let mut location = None;
        let answered = match output {
            None => {
                self.answer(tool, arguments, caller, &mut watch, &mut location)
                    .await
            }
            Some(output) => {
                self.listed(tool, arguments, output, caller, &mut watch, &mut location)
                    .await
            }
        };
        match answered {
            Ok((text, end)) => {
                watch.end("ok", end);
                Answer {
                    status: end.status,
                    location,
                    ..Answer::text(text)
                }
            }
            Err(failure) => {
                let end = End {
                    status: failure.status,
                    retries: failure.retries,
                    trace_id: failure.trace_id.as_deref(),
                };
                watch.end(failure.class.name(), end);
                Answer {
                    location,
                    ..Answer::failed(&failure)
                }
            }
        }
    }

    pub fn telemetry(&self) -> &Telemetry {
        &self.0.telemetry
    }

    pub fn transport(&self) -> &Transport {
        &self.0.transport
    }

    /// Calls that may not happen twice.
    pub fn once(&self) -> &Once {
        &self.0.once
    }

    pub fn confirmations(&self) -> &Confirmations {
        &self.0.confirmations
    }

    /// What stands for the caller's credential in this process.
    pub fn digest(&self, caller: &Caller) -> Digest {
        self.0.transport.digest(caller)
    }

    /// Whether clients add an argument of this name by themselves.
    pub fn is_ignored(&self, name: &str) -> bool {
        self.0.ignored_arguments.iter().any(|one| one == name)
    }

    /// Whether HighLevel is the built-in sandbox.
    pub fn is_simulated(&self) -> bool {
        self.0.transport.is_simulated()
    }

    /// The request that a call would send, without the credential; nothing is sent.
    pub fn dry_run(
        &self,
        tool: &'static Tool,
        arguments: Map<String, Value>,
        caller: &Caller,
    ) -> Result<Value, Failure> {
        let (request, call) = self.request(tool, arguments, caller)?;
        let request = self.0.transport.ready(&call, request)?;
        let body = request.body().and_then(reqwest::Body::as_bytes);
        let body = body.map(|body| serde_json::from_slice::<Value>(body).unwrap_or_default());
        Ok(json!({
            "method": request.method().as_str(),
            "url": request.url().as_str(),
            "version": call.version,
            "body": body,
        }))
    }

    fn request<'a>(
        &self,
        tool: &'static Tool,
        given: Map<String, Value>,
        caller: &'a Caller,
    ) -> Result<(reqwest::Request, Call<'a>), Failure> {
        let (tool, version) = tool.edition(self.0.transport.preferred());
        let arguments = self.0.checker.check(tool, given, caller)?;
        let mut request = (tool.prepare)(self.0.transport.upstream(), &arguments)?;
        body::write(tool, &arguments, &mut request)?;
        let named = location_on_the_wire(tool, &arguments);
        let call = Call {
            tool,
            version,
            caller,
            names_location: named.is_some(),
            location: named.or_else(|| Some(caller.location.as_ref()?.location().clone())),
        };
        Ok((request, call))
    }

    async fn answer(
        &self,
        tool: &'static Tool,
        given: Map<String, Value>,
        caller: &Caller,
        watch: &mut CallWatch,
        location: &mut Option<String>,
    ) -> Result<(String, End<'static>), Failure> {
        let sent = tool
            .read_back
            .as_ref()
            .and_then(|back| read_back::sent(back, &given));
        let reply = self.reply(tool, given, caller, watch, location).await?;
        let end = end_of(&reply);
        let text = shape(tool, reply.body, self.0.max_answer_bytes)?;
        let text = match (&tool.read_back, sent) {
            (Some(back), Some(sent)) => read_back::warned(back, &sent, text),
            _ => text,
        };
        Ok((text, end))
    }

    /// Follows the pages that `output` wants. What was read before a page failed is answered, with the
    /// reason why it is not all.
    async fn listed(
        &self,
        tool: &'static Tool,
        given: Map<String, Value>,
        output: &Output,
        caller: &Caller,
        watch: &mut CallWatch,
        location: &mut Option<String>,
    ) -> Result<(String, End<'static>), Failure> {
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
                    return Ok((output.list(tool, gathered, most), End::default()));
                }
                Err(failure) => return Err(failure),
            };
            let end = end_of(&reply);
            let Ok(answer) = serde_json::from_str::<Value>(&reply.body) else {
                return Ok((shape(tool, reply.body, most)?, end));
            };
            if !output.gather(tool, &answer, &mut gathered) {
                let text = shape(tool, output.record(tool, &answer), most)?;
                let sent = tool
                    .read_back
                    .as_ref()
                    .and_then(|back| read_back::sent(back, &arguments));
                return Ok(match (&tool.read_back, sent) {
                    (Some(back), Some(sent)) => {
                        (read_back::warned_by(back, &sent, text, &answer), end)
                    }
                    _ => (text, end),
                });
            }
            let next = next_page(tool, &arguments, &answer);
            let ends = output.is_enough(&gathered) || gathered.pages >= pages;
            match next {
                Some(next) if !ends => arguments.extend(next),
                next => {
                    gathered.next = next;
                    return Ok((output.list(tool, gathered, most), end));
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

fn end_of(reply: &Reply) -> End<'static> {
    End {
        status: Some(reply.status),
        retries: reply.retries,
        trace_id: None,
    }
}

impl From<Rejection> for Failure {
    fn from(rejection: Rejection) -> Self {
        if rejection.is_foreign_tenant() {
            Self::new(Class::Location, rejection.sentence())
        } else {
            Self::new(Class::Invalid, rejection.sentence())
        }
    }
}

impl From<PrepareError> for Failure {
    fn from(error: PrepareError) -> Self {
        Self::new(Class::Refused, error.to_string())
    }
}

//! The one way to call a tool: check the arguments, bind the location, prepare, send, shape.

mod account;
mod answer;
mod ask;
mod confirm;
mod governance;
mod once;
mod pages;
mod permit;
mod webhook;

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::call::CallContext;
use crate::config;
use crate::highlevel::failure::Class;
use crate::highlevel::{Call, Caller, Digest, Failure, TenantId, Transport};
use crate::runtime::arguments::Arguments;
use crate::runtime::body;
use crate::runtime::prepare::PrepareError;
use crate::runtime::tool::{Effect, Tool};
use crate::telemetry::{End, Telemetry};
use crate::tools::arguments::{Checker, Rejection, location_on_the_wire};
use crate::tools::output::Output;

pub use account::{LOCATION, Planned};
pub use answer::{Answer, Question};
pub use confirm::Confirmations;
pub use governance::Governance;
pub use once::Once;
pub use permit::Permit;
pub use webhook::Webhook;

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
    governance: Governance,
}

/// The argument that says what an answer is to hold.
const OUTPUT: &str = "output";

/// The argument that confirms a call which was asked about.
pub const CONFIRM: &str = "confirm";

impl Dispatch {
    /// Fails where the system gives no random numbers.
    pub fn new(
        tools: &'static [Tool],
        transport: Transport,
        settings: &config::Tools,
        telemetry: Telemetry,
        governance: Governance,
    ) -> Result<Self, String> {
        Ok(Self(Arc::new(Inner {
            telemetry,
            transport,
            checker: Checker::new(tools, settings.ignored_arguments.clone()),
            max_answer_bytes: settings.max_answer_bytes,
            ignored_arguments: settings.ignored_arguments.clone(),
            once: Once::default(),
            confirmations: Confirmations::new()?,
            governance,
        })))
    }

    /// Calls `tool` for `asker`. Dropping the future ends the call to HighLevel. Three arguments are not the
    /// tool's, unless it has one of that name: `output` says what the answer is to hold, `location` which
    /// of the server's locations it is for, `confirm` that it was asked about.
    pub async fn call(
        &self,
        tool: &'static Tool,
        mut arguments: Map<String, Value>,
        asker: &CallContext,
    ) -> Answer {
        let mut ours = |name: &str| {
            let own = tool.arguments.iter().any(|one| one.name == name);
            let taken = if own { None } else { arguments.remove(name) };
            taken.filter(|value| !value.is_null())
        };
        let output = match ours(OUTPUT) {
            None => None,
            Some(Value::String(text)) => Some(serde_json::from_str(&text)),
            Some(given) => Some(serde_json::from_value(given)),
        };
        let confirm = ours(CONFIRM);
        let output: Option<Output> = match output.transpose() {
            Ok(output) => output,
            Err(error) => {
                let what = format!("Nothing was sent: output is not of its form: {error}.");
                return Answer::failed(&Failure::new(Class::Invalid, what));
            }
        };
        let planned = match self.plan(tool, arguments, asker) {
            Ok(planned) => planned,
            Err(failure) => return Answer::failed(&failure),
        };
        let mut calls = [planned];
        let confirm = confirm.as_ref().and_then(Value::as_str);
        let permit = match self.permit(&mut calls, confirm, asker).await {
            Ok(permit) => permit,
            Err(answer) => return answer,
        };
        let [planned] = calls;
        let answer = self.run(planned, output.as_ref(), asker, &permit).await;
        self.settle(permit, &answer).await;
        answer
    }

    /// Makes a call that was permitted; what is in `output` decides which of the answer comes back, and
    /// in what form.
    pub async fn run(
        &self,
        call: Planned,
        output: Option<&Output>,
        asker: &CallContext,
        permit: &Permit,
    ) -> Answer {
        let governed = match self.begin(&call, asker, permit).await {
            Ok(governed) => governed,
            Err(answer) => return answer,
        };
        let writes = call.tool.effect != Effect::Read;
        let mut answer = self.send(call, output, asker).await;
        governed.end(&answer).await;
        if writes {
            answer.name_location();
        }
        answer
    }

    async fn send(&self, call: Planned, output: Option<&Output>, asker: &CallContext) -> Answer {
        let Planned {
            tool,
            arguments,
            caller,
            ..
        } = call;
        let telemetry = &self.0.telemetry;
        let mut watch = telemetry.call(tool.name, tool.effect.name(), &asker.parent);
        let mut location = None;
        let answered = match output {
            None => {
                self.answer(tool, arguments, &caller, &mut watch, &mut location)
                    .await
            }
            Some(output) => {
                self.listed(tool, arguments, output, &caller, &mut watch, &mut location)
                    .await
            }
        };
        let answer = match answered {
            Ok(got) => {
                let end = End {
                    status: got.status,
                    retries: got.retries,
                    trace_id: got.trace_id.as_deref(),
                };
                watch.end("ok", end);
                Answer {
                    status: got.status,
                    trace_id: got.trace_id,
                    ..Answer::text(got.text)
                }
            }
            Err(failure) => {
                let end = End {
                    status: failure.status,
                    retries: failure.retries,
                    trace_id: failure.trace_id.as_deref(),
                };
                watch.end(failure.class.name(), end);
                Answer::failed(&failure)
            }
        };
        Answer {
            location,
            place: caller.place,
            ..answer
        }
    }

    pub fn telemetry(&self) -> &Telemetry {
        &self.0.telemetry
    }

    pub fn transport(&self) -> &Transport {
        &self.0.transport
    }

    /// Most bytes of one answer.
    pub fn max_answer_bytes(&self) -> usize {
        self.0.max_answer_bytes
    }

    /// Calls that may not happen twice.
    pub fn once(&self) -> &Once {
        &self.0.once
    }

    /// A token that confirms `calls`.
    fn confirmation(&self, calls: &[Planned]) -> String {
        self.0.confirmations.token(calls, self.digest_of(calls))
    }

    fn is_confirmed(&self, token: &str, calls: &[Planned]) -> bool {
        let who = self.digest_of(calls);
        self.0.confirmations.fits(token, calls, who)
    }

    fn digest_of(&self, calls: &[Planned]) -> Digest {
        let first = calls.first();
        first
            .map(|call| self.digest(&call.caller))
            .unwrap_or_default()
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
    pub fn dry_run(&self, planned: &Planned) -> Result<Value, Failure> {
        let (request, call) =
            self.request(planned.tool, planned.arguments.clone(), &planned.caller)?;
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

    /// The arguments of a call as they would be sent, and the location that it is for.
    fn examined(&self, call: &Planned) -> Result<Examined, Failure> {
        let (tool, _) = call.tool.edition(self.0.transport.preferred());
        let arguments = self
            .0
            .checker
            .check(tool, call.arguments.clone(), &call.caller)?;
        let (location, _) = location_of(&arguments, tool, &call.caller);
        Ok(Examined {
            edition: tool,
            arguments,
            location,
        })
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
        let (location, names_location) = location_of(&arguments, tool, caller);
        let call = Call {
            tool,
            version,
            caller,
            names_location,
            location,
        };
        Ok((request, call))
    }
}

/// A call as it would be sent.
struct Examined {
    edition: &'static Tool,
    arguments: Arguments,
    location: Option<TenantId>,
}

/// The location that a call is for, and whether the request names it itself.
fn location_of(arguments: &Arguments, tool: &Tool, caller: &Caller) -> (Option<TenantId>, bool) {
    match location_on_the_wire(tool, arguments) {
        Some(named) => (Some(named), true),
        None => (
            caller
                .location
                .as_ref()
                .map(|bound| bound.location().clone()),
            false,
        ),
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

#[cfg(test)]
mod tests;

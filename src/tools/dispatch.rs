//! The one way to call a tool: check the arguments, bind the location, prepare, send, shape.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::config;
use crate::highlevel::failure::Class;
use crate::highlevel::{Call, Caller, Failure, Transport};
use crate::runtime::body;
use crate::runtime::prepare::PrepareError;
use crate::runtime::tool::Tool;
use crate::telemetry::{CallWatch, End, Parent, Telemetry};
use crate::tools::arguments::{Checker, Rejection, location_on_the_wire};
use crate::tools::shape::shape;

/// Calls tools. Cheap to clone; one for the whole process.
#[derive(Clone)]
pub struct Dispatch(Arc<Inner>);

struct Inner {
    transport: Transport,
    checker: Checker,
    max_answer_bytes: usize,
    telemetry: Telemetry,
}

/// What a client gets: one text block.
#[derive(Debug)]
pub struct Answer {
    pub text: String,
    pub is_error: bool,
}

impl Dispatch {
    pub fn new(
        tools: &'static [Tool],
        transport: Transport,
        settings: &config::Tools,
        telemetry: Telemetry,
    ) -> Self {
        Self(Arc::new(Inner {
            telemetry,
            transport,
            checker: Checker::new(tools, settings.ignored_arguments.clone()),
            max_answer_bytes: settings.max_answer_bytes,
        }))
    }

    /// Calls `tool`; `parent` is the client's span. Dropping the future ends the call to HighLevel.
    pub async fn call(
        &self,
        tool: &'static Tool,
        arguments: Map<String, Value>,
        caller: &Caller,
        parent: &Parent,
    ) -> Answer {
        let mut watch = self.0.telemetry.call(tool.name, tool.effect.name(), parent);
        match self.answer(tool, arguments, caller, &mut watch).await {
            Ok((text, end)) => {
                watch.end("ok", end);
                Answer {
                    text,
                    is_error: false,
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
                    text: failure.text(),
                    is_error: true,
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
        let (request, _) = self.request(tool, arguments, caller)?;
        let request = self.0.transport.ready(tool, request, caller)?;
        let body = request.body().and_then(reqwest::Body::as_bytes);
        let body = body.map(|body| serde_json::from_slice::<Value>(body).unwrap_or_default());
        Ok(json!({
            "method": request.method().as_str(),
            "url": request.url().as_str(),
            "version": tool.version,
            "body": body,
        }))
    }

    fn request<'a>(
        &self,
        tool: &'static Tool,
        given: Map<String, Value>,
        caller: &'a Caller,
    ) -> Result<(reqwest::Request, Call<'a>), Failure> {
        let arguments = self.0.checker.check(tool, given, caller)?;
        let mut request = (tool.prepare)(self.0.transport.upstream(), &arguments)?;
        body::write(tool, &arguments, &mut request)?;
        let named = location_on_the_wire(tool, &arguments);
        let call = Call {
            tool,
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
    ) -> Result<(String, End<'static>), Failure> {
        let inner = &self.0;
        let (request, call) = self.request(tool, given, caller)?;
        if let Some(location) = &call.location {
            watch.located(location.as_str());
        }
        let reply = inner.transport.execute(&call, request).await?;
        let end = End {
            status: Some(reply.status),
            retries: reply.retries,
            trace_id: None,
        };
        Ok((shape(tool, reply.body, inner.max_answer_bytes)?, end))
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

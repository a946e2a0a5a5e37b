//! The one way to call a tool: check the arguments, bind the location, prepare, send, shape.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::config;
use crate::highlevel::failure::Class;
use crate::highlevel::{Caller, Failure, Transport};
use crate::runtime::prepare::PrepareError;
use crate::runtime::tool::Tool;
use crate::tools::arguments::{Checker, Rejection};
use crate::tools::shape::shape;

/// Calls tools. Cheap to clone; one for the whole process.
#[derive(Clone)]
pub struct Dispatch(Arc<Inner>);

struct Inner {
    transport: Transport,
    checker: Checker,
    max_answer_bytes: usize,
}

/// What a client gets: one text block.
#[derive(Debug)]
pub struct Answer {
    pub text: String,
    pub is_error: bool,
}

impl Dispatch {
    pub fn new(tools: &'static [Tool], transport: Transport, settings: &config::Tools) -> Self {
        Self(Arc::new(Inner {
            transport,
            checker: Checker::new(tools, settings.ignored_arguments.clone()),
            max_answer_bytes: settings.max_answer_bytes,
        }))
    }

    /// Calls `tool`. Dropping the future ends the call to HighLevel.
    pub async fn call(
        &self,
        tool: &'static Tool,
        arguments: Map<String, Value>,
        caller: &Caller,
    ) -> Answer {
        match self.answer(tool, arguments, caller).await {
            Ok(text) => Answer {
                text,
                is_error: false,
            },
            Err(failure) => {
                tracing::info!(
                    tool = tool.name,
                    class = failure.class.name(),
                    status = failure.status,
                    trace_id = failure.trace_id,
                    "call failed"
                );
                Answer {
                    text: failure.text(),
                    is_error: true,
                }
            }
        }
    }

    async fn answer(
        &self,
        tool: &'static Tool,
        given: Map<String, Value>,
        caller: &Caller,
    ) -> Result<String, Failure> {
        let inner = &self.0;
        let arguments = inner.checker.check(tool, given, caller)?;
        let request = (tool.prepare)(inner.transport.upstream(), &arguments)?;
        let reply = inner.transport.execute(tool, request, caller).await?;
        shape(tool, reply.body, inner.max_answer_bytes)
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

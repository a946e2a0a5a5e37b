//! One call of a tool: its line in the log, its counts and its span.

use std::time::Instant;

use opentelemetry::KeyValue;
use opentelemetry::trace::{Span as _, Status};
use opentelemetry_sdk::trace::Span;

use super::metrics::{CallLabels, EffectLabel};
use super::{Parent, Telemetry};

/// Watches a call until `end`; dropped before, the call was cancelled.
pub struct CallWatch {
    telemetry: Telemetry,
    tool: &'static str,
    effect: &'static str,
    location: Option<String>,
    start: Instant,
    span: Option<Span>,
    ended: bool,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, Default)]
pub struct CallEnd<'a> {
    /// HighLevel's status, where it answered.
    pub status: Option<u16>,
    pub retries: u8,
    /// HighLevel's own id of the call.
    pub trace_id: Option<&'a str>,
}

impl CallWatch {
    pub(super) fn new(
        telemetry: &Telemetry,
        tool: &'static str,
        effect: &'static str,
        parent: &Parent,
    ) -> Self {
        telemetry.metrics.under_way.inc();
        let traces = telemetry.traces.as_ref();
        Self {
            telemetry: telemetry.clone(),
            tool,
            effect,
            location: None,
            start: Instant::now(),
            span: traces.map(|traces| traces.begin(tool, effect, parent)),
            ended: false,
        }
    }

    /// The location that the call is for.
    pub fn located(&mut self, location: &str) {
        self.location = Some(location.to_owned());
    }

    /// `outcome`: `ok` or the class of the failure.
    pub fn end(mut self, outcome: &'static str, end: CallEnd) {
        self.finish(outcome, end);
    }

    fn finish(&mut self, outcome: &'static str, end: CallEnd) {
        self.ended = true;
        let duration = self.start.elapsed();
        let metrics = &self.telemetry.metrics;
        metrics.under_way.dec();
        let tool = self.tool;
        metrics
            .calls
            .get_or_create(&CallLabels { tool, outcome })
            .inc();
        let effect = EffectLabel {
            effect: self.effect,
        };
        metrics
            .durations
            .get_or_create(&effect)
            .observe(duration.as_secs_f64());
        metrics.retries.inc_by(end.retries.into());
        tracing::info!(
            tool,
            effect = self.effect,
            location = self.location,
            outcome,
            status = end.status,
            duration_ms = duration.as_secs_f64() * 1000.0,
            retries = end.retries,
            trace_id = end.trace_id,
            "call"
        );
        let Some(span) = &mut self.span else {
            return;
        };
        if let Some(location) = &self.location {
            span.set_attribute(KeyValue::new("highlevel.location.id", location.clone()));
        }
        if let Some(status) = end.status {
            span.set_attribute(KeyValue::new(
                "http.response.status_code",
                i64::from(status),
            ));
        }
        if end.retries > 0 {
            span.set_attribute(KeyValue::new(
                "http.request.resend_count",
                i64::from(end.retries),
            ));
        }
        if outcome != "ok" {
            span.set_attribute(KeyValue::new("error.type", outcome));
            span.set_status(Status::error(outcome));
        }
        span.end();
    }
}

impl Drop for CallWatch {
    fn drop(&mut self) {
        if !self.ended {
            self.finish("cancelled", CallEnd::default());
        }
    }
}

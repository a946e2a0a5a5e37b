//! One call of a tool: its line in the log, its counts and its span.

use std::time::Instant;

use super::metrics::{CallLabels, EffectLabel};
#[cfg(feature = "otlp")]
use super::traces::CallSpan;
use super::{CallEnd, Parent, Telemetry};

/// Watches a call until `end`. If it is dropped before, the call was cancelled.
pub struct CallWatch {
    telemetry: Telemetry,
    tool: &'static str,
    effect: &'static str,
    location: Option<String>,
    start: Instant,
    /// Its number among the running calls.
    number: Option<u64>,
    #[cfg(feature = "otlp")]
    span: Option<CallSpan>,
    ended: bool,
}

impl CallWatch {
    pub(super) fn new(
        telemetry: &Telemetry,
        (tool, effect): (&'static str, &'static str),
        who: String,
        #[cfg_attr(not(feature = "otlp"), expect(unused_variables))] parent: &Parent,
    ) -> Self {
        telemetry.metrics.under_way.inc();
        let start = Instant::now();
        Self {
            telemetry: telemetry.clone(),
            tool,
            effect,
            location: None,
            start,
            number: telemetry.activity.begin(tool, who, start),
            #[cfg(feature = "otlp")]
            span: telemetry
                .traces
                .as_ref()
                .map(|traces| traces.begin(tool, effect, parent)),
            ended: false,
        }
    }

    /// Sets the location of the running call.
    pub fn locate(&self, location: &str) {
        if let Some(number) = self.number {
            self.telemetry.activity.locate(number, location);
        }
    }

    /// Sets the location for the end of the call.
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
        let is_answered = end.status.is_some();
        let activity = &self.telemetry.activity;
        activity.end(self.number, outcome, is_answered, duration);
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
            // To the microsecond: further digits are arithmetic noise.
            duration_ms = (duration.as_secs_f64() * 1_000_000.0).round() / 1000.0,
            retries = end.retries,
            trace_id = end.trace_id,
            "call"
        );
        #[cfg(feature = "otlp")]
        if let Some(span) = self.span.take() {
            span.end(outcome, end, self.location.take());
        }
    }
}

impl Drop for CallWatch {
    fn drop(&mut self) {
        if !self.ended {
            self.finish("cancelled", CallEnd::default());
        }
    }
}

//! Traces of calls in the OpenTelemetry form: one span per call, below the client's own span if it names one.

use std::collections::HashMap;
use std::time::Duration;

use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{Span as _, SpanKind, Status, Tracer, TracerProvider};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider, Span};

use super::{CallEnd, Parent};

/// Longest time for sending the last spans.
const LAST_SPANS: Duration = Duration::from_secs(2);

/// Makes spans and sends them.
#[derive(Clone)]
pub(super) struct Traces {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
}

/// The span of a running call.
pub(super) struct CallSpan(Span);

impl Traces {
    /// Sends to a collector that accepts OTLP over HTTP, such as `http://127.0.0.1:4318/v1/traces`.
    pub(super) fn to(endpoint: &str) -> Result<Self, String> {
        // An error means that a provider is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let exporter = SpanExporter::builder()
            .with_http()
            .with_endpoint(endpoint)
            .build()
            .map_err(|error| format!("traces.endpoint {endpoint:?} cannot be used: {error}"))?;
        let resource = Resource::builder()
            .with_service_name(env!("CARGO_PKG_NAME"))
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_resource(resource)
            .build();
        let tracer = provider.tracer(env!("CARGO_PKG_NAME"));
        Ok(Self { provider, tracer })
    }

    /// The span of one call. Names and attributes follow OpenTelemetry's conventions for MCP.
    pub(super) fn begin(
        &self,
        tool: &'static str,
        effect: &'static str,
        parent: &Parent,
    ) -> CallSpan {
        let context = match &parent.traceparent {
            None => Context::new(),
            Some(traceparent) => {
                let fields = [
                    ("traceparent", Some(traceparent)),
                    ("tracestate", parent.tracestate.as_ref()),
                ];
                let fields: HashMap<String, String> = fields
                    .into_iter()
                    .filter_map(|(name, value)| Some((name.to_owned(), value?.clone())))
                    .collect();
                TraceContextPropagator::new().extract_with_context(&Context::new(), &fields)
            }
        };
        let span = self
            .tracer
            .span_builder(format!("tools/call {tool}"))
            .with_kind(SpanKind::Server)
            .with_attributes([
                KeyValue::new("mcp.method.name", "tools/call"),
                KeyValue::new("gen_ai.tool.name", tool),
                KeyValue::new("highlevel.effect", effect),
            ]);
        CallSpan(self.tracer.build_with_context(span, &context))
    }

    pub(super) fn finish(&self) {
        if let Err(error) = self.provider.shutdown_with_timeout(LAST_SPANS) {
            tracing::warn!(%error, "the last traces were not sent");
        }
    }
}

impl CallSpan {
    pub(super) fn end(mut self, outcome: &'static str, end: CallEnd, location: Option<String>) {
        let span = &mut self.0;
        if let Some(location) = location {
            span.set_attribute(KeyValue::new("highlevel.location.id", location));
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

//! Metrics on a separate port, which MCP clients do not reach.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;

use crate::call::Pipeline;
use crate::config;
use crate::http::connections;
use crate::http::origin::{HostRules, check_host_and_origin};
use crate::http::stopping::Stopping;

const OPEN_METRICS: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");

/// Most connections: few programs read metrics. File descriptors are left for MCP.
const MOST_CONNECTIONS: usize = 32;
const MOST_CONNECTIONS_PER_ADDRESS: usize = 8;

/// Serves `/metrics` until the future is dropped, with the same protection as MCP: host check, deadlines and connection
/// limits.
pub async fn serve_metrics(
    listener: TcpListener,
    pipeline: Pipeline,
    settings: config::ServerSettings,
) {
    let listen = listener.local_addr().unwrap_or(settings.listen);
    let allowed = HostRules::for_metrics(&settings, listen.ip());
    let router = Router::new()
        .route("/metrics", get(text))
        .fallback((
            StatusCode::NOT_FOUND,
            "There is nothing here; metrics are at /metrics.\n",
        ))
        .with_state(pipeline)
        .layer(from_fn_with_state(Arc::new(allowed), check_host_and_origin));
    let settings = config::ServerSettings {
        max_connections: MOST_CONNECTIONS.min(settings.max_connections),
        max_connections_per_address: MOST_CONNECTIONS_PER_ADDRESS
            .min(settings.max_connections_per_address),
        ..settings
    };
    // MCP's counters do not count these connections and answers.
    let uncounted = Arc::default();
    let never = std::future::pending();
    connections::run(
        listener,
        router,
        Stopping::default(),
        &settings,
        &uncounted,
        never,
    )
    .await;
}

async fn text(State(pipeline): State<Pipeline>) -> impl IntoResponse {
    let metrics = &pipeline.telemetry().metrics;
    let (instances, valkey) = pipeline.transport().sharing();
    let valkey = valkey.map(|one| (one.address, one.is_up == Some(true), one.outages));
    metrics.share(instances, valkey);
    ([(header::CONTENT_TYPE, OPEN_METRICS)], metrics.text())
}

//! Metrics on a port of their own, which clients of MCP do not reach.

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;

use crate::telemetry::Telemetry;

const OPEN_METRICS: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");

/// Serves `/metrics` until the future is dropped.
pub async fn serve_metrics(listener: TcpListener, telemetry: Telemetry) -> std::io::Result<()> {
    let router = Router::new()
        .route("/metrics", get(text))
        .with_state(telemetry);
    axum::serve(listener, router).await
}

async fn text(State(telemetry): State<Telemetry>) -> impl IntoResponse {
    (
        [(header::CONTENT_TYPE, OPEN_METRICS)],
        telemetry.metrics.text(),
    )
}

//! What the server tells of itself: logs, metrics and traces. Never bodies, arguments or tokens.

mod call;
mod metrics;
mod traces;

use std::io::IsTerminal;
use std::sync::Arc;

use tracing_subscriber::EnvFilter;

use crate::config::{Config, Level, Log, LogFormat};
pub use call::{CallWatch, End};
pub use metrics::Metrics;
pub use traces::Parent;
use traces::Traces;

/// Cheap to clone; one for the whole process.
#[derive(Clone, Default)]
pub struct Telemetry {
    pub metrics: Arc<Metrics>,
    traces: Option<Traces>,
}

impl Telemetry {
    /// Starts logging to stderr, for stdout belongs to MCP frames and to what commands print; and traces, where the
    /// settings say where to. To be called outside of a runtime. A second call does not change the log.
    pub fn start(config: &Config) -> Result<Self, String> {
        start_log(&config.log);
        let traces = match config.traces.endpoint.as_str() {
            "" => None,
            endpoint => Some(Traces::to(endpoint)?),
        };
        Ok(Self {
            metrics: Arc::default(),
            traces,
        })
    }

    /// The same for a command that makes one call and shows its answer: a line that says so would be noise.
    pub fn start_quietly(config: &Config) -> Result<Self, String> {
        let mut config = config.clone();
        if config.log.level == Level::Info {
            config.log.level = Level::Warn;
        }
        Self::start(&config)
    }

    /// A call of a tool begins.
    pub fn call(&self, tool: &'static str, effect: &'static str, parent: &Parent) -> CallWatch {
        CallWatch::new(self, tool, effect, parent)
    }

    /// Sends what traces are left.
    pub fn finish(&self) {
        if let Some(traces) = &self.traces {
            traces.finish();
        }
    }
}

fn start_log(settings: &Log) {
    // Below `warn` the libraries say what they do with every request, which is not for this log.
    let filter = EnvFilter::new(format!("warn,highlevel_mcp={}", settings.level.name()));
    let is_terminal = std::io::stderr().is_terminal();
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(is_terminal)
        // It would say on stderr, by a macro that panics, that nobody reads stderr any more.
        .log_internal_errors(false)
        .with_writer(std::io::stderr);
    let as_json = match settings.format {
        LogFormat::Auto => !is_terminal,
        LogFormat::Json => true,
        LogFormat::Text => false,
    };
    let _ = if as_json {
        let subscriber = subscriber.json().flatten_event(true);
        subscriber
            .with_current_span(false)
            .with_span_list(false)
            .try_init()
    } else {
        subscriber.with_target(false).try_init()
    };
}

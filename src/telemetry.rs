//! What the server tells of itself: logs, metrics and traces. Never bodies, arguments or tokens.

mod call;
mod log;
mod metrics;
mod traces;

use std::sync::Arc;

use crate::config::{Config, Level};
pub use call::{CallEnd, CallWatch};
pub use log::flush as flush_log;
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
        log::start(&config.log)?;
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

    /// Sends what traces and lines of the log are left.
    pub fn finish(&self) {
        if let Some(traces) = &self.traces {
            traces.finish();
        }
        log::flush();
    }
}

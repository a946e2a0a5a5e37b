//! The server's logs, metrics, traces and current activity. They never contain bodies, arguments or tokens.

mod activity;
mod arrivals;
mod call;
mod latencies;
mod line;
mod log;
mod metrics;
#[cfg(feature = "otlp")]
mod traces;
mod usage;

use std::sync::Arc;

use crate::config::{Config, Level};
pub use activity::{Activity, CallMinute, CallUnderWay};
pub use arrivals::{Arrival, Arrivals};
pub use call::CallWatch;
pub use log::flush as flush_log;
pub use metrics::Metrics;
#[cfg(feature = "otlp")]
use traces::Traces;

/// Cheap to clone; the process has one.
#[derive(Clone, Default)]
pub struct Telemetry {
    pub metrics: Arc<Metrics>,
    pub activity: Arc<Activity>,
    pub arrivals: Arc<Arrivals>,
    #[cfg(feature = "otlp")]
    traces: Option<Traces>,
}

/// The client's span, from `_meta` or the headers of a request: the W3C's `traceparent` and `tracestate`.
#[derive(Clone, Debug, Default)]
pub struct Parent {
    pub traceparent: Option<String>,
    pub tracestate: Option<String>,
}

/// The end of a call.
#[derive(Clone, Copy, Debug, Default)]
pub struct CallEnd<'a> {
    /// HighLevel's status, if it answered.
    pub status: Option<u16>,
    pub retries: u8,
    /// HighLevel's own id of the call.
    pub trace_id: Option<&'a str>,
}

impl Telemetry {
    /// Starts logging to stderr, because stdout is for MCP frames and for the output of commands; and traces, if the
    /// settings name a receiver. Call it outside of a runtime. A second call does not change the log.
    pub fn start(config: &Config) -> Result<Self, String> {
        log::start(&config.log)?;
        Self::silent(config)
    }

    /// The same without a log: fails for settings with which `start` would.
    pub fn silent(config: &Config) -> Result<Self, String> {
        let endpoint = config.traces.endpoint.as_str();
        #[cfg(not(feature = "otlp"))]
        if !endpoint.is_empty() {
            return Err(format!(
                "traces.endpoint {endpoint:?} cannot be used: this program is built without the feature `otlp`; leave \
                 it empty, or build with it"
            ));
        }
        Ok(Self {
            metrics: Arc::default(),
            activity: Arc::default(),
            arrivals: Arc::default(),
            #[cfg(feature = "otlp")]
            traces: match endpoint {
                "" => None,
                _ => Some(Traces::to(endpoint)?),
            },
        })
    }

    /// The same for a command that makes one call and shows its answer: a log line about it would be noise.
    pub fn start_quietly(config: &Config) -> Result<Self, String> {
        let mut config = config.clone();
        if config.log.level == Level::Info {
            config.log.level = Level::Warn;
        }
        Self::start(&config)
    }

    /// Starts the records of a call. `who`: the audit's name of the caller.
    pub fn call(
        &self,
        tool: &'static str,
        effect: &'static str,
        who: String,
        parent: &Parent,
    ) -> CallWatch {
        CallWatch::new(self, (tool, effect), who, parent)
    }

    /// Sends the remaining traces and log lines.
    pub fn finish(&self) {
        #[cfg(feature = "otlp")]
        if let Some(traces) = &self.traces {
            traces.finish();
        }
        log::flush();
    }
}

#[cfg(all(test, not(feature = "otlp")))]
mod tests {
    use super::*;
    use crate::config::Flags;

    #[test]
    fn without_the_feature_a_collector_is_refused_with_a_remedy() {
        let collector = ("HIGHLEVEL_MCP_TRACES_ENDPOINT", "http://127.0.0.1:4318");
        let variables = [(collector.0.into(), collector.1.into())];
        let config = Config::from_sources(&Flags::default(), variables).expect("settings");
        let sentence = Telemetry::start(&config).err().unwrap_or_default();
        assert!(
            sentence.contains("feature `otlp`; leave it empty"),
            "{sentence}"
        );
    }
}

//! Counters for Prometheus. Every label has a few fixed values, and none names a tenant.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::telemetry::log;

/// In seconds: from an answer within one network to the longest wait for HighLevel.
const BUCKETS: [f64; 11] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0];

/// All counters.
pub struct Metrics {
    registry: Registry,
    pub calls: Family<CallLabels, Counter>,
    pub durations: Family<EffectLabel, Histogram>,
    pub under_way: Gauge,
    pub retries: Counter,
    pub answers: Family<AnswerLabel, Counter>,
    pub connections: Gauge,
    pub refused_connections: Counter,
    log_lines_dropped: Counter,
    instances: Gauge,
    valkey_up: Family<ValkeyLabel, Gauge>,
    valkey_outages: Family<ValkeyLabel, Counter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct CallLabels {
    pub tool: &'static str,
    /// `ok`, the class of a failure, or `cancelled`.
    pub outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct EffectLabel {
    pub effect: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct AnswerLabel {
    pub status: u16,
}

/// The only Valkey, by its settings.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ValkeyLabel {
    pub address: String,
}

impl Metrics {
    /// In the OpenMetrics text format.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let dropped = u64::try_from(log::dropped_lines()).unwrap_or(u64::MAX);
        let more = dropped.saturating_sub(self.log_lines_dropped.get());
        self.log_lines_dropped.inc_by(more);
        match encode(&mut text, &self.registry) {
            Ok(()) => text,
            Err(error) => {
                tracing::error!(%error, "the metrics cannot be written");
                "# EOF\n".to_owned()
            }
        }
    }

    /// How instances share their windows at this moment: the number of instances, and for the Valkey, if there is one,
    /// whether it answers and the number of its outages.
    pub fn share(&self, instances: u32, valkey: Option<(String, bool, u64)>) {
        self.instances.set(instances.into());
        if let Some((address, is_up, outages)) = valkey {
            let label = ValkeyLabel { address };
            self.valkey_up.get_or_create(&label).set(is_up.into());
            let counted = self.valkey_outages.get_or_create(&label);
            counted.inc_by(outages.saturating_sub(counted.get()));
        }
    }

    /// Counts an answer over HTTP.
    pub fn answered(&self, status: u16) {
        self.answers.get_or_create(&AnswerLabel { status }).inc();
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("highlevel_mcp");
        let calls = Family::default();
        registry.register(
            "calls",
            "Calls of tools that ended, by outcome",
            calls.clone(),
        );
        let durations: Family<EffectLabel, Histogram> =
            Family::new_with_constructor(|| Histogram::new(BUCKETS));
        registry.register_with_unit(
            "call_duration",
            "Time from the arguments to the answer",
            Unit::Seconds,
            durations.clone(),
        );
        let under_way = Gauge::default();
        registry.register(
            "calls_under_way",
            "Calls of tools that have not ended",
            under_way.clone(),
        );
        let retries = Counter::default();
        registry.register(
            "retries",
            "Requests to HighLevel beyond the first of a call",
            retries.clone(),
        );
        let answers = Family::default();
        registry.register(
            "http_answers",
            "Answers to clients, by HTTP status",
            answers.clone(),
        );
        let connections = Gauge::default();
        registry.register(
            "connections",
            "Open connections of clients",
            connections.clone(),
        );
        let refused_connections = Counter::default();
        registry.register(
            "refused_connections",
            "Connections beyond the most that are served",
            refused_connections.clone(),
        );
        let log_lines_dropped = Counter::default();
        registry.register(
            "log_lines_dropped",
            "Lines of the log that nobody read in time",
            log_lines_dropped.clone(),
        );
        let instances = Gauge::default();
        registry.register(
            "instances",
            "Instances that live, by which this one divides the rate windows",
            instances.clone(),
        );
        let valkey_up = Family::default();
        registry.register(
            "valkey_up",
            "Whether the Valkey answers where instances share their rate windows",
            valkey_up.clone(),
        );
        let valkey_outages = Family::default();
        registry.register(
            "valkey_outages",
            "How often that Valkey went away",
            valkey_outages.clone(),
        );
        Self {
            registry,
            instances,
            valkey_up,
            valkey_outages,
            calls,
            durations,
            under_way,
            retries,
            answers,
            connections,
            refused_connections,
            log_lines_dropped,
        }
    }
}

//! The only place that includes generated code.

include!(concat!(env!("OUT_DIR"), "/tools.rs"));

//! The one place where generated code enters.

include!(concat!(env!("OUT_DIR"), "/tools.rs"));

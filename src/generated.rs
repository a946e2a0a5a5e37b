//! The one place where generated code enters.

#![expect(
    clippy::all,
    clippy::pedantic,
    reason = "written by codegen and progenitor"
)]

include!(concat!(env!("OUT_DIR"), "/tools.rs"));

//! The printable model of an operation, between the documents and the emitters.

pub(crate) mod answer;
pub(crate) mod argument;
pub(crate) mod inner;
pub(crate) mod lint;
pub(crate) mod lower;
pub(crate) mod naming;
pub mod operation;
pub(crate) mod order;
pub(crate) mod replacement;
pub(crate) mod review;
pub(crate) mod schema;
pub(crate) mod twins;
pub(crate) mod v3;

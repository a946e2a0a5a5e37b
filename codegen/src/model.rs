//! The printable model of an operation, between the documents and the emitters.

pub mod answer;
pub mod argument;
pub mod gaps;
pub mod inner;
pub mod lint;
pub mod lower;
pub mod naming;
pub mod operation;
pub mod review;
pub mod schema;
pub mod twins;
pub mod v3;

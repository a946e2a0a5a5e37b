//! The printable model of an operation, between the documents and the emitters.

pub mod answer;
pub mod argument;
pub mod faults;
pub mod gaps;
pub mod inner;
pub mod lower;
pub mod naming;
pub mod newer;
pub mod operation;
pub mod review;
pub mod schema;
pub mod twins;

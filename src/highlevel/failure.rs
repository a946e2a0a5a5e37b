//! Why a call failed, in words that a model can act on.

#[derive(Debug)]
pub struct Failure {}

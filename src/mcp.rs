//! The only module that knows rmcp.

mod asking;
mod frame;
mod handler;
mod http;
mod instructions;
mod listing;
mod long_text;
mod plain_call;
mod questions;
mod stdio;

pub use frame::{FrameFault, FrameId, FrameRefusal};
pub use handler::Handler;
pub use http::{Service, service};
pub use listing::{descriptor, list};
pub use long_text::{LongText, fill_in};
pub use plain_call::PlainCall;
pub use questions::{PostedFrame, question_frame, withdrawal_frame};
pub(crate) use stdio::{BoundedLine, BoundedLines};
pub use stdio::{StdioError, StdioLimits, serve};

//! Ids of locations and companies.

use std::sync::Arc;

/// Id of a location or company: 1 to 64 of `[A-Za-z0-9_-]`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TenantId(Arc<str>);

impl TenantId {
    pub fn parse(id: &str) -> Option<Self> {
        let plain = (1..=64).contains(&id.len())
            && id
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        plain.then(|| Self(id.into()))
    }

    /// An id that no location of HighLevel's has: its ids are letters and digits.
    pub fn of_none() -> Self {
        Self("no-such-location".into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

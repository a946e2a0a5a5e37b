//! On whose behalf a call goes to HighLevel: credential, location, company.

use secrecy::{ExposeSecret, SecretString};

/// The account that a call acts for.
#[derive(Clone, Debug)]
pub struct Caller {
    pub credential: Credential,
    pub location: Option<LocationBinding>,
    pub company: Option<TenantId>,
}

/// A HighLevel token: a private integration token or an OAuth access token.
#[derive(Clone, Debug)]
pub struct Credential(SecretString);

/// How firmly a call is bound to a location.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LocationBinding {
    /// Every other location is refused.
    Pin(TenantId),
    /// Used where the arguments name none.
    Default(TenantId),
}

/// Id of a location or company: 1 to 64 of `[A-Za-z0-9_-]`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TenantId(String);

impl LocationBinding {
    pub fn location(&self) -> &TenantId {
        match self {
            Self::Pin(location) | Self::Default(location) => location,
        }
    }
}

impl Credential {
    /// Takes what looks like a HighLevel credential: `pit-…` or a JWT of three base64url parts.
    pub fn parse(token: &str) -> Option<Self> {
        let plain = |part: &str| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        };
        let pit = token.strip_prefix("pit-").is_some_and(plain);
        let jwt = token.split('.').count() == 3 && token.split('.').all(plain);
        (pit || jwt).then(|| Self(SecretString::from(token)))
    }

    pub fn is_private_integration(&self) -> bool {
        self.expose().starts_with("pit-")
    }

    /// The token itself, for the `Authorization` header only.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl TenantId {
    pub fn parse(id: &str) -> Option<Self> {
        let plain = (1..=64).contains(&id.len())
            && id
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        plain.then(|| Self(id.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

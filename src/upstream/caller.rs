//! The account of a call to HighLevel: credential, location, company.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use secrecy::{ExposeSecret, SecretString};

use crate::upstream::company::{Company, InstallCredential, LocationInstall};
use crate::upstream::configured_location::ConfiguredLocation;
use crate::upstream::tenant_id::TenantId;
use crate::upstream::{Claims, Digest};

/// The account that a call acts for.
#[derive(Clone, Debug)]
pub struct Caller {
    pub credential: Credential,
    pub location: Option<LocationBinding>,
    pub company: Option<TenantId>,
    /// The configured location, if it is one of the server's own.
    pub configured: Option<Arc<ConfiguredLocation>>,
    /// The location that the server's settings give the credential. No client can name it.
    pub home: Option<TenantId>,
}

/// The caller's right at HighLevel.
#[derive(Clone, Debug)]
pub enum Credential {
    /// A private integration token or an OAuth access token.
    Token(Arc<Token>),
    /// A company whose tokens the server renews and exchanges for those of its locations.
    Company(Company),
    /// A location whose tokens the server renews.
    Install(LocationInstall),
    /// None: the settings of a location are faulty, for this reason, which only the operator may see.
    Unusable(Arc<str>),
    /// None: requests can be shown but not sent.
    Absent,
}

/// A HighLevel token, with its digest once that was computed: one call needs it several times.
#[derive(Debug)]
pub struct Token {
    secret: SecretString,
    digest: OnceLock<Digest>,
}

/// How strictly a call is bound to a location.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LocationBinding {
    /// Every other location is refused.
    Pin(TenantId),
    /// Used if the arguments name none.
    Default(TenantId),
}

impl LocationBinding {
    pub fn location(&self) -> &TenantId {
        match self {
            Self::Pin(location) | Self::Default(location) => location,
        }
    }
}

impl Caller {
    /// A placeholder account with a meaningless location and company, to show a request before there is an account.
    pub fn nobody() -> Self {
        Self {
            credential: Credential::Absent,
            location: TenantId::parse("YOUR_LOCATION_ID").map(LocationBinding::Default),
            company: TenantId::parse("YOUR_COMPANY_ID"),
            configured: None,
            home: None,
        }
    }

    /// Whether the server's settings hold the credential.
    pub fn is_servers_own(&self) -> bool {
        let is_renewed = matches!(
            self.credential,
            Credential::Company(_) | Credential::Install(_)
        );
        self.home.is_some() || is_renewed
    }
}

impl Credential {
    /// Accepts what looks like a HighLevel credential: `pit-…` or a JWT of three base64url parts.
    pub fn parse(token: &str) -> Option<Self> {
        let plain = |part: &str| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        };
        let pit = token.strip_prefix("pit-").is_some_and(plain);
        let jwt = token.split('.').count() == 3 && token.split('.').all(plain);
        (pit || jwt).then(|| {
            Self::Token(Arc::new(Token {
                secret: SecretString::from(token),
                digest: OnceLock::new(),
            }))
        })
    }

    /// The same for a secret.
    pub fn from_secret(token: &SecretString) -> Option<Self> {
        Self::parse(token.expose_secret())
    }

    /// The reason that [`Self::parse`] refuses `token`: what people paste by mistake.
    pub fn problem(token: &str) -> &'static str {
        let first = token.split_whitespace().next().unwrap_or_default();
        if token.is_empty() {
            "it is empty"
        } else if first.eq_ignore_ascii_case("bearer") {
            "it begins with \"Bearer\". Give only what follows that word"
        } else if token.starts_with(['"', '\'']) {
            "it is in quotes. Give it without them"
        } else if token.contains("${") {
            "it is a variable that was not filled in"
        } else if token.starts_with("hlk_") {
            "it is an access key of this server, which only its clients send; a private integration token begins with pit-"
        } else if token.contains(char::is_whitespace) {
            "it has a space or a line break in the middle. Give one token, on one line"
        } else {
            "it is neither pit-… nor a JWT"
        }
    }

    pub fn is_private_integration(&self) -> bool {
        matches!(self, Self::Token(token) if token.secret.expose_secret().starts_with("pit-"))
    }

    /// The text that identifies it, only for HMACs: a token is a secret.
    pub fn identity(&self) -> Cow<'_, str> {
        match self {
            Self::Token(token) => Cow::Borrowed(token.secret.expose_secret()),
            Self::Company(company) => Cow::Owned(format!("company {}", company.id().as_str())),
            Self::Install(install) => Cow::Owned(format!("install {}", install.id().as_str())),
            Self::Unusable(why) => Cow::Owned(format!("unusable {why}")),
            Self::Absent => Cow::Borrowed("nobody"),
        }
    }

    /// `digest` of its identity, the same for every caller of this process.
    pub fn digest(&self, digest: impl Fn(&str) -> Digest) -> Digest {
        match self {
            Self::Token(token) => *token.digest.get_or_init(|| digest(&self.identity())),
            Self::Company(_) | Self::Install(_) | Self::Unusable(_) | Self::Absent => {
                digest(&self.identity())
            }
        }
    }

    /// The claims of its token, if that is a JWT.
    pub fn claims(&self) -> Option<Claims> {
        match self {
            Self::Token(token) => Claims::parse(token.secret.expose_secret()),
            Self::Company(_) | Self::Install(_) | Self::Unusable(_) | Self::Absent => None,
        }
    }
}

impl From<InstallCredential> for Credential {
    fn from(installed: InstallCredential) -> Self {
        match installed {
            InstallCredential::Company(company) => Self::Company(company),
            InstallCredential::Location(install) => Self::Install(install),
        }
    }
}

impl Token {
    pub fn secret(&self) -> &SecretString {
        &self.secret
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_text_that_is_not_a_token_has_its_own_sentence() {
        for (token, part) in [
            ("", "it is empty"),
            ("Bearer pit-x", "begins with \"Bearer\""),
            ("bearer pit-x", "begins with \"Bearer\""),
            ("\"pit-x\"", "in quotes"),
            ("${HIGHLEVEL_TOKEN}", "a variable that was not filled in"),
            ("hlk_abcdefgh_x", "an access key of this server"),
            ("pit-x\npit-y", "a space or a line break in the middle"),
            ("hello", "neither pit-… nor a JWT"),
        ] {
            assert!(Credential::parse(token).is_none(), "{token}");
            let problem = Credential::problem(token);
            assert!(problem.contains(part), "{token}: {problem}");
            assert!(!problem.contains("pit-x"), "{problem}");
        }
    }
}

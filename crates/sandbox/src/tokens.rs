//! Tokens and their rights in the sandbox: private integration tokens and OAuth tokens, with scopes, expiry and rotation.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::documents::DocumentedOperation;
use super::refusal::Refusal;

/// The third part of the sandbox's own OAuth tokens.
const SIGNATURE: &str = ".sandbox";
/// [E] seconds.
const ACCESS_TOKEN_LIFE: i64 = 86_399;
/// [E] a used refresh token still gives the same pair for this long, in milliseconds.
const REUSE: i64 = 30_000;

/// The kind of a token [E: the documents' five security schemes].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenKind {
    LocationPit,
    AgencyPit,
    Location,
    Company,
}

#[derive(Clone, Debug)]
pub(crate) struct KnownToken {
    pub class: TokenKind,
    pub company: String,
    /// Empty for an agency's or company's token.
    pub location: String,
    /// `None`: every scope.
    pub scopes: Option<Vec<String>>,
    /// Milliseconds since 1970.
    pub expires: Option<i64>,
    /// Set for OAuth tokens.
    pub grant: Option<OauthOrigin>,
}

/// The origin of an OAuth token.
#[derive(Clone, Debug)]
pub(crate) struct OauthOrigin {
    pub client: String,
    pub installation: Installation,
}

/// The chosen locations: one, several of a company, or all present and future ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Installation {
    pub company: String,
    /// In the order of the page.
    pub locations: Vec<String>,
    /// Later locations get the app too.
    pub is_whole: bool,
    /// The token is the company's.
    pub is_bulk: bool,
    /// The user who chose.
    pub user: String,
}

/// Every token of the sandbox by its text.
#[derive(Default)]
pub(crate) struct KnownTokens {
    access: BTreeMap<String, KnownToken>,
    refresh: BTreeMap<String, (KnownToken, RefreshState)>,
    minted: u64,
}

/// The state of a refresh token.
#[derive(Clone)]
enum RefreshState {
    Unused,
    /// The time of its use, and the answer.
    Used(i64, Value),
    Revoked,
}

impl KnownToken {
    pub(crate) fn is_agency(&self) -> bool {
        self.location.is_empty()
    }

    /// Whether the operation accepts this class of token and its scopes.
    pub(crate) fn may(&self, operation: &DocumentedOperation) -> Result<(), Refusal> {
        let takes = |schemes: &[&str]| {
            operation.access.is_empty() || operation.access.iter().any(|one| schemes.contains(one))
        };
        let fits = match self.class {
            TokenKind::LocationPit => takes(&["bearer", "Location-Access"]),
            TokenKind::AgencyPit => takes(&["Agency-Access"]),
            TokenKind::Location => takes(&["bearer", "Location-Access", "Location-Access-Only"]),
            TokenKind::Company => takes(&["Agency-Access", "Agency-Access-Only"]),
        };
        if !fits {
            return Err(match self.class {
                TokenKind::Company => Refusal::auth_class(),
                TokenKind::AgencyPit if operation.access.contains(&"bearer") => Refusal::scope(),
                _ => Refusal::user_type(),
            });
        }
        let granted = |scope: &&str| {
            self.scopes
                .as_ref()
                .is_none_or(|scopes| scopes.iter().any(|one| one == scope))
        };
        // No operation has schemes with different scopes, and none has two scopes in one scheme.
        if operation.scopes.is_empty() || operation.scopes.iter().any(granted) {
            Ok(())
        } else {
            Err(Refusal::scope())
        }
    }
}

impl KnownTokens {
    pub(crate) fn add(&mut self, text: &str, token: KnownToken) {
        self.access.insert(text.to_owned(), token);
    }

    /// The token of an `Authorization` header.
    pub(crate) fn find(
        &self,
        authorization: Option<&str>,
        now: i64,
    ) -> Result<&KnownToken, Refusal> {
        let text = authorization
            .and_then(|header| header.strip_prefix("Bearer "))
            .map_or("", str::trim);
        match self.access.get(text) {
            Some(token) if token.expires.is_none_or(|expires| expires > now) => Ok(token),
            Some(_) => Err(Refusal::bad_token()),
            None if text.starts_with("pit-") && !text.starts_with("pit-sandbox") => {
                Err(Refusal::real_token())
            }
            None if text.split('.').count() == 3 && !text.ends_with(SIGNATURE) => {
                Err(Refusal::real_token())
            }
            None => Err(Refusal::bad_token()),
        }
    }

    /// A new access token and refresh token for an account, in the form of `/oauth/token` [E].
    pub(crate) fn mint(&mut self, account: KnownToken, now: i64) -> Value {
        let access = self.text(&account, now);
        let refresh = self.text(&account, now);
        self.access.insert(
            access.clone(),
            KnownToken {
                expires: Some(now + ACCESS_TOKEN_LIFE * 1000),
                ..account.clone()
            },
        );
        let mut answer = json!({
            "access_token": access,
            "token_type": "Bearer",
            "expires_in": ACCESS_TOKEN_LIFE,
            "refresh_token": refresh,
            "scope": granted(&account).join(" "),
            "refreshTokenId": format!("{:024x}", self.minted),
            "userType": if account.is_agency() { "Company" } else { "Location" },
            "companyId": account.company,
        });
        if let Some(OauthOrigin { installation, .. }) = &account.grant {
            answer["userId"] = json!(installation.user);
            answer["isBulkInstallation"] = json!(account.is_agency() && installation.is_bulk);
            if account.is_agency() {
                answer["approvedLocations"] = json!(installation.locations);
                answer["approveAllLocations"] = json!(installation.is_whole);
                answer["installToFutureLocations"] = json!(installation.is_whole);
            }
        }
        // [M] empty text for a company.
        answer["locationId"] = json!(account.location);
        self.refresh
            .insert(refresh, (account, RefreshState::Unused));
        answer
    }

    /// [E] a refresh token rotates when it is used, and gives the same pair again for 30 s. [M] it is bound to its
    /// client, and HighLevel's error for a revoked one says that the client's credentials are invalid.
    pub(crate) fn renew(
        &mut self,
        refresh: &str,
        client: &str,
        now: i64,
    ) -> Result<Value, Refusal> {
        let Some((account, state)) = self.refresh.get(refresh).cloned() else {
            return Err(Refusal::oauth("Invalid refresh token"));
        };
        let grant = account.grant.as_ref();
        if grant.is_none_or(|grant| grant.client != client) {
            return Err(Refusal::client());
        }
        match state {
            RefreshState::Used(at, answer) if now - at <= REUSE => Ok(answer),
            // [I] for one that was used longer ago.
            RefreshState::Used(..) => Err(Refusal::oauth("Invalid refresh token")),
            RefreshState::Revoked => Err(Refusal::client()),
            RefreshState::Unused => {
                let answer = self.mint(account.clone(), now);
                let used = RefreshState::Used(now, answer.clone());
                self.refresh.insert(refresh.to_owned(), (account, used));
                Ok(answer)
            }
        }
    }

    /// Revokes the OAuth tokens for which `is` is true.
    pub(crate) fn revoke(&mut self, is: impl Fn(&KnownToken) -> bool) {
        self.access
            .retain(|_, token| token.grant.is_none() || !is(token));
        for (token, state) in self.refresh.values_mut() {
            if is(token) {
                *state = RefreshState::Revoked;
            }
        }
    }

    /// Three parts like a JWT, so that parsers find the claims; nothing is signed.
    fn text(&mut self, account: &KnownToken, now: i64) -> String {
        self.minted += 1;
        let (class, id) = if account.is_agency() {
            ("Company", &account.company)
        } else {
            ("Location", &account.location)
        };
        let claims = json!({
            "authClass": class,
            "authClassId": id,
            "sandbox": self.minted,
            "iat": now / 1000,
            "exp": now / 1000 + ACCESS_TOKEN_LIFE,
            "oauthMeta": {"scopes": granted(account)},
        });
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let header = part(&json!({"alg": "none", "typ": "JWT"}));
        format!("{header}.{}{SIGNATURE}", part(&claims))
    }
}

/// The scopes of a token by name, which an answer must list.
fn granted(account: &KnownToken) -> Vec<String> {
    account.scopes.clone().unwrap_or_else(|| {
        let operations = super::documents().operations.iter();
        let all = operations.flat_map(|operation| &operation.scopes);
        let all: BTreeSet<&str> = all.copied().collect();
        all.into_iter().map(str::to_owned).collect()
    })
}

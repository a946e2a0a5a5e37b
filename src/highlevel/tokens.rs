//! Which token a call goes with: the caller's own, or that of a location, exchanged for a company's.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use secrecy::SecretString;

use crate::highlevel::caller::Credential;
use crate::highlevel::company::{Minter, Oauth};
use crate::highlevel::failure::{Class, Failure};
use crate::highlevel::limit::Digest;
use crate::highlevel::{Call, TenantId};
use crate::runtime::tool::TokenClass;

/// How long a refusal of a token's class is taken for HighLevel's word.
const REMEMBERED: Duration = Duration::from_secs(600);

/// Most refusals that are remembered: anybody can make up tokens.
const MOST: usize = 10_000;

/// The tokens of calls, for the whole process.
pub struct Tokens {
    minter: Minter,
    /// Tools that HighLevel refused to a token of this class.
    refused: Mutex<HashMap<(Digest, &'static str), Instant>>,
}

/// Where a call's token comes from.
enum Source<'a> {
    Own(&'a SecretString),
    /// The company's own.
    Company,
    /// One that the company's is exchanged for.
    OfLocation(&'a TenantId),
}

impl Tokens {
    pub fn new(oauth: Oauth) -> Self {
        Self {
            minter: Minter::new(oauth),
            refused: Mutex::default(),
        }
    }

    /// The token to send, or why none of the caller's would be taken.
    pub async fn token(&self, call: &Call<'_>, digest: Digest) -> Result<SecretString, Failure> {
        if self.was_refused(call, digest) {
            let what = format!(
                "Nothing was sent: HighLevel has refused tokens of this class for {} a short while ago.",
                call.tool.name
            );
            return Err(Failure::new(Class::TokenClass, what).with_remedy(other_token(call)));
        }
        match (source(call)?, &call.caller.credential) {
            (Source::Own(token), _) => Ok(token.clone()),
            // Boxed: the state of an exchange is larger than that of the call around it.
            (Source::Company, Credential::Company(company)) => Box::pin(company.token()).await,
            (Source::OfLocation(location), Credential::Company(company)) => {
                Box::pin(company.location_token(location)).await
            }
            (Source::OfLocation(location), credential @ Credential::Token(_)) => {
                Box::pin(self.minter.location_token(digest, credential, location)).await
            }
            (Source::Company, Credential::Token(token)) => Ok(token.clone()),
        }
    }

    /// HighLevel refused `token`. Whether asking again gives another one.
    pub fn renews(&self, call: &Call<'_>, digest: Digest, token: &SecretString) -> bool {
        match (source(call), &call.caller.credential) {
            (Ok(Source::Company), Credential::Company(company)) => company.refused(token),
            (Ok(Source::OfLocation(location)), Credential::Company(company)) => {
                company.forget(location, token)
            }
            (Ok(Source::OfLocation(location)), Credential::Token(_)) => {
                self.minter.forget(digest, location, token)
            }
            _ => false,
        }
    }

    /// HighLevel said that the tool takes no token of this class.
    pub fn remember(&self, call: &Call<'_>, digest: Digest) {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if refused.len() >= MOST {
            refused.retain(|_, since| since.elapsed() < REMEMBERED);
        }
        if refused.len() < MOST {
            refused.insert((digest, call.tool.name), Instant::now());
        }
    }

    fn was_refused(&self, call: &Call<'_>, digest: Digest) -> bool {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let since = refused.get(&(digest, call.tool.name));
        since.is_some_and(|since| since.elapsed() < REMEMBERED)
    }
}

/// By what the token says of itself, and what the operation takes.
fn source<'a>(call: &'a Call<'_>) -> Result<Source<'a>, Failure> {
    let takes = call.tool.token;
    let location = call.location.as_ref();
    let refused = |what: &str| {
        let what = format!("Nothing was sent: {} {what}.", call.tool.name);
        Err(Failure::new(Class::TokenClass, what).with_remedy(other_token(call)))
    };
    let credential = &call.caller.credential;
    if let Credential::Token(token) = credential
        && !Minter::takes(credential)
    {
        let class = credential.claims().and_then(|claims| claims.auth_class);
        if takes == TokenClass::Agency && class.as_deref() == Some("Location") {
            return refused("takes a token of the agency, and this one is of a location");
        }
        return Ok(Source::Own(token));
    }
    match (takes, location) {
        (TokenClass::Agency | TokenClass::Either, _) | (TokenClass::Unknown, None) => {
            Ok(Source::Company)
        }
        (TokenClass::Location | TokenClass::Unknown, Some(location)) => {
            Ok(Source::OfLocation(location))
        }
        (TokenClass::Location, None) => {
            refused("takes a token of a location, and the call names no location")
        }
    }
}

/// What to use instead.
fn other_token(call: &Call<'_>) -> String {
    match call.tool.token {
        TokenClass::Agency => {
            "Use a token of the agency: an agency's private integration, or a company of the server's settings."
        }
        TokenClass::Location => "Name the location, or use a token of that location.",
        TokenClass::Either | TokenClass::Unknown => "Use a token of the other class: of the location, or of the agency.",
    }
    .to_owned()
}

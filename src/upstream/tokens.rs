//! Selects the token of a call: the caller's own, or that of a location, exchanged for a company's.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use secrecy::SecretString;

use crate::upstream::Digest;
use crate::upstream::TenantId;
use crate::upstream::caller::Credential;
use crate::upstream::company::{LocationInstall, Minter, Oauth};
use crate::upstream::errors::CONNECT_LOCATION;
use crate::upstream::failure::{Failure, FailureClass};
use crate::upstream::permit::{Sender, Target};
use crate::upstream::recent::RecentMap;
use tool::{TokenClass, Tool};

/// How long a refusal of a token's class is taken as HighLevel's verdict.
const REMEMBERED: Duration = Duration::from_secs(600);

/// Most refusals that are remembered.
const MOST: usize = 10_000;

/// The tokens of calls, for the whole process.
pub(super) struct Tokens {
    minter: Minter,
    /// Tools that HighLevel refused to tokens of this class.
    refused: Mutex<RecentMap<ClassRefusal, ()>>,
}

/// By credential, tool, and whether the token was a location's that the credential was exchanged for.
type ClassRefusal = (Digest, &'static str, bool);

/// The source of a call's token.
#[derive(Debug)]
enum Source<'a> {
    Own(&'a SecretString),
    /// The company's own.
    Company,
    /// One that the company's is exchanged for.
    OfLocation(&'a TenantId),
    /// The location's own, which the server renews.
    Install(&'a LocationInstall),
}

impl Tokens {
    pub(super) fn new(oauth: Oauth) -> Self {
        Self {
            minter: Minter::new(oauth),
            refused: Mutex::new(RecentMap::new(MOST, REMEMBERED)),
        }
    }

    /// The token to send, or the reason that none of the caller's would be accepted.
    pub(super) async fn token(
        &self,
        target: &Target,
        sender: &Sender,
        digest: Digest,
    ) -> Result<SecretString, Failure> {
        let source = source(target, sender)?;
        let refusal = refusal(target, &source, digest);
        if self.was_refused(&refusal) {
            let what = format!(
                "Nothing was sent: HighLevel has refused tokens of this class for {} a short while ago.",
                target.tool.name
            );
            return Err(
                Failure::new(FailureClass::TokenClass, what).with_remedy(other_token(target))
            );
        }
        match (source, &sender.caller.credential) {
            (Source::Own(token), _) => Ok(token.clone()),
            (Source::Install(install), _) => Box::pin(install.token()).await,
            // Boxed: the state of an exchange is larger than that of the call around it.
            (Source::Company, Credential::Company(company)) => Box::pin(company.token()).await,
            (Source::OfLocation(location), Credential::Company(company)) => {
                Box::pin(company.location_token(location)).await
            }
            (Source::OfLocation(location), credential) => {
                Box::pin(self.minter.location_token(digest, credential, location)).await
            }
            (Source::Company, Credential::Token(token)) => Ok(token.secret().clone()),
            (Source::Company, Credential::Install(install)) => Box::pin(install.token()).await,
            (Source::Company, Credential::Unusable(_)) => Err(unusable("the location")),
            (Source::Company, Credential::Absent) => Err(no_credential()),
        }
    }

    /// Notes that HighLevel refused `token`. Returns whether another request gives a different one.
    pub(super) fn renews(
        &self,
        target: &Target,
        sender: &Sender,
        digest: Digest,
        token: &SecretString,
    ) -> bool {
        match (source(target, sender), &sender.caller.credential) {
            (Ok(Source::Install(install)), _) => install.refused(token),
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

    /// HighLevel said that the tool does not accept this class of token.
    pub(super) fn remember(&self, target: &Target, sender: &Sender, digest: Digest) {
        let Ok(source) = source(target, sender) else {
            return;
        };
        let refusal = refusal(target, &source, digest);
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.insert(refusal, ());
    }

    fn was_refused(&self, refusal: &ClassRefusal) -> bool {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.peek(refusal).is_some()
    }
}

fn refusal(target: &Target, source: &Source<'_>, digest: Digest) -> ClassRefusal {
    let exchanged = matches!(source, Source::OfLocation(_));
    (digest, target.tool.name, exchanged)
}

fn no_credential() -> Failure {
    let what = "Nothing was sent: there is no HighLevel token to send it with.";
    Failure::new(FailureClass::Auth, what)
}

/// Follows from the token's claims, the operation's needs, and the caller's rights.
///
/// The agency's own token reaches every location of the agency. So a caller that is bound to some never gets it: its
/// operations use the location's token, or fail.
fn source<'a>(target: &'a Target, sender: &'a Sender) -> Result<Source<'a>, Failure> {
    let takes = target.tool.token;
    let refused = |what: &str, remedy: &str| {
        let what = format!("Nothing was sent: {} {what}.", target.tool.name);
        Err(Failure::new(FailureClass::TokenClass, what).with_remedy(remedy))
    };
    if takes == TokenClass::Agency && !sender.agency {
        let is_known = sender.known || sender.caller.is_servers_own();
        return Err(agency_refusal(target.tool, is_known));
    }
    let credential = &sender.caller.credential;
    match credential {
        Credential::Unusable(_) => return Err(unusable("the location")),
        Credential::Absent => return Err(no_credential()),
        _ => {}
    }
    if let Credential::Install(install) = credential {
        if takes == TokenClass::Agency {
            return refused(
                "takes a token of the agency, and this one is of a location",
                other_token(target),
            );
        }
        return Ok(Source::Install(install));
    }
    if let Credential::Token(token) = credential
        && !Minter::takes(credential)
    {
        let class = credential.claims().and_then(|claims| claims.auth_class);
        if takes == TokenClass::Agency && class.as_deref() == Some("Location") {
            return refused(
                "takes a token of the agency, and this one is of a location",
                other_token(target),
            );
        }
        return Ok(Source::Own(token.secret()));
    }
    match (takes, &target.location) {
        (TokenClass::Agency, _) => Ok(Source::Company),
        (TokenClass::Either, _) if sender.agency => Ok(Source::Company),
        (TokenClass::Unknown, None) if sender.agency => Ok(Source::Company),
        (_, Some(location)) => Ok(Source::OfLocation(location)),
        (TokenClass::Location, None) => refused(
            "takes a token of a location, and the call names no location",
            NAME_LOCATION,
        ),
        (TokenClass::Either | TokenClass::Unknown, None) => refused(
            "would act on the whole agency, for the call names no location",
            NAME_LOCATION,
        ),
    }
}

/// The error for calls in a location whose settings are faulty. Only the operator may see the fault, because it names
/// files of the server's machine.
pub(crate) fn unusable(alias: &str) -> Failure {
    let what = format!("Nothing was sent: the server's settings of {alias} are wrong.");
    Failure::new(FailureClass::Location, what).with_remedy(
        "Ask the server's operator to run `highlevel-mcp config check`, which shows what is wrong, and to correct it.",
    )
}

/// The error for a caller that is bound to locations and calls an operation of the whole agency, with who may change
/// that.
pub(crate) fn agency_refusal(tool: &Tool, is_known: bool) -> Failure {
    let what = format!(
        "Nothing was sent: {} acts on the whole agency, and this connection is bound to its own locations.",
        tool.name
    );
    let remedy = if is_known { AGENCY_KEY } else { UNBIND };
    Failure::new(FailureClass::TokenClass, what).with_remedy(remedy)
}

const AGENCY_KEY: &str = "Ask the server's operator, who can allow it: by a key of `highlevel-mcp keys create \
                          --agency`, or by server.access_key_agency.";

/// For a client's own token.
const UNBIND: &str =
    "Have a person connect the agency's token without binding the connection to a location.";

const NAME_LOCATION: &str = "Name the location: give `location`, its alias or id.";

/// The token to use instead.
fn other_token(target: &Target) -> &'static str {
    match target.tool.token {
        TokenClass::Agency => {
            "Have a person connect a token of the agency: an agency's private integration, or a company of the server's settings."
        }
        TokenClass::Location => CONNECT_LOCATION,
        TokenClass::Either | TokenClass::Unknown => {
            "Have a person connect a token of the other class: of the location, or of the agency."
        }
    }
}

#[cfg(test)]
mod tests;

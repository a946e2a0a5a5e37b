//! Makes passkey challenges for browsers and checks their answers, by webauthn-rs.

use ring::digest::{SHA256, digest};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::{Host, Url};
use webauthn_rs::prelude::{
    CreationChallengeResponse, DiscoverableAuthentication, Passkey, PasskeyRegistration,
    PublicKeyCredential, RegisterPublicKeyCredential, Uuid,
};
use webauthn_rs::{Webauthn, WebauthnBuilder};

use super::{MadePasskey, PasskeyQuestion};

/// This server as the relying party of passkeys.
pub(in crate::http) struct RelyingParty(Webauthn);

impl RelyingParty {
    /// `None` for addresses without a host name, for which browsers make no passkeys.
    pub(in crate::http) fn new(origin: &str, name: &str) -> Option<Self> {
        let origin: Url = origin.parse().ok()?;
        let Some(Host::Domain(host)) = origin.host() else {
            return None;
        };
        let builder = WebauthnBuilder::new(host, &origin).ok()?.rp_name(name);
        builder.build().ok().map(Self)
    }

    /// `person`: id and name. `known`: the passkeys that they already have.
    pub(in crate::http) fn ask_to_make(
        &self,
        (id, name): (&str, &str),
        known: Vec<Vec<u8>>,
    ) -> Result<PasskeyQuestion, String> {
        let asked = self
            .0
            .start_passkey_registration(handle(id), name, name, Some(known));
        let (challenge, state) = asked.map_err(|error| error.to_string())?;
        question(findable(&challenge)?, &state)
    }

    pub(in crate::http) fn check_made(
        &self,
        state: &str,
        answer: &str,
    ) -> Result<MadePasskey, String> {
        let answer: RegisterPublicKeyCredential = parse(answer)?;
        let state: PasskeyRegistration = parse(state)?;
        let made = self.0.finish_passkey_registration(&answer, &state);
        let passkey = made.map_err(|error| error.to_string())?;
        Ok(MadePasskey {
            id: passkey.cred_id().to_vec(),
            credential: text(&passkey)?,
        })
    }

    /// A challenge for nobody in particular: the browser offers its passkeys for this server.
    pub(in crate::http) fn ask_who(&self) -> Result<PasskeyQuestion, String> {
        let asked = self.0.start_discoverable_authentication();
        let (challenge, state) = asked.map_err(|error| error.to_string())?;
        let mut options = value(&challenge)?;
        // A button asks, whereas the library expects the browser's own list under a field.
        if let Some(options) = options.as_object_mut() {
            options.remove("mediation");
        }
        question(options, &state)
    }

    /// The passkey that an answer names. This proves nothing.
    pub(in crate::http) fn answered_by(&self, answer: &str) -> Result<Vec<u8>, String> {
        let answer: PublicKeyCredential = parse(answer)?;
        Ok(answer.get_credential_id().to_vec())
    }

    /// Checks that the answer belongs to this credential and this challenge. Returns the credential's new state. Its
    /// counter, if it has one, must have grown; otherwise somebody has a copy.
    pub(in crate::http) fn check_answer(
        &self,
        state: &str,
        answer: &str,
        credential: &str,
    ) -> Result<String, String> {
        let answer: PublicKeyCredential = parse(answer)?;
        let state: DiscoverableAuthentication = parse(state)?;
        let mut passkey: Passkey = parse(credential)?;
        let checked = self
            .0
            .finish_discoverable_authentication_v2(&answer, state, &passkey);
        let result = checked.map_err(|error| error.to_string())?;
        if !result.user_verified() {
            return Err("the device did not make sure who holds it".to_owned());
        }
        passkey.update_credential(&result);
        text(&passkey)
    }
}

/// The id by which devices know a person. It reveals nothing about them, and is always the same.
fn handle(person: &str) -> Uuid {
    let hash = digest(&SHA256, person.as_bytes());
    let bytes = hash.as_ref().first_chunk::<16>();
    Uuid::from_bytes(bytes.copied().unwrap_or_default())
}

/// Asks for a passkey that its device finds without being told its owner. The library does not ask for that, because it
/// fills the memory of security keys. Without it, a person who has not said who they are could not sign in.
fn findable(challenge: &CreationChallengeResponse) -> Result<Value, String> {
    let mut options = value(challenge)?;
    let selection = options.pointer_mut("/publicKey/authenticatorSelection");
    if let Some(selection) = selection.and_then(Value::as_object_mut) {
        selection.insert("residentKey".to_owned(), "required".into());
        selection.insert("requireResidentKey".to_owned(), true.into());
    }
    Ok(options)
}

fn question(options: Value, state: &impl Serialize) -> Result<PasskeyQuestion, String> {
    Ok(PasskeyQuestion {
        options,
        state: text(state)?,
    })
}

fn parse<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

fn text(value: &impl Serialize) -> Result<String, String> {
    serde_json::to_string(value).map_err(|error| error.to_string())
}

fn value(value: &impl Serialize) -> Result<Value, String> {
    serde_json::to_value(value).map_err(|error| error.to_string())
}

//! The hidden part of a consent form: sealed for that browser, and valid for a quarter of an hour.

use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::SignedDuration;
use ring::rand::{SecureRandom, SystemRandom};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::super::visitor::unavailable;
use super::client_request::ClientRequest;
use crate::call::HolderRef;
use crate::http::pages::notice::PageProblem;
use state::forms::SealedForms;

const LASTS: SignedDuration = SignedDuration::from_mins(15);

#[derive(Serialize, Deserialize)]
pub(super) struct ConsentForm {
    /// The client's request as received.
    pub query: String,
    /// The id of this form: if it is sent twice, it is answered once.
    pub id: String,
    /// The person who was asked, if known.
    pub holder: Option<FormHolder>,
}

/// The holder of the future connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum FormHolder {
    Person(String),
    Key(String),
}

impl From<&HolderRef> for FormHolder {
    fn from(holder: &HolderRef) -> Self {
        match holder {
            HolderRef::Person(person) => Self::Person(person.id.clone()),
            HolderRef::Key(record) => Self::Key(record.id.clone()),
        }
    }
}

impl ConsentForm {
    pub(super) fn new(
        asked: &ClientRequest,
        holder: Option<&HolderRef>,
    ) -> Result<Self, PageProblem> {
        let mut id = [0_u8; 16];
        let filled = SystemRandom::new().fill(&mut id);
        filled.map_err(|_| unavailable("the system gives no random numbers".to_owned().into()))?;
        Ok(Self {
            query: asked.query.clone(),
            id: URL_SAFE_NO_PAD.encode(id),
            holder: holder.map(FormHolder::from),
        })
    }

    pub(super) fn seal(
        &self,
        forms: &SealedForms,
        flow: &SecretString,
    ) -> Result<String, PageProblem> {
        let text =
            serde_json::to_string(self).map_err(|error| unavailable(error.to_string().into()))?;
        let sealed = forms.seal(&text, flow.expose_secret().as_bytes(), LASTS);
        sealed.map_err(unavailable)
    }

    pub(super) fn open(
        forms: &SealedForms,
        sealed: &str,
        flow: &SecretString,
    ) -> Result<Self, PageProblem> {
        let problem =
            |what: String| PageProblem::new(StatusCode::BAD_REQUEST, "This page has expired", what);
        let text = forms.open(sealed, flow.expose_secret().as_bytes());
        let text = text.map_err(|error| problem(error.to_string()))?;
        serde_json::from_str(&text).map_err(|_| {
            problem(
                "Another version of this server made it. Start again from your program.".to_owned(),
            )
        })
    }
}

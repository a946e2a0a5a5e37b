//! The stand-in if passkeys are not built in: none can be made.

use super::{MadePasskey, PasskeyQuestion};

pub(in crate::http) enum NoRelyingParty {}

impl NoRelyingParty {
    pub(in crate::http) fn new(_origin: &str, _name: &str) -> Option<Self> {
        None
    }

    pub(in crate::http) fn ask_to_make(
        &self,
        _person: (&str, &str),
        _known: Vec<Vec<u8>>,
    ) -> Result<PasskeyQuestion, String> {
        match *self {}
    }

    pub(in crate::http) fn check_made(
        &self,
        _state: &str,
        _answer: &str,
    ) -> Result<MadePasskey, String> {
        match *self {}
    }

    pub(in crate::http) fn ask_who(&self) -> Result<PasskeyQuestion, String> {
        match *self {}
    }

    pub(in crate::http) fn answered_by(&self, _answer: &str) -> Result<Vec<u8>, String> {
        match *self {}
    }

    pub(in crate::http) fn check_answer(
        &self,
        _state: &str,
        _answer: &str,
        _credential: &str,
    ) -> Result<String, String> {
        match *self {}
    }
}

//! Confirm tokens: they fit one operation with these arguments for this caller, for five minutes.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use ring::hmac;
use ring::rand::SystemRandom;
use serde_json::{Value, json};

use super::Planned;
use crate::highlevel::Digest;

const LASTS_SECONDS: i64 = 300;

/// Bytes of the tag that a token carries: enough that none is guessed, few enough to repeat.
const TAG_BYTES: usize = 12;

/// Makes and checks tokens; another instance does not know them.
pub struct Confirmations(hmac::Key);

impl Confirmations {
    /// Fails where the system gives no random numbers.
    pub fn new() -> Result<Self, String> {
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new());
        key.map(Self)
            .map_err(|_| "the system gives no random numbers".to_owned())
    }

    /// A token for `calls`, which are all of one caller.
    pub fn token(&self, calls: &[Planned], who: Digest) -> String {
        let until = Timestamp::now().as_second() + LASTS_SECONDS;
        format!("{until}.{}", self.tag(until, calls, who))
    }

    pub fn fits(&self, token: &str, calls: &[Planned], who: Digest) -> bool {
        let parts = token.split_once('.');
        let Some((until, tag)) =
            parts.and_then(|(until, tag)| Some((until.parse::<i64>().ok()?, tag)))
        else {
            return false;
        };
        let expected = self.tag(until, calls, who);
        let same: bool = subtle::ConstantTimeEq::ct_eq(expected.as_bytes(), tag.as_bytes()).into();
        same && Timestamp::now().as_second() <= until
    }

    fn tag(&self, until: i64, calls: &[Planned], who: Digest) -> String {
        let calls: Vec<Value> = calls.iter().map(said).collect();
        let said = json!([until, calls, who]).to_string();
        let tag = hmac::sign(&self.0, said.as_bytes());
        let tag = tag.as_ref();
        URL_SAFE_NO_PAD.encode(&tag[..TAG_BYTES.min(tag.len())])
    }
}

fn said(call: &Planned) -> Value {
    let bound = call
        .caller
        .location
        .as_ref()
        .map(|bound| bound.location().as_str());
    json!([call.tool.name, call.arguments, bound])
}

//! Access and refresh token of a company or a location, as `/oauth/token` answers them and as they are stored.

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};

use crate::upstream::Claims;

/// A token counts as expired this many seconds before its end: a call that starts with it must end with it.
pub(super) const MARGIN: i64 = 300;

/// The usual lifetime of HighLevel's tokens in seconds, if an answer does not give one.
const USUAL_LIFE: i64 = 86_399;

const ACCESS: &str = "access_token";
const REFRESH: &str = "refresh_token";
/// Our own member: seconds since 1970.
const EXPIRES_AT: &str = "expires_at";
const EXPIRES_IN: &str = "expires_in";
/// Of versions before the store: digest of the refresh token that this pair replaced.
const REPLACES: &str = "replaces";

/// An access token with its refresh token, and the other members of the answer.
#[derive(Clone)]
pub(super) struct Pair {
    pub access: SecretString,
    pub refresh: SecretString,
    /// Seconds since 1970.
    pub expires_at: i64,
    others: Map<String, Value>,
}

/// The file that an interrupted renewal left beside a pair file, by a version before the store.
pub(super) enum Leftover {
    /// The renewal of the pair of this name was about to be sent.
    Intent(String),
    /// HighLevel's answer, and the name of the pair that it replaces.
    Answer(Box<Pair>, Option<String>),
    /// Written only in part.
    Torn,
}

impl Pair {
    /// Parses a pair's JSON. `written`: the time of writing, in seconds since 1970. Fails with what is wrong.
    pub(super) fn parse(json: &[u8], written: i64) -> Result<Self, &'static str> {
        let value = serde_json::from_slice(json).map_err(|_| "is not JSON")?;
        let Value::Object(members) = value else {
            return Err("is not a JSON object");
        };
        let said = members.get(EXPIRES_AT).and_then(seconds);
        let lasts = members.get(EXPIRES_IN).and_then(seconds);
        let mut pair = Self::from_members(members)?;
        // The token itself knows best, but its claims are unverified: the earlier of both.
        let claimed = claimed(&pair.access);
        pair.expires_at = match (said, claimed) {
            (Some(said), Some(claimed)) => said.min(claimed),
            (Some(known), None) | (None, Some(known)) => known,
            // Unknown, so it is renewed at once.
            (None, None) => lasts.map_or(0, |lasts| written.saturating_add(lasts)),
        };
        Ok(pair)
    }

    /// The first pair, which HighLevel answered at or after `asked`.
    pub(super) fn given(answer: Map<String, Value>, asked: i64) -> Result<Self, &'static str> {
        let lasts = answer.get(EXPIRES_IN).and_then(seconds);
        let mut pair = Self::from_members(answer)?;
        pair.expires_at = end(lasts, &pair.access, asked);
        Ok(pair)
    }

    /// The pair that HighLevel answered at or after `asked` to the renewal of this one.
    pub(super) fn renewed(
        &self,
        answer: Map<String, Value>,
        asked: i64,
    ) -> Result<Self, &'static str> {
        let mut members = self.others.clone();
        // RFC 6749: without a new refresh token the old one stays valid.
        members.insert(REFRESH.to_owned(), self.refresh.expose_secret().into());
        members.extend(answer);
        Self::given(members, asked)
    }

    fn from_members(mut members: Map<String, Value>) -> Result<Self, &'static str> {
        let mut take = |name| match members.remove(name) {
            Some(Value::String(text)) if is_token(&text) => Some(SecretString::from(text)),
            _ => None,
        };
        let access = take(ACCESS).ok_or("holds no access_token")?;
        let refresh = take(REFRESH).ok_or("holds no refresh_token")?;
        members.remove(EXPIRES_AT);
        members.remove(REPLACES);
        Ok(Self {
            access,
            refresh,
            expires_at: 0,
            others: members,
        })
    }

    /// The pair as it is stored.
    pub(super) fn json(&self) -> SecretString {
        let mut members = Map::new();
        members.insert(ACCESS.to_owned(), self.access.expose_secret().into());
        members.insert(REFRESH.to_owned(), self.refresh.expose_secret().into());
        members.insert(EXPIRES_AT.to_owned(), self.expires_at.into());
        members.extend(self.others.clone());
        Value::Object(members).to_string().into()
    }

    /// Identifies the pair: a digest of its refresh token, which no two pairs share.
    pub(super) fn name(&self) -> String {
        state::sha256(self.refresh.expose_secret())
    }

    /// Another member `name` of the answer.
    pub(super) fn other(&self, name: &str) -> Option<&str> {
        self.others.get(name)?.as_str()
    }
}

impl Leftover {
    pub(super) fn read(json: &[u8]) -> Self {
        let Ok(Value::Object(members)) = serde_json::from_slice(json) else {
            return Self::Torn;
        };
        let older = members.get(REPLACES).and_then(Value::as_str);
        let older = older.map(str::to_owned);
        match (Pair::parse(json, 0), older) {
            (Ok(pair), older) => Self::Answer(Box::new(pair), older),
            (Err(_), Some(name)) => Self::Intent(name),
            (Err(_), None) => Self::Torn,
        }
    }
}

/// Seconds since 1970.
pub(super) fn now() -> i64 {
    Timestamp::now().as_second()
}

/// The access token of an answer to a request sent at `asked`, and its expiry.
pub(super) fn granted(answer: &Map<String, Value>, asked: i64) -> Option<(SecretString, i64)> {
    let text = answer.get(ACCESS)?.as_str()?;
    let token = is_token(text).then(|| SecretString::from(text))?;
    let lasts = answer.get(EXPIRES_IN).and_then(seconds);
    let end = end(lasts, &token, asked);
    Some((token, end))
}

fn end(lasts: Option<i64>, token: &SecretString, asked: i64) -> i64 {
    let known = lasts.map(|lasts| asked.saturating_add(lasts));
    let known = known.or_else(|| claimed(token));
    known.unwrap_or(asked.saturating_add(USUAL_LIFE))
}

fn claimed(token: &SecretString) -> Option<i64> {
    Claims::parse(token.expose_secret())?.expires
}

/// Whether the text fits into a header and a form.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// A number, or a number as text. Beyond the range it is the nearest bound.
fn seconds(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64().or_else(|| Some(number.as_f64()? as i64)),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

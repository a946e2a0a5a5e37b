//! The claims of an OAuth access token: read, never verified, used only for advice.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

/// The known claims of HighLevel's tokens. A private integration token has none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// `Location` or `Company`.
    pub auth_class: Option<String>,
    /// Id of that location or company.
    pub auth_class_id: Option<String>,
    /// The app that the token was issued to.
    pub source_id: Option<String>,
    /// Seconds since 1970.
    pub expires: Option<i64>,
    pub scopes: Option<Vec<String>>,
}

impl Claims {
    /// `None` if `token` is not a JWT whose second part is a JSON object.
    pub fn parse(token: &str) -> Option<Self> {
        let payload = token.split('.').nth(1)?;
        let payload = URL_SAFE_NO_PAD.decode(payload).ok()?;
        let claims: Value = serde_json::from_slice(&payload).ok()?;
        claims.as_object()?;
        let text = |name: &str| claims[name].as_str().map(str::to_owned);
        let scopes = claims.pointer("/oauthMeta/scopes");
        Some(Self {
            auth_class: text("authClass"),
            auth_class_id: text("authClassId"),
            source_id: text("sourceId"),
            expires: claims["exp"].as_i64(),
            scopes: scopes.and_then(|list| serde_json::from_value(list.clone()).ok()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(payload: &str, claims: Option<Claims>) {
        let token = format!("e30.{}.x", URL_SAFE_NO_PAD.encode(payload));
        assert_eq!(Claims::parse(&token), claims, "{payload}");
    }

    #[test]
    fn claims_are_read_where_there_are_any() {
        check("[]", None);
        check("no JSON", None);
        check(
            r#"{"authClass": 1, "oauthMeta": {"scopes": "all"}}"#,
            Some(Claims::default()),
        );
        check(
            r#"{"authClass": "Location", "authClassId": "L0", "sourceId": "app-1", "exp": 5, "oauthMeta": {"scopes": ["a", "b"]}}"#,
            Some(Claims {
                auth_class: Some("Location".to_owned()),
                auth_class_id: Some("L0".to_owned()),
                source_id: Some("app-1".to_owned()),
                expires: Some(5),
                scopes: Some(vec!["a".to_owned(), "b".to_owned()]),
            }),
        );
        assert_eq!(Claims::parse("pit-1"), None);
        assert_eq!(Claims::parse("a.b!.c"), None);
    }
}

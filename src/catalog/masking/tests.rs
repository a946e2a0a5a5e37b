//! Values that are masked and values that stay, by rows and by properties.

use proptest::prelude::*;
use serde_json::{Map, Value};

use super::*;

fn check(text: &str, expected: &str) {
    assert_eq!(mask_secrets(text.to_owned()), expected);
}

#[test]
fn secrets_are_replaced_and_every_other_byte_stays() {
    check(
        r#"{"accessToken":"a.b","refresh_token" : "r", "n": 1.0}"#,
        r#"{"accessToken":"[a secret]","refresh_token" : "[a secret]", "n": 1.0}"#,
    );
    check(
        r#"[{"live":{"apiKey":"k\"1","publishableKey":"p"}}]"#,
        r#"[{"live":{"apiKey":"[a secret]","publishableKey":"p"}}]"#,
    );
    check(
        r#"{"a":[{"fbToken":"x"},{"Client-Secret":12e3},{"PASSWORD":"ö"}]}"#,
        r#"{"a":[{"fbToken":"[a secret]"},{"Client-Secret":"[a secret]"},{"PASSWORD":"[a secret]"}]}"#,
    );
    // Lists of secrets.
    check(
        r#"{"token":["a", ["b"], null, 7]}"#,
        r#"{"token":["[a secret]", ["[a secret]"], null, "[a secret]"]}"#,
    );
    // An object's own names decide; an empty value has nothing to hide.
    check(
        r#"{"password":{"type":"string","token":"t"},"secret":null,"apiKey":"","jwt":true}"#,
        r#"{"password":{"type":"string","token":"[a secret]"},"secret":null,"apiKey":"","jwt":true}"#,
    );
    check(
        r#"{"pass":"a","Passwd":"b","PASS":3,"signingKey":"c","signing_key":"d","Signing-Key":"e"}"#,
        r#"{"pass":"[a secret]","Passwd":"[a secret]","PASS":"[a secret]","signingKey":"[a secret]","signing_key":"[a secret]","Signing-Key":"[a secret]"}"#,
    );
    check(r#"{"apiKey":"cut off"#, r#"{"apiKey":"[a secret]""#);
}

#[test]
fn every_name_of_the_lists_is_found() {
    for name in ENDINGS.into_iter().chain(WHOLE) {
        let other = format!("{}_{}", name[..1].to_uppercase(), &name[1..]);
        check(
            &format!(r#"{{"{other}" : "s"}}"#),
            &format!(r#"{{"{other}" : "[a secret]"}}"#),
        );
    }
}

/// The check before each colon takes no longer in a long answer than in short ones.
#[test]
fn many_names_that_nearly_are_secrets_cost_nothing() {
    let row = r#"{"nextPageToken":"n","_-_-":1,"value":"v"},"#;
    let text = format!("[{}0]", row.repeat(20_000));
    let begun = std::time::Instant::now();
    check(&text, &text);
    assert!(begun.elapsed().as_secs() < 5, "{:?}", begun.elapsed());
}

#[test]
fn fields_without_secrets_stay_unmasked() {
    let rows = [
        r#"{"nextPageToken":"n","pageToken":"p","prev_page_token":"q","token_type":"Bearer"}"#,
        r#"{"fieldKey":"contact.x","key":"k","tokenId":"1","oauthId":"2","photo_authorization":"yes"}"#,
        r#"{"bypass":"b","address":"a","pass_rate":"c","passed":"d","boardingPass":"e"}"#,
        r#"{"x":"password","y":["token"],"\"token\"":"z","text":"\"password\":\"in a text\""}"#,
        r#"{"headers":[{"key":"Content-Type","value":"text/plain"}],"value":"v"}"#,
        "",
        "no JSON, \"but",
        "\"password\"",
        "{\"password\":",
    ];
    for row in rows {
        check(row, row);
    }
}

#[test]
fn headers_that_carry_credentials_lose_their_values() {
    check(
        r#"{"headers":[{"key":"X-Api-Key","value":"k"},{"value":"Bearer t","key":"authorization"},{"key":"Accept","value":"*"}],"n":1}"#,
        r#"{"headers":[{"key":"X-Api-Key","value":"[a secret]"},{"value":"[a secret]","key":"authorization"},{"key":"Accept","value":"*"}],"n":1}"#,
    );
    check(
        r#"{"headers":[{"value":"v","password":"p","name":"Cookie"}],"token":"t"}"#,
        r#"{"headers":[{"value":"[a secret]","password":"[a secret]","name":"Cookie"}],"token":"[a secret]"}"#,
    );
    check(
        r#"{"headers":[[{"token":"t"}]],"headers":[]}"#,
        r#"{"headers":[[{"token":"[a secret]"}]],"headers":[]}"#,
    );
}

fn json_value(names: &'static str) -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".*".prop_map(Value::from),
        Just(Value::from("\"password\":\"x\"")),
    ];
    leaf.prop_recursive(4, 64, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            prop::collection::vec((names, inner), 0..8)
                .prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// Whether a secret's name still has a text or a number for its value.
fn leaks(value: &Value) -> bool {
    let shown = |value: &Value| {
        value.is_number()
            || value
                .as_str()
                .is_some_and(|text| !matches!(text, "" | MASK))
    };
    match value {
        Value::Array(items) => items.iter().any(leaks),
        Value::Object(members) => members
            .iter()
            .any(|(name, value)| is_secret_name(name) && shown(value) || leaks(value)),
        _ => false,
    }
}

proptest! {
    #[test]
    fn json_without_such_names_is_untouched(value in json_value("[a-zA-Z_\"\\\\]{0,5}x")) {
        for text in [value.to_string(), format!("{value:#}")] {
            prop_assert_eq!(mask_secrets(text.clone()), text);
        }
    }

    #[test]
    fn no_secret_is_left_and_the_rest_is_the_same_json(
        value in json_value("token|headers|key|value|api_key|[a-c]")
    ) {
        let masked = mask_secrets(format!("{value:#}"));
        let masked: Value = serde_json::from_str(&masked).expect("JSON still");
        prop_assert!(!leaks(&masked), "{}", masked);
    }

    #[test]
    fn any_text_is_taken(text in ".*", cut in 0_usize..200) {
        let whole = format!("{{\"token\":\"{text}\",\"headers\":[{{\"key\":\"auth\",\"value\":{text}");
        let end = (0..=cut.min(whole.len())).rev().find(|end| whole.is_char_boundary(*end));
        mask_secrets(whole.get(..end.unwrap_or(0)).unwrap_or_default().to_owned());
    }
}

#[test]
fn a_credential_is_masked_wherever_it_stands() {
    #[track_caller]
    fn check(body: &str, expected: &str) {
        let masked = mask_credential(body.into(), &"pit-1-a".into());
        assert_eq!(String::from_utf8_lossy(&masked), expected);
    }
    check(r#"{"id":"pit-1-b"}"#, r#"{"id":"pit-1-b"}"#);
    check(r#"{"id":"pit-1-a"}"#, r#"{"id":"[a secret]"}"#);
    check("Bearer pit-1-apit-1-a.", "Bearer [a secret][a secret].");
    check(r#"{"pit-1-a":[]}"#, r#"{"[a secret]":[]}"#);
    let body = b"x".to_vec();
    assert_eq!(mask_credential(body.clone(), &"".into()), body);
}

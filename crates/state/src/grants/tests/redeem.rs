//! Codes: valid redemptions, and the state of a code after an invalid one.

use super::*;

/// The refusal of a redemption that differs, and the result of the right one after it.
#[track_caller]
fn check(
    name: &str,
    change: fn(&mut Redemption),
    before: &str,
    [expected, then]: [Option<TokenRefusal>; 2],
) {
    let (folder, grants) = opened();
    let (_, code) = allow(&grants, new_grant(GrantHolder::Key(key(&grants))));
    if !before.is_empty() {
        sql(&folder, before);
    }
    let mut asked = redemption(&code);
    change(&mut asked);
    let refusal = redeem(&grants, asked).err();
    assert_eq!(refusal, expected, "{name}");
    let refusal = redeem(&grants, redemption(&code)).err();
    assert_eq!(refusal, then, "{name}, then the right one");
}

/// Wrong attempts do not use the code up: somebody who has it without its verifier cannot take it from its client.
#[on_both]
fn a_code_is_valid_only_for_its_client() {
    use TokenRefusal::*;
    let over = "UPDATE code SET expires_at = expires_at - 60001";
    let rows: &[(&str, fn(&mut Redemption), &str, [Option<TokenRefusal>; 2])] = &[
        ("right, twice", |_| {}, "", [None, Some(Replayed)]),
        (
            "another code",
            |asked| asked.code = "hlc_a".to_owned().into(),
            "",
            [Some(Unknown), None],
        ),
        (
            "another client",
            |asked| asked.client = "other".to_owned(),
            "",
            [Some(OtherClient), None],
        ),
        (
            "another redirect",
            |asked| asked.redirect = Some("http://127.0.0.1:5174/callback".to_owned()),
            "",
            [Some(WrongRedirect), None],
        ),
        (
            "no redirect",
            |asked| asked.redirect = None,
            "",
            [None, Some(Replayed)],
        ),
        (
            "another verifier",
            |asked| asked.verifier = format!("{VERIFIER}a").into(),
            "",
            [Some(WrongVerifier), None],
        ),
        (
            "no verifier",
            |asked| asked.verifier = String::new().into(),
            "",
            [Some(WrongVerifier), None],
        ),
        (
            "the challenge as verifier",
            |asked| asked.verifier = CHALLENGE.to_owned().into(),
            "",
            [Some(WrongVerifier), None],
        ),
        (
            "no resource",
            |asked| asked.resource = None,
            "",
            [None, Some(Replayed)],
        ),
        (
            "with a slash",
            |asked| asked.resource = Some(format!("{RESOURCE}/")),
            "",
            [None, Some(Replayed)],
        ),
        (
            "with two slashes",
            |asked| asked.resource = Some(format!("{RESOURCE}//")),
            "",
            [Some(ForeignResource), None],
        ),
        (
            "another resource",
            |asked| asked.resource = Some(format!("{RESOURCE}-x")),
            "",
            [Some(ForeignResource), None],
        ),
        (
            "a narrower resource",
            |asked| asked.resource = Some(format!("{RESOURCE}/official")),
            "",
            [Some(ForeignResource), None],
        ),
        (
            "another site",
            |asked| asked.resource = Some("https://evil.example/mcp".to_owned()),
            "",
            [Some(ForeignResource), None],
        ),
        ("too late", |_| {}, over, [Some(Expired); 2]),
        (
            "ended",
            |_| {},
            "UPDATE oauth_grant SET ended_at = 1",
            [Some(Ended); 2],
        ),
        (
            "its key revoked",
            |_| {},
            "UPDATE access_key SET ended_at = 1",
            [Some(Ended); 2],
        ),
        (
            "its key over",
            |_| {},
            "UPDATE access_key SET expires_at = 1",
            [Some(Expired); 2],
        ),
    ];
    for (name, change, before, expected) in rows {
        check(name, *change, before, *expected);
    }
}

#[on_both]
fn a_code_that_is_used_twice_ends_its_grant() {
    let (folder, grants) = opened();
    let (record, code) = allow(&grants, new_grant(GrantHolder::Key(key(&grants))));
    let tokens = redeem(&grants, redemption(&code)).expect("redeemed");
    assert!(found(&grants, &tokens.access).is_some());
    // Not by another client.
    let other = Redemption {
        client: "other".to_owned(),
        ..redemption(&code)
    };
    assert_eq!(
        redeem(&grants, other).err(),
        Some(TokenRefusal::OtherClient)
    );
    assert!(found(&grants, &tokens.access).is_some());
    // A long time later.
    sql(&folder, "UPDATE code SET expires_at = expires_at - 3600000");
    let again = redeem(&grants, redemption(&code)).err();
    assert_eq!(again, Some(TokenRefusal::Replayed));
    assert!(found(&grants, &tokens.access).is_none());
    assert_eq!(
        refresh(&grants, &tokens.refresh).err(),
        Some(TokenRefusal::Ended)
    );
    assert_eq!(ended_why(&grants, &record.id).as_deref(), Some("replayed"));
    assert_eq!(events(&folder, "token replayed"), 1);
}

#[on_both]
fn of_twenty_at_once_one_has_the_tokens() {
    let (folder, grants) = opened();
    let elsewhere = opened_in(&folder, TIMES);
    let (_, code) = allow(&grants, new_grant(GrantHolder::Key(key(&grants))));
    let won = std::thread::scope(|scope| {
        let tries: Vec<_> = (0..20)
            .map(|number| {
                let grants = if number % 2 == 0 { &grants } else { &elsewhere };
                let code = &code;
                scope.spawn(move || redeem(grants, redemption(code)).is_ok())
            })
            .collect();
        tries
            .into_iter()
            .filter_map(|one| one.join().ok())
            .filter(|won| *won)
            .count()
    });
    assert_eq!(won, 1);
    assert_eq!(number(&folder, "SELECT COUNT(*) AS n FROM access"), 1);
    assert_eq!(
        number(
            &folder,
            "SELECT COUNT(*) AS n FROM oauth_grant WHERE ended_at IS NULL"
        ),
        0
    );
}

#[on_both]
fn rows_and_messages_have_no_token() {
    let (folder, grants) = opened();
    let (record, code) = allow(&grants, new_grant(GrantHolder::Key(key(&grants))));
    let tokens = redeem(&grants, redemption(&code)).expect("redeemed");
    let next = refresh(&grants, &tokens.refresh).expect("refreshed");
    let shown = format!("{record:?} {:?} {tokens:?} {next:?}", redemption(&code));
    let held = for_tests::bytes(&folder);
    for secret in [
        &code,
        &tokens.access,
        &tokens.refresh,
        &next.access,
        &next.refresh,
    ] {
        let secret = secret.expose_secret();
        assert_eq!(secret.len(), 4 + 43, "256 bits");
        assert!(!shown.contains(&secret[4..]), "shown");
        let bytes = &secret.as_bytes()[4..];
        let mut windows = held.windows(bytes.len());
        assert!(!windows.any(|window| window == bytes), "kept");
    }
}

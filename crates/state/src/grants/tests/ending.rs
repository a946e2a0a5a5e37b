//! Ends of grants: who can end which, what ends with them, and calls that may no longer begin.

use super::*;
use crate::calls::{CallBegin, CallStart};
use crate::store::for_tests::beside;

/// Two grants of two holders at two clients, and which of them remain after an end.
#[track_caller]
fn check(name: &str, ended: fn(&[GrantRecord; 2]) -> EndedGrants, expected: [bool; 2]) {
    let (folder, grants) = opened();
    let first = new_grant(GrantHolder::Key(key(&grants)));
    let second = NewGrant {
        client: "other".to_owned(),
        locations: vec!["berlin".to_owned()],
        ..new_grant(GrantHolder::Key(key(&grants)))
    };
    let records = [first, second].map(|new| {
        let client = new.client.clone();
        let (record, code) = allow(&grants, new);
        let redemption = Redemption {
            client,
            ..redemption(&code)
        };
        redeem(&grants, redemption).expect("redeemed");
        record
    });
    let ended = ended(&records);
    let count = grants.end(ended.clone(), "because", Some("ada"));
    let ends = expected.iter().filter(|lives| !**lives).count();
    assert_eq!(count.wait(), Ok(ends as u64), "{name}");
    for (record, lives) in records.iter().zip(expected) {
        let why = ended_why(&grants, &record.id);
        assert_eq!(why, (!lives).then(|| "because".to_owned()), "{name}");
        assert_eq!(grants.is_live(&record.id), lives, "{name}");
        let good = grants.get(&record.id).wait().expect("read");
        assert_eq!(good.is_some(), lives, "{name}");
    }
    assert_eq!(
        events(&folder, "grant ended"),
        i64::from(ends > 0),
        "{name}"
    );
    assert_eq!(grants.end(ended, "again", None).wait(), Ok(0), "{name}");
}

#[on_both]
fn an_end_ends_exactly_the_named_grants() {
    let rows: &[(&str, fn(&[GrantRecord; 2]) -> EndedGrants, [bool; 2])] = &[
        (
            "one",
            |all| EndedGrants::One(all[0].id.clone()),
            [false, true],
        ),
        (
            "none",
            |_| EndedGrants::One("gra_".to_owned()),
            [true, true],
        ),
        (
            "a client",
            |all| EndedGrants::Client(all[1].client.clone()),
            [true, false],
        ),
        (
            "no client",
            |_| EndedGrants::Client(String::new()),
            [true, true],
        ),
        (
            "a key",
            |all| match &all[0].holder {
                GrantHolder::Person(id) | GrantHolder::Key(id) => EndedGrants::Key(id.clone()),
            },
            [false, true],
        ),
        (
            "a person of a key's id",
            |all| match &all[0].holder {
                GrantHolder::Person(id) | GrantHolder::Key(id) => EndedGrants::Person(id.clone()),
            },
            [true, true],
        ),
        (
            "a location",
            |_| EndedGrants::Location("berlin".to_owned()),
            [true, false],
        ),
        (
            "a location beside others",
            |_| EndedGrants::Location("hamburg".to_owned()),
            [true, true],
        ),
        ("all", |_| EndedGrants::All, [false, false]),
    ];
    for (name, ended, expected) in rows {
        check(name, *ended, *expected);
    }
}

#[on_both]
fn a_grant_loses_a_location_that_is_taken_away() {
    let (_folder, grants) = opened();
    let tokens = connected(&grants);
    let locations = |grants: &Grants| {
        let access = found(grants, &tokens.access).expect("good");
        access.grant.locations.clone()
    };
    assert_eq!(locations(&grants), ["berlin", "hamburg"]);
    let ended = EndedGrants::Location("berlin".to_owned());
    assert_eq!(grants.end(ended, "gone", None).wait(), Ok(0));
    assert_eq!(locations(&grants), ["hamburg"]);
}

#[on_both]
fn a_client_gives_back_any_token_of_its_own() {
    type Pick = fn(&GrantTokens, &GrantTokens) -> SecretString;
    let rows: &[(&str, Pick, &str, bool)] = &[
        ("access", |_, now| now.access.clone(), CLIENT, false),
        (
            "older access",
            |before, _| before.access.clone(),
            CLIENT,
            false,
        ),
        ("refresh", |_, now| now.refresh.clone(), CLIENT, false),
        (
            "replaced refresh",
            |before, _| before.refresh.clone(),
            CLIENT,
            false,
        ),
        (
            "another client's",
            |_, now| now.refresh.clone(),
            "other",
            true,
        ),
        ("unknown", |_, _| "hlr_a".to_owned().into(), CLIENT, true),
        ("nothing", |_, _| String::new().into(), CLIENT, true),
    ];
    for (name, pick, client, lives) in rows {
        let (_folder, grants) = opened();
        let before = connected(&grants);
        let tokens = refresh(&grants, &before.refresh).expect("refreshed");
        let token = pick(&before, &tokens);
        on_one_thread(grants.revoke(&token, client)).expect("written");
        assert_eq!(found(&grants, &tokens.access).is_some(), *lives, "{name}");
        assert_eq!(refresh(&grants, &tokens.refresh).is_ok(), *lives, "{name}");
    }
}

/// Whatever another process knows of it: the rows decide.
#[on_both]
fn no_call_begins_by_a_grant_that_has_ended() {
    let blocked = "INSERT INTO client (id, kind, name, redirects, method, created_at, blocked_at)
        VALUES ('https://client.example/oauth', 'document', 'A', '[]', 'none', 1, 1)";
    for (name, before, begins) in [
        ("good", "UPDATE oauth_grant SET seq = seq", true),
        ("ended", "UPDATE oauth_grant SET ended_at = 1", false),
        (
            "unused too long",
            "UPDATE oauth_grant SET idle_until = 1",
            false,
        ),
        ("too old", "UPDATE oauth_grant SET hard_until = 1", false),
        ("gone", "DELETE FROM oauth_grant", false),
        (
            "its key revoked",
            "UPDATE access_key SET ended_at = 1",
            false,
        ),
        (
            "its key over",
            "UPDATE access_key SET expires_at = 1",
            false,
        ),
        ("its client blocked", blocked, false),
        (
            "its person unknown",
            "UPDATE oauth_grant SET person = 'nobody'",
            false,
        ),
    ] {
        let (folder, grants) = opened();
        let tokens = connected(&grants);
        let start = CallStart {
            grant: Some(tokens.grant),
            ..CallStart::default()
        };
        // Without notifying anybody.
        beside(&folder, |transaction| {
            transaction.run(sqlx::query(sqlx::AssertSqlSafe(before.to_owned())))
        });
        let begun = on_one_thread(grants.store.begin(start)).expect("begun");
        let is_open = matches!(begun, CallBegin::Open(_));
        assert_eq!(is_open, begins, "{name}");
        assert_eq!(matches!(begun, CallBegin::GrantEnded), !begins, "{name}");
    }
}

#[on_both]
fn a_revoked_key_ends_its_grants() {
    let (_folder, grants) = opened();
    let tokens = connected(&grants);
    let other = connected(&grants);
    let record = grants
        .get(&tokens.grant)
        .wait()
        .expect("read")
        .expect("good");
    let GrantHolder::Key(id) = record.holder else {
        panic!("a key's");
    };
    Keys::new(&grants.store)
        .revoke(&id)
        .wait()
        .expect("revoked");
    assert!(found(&grants, &tokens.access).is_none() && !grants.is_live(&tokens.grant));
    assert_eq!(
        ended_why(&grants, &tokens.grant).as_deref(),
        Some("access key revoked")
    );
    assert!(found(&grants, &other.access).is_some());
}

#[on_both]
fn ended_grants_are_removed() {
    let (folder, grants) = opened();
    let (unused, _) = allow(&grants, new_grant(GrantHolder::Key(key(&grants))));
    let [idle, old, good] = [(); 3].map(|()| {
        let tokens = connected(&grants);
        refresh(&grants, &tokens.refresh).expect("refreshed");
        tokens.grant
    });
    let rows = |table: &str| number(&folder, &format!("SELECT COUNT(*) AS n FROM {table}"));
    let tables = ["oauth_grant", "grant_location", "code", "access", "retired"];
    let counts = || tables.map(rows);
    let sweep = || beside(&folder, crate::grants::sweep);
    sweep();
    assert_eq!(counts(), [4, 8, 4, 6, 3]);
    let day = 24 * 60 * 60 * 1000;
    for change in [
        format!(
            "UPDATE oauth_grant SET idle_until = 1 WHERE id IN ('{idle}', '{}')",
            unused.id
        ),
        format!("UPDATE oauth_grant SET hard_until = 1 WHERE id = '{old}'"),
        format!("UPDATE code SET expires_at = expires_at - {day} - 60000"),
        format!("UPDATE access SET expires_at = 1 WHERE grant_id <> '{good}'"),
    ] {
        sql(&folder, &change);
    }
    sweep();
    assert_eq!(counts(), [4, 8, 0, 2, 3]);
    for id in [&idle, &old] {
        assert_eq!(ended_why(&grants, id).as_deref(), Some("expired"));
    }
    let long_ago = upkeep::ENDED_KEPT + 1;
    sql(
        &folder,
        &format!("UPDATE oauth_grant SET ended_at = ended_at - {long_ago}"),
    );
    sweep();
    assert_eq!(counts(), [1, 2, 0, 2, 1]);
    assert!(grants.get(&good).wait().expect("read").is_some());
}

//! Refresh tokens: rotation, the grace of replaced ones, and refusals.

use super::*;
use crate::grants::refresh::MOST_RETIRED;

/// The refusal of a request that differs. After that the right one is valid, unless nothing is.
#[track_caller]
fn check(
    name: &str,
    change: fn(&mut RefreshRequest),
    before: &str,
    expected: Option<TokenRefusal>,
) {
    let (folder, grants) = opened();
    let tokens = connected(&grants);
    if !before.is_empty() {
        sql(&folder, before);
    }
    let mut asked = request(&tokens.refresh);
    change(&mut asked);
    let answered = on_one_thread(grants.refresh(asked)).expect("written");
    assert_eq!(answered.err(), expected, "{name}");
    let then = refresh(&grants, &tokens.refresh).err();
    let lasts = matches!(expected, Some(TokenRefusal::Ended | TokenRefusal::Expired));
    assert_eq!(
        then,
        expected.filter(|_| lasts),
        "{name}, then the right one"
    );
}

#[on_both]
fn a_refresh_token_is_valid_only_for_its_client() {
    use TokenRefusal::*;
    let rows: &[(&str, fn(&mut RefreshRequest), &str, Option<TokenRefusal>)] = &[
        ("right", |_| {}, "", None),
        (
            "another token",
            |asked| asked.token = "hlr_a".to_owned().into(),
            "",
            Some(Unknown),
        ),
        (
            "another client",
            |asked| asked.client = "other".to_owned(),
            "",
            Some(OtherClient),
        ),
        (
            "its resource",
            |asked| asked.resource = Some(format!("{RESOURCE}/")),
            "",
            None,
        ),
        (
            "another resource",
            |asked| asked.resource = Some(format!("{RESOURCE}-x")),
            "",
            Some(ForeignResource),
        ),
        (
            "less",
            |asked| asked.scope = Some(GrantScope::Read),
            "",
            None,
        ),
        (
            "as much",
            |asked| asked.scope = Some(GrantScope::Write),
            "",
            None,
        ),
        (
            "more",
            |asked| asked.scope = Some(GrantScope::Write),
            "UPDATE oauth_grant SET scope = 'read'",
            Some(WiderScope),
        ),
        (
            "unused too long",
            |_| {},
            "UPDATE oauth_grant SET idle_until = 1",
            Some(Expired),
        ),
        (
            "too old",
            |_| {},
            "UPDATE oauth_grant SET hard_until = 1",
            Some(Expired),
        ),
        (
            "ended",
            |_| {},
            "UPDATE oauth_grant SET ended_at = 1",
            Some(Ended),
        ),
        (
            "its key revoked",
            |_| {},
            "UPDATE access_key SET ended_at = 1",
            Some(Ended),
        ),
        (
            "its key gone",
            |_| {},
            "DELETE FROM access_key",
            Some(Ended),
        ),
        (
            "its client blocked",
            |_| {},
            "INSERT INTO client (id, kind, name, redirects, method, created_at, blocked_at)
                VALUES ('https://client.example/oauth', 'document', 'A', '[]', 'none', 1, 1)",
            Some(Ended),
        ),
    ];
    for (name, change, before, expected) in rows {
        check(name, *change, before, *expected);
    }
}

#[on_both]
fn less_is_less_and_comes_back() {
    let (_folder, grants) = opened();
    let tokens = connected(&grants);
    let less = RefreshRequest {
        scope: Some(GrantScope::Read),
        ..request(&tokens.refresh)
    };
    let less = on_one_thread(grants.refresh(less))
        .expect("written")
        .expect("refreshed");
    let all = refresh(&grants, &less.refresh).expect("refreshed");
    for (tokens, expected) in [(less, GrantScope::Read), (all, GrantScope::Write)] {
        let access = found(&grants, &tokens.access).expect("good");
        assert_eq!((tokens.scope, access.scope), (expected, expected));
        assert_eq!(access.grant.scope, GrantScope::Write);
    }
}

/// A lost answer and a second process do not end the connection.
#[on_both]
fn a_replaced_token_gets_the_current_one_again_within_its_grace() {
    let (folder, grants) = opened();
    let first = connected(&grants);
    let second = refresh(&grants, &first.refresh).expect("refreshed");
    let third = refresh(&grants, &second.refresh).expect("refreshed");
    assert_ne!(
        first.refresh.expose_secret(),
        second.refresh.expose_secret()
    );
    for _ in 0..2 {
        for replaced in [&first.refresh, &second.refresh] {
            let again = refresh(&grants, replaced).expect("refreshed");
            assert_eq!(again.refresh.expose_secret(), third.refresh.expose_secret());
            assert_ne!(again.access.expose_secret(), third.access.expose_secret());
            assert!(found(&grants, &again.access).is_some());
        }
    }
    // The older access tokens keep their lifetime.
    assert!(found(&grants, &first.access).is_some());
    assert_eq!(number(&folder, "SELECT seq AS n FROM oauth_grant"), 2);
    assert_eq!(
        number(
            &folder,
            "SELECT CAST(SUM(uses) AS BIGINT) AS n FROM retired"
        ),
        4
    );
    assert_eq!(events(&folder, "token replayed"), 0);
    // The fourth time, and at each doubling.
    for uses in 3..=9 {
        refresh(&grants, &first.refresh).expect("refreshed");
        let expected = if uses < 4 {
            0
        } else {
            i64::from(uses >= 8) + 1
        };
        assert_eq!(events(&folder, "token replayed"), expected, "{uses}");
    }
}

#[on_both]
fn a_replaced_token_after_its_grace_ends_the_grant() {
    let late = "UPDATE retired SET retired_at = retired_at - 24 * 60 * 60 * 1000";
    for (times, before) in [(TIMES, late), (STRICT, "UPDATE retired SET uses = 0")] {
        let (folder, grants) = opened();
        let strict = opened_in(&folder, times);
        let first = connected(&grants);
        let second = refresh(&strict, &first.refresh).expect("refreshed");
        sql(&folder, before);
        // Not by another client.
        let other = RefreshRequest {
            client: "other".to_owned(),
            ..request(&first.refresh)
        };
        let other = on_one_thread(strict.refresh(other)).expect("written");
        assert_eq!(other.err(), Some(TokenRefusal::OtherClient));
        assert!(found(&grants, &second.access).is_some());
        assert_eq!(
            refresh(&strict, &first.refresh).err(),
            Some(TokenRefusal::Replayed)
        );
        assert_eq!(
            refresh(&strict, &second.refresh).err(),
            Some(TokenRefusal::Ended)
        );
        assert!(found(&strict, &second.access).is_none());
        assert_eq!(
            ended_why(&grants, &first.grant).as_deref(),
            Some("replayed")
        );
        assert_eq!(events(&folder, "token replayed"), 1);
    }
}

#[on_both]
fn twenty_at_once_make_one_generation() {
    let (folder, grants) = opened();
    let elsewhere = opened_in(&folder, TIMES);
    let tokens = connected(&grants);
    let given: Vec<String> = std::thread::scope(|scope| {
        let tries: Vec<_> = (0..20)
            .map(|number| {
                let grants = if number % 2 == 0 { &grants } else { &elsewhere };
                let token = &tokens.refresh;
                scope.spawn(move || refresh(grants, token).expect("refreshed"))
            })
            .collect();
        let tokens = tries.into_iter().map(|one| one.join().expect("done"));
        tokens
            .map(|tokens| tokens.refresh.expose_secret().to_owned())
            .collect()
    });
    assert!(given.iter().all(|one| *one == given[0]), "{}", given.len());
    assert_eq!(number(&folder, "SELECT seq AS n FROM oauth_grant"), 1);
    assert_eq!(number(&folder, "SELECT COUNT(*) AS n FROM retired"), 1);
    assert_eq!(number(&folder, "SELECT COUNT(*) AS n FROM access"), 21);
}

#[on_both]
fn nothing_outlives_its_grant() {
    let minute = Duration::from_secs(60);
    let hour = Duration::from_secs(3600);
    let times = |access_for, refresh_idle, refresh_for| GrantTimes {
        access_for,
        refresh_idle,
        refresh_for,
        ..TIMES
    };
    for (times, least) in [
        (times(minute, hour, DAY), minute),
        (times(DAY, minute, DAY), minute),
        (times(DAY, DAY, minute), minute),
        (times(DAY, 2 * DAY, 2 * DAY), DAY),
    ] {
        let folder = for_tests::folder();
        let grants = opened_in(&folder, times);
        let first = connected(&grants);
        let next = refresh(&grants, &first.refresh).expect("refreshed");
        for tokens in [first, next] {
            let left = least.saturating_sub(tokens.expires_in);
            assert!(
                left < Duration::from_secs(30),
                "{times:?} {:?}",
                tokens.expires_in
            );
            assert!(
                tokens.expires_in <= least,
                "{times:?} {:?}",
                tokens.expires_in
            );
        }
    }
    // A use extends the idle limit, but never the absolute one.
    let (folder, grants) = opened();
    let tokens = connected(&grants);
    sql(
        &folder,
        "UPDATE oauth_grant SET idle_until = idle_until - 1000000",
    );
    let before = number(&folder, "SELECT idle_until AS n FROM oauth_grant");
    let hard = number(&folder, "SELECT hard_until AS n FROM oauth_grant");
    refresh(&grants, &tokens.refresh).expect("refreshed");
    assert!(number(&folder, "SELECT idle_until AS n FROM oauth_grant") > before);
    assert_eq!(
        number(&folder, "SELECT hard_until AS n FROM oauth_grant"),
        hard
    );
}

/// A program that constantly requests tokens fills nothing.
#[on_both]
fn tokens_of_a_grant_are_so_many_at_most() {
    let grants = Grants::new(&for_tests::store(), TIMES);
    let count = |table: &str| {
        let count = format!("SELECT COUNT(*) AS n FROM {table}");
        let read = grants.store.read(move |transaction| {
            let count = sqlx::query(sqlx::AssertSqlSafe(count.clone()));
            transaction.one(count)?.expect("a row").integer("n")
        });
        read.wait().expect("read")
    };
    let first = connected(&grants);
    let second = refresh(&grants, &first.refresh).expect("refreshed");
    let mut tokens = second.clone();
    for _ in 0..MOST_RETIRED {
        tokens = refresh(&grants, &tokens.refresh).expect("refreshed");
    }
    assert_eq!(count("access"), issue::MOST_ACCESS);
    assert_eq!(count("retired"), MOST_RETIRED);
    assert!(found(&grants, &first.access).is_none());
    assert!(found(&grants, &tokens.access).is_some());
    assert_eq!(
        refresh(&grants, &first.refresh).err(),
        Some(TokenRefusal::Unknown)
    );
    let again = refresh(&grants, &second.refresh).expect("refreshed");
    assert_eq!(
        again.refresh.expose_secret(),
        tokens.refresh.expose_secret()
    );
}

//! How a company's token is renewed: once for all callers, not in a tight loop, and without losing the pair.

use std::time::Duration;

use highlevel_mcp::upstream::failure::FailureClass;
use serde_json::json;
use tokio::time::{sleep, timeout};

use crate::fixture::{Fixture, advance, now, token_text};
use crate::token_endpoints::{Moment, Script};

#[tokio::test]
async fn fields_that_highlevel_leaves_out_keep_their_value() {
    let fixture = Fixture::ending_in(-5).await;
    fixture.highlevel.next(Script::With(
        json!({"refresh_token": null, "expires_in": null}),
    ));
    assert!(fixture.token().await.is_err(), "null is no token");
    let (_, body) = fixture.highlevel.last();
    assert_eq!(
        body,
        "client_id=client-0&client_secret=the-client-secret&grant_type=refresh_token\
         &refresh_token=refresh.1.token&user_type=Company"
    );
    fixture.highlevel.next(Script::Say(
        200,
        &[],
        r#"{"access_token": "a.b.c"}"#.to_owned(),
    ));
    advance(5).await;
    assert_eq!(fixture.token().await.as_deref(), Ok("a.b.c"));
    let pair = fixture.pair().await;
    assert_eq!(pair["refresh_token"], "refresh.1.token");
    assert!(pair["expires_at"].as_i64().expect("an end") > now() + 86_000);
}

#[tokio::test]
async fn failed_renewals_are_five_seconds_apart() {
    for rest in [-5, 200] {
        let fixture = Fixture::ending_in(rest).await;
        for round in 1..=3 {
            fixture.highlevel.next(Script::Say(401, &[], String::new()));
            for _ in 0..10 {
                match fixture.token().await {
                    Ok(token) => assert_eq!((token.as_str(), rest), (fixture.first(), 200)),
                    Err(failure) => {
                        assert_eq!((failure.class, rest), (FailureClass::Auth, -5));
                        assert!(failure.retry_after_ms.unwrap_or(0) <= 5000, "{failure:?}");
                    }
                }
            }
            assert_eq!(fixture.highlevel.renewals(), round);
            advance(5).await;
        }
        assert_eq!(fixture.token().await.as_deref(), Ok("company.2.access"));
    }
}

#[tokio::test]
async fn a_longer_pause_that_highlevel_asks_for_is_kept() {
    let rows: [(&'static [(&str, &str)], u64); 3] = [
        (&[("retry-after", "1")], 5),
        (&[("retry-after", "20")], 20),
        (&[("retry-after", "86400")], 60),
    ];
    for (asked, pause) in rows {
        let fixture = Fixture::ending_in(-5).await;
        fixture
            .highlevel
            .next(Script::Say(429, asked, String::new()));
        assert!(fixture.token().await.is_err());
        advance(pause - 1).await;
        assert!(fixture.token().await.is_err(), "{asked:?}");
        advance(1).await;
        assert_eq!(
            fixture.token().await.as_deref(),
            Ok("company.2.access"),
            "{asked:?}"
        );
    }
}

#[tokio::test]
async fn tokens_that_live_shorter_than_the_margin_are_not_renewed_at_every_call() {
    let fixture = Fixture::ending_in(-5).await;
    fixture.highlevel.lives(100);
    for _ in 0..10 {
        assert_eq!(fixture.token().await.as_deref(), Ok("company.2.access"));
    }
    advance(5).await;
    assert_eq!(fixture.token().await.as_deref(), Ok("company.3.access"));
    assert_eq!(fixture.highlevel.renewals(), 2);
}

#[tokio::test]
async fn only_the_token_in_use_can_be_refused_and_not_too_young() {
    let fixture = Fixture::ending_in(10_000).await;
    assert!(
        fixture.company.refused(&"company.0.access".into()),
        "nothing is read yet"
    );
    let first = fixture.company.token().await.expect("a token");
    assert!(fixture.company.refused(&"company.0.access".into()));
    assert_eq!(fixture.token().await.as_deref(), Ok("company.1.access"));
    assert!(fixture.company.refused(&first));
    let second = fixture.company.token().await.expect("a token");
    assert_eq!(
        token_text(Ok(second.clone())).as_deref(),
        Ok("company.2.access")
    );
    assert!(fixture.company.refused(&first), "late, and of no effect");
    assert!(
        !fixture.company.refused(&second),
        "another one would be refused too"
    );
    assert_eq!(fixture.token().await.as_deref(), Ok("company.2.access"));
    assert_eq!(fixture.highlevel.renewals(), 1);
    advance(60).await;
    assert!(fixture.company.refused(&second));
    fixture.highlevel.next(Script::Say(401, &[], String::new()));
    let failure = fixture
        .token()
        .await
        .expect_err("what was refused is not used on");
    assert_eq!(failure.class, FailureClass::Auth);
    advance(5).await;
    assert_eq!(fixture.token().await.as_deref(), Ok("company.3.access"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_token_is_not_sent_again() {
    let fixture = Fixture::ending_in(10_000).await;
    for _ in 0..50 {
        let company = fixture.another();
        let first = company.token().await.expect("a token");
        assert!(company.refused(&first));
        let second = token_text(company.token().await);
        assert_ne!(second, token_text(Ok(first)));
    }
    assert_eq!(fixture.highlevel.renewals(), 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn simultaneous_requests_renew_once() {
    let fixture = Fixture::ending_in(-5).await;
    fixture.highlevel.delay(Duration::from_millis(100));
    let other = fixture.another();
    let asking: Vec<_> = (0..200)
        .map(|number| {
            let company = if number % 2 == 0 {
                fixture.company.clone()
            } else {
                other.clone()
            };
            tokio::spawn(async move { token_text(company.token().await) })
        })
        .collect();
    for asked in asking {
        assert_eq!(
            asked.await.expect("no panic").as_deref(),
            Ok("company.2.access")
        );
    }
    assert_eq!(fixture.highlevel.renewals(), 1);
}

#[tokio::test]
async fn a_caller_that_leaves_does_not_stop_a_renewal() {
    let fixture = Fixture::ending_in(-5).await;
    let mut moments = fixture.highlevel.moments();
    fixture.highlevel.delay(Duration::from_millis(100));
    let company = fixture.company.clone();
    let asking = tokio::spawn(async move { company.token().await });
    while moments.recv().await.expect("a moment") != Moment::Asked {}
    asking.abort();
    while fixture.pair().await["refresh_token"] != "refresh.2.token" {
        sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(fixture.token().await.as_deref(), Ok("company.2.access"));
    assert_eq!(fixture.highlevel.renewals(), 1);
}

#[tokio::test]
async fn a_lost_answer_is_fetched_again_without_a_caller() {
    let fixture = Fixture::ending_in(200).await;
    fixture.highlevel.next(Script::Garble(502, "<html>"));
    assert_eq!(fixture.token().await.as_deref(), Ok(fixture.first()));
    let fetched = async {
        while fixture.pair().await["refresh_token"] != "refresh.2.token" {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(Duration::from_secs(8), fetched)
        .await
        .expect("fetched again");
    assert_eq!(fixture.token().await.as_deref(), Ok("company.2.access"));
    assert_eq!(
        (fixture.highlevel.renewals(), fixture.highlevel.rotations()),
        (2, 1)
    );
}

#[tokio::test]
async fn an_answer_that_was_lost_stays_so_until_highlevel_says_otherwise() {
    for (then, left) in [
        (Script::Say(429, &[], String::new()), true),
        (Script::Say(403, &[], "<html>".to_owned()), true),
        (
            Script::Say(
                400,
                &[],
                r#"{"message": "Location is not active"}"#.to_owned(),
            ),
            true,
        ),
        (
            Script::Say(400, &[], r#"{"error": "invalid_grant"}"#.to_owned()),
            false,
        ),
    ] {
        let fixture = Fixture::ending_in(200).await;
        fixture.highlevel.next(Script::Garble(500, ""));
        fixture.highlevel.next(then.clone());
        assert_eq!(fixture.token().await.as_deref(), Ok(fixture.first()));
        advance(5).await;
        assert_eq!(fixture.token().await.as_deref(), Ok(fixture.first()));
        assert_eq!(fixture.highlevel.renewals(), 2);
        assert_eq!(fixture.is_open().await, left, "{then:?}");
    }
}

#[test]
fn a_server_that_stops_while_it_renews_renews_at_once_when_it_starts() {
    let runtime = || {
        tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .expect("a runtime")
    };
    let highlevel = runtime();
    // The token is valid for hours. Only the intent shows that a successor is waiting.
    let fixture = highlevel.block_on(Fixture::ending_in(10_000));
    fixture.highlevel.next(Script::Lose);
    let server = runtime();
    server.block_on(async {
        let first = fixture.company.token().await.expect("a token");
        assert!(fixture.company.refused(&first));
        let mut moments = fixture.highlevel.moments();
        let company = fixture.company.clone();
        tokio::spawn(async move { company.token().await });
        while moments.recv().await.expect("a moment") != Moment::Asked {}
        while fixture.highlevel.rotations() == 0 {
            sleep(Duration::from_millis(5)).await;
        }
    });
    server.shutdown_background();
    fixture.highlevel.pass(Duration::from_secs(25));
    let company = fixture.another();
    let token = highlevel.block_on(company.token());
    assert_eq!(token_text(token).as_deref(), Ok("company.2.access"));
    assert_eq!(
        (fixture.highlevel.renewals(), fixture.highlevel.rotations()),
        (2, 1)
    );
}

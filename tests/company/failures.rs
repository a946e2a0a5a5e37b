//! Failed renewals: the cause, the remedy, and that the pair is kept.

use std::process::Command;
use std::time::Duration;

use highlevel_mcp::upstream::failure::FailureClass;
use rustix::process::{Resource, Rlimit};
use serde_json::json;
use state::token_pairs::PairImport;

use crate::fixture::{Fixture, advance, company_at, token_text};
use crate::token_endpoints::{Moment, Script};

/// What the store holds after a failed renewal.
#[derive(Debug, PartialEq, Eq)]
enum Left {
    Nothing,
    /// The next process renews at once.
    Intent,
}

/// A renewal that HighLevel answers by `script`, once without a valid token and once with a token that is valid for a
/// while.
async fn check(script: Script, class: FailureClass, says: &str, remedy: &str, left: Left) {
    for rest in [-5, 200] {
        let fixture = Fixture::ending_in(rest).await;
        fixture.highlevel.next(script.clone());
        let outcome = fixture.token().await;
        assert_eq!(fixture.is_open().await, left == Left::Intent, "{script:?}");
        assert_eq!(fixture.pair().await["refresh_token"], "refresh.1.token");
        if rest > 0 {
            assert_eq!(outcome.as_deref(), Ok(fixture.first()), "{script:?}");
            continue;
        }
        let failure = outcome.expect_err("no token");
        let text = failure.text();
        assert_eq!(failure.class, class, "{text}");
        assert!(failure.sentence.contains(says), "{text}");
        assert!(
            failure
                .remedy
                .as_ref()
                .is_some_and(|told| told.contains(remedy)),
            "{text}"
        );
        for secret in ["the-client-secret", "refresh.1.token", "company.1.access"] {
            assert!(!text.contains(secret), "{text}");
        }
    }
}

#[tokio::test]
async fn refusals_name_their_cause_and_keep_the_pair() {
    let oauth = |status, error: &str, what: &str| {
        let body = json!({"error": error, "error_description": what, "traceId": "t"});
        Script::Say(status, &[], body.to_string())
    };
    let echo = "client the-client-secret refresh.1.token";
    let message =
        |status, what: &str| Script::Say(status, &[], json!({"message": [what]}).to_string());
    let html = |status| Script::Say(status, &[], " <html><title>no</title>".to_owned());
    for (script, class, says, remedy) in [
        (
            message(400, "Location is not active"),
            FailureClass::Location,
            "not active",
            "active again",
        ),
        (
            oauth(400, "invalid_grant", "x"),
            FailureClass::Auth,
            "refresh token",
            "Install the app",
        ),
        (
            oauth(401, "UnAuthorized!", "Refresh token not found"),
            FailureClass::Auth,
            "refresh token",
            "pair file",
        ),
        (
            oauth(401, "UnAuthorized!", "Invalid client credentials!"),
            FailureClass::Auth,
            "client secret",
            "Compare",
        ),
        (
            oauth(401, "invalid_client", ""),
            FailureClass::Auth,
            "client secret",
            "Compare",
        ),
        (
            oauth(401, "UnAuthorized!", echo),
            FailureClass::Auth,
            "client secret",
            "Compare",
        ),
        (
            message(422, "what else"),
            FailureClass::Auth,
            "does not renew",
            "See the message",
        ),
        (
            Script::Say(403, &[], "plain".to_owned()),
            FailureClass::Auth,
            "does not renew",
            "See the message",
        ),
        (
            html(403),
            FailureClass::Upstream,
            "403 with a page of HTML",
            "Cloudflare",
        ),
        (
            Script::Say(302, &[("location", "/login")], String::new()),
            FailureClass::Upstream,
            "redirects",
            "base_url",
        ),
        (
            Script::Say(429, &[("retry-after", "7")], "{}".to_owned()),
            FailureClass::RateLimited,
            "Too many",
            "7 seconds",
        ),
        (
            Script::Say(429, &[], "{}".to_owned()),
            FailureClass::RateLimited,
            "Too many",
            "10 seconds",
        ),
    ] {
        check(script, class, says, remedy, Left::Nothing).await;
    }
}

#[tokio::test]
async fn answers_that_tell_nothing_leave_the_intent() {
    for (script, says) in [
        (Script::Garble(500, "{}"), "failed"),
        (Script::Garble(502, "<html>"), "502 with a page of HTML"),
        (Script::Garble(200, "<!doctype html>"), "is a page of HTML"),
        (
            Script::Garble(200, r#"{"access_token": "x", "#),
            "is not a JSON object",
        ),
        (Script::Garble(200, "[]"), "is not a JSON object"),
        (
            Script::With(json!({"access_token": ""})),
            "holds no access_token",
        ),
        (
            Script::With(json!({"refresh_token": 1})),
            "holds no refresh_token",
        ),
        (
            Script::With(json!({"more": "x".repeat(300_000)})),
            "is too large",
        ),
    ] {
        check(
            script,
            FailureClass::Upstream,
            says,
            "ry again",
            Left::Intent,
        )
        .await;
    }
}

#[tokio::test]
async fn a_silent_highlevel_is_given_ten_seconds() {
    let fixture = Fixture::ending_in(-5).await;
    fixture.highlevel.next(Script::Lose);
    let start = std::time::Instant::now();
    let failure = fixture.token().await.expect_err("silence");
    assert!((10..12).contains(&start.elapsed().as_secs()));
    assert_eq!(failure.class, FailureClass::Upstream);
    assert!(failure.sentence.contains("in time"), "{failure:?}");
    assert!(fixture.is_open().await);
}

#[tokio::test]
async fn nothing_stays_open_if_nothing_was_sent() {
    let fixture = Fixture::ending_in(-5).await;
    let company = company_at("http://127.0.0.1:9", &fixture.path());
    let failure = token_text(company.token().await).expect_err("nobody there");
    assert_eq!(failure.class, FailureClass::Upstream);
    assert!(failure.sentence.contains("nothing was sent"), "{failure:?}");
    assert!(!fixture.is_open().await);
}

/// A process that may write no file, and later may. It is not a test of its own.
#[tokio::test]
#[ignore = "the process of the other test"]
async fn process() {
    for rest in [-5, 200] {
        let fixture = Fixture::ending_in(rest).await;
        // The pair that the store already has stays.
        fixture
            .tokens
            .import(of_file(&fixture))
            .await
            .expect("imported");
        longest_file(Some(0));
        let outcome = fixture.token().await;
        longest_file(None);
        assert_eq!(fixture.highlevel.renewals(), 0);
        if rest > 0 {
            assert_eq!(outcome.as_deref(), Ok(fixture.first()));
            continue;
        }
        let failure = outcome.expect_err("no token");
        assert_eq!(failure.class, FailureClass::Auth);
        for part in ["HighLevel was not asked", "highlevel.db"] {
            assert!(failure.sentence.contains(part), "{failure:?}");
        }
        assert!(failure.remedy.is_some());
    }

    let fixture = Fixture::ending_in(-5).await;
    let mut moments = fixture.highlevel.moments();
    fixture.highlevel.delay(Duration::from_millis(100));
    let company = fixture.company.clone();
    let asking = tokio::spawn(async move { token_text(company.token().await) });
    while moments.recv().await.expect("a moment") != Moment::Asked {}
    longest_file(Some(0));
    let failure = asking.await.expect("no panic").expect_err("not kept");
    longest_file(None);
    for part in ["cannot keep", "highlevel.db"] {
        assert!(failure.sentence.contains(part), "{failure:?}");
    }
    assert!(
        failure
            .remedy
            .is_some_and(|remedy| remedy.contains("memory"))
    );
    // HighLevel no longer repeats the answer.
    fixture.highlevel.pass(Duration::from_secs(3600));
    assert!(fixture.token().await.is_err(), "too early");
    advance(5).await;
    assert_eq!(fixture.token().await.as_deref(), Ok("company.2.access"));
    assert_eq!(fixture.pair().await["refresh_token"], "refresh.2.token");
    assert_eq!(
        (fixture.highlevel.renewals(), fixture.is_open().await),
        (1, false)
    );
}

#[test]
fn without_a_place_for_a_pair_none_is_requested_and_none_is_lost() {
    let program = std::env::current_exe().expect("this program");
    // Otherwise the system kills a process that writes too much.
    let output = Command::new("sh")
        .args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""])
        .arg(program)
        .args(["--exact", "failures::process", "--ignored"])
        .output()
        .expect("a process");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}"
    );
}

/// Sets the largest size of a file of this process, in bytes.
fn longest_file(bytes: Option<u64>) {
    let limit = rustix::process::getrlimit(Resource::Fsize);
    let current = bytes.or(limit.maximum);
    let limit = Rlimit { current, ..limit };
    rustix::process::setrlimit(Resource::Fsize, limit).expect("set");
}

fn of_file(fixture: &Fixture) -> PairImport {
    let refresh = fixture.installed["refresh_token"]
        .as_str()
        .expect("a token");
    PairImport {
        text: fixture.installed.to_string().into(),
        names: vec![state::sha256(refresh)],
        is_open: false,
    }
}

//! Tokens of locations, for the server's own companies and for clients with a company's token.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use highlevel_mcp::upstream::caller::Credential;
use highlevel_mcp::upstream::company::Minter;
use highlevel_mcp::upstream::failure::{Failure, FailureClass};
use serde_json::{Value, json};

use crate::fixture::{Fixture, advance, id, now, oauth, token_text};
use crate::token_endpoints::{LOCATIONS, Script, TokenEndpoints};

async fn token(fixture: &Fixture, location: &str) -> Result<String, Failure> {
    token_text(fixture.company.location_token(&id(location)).await)
}

#[tokio::test]
async fn a_location_token_is_minted_once_and_kept_in_memory_only() {
    let fixture = Fixture::ending_in(10_000).await;
    let first = token(&fixture, LOCATIONS[0]).await.expect("a token");
    assert_eq!(first, "Location0.2.token");
    let (headers, body) = fixture.highlevel.last();
    assert_eq!(body, "companyId=Company0&locationId=Location0");
    assert_eq!(headers["version"], "2021-07-28");
    assert_eq!(headers["content-type"], "application/x-www-form-urlencoded");
    assert_eq!(headers["authorization"], "Bearer company.1.access");
    assert_eq!(
        token(&fixture, LOCATIONS[0]).await.as_deref(),
        Ok("Location0.2.token")
    );
    assert_eq!(
        token(&fixture, LOCATIONS[1]).await.as_deref(),
        Ok("Location1.3.token")
    );
    assert_eq!(fixture.highlevel.mints(), 2);
    let pair = fixture.pair().await.to_string();
    for secret in [&first, "locations.refresh"] {
        assert!(!pair.contains(secret) && !fixture.store_shows(secret));
    }
    let kept = first.as_str().into();
    assert!(
        !fixture.company.forget(&id(LOCATIONS[0]), &kept),
        "too young"
    );
    assert!(
        fixture.company.forget(&id(LOCATIONS[1]), &kept),
        "of the other location"
    );
    advance(60).await;
    assert!(fixture.company.forget(&id(LOCATIONS[0]), &kept));
    assert_eq!(
        token(&fixture, LOCATIONS[0]).await.as_deref(),
        Ok("Location0.4.token")
    );
    assert_eq!(
        token(&fixture, LOCATIONS[1]).await.as_deref(),
        Ok("Location1.3.token")
    );
}

#[tokio::test]
async fn an_expired_token_of_the_company_is_renewed_first() {
    let fixture = Fixture::ending_in(-5).await;
    assert_eq!(
        token(&fixture, LOCATIONS[0]).await.as_deref(),
        Ok("Location0.3.token")
    );
    assert_eq!(
        (fixture.highlevel.renewals(), fixture.highlevel.mints()),
        (1, 1)
    );

    let fixture = Fixture::ending_in(10_000).await;
    fixture.highlevel.revoke(fixture.first());
    assert_eq!(
        token(&fixture, LOCATIONS[0]).await.as_deref(),
        Ok("Location0.3.token")
    );
    assert_eq!(
        (fixture.highlevel.renewals(), fixture.highlevel.mints()),
        (1, 2)
    );

    // A new token that is refused too is not renewed again.
    fixture.highlevel.revoke("company.2.access");
    let failure = token(&fixture, LOCATIONS[1]).await.expect_err("refused");
    assert_eq!(failure.class, FailureClass::Auth);
    assert_eq!(
        (fixture.highlevel.renewals(), fixture.highlevel.mints()),
        (1, 3)
    );

    // No pair, no request.
    let fixture = Fixture::with(&json!({"companyId": "Other"})).await;
    assert_eq!(
        token(&fixture, LOCATIONS[0]).await.expect_err("none").class,
        FailureClass::Auth
    );
    assert_eq!(fixture.highlevel.mints(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn simultaneous_requests_get_one_token() {
    let fixture = Fixture::ending_in(-5).await;
    fixture.highlevel.delay(Duration::from_millis(50));
    let asking: Vec<_> = (0..200)
        .map(|number| {
            let company = fixture.company.clone();
            let location = id(LOCATIONS[number % 2]);
            tokio::spawn(async move { company.location_token(&location).await })
        })
        .collect();
    for asked in asking {
        assert!(asked.await.expect("no panic").is_ok());
    }
    assert_eq!(
        (fixture.highlevel.renewals(), fixture.highlevel.mints()),
        (1, 2)
    );
}

async fn check(
    location: &str,
    script: Option<Script>,
    class: FailureClass,
    says: &str,
    remedy: &str,
) {
    let fixture = Fixture::ending_in(10_000).await;
    if let Some(script) = script {
        fixture.highlevel.next(script);
    }
    let failure = token(&fixture, location).await.expect_err(says);
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
    assert!(!text.contains("company.1.access"), "{text}");
    assert_eq!(
        (fixture.highlevel.renewals(), fixture.highlevel.mints()),
        (0, 1),
        "{text}"
    );
}

#[tokio::test]
async fn refusals_name_the_location_and_the_remedy() {
    let say = |status, what: &str| {
        let body = json!({"statusCode": status, "message": what, "echo": "company.1.access"});
        Some(Script::Say(status, &[], body.to_string()))
    };
    let own = LOCATIONS[0];
    let foreign = Script::With(json!({"locationId": LOCATIONS[1]}));
    let none = Script::With(json!({"access_token": null}));
    for (location, script, class, says, remedy) in [
        (
            "Elsewhere",
            None,
            FailureClass::Location,
            "the location Elsewhere",
            "install the app",
        ),
        (
            own,
            say(400, "Location is not active"),
            FailureClass::Location,
            "Location0: it is not active",
            "active again",
        ),
        (
            own,
            say(403, "company.1.access may not"),
            FailureClass::Location,
            "the location Location0",
            "install the app",
        ),
        (
            own,
            say(404, ""),
            FailureClass::Location,
            "the location Location0",
            "install the app",
        ),
        (
            own,
            say(401, "The token is not authorized for this scope."),
            FailureClass::Scope,
            "may give no",
            "oauth.write",
        ),
        (
            own,
            say(401, "Token's user type mismatch!"),
            FailureClass::TokenClass,
            "not a company's",
            "whole company",
        ),
        (
            own,
            say(429, ""),
            FailureClass::RateLimited,
            "Too many",
            "10 seconds",
        ),
        (
            own,
            say(500, ""),
            FailureClass::Upstream,
            "failed",
            "Try again",
        ),
        (
            own,
            Some(Script::Say(200, &[], "<html>".to_owned())),
            FailureClass::Upstream,
            "page of HTML",
            "Try again",
        ),
        (
            own,
            Some(none),
            FailureClass::Upstream,
            "holds no access_token",
            "Try again",
        ),
        (
            own,
            Some(foreign),
            FailureClass::Location,
            "another location than Location0",
            "Try again",
        ),
    ] {
        check(location, script, class, says, remedy).await;
    }
}

/// A token with these claims.
fn credential(claims: &Value) -> Credential {
    let claims = URL_SAFE_NO_PAD.encode(claims.to_string());
    Credential::parse(&format!("e30.{claims}.x")).expect("a credential")
}

#[tokio::test]
async fn a_clients_company_token_is_exchanged_and_nobody_elses() {
    let highlevel = TokenEndpoints::start().await;
    let minter = Minter::new(oauth(highlevel.url()));
    let company = credential(
        &json!({"authClass": "Company", "authClassId": "Company0", "exp": now() + 1000}),
    );
    let own = id(LOCATIONS[0]);
    let ask = async |digest: u8, credential: &Credential| {
        token_text(minter.location_token([digest; 32], credential, &own).await)
    };
    assert_eq!(ask(1, &company).await.as_deref(), Ok("Location0.1.token"));
    assert_eq!(ask(1, &company).await.as_deref(), Ok("Location0.1.token"));
    assert_eq!(ask(2, &company).await.as_deref(), Ok("Location0.2.token"));
    assert!(
        !minter.forget([1; 32], &own, &"Location0.1.token".into()),
        "too young"
    );
    advance(60).await;
    assert!(minter.forget([1; 32], &own, &"Location0.1.token".into()));
    assert_eq!(ask(1, &company).await.as_deref(), Ok("Location0.3.token"));
    assert_eq!(ask(2, &company).await.as_deref(), Ok("Location0.2.token"));

    // Nothing is kept longer than the client's own token is valid.
    let ending =
        credential(&json!({"authClass": "Company", "authClassId": "Company0", "exp": now() + 200}));
    assert_eq!(ask(3, &ending).await.as_deref(), Ok("Location0.4.token"));
    assert_eq!(ask(3, &ending).await.as_deref(), Ok("Location0.5.token"));

    let mints = highlevel.mints();
    for claims in [
        json!({"authClass": "Location", "authClassId": "Company0"}),
        json!({"authClass": "Company", "authClassId": "no/id"}),
        json!({"authClassId": "Company0"}),
    ] {
        let other = credential(&claims);
        assert!(!Minter::takes(&other), "{claims}");
        assert_eq!(
            ask(4, &other).await.expect_err("another kind").class,
            FailureClass::TokenClass
        );
    }
    let pit = Credential::parse("pit-1").expect("a credential");
    assert!(Minter::takes(&company) && !Minter::takes(&pit));
    assert_eq!(highlevel.mints(), mints);
}

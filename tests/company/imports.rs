//! When the store imports the pair of a file: once, and again after the app was installed again.

use std::fs::{self, File};

use highlevel_mcp::upstream::failure::FailureClass;
use serde_json::{Value, json};

use crate::fixture::{Fixture, advance, now, token_text, with, write};
use crate::token_endpoints::Script;

/// The change of the file, and the files that an older version leaves beside it.
enum Change {
    Nothing,
    Removed,
    Torn,
    /// The pair of another install, with these members merged in.
    Installed(Value),
    /// The first pair again.
    PutBack,
    /// The pair of another install. Beside it is the answer that an older version received and did not live to store.
    WithAnswer,
    /// The pair of another install. Beside it is an older version's intent to renew it.
    WithIntent,
}
use Change::{Installed, Nothing, PutBack, Removed, Torn, WithAnswer, WithIntent};

/// Checks the token of a process that starts afterwards, and the number of renewals since the first install.
async fn check(change: Change, token: &str, renewals: usize, name: &str) {
    // The store has the second pair.
    let fixture = Fixture::ending_in(-5).await;
    assert_eq!(fixture.token().await.as_deref(), Ok("company.2.access"));
    let later = json!({"expires_at": now() + 10_000});
    match change {
        Nothing => {}
        Removed => fs::remove_file(fixture.path()).expect("removed"),
        Torn => write(&fixture.path(), r#"{"access_token": "#),
        Installed(members) => drop(fixture.install(&members)),
        PutBack => {
            fixture.install(&later);
            let first = token_text(fixture.another().token().await);
            assert_eq!(first.as_deref(), Ok("company.3.access"), "{name}");
            write(&fixture.path(), fixture.installed.to_string());
        }
        WithAnswer => {
            let old = fixture.install(&later);
            let replaces = state::sha256(old["refresh_token"].as_str().expect("a token"));
            let members = json!({"expires_at": now() + 10_000, "replaces": replaces});
            let new = with(fixture.highlevel.install(), &members);
            write(&fixture.path().with_extension("json.new"), new.to_string());
        }
        WithIntent => {
            let old = fixture.install(&later);
            let replaces = state::sha256(old["refresh_token"].as_str().expect("a token"));
            let intent = json!({"replaces": replaces}).to_string();
            write(&fixture.path().with_extension("json.new"), intent);
        }
    }
    for round in 0..2 {
        let got = token_text(fixture.another().token().await);
        assert_eq!(got.as_deref(), Ok(token), "{name}, {round}");
        assert_eq!(fixture.highlevel.renewals(), renewals, "{name}, {round}");
    }
}

#[tokio::test]
async fn only_a_new_pair_is_imported() {
    let later = || json!({"expires_at": now() + 10_000});
    let second = "company.2.access";
    let wrong = |members: Value| Installed(with(later(), &members));
    for (change, token, renewals, name) in [
        (Nothing, second, 1, "the same file"),
        (Removed, second, 1, "no file"),
        (Torn, second, 1, "a broken file"),
        (
            wrong(json!({"companyId": "Other"})),
            second,
            1,
            "another company's",
        ),
        (
            wrong(json!({"userType": "Location"})),
            second,
            1,
            "a location's",
        ),
        (Installed(later()), "company.3.access", 1, "installed anew"),
        (
            Installed(json!({"expires_at": 5})),
            "company.4.access",
            2,
            "installed long ago",
        ),
        (PutBack, "company.3.access", 1, "an old file"),
        (
            WithAnswer,
            "company.4.access",
            1,
            "an older version's new pair",
        ),
        (
            WithIntent,
            "company.4.access",
            2,
            "an older version's intent",
        ),
    ] {
        check(change, token, renewals, name).await;
    }
}

#[tokio::test]
async fn an_older_version_is_not_disturbed_while_it_renews() {
    let fixture = Fixture::ending_in(10_000).await;
    let lock = File::create(fixture.path().with_extension("json.lock")).expect("a lock");
    lock.try_lock().expect("free");
    let failure = fixture.token().await.expect_err("locked");
    assert_eq!(failure.class, FailureClass::Upstream);
    assert!(failure.sentence.contains("older version"), "{failure:?}");
    lock.unlock().expect("unlocked");
    advance(5).await;
    assert_eq!(fixture.token().await.as_deref(), Ok(fixture.first()));
    // A pair in the store needs no lock of the file.
    lock.try_lock().expect("free");
    fixture.install(&json!({"expires_at": now() + 10_000}));
    let other = token_text(fixture.another().token().await);
    assert_eq!(other.as_deref(), Ok(fixture.first()));
    assert_eq!(fixture.highlevel.renewals(), 0);
}

#[tokio::test]
async fn a_running_server_imports_a_new_install_when_the_old_one_is_dead() {
    let fixture = Fixture::ending_in(-5).await;
    let dead = r#"{"error": "invalid_grant"}"#;
    fixture
        .highlevel
        .next(Script::Say(400, &[], dead.to_owned()));
    let failure = fixture.token().await.expect_err("dead");
    let remedy = failure.remedy.expect("a remedy");
    assert!(remedy.contains("pair file"), "{remedy}");
    fixture.install(&json!({"expires_at": now() + 10_000}));
    advance(5).await;
    assert_eq!(fixture.token().await.as_deref(), Ok("company.2.access"));
    assert_eq!(fixture.highlevel.renewals(), 1);
}

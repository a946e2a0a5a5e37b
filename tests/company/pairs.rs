//! Which pair files are imported, and the pair after a renewal.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use highlevel_mcp::upstream::company::{Company, CompanyAppSettings};
use highlevel_mcp::upstream::failure::FailureClass;
use serde_json::{Value, json};
use state::Store;

use crate::fixture::{Fixture, company_at, id, now, oauth, settings, token_text, with, write};

/// The expected result for a pair file.
#[derive(Debug, PartialEq, Eq)]
enum Fate {
    Used,
    Renewed,
    Refused(FailureClass),
}
use Fate::{Refused, Renewed, Used};

/// `says` is a part of the error, besides the file's name.
async fn check(text: impl AsRef<[u8]>, fate: Fate, says: &str) {
    let fixture = Fixture::ending_in(0).await;
    write(&fixture.path(), text.as_ref());
    let text = String::from_utf8_lossy(text.as_ref())
        .chars()
        .take(200)
        .collect::<String>();
    let got = match fixture.token().await {
        Ok(token) if fixture.highlevel.renewals() == 0 => {
            assert!(text.contains(&token), "{text}");
            Used
        }
        Ok(token) => {
            assert_eq!(token, "company.2.access", "{text}");
            Renewed
        }
        Err(failure) => {
            assert_eq!(fixture.highlevel.renewals(), 0, "{text}");
            let sentence = &failure.sentence;
            assert!(
                sentence.contains("pair.json") && sentence.contains(says),
                "{failure:?}"
            );
            assert!(failure.remedy.is_some());
            assert!(!sentence.contains("company.1.access"), "{failure:?}");
            Refused(failure.class)
        }
    };
    assert_eq!(got, fate, "{text}");
}

/// The installed pair with these members merged in. A null removes a member.
fn pair(members: Value) -> String {
    let pair = json!({
        "access_token": "company.1.access", "refresh_token": "refresh.1.token", "userType": "Company",
        "companyId": "Company0",
    });
    with(pair, &members).to_string()
}

#[tokio::test]
async fn a_pair_is_used_until_five_minutes_before_its_end() {
    let claims = URL_SAFE_NO_PAD.encode(json!({"exp": now() + 200}).to_string());
    let jwt = format!("e30.{claims}.x");
    for (members, fate) in [
        (json!({"expires_at": now() + 1000}), Used),
        (json!({"expires_at": now() + 310}), Used),
        (json!({"expires_at": now() + 299}), Renewed),
        (json!({"expires_at": now() - 5}), Renewed),
        (json!({"expires_at": -1e300}), Renewed),
        (json!({"expires_at": (now() + 1000).to_string()}), Used),
        // As in HighLevel's answer: relative to the time of the file.
        (json!({"expires_in": 86_399}), Used),
        (json!({"expires_in": 200}), Renewed),
        (json!({"expires_in": "soon"}), Renewed),
        (json!({}), Renewed),
        // The token's own claim, if it is earlier.
        (
            json!({"access_token": jwt, "expires_at": now() + 1000}),
            Renewed,
        ),
        (json!({"access_token": jwt, "expires_in": 86_399}), Renewed),
    ] {
        check(pair(members), fate, "").await;
    }
}

#[tokio::test]
async fn files_without_a_pair_are_refused_by_name() {
    let whole = pair(json!({"expires_at": now() + 1000}));
    for (text, class, says) in [
        (
            whole[..whole.len() / 2].to_owned(),
            FailureClass::Auth,
            "is not JSON",
        ),
        (String::new(), FailureClass::Auth, "is not JSON"),
        ("[1]".to_owned(), FailureClass::Auth, "is not a JSON object"),
        (
            pair(json!({"access_token": null})),
            FailureClass::Auth,
            "holds no access_token",
        ),
        (
            pair(json!({"access_token": "a\nb"})),
            FailureClass::Auth,
            "holds no access_token",
        ),
        (
            pair(json!({"refresh_token": null})),
            FailureClass::Auth,
            "holds no refresh_token",
        ),
        (
            pair(json!({"refresh_token": ""})),
            FailureClass::Auth,
            "holds no refresh_token",
        ),
        (
            pair(json!({"userType": "Location"})),
            FailureClass::TokenClass,
            "of a location",
        ),
        (
            pair(json!({"companyId": "Other"})),
            FailureClass::Auth,
            "another company than Company0",
        ),
        (" ".repeat(300_000), FailureClass::Auth, "too large"),
    ] {
        check(text, Refused(class), says).await;
    }
    check(b"\xff\xfe", Refused(FailureClass::Auth), "is not JSON").await;
}

#[tokio::test]
async fn a_missing_file_may_be_written_later() {
    let fixture = Fixture::ending_in(1000).await;
    let pair = fs::read(fixture.path()).expect("a file");
    fs::remove_file(fixture.path()).expect("removed");
    for make_folder in [false, true] {
        if make_folder {
            fs::create_dir(fixture.path()).expect("a folder");
        }
        let company = fixture.another();
        let failure = token_text(company.token().await).expect_err("no pair");
        assert_eq!(failure.class, FailureClass::Auth);
        assert!(failure.sentence.contains("cannot be read"), "{failure:?}");
        assert!(
            failure
                .remedy
                .expect("a remedy")
                .contains("POST /oauth/token")
        );
    }
    fs::remove_dir(fixture.path()).expect("removed");
    let company = fixture.another();
    assert!(company.token().await.is_err());
    write(&fixture.path(), pair);
    crate::fixture::advance(5).await;
    assert_eq!(
        token_text(company.token().await).as_deref(),
        Ok(fixture.first())
    );
}

#[tokio::test]
async fn a_renewed_pair_keeps_its_other_fields_and_the_file_is_unchanged() {
    let members = json!({"note": {"by": "hand"}, "planId": "p", "expires_at": 5, "scope": "old"});
    let fixture = Fixture::with(&members).await;
    fs::set_permissions(fixture.path(), fs::Permissions::from_mode(0o444)).expect("a mode");
    let about = || {
        let metadata = fs::metadata(fixture.path()).expect("a file");
        let times = (metadata.modified().expect("a time"), metadata.ino());
        (
            fs::read(fixture.path()).expect("a file"),
            metadata.mode(),
            times,
        )
    };
    let (file, before) = (about(), now());
    assert_eq!(fixture.token().await.as_deref(), Ok("company.2.access"));
    let pair = fixture.pair().await;
    assert_eq!(pair["access_token"], "company.2.access");
    assert_eq!(pair["refresh_token"], "refresh.2.token");
    assert_eq!(
        (&pair["note"]["by"], &pair["planId"]),
        (&json!("hand"), &json!("p"))
    );
    assert_eq!(pair["scope"], "oauth.write");
    let end = pair["expires_at"].as_i64().expect("an end");
    assert!((before + 86_399..=now() + 86_399).contains(&end), "{end}");
    assert_eq!(about(), file);
    let mut names: Vec<_> = fs::read_dir(fixture.folder.path())
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["pair.json", "state"]);
    assert!(fixture.store_shows("Company0"));
    for secret in ["company.1", "company.2", "refresh.1", "refresh.2"] {
        assert!(!fixture.store_shows(secret), "{secret}");
    }
}

#[tokio::test]
async fn relative_paths_and_links_are_followed() {
    let fixture = Fixture::ending_in(10_000).await;
    let here = std::env::current_dir().expect("a folder");
    let up: PathBuf = here.components().skip(1).map(|_| "..").collect();
    let relative = up.join(fixture.path().strip_prefix("/").expect("absolute"));
    let other = company_at(fixture.highlevel.url(), &relative);
    assert_eq!(
        token_text(other.token().await).as_deref(),
        Ok("company.1.access")
    );

    let links = tempfile::tempdir().expect("a folder");
    let link = links.path().join("link.json");
    symlink(fixture.path(), &link).expect("a link");
    let linked = company_at(fixture.highlevel.url(), &link);
    assert_eq!(
        token_text(linked.token().await).as_deref(),
        Ok("company.1.access")
    );
}

#[test]
fn settings_that_cannot_be_right_are_refused() {
    let oauth = oauth("http://127.0.0.1:1");
    let store = Store::in_memory().expect("a store");
    let made = |one: CompanyAppSettings| Company::new(&oauth, &store, one);
    let check = |one: CompanyAppSettings, says: &str| {
        let error = made(one).expect_err(says);
        assert!(error.contains(says), "{error}");
        assert!(!error.contains("the-client-secret"), "{error}");
    };
    let one = settings(&PathBuf::from("pair.json"));
    check(settings(&PathBuf::new()), "no pair_file");
    check(
        CompanyAppSettings {
            client_id: String::new(),
            ..one.clone()
        },
        "no client_id",
    );
    check(
        CompanyAppSettings {
            client_secret: "".into(),
            ..one.clone()
        },
        "no client_secret",
    );
    let two = CompanyAppSettings {
        company_id: id("Two"),
        ..one.clone()
    };
    let apart = CompanyAppSettings {
        pair_file: PathBuf::from("two.json"),
        ..two.clone()
    };
    let first = made(one.clone()).expect("a company");
    for (other, clash) in [
        (one.clone(), Some("company_id")),
        (two, Some("pair_file")),
        (apart, None),
    ] {
        assert_eq!(made(other).expect("a company").clash(&first), clash);
    }
    assert_eq!(format!("{first:?}"), r#"Company("Company0")"#);
    assert!(!format!("{one:?}").contains("the-client-secret"));
}

/// The target of a test's log.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no panic").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_file_that_others_can_read_is_named_once_and_no_secret_is_logged() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::set_global_default(subscriber).expect("the only one");
    let fixture = Fixture::ending_in(1000).await;
    let path = fixture.path();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("a mode");
    let company = fixture.another();
    let token = company.token().await.expect("a token");
    assert!(company.refused(&token));
    company.token().await.expect("another token");
    company
        .location_token(&id("Location0"))
        .await
        .expect("a token");
    let bytes = log.0.lock().expect("no panic").clone();
    let text = String::from_utf8_lossy(&bytes);
    let warning = format!("chmod 600 {}", path.display());
    assert_eq!(text.matches(&warning).count(), 1, "{text}");
    assert!(text.contains("token was renewed"), "{text}");
    for secret in [
        "the-client-secret",
        "company.1.access",
        "company.2.access",
        "refresh.1.token",
        "Location0.3",
    ] {
        assert!(!text.contains(secret), "{secret}");
    }
}

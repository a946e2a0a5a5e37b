//! Grants from the code to their end, as seen by clients, in rows and by other processes.

mod ending;
mod find;
mod narrowing;
mod processes;
mod redeem;
mod refresh;

use secrecy::ExposeSecret;

use super::*;
use crate::keys::{KeyLocations, Keys};
use crate::store::for_tests::{self, TestPlace, number, on_one_thread, sql};

/// From RFC 7636.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

const CLIENT: &str = "https://client.example/oauth";
const REDIRECT: &str = "http://127.0.0.1:5173/callback";
const RESOURCE: &str = "https://mcp.example.com/mcp";

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

const TIMES: GrantTimes = GrantTimes {
    access_for: DAY,
    refresh_idle: Duration::from_secs(90 * DAY.as_secs()),
    refresh_for: Duration::from_secs(365 * DAY.as_secs()),
    refresh_grace: DAY,
};

const STRICT: GrantTimes = GrantTimes {
    refresh_grace: Duration::ZERO,
    ..TIMES
};

fn opened() -> (TestPlace, Grants) {
    let folder = for_tests::folder();
    let grants = opened_in(&folder, TIMES);
    (folder, grants)
}

/// As another process opens them.
fn opened_in(folder: &TestPlace, times: GrantTimes) -> Grants {
    Grants::new(&for_tests::open(folder), times)
}

/// A key to hold grants. Returns its id.
fn key(grants: &Grants) -> String {
    let made = Keys::new(&grants.store).create(
        &format!("key {}", make_id("").expect("an id")),
        KeyLocations::All,
        None,
        None,
    );
    made.wait().expect("made").0.id
}

fn new_grant(holder: GrantHolder) -> NewGrant {
    NewGrant {
        holder,
        client: CLIENT.to_owned(),
        client_name: "A client".to_owned(),
        redirect: REDIRECT.to_owned(),
        resource: RESOURCE.to_owned(),
        scope: GrantScope::Write,
        rules: "everyday".to_owned(),
        locations: vec!["berlin".to_owned(), "hamburg".to_owned()],
        challenge: CHALLENGE.to_owned(),
        form: make_id("").expect("an id"),
    }
}

fn allow(grants: &Grants, new: NewGrant) -> (GrantRecord, SecretString) {
    let allowed = grants.allow(new).wait().expect("written");
    allowed.expect("not answered before")
}

fn redemption(code: &SecretString) -> Redemption {
    Redemption {
        code: code.clone(),
        client: CLIENT.to_owned(),
        redirect: Some(REDIRECT.to_owned()),
        verifier: VERIFIER.to_owned().into(),
        resource: Some(RESOURCE.to_owned()),
    }
}

fn redeem(grants: &Grants, redemption: Redemption) -> Result<GrantTokens, TokenRefusal> {
    on_one_thread(grants.redeem(redemption)).expect("written")
}

/// The tokens of a client after a key's holder has consented.
fn connected(grants: &Grants) -> GrantTokens {
    let holder = GrantHolder::Key(key(grants));
    let (_, code) = allow(grants, new_grant(holder));
    redeem(grants, redemption(&code)).expect("redeemed")
}

fn request(token: &SecretString) -> RefreshRequest {
    RefreshRequest {
        token: token.clone(),
        client: CLIENT.to_owned(),
        scope: None,
        resource: None,
    }
}

fn refresh(grants: &Grants, token: &SecretString) -> Result<GrantTokens, TokenRefusal> {
    on_one_thread(grants.refresh(request(token))).expect("written")
}

fn found(grants: &Grants, access: &SecretString) -> Option<Arc<AccessGrant>> {
    on_one_thread(grants.find(access)).expect("read")
}

/// The reason that the grant has ended, if it has.
fn ended_why(grants: &Grants, id: &str) -> Option<String> {
    let all = grants.list(None).wait().expect("read");
    let record = all.into_iter().find(|record| record.id == id);
    record.expect("listed").ended_why
}

fn events(folder: &TestPlace, kind: &str) -> i64 {
    let count = format!("SELECT COUNT(*) AS n FROM event WHERE kind = '{kind}'");
    number(folder, &count)
}

#[on_both]
fn a_grant_has_the_allowed_rights() {
    let (folder, grants) = opened();
    let holder = GrantHolder::Key(key(&grants));
    let new = NewGrant {
        resource: format!("{RESOURCE}/"),
        ..new_grant(holder.clone())
    };
    let (record, code) = allow(&grants, new);
    assert_eq!(record.holder, holder);
    assert_eq!(record.resource, RESOURCE);
    assert_eq!(record.locations, ["berlin", "hamburg"]);
    assert_eq!(grants.list(None).wait().expect("read"), [], "not used yet");
    redeem(&grants, redemption(&code)).expect("redeemed");
    let [listed] =
        <[_; 1]>::try_from(grants.list(Some(holder)).wait().expect("read")).expect("one");
    assert_eq!((listed.id, listed.rules), (record.id, record.rules));
    assert!(listed.used.is_some() && listed.ended.is_none());
    let other = GrantHolder::Person(record.client);
    assert_eq!(grants.list(Some(other)).wait().expect("read"), []);
    assert_eq!(events(&folder, "grant allowed"), 1);
}

#[on_both]
fn a_form_that_is_sent_twice_gives_one_code() {
    let (folder, grants) = opened();
    let elsewhere = opened_in(&folder, TIMES);
    let new = new_grant(GrantHolder::Key(key(&grants)));
    let (record, code) = allow(&grants, new.clone());
    let (again, same) = allow(&elsewhere, new.clone());
    assert_eq!(
        (again, same.expose_secret()),
        (record, code.expose_secret())
    );
    let other = NewGrant {
        form: "another".to_owned(),
        ..new.clone()
    };
    assert_ne!(
        allow(&grants, other).1.expose_secret(),
        code.expose_secret()
    );
    redeem(&grants, redemption(&code)).expect("redeemed");
    let late = elsewhere.allow(new.clone()).wait().expect("written");
    assert!(late.is_none(), "its code was used");
    let over = new_grant(new.holder);
    allow(&grants, over.clone());
    sql(&folder, "UPDATE oauth_grant SET idle_until = 1");
    let late = grants.allow(over).wait().expect("written");
    assert!(late.is_none(), "its code is over");
}

#[on_both]
fn people_cannot_allow_more_than_they_have() {
    let (folder, grants) = opened();
    let revoked = key(&grants);
    Keys::new(&grants.store)
        .revoke(&revoked)
        .wait()
        .expect("revoked");
    let good = GrantHolder::Key(key(&grants));
    let blocked = "INSERT INTO client (id, kind, name, redirects, method, created_at, blocked_at)
        VALUES ('blocked', 'document', 'A', '[]', 'none', 1, 1)";
    sql(&folder, blocked);
    let rows = [
        new_grant(GrantHolder::Key(revoked)),
        new_grant(GrantHolder::Key("nobody".to_owned())),
        new_grant(GrantHolder::Person("nobody".to_owned())),
        NewGrant {
            client: "blocked".to_owned(),
            ..new_grant(good.clone())
        },
        NewGrant {
            locations: Vec::new(),
            ..new_grant(good)
        },
    ];
    for new in rows {
        let what = format!("{new:?}");
        assert!(grants.allow(new).wait().is_err(), "{what}");
    }
    let of_grants = "event WHERE kind LIKE 'grant %'";
    for table in ["oauth_grant", "code", "grant_location", of_grants] {
        let count = format!("SELECT COUNT(*) AS n FROM {table}");
        assert_eq!(number(&folder, &count), 0, "{table}");
    }
}

#[on_both]
fn a_holder_has_so_many_grants_and_loses_the_oldest() {
    let (folder, grants) = opened();
    let tokens = connected(&grants);
    let copy = format!(
        "WITH RECURSIVE many(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM many WHERE n < {MOST_OF_HOLDER})
        INSERT INTO oauth_grant (id, access_key, client, client_name, redirect, resource, scope, rules, salt, seq,
            created_at, used_at, idle_until, hard_until)
        SELECT 'gra_' || n, access_key, client, client_name, redirect, resource, scope, rules, salt, 0,
            created_at, CASE n WHEN 7 THEN 5 ELSE used_at END, idle_until, hard_until FROM oauth_grant, many"
    );
    sql(&folder, &copy);
    sql(
        &folder,
        &format!("DELETE FROM oauth_grant WHERE id = 'gra_{MOST_OF_HOLDER}'"),
    );
    let holder = grants
        .get(&tokens.grant)
        .wait()
        .expect("read")
        .expect("good")
        .holder;
    allow(&grants, new_grant(holder));
    let living = "SELECT COUNT(*) AS n FROM oauth_grant WHERE ended_at IS NULL";
    assert_eq!(number(&folder, living), MOST_OF_HOLDER);
    let ended = "SELECT COUNT(*) AS n FROM oauth_grant WHERE id = 'gra_7' AND ended_why = 'too many connections'";
    assert_eq!(number(&folder, ended), 1);
    assert!(found(&grants, &tokens.access).is_some());
}

#[test]
fn texts_of_ours_are_known_by_their_beginning() {
    for (text, is_access) in [
        ("hla_a", true),
        ("hlr_a", false),
        ("hlc_a", false),
        ("hlcs_a", false),
        ("hli_a", false),
        ("hls_a", false),
        ("hlk_a", false),
        ("pit-a", false),
        ("hlx_a", false),
        ("hla", false),
        ("", false),
    ] {
        assert_eq!(is_access_token(text), is_access, "{text}");
    }
}

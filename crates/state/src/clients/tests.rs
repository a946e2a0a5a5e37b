//! Clients: how each kind becomes known, how long it lasts, and what ends with it.

use secrecy::ExposeSecret;

use super::*;
use crate::grants::{GrantHolder, GrantScope, GrantTimes, Grants, NewGrant, Redemption};
use crate::keys::{KeyLocations, Keys};
use crate::store::for_tests::{self, TestPlace, beside, number, on_one_thread, sql};

const DOCUMENT: &str = "https://client.example/oauth/client.json";
const DAY: i64 = 24 * 60 * 60 * 1000;

fn opened() -> (TestPlace, Store, Clients) {
    let folder = for_tests::folder();
    let store = for_tests::open(&folder);
    let clients = Clients::new(&store);
    (folder, store, clients)
}

fn new(method: ClientMethod) -> NewClient {
    NewClient {
        name: "A client".to_owned(),
        redirects: vec!["https://client.example/cb".to_owned()],
        method,
    }
}

fn register(clients: &Clients) -> ClientRecord {
    let registered = clients.register(new(ClientMethod::None)).wait();
    registered.expect("written").expect("room").0
}

fn put(clients: &Clients, redirects: &[&str]) -> ClientRecord {
    let put = PutDocument {
        id: DOCUMENT.to_owned(),
        name: "A client".to_owned(),
        redirects: redirects.iter().map(|one| (*one).to_owned()).collect(),
        document: "{}".to_owned(),
        fresh_until: now(),
    };
    clients.put_document(put).wait().expect("written")
}

fn find(clients: &Clients, id: &str) -> Option<ClientRecord> {
    clients.find(id).wait().expect("read")
}

/// A connection of that client with that redirect. Returns its grant's id.
fn connect(store: &Store, client: &str, redirect: &str) -> String {
    let times = GrantTimes {
        access_for: std::time::Duration::from_secs(3_600),
        refresh_idle: std::time::Duration::from_secs(3_600),
        refresh_for: std::time::Duration::from_secs(3_600),
        refresh_grace: std::time::Duration::ZERO,
    };
    let grants = Grants::new(store, times);
    let name = make_id("").expect("an id");
    let key = Keys::new(store).create(&name, KeyLocations::All, None, None);
    let allowed = grants.allow(NewGrant {
        holder: GrantHolder::Key(key.wait().expect("made").0.id),
        client: client.to_owned(),
        client_name: "A client".to_owned(),
        redirect: redirect.to_owned(),
        resource: "https://mcp.example.com/mcp".to_owned(),
        scope: GrantScope::Read,
        rules: "read-only".to_owned(),
        locations: vec!["*".to_owned()],
        // From RFC 7636.
        challenge: "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM".to_owned(),
        form: name,
    });
    let (record, code) = allowed.wait().expect("written").expect("new");
    let redeemed = grants.redeem(Redemption {
        code,
        client: client.to_owned(),
        redirect: None,
        verifier: "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
            .to_owned()
            .into(),
        resource: None,
    });
    on_one_thread(redeemed).expect("written").expect("redeemed");
    record.id
}

#[on_both]
fn a_client_keeps_its_registration() {
    let (folder, _store, clients) = opened();
    for (method, has_secret) in [
        (ClientMethod::None, false),
        (ClientMethod::Basic, true),
        (ClientMethod::Post, true),
    ] {
        let rows = [
            clients
                .register(new(method))
                .wait()
                .expect("written")
                .expect("room"),
            clients.add(new(method)).wait().expect("written"),
        ];
        for (record, secret) in rows {
            assert_eq!(find(&clients, &record.id), Some(record.clone()));
            assert_eq!(record.method, method);
            assert_eq!(secret.is_some(), has_secret);
            let is_secret = |text: &str| {
                let text = SecretString::from(text.to_owned());
                clients.is_secret(&record.id, &text).wait().expect("read")
            };
            assert!(!is_secret("") && !is_secret("hlcs_a"));
            if let Some(secret) = secret {
                let text = secret.expose_secret();
                assert!(is_secret(text) && !is_secret(&text[1..]));
                let other = clients.is_secret("nobody", &secret).wait();
                assert_eq!(other, Ok(false));
            }
        }
    }
    assert_eq!(clients.list().wait().expect("read").len(), 6);
    assert_eq!(find(&clients, "nobody"), None);
    let made = "SELECT COUNT(*) AS n FROM event WHERE kind = 'client added'";
    assert_eq!(number(&folder, made), 3);
}

/// The lifetime of a client, after some events, and whether it exists.
#[on_both]
fn a_client_that_registered_itself_lasts_while_it_is_used() {
    let (folder, store, clients) = opened();
    let [unused, used, living, fixed] = [(); 4].map(|()| register(&clients).id);
    sql(
        &folder,
        &format!("UPDATE client SET kind = 'static', expires_at = NULL WHERE id = '{fixed}'"),
    );
    for id in [&used, &living] {
        connect(&store, id, "https://client.example/cb");
    }
    let ended = Grants::new(&store, TIMES).end(EndedGrants::Client(used.clone()), "because", None);
    ended.wait().expect("ended");
    let step = |days: i64| {
        let past = format!("UPDATE client SET expires_at = expires_at - {}", days * DAY);
        sql(&folder, &past);
        beside(&folder, sweep);
        [&unused, &used, &living, &fixed].map(|id| find(&clients, id).is_some())
    };
    assert_eq!(step(0), [true; 4]);
    assert_eq!(step(1), [false, true, true, true]);
    assert_eq!(step(88), [false, true, true, true]);
    assert_eq!(step(1), [false, false, true, true]);
    let seen = "SELECT COUNT(*) AS n FROM event WHERE kind = 'client seen'";
    assert_eq!(number(&folder, seen), 2);
}

const TIMES: GrantTimes = GrantTimes {
    access_for: std::time::Duration::ZERO,
    refresh_idle: std::time::Duration::ZERO,
    refresh_for: std::time::Duration::ZERO,
    refresh_grace: std::time::Duration::ZERO,
};

/// Useless registrations keep nobody from signing in, and fill no disk.
#[on_both]
fn so_many_clients_register_and_the_oldest_unused_makes_room() {
    let (folder, _store, clients) = opened();
    let many = format!(
        "WITH RECURSIVE many(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM many WHERE n < {MOST_REGISTERED})
        INSERT INTO client (id, kind, name, redirects, method, created_at, expires_at)
        SELECT 'cli_' || n, 'registered', 'A', '[]', 'none', {now} + n, {now} + {DAY} FROM many",
        now = now().as_millisecond(),
    );
    sql(&folder, &many);
    let register = || {
        clients
            .register(new(ClientMethod::None))
            .wait()
            .expect("written")
    };
    assert!(register().is_none(), "all may be about to sign in");
    sql(
        &folder,
        "UPDATE client SET used_at = 1, created_at = 1 WHERE id = 'cli_7'",
    );
    assert!(register().is_none(), "a used one stays");
    let hour = 60 * 60 * 1000;
    sql(
        &folder,
        &format!("UPDATE client SET created_at = created_at - {hour} WHERE id = 'cli_8'"),
    );
    assert!(register().is_some(), "an old one that was never used goes");
    assert!(register().is_none());
    assert_eq!(find(&clients, "cli_8"), None);
    assert_eq!(
        number(&folder, "SELECT COUNT(*) AS n FROM client"),
        MOST_REGISTERED
    );
}

#[on_both]
fn so_many_documents_are_kept_and_the_stalest_makes_room() {
    let (folder, store, clients) = opened();
    let many = format!(
        "WITH RECURSIVE many(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM many WHERE n < {MOST_DOCUMENTS})
        INSERT INTO client (id, kind, name, redirects, method, created_at, fetched_at, expires_at)
        SELECT 'https://a.example/' || n, 'document', 'A', '[]', 'none', n, n, {} FROM many",
        now().as_millisecond() + DAY,
    );
    sql(&folder, &many);
    connect(&store, "https://a.example/1", "https://a.example/cb");
    sql(
        &folder,
        "UPDATE client SET blocked_at = 1 WHERE id = 'https://a.example/2'",
    );
    put(&clients, &[]);
    put(&clients, &[]);
    let there = [
        "https://a.example/1",
        "https://a.example/2",
        "https://a.example/3",
        DOCUMENT,
    ];
    let there = there.map(|id| find(&clients, id).is_some());
    assert_eq!(there, [true, true, false, true]);
    assert_eq!(
        number(&folder, "SELECT COUNT(*) AS n FROM client"),
        MOST_DOCUMENTS
    );
    sql(
        &folder,
        &format!("DELETE FROM client WHERE id = '{DOCUMENT}'"),
    );
    sql(
        &folder,
        "INSERT INTO client (id, kind, name, redirects, method, created_at) VALUES ('a', 'document', 'A', '[]', 'none', 1)",
    );
    sql(&folder, "UPDATE client SET blocked_at = 1");
    let refused = clients.put_document(PutDocument {
        id: "https://b.example/b".to_owned(),
        name: String::new(),
        redirects: Vec::new(),
        document: String::new(),
        fresh_until: now(),
    });
    let error = refused.wait().map(drop).expect_err("full").to_string();
    assert!(error.contains("remove some"), "{error}");
}

/// A redirect that a document no longer names ends its grants; another port of this computer is the same redirect.
#[on_both]
fn a_redirect_that_is_dropped_from_a_document_ends_grants_made_with_it() {
    let (folder, store, clients) = opened();
    let first = put(
        &clients,
        &["https://client.example/cb", "http://localhost/cb"],
    );
    let (web, local) = ("https://client.example/cb", "http://localhost:5173/cb");
    let made = [web, local].map(|redirect| connect(&store, DOCUMENT, redirect));
    let living = || {
        made.each_ref().map(|id| {
            let ended = format!(
                "SELECT COUNT(*) AS n FROM oauth_grant WHERE id = '{id}' AND ended_at IS NULL"
            );
            number(&folder, &ended) == 1
        })
    };
    let again = put(
        &clients,
        &["http://localhost:1/cb", "https://client.example/cb"],
    );
    assert_eq!((living(), again.created), ([true, true], first.created));
    assert!(again.used.is_some());
    put(&clients, &["http://localhost/cb"]);
    assert_eq!(living(), [false, true]);
    put(&clients, &["http://localhost/other"]);
    assert_eq!(living(), [false, false]);
    let why = "SELECT COUNT(*) AS n FROM oauth_grant WHERE ended_why = 'redirect dropped'";
    assert_eq!(number(&folder, why), 2);
}

#[on_both]
fn a_blocked_client_loses_its_grants_and_stays_blocked() {
    let (folder, store, clients) = opened();
    put(&clients, &["https://client.example/cb"]);
    connect(&store, DOCUMENT, "https://client.example/cb");
    let living = || {
        number(
            &folder,
            "SELECT COUNT(*) AS n FROM oauth_grant WHERE ended_at IS NULL",
        )
    };
    let blocked = clients.block(DOCUMENT, true).wait().expect("blocked");
    assert!(blocked.blocked.is_some() && living() == 0);
    // Neither by another request nor by waiting.
    put(&clients, &["https://client.example/cb"]);
    sql(&folder, "UPDATE client SET expires_at = 1");
    beside(&folder, sweep);
    let found = find(&clients, DOCUMENT).expect("known");
    assert_eq!(found.blocked, blocked.blocked);
    let open = clients.block(DOCUMENT, false).wait().expect("opened");
    assert_eq!((open.blocked, living()), (None, 0));
    for id in ["nobody", ""] {
        assert!(clients.block(id, true).wait().is_err(), "{id}");
        assert!(clients.remove(id).wait().is_err(), "{id}");
    }
}

#[on_both]
fn a_client_that_is_removed_takes_its_grants_with_it() {
    let (folder, store, clients) = opened();
    let id = register(&clients).id;
    let grant = connect(&store, &id, "https://client.example/cb");
    let removed = clients.remove(&id).wait().expect("removed");
    assert_eq!(
        (removed.id.as_str(), find(&clients, &id)),
        (id.as_str(), None)
    );
    let ended = format!(
        "SELECT COUNT(*) AS n FROM oauth_grant WHERE id = '{grant}' AND ended_why = 'client removed'"
    );
    assert_eq!(number(&folder, &ended), 1);
}

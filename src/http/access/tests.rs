//! Headers and the account that they lead to, one row per case.

use super::*;
use crate::config::{Config, Flags, Tls};
use crate::upstream::Transport;
use state::keys::KeyLocations;

/// The settings of a server.
#[derive(Clone, Copy)]
struct Set {
    token: &'static str,
    location: &'static str,
    key: &'static str,
    listen: &'static str,
    header: LocationHeader,
    own: OwnAccount,
    tls: Tls,
    proxies: &'static str,
}

const PLAIN: Set = Set {
    token: "",
    location: "",
    key: "",
    listen: "127.0.0.1:1",
    header: LocationHeader::Pin,
    own: OwnAccount::Local,
    tls: Tls::Off,
    proxies: "",
};
const OWN: Set = Set {
    token: "pit-own",
    location: "OWN",
    ..PLAIN
};
const KEYED: Set = Set {
    key: "k3y",
    listen: "0.0.0.0:1",
    ..OWN
};

fn access(set: Set) -> Access {
    access_with(set, None)
}

fn access_with(set: Set, keys: Option<Keys>) -> Access {
    let config = Config::from_sources(&Flags::default(), []).expect("defaults");
    let server = ServerSettings {
        listen: set.listen.parse().expect("an address"),
        access_key: set.key.into(),
        location_header: set.header,
        own_account: set.own,
        tls: set.tls,
        trusted_proxies: set.proxies.parse().into_iter().collect(),
        ..config.server
    };
    let account = config::AccountSettings {
        token: set.token.into(),
        location_id: set.location.to_owned(),
        company_id: String::new(),
        keys_of_file: Vec::new(),
    };
    Access::new(&server, &account, keys).expect("an account")
}

/// The caller of a request with these headers, from this machine to this machine.
fn principal(
    access: &Access,
    alias: Option<&str>,
    headers: &[(&'static str, &str)],
    accounts: &Accounts,
) -> Result<Principal, HttpProblem> {
    let mut map = HeaderMap::new();
    let mut host = Authority::from_static("localhost:8100");
    for (name, value) in headers {
        match *name {
            "host" => host = value.parse().expect("a host"),
            name => drop(map.append(name, value.parse().expect("a value"))),
        }
    }
    let visit = Visit {
        headers: &map,
        host: &host,
        peer: Some(IpAddr::from([127, 0, 0, 1])),
        alias,
        is_sign_in: false,
        grant: None,
    };
    access.principal(&visit, accounts)
}

/// `Ok`: token and binding; `Err`: status and part of the description.
fn check(set: Set, headers: &[(&'static str, &str)], expected: Result<(&str, &str), (u16, &str)>) {
    let principal = principal(&access(set), None, headers, &Accounts::default());
    match (principal, expected) {
        (Ok(principal), Ok((token, binding))) => {
            let caller = principal.account.expect("an account");
            assert_eq!(caller.credential.identity(), token, "{headers:?}");
            let bound = match &caller.location {
                None => String::new(),
                Some(LocationBinding::Pin(id)) => format!("pin {}", id.as_str()),
                Some(LocationBinding::Default(id)) => format!("default {}", id.as_str()),
            };
            assert_eq!(bound, binding, "{headers:?}");
        }
        (Err(problem), Err((status, part))) => {
            assert_eq!(problem.status.as_u16(), status, "{headers:?}");
            assert!(problem.description.contains(part), "{part:?}: {problem:?}");
        }
        (Ok(_), Err(expected)) => panic!("{headers:?} was let in, not {expected:?}"),
        (Err(problem), Ok(_)) => panic!("{headers:?}: {problem:?}"),
    }
}

const PIT: (&str, &str) = ("authorization", "Bearer pit-mine");

#[test]
fn a_client_uses_its_own_credential() {
    check(PLAIN, &[PIT], Ok(("pit-mine", "")));
    check(
        PLAIN,
        &[("authorization", "bearer pit-mine")],
        Ok(("pit-mine", "")),
    );
    check(
        PLAIN,
        &[("authorization", "Bearer aa.bb.c-_c")],
        Ok(("aa.bb.c-_c", "")),
    );
    check(
        PLAIN,
        &[PIT, ("locationid", "L1")],
        Ok(("pit-mine", "pin L1")),
    );
    let defaulting = Set {
        header: LocationHeader::Default,
        ..PLAIN
    };
    check(
        defaulting,
        &[PIT, ("locationid", "L1")],
        Ok(("pit-mine", "default L1")),
    );
    // Never the server's location with the client's token.
    check(OWN, &[PIT], Ok(("pit-mine", "")));
    check(
        OWN,
        &[PIT, ("locationid", "L1")],
        Ok(("pit-mine", "pin L1")),
    );
    check(
        PLAIN,
        &[PIT, ("locationid", "../x")],
        Err((400, "locationid header is not a HighLevel id")),
    );
    check(
        PLAIN,
        &[PIT, ("locationid", "")],
        Err((400, "locationid header is not a HighLevel id")),
    );
    check(
        PLAIN,
        &[PIT, ("locationid", "a"), ("locationid", "b")],
        Err((400, "more than once")),
    );
}

#[test]
fn without_a_credential_nothing_is_called() {
    check(PLAIN, &[], Err((401, "Authorization: Bearer pit-")));
    check(
        PLAIN,
        &[("authorization", "Basic abc")],
        Err((401, "not of the form")),
    );
    check(
        PLAIN,
        &[("authorization", "Bearer")],
        Err((401, "not of the form")),
    );
    check(
        PLAIN,
        &[("authorization", "Bearer sk-123")],
        Err((401, "neither pit-")),
    );
    check(
        PLAIN,
        &[("authorization", "Bearer ${TOKEN}")],
        Err((401, "did not fill in")),
    );
    check(
        PLAIN,
        &[("authorization", "Bearer pit-a b")],
        Err((401, "neither pit-")),
    );
    check(
        PLAIN,
        &[("x-access-key", "")],
        Err((401, "not a key of this server")),
    );
    check(
        PLAIN,
        &[("authorization", "Bearer ")],
        Err((401, "not of the form")),
    );
}

#[test]
fn the_servers_account_is_for_this_machine_or_those_with_the_key() {
    check(OWN, &[], Ok(("pit-own", "pin OWN")));
    check(
        OWN,
        &[("x-forwarded-for", "1.2.3.4")],
        Err((401, "Send a HighLevel token")),
    );
    check(
        OWN,
        &[("via", "1.1 proxy")],
        Err((401, "Send a HighLevel token")),
    );
    let public = Set {
        listen: "0.0.0.0:1",
        ..OWN
    };
    check(public, &[], Err((401, "Send a HighLevel token")));
    check(KEYED, &[], Err((401, "Send a HighLevel token")));
    check(
        KEYED,
        &[("x-access-key", "k3y")],
        Ok(("pit-own", "pin OWN")),
    );
    check(
        KEYED,
        &[
            ("authorization", "Bearer k3y"),
            ("x-forwarded-for", "1.2.3.4"),
        ],
        Ok(("pit-own", "pin OWN")),
    );
    check(
        KEYED,
        &[("x-access-key", "k3")],
        Err((401, "not a key of this server")),
    );
    check(KEYED, &[PIT, ("x-access-key", "k3y")], Ok(("pit-mine", "")));
    check(
        KEYED,
        &[("x-access-key", "k3y"), ("locationid", "OWN")],
        Ok(("pit-own", "pin OWN")),
    );
    check(
        KEYED,
        &[("x-access-key", "k3y"), ("locationid", "L1")],
        Err((403, "another location")),
    );
    let unbound = Set {
        location: "",
        ..KEYED
    };
    check(
        unbound,
        &[("x-access-key", "k3y"), ("locationid", "L1")],
        Ok(("pit-own", "pin L1")),
    );
    let empty = Set { token: "", ..KEYED };
    check(
        empty,
        &[("x-access-key", "k3y")],
        Err((401, "has no HighLevel token")),
    );
}

#[test]
fn without_a_credential_any_sign_of_another_machine_is_enough() {
    const REFUSED: Result<(&str, &str), (u16, &str)> = Err((401, "X-Access-Key"));
    check(OWN, &[("host", "127.0.0.1:1")], Ok(("pit-own", "pin OWN")));
    check(OWN, &[("host", "[::1]")], Ok(("pit-own", "pin OWN")));
    check(OWN, &[("host", "mcp.example.com")], REFUSED);
    check(OWN, &[("host", "localhost.example.com")], REFUSED);
    check(OWN, &[("cf-ray", "1")], REFUSED);
    check(OWN, &[("x-forwarded-port", "443")], REFUSED);
    let proxy = Set {
        tls: Tls::Proxy,
        ..OWN
    };
    check(proxy, &[], REFUSED);
    let trusting = Set {
        proxies: "10.0.0.0/8",
        ..OWN
    };
    check(trusting, &[], REFUSED);
}

#[test]
fn the_setting_decides_who_may_use_the_servers_account() {
    let key = ("x-access-key", "k3y");
    let with_key = Set { key: "k3y", ..OWN };
    check(with_key, &[], Err((401, "X-Access-Key")));
    check(with_key, &[key], Ok(("pit-own", "pin OWN")));
    let keyed = Set {
        own: OwnAccount::Key,
        ..OWN
    };
    check(keyed, &[], Err((401, "X-Access-Key")));
    let off = Set {
        own: OwnAccount::Off,
        ..with_key
    };
    check(off, &[], Err((401, "Send a HighLevel token")));
    check(off, &[key], Err((401, "not served over HTTP")));
    for twice in [
        [key, ("x-access-key", "bad")],
        [("x-access-key", "bad"), key],
    ] {
        check(with_key, &twice, Err((401, "more than one X-Access-Key")));
    }
    check(
        off,
        &[("authorization", "Bearer k3y")],
        Err((401, "not served over HTTP")),
    );
    check(off, &[key, PIT], Ok(("pit-mine", "")));
}

#[test]
fn keys_of_the_store_close_the_servers_account() {
    let store = state::Store::in_memory().expect("a store");
    let keys = Keys::new(&store);
    let access = access_with(OWN, Some(keys.clone()));
    let is_let_in = || principal(&access, None, &[], &Accounts::default()).is_ok();
    assert!(is_let_in());
    let made = keys.create("one", KeyLocations::All, None, None);
    let (record, _) = made.wait().expect("a key");
    assert!(!is_let_in(), "there is a key");
    keys.revoke(&record.id).wait().expect("revoked");
    assert!(is_let_in(), "there is none that is good");
}

#[test]
fn the_access_key_vouches_for_a_token() {
    fn check(headers: &[(&'static str, &str)], expected: Result<CallerKind, &str>) {
        match (
            principal(&access(KEYED), None, headers, &Accounts::default()),
            expected,
        ) {
            (Ok(principal), Ok(kind)) => {
                assert_eq!(principal.kind, kind, "{headers:?}");
                assert!(principal.brings_token, "{headers:?}");
                assert_eq!(principal.scope, LocationScope::None, "{headers:?}");
            }
            (Err(problem), Err(part)) => {
                assert!(problem.description.contains(part), "{problem:?}");
            }
            (principal, _) => panic!("{headers:?}: {principal:?}"),
        }
    }
    check(&[PIT], Ok(CallerKind::Token));
    check(&[PIT, ("x-access-key", "k3y")], Ok(CallerKind::ServerKey));
    check(
        &[PIT, ("x-access-key", "k3")],
        Err("not a key of this server"),
    );
    check(&[PIT, PIT], Err("more than one Authorization"));
}

#[test]
fn a_token_does_not_learn_which_aliases_there_are() {
    let folder = tempfile::tempdir().expect("a folder");
    let token = folder.path().join("token");
    std::fs::write(&token, "pit-acme").expect("written");
    let file = folder.path().join("settings.toml");
    let text = format!("[locations.acme]\nlocation_id = \"LA\"\ntoken = {{ file = {token:?} }}");
    std::fs::write(&file, text).expect("written");
    let flags = Flags {
        config: Some(file),
        ..Flags::default()
    };
    let config = Config::from_sources(&flags, []).expect("settings");
    let transport = Transport::new(&config.upstream, &config.limits).expect("a transport");
    let store = state::Store::in_memory().expect("a store");
    let accounts = Accounts::new(&config, &transport.oauth(), &store);
    let check = |alias: &str, headers: &[(&'static str, &str)], expected| {
        let found = principal(&access(KEYED), Some(alias), headers, &accounts);
        let found = found.map(|principal| {
            let account = principal.account.expect("an account");
            let location = account.location.expect("pinned");
            location.location().as_str().to_owned()
        });
        let found = found.map_err(|problem| problem.status.as_u16());
        let expected: Result<&str, u16> = expected;
        let expected = expected.map(str::to_owned);
        assert_eq!(found, expected, "{alias} {headers:?}");
    };
    let bound = Ok("LA");
    let unknown = Ok("no-such-location");
    check("acme", &[PIT], bound);
    check("acme", &[PIT, ("locationid", "LA")], bound);
    check("other", &[PIT], unknown);
    check("other", &[PIT, ("locationid", "LA")], unknown);
    check("acme", &[PIT, ("locationid", "LB")], unknown);
    // A caller that the server knows is told the problem.
    let key = ("x-access-key", "k3y");
    check("acme", &[key], bound);
    check("other", &[key], Err(404));
    check("other", &[key, PIT], Err(404));
    check("acme", &[key, PIT], bound);
    check("acme", &[key, PIT, ("locationid", "LB")], Err(403));
}

//! Which headers lead to which account, one row a case.

use super::*;
use crate::config::{Config, Flags};

/// What a server is set to.
#[derive(Clone, Copy)]
struct Set {
    token: &'static str,
    location: &'static str,
    key: &'static str,
    listen: &'static str,
    header: LocationHeader,
}

const PLAIN: Set = Set {
    token: "",
    location: "",
    key: "",
    listen: "127.0.0.1:1",
    header: LocationHeader::Pin,
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
    let config = Config::from_sources(&Flags::default(), []).expect("defaults");
    let server = Server {
        listen: set.listen.parse().expect("an address"),
        access_key: set.key.into(),
        location_header: set.header,
        ..config.server
    };
    let account = config::Account {
        token: set.token.into(),
        location_id: set.location.to_owned(),
        company_id: String::new(),
    };
    Access::new(&server, &account, None).expect("an account")
}

/// `Ok`: token and binding; `Err`: status and part of the description.
fn check(set: Set, headers: &[(&'static str, &str)], expected: Result<(&str, &str), (u16, &str)>) {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(*name, value.parse().expect("a value"));
    }
    let principal = access(set).principal(&map, None, &Accounts::default());
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
        Err((400, "locationid header is no HighLevel id")),
    );
    check(
        PLAIN,
        &[PIT, ("locationid", "")],
        Err((400, "locationid header is no HighLevel id")),
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
        Err((401, "not this server's")),
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
        Err((401, "not this server's")),
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
        Err((401, "holds no HighLevel token")),
    );
}

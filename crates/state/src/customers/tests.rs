//! Links for customers: who connects by them, the resulting keys, and what ends together.

use secrecy::ExposeSecret;

use super::*;
use crate::keys::Keys;
use crate::store::for_tests::{self, TestPlace};
use crate::vault::{CredentialStatus, NewToken, Vault, VaultLocation};

const BUILDER: &str = "acme-app";

struct Opened {
    folder: TestPlace,
    store: Store,
    customers: Customers,
    keys: Keys,
    vault: Vault,
}

fn opened() -> Opened {
    let folder = for_tests::folder();
    let store = for_tests::open(&folder);
    let opened = Opened {
        customers: Customers::new(&store),
        keys: Keys::new(&store),
        vault: Vault::new(&store),
        store,
        folder,
    };
    opened.make_builder(BUILDER);
    opened
}

fn new(reference: &str) -> NewConnectLink {
    NewConnectLink {
        builder: BUILDER.to_owned(),
        reference: reference.to_owned(),
        return_url: "https://app.example/connected?customer=7".to_owned(),
        rules: "read-only".to_owned(),
        lasts: SignedDuration::from_hours(1),
    }
}

impl Opened {
    fn make_builder(&self, name: &str) -> KeyRecord {
        let new = NewKey {
            name,
            locations: KeyLocations::Only(Vec::new()),
            policy: Some("careful"),
            expires: None,
            agency: false,
            rules: None,
            return_urls: vec!["https://app.example/connected".to_owned()],
        };
        self.keys.make(new).wait().expect("made").0
    }

    fn builder(&self) -> KeyRecord {
        let all = self.keys.list().wait().expect("read");
        let mut live = all.into_iter().filter(|key| key.revoked.is_none());
        live.find(|key| key.name == BUILDER).expect("a builder")
    }

    fn make(&self, reference: &str) -> (ConnectLink, SecretString) {
        self.customers.make(new(reference)).wait().expect("made")
    }

    fn put(&self, location: &str, token: &str) -> VaultLocation {
        let new = NewToken {
            owner: None,
            location: location.to_owned(),
            name: location.to_owned(),
            zone: None,
            company: None,
            token: token.to_owned().into(),
        };
        self.vault.put_token(new).wait().expect("put")
    }

    fn is_good(&self, text: &SecretString) -> bool {
        self.customers.look(text).wait().expect("read").is_some()
    }

    fn connect(&self, text: &SecretString, location: &str) -> Option<SecretString> {
        self.connect_as(text, location, true)
    }

    fn connect_as(
        &self,
        text: &SecretString,
        location: &str,
        is_new: bool,
    ) -> Option<SecretString> {
        let connected = self.customers.connect(text, location, is_new).wait();
        connected.expect("connected").map(|(_, code)| code)
    }

    fn give(&self, claim: KeyClaim) -> Option<(KeyRecord, SecretString)> {
        let given = self.customers.give_key(claim, &self.builder()).wait();
        given.expect("given").map(|(_, key, text)| (key, text))
    }

    fn takes(&self, key: &SecretString) -> bool {
        let keys = Keys::new(&self.store);
        keys.find(key.expose_secret())
            .is_ok_and(|key| key.is_some())
    }

    fn state(&self, id: &str) -> &'static str {
        let all = self
            .customers
            .list(BUILDER, None, 100)
            .wait()
            .expect("read");
        let link = all.iter().find(|link| link.id == id).expect("listed");
        link.state().word()
    }

    /// A customer who has connected a location, and the key for it.
    fn connected(&self, reference: &str, location: &str) -> (ConnectLink, SecretString) {
        let (link, text) = self.make(reference);
        let id = self.put(location, &format!("pit-{location}")).id;
        let code = self.connect(&text, &id).expect("connected");
        let (_, key) = self.give(KeyClaim::Code(code)).expect("a key");
        (link, key)
    }
}

#[on_both]
fn a_link_connects_one_location_and_gives_a_key_for_it_alone() {
    let opened = opened();
    let (link, text) = opened.make("cus-7");
    assert!(text.expose_secret().starts_with("hli_") && link.id.starts_with("lnk_"));
    assert!(opened.is_good(&text) && opened.is_good(&text));
    assert_eq!(opened.state(&link.id), "open");
    assert!(opened.give(KeyClaim::Link(link.id.clone())).is_none());
    let location = opened.put("L1", "pit-1").id;
    let code = opened.connect(&text, &location).expect("connected");
    assert_eq!(opened.state(&link.id), "connected");
    assert!(!opened.is_good(&text));
    assert_eq!(opened.connect(&text, &location).map(|_| ()), None);
    let (key, secret) = opened.give(KeyClaim::Code(code.clone())).expect("a key");
    assert_eq!(key.locations, KeyLocations::Connected(vec![location]));
    assert_eq!(key.rules.as_deref(), Some("read-only"));
    assert_eq!(key.policy.as_deref(), Some("careful"));
    assert!(!key.agency && key.return_urls.is_empty() && opened.takes(&secret));
    // Once.
    assert!(opened.give(KeyClaim::Code(code)).is_none());
    assert!(opened.takes(&secret));
    let (_, second) = opened.give(KeyClaim::Link(link.id)).expect("another key");
    assert!(opened.takes(&second) && !opened.takes(&secret));
}

#[on_both]
fn a_link_that_has_expired_connects_nothing() {
    let opened = opened();
    let (link, text) = opened.make("cus-7");
    let location = opened.put("L1", "pit-1").id;
    for_tests::sql(&opened.folder, "UPDATE customer SET expires_at = 1");
    assert!(!opened.is_good(&text));
    assert!(opened.connect(&text, &location).is_none());
    assert_eq!(opened.state(&link.id), "expired");
    assert_eq!(opened.vault.list().wait(), Ok(Vec::new()));
}

#[on_both]
fn a_key_is_its_builders_alone() {
    let opened = opened();
    let (link, text) = opened.make("cus-7");
    let location = opened.put("L1", "pit-1").id;
    let code = opened.connect(&text, &location).expect("connected");
    let other = opened.make_builder("other-app");
    for claim in [
        KeyClaim::Code(code.clone()),
        KeyClaim::Link(link.id.clone()),
        KeyClaim::Code("hlo_none".to_owned().into()),
        KeyClaim::Link("lnk_none".to_owned()),
    ] {
        let given = opened.customers.give_key(claim, &other).wait();
        assert!(given.expect("asked").is_none());
    }
    let ended = opened.customers.end(&link.id, "other-app").wait();
    assert_eq!(ended, Ok(None));
    let listed = opened.customers.list("other-app", None, 100).wait();
    assert_eq!(listed, Ok(Vec::new()));
    assert!(opened.give(KeyClaim::Code(code)).is_some());
}

#[on_both]
fn a_new_key_of_the_builder_takes_over() {
    let opened = opened();
    let (connected, key) = opened.connected("cus-1", "L1");
    let (_, text) = opened.make("cus-2");
    opened.keys.revoke(BUILDER).wait().expect("revoked");
    assert!(!opened.is_good(&text) && opened.takes(&key));
    opened.make_builder(BUILDER);
    assert!(opened.is_good(&text));
    assert!(opened.give(KeyClaim::Link(connected.id)).is_some());
}

#[on_both]
fn a_connection_ends_with_its_link() {
    let opened = opened();
    let (first, key) = opened.connected("cus-1", "L1");
    let (second, second_key) = opened.connected("cus-2", "L2");
    let end = |id: &str| {
        let ended = opened.customers.end(id, BUILDER).wait();
        ended.expect("ended").expect("a link").ended
    };
    let at = end(&first.id);
    assert_eq!(end(&first.id), at);
    assert!(!opened.takes(&key) && opened.takes(&second_key));
    let left = opened.vault.list().wait().expect("read");
    let left: Vec<&str> = left.iter().map(|one| one.location.as_str()).collect();
    assert_eq!(left, ["L2"]);
    assert_eq!(opened.state(&first.id), "ended");
    assert!(opened.give(KeyClaim::Link(first.id)).is_none());
    // One that nobody has used.
    let (open, text) = opened.make("cus-3");
    end(&open.id);
    assert!(!opened.is_good(&text));
    assert_eq!(opened.state(&second.id), "connected");
}

#[on_both]
fn a_location_of_two_links_stays_until_both_end() {
    let opened = opened();
    let (first, key) = opened.connected("cus-1", "L1");
    // The second customer found it there.
    let (second, text) = opened.make("cus-2");
    let location = opened.put("L1", "pit-2").id;
    let code = opened.connect_as(&text, &location, false);
    let (_, second_key) = opened
        .give(KeyClaim::Code(code.expect("connected")))
        .expect("a key");
    let end = |id: &str| opened.customers.end(id, BUILDER).wait().expect("ended");
    end(&first.id);
    assert!(!opened.takes(&key) && opened.takes(&second_key));
    assert_eq!(opened.vault.list().wait().expect("read").len(), 1);
    end(&second.id);
    assert_eq!(opened.vault.list().wait(), Ok(Vec::new()));
}

#[on_both]
fn an_ended_link_removes_only_its_own_location() {
    let opened = opened();
    let (_, text) = opened.make("cus-1");
    let location = opened.put("L1", "pit-1").id;
    opened.connect(&text, &location).expect("connected");
    // Twice at once: the second is over, and believes that it brought the location.
    assert!(opened.connect(&text, &location).is_none());
    assert_eq!(opened.vault.list().wait().expect("read").len(), 1);
    let (link, text) = opened.make("cus-2");
    let other = opened.put("L2", "pit-2").id;
    opened
        .customers
        .end(&link.id, BUILDER)
        .wait()
        .expect("ended");
    assert!(opened.connect(&text, &other).is_none());
    let left = opened.vault.list().wait().expect("read");
    let left: Vec<&str> = left.iter().map(|one| one.location.as_str()).collect();
    assert_eq!(left, ["L1"]);
}

#[on_both]
fn a_location_that_was_there_before_outlives_the_link() {
    let opened = opened();
    let (link, text) = opened.make("cus-1");
    let location = opened.put("L1", "pit-1").id;
    let connected = opened.customers.connect(&text, &location, false).wait();
    assert!(connected.expect("connected").is_some());
    let ended = opened.customers.end(&link.id, BUILDER).wait();
    assert!(ended.expect("ended").is_some());
    assert_eq!(opened.vault.list().wait().expect("read").len(), 1);
}

#[on_both]
fn keys_end_with_their_location_and_do_not_come_back_with_it() {
    fn check(end: impl Fn(&Opened, &VaultLocation)) {
        let opened = opened();
        let (link, key) = opened.connected("cus-1", "L1");
        let location = opened.vault.list().wait().expect("read").remove(0);
        end(&opened, &location);
        assert!(!opened.takes(&key));
        assert_eq!(opened.state(&link.id), "ended");
        let again = opened.put("L1", "pit-other");
        assert_eq!(again.id, location.id, "the row comes back");
        assert!(!opened.takes(&key));
        assert!(opened.give(KeyClaim::Link(link.id)).is_none());
    }
    check(|opened, location| {
        let removed = opened.vault.remove(&location.id, None).wait();
        removed.expect("removed");
    });
    check(|opened, location| {
        let uninstalled = CredentialStatus::Uninstalled;
        let set = opened.vault.set_status(&location.credential, uninstalled);
        set.wait().expect("set");
    });
}

#[on_both]
fn senseless_links_are_refused() {
    fn check(change: impl Fn(&mut NewConnectLink), part: &str) {
        let opened = opened();
        let mut link = new("cus-7");
        change(&mut link);
        let error = opened.customers.make(link).wait().map(drop);
        let error = error.expect_err(part).to_string();
        assert!(error.contains(part), "{error}");
    }
    check(|link| link.reference.clear(), "1 to 200 bytes");
    check(|link| link.reference = "7".repeat(201), "1 to 200 bytes");
    check(|link| link.reference = "a\nb".to_owned(), "no control");
    check(|link| link.return_url = "x".repeat(2_001), "2000 bytes");
    check(|link| link.rules.clear(), "rules");
    check(
        |link| link.lasts = SHORTEST - SignedDuration::from_secs(1),
        "30 days",
    );
    check(
        |link| link.lasts = LONGEST + SignedDuration::from_secs(1),
        "30 days",
    );
}

#[on_both]
fn links_are_listed_by_reference_newest_first() {
    let opened = opened();
    let first = opened.make("cus-1").0;
    std::thread::sleep(std::time::Duration::from_millis(5));
    let second = opened.make("cus-2").0;
    let list = |reference: Option<&str>, most| {
        let listed = opened.customers.list(BUILDER, reference, most).wait();
        let listed = listed.expect("read").into_iter();
        listed.map(|link| link.id).collect::<Vec<_>>()
    };
    assert_eq!(list(None, 100), [second.id.as_str(), first.id.as_str()]);
    assert_eq!(list(None, 1), [second.id.as_str()]);
    assert_eq!(list(Some("cus-1"), 100), [first.id.as_str()]);
    assert_eq!(list(Some("cus-9"), 100), Vec::<String>::new());
}

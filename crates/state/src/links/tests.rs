//! Links: the people that each admits, how often and until when, and invalid texts.

use jiff::ToSpan;
use secrecy::ExposeSecret;

use super::*;
use crate::people::{People, PersonRole};
use crate::store::for_tests::{self, TestPlace, on_one_thread};

const HOUR: SignedDuration = SignedDuration::from_hours(1);

struct Doors {
    folder: TestPlace,
    links: Links,
    people: People,
}

fn opened() -> Doors {
    let folder = for_tests::folder();
    let store = for_tests::open(&folder);
    Doors {
        links: Links::new(&store),
        people: People::new(&store),
        folder,
    }
}

fn invitation(name: &str) -> Invitation {
    Invitation {
        name: name.to_owned(),
        role: PersonRole::Member,
        all_locations: false,
        locations: vec!["acme".to_owned()],
        policy: None,
        may_vault: false,
        may_approve: false,
    }
}

impl Doors {
    fn make(&self, offer: Offer, uses: u32) -> (LinkRecord, SecretString) {
        let made = self.links.make(offer, HOUR, uses, Some("per_host"));
        made.wait().expect("made")
    }

    fn is_good(&self, text: &SecretString) -> bool {
        self.links.look(text).wait().expect("read").is_some()
    }

    fn join(&self, text: &SecretString, name: Option<&str>) -> Option<Person> {
        let joined = self.links.join(text, name.map(str::to_owned));
        on_one_thread(joined).expect("joined")
    }
}

#[on_both]
fn an_invitation_makes_the_person_that_it_describes() {
    let doors = opened();
    let offer = Invitation {
        locations: ["globex", "acme", "globex"].map(str::to_owned).into(),
        policy: Some("front-desk".to_owned()),
        may_vault: true,
        may_approve: true,
        ..invitation("Anna")
    };
    let (record, text) = doors.make(Offer::Invite(offer), 1);
    assert!(text.expose_secret().starts_with("hli_") && text.expose_secret().len() == 47);
    assert!(record.id.starts_with("lnk_"));
    // Looking uses nothing up.
    for _ in 0..3 {
        assert_eq!(doors.links.look(&text).wait(), Ok(Some(record.clone())));
    }
    let anna = doors.join(&text, None).expect("let in");
    assert_eq!(
        (anna.name.as_str(), anna.role),
        ("Anna", PersonRole::Member)
    );
    assert_eq!(anna.policy.as_deref(), Some("front-desk"));
    assert!(anna.may_vault && anna.may_approve("globex") && !anna.reaches("initech"));
    let known = doors.people.find(&anna.id).expect("read");
    assert_eq!(known.as_deref(), Some(&anna));
    assert_eq!(doors.join(&text, None), None, "used up");
    assert!(!doors.is_good(&text));
    let events = crate::events::Events::new(&doors.links.store).list(10);
    let events = events.wait().expect("read");
    let kinds: Vec<&str> = events.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(kinds, ["link used", "person joined", "link made"]);
    assert_eq!(events[0].actor.as_ref(), Some(&anna.id));
    assert_eq!(events[1].actor.as_deref(), Some("per_host"));
}

#[on_both]
fn each_offer_makes_its_own_person() {
    let doors = opened();
    let everywhere = Invitation {
        all_locations: true,
        locations: Vec::new(),
        may_approve: true,
        ..invitation("Everywhere")
    };
    let operator = Invitation {
        role: PersonRole::Operator,
        locations: Vec::new(),
        ..invitation("Second")
    };
    // Offer, wanted name; name, role, reaches and approves in a location that no offer names, may paste tokens.
    for (offer, name, expected) in [
        (
            Offer::First,
            None,
            ("operator", PersonRole::Operator, true, true, true),
        ),
        (
            Offer::Invite(invitation("Anna")),
            None,
            ("Anna", PersonRole::Member, false, false, false),
        ),
        (
            Offer::Invite(invitation("Anna")),
            Some(" Eve "),
            ("Eve", PersonRole::Member, false, false, false),
        ),
        (
            Offer::Invite(invitation("Anna")),
            Some("  "),
            ("Anna 2", PersonRole::Member, false, false, false),
        ),
        (
            Offer::Invite(everywhere),
            None,
            ("Everywhere", PersonRole::Member, true, true, false),
        ),
        (
            Offer::Invite(operator),
            None,
            ("Second", PersonRole::Operator, true, true, true),
        ),
    ] {
        let (record, text) = doors.make(offer, 1);
        let person = doors.join(&text, name).expect("let in");
        let found = (
            person.name.as_str(),
            person.role,
            person.reaches("initech"),
            person.may_approve("initech"),
            person.may_vault,
        );
        assert_eq!(found, expected, "{:?}", record.offer);
    }
}

#[on_both]
fn a_link_lets_in_as_many_as_it_is_for_and_no_longer_than_it_lasts() {
    let doors = opened();
    let (_, three) = doors.make(Offer::Invite(invitation("Team")), 3);
    let names: Vec<String> = (0..4)
        .filter_map(|_| doors.join(&three, None))
        .map(|person| person.name)
        .collect();
    assert_eq!(names, ["Team", "Team 2", "Team 3"]);
    let (record, ended) = doors.make(Offer::Invite(invitation("a")), 1);
    doors.links.end(&record.id, None).wait().expect("ended");
    let (record, expired) = doors.make(Offer::Invite(invitation("a")), 1);
    let expire = "UPDATE link SET expires_at = 1 WHERE id = '{id}'";
    for_tests::sql(&doors.folder, &expire.replace("{id}", &record.id));
    for text in [
        &ended,
        &expired,
        &SecretString::from("hli_"),
        &SecretString::from(""),
        &SecretString::from(format!("hli_{}", "a".repeat(43))),
    ] {
        assert!(!doors.is_good(text));
        assert_eq!(doors.join(text, None), None);
    }
    let left = "SELECT COUNT(*) AS n FROM link";
    assert_eq!(for_tests::number(&doors.folder, left), 3);
    for_tests::beside(&doors.folder, sweep);
    assert_eq!(for_tests::number(&doors.folder, left), 2);
    let listed = doors.links.list().wait().expect("read");
    let listed: Vec<(u32, bool)> = listed
        .iter()
        .map(|link| (link.uses_left, link.ended.is_some()))
        .collect();
    assert_eq!(listed, [(0, false), (1, true)]);
}

#[on_both]
fn a_link_admits_one_of_many_simultaneous_visitors() {
    let doors = opened();
    let elsewhere = Links::new(&for_tests::open(&doors.folder));
    let (_, text) = doors.make(Offer::Invite(invitation("Anna")), 1);
    let let_in = std::thread::scope(|scope| {
        let waiting: Vec<_> = (0..20)
            .map(|number| {
                let links = if number % 2 == 0 {
                    &doors.links
                } else {
                    &elsewhere
                };
                scope.spawn(|| on_one_thread(links.join(&text, None)).expect("answered"))
            })
            .collect();
        let came = waiting.into_iter().map(|one| one.join().expect("no panic"));
        came.filter(Option::is_some).count()
    });
    assert_eq!(let_in, 1);
    assert_eq!(doors.people.list().wait().expect("read").len(), 1);
}

#[on_both]
fn the_first_operators_link_is_valid_until_there_is_an_operator() {
    let doors = opened();
    let (_, one) = doors.make(Offer::First, 1);
    let (_, other) = doors.make(Offer::First, 1);
    let operator = doors.join(&one, Some("Olga")).expect("let in");
    assert_eq!(
        (operator.name.as_str(), doors.people.has_operator()),
        ("Olga", true)
    );
    assert!(!doors.is_good(&other));
    assert_eq!(doors.join(&other, None), None);
    // A login creates nobody.
    let login = || Offer::Login {
        person: operator.id.clone(),
    };
    let (_, text) = doors.make(login(), 1);
    let back = doors.join(&text, Some("Another")).expect("let in");
    assert_eq!((back.id, back.name), (operator.id.clone(), operator.name));
    let (_, text) = doors.make(login(), 1);
    doors.people.end(&operator.id, None).wait().expect("ended");
    assert_eq!(doors.join(&text, None), None);
    assert!(doors.is_good(&other), "there is none again");
}

/// A wrong name leaves the link unchanged.
#[on_both]
fn a_wrong_name_does_not_use_up_the_link() {
    let doors = opened();
    let (_, text) = doors.make(Offer::Invite(invitation("Anna")), 1);
    let joined = doors.links.join(&text, Some("a\u{202e}b".to_owned()));
    let error = on_one_thread(joined).expect_err("refused").to_string();
    assert!(error.contains("all of them visible"), "{error}");
    assert!(doors.join(&text, Some("Eve")).is_some());
}

#[on_both]
fn senseless_links_are_refused() {
    let doors = opened();
    let invite = || Offer::Invite(invitation("Anna"));
    let of_nothing = Offer::Invite(Invitation {
        locations: Vec::new(),
        ..invitation("Anna")
    });
    let too_wide = Offer::Invite(Invitation {
        locations: vec!["a".to_owned(); 1_001],
        ..invitation("Anna")
    });
    for (offer, lasts, uses, part) in [
        (invite(), SignedDuration::ZERO, 1, "at most a year"),
        (invite(), LONGEST + HOUR, 1, "at most a year"),
        (invite(), HOUR, 0, "1 to 1000"),
        (invite(), HOUR, 1_001, "1 to 1000"),
        (Offer::First, HOUR, 2, "1 to 1"),
        (Offer::Invite(invitation("")), HOUR, 1, "1 to 64 characters"),
        (of_nothing, HOUR, 1, "needs locations"),
        (too_wide, HOUR, 1, "1000 locations at most"),
    ] {
        let made = doors.links.make(offer, lasts, uses, None).wait();
        let error = made.map(drop).expect_err(part).to_string();
        assert!(error.contains(part), "{error}");
    }
    let error = doors.links.end("lnk_none", None).wait().expect_err("none");
    assert!(error.to_string().contains("there is no link lnk_none"));
    assert_eq!(doors.links.list().wait(), Ok(Vec::new()));
}

#[on_both]
fn so_many_links_of_a_kind_are_open() {
    let doors = opened();
    let expires = (now() + 1.hours()).as_millisecond();
    let fill = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)
        INSERT INTO link SELECT CAST('' || i AS BLOB), 'lnk_' || i, 'invite', NULL, '\"first\"', 1, NULL, 1, {e}, NULL FROM n";
    for_tests::sql(&doors.folder, &fill.replace("{e}", &expires.to_string()));
    let invite = || Offer::Invite(invitation("Anna"));
    let more = || doors.links.make(invite(), HOUR, 1, None).wait();
    let error = more().map(drop).expect_err("too many").to_string();
    assert!(error.contains("10000 links of this kind"), "{error}");
    // The other kinds have none.
    doors.make(Offer::First, 1);
    for_tests::sql(
        &doors.folder,
        "UPDATE link SET uses_left = 0 WHERE id = 'lnk_1'",
    );
    more().expect("there is room");
}

#[on_both]
fn a_text_is_in_no_row_and_in_no_message() {
    let doors = opened();
    let made = doors.links.make(Offer::First, HOUR, 1, None).wait();
    let debug = format!("{made:?}");
    let text = made.expect("made").1;
    let secret = text.expose_secret();
    assert!(!debug.contains(secret), "{debug}");
    drop(doors.links);
    drop(doors.people);
    let held = for_tests::bytes(&doors.folder);
    let mut windows = held.windows(secret.len());
    assert!(!windows.any(|window| window == secret.as_bytes()));
}

/// A word that this version does not know may be a restriction.
#[on_both]
fn an_unknown_offer_admits_nobody() {
    let doors = opened();
    let (_, text) = doors.make(Offer::Invite(invitation("Anna")), 1);
    for offer in [
        "{}",
        "\"other\"",
        "{\"login\":{\"person\":\"per_1\",\"hours\":\"9-17\"}}",
    ] {
        let put = format!("UPDATE link SET offer = '{offer}'");
        for_tests::sql(&doors.folder, &put);
        let error = on_one_thread(doors.links.join(&text, None));
        let error = error.map(drop).expect_err(offer).to_string();
        assert!(error.contains("is not understood"), "{error}");
    }
}

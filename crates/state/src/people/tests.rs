//! People in memory, in rows and in other processes, and what ends with one.

use jiff::ToSpan;

use super::*;
use crate::store::for_tests::{self, TestPlace};

fn opened() -> (TestPlace, Store, People) {
    let folder = for_tests::folder();
    let store = for_tests::open(&folder);
    let people = People::new(&store);
    (folder, store, people)
}

/// A person in the way that links create one.
fn put(store: &Store, person: Person) -> Person {
    let added = store.change(Durability::Disk, move |transaction| {
        add(transaction, person.clone(), Some("per_host".to_owned()))
    });
    added.wait().expect("added")
}

fn new(name: &str, role: PersonRole) -> Person {
    Person::new(make_person_id().expect("an id"), name, role)
}

fn known(people: &People, id: &str) -> Option<Person> {
    let found = people.find(id).expect("read");
    found.map(|person| person.as_ref().clone())
}

#[on_both]
fn a_person_is_known_to_every_process_until_the_end() {
    let (folder, store, people) = opened();
    let elsewhere = People::new(&for_tests::open(&folder));
    let mut anna = new("  Anna  ", PersonRole::Member);
    anna.policy = Some("front-desk".to_owned());
    for (alias, may_approve) in [("acme", true), ("globex", false)] {
        anna.locations.push(PersonLocation {
            alias: alias.to_owned(),
            policy: None,
            may_approve,
        });
    }
    let anna = put(&store, anna);
    assert_eq!((anna.name.as_str(), &anna.id[..4]), ("Anna", "per_"));
    assert_eq!(anna.id.len(), "per_abcdefghijkm".len());
    assert_eq!(known(&people, &anna.id), Some(anna.clone()));
    for_tests::comes("known elsewhere", || {
        known(&elsewhere, &anna.id).as_ref() == Some(&anna)
    });
    assert_eq!(known(&people, "per_nobody"), None);
    let ended = elsewhere.end(&anna.id, None).wait().expect("ended");
    assert!(ended.ended.is_some());
    assert_eq!(known(&elsewhere, &anna.id), None);
    for_tests::comes("ended here", || known(&people, &anna.id).is_none());
    assert_eq!(people.list().wait(), Ok(vec![ended.clone()]));
    // A second time changes nothing.
    assert_eq!(people.end(&anna.id, None).wait(), Ok(ended));
    let error = people.end("Anna", None).wait().expect_err("ended");
    assert!(error.to_string().contains("there is no person Anna"));
}

#[test]
fn reach_and_approval_rights_of_each_person() {
    let named = |may_approve| {
        let alias = "acme".to_owned();
        let mut person = new("a", PersonRole::Member);
        person.locations.push(PersonLocation {
            alias,
            policy: None,
            may_approve,
        });
        person
    };
    let all = |approves_all| {
        let mut person = new("a", PersonRole::Member);
        (person.all_locations, person.approves_all) = (true, approves_all);
        person
    };
    let mut approves_without_reach = new("a", PersonRole::Member);
    approves_without_reach.approves_all = true;
    // Person, alias, reaches it, may approve there.
    for (what, person, alias, expected) in [
        (
            "operator",
            new("o", PersonRole::Operator),
            "acme",
            (true, true),
        ),
        (
            "member",
            new("m", PersonRole::Member),
            "acme",
            (false, false),
        ),
        ("of a location", named(false), "acme", (true, false)),
        ("its manager", named(true), "acme", (true, true)),
        ("of another", named(true), "globex", (false, false)),
        ("of all", all(false), "globex", (true, false)),
        ("manager of all", all(true), "globex", (true, true)),
        ("no reach", approves_without_reach, "acme", (false, false)),
    ] {
        let found = (person.reaches(alias), person.may_approve(alias));
        assert_eq!(found, expected, "{what}");
    }
}

#[on_both]
fn with_a_person_end_sessions_links_and_grants() {
    let (folder, store, people) = opened();
    let (anna, bert) = (
        put(&store, new("Anna", PersonRole::Member)),
        put(&store, new("Bert", PersonRole::Operator)),
    );
    for (number, id) in [(1, &anna.id), (2, &bert.id)] {
        for statement in [
            "INSERT INTO session VALUES (x'0{n}', '{id}', 1, 1, 1, 9, NULL, 9)",
            "INSERT INTO passkey VALUES (x'0{n}', '{id}', 'Phone', '{}', 1, 0, NULL)",
            "INSERT INTO link VALUES (x'0{n}', 'login {n}', 'login', '{id}', '{}', 1, NULL, 1, 9, NULL)",
            "INSERT INTO link VALUES (x'1{n}', 'made {n}', 'invite', NULL, '{}', 1, '{id}', 1, 9, NULL)",
            "INSERT INTO oauth_grant (id, person, client, client_name, redirect, resource, scope, rules, salt, seq,
                created_at, idle_until, hard_until) VALUES ('gra_{n}', '{id}', 'c', 'c', 'r', 'r', 'read', 'read-only',
                x'00', 0, 1, 9, 9)",
        ] {
            let statement = statement
                .replace("{n}", &i32::to_string(&number))
                .replace("{id}", id);
            for_tests::sql(&folder, &statement);
        }
    }
    let before = for_tests::number(&folder, "SELECT n FROM revision");
    people.end("Anna", Some(&bert.id)).wait().expect("ended");
    for (what, query, left) in [
        ("sessions", "SELECT COUNT(*) AS n FROM session", 1),
        ("passkeys", "SELECT COUNT(*) AS n FROM passkey", 1),
        (
            "open links",
            "SELECT COUNT(*) AS n FROM link WHERE ended_at IS NULL",
            2,
        ),
        (
            "grants",
            "SELECT COUNT(*) AS n FROM oauth_grant WHERE ended_at IS NULL AND ended_why IS NULL",
            1,
        ),
        (
            "ended grants",
            "SELECT COUNT(*) AS n FROM oauth_grant WHERE id = 'gra_1' AND ended_why = 'person ended'",
            1,
        ),
        (
            "events",
            "SELECT COUNT(*) AS n FROM event WHERE kind = 'person ended' AND actor LIKE 'per_%'",
            1,
        ),
    ] {
        assert_eq!(for_tests::number(&folder, query), left, "{what}");
    }
    assert_eq!(
        for_tests::number(&folder, "SELECT n FROM revision"),
        before + 1
    );
    assert!(people.has_operator());
    people.end("Bert", None).wait().expect("ended");
    assert!(!people.has_operator());
}

#[on_both]
fn nobody_but_the_command_line_ends_the_last_operator() {
    let (_folder, store, people) = opened();
    let olga = put(&store, new("Olga", PersonRole::Operator));
    let otto = put(&store, new("Otto", PersonRole::Operator));
    let by_olga = |id: &str| people.end(id, Some(&olga.id)).wait();
    by_olga(&otto.id).expect("ended");
    let error = by_olga(&olga.id).expect_err("the last").to_string();
    assert!(error.contains("Olga is the last operator"), "{error}");
    assert!(people.has_operator());
    let anna = put(&store, new("Anna", PersonRole::Member));
    by_olga(&anna.id).expect("a member");
    people.end(&olga.id, None).wait().expect("ended");
    assert!(!people.has_operator());
}

#[on_both]
fn approval_rights_change_for_every_process() {
    let (folder, store, people) = opened();
    let elsewhere = People::new(&for_tests::open(&folder));
    let mut anna = new("Anna", PersonRole::Member);
    for alias in ["acme", "globex", "initech"] {
        anna.locations.push(PersonLocation {
            alias: alias.to_owned(),
            policy: Some("front".to_owned()),
            may_approve: alias == "initech",
        });
    }
    let anna = put(&store, anna);
    let set = |everywhere, locations: &[(&str, bool)]| {
        let locations = locations
            .iter()
            .map(|(alias, may)| ((*alias).to_owned(), *may));
        let rights = ApprovalRights {
            everywhere,
            locations: locations.collect(),
        };
        people.set_approvals(&anna.id, rights, "per_olga").wait()
    };
    // A location outside her list is not given by that.
    let changed = set(
        false,
        &[("acme", true), ("globex", false), ("umbrella", true)],
    );
    let changed = changed.expect("changed");
    let approved = |person: &Person| {
        ["acme", "globex", "initech", "umbrella"].map(|alias| person.may_approve(alias))
    };
    assert_eq!(approved(&changed), [true, false, true, false]);
    let policies = changed.locations.iter().map(|one| one.policy.as_deref());
    assert_eq!(policies.collect::<Vec<_>>(), [Some("front"); 3]);
    for_tests::comes("known elsewhere", || {
        known(&elsewhere, &anna.id).as_ref() == Some(&changed)
    });
    // The same again is not an event.
    assert_eq!(set(false, &[("acme", true)]), Ok(changed));
    let everywhere = set(true, &[]).expect("changed");
    assert_eq!(approved(&everywhere), [true, true, true, false]);
    let events = "SELECT COUNT(*) AS n FROM event WHERE kind = 'approval rights changed' AND actor = 'per_olga'";
    assert_eq!(for_tests::number(&folder, events), 2);
    people.end(&anna.id, None).wait().expect("ended");
    set(true, &[]).expect_err("ended");
}

#[on_both]
fn a_highlevel_user_is_one_person_and_an_ended_one_stays_out() {
    let (_folder, _store, people) = opened();
    let sign_in = |user: &str, name: &str| people.with_highlevel_user(user, name).wait();
    let first = sign_in("u1", "Anna").expect("made");
    assert!(first.may_vault && !first.all_locations && first.role == PersonRole::Member);
    assert_eq!(sign_in("u1", "Renamed").expect("found"), first);
    assert_eq!(sign_in("u2", "Anna").expect("made").name, "Anna 2");
    assert_eq!(
        people.make_member("Anna").wait().expect("made").name,
        "Anna 3"
    );
    people.end("Anna", None).wait().expect("ended");
    let error = sign_in("u1", "Anna").expect_err("ended").to_string();
    assert!(error.contains("ask its operator"), "{error}");
    // Its name is free again.
    assert_eq!(
        people.make_member("Anna").wait().expect("made").name,
        "Anna"
    );
}

#[test]
fn a_name_can_be_read_and_is_not_mistaken_for_another() {
    let long = "n".repeat(64);
    for name in ["Anna", "王小明", "O'Neil & Söhne", &long] {
        assert_eq!(check_name(name), Ok(()), "{name}");
    }
    let too_long = "n".repeat(65);
    for name in [
        "",
        "   ",
        &too_long,
        "a\nb",
        "An\u{200b}na",
        "a\u{202e}b",
        "\u{feff}a",
    ] {
        let error = check_name(name).expect_err(name).to_string();
        assert!(error.contains("1 to 64 characters"), "{error}");
    }
}

#[on_both]
fn so_many_people_may_sign_in() {
    let (folder, _store, people) = opened();
    for_tests::sql(
        &folder,
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9999)
        INSERT INTO person (id, name, role, all_locations, approves_all, may_vault, created_at)
        SELECT 'per_' || i, 'name ' || i, 'member', 0, 0, 0, 1 FROM n",
    );
    let last = people.make_member("Last").wait().expect("the last");
    let error = people.make_member("More").wait().expect_err("too many");
    assert!(error.to_string().contains("10000 people"), "{error}");
    people.end(&last.id, None).wait().expect("ended");
    people.make_member("More").wait().expect("there is room");
}

/// An unknown role may be a restriction.
#[on_both]
fn unreadable_people_have_no_access_until_they_can_be_read() {
    let (folder, store, people) = opened();
    let anna = put(&store, new("Anna", PersonRole::Member));
    for_tests::sql(&folder, "UPDATE person SET role = 'auditor'");
    for_tests::comes("refused", || people.find(&anna.id).is_err());
    assert!(people.has_operator(), "there may be one");
    let error = people.list().wait().expect_err("refused").to_string();
    assert!(error.contains("\"auditor\""), "{error}");
    for_tests::sql(&folder, "UPDATE person SET role = 'member'");
    for_tests::comes("known", || {
        people.find(&anna.id) == Ok(Some(anna.clone().into()))
    });
}

#[on_both]
fn people_whose_access_ended_long_ago_are_removed() {
    let (folder, store, people) = opened();
    let [old, recent] = ["old", "recent"].map(|name| {
        let mut person = new(name, PersonRole::Member);
        person.locations.push(PersonLocation {
            alias: "acme".to_owned(),
            policy: None,
            may_approve: false,
        });
        put(&store, person)
    });
    let living = put(&store, new("living", PersonRole::Member));
    for (person, hours) in [(&old, 24 * 400 + 1), (&recent, 24 * 400 - 1)] {
        let at = (now() - hours.hours()).as_millisecond();
        let end = format!(
            "UPDATE person SET ended_at = {at} WHERE id = '{}'",
            person.id
        );
        for_tests::sql(&folder, &end);
    }
    for_tests::beside(&folder, sweep);
    let left = people.list().wait().expect("read");
    let left: Vec<&str> = left.iter().map(|person| person.name.as_str()).collect();
    assert_eq!(left, [&recent.name, &living.name]);
    let locations = "SELECT COUNT(*) AS n FROM person_location";
    assert_eq!(for_tests::number(&folder, locations), 1);
}

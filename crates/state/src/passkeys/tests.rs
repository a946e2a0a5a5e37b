//! Passkeys: their number and their owner, and that an answer is valid once.

use jiff::SignedDuration;

use super::*;
use crate::people::People;
use crate::store::for_tests;

fn passkey(id: u8) -> NewPasskey {
    NewPasskey {
        id: vec![id; 16],
        name: format!("Phone {id}"),
        credential: format!("{{\"counter\":{id}}}"),
    }
}

#[on_both]
fn passkeys_have_a_limit_and_one_owner() {
    let folder = for_tests::folder();
    let store = for_tests::open(&folder);
    let (people, passkeys) = (People::new(&store), Passkeys::new(&store));
    let make = |name: &str| people.make_member(name).wait().expect("made").id;
    let (anna, bob) = (make("Anna"), make("Bob"));
    let add = |person: &str, id| passkeys.add(person, passkey(id)).wait();
    for id in 0..20 {
        add(&anna, id).expect("room");
    }
    let refused = add(&anna, 20).expect_err("no room").to_string();
    assert!(refused.contains("remove one first"), "{refused}");
    let refused = add(&bob, 3).expect_err("Anna's").to_string();
    assert!(refused.contains("known already"), "{refused}");
    assert!(add("per_nobody", 21).is_err());
    let long = NewPasskey {
        credential: "a".repeat(9_000),
        ..passkey(22)
    };
    assert!(passkeys.add(&bob, long).wait().is_err());
    let names: Vec<String> = passkeys
        .list(&anna)
        .wait()
        .expect("read")
        .into_iter()
        .map(|one| one.name)
        .collect();
    assert_eq!((names.len(), names[3].as_str()), (20, "Phone 3"));
    assert!(passkeys.list(&bob).wait().expect("read").is_empty());
    let remove = |person: &str, id: u8| passkeys.remove(person, &[id; 16]).wait().expect("done");
    assert!(!remove(&bob, 3), "Anna's");
    assert!(remove(&anna, 3));
    assert!(!remove(&anna, 3));
    assert!(passkeys.find(&[3; 16]).wait().expect("read").is_none());
}

#[on_both]
fn an_answer_is_accepted_once() {
    let folder = for_tests::folder();
    let store = for_tests::open(&folder);
    let (people, passkeys) = (People::new(&store), Passkeys::new(&store));
    let anna = people.make_member("Anna").wait().expect("made").id;
    passkeys.add(&anna, passkey(1)).wait().expect("kept");
    let start = now();
    let answer = |id: u8, seconds: i64| {
        let asked = start + SignedDuration::from_secs(seconds);
        let noted = passkeys.note_answer(&[id; 16], asked, format!("{seconds}"));
        noted.wait().expect("written").map(|person| person.id)
    };
    for (id, seconds, expected) in [
        (1, 10, true),
        (1, 10, false),
        (1, 9, false),
        (1, 11, true),
        (2, 12, false),
    ] {
        let person = answer(id, seconds);
        assert_eq!(person, expected.then(|| anna.clone()), "{id} at {seconds}");
    }
    let kept = passkeys.find(&[1; 16]).wait().expect("read").expect("one");
    assert_eq!(kept.credential, "11");
    assert!(kept.used.is_some());
    // It is deleted with its person, too.
    people.end(&anna, None).wait().expect("ended");
    assert_eq!(answer(1, 20), None);
    assert!(passkeys.find(&[1; 16]).wait().expect("read").is_none());
}

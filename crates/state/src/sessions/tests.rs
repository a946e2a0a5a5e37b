//! Sessions: their lifetime, their number, and the records of their use.

use jiff::ToSpan;
use secrecy::ExposeSecret;

use super::*;
use crate::people::People;
use crate::store::for_tests::{self, TestPlace, on_one_thread};

fn opened() -> (TestPlace, Sessions, People) {
    let folder = for_tests::folder();
    let store = for_tests::open(&folder);
    (folder, Sessions::new(&store), People::new(&store))
}

fn make(people: &People, name: &str) -> Person {
    people.make_member(name).wait().expect("made")
}

fn begin(sessions: &Sessions, person: &Person, at: Timestamp) -> SecretString {
    let begun = sessions.begin_at(&person.id, ProofKind::Given, Some("Firefox"), at);
    begun.wait().expect("begun")
}

fn find(sessions: &Sessions, text: &SecretString, at: Timestamp) -> Option<PersonSession> {
    let found = on_one_thread(sessions.find_at(text, at)).expect("read");
    // Its use is written by the same thread, before this.
    let other = sessions.end(&SecretString::from("another"));
    other.wait().expect("written");
    found
}

#[on_both]
fn a_session_ends_after_twelve_hours_or_two_idle_ones() {
    let (_folder, sessions, people) = opened();
    let anna = make(&people, "Anna");
    let start = now();
    let minutes = |minutes: i64| start + SignedDuration::from_mins(minutes);
    // Minutes at which a browser uses it, and whether the session is still valid.
    for (what, steps) in [
        (
            "used",
            &[
                (0, true),
                (119, true),
                (238, true),
                (357, true),
                (476, true),
                (595, true),
                (714, true),
                (719, true),
                (720, false),
            ][..],
        ),
        ("idle", &[(0, true), (120, false), (1, true)][..]),
        (
            "idle after use",
            &[(60, true), (179, true), (298, true), (418, false)][..],
        ),
    ] {
        let text = begin(&sessions, &anna, start);
        assert!(text.expose_secret().starts_with("hls_") && text.expose_secret().len() == 47);
        for (at, expected) in steps {
            let found = find(&sessions, &text, minutes(*at));
            assert_eq!(found.is_some(), *expected, "{what} at {at}");
            if let Some(found) = found {
                assert_eq!(found.person.id, anna.id);
                assert_eq!((found.proof, found.expires), (start, minutes(720)));
            }
        }
    }
}

#[on_both]
fn a_page_that_asks_by_itself_keeps_no_session_alive() {
    let (folder, sessions, people) = opened();
    let anna = make(&people, "Anna");
    let start = now();
    let text = begin(&sessions, &anna, start);
    let peek = |minutes| {
        let at = start + SignedDuration::from_mins(minutes);
        on_one_thread(sessions.peek_at(&text, at)).expect("read")
    };
    for (minutes, expected) in [(1, true), (60, true), (119, true), (120, false)] {
        let found = peek(minutes).map(|found| found.person.id.clone());
        assert_eq!(found, expected.then(|| anna.id.clone()), "at {minutes}");
    }
    let other = sessions.end(&SecretString::from("another"));
    other.wait().expect("written");
    let seen = for_tests::number(&folder, "SELECT seen_at AS n FROM session");
    assert_eq!(seen, start.as_millisecond());
}

#[on_both]
fn a_session_that_a_passkey_began_lasts_a_month() {
    let (_folder, sessions, people) = opened();
    let anna = make(&people, "Anna");
    let start = now();
    let begun = sessions.begin_at(&anna.id, ProofKind::Passkey, None, start);
    let text = begun.wait().expect("begun");
    for (hours, expected) in [(719, true), (720, false)] {
        let found = find(&sessions, &text, start + SignedDuration::from_hours(hours));
        assert_eq!(found.is_some(), expected, "after {hours} hours");
    }
}

#[on_both]
fn its_use_is_written_down_once_a_minute() {
    let (folder, sessions, people) = opened();
    let anna = make(&people, "Anna");
    let start = now();
    let text = begin(&sessions, &anna, start);
    // Seconds at which it is used, and those of the last recorded use.
    for (used, noted) in [(10, 0), (59, 0), (60, 60), (119, 60), (121, 121)] {
        assert!(find(&sessions, &text, start + used.seconds()).is_some());
        let expected = (start + SignedDuration::from_secs(noted)).as_millisecond();
        for table in ["session", "person"] {
            let query = format!("SELECT seen_at AS n FROM {table}");
            for_tests::comes("noted", || for_tests::number(&folder, &query) == expected);
        }
    }
}

#[on_both]
fn a_session_is_valid_in_every_process_until_it_or_its_person_ends() {
    let (folder, sessions, people) = opened();
    let elsewhere = Sessions::new(&for_tests::open(&folder));
    let anna = make(&people, "Anna");
    let [one, two] = [(); 2].map(|()| begin(&sessions, &anna, now()));
    let is_good = |text: &SecretString| find(&elsewhere, text, now()).is_some();
    assert!(is_good(&one) && is_good(&two));
    elsewhere.end(&one).wait().expect("ended");
    assert!(!is_good(&one) && is_good(&two));
    people.end(&anna.id, None).wait().expect("ended");
    assert!(!is_good(&two));
    let error = sessions
        .begin(&anna.id, ProofKind::Given, None)
        .wait()
        .expect_err("ended");
    assert!(error.to_string().contains("who may sign in"), "{error}");
    for text in ["", "hls_", "hli_a"] {
        assert!(!is_good(&SecretString::from(text)));
    }
}

#[on_both]
fn one_more_than_fifty_ends_the_oldest_of_that_person() {
    let (_folder, sessions, people) = opened();
    let (anna, bert) = (make(&people, "Anna"), make(&people, "Bert"));
    let start = now();
    let other = begin(&sessions, &bert, start - 1.minutes());
    let texts: Vec<SecretString> = (0..52)
        .map(|number: i64| {
            begin(
                &sessions,
                &anna,
                start + SignedDuration::from_millis(number),
            )
        })
        .collect();
    let good: Vec<bool> = texts
        .iter()
        .map(|text| find(&sessions, text, start).is_some())
        .collect();
    assert_eq!(good[..2], [false, false]);
    assert!(good[2..].iter().all(|good| *good));
    assert!(find(&sessions, &other, start).is_some());
}

#[on_both]
fn expired_sessions_are_removed_and_no_secret_is_in_a_row() {
    let (folder, sessions, people) = opened();
    let anna = make(&people, "Anna");
    let gone = begin(&sessions, &anna, now() - 12.hours());
    let long = "F".repeat(500);
    let kept = sessions
        .begin(&anna.id, ProofKind::Given, Some(&long))
        .wait()
        .expect("begun");
    for_tests::beside(&folder, sweep);
    let left = "SELECT COUNT(*) AS n FROM session";
    assert_eq!(for_tests::number(&folder, left), 1);
    assert!(find(&sessions, &kept, now()).is_some());
    let agent = "SELECT LENGTH(agent) AS n FROM session";
    assert_eq!(for_tests::number(&folder, agent), 120);
    drop((sessions, people));
    let bytes = for_tests::bytes(&folder);
    for text in [&gone, &kept] {
        let secret = text.expose_secret().as_bytes();
        assert!(!bytes.windows(secret.len()).any(|window| window == secret));
    }
}

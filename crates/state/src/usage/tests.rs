//! Usage into rows and out of them, by one process and by several.

use jiff::civil::{Date, date};

use super::*;
use crate::audit;
use crate::store::for_tests::{TestPlace, beside, fill, folder, in_memory, number, open, sql};
use crate::store::{Durability, Transaction};

fn entry<'a>(id: &'a str, location: &'a str, effect: &'static str) -> UsageEntry<'a> {
    UsageEntry {
        kind: "key",
        id,
        location,
        effect,
        counts: UsageCounts {
            calls: 1,
            failed: 0,
            requests: 1,
        },
    }
}

/// Calls of everybody in the file.
fn calls(folder: &TestPlace) -> i64 {
    number(
        folder,
        "SELECT CAST(COALESCE(SUM(calls), 0) AS BIGINT) AS n FROM usage",
    )
}

fn put(transaction: &mut Transaction, day: Date, principal: &str, location: &str, calls: i64) {
    let insert = "INSERT INTO usage (day, principal, location, effect, calls, failed, requests)
        VALUES ($1, $2, $3, 'read', $4, 0, $4)";
    let insert = sqlx::query(insert)
        .bind(number_of_date(day))
        .bind(principal.to_owned())
        .bind(location.to_owned())
        .bind(calls);
    transaction.run(insert).expect("written");
}

#[on_both]
fn several_processes_add_up_and_the_end_of_each_writes_its_rest() {
    let folder = folder();
    let (one, other) = (open(&folder), open(&folder));
    let counting = [&one, &other].map(|store| Usage::new(store, 400).expect("counted"));
    for usage in &counting {
        for id in ["a", "a", "b"] {
            usage.count(&entry(id, "L1", "read"));
        }
    }
    assert_eq!(calls(&folder), 0, "nobody waits for the store");
    let [of_one, of_other] = counting;
    assert_eq!(of_one.write().wait(), Ok(false));
    assert_eq!(of_one.write().wait(), Ok(false), "nothing is added twice");
    assert_eq!(calls(&folder), 3);
    drop((other, of_other));
    assert_eq!(calls(&folder), 6);
    drop((one, of_one));
    assert_eq!(calls(&folder), 6);
    assert_eq!(number(&folder, "SELECT COUNT(*) AS n FROM usage"), 2);
}

#[on_sqlite("a file that cannot grow")]
fn counts_that_could_not_be_written_are_added_the_next_time() {
    let folder = folder();
    let store = open(&folder);
    let usage = Usage::new(&store, 400).expect("counted");
    fill(&store);
    // More than fits into the existing pages.
    for number in 0..900 {
        usage.count(&entry("a", &format!("{number:0200}"), "read"));
    }
    usage.write().wait().expect_err("the disk is full");
    usage.count(&entry("b", "L1", "read"));
    usage.write().wait().expect_err("still");
    let room = store.change(Durability::System, |transaction| {
        let most = sqlx::query("PRAGMA max_page_count = 1000000");
        transaction.one(most).map(drop)
    });
    room.wait().expect("room");
    assert_eq!(usage.write().wait(), Ok(true), "the part that failed");
    assert_eq!(usage.write().wait(), Ok(false));
    assert_eq!(calls(&folder), 901);
}

#[on_both]
fn a_part_with_a_lost_confirmation_is_added_once() {
    let folder = folder();
    let store = open(&folder);
    let usage = Usage::new(&store, 400).expect("counted");
    usage.count(&entry("a", "L1", "read"));
    // Committed, but the writer does not know it.
    usage.write().wait().expect("written");
    usage.count(&entry("a", "L1", "read"));
    for _ in 0..3 {
        usage.write().wait().expect("written");
    }
    assert_eq!(calls(&folder), 2);
    assert_eq!(number(&folder, "SELECT part AS n FROM usage_writer"), 2);
    // The same part again, as after a lost answer.
    sql(&folder, "UPDATE usage_writer SET part = 9");
    usage.count(&entry("a", "L1", "read"));
    assert_eq!(usage.write().wait(), Ok(false));
    assert_eq!(calls(&folder), 2, "it says that it is written already");
}

#[on_both]
fn without_a_store_that_outlives_the_process_nothing_is_counted() {
    let memory = Store::in_memory().expect("a store");
    assert!(Usage::new(&memory, 400).is_none());
    let folder = folder();
    assert!(Usage::new(&open(&folder), 0).is_none(), "for no day");
}

#[on_both]
fn days_are_kept_as_long_as_the_settings_say() {
    let today = date(2026, 11, 29);
    for (days, kept) in [(0, 0), (1, 1), (2, 2), (400, 3)] {
        let left = in_memory(|transaction| {
            for day in [date(2026, 11, 27), date(2026, 11, 28), today] {
                put(transaction, day, "key:a", "L1", 1);
            }
            sweep(transaction, today, days).expect("swept");
            let count = sqlx::query("SELECT COUNT(*) AS n FROM usage");
            let row = transaction.one(count).expect("read").expect("a row");
            row.integer("n").expect("a number")
        });
        assert_eq!(left, kept, "{days}");
    }
}

#[on_both]
fn sums_are_kept_apart_as_it_is_asked_for() {
    let folder = folder();
    let store = open(&folder);
    let (first, second) = (date(2026, 10, 31), date(2026, 11, 1));
    beside(&folder, |transaction| {
        put(transaction, first, "key:a", "L1", 100);
        put(transaction, second, "key:a", "L1", 10);
        put(transaction, second, "key:a", "L2", 1);
        put(transaction, second, "grant:b", "L2", 5);
        Ok(())
    });
    let check = |query: UsageQuery, expected: &[(&str, &str, i64)]| {
        let rows = store.usage(&query).wait().expect("read");
        let found: Vec<_> = rows
            .iter()
            .map(|row| {
                (
                    row.principal.as_str(),
                    row.location.as_str(),
                    row.counts.calls,
                )
            })
            .collect();
        assert_eq!(found, expected, "{query:?}");
    };
    let (november, all) = ((second, second), (first, second));
    let both = UsageGrouping {
        principal: true,
        location: true,
        ..UsageGrouping::default()
    };
    let principal = UsageGrouping {
        location: false,
        ..both
    };
    let sums = UsageQuery::sums;
    check(sums(all, UsageGrouping::default()), &[("", "", 116)]);
    check(
        sums(november, both),
        &[
            ("grant:b", "L2", 5),
            ("key:a", "L1", 10),
            ("key:a", "L2", 1),
        ],
    );
    check(
        UsageQuery {
            is_busiest_first: true,
            skip: 1,
            most: 1,
            ..sums(all, principal)
        },
        &[("grant:b", "", 5)],
    );
    check(
        UsageQuery {
            location: Some("L2".to_owned()),
            ..sums(all, principal)
        },
        &[("grant:b", "", 5), ("key:a", "", 1)],
    );
    let by_day = UsageGrouping {
        day: true,
        ..UsageGrouping::default()
    };
    let days = store.usage(&sums(all, by_day)).wait().expect("read");
    let days: Vec<_> = days.iter().map(|row| row.day).collect();
    assert_eq!(days, [Some(first), Some(second)]);
    assert_eq!(store.first_day_of_usage().wait(), Ok(Some(first)));
    assert_eq!(
        store
            .usage(&sums((first, first), by_day))
            .wait()
            .expect("read")
            .len(),
        1
    );
}

#[on_both]
fn a_person_sees_its_own() {
    let folder = folder();
    let store = open(&folder);
    let (before, since) = (date(2026, 11, 1), date(2026, 11, 2));
    let connected = number_of_date(since) * 86_400_000 + 5;
    for statement in [
        "INSERT INTO oauth_grant (id, person, client, client_name, redirect, resource, scope, rules, salt, seq, created_at,
            idle_until, hard_until) VALUES ('g1', 'p1', 'c', 'Claude', '', '', '', '', x'00', 1, 1, 9, 9)"
            .to_owned(),
        format!(
            "INSERT INTO location (id, alias, location, credential, owner, name, created_at)
                VALUES ('loc_1', 'mine', 'L1', 'v1', 'p1', 'Mine', {connected})"
        ),
    ] {
        sql(&folder, &statement);
    }
    beside(&folder, |transaction| {
        put(transaction, before, "key:a", "L1", 1);
        put(transaction, since, "key:a", "L1", 10);
        put(transaction, since, "grant:g1", "L2", 100);
        put(transaction, since, "grant:g2", "L2", 1_000);
        put(transaction, since, "person:p1", "", 10_000);
        Ok(())
    });
    for (person, expected) in [("p1", 10_110), ("p2", 0)] {
        let query = UsageQuery {
            reader: Some(person.to_owned()),
            ..UsageQuery::sums((before, since), UsageGrouping::default())
        };
        let rows = store.usage(&query).wait().expect("read");
        assert_eq!(rows[0].counts.calls, expected, "{person}");
    }
}

#[on_both]
fn callers_and_customers_have_their_names() {
    let folder = folder();
    let store = open(&folder);
    let keys = crate::keys::Keys::new(&store);
    let key = |name: &str| {
        let made = keys.create(name, crate::keys::KeyLocations::All, None, None);
        made.wait().expect("made").0.id
    };
    let (own, customers) = (key("reports"), key("customer lnk_1"));
    for statement in [
        "INSERT INTO customer (link, hash, builder, reference, return_url, rules, created_at, expires_at, location,
            owns_location, connected_at) VALUES ('lnk_1', x'01', 'app', 'cus-7', '', '', 1, 9, 'loc_1', 1, 2)",
        "INSERT INTO location (id, alias, location, credential, name, created_at)
            VALUES ('loc_1', 'acme', 'L1', 'v1', 'Acme', 1)",
    ] {
        sql(&folder, statement);
    }
    let labels = store.usage_labels().wait().expect("read");
    let (own, customers) = (format!("key:{own}"), format!("key:{customers}"));
    for (principal, location, name, reference) in [
        (own.as_str(), "L2", Some("reports"), None),
        (&own, "L1", Some("reports"), Some("cus-7")),
        (&customers, "", Some("customer lnk_1"), Some("cus-7")),
        ("key:gone", "L2", None, None),
        ("others", "", None, None),
    ] {
        assert_eq!(labels.name(principal).name, name, "{principal}");
        let found = labels.reference(principal, location);
        assert_eq!(found, reference, "{principal} {location}");
    }
    assert_eq!(
        (labels.alias("L1"), labels.alias("L2")),
        (Some("acme"), None)
    );
}

#[on_both]
fn a_customer_who_left_is_known_as_long_as_its_usage() {
    let day = 24 * 60 * 60 * 1_000;
    let ago = |days: i64| crate::now().as_millisecond() - days * day;
    for (usage_days, ended, is_known) in [
        (Some(400), 31, true),
        (Some(400), 401, false),
        (Some(0), 29, true),
        (Some(0), 31, false),
        // A command, which does not know the setting.
        (None, 401, true),
    ] {
        let known = in_memory(|transaction| {
            let insert = "INSERT INTO customer (link, hash, builder, reference, return_url, rules, created_at, expires_at,
                location, owns_location, ended_at) VALUES ('lnk_1', $1, 'app', 'cus-7', '', '', 1, 9, 'loc_1', 1, $2)";
            let insert = sqlx::query(insert).bind(vec![1]).bind(ago(ended));
            transaction.run(insert).expect("written");
            crate::customers::sweep(transaction, usage_days).expect("swept");
            let left = transaction.one(sqlx::query("SELECT link FROM customer"));
            left.expect("read").is_some()
        });
        assert_eq!(known, is_known, "{usage_days:?} {ended}");
    }
}

#[test]
fn a_day_is_one_of_utc() {
    for (time, day) in [
        ("1970-01-01T00:00:00Z", date(1970, 1, 1)),
        ("2026-11-29T23:59:59Z", date(2026, 11, 29)),
        ("2026-11-30T01:00:00+02:00", date(2026, 11, 29)),
    ] {
        let number = day_number(time.parse().expect("a time"));
        assert_eq!(date_of_number(number), day);
        assert_eq!(number_of_date(day), number);
    }
    assert_eq!(number_of_date(audit::today()), day_number(Timestamp::now()));
}

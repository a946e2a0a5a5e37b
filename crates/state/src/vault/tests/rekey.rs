//! A change of the store's key, interrupted anywhere: every token opens afterwards, and the next attempt continues.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::*;
use crate::flows::{Flows, LONGEST_FLOW};
use crate::store::StoreOptions;

/// More than are resealed in two transactions.
const TOKENS: usize = 450;

const SAID: &str = "did open";

fn keys() -> [SecretString; 2] {
    [[1; 32], [2; 32]].map(|key| STANDARD.encode(key).into())
}

fn with_keys(place: &TestPlace, keys: &[SecretString]) -> Store {
    let opened = Store::open(&StoreOptions {
        keys,
        ..for_tests::options(place)
    });
    opened.expect("open")
}

/// Stores these tokens, and a flow, under the old key.
fn fill(folder: &TestPlace) -> SecretString {
    let [old, _] = keys();
    let store = with_keys(folder, &[old]);
    let vault = Vault::new(&store);
    let puts: Vec<_> = (0..TOKENS)
        .map(|number| {
            vault.put_token(token(
                None,
                &format!("l{number:03}"),
                &format!("t{number:03}"),
            ))
        })
        .collect();
    for put in puts {
        put.wait().expect("kept");
    }
    let begun = Flows::new(&store).begin(b"b", "s", &"a wish".into(), LONGEST_FLOW);
    begun.wait().expect("begun")
}

#[track_caller]
fn check(store: &Store) {
    let expected =
        (0..TOKENS).map(|number| (format!("l{number:03}-dental"), format!("t{number:03}")));
    assert_eq!(tokens(&Vault::new(store)), expected.collect::<Vec<_>>());
}

#[on_both]
fn a_rekey_that_is_interrupted_at_any_row_loses_none_and_continues() {
    let folder = folder();
    let flow = fill(&folder);
    let [old, new] = keys();
    let store = with_keys(&folder, &[new.clone(), old]);
    // Sealed under the old key for another place: it does not open anywhere else.
    sql(
        &folder,
        "CREATE TABLE strange AS SELECT sealed FROM secret WHERE name = 'confirm'",
    );
    // Like a process that dies in the middle of a transaction: its work in that transaction is lost.
    for row in [1, 2, 199, 200, 201, 400, 401, 450] {
        let cut = format!("(SELECT id FROM vault_credential ORDER BY id LIMIT 1 OFFSET {row} - 1)");
        for statement in [
            format!(
                "CREATE TABLE aside AS SELECT id, sealed FROM vault_credential WHERE id = {cut}"
            ),
            format!(
                "UPDATE vault_credential SET sealed = (SELECT sealed FROM strange) WHERE id = {cut}"
            ),
        ] {
            sql(&folder, &statement);
        }
        store.rekey().map(drop).expect_err("cut off");
        for statement in [
            "UPDATE vault_credential SET sealed = (SELECT sealed FROM aside) WHERE id = (SELECT id FROM aside)",
            "DROP TABLE aside",
        ] {
            sql(&folder, statement);
        }
        check(&store);
    }
    let (anew, _) = store.rekey().expect("sealed");
    // Work in complete transactions before the last interruption was kept.
    assert_eq!(anew, 50 + 1, "and the flow");
    check(&store);
    drop(store);
    let store = with_keys(&folder, &[new]);
    check(&store);
    let flow = Flows::new(&store).take(&flow, b"b").wait().expect("read");
    assert_eq!(flow.expect("kept").text.expose_secret(), "a wish");
}

/// A process of these tests; it does nothing when run alone.
#[test]
#[ignore = "run by other tests, as a process of its own"]
fn a_process() {
    let Some((_, place)) = for_tests::role() else {
        return;
    };
    let [old, new] = keys();
    let store = with_keys(&place, &[new, old]);
    println!("\n{SAID}");
    store.rekey().expect("sealed");
}

#[on_both]
fn a_process_that_is_killed_while_it_rekeys_loses_none() {
    let folder = folder();
    fill(&folder);
    for wait in [0, 2, 4, 8, 16] {
        let mut child = for_tests::child("vault::tests::rekey::a_process", "rekey", &folder);
        child.stdout(Stdio::piped());
        let mut child = for_tests::Running(child.spawn().expect("started"));
        let mut output = BufReader::new(child.0.stdout.take().expect("an output"));
        let mut line = String::new();
        while !line.contains(SAID) {
            line.clear();
            assert!(output.read_line(&mut line).expect("read") > 0, "it ended");
        }
        std::thread::sleep(Duration::from_millis(wait));
        drop(child);
        let [old, new] = keys();
        check(&with_keys(&folder, &[new, old]));
    }
}

//! Who may take a flow, how often, and the limits.

use super::*;
use crate::store::for_tests::{self, folder, open, sql};

const HERE: &[u8] = b"a cookie";
const ELSEWHERE: &[u8] = b"another cookie";

fn begin(flows: &Flows, browser: &[u8], text: &str) -> SecretString {
    let begun = flows.begin(browser, "highlevel", &text.into(), LONGEST_FLOW);
    begun.wait().expect("begun")
}

/// Text or problem.
fn taken(flow: Result<Result<SignInFlow, FlowProblem>, StoreError>) -> Result<String, FlowProblem> {
    flow.expect("read").map(|flow| {
        assert_eq!(flow.step, "highlevel");
        flow.text.expose_secret().to_owned()
    })
}

fn take(flows: &Flows, token: &SecretString, browser: &[u8]) -> Result<String, FlowProblem> {
    taken(flows.take(token, browser).wait())
}

fn only_one(flows: &Flows, browser: &[u8]) -> Result<String, FlowProblem> {
    taken(flows.only_one(browser).wait())
}

fn count(folder: &for_tests::TestPlace) -> i64 {
    for_tests::number(folder, "SELECT COUNT(*) AS n FROM flow")
}

#[on_both]
fn a_flow_is_taken_once_by_the_browser_that_began_it() {
    let folder = folder();
    let flows = Flows::new(&open(&folder));
    let token = begin(&flows, HERE, "a");
    assert!(token.expose_secret().starts_with(PREFIX) && token.expose_secret().len() == 47);
    assert_eq!(take(&flows, &token, ELSEWHERE), Err(FlowProblem::Foreign));
    assert_eq!(take(&flows, &token, b""), Err(FlowProblem::Foreign));
    // After a restart, too.
    let again = Flows::new(&open(&folder));
    assert_eq!(take(&again, &token, HERE), Ok("a".to_owned()));
    assert_eq!(take(&flows, &token, HERE), Err(FlowProblem::Over));
    assert_eq!(take(&flows, &"hlf_x".into(), HERE), Err(FlowProblem::Over));
    let token = begin(&flows, HERE, "b");
    sql(&folder, "UPDATE flow SET expires_at = 0");
    assert_eq!(take(&flows, &token, HERE), Err(FlowProblem::Over));
    let long = "x".repeat(LONGEST_TEXT + 1).into();
    assert!(flows.begin(HERE, "s", &long, LONGEST_FLOW).wait().is_err());
}

#[on_both]
fn without_a_token_a_browser_gets_its_only_flow() {
    let folder = folder();
    let flows = Flows::new(&open(&folder));
    assert_eq!(only_one(&flows, HERE), Err(FlowProblem::Ambiguous));
    begin(&flows, HERE, "a");
    assert_eq!(only_one(&flows, ELSEWHERE), Err(FlowProblem::Ambiguous));
    assert_eq!(only_one(&flows, HERE), Ok("a".to_owned()));
    assert_eq!(only_one(&flows, HERE), Err(FlowProblem::Ambiguous));
    let other = flows.begin(HERE, "other", &"c".into(), LONGEST_FLOW).wait();
    other.expect("begun");
    begin(&flows, HERE, "a");
    assert_eq!(only_one(&flows, HERE), Err(FlowProblem::Ambiguous));
    begin(&flows, HERE, "b");
    assert_eq!(only_one(&flows, HERE), Err(FlowProblem::Ambiguous));
    assert_eq!(count(&folder), 3, "none was used up");
}

#[on_both]
fn flows_are_bounded_and_swept() {
    let folder = folder();
    let flows = Flows::new(&open(&folder));
    let tokens: Vec<SecretString> = (0..=MOST_OF_BROWSER)
        .map(|number| {
            // A later one ends later.
            std::thread::sleep(Duration::from_millis(2));
            begin(&flows, HERE, &number.to_string())
        })
        .collect();
    assert_eq!(take(&flows, &tokens[0], HERE), Err(FlowProblem::Over));
    assert_eq!(take(&flows, &tokens[1], HERE), Ok("1".to_owned()));
    let fill = format!(
        "WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < {MOST_FLOWS})
         INSERT INTO flow SELECT CAST('h' || n AS BLOB), CAST('b' || n AS BLOB), 's', x'00', 9000000000000000
         FROM number"
    );
    sql(&folder, &fill);
    let full = flows.begin(ELSEWHERE, "s", &"a".into(), LONGEST_FLOW);
    let error = full.wait().expect_err("full");
    assert!(error.is_busy(), "{error}");
    assert_eq!(take(&flows, &tokens[2], HERE), Ok("2".to_owned()));
    sql(&folder, "UPDATE flow SET expires_at = 1 WHERE step = 's'");
    begin(&flows, ELSEWHERE, "a");
    assert!(count(&folder) < 10, "what is over made room");
}

#[on_both]
fn the_request_is_sealed_in_its_row() {
    let folder = folder();
    let store = open(&folder);
    let flows = Flows::new(&store);
    let [one, other] = ["the sealed wish", "another"].map(|text| begin(&flows, HERE, text));
    let held = for_tests::bytes(&folder);
    for secret in [
        b"the sealed wish".as_slice(),
        HERE,
        one.expose_secret().as_bytes(),
    ] {
        assert!(!held.windows(secret.len()).any(|part| part == secret));
    }
    // In place of the other.
    let others = "UPDATE flow SET sealed = (SELECT sealed FROM old WHERE old.hash <> flow.hash)";
    sql(&folder, "CREATE TABLE old AS SELECT hash, sealed FROM flow");
    sql(&folder, others);
    for token in [one, other] {
        let error = flows.take(&token, HERE).wait().map(drop);
        let error = error.expect_err("it was moved").to_string();
        assert!(error.contains("cannot be opened"), "{error}");
    }
}

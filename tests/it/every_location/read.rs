//! `output.locations`: one row for each location, each by its own call.

use serde_json::{Value, json};

use crate::agency::{Agency, alias, branch};

const OPERATOR: &str = "Bearer operator-of-this-agency-1";

/// A read of contacts, one of each location that `locations` selects.
fn contacts(locations: Value) -> Value {
    json!({
        "operation": "contacts_get-contacts",
        "arguments": {"limit": 1},
        "output": {"fields": ["id", "locationId"], "locations": locations},
    })
}

/// The ids of the rows' locations, and the ids of the locations of their contacts.
fn places(answer: &Value) -> Vec<(String, String)> {
    let rows = answer["locations"].as_array().expect("rows");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let place = |row: &Value| {
        (
            text(&row["location"]["id"]),
            text(&row["answer"]["contacts"][0]["locationId"]),
        )
    };
    rows.iter().map(place).collect()
}

fn pairs(numbers: &[usize]) -> Vec<(String, String)> {
    let numbers = numbers.iter();
    numbers
        .map(|number| (branch(*number), branch(*number)))
        .collect()
}

async fn reads(agency: &Agency) -> usize {
    let requests = agency.sandbox.requests().await;
    let reads = requests.iter().filter(|one| one["path"] == "/contacts/");
    reads.count()
}

#[tokio::test]
async fn every_location_of_the_key_is_read_and_no_other() {
    let mut agency = Agency::start(3, "").await;
    let all = agency
        .call("/mcp", OPERATOR, "call_read", contacts(json!(["*"])))
        .await;
    let all = all.expect("an answer");
    assert_eq!(places(&all), pairs(&[1, 2, 3]), "{all}");
    let first = &all["locations"][0]["location"];
    let named = json!({"alias": alias(1), "id": branch(1), "name": "Branch 01"});
    assert_eq!(*first, named);
    assert_eq!((&all["failed"], &all["_cut"]), (&Value::Null, &Value::Null));
    assert_eq!(reads(&agency).await, 3);
    let some = agency.key("some", Some(&["b01", "b03"]), None);
    let seen = agency
        .call(
            "/mcp/orchestrator",
            &some,
            "call_read",
            contacts(json!(["*"])),
        )
        .await;
    assert_eq!(places(&seen.expect("an answer")), pairs(&[1, 3]));
    // Named one by one, by alias or id, also in a tool's own `output`. A location outside the key fails by itself.
    let mut arguments = json!({"limit": 1});
    let names = json!([branch(3), "b02", "b01", "b03"]);
    arguments["output"] = json!({"fields": ["id", "locationId"], "locations": names});
    let seen = agency
        .call("/mcp", &some, "contacts_get-contacts", arguments)
        .await;
    let seen = seen.expect("an answer");
    let ids: Vec<&Value> = seen["locations"]
        .as_array()
        .expect("rows")
        .iter()
        .map(|row| &row["location"]["id"])
        .collect();
    assert_eq!(ids, [&json!(branch(3)), &json!("b02"), &json!(branch(1))]);
    assert_eq!(seen["locations"][1]["error"]["class"], "location", "{seen}");
    assert_eq!(seen["failed"], 1);
    assert_eq!(reads(&agency).await, 7);
}

#[tokio::test]
async fn a_location_that_fails_ends_no_other_and_what_rules_deny_is_not_asked() {
    let rules = "[locations.b02]\ndeny = [\"contacts_get-contacts\"]\n";
    let mut agency = Agency::start(3, rules).await;
    let answer = agency
        .call("/mcp", OPERATOR, "call_read", contacts(json!(["*"])))
        .await;
    let answer = answer.expect("an answer");
    let error = &answer["locations"][1]["error"];
    assert_eq!(error["class"], "refused", "{answer}");
    assert!(
        error["remedy"]
            .as_str()
            .is_some_and(|remedy| remedy.contains("[locations.b02] deny"))
    );
    assert_eq!(
        answer["locations"][2]["answer"]["contacts"][0]["locationId"],
        branch(3)
    );
    assert_eq!((&answer["failed"], reads(&agency).await), (&json!(1), 2));
    // If all fail, the read is an error.
    let refused = agency
        .call("/mcp", OPERATOR, "call_read", contacts(json!(["b02"])))
        .await;
    assert_eq!(refused.expect_err("refused")["failed"], 1);
}

#[tokio::test]
async fn a_hundred_locations_are_read_and_the_others_by_a_call_more() {
    let mut agency = Agency::start(103, "").await;
    let first = agency
        .call("/mcp", OPERATOR, "call_read", contacts(json!(["*"])))
        .await;
    let first = first.expect("an answer");
    assert_eq!(first["locations"].as_array().map(Vec::len), Some(100));
    assert_eq!(first["_cut"]["shown"], 100);
    assert_eq!(first["_cut"]["of"], 103);
    // By alias, in the order of the settings: b100 to b103 come before b11.
    let next = first["_cut"]["next"].as_str().expect("a way on");
    assert!(
        next.contains("[\"b97..\"] for the 3 that are left"),
        "{next}"
    );
    assert_eq!(reads(&agency).await, 100);
    let rest = agency
        .call("/mcp", OPERATOR, "call_read", contacts(json!(["b97.."])))
        .await;
    let rest = rest.expect("an answer");
    assert_eq!(places(&rest), pairs(&[97, 98, 99]), "{rest}");
    assert!(rest.get("_cut").is_none(), "{rest}");
    let gone = agency
        .call("/mcp", OPERATOR, "call_read", contacts(json!(["b104.."])))
        .await;
    let gone = gone.expect_err("no such location");
    assert!(
        gone["error"]
            .as_str()
            .is_some_and(|error| error.contains("no location b104")),
        "{gone}"
    );
}

#[tokio::test]
async fn an_answer_that_is_full_says_which_locations_are_left() {
    let settings = [("HIGHLEVEL_MCP_TOOLS_MAX_ANSWER_BYTES", "3000")];
    let mut agency = Agency::start_with(8, "", &settings).await;
    let mut asked = contacts(json!([
        "b01", "b02", "b03", "b04", "b05", "b06", "b07", "b08"
    ]));
    asked["arguments"]["limit"] = json!(10);
    let mut shown = Vec::new();
    for _ in 0..8 {
        let answer = agency
            .call("/mcp", OPERATOR, "call_read", asked.clone())
            .await;
        let answer = answer.expect("an answer");
        shown.extend(places(&answer));
        let Some(next) = answer["_cut"]["next"].as_str() else {
            break;
        };
        assert!(answer.to_string().len() < 4000, "{answer}");
        let (start, end) = (
            next.find('[').expect("a list"),
            next.find(']').expect("a list"),
        );
        asked["output"]["locations"] = serde_json::from_str(&next[start..=end]).expect("names");
    }
    assert_eq!(shown, pairs(&[1, 2, 3, 4, 5, 6, 7, 8]));
}

#[tokio::test]
async fn wrong_reads_of_many_locations_are_refused_in_words() {
    let mut agency = Agency::start(2, "").await;
    let with = |locations: Value, further: Value| {
        let mut asked = contacts(locations);
        let further = further.as_object().expect("an object").clone();
        asked.as_object_mut().expect("an object").extend(further);
        asked
    };
    let tag = json!({
        "operation": "contacts_add-tags", "arguments": {"contactId": "c", "tags": ["x"]},
        "output": {"locations": ["*"]},
    });
    let located = json!({"arguments": {"locationId": branch(1)}});
    for (tool, asked, part) in [
        ("call_write", tag, "has the effect write"),
        (
            "call_read",
            with(json!(["*"]), json!({"items": [{}]})),
            "items exclude each other",
        ),
        (
            "call_read",
            with(json!(["*"]), json!({"location": "b01"})),
            "location exclude each other",
        ),
        (
            "call_read",
            with(json!(["*"]), located),
            "among the arguments",
        ),
        ("call_read", with(json!([]), json!({})), "is empty"),
        (
            "call_read",
            with(json!(["*", "b01"]), json!({})),
            "nothing beside it",
        ),
        (
            "call_read",
            with(json!(vec!["b01"; 101]), json!({})),
            "names 101 locations",
        ),
        (
            "call_read",
            with(
                json!(["*"]),
                json!({"operation": "oauth_get-installed-location", "arguments": {"appId": "a"}}),
            ),
            "about the whole agency",
        ),
    ] {
        let refused = agency.call("/mcp", OPERATOR, tool, asked.clone()).await;
        let refused = refused.expect_err(part);
        let error = refused["error"].as_str().unwrap_or_default();
        assert!(error.contains(part), "{asked}: {refused}");
    }
    let requests = agency.sandbox.requests().await;
    assert!(requests.is_empty(), "{requests:?}");
}

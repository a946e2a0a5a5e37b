//! Ids in paths: as long as HighLevel makes them, and never another path.

use serde_json::{Map, Value, json};

use super::sent;
use crate::catalog::TOOLS;
use tool::{Place, Tool};

/// Of a location, a connection and a page: as reported for accounts in the social planner.
const OF_A_PAGE: &str = "6494063f4260855c1c5776b5_mhoUgTPkz19vjF5Qu7Av_2774080328752823_page";

/// The reason that the tool refuses `id` as this argument. Its other problems do not matter.
fn refusal(tool: &Tool, name: &str, id: &str) -> Option<String> {
    let arguments = Map::from_iter([(name.to_owned(), json!(id))]);
    let told = sent(TOOLS, tool, Some("L0"), &Value::Object(arguments)).err()?;
    told.contains(&format!("{name} must be an id"))
        .then_some(told)
}

#[test]
fn every_path_takes_the_ids_that_highlevel_makes() {
    assert_eq!(OF_A_PAGE.len(), 67);
    let longest = "a".repeat(128);
    let too_long = "a".repeat(129);
    let mut tried = 0;
    for tool in TOOLS {
        for argument in tool.arguments.iter().filter(|one| one.place == Place::Path) {
            tried += 1;
            let name = argument.name;
            for id in [OF_A_PAGE, "urn-1", longest.as_str()] {
                assert_eq!(refusal(tool, name, id), None, "{}", tool.name);
            }
            let is_text = {
                let schema: Value = serde_json::from_str(tool.check_schema).expect("JSON");
                schema["properties"][name]["type"] == "string"
            };
            for id in ["..", "a/b", "a b", "%2e", too_long.as_str()] {
                let refused = refusal(tool, name, id).is_some();
                assert!(refused || !is_text, "{} {name} {id}", tool.name);
            }
        }
    }
    assert!(tried > 300, "{tried}");
}

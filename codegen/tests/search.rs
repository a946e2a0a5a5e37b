//! How well search finds what people ask for, over the requests beside this file.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::path::Path;

use codegen::document::load::load;
use codegen::generation::generate;
use codegen::search::evaluate::{EvaluationRequest, Score, evaluate};
use search::Index;

/// Least share of requests found first, among the first five, and among the first ten.
type Floor = [f64; 3];

fn folder(name: &str) -> String {
    format!("{}/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn requests(name: &str) -> Vec<EvaluationRequest> {
    let text = std::fs::read_to_string(folder(name)).expect("a file");
    let lines = text.lines().map(serde_json::from_str);
    lines.collect::<Result<_, _>>().expect("requests")
}

#[test]
fn search_finds_what_people_ask_for() {
    let generation = generate(&load(Path::new(&folder("../openapi"))).expect("sources"));
    let generation = generation.expect("a generation");
    let text = generation.index.text();
    assert!(text.len() <= 2_000_000, "{} bytes", text.len());
    let index: Index = serde_json::from_str(&text).expect("an index");
    let operations = generation.operations.iter().map(|one| &one.operation);
    let tools: Vec<_> = operations.filter(|one| !one.toolsets.is_empty()).collect();
    let ids: Vec<String> = tools
        .iter()
        .map(|one| format!("{}:{}", one.document, one.operation_id))
        .collect();

    let mut low = Vec::new();
    let mut check = |name: &str, text: fn(&EvaluationRequest) -> &str, floor: Floor| {
        let requests = requests(name);
        for request in &requests {
            for id in request.groups.iter().flatten() {
                assert!(ids.contains(id), "{name}: there is no {id}");
            }
        }
        let (Score { found, .. }, _) = evaluate(&index, &ids, &requests, text);
        let shares = found.map(|found| found as f64 / requests.len() as f64);
        if shares
            .iter()
            .zip(floor)
            .any(|(share, least)| *share < least)
        {
            low.push(format!(
                "{name}, {:?}: found {shares:.3?} of them first, in five and in ten, not {floor:?}",
                requests.first().map(text)
            ));
        }
    };
    let (user, agent): (
        fn(&EvaluationRequest) -> &str,
        fn(&EvaluationRequest) -> &str,
    ) = (|one| &one.query, |one| &one.agent_query);
    check("tests/requests.jsonl", user, [0.60, 0.92, 0.95]);
    check("tests/requests.jsonl", agent, [0.94, 0.98, 0.99]);
    check(
        "tests/requests-other-voices.jsonl",
        user,
        [0.51, 0.93, 0.95],
    );
    check(
        "tests/requests-other-voices.jsonl",
        agent,
        [0.93, 0.98, 0.99],
    );
    // Nobody looks at what is missed here: these say how well search does for whom it was not made with.
    check("tests/requests-unseen.jsonl", user, [0.58, 0.85, 0.93]);
    check("tests/requests-unseen.jsonl", agent, [0.92, 0.99, 0.99]);

    let hidden: Vec<&str> = tools
        .iter()
        .enumerate()
        .filter(|(number, tool)| {
            let request = format!("{} {}", tool.title, tool.document);
            let found = index.rank(&request, |_| true);
            let mut first = found.iter().take(10);
            !first.any(|(found, _)| found == number)
        })
        .map(|(_, tool)| tool.tool.as_str())
        .collect();
    if hidden.len() * 50 > tools.len() {
        low.push(format!("not found by their titles: {hidden:?}"));
    }
    assert!(low.is_empty(), "{low:#?}");
}

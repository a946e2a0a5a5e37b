//! The quality of search, over the requests beside this file.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::path::Path;

use codegen::document::load::load;
use codegen::error::Errors;
use codegen::generation::generate;
use codegen::search::evaluate::{EvaluationRequest, Score, count_verdicts, evaluate};
use search::Index;

/// Least share of requests found first, among the first five, and among the first ten.
type Floor = [f64; 3];

/// Files of requests that some operation does, with what is found in users' and in agents' words. Nobody tunes on the misses of
/// the unseen ones: they measure search for people it was not made with.
#[rustfmt::skip]
const ANSWERED: [(&str, Floor, Floor); 9] = [
    ("tests/requests.jsonl", [0.71, 0.97, 0.98], [0.97, 0.99, 0.99]),
    ("tests/requests-other-voices.jsonl", [0.72, 0.93, 0.97], [0.95, 0.99, 0.99]),
    ("tests/requests-conditions.jsonl", [0.82, 0.93, 0.96], [0.94, 0.99, 0.99]),
    ("tests/requests-later.jsonl", [0.81, 0.97, 0.98], [0.92, 0.99, 0.99]),
    ("tests/requests-unseen.jsonl", [0.70, 0.95, 0.96], [0.95, 0.99, 0.99]),
    ("tests/requests-unseen-later.jsonl", [0.80, 0.95, 0.97], [0.92, 0.97, 0.98]),
    ("tests/requests-unseen-terse.jsonl", [0.75, 0.92, 0.95], [0.95, 0.99, 0.99]),
    ("tests/requests-unseen-trades.jsonl", [0.64, 0.90, 0.94], [0.92, 0.98, 0.98]),
    ("tests/requests-unseen-everyday.jsonl", [0.68, 0.94, 0.96], [0.94, 0.98, 0.99]),
];

/// Those that none does.
const UNANSWERED: [&str; 3] = [
    "tests/requests-without-answer.jsonl",
    "tests/requests-without-answer-unseen.jsonl",
    "tests/requests-without-answer-later.jsonl",
];

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
    for (name, users, agents) in ANSWERED {
        check(name, |one| &one.query, users);
        check(name, |one| &one.agent_query, agents);
    }

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

#[test]
fn search_reports_requests_without_an_operation() {
    let sources = load(Path::new(&folder("../openapi"))).expect("sources");
    let generation = generate(&sources).expect("a generation");
    let lost = sources.lacking.problems(&generation.operations);
    assert!(lost.is_empty(), "{}", Errors(lost));
    let text = generation.index.text();
    let index: Index = serde_json::from_str(&text).expect("an index");
    let without = UNANSWERED.iter().flat_map(|name| requests(name));
    let without: Vec<EvaluationRequest> = without.collect();
    assert!(without.iter().all(|request| !request.has_answer()));
    let with: Vec<EvaluationRequest> = ANSWERED
        .iter()
        .flat_map(|(name, ..)| requests(name))
        .collect();
    let forms: [fn(&EvaluationRequest) -> &str; 2] = [|one| &one.agent_query, |one| &one.query];
    for (form, least, most) in [(forms[0], 0.9, 0.01), (forms[1], 0.8, 0.035)] {
        let right = count_verdicts(&index, &without, form, None);
        let share = right.rightly as f64 / right.without as f64;
        assert!(share >= least, "{right:?}");
        let wrong = count_verdicts(&index, &with, form, None);
        let share = wrong.wrongly as f64 / wrong.with as f64;
        assert!(share <= most, "{wrong:?}");
    }
}

/// Words of figures, times and forms say nothing of the subject: they neither deny what there is, nor lead elsewhere.
#[test]
fn figures_times_and_forms_decide_nothing() {
    let generation = generate(&load(Path::new(&folder("../openapi"))).expect("sources"));
    let generation = generation.expect("a generation");
    let index: Index = serde_json::from_str(&generation.index.text()).expect("an index");
    let operations = generation.operations.iter().map(|one| &one.operation);
    let tools: Vec<_> = operations.filter(|one| !one.toolsets.is_empty()).collect();
    let mut faults = Vec::new();
    for (request, wanted) in [
        ("average deal size", "opportunities_search-opportunity"),
        ("average order value", "payments_list-orders"),
        ("average revenue per customer", "payments_list-transactions"),
        (
            "average number of appointments per day",
            "calendars_get-calendar-events",
        ),
        (
            "average budget of contacts",
            "contacts_search-contacts-advanced",
        ),
        (
            "number of new leads per day",
            "contacts_search-contacts-advanced",
        ),
        ("leads per day", "contacts_search-contacts-advanced"),
        (
            "calls from today",
            "conversations_export-messages-by-location",
        ),
        ("missed calls", "conversations_export-messages-by-location"),
        ("mean invoice amount", "invoices_list-invoices"),
        ("close rate", "opportunities_search-opportunity"),
        (
            "percentage of lost deals",
            "opportunities_search-opportunity",
        ),
        ("table reservation", "calendars_create-appointment"),
        ("book a table", "calendars_create-appointment"),
        (
            "subscription price",
            "products_update-price-by-id-for-product",
        ),
        (
            "change a plan's price",
            "products_update-price-by-id-for-product",
        ),
        ("today's schedule", "calendars_get-calendar-events"),
        ("my schedule today", "calendars_get-calendar-events"),
        ("dump all contacts", "contacts_search-contacts-advanced"),
        (
            "export contacts as csv",
            "contacts_search-contacts-advanced",
        ),
        ("csv of customers", "contacts_search-contacts-advanced"),
        ("contact export", "contacts_search-contacts-advanced"),
        (
            "people who booked last week",
            "calendars_get-calendar-events",
        ),
        ("note on a deal", "contacts_create-note"),
    ] {
        let found = index.find(request, |_| true);
        let mut first = found.operations.iter().take(5);
        let is_found = first.any(|(number, _)| tools[*number].tool == wanted);
        if !is_found || found.lack().is_some() {
            faults.push(format!("{request}: {:?}", found.lack()));
        }
    }
    // A subject that is lacking is so under a figure, too.
    for request in [
        "refund of a payment",
        "average rating of our reviews",
        "number of visitors of the website",
        "cancel a subscription",
    ] {
        if index.find(request, |_| true).lack().is_none() {
            faults.push(format!("{request} is not lacking"));
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

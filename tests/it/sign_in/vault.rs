//! Tokens that people paste: the requests to HighLevel, the meaning of its answers, and the small cost of a bad token.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use highlevel_mcp::call::{Controls, Pipeline, TokenCheck, TokenProblem, TokenTry};
use highlevel_mcp::catalog;
use highlevel_mcp::config::{Config, Flags};
use highlevel_mcp::telemetry::Telemetry;
use highlevel_mcp::upstream::Transport;
use serde_json::json;
use state::Store;
use state::vault::Vault;
use test_support::recording::{RecordedRequest, Recording, json as answer};

const TOKEN: &str = "pit-11111111-2222-3333-4444-555555555555";
const LOCATION: &str = "ve9EPM428h8vShlRW1KT";
const HERE: [u8; 4] = [192, 0, 2, 1];

const NO_SCOPE: &str = "The token is not authorized for this scope.";

/// HighLevel's answer to a read of a path, and its delay in milliseconds.
type Answer = fn(&str) -> (u16, &'static str, u64);

struct Row {
    name: &'static str,
    answer: Answer,
    /// The scopes that the token has, or its problem.
    expected: Result<&'static [&'static str], TokenProblem>,
    requests: std::ops::RangeInclusive<usize>,
}

fn pipeline(url: &str) -> Pipeline {
    let mut config = Config::from_sources(&Flags::default(), []).expect("defaults");
    url.clone_into(&mut config.upstream.base_url);
    let transport = Transport::new(&config.upstream, &config.limits).expect("a transport");
    let controls = Controls::in_memory().expect("a store");
    let pipeline = Pipeline::new(
        catalog::TOOLS,
        transport,
        &config,
        Telemetry::default(),
        controls,
    );
    pipeline.expect("a pipeline")
}

async fn highlevel(answered: Answer) -> Recording {
    Recording::start_async(move |request| async move {
        let (status, message, wait) = answered(request.path());
        tokio::time::sleep(Duration::from_millis(wait)).await;
        match status {
            200 if request.path().ends_with(LOCATION) => {
                let location = json!({"location": {"id": LOCATION, "name": "Acme Dental", "companyId": "Company1",
                    "timezone": "Europe/Berlin"}});
                answer(200, location.to_string())
            }
            200 if request.path() == "/locations/search" => {
                let others = json!({"locations": [{"id": LOCATION}, {"id": "another"}]});
                answer(200, others.to_string())
            }
            200 => answer(200, "{}"),
            status => answer(
                status,
                json!({"statusCode": status, "message": message}).to_string(),
            ),
        }
    })
    .await
}

async fn check(
    pipeline: &Pipeline,
    location: &str,
    token: &str,
    address: [u8; 4],
) -> Result<TokenCheck, TokenProblem> {
    let tried = TokenTry {
        location,
        token: &token.into(),
        address: Some(IpAddr::from(address)),
    };
    pipeline.check_token(tried).await
}

const EVERYTHING: &[&str] = &[
    "the location's name and time zone",
    "contacts",
    "opportunities",
    "calendars",
    "conversations",
    "custom fields",
];

fn rows() -> Vec<Row> {
    let refused = |message: fn(&str) -> (u16, &'static str, u64), problem, requests| Row {
        name: "",
        answer: message,
        expected: Err(problem),
        requests,
    };
    vec![
        Row {
            name: "all of it",
            answer: |_| (200, "", 0),
            expected: Ok(EVERYTHING),
            requests: 6..=6,
        },
        Row {
            name: "some of it, and not the location itself",
            answer: |path| match path {
                "/contacts/" | "/calendars/" => (200, "", 0),
                _ => (401, NO_SCOPE, 0),
            },
            expected: Ok(&["contacts", "calendars"]),
            requests: 6..=6,
        },
        Row {
            name: "unknown",
            ..refused(|_| (401, "Invalid JWT", 0), TokenProblem::Unknown, 1..=1)
        },
        Row {
            name: "invalid",
            ..refused(
                |_| (401, "Invalid token: access token is invalid", 0),
                TokenProblem::Unknown,
                1..=1,
            )
        },
        Row {
            name: "of an agency, by HighLevel's word",
            ..refused(
                |path| match path {
                    "/contacts/" => (401, "Token's user type mismatch!", 0),
                    _ => (200, "", 0),
                },
                TokenProblem::Agency,
                2..=2,
            )
        },
        // It reads the location and the agency's data, and has no scope in the location.
        Row {
            name: "of an agency, by what it may read",
            ..refused(
                |path| match path {
                    "/locations/search" => (200, "", 0),
                    path if path.ends_with(LOCATION) => (200, "", 0),
                    _ => (401, NO_SCOPE, 0),
                },
                TokenProblem::Agency,
                7..=7,
            )
        },
        Row {
            name: "of another location",
            ..refused(
                |_| (403, "The token does not have access to this location.", 0),
                TokenProblem::Elsewhere,
                1..=1,
            )
        },
        Row {
            name: "without any scope",
            ..refused(
                |_| (401, NO_SCOPE, 0),
                TokenProblem::Scopes(EVERYTHING.to_vec()),
                7..=7,
            )
        },
        // The location alone binds nothing, since an agency's token may read it too.
        Row {
            name: "with the scope of the location alone",
            ..refused(
                |path| match path {
                    path if path.ends_with(LOCATION) => (200, "", 0),
                    _ => (401, NO_SCOPE, 0),
                },
                TokenProblem::Scopes(EVERYTHING.to_vec()),
                7..=7,
            )
        },
        Row {
            name: "while HighLevel fails",
            ..refused(|_| (503, "unavailable", 0), TokenProblem::NoAnswer, 1..=8)
        },
        Row {
            name: "while HighLevel has enough",
            ..refused(
                |_| (429, "Too Many Requests", 0),
                TokenProblem::NoAnswer,
                1..=8,
            )
        },
        Row {
            name: "while HighLevel is slow",
            ..refused(|_| (200, "", 11_000), TokenProblem::NoAnswer, 1..=1)
        },
        Row {
            name: "while HighLevel is slow after the first scopes",
            answer: |path| match path {
                "/calendars/" => (200, "", 11_000),
                _ => (200, "", 0),
            },
            expected: Ok(&[
                "the location's name and time zone",
                "contacts",
                "opportunities",
            ]),
            requests: 4..=4,
        },
    ]
}

async fn check_row(row: Row) {
    let Row {
        name,
        answer,
        expected,
        requests,
    } = row;
    let highlevel = highlevel(answer).await;
    let pipeline = pipeline(&highlevel.url);
    let since = Instant::now();
    let found = check(&pipeline, LOCATION, TOKEN, HERE).await;
    assert!(since.elapsed() < Duration::from_secs(11), "{name}");
    let seen = highlevel.take();
    assert!(
        requests.contains(&seen.len()),
        "{name}: {} requests",
        seen.len()
    );
    for request in &seen {
        assert_eq!(request.method, "GET", "{name}: {}", request.target);
        assert_eq!(request.token(), TOKEN, "{name}");
        assert!(request.header("version").is_some(), "{name}");
        assert!(!request.target.contains("pit-"), "{name}");
    }
    match (found, expected) {
        (Ok(found), Ok(can)) => {
            assert_eq!(found.can, can, "{name}");
            let is_read = can.contains(&EVERYTHING[0]);
            assert_eq!(
                found.name,
                if is_read { "Acme Dental" } else { "" },
                "{name}"
            );
            assert_eq!(
                found.zone.as_deref(),
                is_read.then_some("Europe/Berlin"),
                "{name}"
            );
            assert_eq!(
                found.company.map(|id| id.as_str().to_owned()).as_deref(),
                is_read.then_some("Company1")
            );
            let cannot = EVERYTHING.iter().filter(|one| !can.contains(one));
            if requests.end() == &6 {
                assert_eq!(found.cannot, cannot.copied().collect::<Vec<_>>(), "{name}");
            }
        }
        (Err(problem), Err(expected)) => assert_eq!(problem, expected, "{name}"),
        (found, expected) => panic!("{name}: {found:?}, not {expected:?}"),
    }
}

#[tokio::test]
async fn the_answers_of_highlevel_tell_the_kind_of_a_token() {
    join_all(rows().into_iter().map(check_row)).await;
}

/// Requests one at a time.
#[tokio::test]
async fn reads_go_one_after_the_other_and_with_as_little_as_they_take() {
    let highlevel = highlevel(|_| (200, "", 0)).await;
    let found = check(&pipeline(&highlevel.url), LOCATION, TOKEN, HERE).await;
    assert!(found.is_ok());
    let seen = highlevel.take();
    let limit = |request: &RecordedRequest| request.query("limit");
    let contacts = seen.iter().find(|one| one.path() == "/contacts/");
    assert_eq!(limit(contacts.expect("read")).as_deref(), Some("1"));
    let conversations = seen
        .iter()
        .find(|one| one.path() == "/conversations/search");
    assert_eq!(limit(conversations.expect("read")).as_deref(), Some("1"));
    for request in seen.iter().filter(|one| !one.path().contains(LOCATION)) {
        assert_eq!(
            request.query("locationId").as_deref(),
            Some(LOCATION),
            "{}",
            request.target
        );
    }
}

#[tokio::test]
async fn a_location_may_be_named_by_a_page_and_a_wrong_token_form_costs_no_request() {
    let highlevel = highlevel(|_| (200, "", 0)).await;
    let pipeline = pipeline(&highlevel.url);
    for text in [
        "",
        "nonsense words",
        "https://app.gohighlevel.com/dashboard",
    ] {
        let found = check(&pipeline, text, TOKEN, HERE).await;
        assert_eq!(found.map(drop), Err(TokenProblem::Location), "{text}");
    }
    let whole = format!("a{TOKEN}");
    for token in [
        "",
        "hlk_abc_def",
        "eyJhbGciOiJIUzI1NiJ9.e30.x",
        &TOKEN[..39],
        &whole,
    ] {
        let found = check(&pipeline, LOCATION, token, HERE).await;
        assert_eq!(found.map(drop), Err(TokenProblem::Form), "{token}");
    }
    assert!(highlevel.seen().is_empty());
    let page = format!("https://crm.agency.example/v2/location/{LOCATION}/contacts/list?a=b#c");
    // As copied.
    let token = format!(" {TOKEN}\n");
    let found = check(&pipeline, &page, &token, HERE).await.expect("good");
    assert_eq!(found.location.as_str(), LOCATION);
}

#[tokio::test]
async fn the_sixth_bad_token_of_an_address_is_not_tried() {
    let highlevel = highlevel(|_| (401, "Invalid JWT", 0)).await;
    let pipeline = pipeline(&highlevel.url);
    let token = |number| format!("pit-11111111-2222-3333-4444-55555555555{number}");
    for number in 0..5 {
        let found = check(&pipeline, LOCATION, &token(number), HERE).await;
        assert_eq!(found.map(drop), Err(TokenProblem::Unknown), "{number}");
    }
    assert_eq!(highlevel.take().len(), 5);
    let sixth = check(&pipeline, LOCATION, &token(6), HERE).await;
    let Err(problem @ TokenProblem::Tries(_)) = sixth else {
        panic!("{sixth:?}");
    };
    let told = problem.sentence("Acme CRM");
    assert!(told.contains("Try again in 2 minutes"), "{told}");
    assert!(highlevel.take().is_empty());
    let elsewhere = check(&pipeline, LOCATION, &token(7), [192, 0, 2, 2]).await;
    assert_eq!(elsewhere.map(drop), Err(TokenProblem::Unknown));
}

#[test]
fn problems_use_the_brands_name_and_never_show_the_token() {
    let problems = [
        TokenProblem::Form,
        TokenProblem::Location,
        TokenProblem::Unknown,
        TokenProblem::Agency,
        TokenProblem::Elsewhere,
        TokenProblem::Scopes(vec!["contacts", "calendars"]),
        TokenProblem::NoAnswer,
    ];
    for problem in problems {
        let told = problem.sentence("Acme CRM");
        assert!(
            !told.contains("HighLevel") && !told.contains(TOKEN),
            "{told}"
        );
        assert!(told.ends_with('.') && told.len() < 300, "{told}");
    }
    let told = TokenProblem::Scopes(vec!["contacts", "calendars"]).sentence("Acme CRM");
    assert!(
        told.contains("none of these permissions: contacts, calendars."),
        "{told}"
    );
}

#[tokio::test]
async fn a_checked_token_is_kept_for_its_owner() {
    let highlevel = highlevel(|_| (200, "", 0)).await;
    let found = check(&pipeline(&highlevel.url), LOCATION, TOKEN, HERE)
        .await
        .expect("good");
    let shown = format!("{found:?}");
    assert!(!shown.contains("1111"), "{shown}");
    let vault = Vault::new(&Store::in_memory().expect("a store"));
    let kept = vault
        .put_token(found.into_new_token(Some("per_ada".to_owned())))
        .await
        .expect("kept");
    assert_eq!(
        (kept.alias.as_str(), kept.name.as_str()),
        ("acme-dental", "Acme Dental")
    );
    assert_eq!(
        (kept.owner.as_deref(), kept.company.as_deref()),
        (Some("per_ada"), Some("Company1"))
    );
}

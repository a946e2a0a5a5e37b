//! The results of searches, and the size of their answers.

use super::*;

fn tokens(text: &str) -> usize {
    tiktoken_rs::o200k_base_singleton()
        .encode_ordinary(text)
        .len()
}

fn ask(queries: &[&str], detail: Detail) -> Value {
    let queries = queries.iter().map(ToString::to_string).collect();
    let asked = Search {
        queries,
        detail,
        ..Search::default()
    };
    search(&asked, |_| true).expect("an answer")
}

#[test]
fn the_index_is_that_of_the_tools() {
    assert_eq!(INDEX.priors.len(), TOOLS.len());
    assert!(
        SEARCH_INDEX.len() <= 2_000_000,
        "{} bytes",
        SEARCH_INDEX.len()
    );
    println!(
        "index: {} bytes, {} words",
        SEARCH_INDEX.len(),
        INDEX.words.len()
    );
}

#[test]
fn every_operation_is_found_by_its_title() {
    let missed: Vec<&str> = TOOLS
        .iter()
        .filter(|tool| {
            let found = INDEX.rank(&format!("{} {}", tool.title, tool.document), |_| true);
            let place = found
                .iter()
                .position(|(number, _)| TOOLS[*number].name == tool.name);
            place.is_none_or(|place| place >= 10)
        })
        .map(|tool| tool.name)
        .collect();
    assert!(missed.len() * 50 <= TOOLS.len(), "{missed:?}");
}

#[test]
fn five_hits_fit_their_budget() {
    let mut costs: Vec<usize> = TOOLS
        .iter()
        .map(|tool| tokens(&ask(&[tool.title], Detail::Signature).to_string()))
        .collect();
    costs.sort_unstable();
    let mean = costs.iter().sum::<usize>() / costs.len();
    let p99 = costs[costs.len() * 99 / 100];
    println!("five hits: {mean} tokens on average, p99 {p99}");
    assert!(mean <= 250 && p99 <= 600, "{mean} {p99}");
}

/// In full, by place, or one level: an answer about one operation costs at most 500 tokens.
#[test]
fn one_operation_fits_its_budget_at_every_level() {
    fn count(what: &str, mut costs: Vec<(usize, String)>, over: &mut Vec<(usize, String)>) {
        costs.sort();
        let (median, p95) = (costs.len() / 2, costs.len() * 95 / 100);
        let most = costs.last().map_or(0, |(cost, _)| *cost);
        println!(
            "{what}: median {}, p95 {}, most {most}",
            costs[median].0, costs[p95].0
        );
        over.extend(costs.into_iter().filter(|(cost, _)| *cost > 500));
    }
    let cost = |told: Value| tokens(&told.to_string());
    let (mut whole, mut by_place, mut levels) = (Vec::new(), Vec::new(), Vec::new());
    for tool in TOOLS {
        whole.push((cost(shown(tool, Detail::Schema)), tool.name.to_owned()));
        by_place.push((cost(shown_by_place(tool)), tool.name.to_owned()));
        for path in paths(tool) {
            let told = inside(tool, &path);
            assert!(told["fields"].is_string(), "{}: {told}", tool.name);
            levels.push((cost(told), format!("{} {path}", tool.name)));
        }
    }
    let mut over = Vec::new();
    count("schema", whole, &mut over);
    count("by place", by_place, &mut over);
    count("levels", levels, &mut over);
    assert!(over.is_empty(), "{} over: {over:?}", over.len());
}

/// Every path to something with an inside.
fn paths(tool: &Tool) -> Vec<String> {
    fn add(schema: &Value, path: &str, paths: &mut Vec<String>) {
        let mut holder = schema;
        while let (Some(items), true) = (form::items(holder), form::fields(holder).is_empty()) {
            holder = items;
        }
        for (name, inner) in form::fields(holder) {
            let path = match path {
                "" => name.to_owned(),
                path => format!("{path}.{name}"),
            };
            add(inner, &path, paths);
            paths.push(path);
        }
    }
    let mut paths = Vec::new();
    let checked: Value = serde_json::from_str(tool.check_schema).expect("a schema");
    add(&checked, "", &mut paths);
    paths.retain(|path| !path.contains('['));
    paths
}

/// The error of a wrong path leads to a right one, and a level shows the names of deeper fields.
#[test]
fn a_path_shows_the_fields_inside() {
    #[track_caller]
    fn check(operation: &str, path: &str, part: &str) {
        let asked = Search {
            operations: vec![operation.to_owned()],
            path: Some(path.to_owned()),
            ..Search::default()
        };
        let told = search(&asked, |_| true).expect("an answer");
        let told = &told["operations"][0];
        let text = told["fields"].as_str().or(told["error"].as_str());
        assert!(text.is_some_and(|text| text.contains(part)), "{told}");
    }
    check("calendars_update-calendar", "openHours.hours", "openHour");
    check(
        "calendars_update-calendar",
        "openHours[0].hours[0]",
        "closeMinute: number",
    );
    check("calendars_update-calendar", "openHours", "hours");
    check(
        "calendars_update-calendar",
        "openHours.hour",
        "did you mean hours?",
    );
    check(
        "calendars_update-calendar",
        "openHour",
        "did you mean openHours?",
    );
    check(
        "calendars_update-calendar",
        "locationConfigurations",
        "'google_conference'",
    );
    check(
        "products_create-price-for-product",
        "recurring",
        "interval: 'day'|'month'",
    );
    check(
        "products_create-price-for-product",
        "recurring.interval",
        "'day'|'month'|'week'|'year'",
    );
    check(
        "invoices_create-invoice",
        "paymentSchedule",
        "type: 'fixed'|'percentage'",
    );
    let alone = Search {
        queries: vec!["hours".to_owned()],
        path: Some("openHours".to_owned()),
        ..Search::default()
    };
    assert!(search(&alone, |_| true).is_err());
}

/// Every operation that HighLevel retires says so, with its replacement.
#[test]
fn retired_operations_are_marked_in_every_detail() {
    let mut retired = 0;
    for tool in TOOLS {
        for detail in [Detail::Names, Detail::Signature, Detail::Schema] {
            let told = shown(tool, detail);
            assert_eq!(told["deprecated"] == true, tool.deprecated, "{told}");
            let other = told["replacedBy"].as_str();
            assert_eq!(other.is_some(), tool.deprecated, "{told}");
            if let Some(other) = other {
                let other = TOOLS.iter().find(|one| one.name == other).expect("a tool");
                assert!(!other.deprecated, "{told}");
                retired += 1;
            }
        }
    }
    assert_eq!(retired, 3 * 18);
}

/// The line has the arguments that people change, and always the required ones.
#[test]
fn signatures_show_the_fields_that_people_change() {
    #[track_caller]
    fn check(operation: &str, names: &[&str]) {
        let tool = TOOLS
            .iter()
            .find(|one| one.name == operation)
            .expect("a tool");
        let line = signature::signature(tool);
        for name in names {
            assert!(line.contains(name), "{operation} {line}: {name}");
        }
    }
    check(
        "calendars_edit-appointment",
        &[
            "eventId",
            "title?",
            "startTime?",
            "endTime?",
            "appointmentStatus?",
        ],
    );
    check(
        "contacts_create-contact",
        &["firstName?", "email?", "phone?", "tags?", "customFields?"],
    );
    check("contacts_update-contact", &["contactId", "email?", "tags?"]);
    check(
        "calendars_update-calendar",
        &["name?", "openHours?", "isActive?"],
    );
    check(
        "invoices_create-invoice",
        &["issueDate", "title?", "dueDate?"],
    );
    check(
        "conversations_send-a-new-message",
        &["message?", "subject?", "scheduledTimestamp?"],
    );
    check(
        "opportunities_search-opportunity",
        &["q?", "status?", "pipelineId?"],
    );
    check(
        "payments_list-transactions",
        &["startAt?", "endAt?", "limit?"],
    );
    check(
        "social-media-posting_create-post",
        &["summary?", "scheduleDate?", "status?"],
    );
    for tool in TOOLS {
        let schema: Value = serde_json::from_str(tool.advertised_schema).expect("a schema");
        let required = schema["required"].as_array().into_iter().flatten();
        let required: Vec<&str> = required.filter_map(Value::as_str).collect();
        check(tool.name, &required);
    }
}

#[test]
fn filters_hold() {
    let mut asked = Search {
        queries: vec!["contact".to_owned()],
        effect: Some(EffectName::Destructive),
        limit: Some(20),
        ..Search::default()
    };
    let answer = search(&asked, |_| true).expect("an answer");
    let hits = answer["results"].as_array().expect("hits");
    assert!(
        !hits.is_empty() && hits.iter().all(|hit| hit["effect"] == "destructive"),
        "{answer}"
    );
    asked.effect = None;
    asked.domain = Some("contacts".to_owned());
    let answer = search(&asked, |tool| tool.effect == Effect::Read).expect("an answer");
    let hits = answer["results"].as_array().expect("hits");
    let right = |hit: &Value| {
        hit["effect"] == "read"
            && hit["name"]
                .as_str()
                .is_some_and(|name| name.starts_with("contacts_"))
    };
    assert!(!hits.is_empty() && hits.iter().all(right), "{answer}");
    asked.domain = Some("nothing".to_owned());
    assert!(search(&asked, |_| true).is_err_and(|what| what.contains("there are ")));
    assert!(search(&Search::default(), |_| true).is_err());
}

/// What an endpoint without writes leaves out is named as such; what the rules hide is not.
#[test]
fn an_endpoint_that_only_reads_names_the_write_that_fits() {
    let of = |tool: &Tool| match tool.effect {
        Effect::Read => Inclusion::Served,
        _ => Inclusion::LeftOut,
    };
    let asked = Search {
        queries: vec!["add a tag to a contact".to_owned()],
        operations: vec!["contacts_add-tags".to_owned()],
        ..Search::default()
    };
    let why = "contacts_add-tags changes something, and this endpoint only reads.";
    let answer = search(&asked, of).expect("an answer");
    assert_eq!(answer["hint"], why, "{answer}");
    assert_eq!(answer["operations"][0]["error"], why, "{answer}");
    let near = answer["nearest"].as_array().expect("a list");
    assert!(near.iter().all(|hit| hit["effect"] == "read"), "{answer}");
    let answer = search(&asked, |tool| tool.effect == Effect::Read).expect("an answer");
    assert!(!answer.to_string().contains("add-tags changes"), "{answer}");
    let read = Search {
        queries: vec!["list contacts".to_owned()],
        ..Search::default()
    };
    let answer = search(&read, of).expect("an answer");
    assert!(answer["results"].is_array(), "{answer}");
}

/// A hit tells everything that decides which call tool runs it.
#[test]
fn bulk_writes_are_marked() {
    for tool in TOOLS {
        let hit = shown(tool, Detail::Names);
        let is_marked = hit["bulk"] == true;
        assert_eq!(is_marked, tool.bulk && tool.effect != Effect::Read, "{hit}");
    }
}

#[test]
fn a_request_for_figures_is_told_where_they_come_from() {
    fn check(query: &str, is_told: bool) {
        let answer = ask(&[query], Detail::Names);
        let hint = answer["hint"].as_str().unwrap_or_default();
        assert_eq!(
            hint.starts_with("output.count, sum, avg"),
            is_told,
            "{answer}"
        );
        assert!(answer["results"].is_array(), "{answer}");
    }
    check("average deal size", true);
    check("number of new leads per day", true);
    check("list contacts", false);
    check("export contacts as csv", false);
}

#[test]
fn queries_are_short() {
    fn check(query: &str, is_taken: bool) {
        let asked = Search {
            queries: vec!["contact".to_owned(), query.to_owned()],
            ..Search::default()
        };
        let told = search(&asked, |_| true);
        let is_right = match &told {
            Ok(_) => is_taken,
            Err(what) => !is_taken && what.contains("at most 400 characters"),
        };
        assert!(is_right, "{} bytes: {told:?}", query.len());
    }
    check(&"tag ".repeat(100), true);
    check(&"ö".repeat(400), true);
    check(&"ö".repeat(401), false);
    check(&"tag ".repeat(200_000), false);
}

#[test]
fn requests_without_an_operation_are_answered_as_such() {
    fn check(query: &str, nearest: Option<&str>) {
        let answer = ask(&[query], Detail::Names);
        let told = answer["hint"].as_str().unwrap_or_default();
        match nearest {
            None => assert!(answer["results"].is_array() && told.is_empty(), "{answer}"),
            Some(nearest) => {
                assert!(told.starts_with("No operation does this"), "{answer}");
                assert!(answer["results"].is_null(), "{answer}");
                assert_eq!(answer["nearest"][0]["name"], nearest, "{answer}");
            }
        }
    }
    check("refund a transaction", Some("payments_list-transactions"));
    check("merge contacts", Some("contacts_search-contacts-advanced"));
    check("gift card", Some("payments_create-coupon"));
    check("create a workflow", Some("workflows_list-workflows"));
    check("list refunded transactions", None);
    check("find duplicate contacts", None);
    check("add contact to workflow", None);
    // Each of several queries has its own results.
    let answer = ask(&["charge a card", "create invoice"], Detail::Names);
    assert!(answer["searches"][0]["nearest"].is_array(), "{answer}");
    assert!(answer["searches"][1]["results"].is_array(), "{answer}");
    // The wanted effect also limits the nearest ones.
    let asked = Search {
        queries: vec!["refund a payment".to_owned()],
        domain: Some("invoices".to_owned()),
        ..Search::default()
    };
    let answer = search(&asked, |_| true).expect("an answer");
    let named = answer["nearest"].as_array().expect("a list");
    assert!(!named.is_empty());
    for hit in named {
        assert!(
            hit["name"]
                .as_str()
                .is_some_and(|name| name.starts_with("invoices_"))
        );
    }
}

#[test]
fn retired_operations_rank_behind_their_replacements() {
    for (retired, successor) in &INDEX.successors {
        let (retired, successor) = (&TOOLS[*retired], &TOOLS[*successor]);
        assert!(
            retired.deprecated && !successor.deprecated,
            "{}",
            retired.name
        );
        let found = INDEX.rank(retired.title, |_| true);
        let place = |name: &str| {
            found
                .iter()
                .position(|(number, _)| TOOLS[*number].name == name)
        };
        assert!(
            place(successor.name) < place(retired.name),
            "{}",
            retired.name
        );
    }
    let is_first = |query: &str, name: &str| {
        let found = INDEX.rank(query, |_| true);
        assert_eq!(TOOLS[found[0].0].name, name, "{query}");
    };
    is_first("list contacts", "contacts_search-contacts-advanced");
    is_first("contacts with tag vip", "contacts_search-contacts-advanced");
}

#[test]
fn a_search_without_results_gives_hints() {
    let answer = ask(&["zzzz qqqq"], Detail::Signature);
    assert!(
        answer["domains"]
            .as_array()
            .is_some_and(|domains| !domains.is_empty()),
        "{answer}"
    );
    let asked = Search {
        operations: vec![
            "contacts_get-contact".to_owned(),
            "contacts_get-contcat".to_owned(),
        ],
        ..Search::default()
    };
    let answer = search(&asked, |_| true).expect("an answer");
    assert_eq!(answer["operations"][0]["name"], "contacts_get-contact");
    assert_eq!(
        answer["operations"][1]["didYouMean"],
        "contacts_get-contact"
    );
}

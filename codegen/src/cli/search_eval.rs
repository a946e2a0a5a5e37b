//! `search-eval`: measures how well search finds the operations of files of requests, and how well it recognises
//! requests that no operation serves.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use codegen::document::load::{load, text_of};
use codegen::error::{Errors, Problem};
use codegen::generation::generate;
use codegen::search::evaluate::{
    DEPTHS, EvaluationRequest, MARGINS, Score, VerdictCounts, count_verdicts, evaluate, rank_of,
};
use search::{Index, Lack};
use tool::nearest;

use super::print_line;

pub(super) fn run(openapi: &Path, files: &[PathBuf], misses: bool) -> Result<ExitCode, Errors> {
    let generation = generate(&load(openapi)?)?;
    let index: Index = serde_json::from_str(&generation.index.text()).map_err(|error| {
        let what = format!("cannot be read back: {error}");
        Problem::new("the index", what, "this is a fault of the generator")
    })?;
    let operations = generation.operations.iter().map(|one| &one.operation);
    let tools = operations.filter(|one| !one.toolsets.is_empty());
    let (ids, names): (Vec<String>, Vec<&str>) = tools
        .map(|one| {
            (
                format!("{}:{}", one.document, one.operation_id),
                one.tool.as_str(),
            )
        })
        .unzip();
    let mut all_requests = Vec::new();
    for file in files {
        all_requests.extend(requests(file)?);
    }
    let requests = all_requests;
    let operations = generation.operations.iter().map(|one| &one.operation);
    let known = operations.map(|one| format!("{}:{}", one.document, one.operation_id));
    check_groups(&requests, &known.collect())?;
    print_line(format_args!(
        "{:<24} {:>8} {:>6} {:>6} {:>6} {:>6}",
        "", "requests", "R@1", "R@5", "R@10", "MRR"
    ));
    for (form, agent) in [("agent's words", true), ("user's words", false)] {
        let text: fn(&EvaluationRequest) -> &str = if agent {
            |request| &request.agent_query
        } else {
            |request| &request.query
        };
        let (all, by_document) = evaluate(&index, &ids, &requests, text);
        print_score(form, &all);
        for (document, score) in &by_document {
            print_score(&format!("  {document}"), score);
        }
        let answered = requests.iter().filter(|request| request.has_answer());
        for request in answered.filter(|_| misses) {
            let rank = rank_of(&index, &ids, request, text(request));
            if rank.is_none_or(|rank| rank > 5) {
                let first: Vec<&str> = index
                    .rank(text(request), |_| true)
                    .into_iter()
                    .take(3)
                    .filter_map(|(number, _)| names.get(number).copied())
                    .collect();
                print_line(format_args!(
                    "    missed ({}): {:?} wants {:?}, first are {first:?}",
                    rank.map_or("never".to_owned(), |rank| rank.to_string()),
                    text(request),
                    request.groups
                ));
            }
        }
    }
    print_trade_off(&index, &requests);
    if misses {
        print_wrongly_told(&index, &requests);
    }
    Ok(ExitCode::SUCCESS)
}

/// An operation that does not exist is a typo in the file, not a miss.
fn check_groups(requests: &[EvaluationRequest], known: &BTreeSet<String>) -> Result<(), Problem> {
    let groups = requests.iter().flat_map(|request| &request.groups);
    let mut unknown = groups.flatten().filter(|id| !known.contains(*id));
    let Some(id) = unknown.next() else {
        return Ok(());
    };
    let near = nearest(id, known.iter().map(|one| (one.as_str(), one)));
    Err(Problem::new(
        id.as_str(),
        "is in groups but is not an operation",
        match near {
            Some(near) => format!("did you mean {near}? "),
            None => String::new(),
        } + "ids are document:operationId, such as contacts:get-contact",
    ))
}

const FORMS: [fn(&EvaluationRequest) -> &str; 2] = [|one| &one.agent_query, |one| &one.query];

/// The cost of recognising more of the requests without an operation, over both forms of each request.
fn print_trade_off(index: &Index, requests: &[EvaluationRequest]) {
    print_line(format_args!("answers that no operation exists, by margin:"));
    for margin in MARGINS.map(Some).into_iter().chain([None]) {
        let [agents, users] = FORMS.map(|text| count_verdicts(index, requests, text, margin));
        let shown = |counts: VerdictCounts| {
            format!(
                "{:>4} of {:>4} right, {:>3} of {:>4} wrong",
                counts.rightly, counts.without, counts.wrongly, counts.with
            )
        };
        let margin = margin.map_or("as served".to_owned(), |margin| margin.to_string());
        print_line(format_args!(
            "{margin:>11}  agents' {}   users' {}",
            shown(agents),
            shown(users)
        ));
    }
}

fn print_wrongly_told(index: &Index, requests: &[EvaluationRequest]) {
    for request in requests {
        for intent in FORMS.iter().flat_map(|text| text(request).split(" ; ")) {
            let ranking = index.find(intent, |_| true);
            let lack = ranking.lack();
            if lack.is_some() != request.has_answer() {
                continue;
            }
            let what = match lack {
                Some(Lack::Known(lacking)) => &lacking.what,
                Some(Lack::Unknown) => "unknown words",
                None => "nothing is told",
            };
            print_line(format_args!(
                "    {what} ({:.2}): {intent:?}",
                ranking.margin
            ));
        }
    }
}

fn requests(file: &Path) -> Result<Vec<EvaluationRequest>, Problem> {
    let text = text_of(file)?;
    let lines = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(index, line)| {
            serde_json::from_str(line).map_err(|error| {
                Problem::new(
                    format!("{} line {}", file.display(), index + 1),
                    format!("is not a request: {error}"),
                    "give query, agent_query and groups",
                )
            })
        })
        .collect()
}

fn print_score(name: &str, score: &Score) {
    let share = |count: usize| count as f64 / score.requests.max(1) as f64;
    let found: Vec<String> = score
        .found
        .iter()
        .zip(DEPTHS)
        .map(|(found, _)| format!("{:>6.3}", share(*found)))
        .collect();
    print_line(format_args!(
        "{name:<24} {:>8} {} {:>6.3}",
        score.requests,
        found.join(" "),
        score.reciprocal / score.requests.max(1) as f64
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_without_an_operation_is_not_a_miss() {
        let request = |id: &str| EvaluationRequest {
            query: "q".to_owned(),
            agent_query: "q".to_owned(),
            groups: vec![vec!["links:get-links".to_owned(), id.to_owned()]],
        };
        let known = BTreeSet::from(["links:get-links".to_owned()]);
        assert!(check_groups(&[request("links:get-links")], &known).is_ok());
        let problem = check_groups(&[request("links:get-link")], &known).err();
        let problem = problem.map(|one| one.to_string()).unwrap_or_default();
        assert!(
            problem.contains("did you mean links:get-links?"),
            "{problem}"
        );
    }
}

//! How well search finds: recall and mean reciprocal rank over requests whose right operations are known.

use std::collections::BTreeMap;

use serde::Deserialize;

use ::search::Index;

/// One line of a file of requests.
#[derive(Debug, Deserialize)]
pub struct EvaluationRequest {
    /// In a user's own words.
    pub query: String,
    /// In an agent's words; ` ; ` stands between intents, each of which is searched by itself.
    pub agent_query: String,
    /// Every group must be found; any of its members will do. Ids are `document:operationId`.
    pub groups: Vec<Vec<String>>,
}

/// What was found of some requests.
#[derive(Clone, Debug, Default)]
pub struct Score {
    pub requests: usize,
    /// Requests all of whose groups stand among the first 1, 5 and 10.
    pub found: [usize; 3],
    /// Sum of the reciprocal ranks of the groups found last.
    pub reciprocal: f64,
}

/// How far down the list recall is counted.
pub const DEPTHS: [usize; 3] = [1, 5, 10];

/// The scores over all requests, and by the document of the first group. `ids` are those of the
/// index, in its order.
pub fn evaluate(
    index: &Index,
    ids: &[String],
    requests: &[EvaluationRequest],
    text: impl Fn(&EvaluationRequest) -> &str,
) -> (Score, BTreeMap<String, Score>) {
    let mut all = Score::default();
    let mut by_document: BTreeMap<String, Score> = BTreeMap::new();
    for request in requests {
        let worst = rank_of(index, ids, request, text(request));
        let document = request
            .groups
            .first()
            .and_then(|group| group.first()?.split_once(':'))
            .map_or("", |(document, _)| document);
        for score in [
            &mut all,
            by_document.entry(document.to_owned()).or_default(),
        ] {
            score.requests += 1;
            for (found, depth) in score.found.iter_mut().zip(DEPTHS) {
                *found += usize::from(worst.is_some_and(|rank| rank <= depth));
            }
            score.reciprocal += worst.map_or(0.0, |rank| 1.0 / rank as f64);
        }
    }
    (all, by_document)
}

/// The rank of the group that is found last, from 1: of each group its best member, in the best of
/// the lists that the intents give.
pub fn rank_of(
    index: &Index,
    ids: &[String],
    request: &EvaluationRequest,
    text: &str,
) -> Option<usize> {
    let lists: Vec<Vec<&str>> = text
        .split(" ; ")
        .map(|intent| {
            let ranked = index.rank(intent, |_| true);
            let named = ranked.into_iter().filter_map(|(number, _)| ids.get(number));
            named.map(String::as_str).collect()
        })
        .collect();
    request
        .groups
        .iter()
        .map(|group| {
            lists
                .iter()
                .filter_map(|list| list.iter().position(|id| group.iter().any(|one| one == id)))
                .min()
                .map(|place| place + 1)
        })
        .try_fold(0, |worst, rank| Some(worst.max(rank?)))
}

//! Measures search: recall and mean reciprocal rank over requests whose right operations are known.

use std::collections::BTreeMap;

use serde::Deserialize;

use ::search::Index;

/// One line of a file of requests.
#[derive(Clone, Debug, Deserialize)]
pub struct EvaluationRequest {
    /// In a user's own words.
    pub query: String,
    /// In an agent's words; ` ; ` separates intents, each of which is searched by itself.
    pub agent_query: String,
    /// Every group must be found, by any of its members. Ids are `document:operationId`. Without groups, no operation
    /// serves the request.
    pub groups: Vec<Vec<String>>,
}

impl EvaluationRequest {
    pub fn has_answer(&self) -> bool {
        !self.groups.is_empty()
    }
}

/// The result for some requests.
#[derive(Clone, Debug, Default)]
pub struct Score {
    pub requests: usize,
    /// Requests with all groups among the first 1, 5 and 10.
    pub found: [usize; 3],
    /// Sum of the reciprocal ranks of the last found groups.
    pub reciprocal: f64,
}

/// The depths at which recall is measured.
pub const DEPTHS: [usize; 3] = [1, 5, 10];

/// The scores over all requests, and by the document of the first group. `ids` are those of the index, in its order.
pub fn evaluate(
    index: &Index,
    ids: &[String],
    requests: &[EvaluationRequest],
    text: impl Fn(&EvaluationRequest) -> &str,
) -> (Score, BTreeMap<String, Score>) {
    let mut all = Score::default();
    let mut by_document: BTreeMap<String, Score> = BTreeMap::new();
    for request in requests.iter().filter(|one| one.has_answer()) {
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

/// The rank of the last found group, from 1: for each group its best member, in the best list of all intents.
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

/// How many requests were answered that no operation serves them: of those that none serves, and of the others.
#[derive(Clone, Copy, Debug, Default)]
pub struct VerdictCounts {
    pub rightly: usize,
    pub without: usize,
    pub wrongly: usize,
    pub with: usize,
}

/// The margins at which `search-eval` shows the cost of such answers.
pub const MARGINS: [f32; 9] = [0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.5, 2.0];

/// Such answers for some requests, if a lacking subject must match `margin` times better than the best operation, or by
/// the server's own margin.
pub fn count_verdicts(
    index: &Index,
    requests: &[EvaluationRequest],
    text: impl Fn(&EvaluationRequest) -> &str,
    margin: Option<f32>,
) -> VerdictCounts {
    let mut counts = VerdictCounts::default();
    for request in requests {
        for intent in text(request).split(" ; ") {
            let ranking = index.find(intent, |_| true);
            let lack = match margin {
                Some(margin) => ranking.lack_beyond(margin),
                None => ranking.lack(),
            };
            let (count, all) = if request.has_answer() {
                (&mut counts.wrongly, &mut counts.with)
            } else {
                (&mut counts.rightly, &mut counts.without)
            };
            *count += usize::from(lack.is_some());
            *all += 1;
        }
    }
    counts
}

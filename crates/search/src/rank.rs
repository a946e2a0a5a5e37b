//! Ranks operations for a request by the weights of the index.

use std::collections::HashMap;

use crate::index::{Index, PHRASE_SCALE};
use crate::query::{Clause, Mood, clauses};
use crate::verdict::Ranking;

/// Several words of one term count as this power of their number.
const TOGETHER: f32 = 0.3;

/// The factor of a word whose meaning another word of the request already has.
const AGAIN: f32 = 0.4;

/// The factors of writes for a question, and of reads for a command or an unclear mood.
const WRITES_FOR_ASKING: f32 = 0.7;
const READS_FOR_BIDDING: f32 = 0.4;
const READS_FOR_UNCLEAR: f32 = 0.85;

/// What is lacking, for one who bids, and where it would only read. Who bids names what he has in hand, and of the words for
/// that operations have fewer than what is lacking.
const LACKING_FOR_BIDDING: f32 = 0.82;
const LACKING_READS_FOR_BIDDING: f32 = 0.7;

/// The factor of a lacking subject that would change something, for a mere subject: `form submissions`.
const LACKING_WRITES_FOR_UNCLEAR: f32 = 0.8;

/// The weight of the whole request, for one of its clauses.
const CONTEXT: f32 = 0.15;

/// How much of a score depends on a title's additional words, and the bonus for a title that the request contains
/// completely.
const TITLE_SHARE: f32 = 0.7;
const TITLE_WHOLE: f32 = 500.0;

/// A phrase that the request contains completely, relative to such a title, and its bonus.
const PHRASE: f32 = 0.85;
const PHRASE_WHOLE: f32 = 700.0;

/// Factors for equal titles of operations that look something up; and of those that look up one, if several are wanted.
const LOOKS: f32 = 0.8;
const LOOKS_UP_ONE: f32 = 0.25;

/// A list is slightly less likely to be meant if one is wanted.
const LISTS_ONE: f32 = 0.65;

impl Index {
    /// Operations that match any word of a request, best first, with their scores. If it has several intents, the best
    /// results of each alternate.
    pub fn rank(&self, request: &str, is_wanted: impl Fn(usize) -> bool) -> Vec<(usize, f32)> {
        self.find(request, is_wanted).operations
    }

    /// The same, and whether any operation, wanted or not, serves the request.
    pub fn find(&self, request: &str, is_wanted: impl Fn(usize) -> bool) -> Ranking<'_> {
        let (operations, _) = self.counts();
        let (whole, mut parts) = clauses(request, self);
        let whole_scores = self.score(&whole);
        let mut scored: Vec<Vec<f32>> = parts.iter().map(|part| self.score(part)).collect();
        for (score, whole) in scored
            .iter_mut()
            .flat_map(|scores| scores.iter_mut().zip(&whole_scores))
            .filter(|(score, _)| **score > 0.0)
        {
            *score += CONTEXT * whole;
        }
        if scored.is_empty() {
            scored.push(whole_scores);
            parts.push(whole);
        }
        let (lacking, margin, covered) = self.judge(&parts, &scored);
        let asks_figures = parts.iter().any(|part| {
            part.words
                .iter()
                .any(|word| word.is_figure && !word.is_form())
        });
        let sorted = |scores: Vec<f32>| {
            let mut list: Vec<(usize, f32)> = scores
                .into_iter()
                .enumerate()
                .take(operations)
                .filter(|(operation, score)| *score > 0.0 && is_wanted(*operation))
                .collect();
            list.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
            list
        };
        let ranked = in_turn(scored.into_iter().map(sorted).collect(), operations);
        Ranking {
            operations: self.successors_first(ranked, is_wanted),
            lacking,
            margin,
            covered,
            asks_figures,
        }
    }

    /// Moves each operation that HighLevel retires behind its replacement.
    fn successors_first(
        &self,
        ranked: Vec<(usize, f32)>,
        is_wanted: impl Fn(usize) -> bool,
    ) -> Vec<(usize, f32)> {
        let mut ordered: Vec<(usize, f32)> = Vec::with_capacity(ranked.len());
        let mut is_listed = vec![false; self.priors.len()];
        for (operation, score) in ranked {
            let successor = self.successors.get(&operation).copied();
            let successor = successor.filter(|successor| is_wanted(*successor));
            for one in successor.into_iter().chain([operation]) {
                if let Some(is_listed) = is_listed.get_mut(one).filter(|listed| !**listed) {
                    *is_listed = true;
                    ordered.push((one, score));
                }
            }
        }
        ordered
    }

    /// The score of every operation and lacking subject for one clause.
    fn score(&self, clause: &Clause) -> Vec<f32> {
        let (operations, all) = self.counts();
        let mut scores = vec![0.0_f32; all];
        // The stems of the clause's words and meanings, with their certainty.
        let mut said: HashMap<&str, f32> = HashMap::new();
        if clause.mood == Some(Mood::Ask) {
            let (one, several) = if clause.is_plural {
                (LOOKS_UP_ONE, LOOKS)
            } else {
                (LOOKS, LISTS_ONE)
            };
            said.extend([
                ("get", one),
                ("list", several),
                ("search", several),
                ("find", LOOKS),
            ]);
        }
        let mut meant_before: Vec<&str> = Vec::new();
        for term in self.terms(clause) {
            let mut best = vec![0.0_f32; scores.len()];
            for (worth, stems) in &term.ways {
                let mut sum = vec![0.0_f32; scores.len()];
                let share = worth * (stems.len() as f32).powf(TOGETHER - 1.0);
                for stem in stems {
                    let again = if meant_before.contains(stem) {
                        AGAIN
                    } else {
                        1.0
                    };
                    add(self.words.get(*stem), share * again, &mut sum);
                    let said = said.entry(stem).or_default();
                    *said = said.max(worth * term.weight);
                }
                for (best, sum) in best.iter_mut().zip(&sum) {
                    *best = best.max(*sum);
                }
            }
            meant_before.extend(term.ways.iter().flat_map(|(_, stems)| stems));
            for (score, best) in scores.iter_mut().zip(&best) {
                *score += best * term.weight;
            }
        }
        // `show me the users` says both words, and wants the list.
        if clause.mood == Some(Mood::Ask)
            && clause.is_plural
            && let Some(one) = said.get_mut("get")
        {
            *one = one.min(LOOKS_UP_ONE);
        }
        let mut titles = vec![0.0_f32; all];
        let mut shares = vec![0.0_f32; self.phrase_owners.len()];
        for (stem, worth) in &said {
            add(self.titles.get(*stem), worth / 1000.0, &mut titles);
            add(
                self.phrases.get(*stem),
                worth / f32::from(PHRASE_SCALE),
                &mut shares,
            );
        }
        let mut phrases = vec![0.0_f32; all];
        for (share, owner) in shares.iter().zip(&self.phrase_owners) {
            if let Some(phrase) = phrases.get_mut(*owner as usize) {
                *phrase = phrase.max(*share);
            }
        }
        let said = titles.iter().zip(&phrases);
        for (number, (score, (title, phrase))) in scores.iter_mut().zip(said).enumerate() {
            let (titled, named) = if number < operations {
                (*title, title.max(PHRASE * phrase))
            } else {
                (*phrase, *phrase)
            };
            *score = (*score + TITLE_WHOLE * titled + PHRASE_WHOLE * phrase.powi(2))
                * (1.0 - TITLE_SHARE + TITLE_SHARE * named)
                * self.fitness(number, clause.mood);
        }
        scores
    }

    /// The factor of an operation or lacking subject in a mood.
    fn fitness(&self, number: usize, mood: Option<Mood>) -> f32 {
        if let Some(lacking) = number.checked_sub(self.priors.len()) {
            let reads = self.lacking.get(lacking).is_some_and(|one| one.reads);
            return match mood {
                Some(Mood::Ask) if !reads => WRITES_FOR_ASKING,
                Some(Mood::Bid) if reads => LACKING_READS_FOR_BIDDING,
                Some(Mood::Bid) => LACKING_FOR_BIDDING,
                None if reads => READS_FOR_UNCLEAR,
                None => LACKING_WRITES_FOR_UNCLEAR,
                Some(Mood::Ask) => 1.0,
            };
        }
        let reads = self.reads.get(number) == Some(&true);
        let prior = self.priors.get(number).copied().unwrap_or_default();
        let fits = match mood {
            Some(Mood::Ask) if !reads => WRITES_FOR_ASKING,
            Some(Mood::Bid) if reads => READS_FOR_BIDDING,
            None if reads => READS_FOR_UNCLEAR,
            _ => 1.0,
        };
        fits * f32::from(u16::try_from(prior).unwrap_or(100)) / 100.0
    }
}

fn add(postings: Option<&Vec<u32>>, worth: f32, sums: &mut [f32]) {
    for posting in postings.into_iter().flat_map(|all| all.chunks_exact(2)) {
        let &[operation, weight] = posting else {
            continue;
        };
        if let Some(sum) = sums.get_mut(operation as usize) {
            *sum += f32::from(u16::try_from(weight).unwrap_or(u16::MAX)) * worth;
        }
    }
}

/// Alternates between the lists; every operation once.
fn in_turn(lists: Vec<Vec<(usize, f32)>>, count: usize) -> Vec<(usize, f32)> {
    let mut is_listed = vec![false; count];
    let mut turns: Vec<_> = lists.into_iter().map(Vec::into_iter).collect();
    let mut merged = Vec::new();
    loop {
        let before = merged.len();
        for list in &mut turns {
            let next = list.find(|(operation, _)| is_listed.get(*operation) == Some(&false));
            if let Some((operation, score)) = next {
                if let Some(is_listed) = is_listed.get_mut(operation) {
                    *is_listed = true;
                }
                merged.push((operation, score));
            }
        }
        if merged.len() == before {
            return merged;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::Lacking;
    use crate::verdict::Lack;

    /// Operations 0 to 2: `Get tag`, `Add tag`, `Send message`.
    fn index() -> Index {
        let of = |all: &[(&str, &[u32])]| {
            let pairs = all.iter();
            pairs
                .map(|(word, found)| ((*word).to_owned(), found.to_vec()))
                .collect::<HashMap<_, _>>()
        };
        let meant = [
            ("label", "tag"),
            ("to text", "send messag"),
            ("slap", "add"),
            ("take off", "add tag"),
        ];
        let meant = meant.map(|(said, meant)| (said.to_owned(), vec![meant.to_owned()]));
        Index {
            words: of(&[
                ("get", &[0, 2000]),
                ("add", &[1, 2000]),
                ("tag", &[0, 1000, 1, 1000]),
                ("send", &[2, 2000]),
                ("messag", &[2, 2000]),
                ("put", &[1, 500]),
                ("paint", &[3, 2000]),
            ]),
            titles: of(&[
                ("get", &[0, 500]),
                ("add", &[1, 500]),
                ("tag", &[0, 500, 1, 500]),
                ("send", &[2, 500]),
                ("messag", &[2, 500]),
            ]),
            synonyms: HashMap::from(meant),
            // Phrases: `put a tag` of 1, `paint the tag` of the lacking subject.
            phrases: of(&[
                ("put", &[0, 60]),
                ("tag", &[0, 40, 1, 40]),
                ("paint", &[1, 60]),
            ]),
            phrase_owners: vec![1, 3],
            priors: vec![100; 3],
            reads: vec![true, false, false],
            successors: HashMap::new(),
            lacking: vec![Lacking {
                what: "paint tags".to_owned(),
                reads: false,
                nearest: vec![0],
            }],
        }
    }

    #[test]
    fn the_requested_operation_comes_first() {
        fn check(request: &str, expected: &[usize]) {
            let ranked = index().rank(request, |_| true);
            let numbers: Vec<usize> = ranked.into_iter().map(|(number, _)| number).collect();
            assert_eq!(numbers, expected, "{request}");
        }
        check("what labels are there", &[0, 1]);
        check("slap a label on it", &[1, 0]);
        check("take this one thing off", &[1, 0]);
        check("text her", &[2]);
        check("a text", &[]);
        check("texts for her", &[]);
        // A plural is looked for.
        check("text tags", &[0, 1]);
        // Both intents precede the other results of the first.
        check("slap a label on it and text her", &[1, 2, 0]);
        check("zzzz", &[]);
    }

    #[test]
    fn requests_that_no_operation_does_are_recognised() {
        fn check(request: &str, lack: Option<&str>) {
            let index = index();
            let found = index.find(request, |_| true).lack().map(|lack| match lack {
                Lack::Known(lacking) => lacking.what.clone(),
                Lack::Unknown => "unknown".to_owned(),
            });
            assert_eq!(found.as_deref(), lack, "{request}");
        }
        check("paint the tag", Some("paint tags"));
        check("paint", Some("paint tags"));
        check("add a tag", None);
        // One of two intents can be served.
        check("paint the tag and text her", None);
        check("zzzz qqqq xxxx", Some("unknown"));
    }

    #[test]
    fn a_phrase_said_in_full_counts_like_a_title() {
        let ranked = index().rank("put a tag", |_| true);
        let numbers: Vec<usize> = ranked.into_iter().map(|(number, _)| number).collect();
        assert_eq!(numbers, [1, 0]);
    }

    #[test]
    fn retired_operations_rank_behind_their_successors() {
        fn check(is_wanted: fn(usize) -> bool, expected: &[usize]) {
            let index = Index {
                successors: HashMap::from([(1, 2)]),
                ..index()
            };
            let ranked = index.rank("add a tag", is_wanted);
            let numbers: Vec<usize> = ranked.into_iter().map(|(number, _)| number).collect();
            assert_eq!(numbers, expected);
        }
        check(|_| true, &[2, 1, 0]);
        check(|number| number != 2, &[1, 0]);
    }

    #[test]
    fn excluded_operations_are_left_out() {
        let ranked = index().rank("tag", |number| number != 1);
        assert_eq!(ranked.len(), 1);
    }
}

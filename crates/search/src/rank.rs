//! Ranks operations for a request by an index whose weights were computed at build time.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::query::{Clause, Mood, clauses};
use crate::words::Word;

// The numbers below were set over `codegen/tests/requests.jsonl`, two thirds of it, and all lie where
// half or double of them changes little.

/// What a match of what a word means is worth beside one of the word itself; of an expression's.
const SYNONYM: f32 = 0.8;
const EXPRESSION: f32 = 0.9;

/// A word that is part of an expression, beside one that stands alone.
const INNER: f32 = 0.7;

/// Several words that go together count as this power of their number.
const TOGETHER: f32 = 0.4;

/// A name, which may be a word of some operation by chance; and `contact`, at which a name hints.
const NAME: f32 = 0.3;
const HINT: f32 = 0.5;

/// A word that another word of the request meant already.
const AGAIN: f32 = 0.3;

/// Operations that change something, for one who asks; that only read, for one who bids, or who
/// does neither clearly.
const WRITES_FOR_ASKING: f32 = 0.6;
const READS_FOR_BIDDING: f32 = 0.4;
const READS_FOR_UNCLEAR: f32 = 0.85;

/// The whole request, for one of its clauses.
const CONTEXT: f32 = 0.15;

/// How much of a score falls with what a title has beyond the request, how steeply, and what a
/// title that the request says in full adds.
const TITLE_SHARE: f32 = 0.65;
const TITLE_POWER: f32 = 1.3;
const TITLE_WHOLE: f32 = 500.0;

/// What the titles of operations that look something up say alike.
const LOOKS: f32 = 0.8;

/// Longest expression in the glossary, in words.
const LONGEST: usize = 4;

/// How far a particle stands from its verb at most: `take the old tag off`.
const REACH: usize = 6;

/// Words that may stand apart from the verb they belong to, in stems.
const PARTICLES: &[&str] = &[
    "off", "back", "over", "out", "down", "away", "know", "along", "across", "forward", "in", "up",
    "to", "togeth", "at", "live", "on", "into",
];

/// What operations do that look something up, in stems.
const LOOKING: &[&str] = &[
    "get", "list", "search", "find", "count", "download", "export", "check",
];

/// What operations do that change something, in stems.
const ACTING: &[&str] = &[
    "creat", "add", "updat", "delet", "remov", "send", "cancel", "publish", "paus", "resum",
    "duplic", "upload", "assign", "complet", "void", "enabl", "disabl", "connect", "attach",
    "import", "upsert", "book", "block", "start", "purchas", "train",
];

/// Operations are numbered in the order of their tool names. Postings alternate: an operation, and
/// a weight in thousandths.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Index {
    /// For each word, the operations that have it and its weight in them.
    pub words: HashMap<String, Vec<u32>>,
    /// For each word of titles, the operations that have it and its share in the title.
    pub titles: HashMap<String, Vec<u32>>,
    /// What an expression means: alternatives of one or more stems.
    pub synonyms: HashMap<String, Vec<String>>,
    /// For each operation, what its score is multiplied by, in percent.
    pub priors: Vec<u32>,
    /// For each operation, whether it only reads.
    pub reads: Vec<bool>,
}

/// One thing said, and the ways in which operations may say it: the worth and the stems of each.
struct Term<'a> {
    weight: f32,
    ways: Vec<(f32, Vec<&'a str>)>,
}

/// Where the words of an expression stand, and what it means.
type WordMatch<'a> = (Vec<usize>, &'a [String]);

impl Index {
    /// Operations that match any word of a request, best first, with their scores. Where it holds
    /// several intents, the best of each come in turn.
    pub fn rank(&self, request: &str, is_wanted: impl Fn(usize) -> bool) -> Vec<(usize, f32)> {
        let (whole, parts) = clauses(request, |words| self.verb(words));
        let whole = self.score(&whole);
        let mut scored: Vec<Vec<f32>> = parts.iter().map(|part| self.score(part)).collect();
        for (score, whole) in scored
            .iter_mut()
            .flat_map(|scores| scores.iter_mut().zip(&whole))
            .filter(|(score, _)| **score > 0.0)
        {
            *score += CONTEXT * whole;
        }
        if scored.is_empty() {
            scored.push(whole);
        }
        let sorted = |scores: Vec<f32>| {
            let mut list: Vec<(usize, f32)> = scores
                .into_iter()
                .enumerate()
                .filter(|(operation, score)| *score > 0.0 && is_wanted(*operation))
                .collect();
            list.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
            list
        };
        in_turn(scored.into_iter().map(sorted).collect(), self.priors.len())
    }

    /// What the verb wants that `words` begin with.
    fn verb(&self, words: &[Word]) -> Option<Mood> {
        let what = |stem: &str| {
            if LOOKING.contains(&stem) {
                Some(Mood::Ask)
            } else {
                ACTING.contains(&stem).then_some(Mood::Bid)
            }
        };
        let own = what(&words.first()?.stem);
        match self.expression(words, 0, true) {
            Some((places, meant)) if own.is_none() || places.len() > 1 => {
                meant.iter().find_map(|way| way.split(' ').find_map(what))
            }
            _ => own,
        }
    }

    /// The longest expression of the glossary that begins at `at`.
    fn expression(&self, words: &[Word], at: usize, is_head: bool) -> Option<WordMatch<'_>> {
        let (first, rest) = words.get(at..)?.split_first()?;
        for length in (2..=LONGEST).rev() {
            if let Some(run) = words.get(at..at + length)
                && let Some(meant) = self.meant(run.iter())
            {
                return Some(((at..at + length).collect(), meant));
            }
        }
        for (gap, word) in rest.iter().enumerate().take(REACH).skip(1) {
            if PARTICLES.contains(&word.stem.as_str())
                && let Some(meant) = self.meant([first, word])
            {
                return Some((vec![at, at + gap + 1], meant));
            }
        }
        if is_head
            && self.has_object(first, rest)
            && let Some(meant) = self.synonyms.get(&format!("to {}", first.stem))
        {
            return Some((vec![at], meant));
        }
        if first.silent {
            return None;
        }
        Some((vec![at], self.meant([first])?))
    }

    /// Whether the first word can be a verb: `email Ann`, not `email templates` nor `emails`.
    fn has_object(&self, first: &Word, rest: &[Word]) -> bool {
        let is_plural = first.written.ends_with('s') && !first.stem.ends_with('s');
        let goes_on = |next: &Word| next.stem != "contact" && self.titles.contains_key(&next.stem);
        !is_plural && rest.first().is_some_and(|next| !goes_on(next))
    }

    /// What an expression means, as it is written, in the singular, or else by its stems.
    fn meant<'a>(&self, words: impl IntoIterator<Item = &'a Word> + Clone) -> Option<&[String]> {
        let joined = |part: fn(&Word) -> &str| {
            let words: Vec<&str> = words.clone().into_iter().map(part).collect();
            words.join(" ")
        };
        let written = joined(|word| &word.written);
        let meant = self.synonyms.get(&written);
        meant
            .or_else(|| self.synonyms.get(written.strip_suffix('s')?))
            .or_else(|| self.synonyms.get(&joined(|word| &word.stem)))
            .map(Vec::as_slice)
    }

    fn terms<'a>(&'a self, clause: &'a Clause) -> Vec<Term<'a>> {
        let mut terms: Vec<Term> = Vec::new();
        let mut inner = vec![false; clause.words.len()];
        for (at, word) in clause.words.iter().enumerate() {
            let mut ways = Vec::new();
            let is_inner = |inner: &[bool]| inner.get(at).copied().unwrap_or_default();
            if let Some((places, meant)) = self.expression(&clause.words, at, at == 0)
                && (places.len() > 1 || !is_inner(&inner) && !word.is_name)
            {
                let worth = if places.len() > 1 {
                    EXPRESSION
                } else {
                    SYNONYM
                };
                for place in places.iter().filter(|_| places.len() > 1) {
                    if let Some(inner) = inner.get_mut(*place) {
                        *inner = true;
                    }
                }
                ways.extend(meant.iter().map(|way| (worth, way.split(' ').collect())));
            }
            if !word.silent {
                let worth = if is_inner(&inner) { INNER } else { 1.0 };
                let worth = if word.is_name { NAME } else { worth };
                ways.push((worth, vec![word.stem.as_str()]));
            }
            let is_known = |stem: &&str| self.words.contains_key(*stem);
            ways.retain(|(_, stems)| stems.iter().any(is_known));
            terms.push(Term { weight: 1.0, ways });
        }
        if clause.words.iter().any(|word| word.is_name) {
            let ways = vec![(1.0, vec!["contact"])];
            terms.push(Term { weight: HINT, ways });
        }
        terms
    }

    /// The score of every operation for one clause.
    fn score(&self, clause: &Clause) -> Vec<f32> {
        let mut scores = vec![0.0_f32; self.priors.len()];
        // What the clause says and means, in stems, and how surely.
        let mut said: HashMap<&str, f32> = HashMap::new();
        if clause.mood == Some(Mood::Ask) {
            said.extend(["get", "list", "search", "find"].map(|stem| (stem, LOOKS)));
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
        let mut titles = vec![0.0_f32; scores.len()];
        for (stem, worth) in &said {
            add(self.titles.get(*stem), worth / 1000.0, &mut titles);
        }
        let operations = self.priors.iter().zip(&self.reads).zip(&titles);
        for (score, ((prior, reads), title)) in scores.iter_mut().zip(operations) {
            let mood = match clause.mood {
                Some(Mood::Ask) if !reads => WRITES_FOR_ASKING,
                Some(Mood::Bid) if *reads => READS_FOR_BIDDING,
                None if *reads => READS_FOR_UNCLEAR,
                _ => 1.0,
            };
            *score = (*score + TITLE_WHOLE * title)
                * (1.0 - TITLE_SHARE + TITLE_SHARE * title.powf(TITLE_POWER))
                * mood
                * f32::from(u16::try_from(*prior).unwrap_or(100))
                / 100.0;
        }
        scores
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

/// The first of each list, then the second of each, and so on; every operation once.
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
            ]),
            titles: of(&[
                ("get", &[0, 500]),
                ("add", &[1, 500]),
                ("tag", &[0, 500, 1, 500]),
                ("send", &[2, 500]),
                ("messag", &[2, 500]),
            ]),
            synonyms: HashMap::from(meant),
            priors: vec![100; 3],
            reads: vec![true, false, false],
        }
    }

    #[test]
    fn what_is_meant_comes_first() {
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
        check("text tags", &[1, 0]);
        // Both intents stand before what else the first would find.
        check("slap a label on it and text her", &[1, 2, 0]);
        check("zzzz", &[]);
    }

    #[test]
    fn what_is_not_wanted_is_left_out() {
        let ranked = index().rank("tag", |number| number != 1);
        assert_eq!(ranked.len(), 1);
    }
}

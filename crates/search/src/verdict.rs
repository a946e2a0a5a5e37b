//! Judges whether any operation serves a request.

use crate::index::{Index, Lacking};
use crate::meaning::Term;
use crate::query::Clause;

/// The factor by which a lacking subject must match better than the best operation.
const MARGIN: f32 = 0.85;

/// The most of a request, by rarity, that the best operation covers if none serves it.
const COVERED: f32 = 0.1;

/// What is lacking has of a request's subject at least this much, by rarity: one common noun of several rare words is not
/// it, and neither are the words of figures and times that stand in any request.
const LACK_COVERED: f32 = 0.2;

/// What a word is worth that no operation has, in the measure of `rarity`.
const UNKNOWN: f32 = 6.0;

/// The result for a request.
#[derive(Debug)]
pub struct Ranking<'a> {
    /// Best first, with their scores.
    pub operations: Vec<(usize, f32)>,
    /// The best matching lacking subject.
    pub(crate) lacking: Option<&'a Lacking>,
    /// The factor by which it matches better than the best operation.
    pub margin: f32,
    /// The share of the request that the best operation covers, from 0 to 1.
    pub covered: f32,
    /// It asks for what is made of rows: an average, a rate, a number of them.
    pub asks_figures: bool,
}

/// The reason that nothing serves a request.
#[derive(Clone, Copy, Debug)]
pub enum Lack<'a> {
    /// HighLevel's API is known to lack it.
    Known(&'a Lacking),
    /// Almost none of its words is a word of an operation.
    Unknown,
}

impl<'a> Ranking<'a> {
    pub fn lack(&self) -> Option<Lack<'a>> {
        self.lack_beyond(MARGIN)
    }

    /// The same if a lacking subject must match `margin` times better than the best operation.
    pub fn lack_beyond(&self, margin: f32) -> Option<Lack<'a>> {
        match self.lacking {
            Some(lacking) if self.margin > margin => Some(Lack::Known(lacking)),
            _ => (self.covered <= COVERED).then_some(Lack::Unknown),
        }
    }
}

impl Index {
    /// The lacking subject for the best served clause, its margin, and the largest share of a clause that an operation
    /// covers.
    pub(crate) fn judge(
        &self,
        parts: &[Clause],
        scored: &[Vec<f32>],
    ) -> (Option<&Lacking>, f32, f32) {
        let (operations, _) = self.counts();
        let mut lacks: Option<(usize, f32)> = None;
        let mut covered = 0.0_f32;
        for (part, scores) in parts.iter().zip(scored) {
            let (real, lacking) = scores.split_at_checked(operations).unwrap_or_default();
            let (best, score) = highest(real);
            let (lack, lack_score) = highest(lacking);
            if score <= 0.0 && lack_score <= 0.0 {
                continue;
            }
            covered = covered.max(self.coverage(part, best, |_| true));
            let margin = lack_score / score.max(f32::MIN_POSITIVE);
            // Looked at last, for of most requests an operation has far more.
            let subject = |term: &Term| !term.is_period;
            let lacks_subject = || self.coverage(part, operations + lack, subject) < LACK_COVERED;
            let margin = match margin > MARGIN && lacks_subject() {
                true => 0.0,
                false => margin,
            };
            if lacks.is_none_or(|(_, least)| margin < least) {
                lacks = Some((lack, margin));
            }
        }
        let (lack, margin) = lacks.unwrap_or_default();
        (self.lacking.get(lack), margin, covered)
    }

    /// How much of the terms of a clause that count an operation, or what is lacking, has, by rarity.
    fn coverage(&self, clause: &Clause, operation: usize, counts: impl Fn(&Term) -> bool) -> f32 {
        let has = |stem: &&str| {
            let found = self.words.get(*stem);
            found.is_some_and(|all| all.iter().step_by(2).any(|one| *one as usize == operation))
        };
        let (mut all, mut had) = (0.0, 0.0);
        let terms = self.terms(clause);
        for term in terms.iter().filter(|term| term.tells && counts(term)) {
            let rarity = self.rarity(term);
            all += rarity;
            if term.ways.iter().any(|(_, stems)| stems.iter().all(has)) {
                had += rarity;
            }
        }
        if all > 0.0 { had / all } else { 1.0 }
    }

    /// The rarity of the most frequent word of a term.
    fn rarity(&self, term: &Term) -> f32 {
        let (operations, _) = self.counts();
        let stems = term.ways.iter().flat_map(|(_, stems)| stems);
        let rarities = stems.filter_map(|stem| {
            let found = self.words.get(*stem)?;
            let holders = found.iter().step_by(2);
            let holders = holders.filter(|one| (**one as usize) < operations).count() as f32;
            Some(((operations as f32 - holders + 0.5) / (holders + 0.5) + 1.0).ln())
        });
        rarities.reduce(f32::min).unwrap_or(UNKNOWN)
    }
}

/// The highest score and its index.
fn highest(scores: &[f32]) -> (usize, f32) {
    let scores = scores.iter().copied().enumerate();
    scores.fold(
        (0, 0.0),
        |best, one| if one.1 > best.1 { one } else { best },
    )
}

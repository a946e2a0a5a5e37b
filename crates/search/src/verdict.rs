//! Judges whether any operation does what a request asks for.

use crate::index::{Index, Lacking};
use crate::meaning::Term;
use crate::query::Clause;

/// How much better than the best operation that must fit which is lacking.
const MARGIN: f32 = 0.9;

/// What the best operation has of a request at most, by rarity, where none does it.
const COVERED: f32 = 0.1;

/// What is lacking has of a request at least this much, by rarity: one common noun of several rare words is not it.
const LACK_COVERED: f32 = 0.3;

/// What a word is worth that no operation has, in the measure of `rarity`.
const UNKNOWN: f32 = 6.0;

/// What was found for a request.
#[derive(Debug)]
pub struct Ranking<'a> {
    /// Best first, with their scores.
    pub operations: Vec<(usize, f32)>,
    /// What is lacking and fits best.
    pub(crate) lacking: Option<&'a Lacking>,
    /// How many times better that fits than the best operation.
    pub margin: f32,
    /// How much of the request the best operation has, from 0 to 1.
    pub covered: f32,
}

/// Why nothing does what a request asks for.
#[derive(Clone, Copy, Debug)]
pub enum Lack<'a> {
    /// It is known that HighLevel's API lacks it.
    Known(&'a Lacking),
    /// Next to none of its words is one of an operation.
    Unknown,
}

impl<'a> Ranking<'a> {
    pub fn lack(&self) -> Option<Lack<'a>> {
        self.lack_beyond(MARGIN)
    }

    /// The same where what is lacking must fit `margin` times better than the best operation.
    pub fn lack_beyond(&self, margin: f32) -> Option<Lack<'a>> {
        match self.lacking {
            Some(lacking) if self.margin > margin => Some(Lack::Known(lacking)),
            _ => (self.covered <= COVERED).then_some(Lack::Unknown),
        }
    }
}

impl Index {
    /// What is lacking for the clause that is served best, by which margin, and how much of a clause
    /// an operation has at most.
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
            covered = covered.max(self.coverage(part, best));
            let margin = lack_score / score.max(f32::MIN_POSITIVE);
            // Looked at last, for of most requests an operation has far more.
            let margin =
                match margin > MARGIN && self.coverage(part, operations + lack) < LACK_COVERED {
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

    /// How much of a clause an operation, or what is lacking, has, by rarity.
    fn coverage(&self, clause: &Clause, operation: usize) -> f32 {
        let has = |stem: &&str| {
            let found = self.words.get(*stem);
            found.is_some_and(|all| all.iter().step_by(2).any(|one| *one as usize == operation))
        };
        let (mut all, mut had) = (0.0, 0.0);
        for term in self.terms(clause).iter().filter(|term| term.tells) {
            let rarity = self.rarity(term);
            all += rarity;
            if term.ways.iter().any(|(_, stems)| stems.iter().all(has)) {
                had += rarity;
            }
        }
        if all > 0.0 { had / all } else { 1.0 }
    }

    /// How rare the commonest word is that says a term.
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

/// The highest score and where it stands.
fn highest(scores: &[f32]) -> (usize, f32) {
    let scores = scores.iter().copied().enumerate();
    scores.fold(
        (0, 0.0),
        |best, one| if one.1 > best.1 { one } else { best },
    )
}

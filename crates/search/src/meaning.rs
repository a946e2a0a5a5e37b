//! The meaning of a request's words: by the glossary, as expressions of several words, and as verbs at its beginning.

use crate::index::Index;
use crate::query::{Clause, Mood, Vocabulary};
use crate::words::Word;

// The numbers here and in `rank` were tuned on two thirds of `codegen/tests/requests.jsonl`, on the files of requests that may
// be inspected, and on the totals of the others. A change of one by half changes little, but that a meaning must not weigh
// as much as the word itself: of requests in an agent's words 87 % then came first instead of 96 %.

/// The weight of a match of a word's meaning, relative to the word itself; and of an expression's meaning.
const SYNONYM: f32 = 0.6;
const EXPRESSION: f32 = 0.9;

/// A word inside an expression, relative to a word alone.
const INNER: f32 = 0.85;

/// A name, which may be a word of some operation by chance; and `contact`, which a name suggests.
const NAME: f32 = 0.3;
const HINT: f32 = 0.4;

/// A word that says what is made of rows: operations have it by chance.
const FIGURE: f32 = 0.3;

/// A word of a meaning of its own whose stem is that of another: `viewing` is an appointment, and a view is none.
const OWN_MEANING: f32 = 0.6;

/// A time of day or a weekday suggests an appointment.
const TIME: f32 = 0.4;

/// A word that narrows, relative to a word of the subject.
const NARROW: f32 = 0.55;

/// A narrowed request for information means a filter.
const FILTER: f32 = 0.5;

/// Longest expression in the glossary, in words.
const LONGEST: usize = 4;

/// Longest distance of a particle from its verb: `take the old tag off`.
const REACH: usize = 6;

/// Words that may be separated from their verb, in stems.
const PARTICLES: &[&str] = &[
    "off", "back", "over", "out", "down", "away", "know", "along", "across", "forward", "in", "up",
    "to", "togeth", "at", "live", "on", "into",
];

/// Verbs of operations that look something up, in stems.
const LOOKING: &[&str] = &[
    "get", "list", "search", "find", "count", "download", "export", "check",
];

/// Verbs of operations that change something, in stems.
const ACTING: &[&str] = &[
    "creat", "add", "updat", "delet", "remov", "send", "cancel", "publish", "paus", "resum",
    "duplic", "upload", "assign", "complet", "void", "enabl", "disabl", "connect", "attach",
    "import", "upsert", "book", "block", "start", "purchas", "train",
];

/// One term of a request, with the alternatives that operations may use: the weight and the stems of each.
pub(crate) struct Term<'a> {
    pub weight: f32,
    pub ways: Vec<(f32, Vec<&'a str>)>,
    /// It describes what is wanted, and is neither a name nor a figure.
    pub tells: bool,
    /// It says when.
    pub is_period: bool,
}

/// The positions of an expression's words, with its meaning.
type WordMatch<'a> = (Vec<usize>, &'a [String]);

impl Vocabulary for Index {
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

    fn is_known(&self, word: &Word) -> bool {
        self.titles.contains_key(&word.stem) || self.meant([word]).is_some()
    }
}

impl Index {
    /// The longest expression of the glossary that begins at `at`.
    fn expression(&self, words: &[Word], at: usize, is_head: bool) -> Option<WordMatch<'_>> {
        let (first, rest) = words.get(at..)?.split_first()?;
        for length in (2..=LONGEST).rev() {
            if let Some(run) = words.get(at..at + length)
                && let Some(meant) = self.meant(run.iter())
                && (length > 2 || first.written != "to" || self.is_infinitive(words, at))
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

    /// Whether the `to` at `at` belongs to a verb: `I have to text Ann`, not `add a note to contact`.
    fn is_infinitive(&self, words: &[Word], at: usize) -> bool {
        let (before, rest) = words.split_at_checked(at).unwrap_or_default();
        let is_verb = |word: &Word| {
            let stem = word.stem.as_str();
            LOOKING.contains(&stem) || ACTING.contains(&stem)
        };
        !before.iter().any(is_verb)
            && matches!(rest, [_, verb, object @ ..] if self.has_object(verb, object))
    }

    /// Whether the first word can be a verb: `email Ann`, not `email templates` nor `emails`.
    fn has_object(&self, first: &Word, rest: &[Word]) -> bool {
        let is_plural = first.written.ends_with('s') && !first.stem.ends_with('s');
        let goes_on = |next: &Word| next.stem != "contact" && self.titles.contains_key(&next.stem);
        !is_plural && rest.first().is_some_and(|next| !goes_on(next))
    }

    /// The meaning of an expression as written, in the singular, or else by its stems.
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

    /// Whether the glossary has the word as it is written, and means something else by its stem.
    fn has_own_meaning(&self, word: &Word) -> bool {
        let [written, stem] = [&word.written, &word.stem].map(|form| self.synonyms.get(form));
        word.written != word.stem && written.is_some() && stem.is_some() && written != stem
    }

    pub(crate) fn terms<'a>(&'a self, clause: &'a Clause) -> Vec<Term<'a>> {
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
                let worth = match word {
                    word if word.is_name => NAME,
                    word if word.is_figure => FIGURE,
                    word if self.has_own_meaning(word) => OWN_MEANING,
                    _ => worth,
                };
                ways.push((worth, vec![word.stem.as_str()]));
            }
            let is_known = |stem: &&str| self.words.contains_key(*stem);
            ways.retain(|(_, stems)| stems.iter().any(is_known));
            terms.push(Term {
                weight: if at < clause.head { 1.0 } else { NARROW },
                tells: !(word.is_name || word.is_figure || word.silent && ways.is_empty()),
                is_period: word.is_period(),
                ways,
            });
        }
        if clause.mood == Some(Mood::Ask) && clause.head < clause.words.len() {
            terms.push(Term {
                weight: FILTER,
                ways: vec![(1.0, vec!["filter"])],
                tells: false,
                is_period: false,
            });
        }
        let hints = [
            (
                "contact",
                HINT,
                clause.words.iter().any(|word| word.is_name),
            ),
            ("appoint", TIME, clause.words.iter().any(Word::is_time)),
        ];
        for (stem, weight, _) in hints.into_iter().filter(|(_, _, is_given)| *is_given) {
            terms.push(Term {
                weight,
                ways: vec![(1.0, vec![stem])],
                tells: false,
                is_period: false,
            });
        }
        terms
    }
}

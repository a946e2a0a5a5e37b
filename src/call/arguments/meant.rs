//! The argument that was probably meant by an unknown name.
//!
//! A wrong suggestion leads to a wrong call, which may succeed. So a name is suggested for its whole words, of which the
//! last says what it is, or for a slip of the keyboard, and never for a word that it begins with.

use tool::{Argument, LONGEST_NAME, Role, Tool, edit_distance, name_words};

/// Words of one meaning in names of arguments.
const MEANINGS: [&[&str]; 6] = [
    &["appointment", "event", "booking"],
    &["message", "text", "body"],
    &["contact", "customer", "client", "lead"],
    &["phone", "mobile", "telephone"],
    &["begin", "start"],
    &["limit", "size"],
];

/// Words that a name may have beside those of the argument.
const FILLERS: [&str; 4] = ["full", "my", "new", "the"];

/// Last words that add nothing to the word before.
const TAILS: [[&str; 2]; 2] = [["phone", "number"], ["email", "address"]];

/// Prefixes that say where an argument stands in the request.
const PLACES: [&str; 3] = ["path_", "query_", "body_"];

/// Least length of a name, in letters, of which one letter or two may be wrong.
const ONE_SLIP_FROM: usize = 4;
const TWO_SLIPS_FROM: usize = 8;

/// How closely a name fits, the closest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Likeness {
    /// The same words.
    Same,
    /// A slip of the keyboard.
    Slip,
    /// The argument's words, and words that the tool's own name has.
    Wordier,
    /// The last words of the argument, or what its id is of.
    Shorter,
}

/// The argument of `tool` that `name` means, if one is clear. `is_missing`: whether the call needs an argument and lacks
/// it, which is then meant before others that are as close.
pub(super) fn meant_argument(
    tool: &Tool,
    name: &str,
    is_missing: impl Fn(&Argument) -> bool,
) -> Option<&'static Argument> {
    if name.len() > LONGEST_NAME {
        return None;
    }
    let found = tool.arguments.iter().filter_map(|argument| {
        let names = std::iter::once(&argument.name).chain(argument.aliases);
        let likeness = names
            .filter_map(|known| likeness(tool, name, known))
            .min()?;
        let is_missing = argument.role == Role::None && is_missing(argument);
        Some((likeness, !is_missing, argument))
    });
    let mut found = Vec::from_iter(found);
    let rank = |(likeness, is_given, _): &(Likeness, bool, _)| (*likeness, *is_given);
    found.sort_by_key(rank);
    let (likeness, _, first) = found.first()?;
    let is_clear = *likeness <= Likeness::Slip || found.first().map(rank) != found.get(1).map(rank);
    is_clear.then_some(*first)
}

fn likeness(tool: &Tool, name: &str, known: &str) -> Option<Likeness> {
    let without_place = PLACES.iter().find_map(|place| name.strip_prefix(place));
    let name = without_place.unwrap_or(name);
    let squeezed = (squeeze(name), squeeze(known));
    if squeezed.0 == squeezed.1 {
        return Some(Likeness::Same);
    }
    let (given, wanted) = (words(name), words(known));
    if given == wanted {
        return Some(Likeness::Same);
    }
    if is_slip(&squeezed.0, &squeezed.1) {
        return Some(Likeness::Slip);
    }
    if let Some(beside) = given.strip_suffix(wanted.as_slice()) {
        let own = words(tool.name);
        let is_own = |word: &String| own.contains(word) || FILLERS.contains(&word.as_str());
        return beside.iter().all(is_own).then_some(Likeness::Wordier);
    }
    let is_holder = wanted
        .split_last()
        .is_some_and(|(last, holder)| holder == given && (last == "id" || last == "1"));
    let is_end = !given.is_empty() && wanted.ends_with(&given);
    (is_holder || is_end).then_some(Likeness::Shorter)
}

/// Whether the names differ by a letter or two, and in no digit: address2 is another field than address1.
fn is_slip(name: &str, known: &str) -> bool {
    let digits = |text: &str| {
        text.chars()
            .filter(char::is_ascii_digit)
            .collect::<String>()
    };
    let shorter = name.len().min(known.len());
    let most = match shorter {
        TWO_SLIPS_FROM.. => 2,
        ONE_SLIP_FROM.. => 1,
        _ => 0,
    };
    name.chars().next() == known.chars().next()
        && digits(name) == digits(known)
        && name.len().abs_diff(known.len()) <= most
        && edit_distance(name, known) <= most
}

fn squeeze(name: &str) -> String {
    let letters = name.chars().filter(|letter| letter.is_alphanumeric());
    letters.flat_map(char::to_lowercase).collect()
}

/// The words of a name in small letters and the singular, each as the first word of its meaning.
fn words(name: &str) -> Vec<String> {
    let mut words = Vec::from_iter(name_words(name).into_iter().map(meaning));
    if TAILS
        .iter()
        .any(|tail| words.ends_with(&tail.map(str::to_owned)))
    {
        words.pop();
    }
    words
}

fn meaning(word: String) -> String {
    let singular = word
        .strip_suffix('s')
        .filter(|one| one.len() > 2 && !one.ends_with('s'));
    let word = singular.unwrap_or(&word);
    let alike = MEANINGS.iter().find(|alike| alike.contains(&word));
    alike
        .and_then(|alike| alike.first())
        .copied()
        .unwrap_or(word)
        .to_owned()
}

//! Recognises a sentence of HighLevel's as a whole.
//!
//! HighLevel's sentences repeat what callers send: names of properties, ids, texts. A part of one proves nothing:
//! `property dnd should not exist` is about a property. So a known sentence is compared from its first letter to its
//! last, with holes for what HighLevel fills in: `{}` for anything, `{noun}` for one to three words of letters.

/// Most words of a `{noun}`.
const LONGEST_NOUN: usize = 3;

/// Whether `sentence` matches `phrase`, ignoring case and a final full stop.
pub(super) fn is_phrase(sentence: &str, phrase: &str) -> bool {
    let words: Vec<&str> = sentence.split_whitespace().collect();
    let sentence = words.join(" ").to_lowercase();
    let sentence = sentence.strip_prefix("error: ").unwrap_or(&sentence);
    let phrase = phrase.to_lowercase();
    fits(bare(sentence), bare(&phrase))
}

fn bare(sentence: &str) -> &str {
    sentence.trim_end_matches(['.', '!', ' '])
}

fn fits(sentence: &str, phrase: &str) -> bool {
    let Some(open) = phrase.find('{') else {
        return sentence == phrase;
    };
    let (literal, hole) = phrase.split_at(open);
    let (Some(rest), Some((hole, phrase))) = (sentence.strip_prefix(literal), hole.split_once('}'))
    else {
        return false;
    };
    let ends = rest
        .char_indices()
        .map(|(index, _)| index)
        .chain([rest.len()]);
    ends.map(|end| rest.split_at(end))
        .any(|(filled, rest)| (hole != "{noun" || is_noun(filled)) && fits(rest, phrase))
}

fn is_noun(text: &str) -> bool {
    let words: Vec<&str> = text.split(' ').collect();
    words.len() <= LONGEST_NOUN
        && words
            .iter()
            .all(|word| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::is_phrase;

    fn check(sentence: &str, phrase: &str, expected: bool) {
        assert_eq!(
            is_phrase(sentence, phrase),
            expected,
            "{sentence:?} {phrase:?}"
        );
    }

    #[test]
    fn a_sentence_is_known_as_a_whole_only() {
        check("Invalid JWT", "Invalid JWT", true);
        check("Error: invalid  jwt.", "Invalid JWT", true);
        check("Invalid JWT name", "Invalid JWT", false);
        check("name: Invalid JWT", "Invalid JWT", false);
        check("Contact not found", "{noun} not found", true);
        check("The custom field not found!", "{noun} not found", true);
        check(
            "email not found@x.example is taken",
            "{noun} not found",
            false,
        );
        check("a b c d not found", "{noun} not found", false);
        check("not found", "{noun} not found", false);
        check(
            "Contact not found for id:c1",
            "{noun} not found for id:{}",
            true,
        );
        check(
            "Contact with id c 1 not found",
            "{noun} with id {} not found",
            true,
        );
        check("é not found", "{} not found", true);
    }
}

//! Each known error is recognised by its whole sentence, and by nothing that callers send.

use super::{KNOWN, KnownError};
use crate::catalog::TOOLS;
use crate::upstream::failure::FailureClass;

fn class(status: u16, sentence: &str) -> Option<FailureClass> {
    KnownError::find(status, None, &[sentence]).map(|known| known.class)
}

#[test]
fn each_row_recognises_its_example() {
    for known in KNOWN {
        let source = known.source;
        assert!(
            source.starts_with("https://") || source.starts_with("code: "),
            "{source}"
        );
        assert!(!known.statuses.is_empty() || !known.codes.is_empty());
        for status in known.statuses {
            for example in [known.example.to_owned(), known.example.to_uppercase()] {
                let found = KnownError::find(*status, None, &[&example]);
                let found = found.unwrap_or_else(|| panic!("{status} {example} is not known"));
                assert_eq!(found.phrase, known.phrase, "{status} {example}");
            }
        }
        for code in known.codes {
            let code = code.replace('*', "_EMAIL");
            let found = KnownError::find(418, Some(&code), &["whatever"]);
            assert_eq!(found.map(|found| found.phrase), Some(known.phrase));
        }
    }
}

#[test]
fn words_of_callers_change_nothing() {
    let statuses = [400, 401, 403, 409, 422];
    let mut tried = 0;
    for known in KNOWN.iter().filter(|known| !known.example.is_empty()) {
        let example = known.example;
        let words = example.split(|letter: char| !letter.is_alphanumeric());
        let names = words.chain([example, known.codes.first().copied().unwrap_or("dnd")]);
        for name in names.filter(|name| !name.is_empty()) {
            for status in statuses {
                tried += 1;
                let refused = class(status, &format!("property {name} should not exist"));
                let expected = matches!(status, 400 | 422).then_some(FailureClass::Invalid);
                assert_eq!(refused, expected, "{status} {name}");
                for sentence in [
                    format!("{name} must be a string"),
                    format!("each value in {name} must be one of the following values: a, b"),
                    format!("name must not be \"{name}\""),
                    format!("Invalid value: {name}"),
                    format!("tags.0 {name} is too long"),
                    format!("\"{name}\" is no valid status"),
                ] {
                    // No other sentence continues as a known one does.
                    let goes_on = known.phrase.ends_with("{}") && sentence.starts_with(example);
                    if !goes_on {
                        assert_eq!(class(status, &sentence), None, "{status} {sentence}");
                    }
                }
            }
        }
    }
    assert!(tried > 500, "{tried}");
}

#[test]
fn remedies_name_tools_that_there_are() {
    let mut named = 0;
    for known in KNOWN {
        let words = known.remedy.split([' ', ',', ';', '.', ':']);
        for word in words.filter(|word| word.contains('_') && word.contains('-')) {
            named += 1;
            assert!(TOOLS.iter().any(|tool| tool.name == word), "{word}");
        }
    }
    assert!(named > 5, "{named}");
}

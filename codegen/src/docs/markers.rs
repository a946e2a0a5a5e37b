//! Text between markers: replaces their content and keeps everything else.

use super::parts::GeneratedPart;
use crate::error::Problem;

const OPEN: &str = "<!-- codegen: ";
const CLOSE: &str = " -->";
const END: &str = "<!-- end -->";

/// A document with the required content in its markers.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FilledDocument {
    pub(super) text: String,
    /// Markers of the document.
    pub(super) names: Vec<String>,
    /// Those whose content was different.
    pub(super) differences: Vec<String>,
}

/// Fills every marker of `text`, a document at `place`.
pub(super) fn fill(
    place: &str,
    text: &str,
    parts: &[GeneratedPart],
) -> Result<FilledDocument, Vec<Problem>> {
    let mut filled = FilledDocument {
        text: String::new(),
        names: Vec::new(),
        differences: Vec::new(),
    };
    let mut problems = Vec::new();
    let mut rest = text;
    while let Some((before, opened)) = rest.split_once(OPEN) {
        filled.text += before;
        let Some((name, behind)) = opened.split_once(CLOSE) else {
            problems.push(unended(place, "its last marker"));
            break;
        };
        let held = behind.split_once(END);
        let held = held.filter(|(held, _)| !held.contains(OPEN));
        let Some((held, behind)) = held else {
            problems.push(unended(place, name));
            break;
        };
        rest = behind;
        let Some(part) = parts.iter().find(|part| part.name == name) else {
            problems.push(Problem::new(
                place,
                format!("the marker {name:?} names no generated part"),
                "correct the name, or remove the marker (codegen/src/docs/parts.rs has the parts)",
            ));
            continue;
        };
        let is_block = part.text.contains('\n');
        if !is_block && (filled.text.is_empty() || filled.text.ends_with('\n')) {
            problems.push(Problem::new(
                place,
                format!("the marker {name:?} begins a line, which Markdown reads as HTML"),
                "put a word before it",
            ));
        }
        let wanted = match is_block {
            true => format!("\n{}\n", part.text.trim_end()),
            false => part.text.clone(),
        };
        if held != wanted {
            filled.differences.push(format!("the part {name:?}"));
        }
        filled.names.push(name.to_owned());
        filled.text += &format!("{OPEN}{name}{CLOSE}{wanted}{END}");
    }
    filled.text += rest;
    match problems.is_empty() {
        true => Ok(filled),
        false => Err(problems),
    }
}

fn unended(place: &str, name: &str) -> Problem {
    Problem::new(
        place,
        format!("the marker {name:?} has no end"),
        format!("put `{END}` after its content"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts() -> Vec<GeneratedPart> {
        let part = |name, text: &str| GeneratedPart {
            name,
            text: text.to_owned(),
        };
        vec![part("tools", "649"), part("table", "| a |\n| b |\n")]
    }

    #[test]
    fn markers_hold_their_parts_and_all_else_stays() {
        for (text, wanted, differences) in [
            ("no marker\n", "no marker\n", &[][..]),
            (
                "All <!-- codegen: tools -->649<!-- end --> of them",
                "All <!-- codegen: tools -->649<!-- end --> of them",
                &[],
            ),
            (
                "All <!-- codegen: tools -->1<!-- end --> of them",
                "All <!-- codegen: tools -->649<!-- end --> of them",
                &["the part \"tools\""],
            ),
            (
                "a\n<!-- codegen: table -->\n| a |\n<!-- end -->\nb",
                "a\n<!-- codegen: table -->\n| a |\n| b |\n<!-- end -->\nb",
                &["the part \"table\""],
            ),
        ] {
            let filled = fill("a.md", text, &parts()).expect("filled");
            assert_eq!(filled.text, wanted);
            assert_eq!(filled.differences, differences, "{text}");
            let again = fill("a.md", &filled.text, &parts()).expect("filled");
            assert_eq!(again.text, wanted, "twice is once");
            assert_eq!(again.differences, [""; 0]);
        }
    }

    #[test]
    fn a_wrong_marker_is_named_with_its_file() {
        for (text, part) in [
            (
                "x <!-- codegen: tool -->1<!-- end -->",
                "a.md: the marker \"tool\" names no generated part",
            ),
            (
                "x <!-- codegen: tools -->1",
                "a.md: the marker \"tools\" has no end",
            ),
            (
                "x <!-- codegen: tools -->1 <!-- codegen: table --> <!-- end -->",
                "the marker \"tools\" has no end",
            ),
            (
                "<!-- codegen: tools -->1<!-- end --> of them",
                "\"tools\" begins a line",
            ),
        ] {
            let problems = fill("a.md", text, &parts()).expect_err("a problem");
            let told: String = problems.iter().map(ToString::to_string).collect();
            assert!(told.contains(part), "{told}");
        }
    }
}

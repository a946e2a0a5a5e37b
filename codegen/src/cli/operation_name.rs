//! Finds the operation of a given name. The error suggests similar names.

use std::collections::BTreeSet;

use codegen::error::Problem;
use codegen::model::operation::Operation;
use codegen::pipeline::{DescribedDocuments, LoweredOperation};
use tool::{first_names, nearest};

/// The operation whose tool has the name `name`.
pub(super) fn find<'a>(
    described: &'a DescribedDocuments,
    name: &str,
) -> Result<&'a LoweredOperation, Problem> {
    let mut operations = described.operations.iter();
    let is_it = |lowered: &&LoweredOperation| {
        let mut names = names(&lowered.operation);
        names.any(|one| one == name)
    };
    if let Some(found) = operations.find(is_it) {
        return Ok(found);
    }
    let operations = || described.operations.iter().map(|one| &one.operation);
    let all = operations().flat_map(names).map(|one| (one, one));
    if let Some(near) = nearest(name, all) {
        let remedy = format!("did you mean {near}?");
        return Err(Problem::new(
            name,
            "is not an operation of any document",
            remedy,
        ));
    }
    if let Some((document, _)) = name.split_once('_') {
        let known = operations().map(|one| one.document.as_str()).collect();
        check_document(document, known)?;
    }
    let remedy = "`codegen list --all` prints every name";
    Err(Problem::new(
        name,
        "is not an operation of any document",
        remedy,
    ))
}

/// Whether there is a document of this name.
pub(super) fn check_document(name: &str, known: BTreeSet<&str>) -> Result<(), Problem> {
    if known.contains(name) {
        return Ok(());
    }
    let remedy = match nearest(name, known.iter().map(|one| (*one, *one))) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("there are {}", first_names(known)),
    };
    Err(Problem::new(name, "is no document", remedy))
}

fn names(operation: &Operation) -> impl Iterator<Item = &str> {
    let aliases = operation.aliases.iter().map(String::as_str);
    std::iter::once(operation.tool.as_str()).chain(aliases)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_that_there_is_not_is_answered_with_the_nearest() {
        let known = || BTreeSet::from(["contacts", "links"]);
        assert!(check_document("links", known()).is_ok());
        for (name, part) in [
            ("contcts", "did you mean contacts?"),
            ("x", "there are contacts, links"),
        ] {
            let problem = check_document(name, known())
                .err()
                .map(|one| one.to_string());
            let problem = problem.unwrap_or_default();
            assert!(problem.contains(part), "{problem}");
        }
    }
}

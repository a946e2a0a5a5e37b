//! One tool as commands name it: an operation, or a tool of an endpoint that calls any operation.

use std::sync::Arc;

use serde_json::Value;

use crate::cli::CliError;
use crate::surfaces::{Endpoint, Listing, MetaListing, legacy};
use tool::{Tool, nearest};

/// The endpoints to search for a name without an endpoint, in this order.
const ENDPOINTS: [&str; 3] = ["all", "orchestrator", "compat"];

/// Most names in a hint.
const MOST_NAMES: usize = 4;

/// A tool and its endpoint.
pub(crate) struct EndpointTool {
    pub endpoint: Endpoint,
    pub listing: Listing,
}

impl EndpointTool {
    /// Finds the tool of this name, only at `endpoint` if one is given. The error names those that were probably meant.
    pub(crate) fn find(name: &str, endpoint: Option<&str>) -> Result<Self, CliError> {
        let endpoints = match &endpoint {
            Some(one) => std::slice::from_ref(one),
            None => ENDPOINTS.as_slice(),
        };
        let endpoints = endpoints.iter().map(|one| Endpoint::parse(one));
        let endpoints: Vec<Endpoint> = endpoints.collect::<Result<_, _>>()?;
        let mut known = Vec::new();
        for endpoint in endpoints {
            let found = endpoint.resolve(name).map(|(_, listing)| listing);
            if let Some(listing) = found {
                return Ok(Self { endpoint, listing });
            }
            known.extend(endpoint.list().map(|one| one.name()));
        }
        Err(unknown(name, &known))
    }

    pub(crate) fn name(&self) -> &'static str {
        self.listing.name()
    }

    /// Its operation; `None` if it calls any operation.
    pub(crate) fn operation(&self) -> Option<&'static Tool> {
        match &self.listing {
            Listing::Tool(tool) | Listing::Legacy(tool) => Some(tool),
            Listing::Meta(_) => None,
        }
    }

    /// The schema of its arguments, as complete as it is known.
    pub(crate) fn schema(&self) -> Result<Value, serde_json::Error> {
        match &self.listing {
            Listing::Tool(tool) => serde_json::from_str(tool.check_schema),
            Listing::Legacy(tool) => Ok(legacy::schema(tool)),
            Listing::Meta(meta) => Ok(meta.schema.clone()),
        }
    }
}

/// The effect of a call; `any` if the tool calls every operation.
pub(super) fn effect(listing: &Listing) -> &'static str {
    match listing {
        Listing::Tool(tool) | Listing::Legacy(tool) => tool.effect.name(),
        Listing::Meta(meta) => meta_effect(meta),
    }
}

pub(super) fn title(listing: &Listing) -> &'static str {
    match listing {
        Listing::Tool(tool) | Listing::Legacy(tool) => tool.title,
        Listing::Meta(meta) => meta.title.unwrap_or(meta.description),
    }
}

fn meta_effect(meta: &Arc<MetaListing>) -> &'static str {
    match (meta.hints, meta.calls) {
        (Some(hints), _) if hints.read_only => "read",
        (_, Some(kind)) => kind.effect().name(),
        (_, None) => "any",
    }
}

/// The error for an unknown `name`, with the names of `known` that were probably meant.
pub(super) fn unknown(name: &str, known: &[&'static str]) -> CliError {
    let meant = meant(name, known);
    let hint = match meant.split_last() {
        Some((last, [])) => format!("did you mean {last}?"),
        Some((last, others)) => format!("did you mean {} or {last}?", others.join(", ")),
        None => "`highlevel-mcp tools search WORDS` finds tools by what they do".to_owned(),
    };
    CliError(format!("there is no tool {name}; {hint}"))
}

/// Names with this ending, after the document's name or after any word; else the most similar one, with or without the
/// document's name.
fn meant(name: &str, known: &[&'static str]) -> Vec<&'static str> {
    // Only queries have spaces; names do not.
    if name.contains(char::is_whitespace) {
        return Vec::new();
    }
    for join in ["_", "-"] {
        let end = format!("{join}{name}");
        let ends: Vec<&str> = known
            .iter()
            .copied()
            .filter(|one| one.ends_with(&end))
            .collect();
        if (1..=MOST_NAMES).contains(&ends.len()) {
            return ends;
        }
    }
    let whole = nearest(name, known.iter().map(|one| (*one, *one)));
    let short = || {
        let short = known
            .iter()
            .filter_map(|one| Some((one.split_once('_')?.1, *one)));
        nearest(name, short)
    };
    whole.or_else(short).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_there_is_not_is_answered_with_those_that_were_meant() {
        fn check(name: &str, endpoint: Option<&str>, expected: &str) {
            let found = EndpointTool::find(name, endpoint);
            let CliError(what) = found.err().expect("no tool");
            assert!(what.contains(expected), "{name}: {what}");
        }
        check("get-contact", None, "did you mean contacts_get-contact?");
        check(
            "contacts_get-contac",
            None,
            "did you mean contacts_get-contact?",
        );
        check(
            "delet-contact",
            None,
            "did you mean contacts_delete-contact?",
        );
        check("search_operation", None, "did you mean search_operations?");
        check("call_reed", Some("orchestrator"), "did you mean call_read?");
        check("reschedule appointment", None, "tools search WORDS");
        check("xyzzy", None, "tools search WORDS");
        check(
            "contacts_get-contact",
            Some("contcts"),
            "did you mean contacts?",
        );
        let CliError(several) = unknown("get-it", &["a_get-it", "b_get-it"]);
        assert_eq!(
            several,
            "there is no tool get-it; did you mean a_get-it or b_get-it?"
        );
    }

    #[test]
    fn a_name_is_found_at_the_endpoint_that_has_it() {
        for (name, endpoint, found) in [
            ("contacts_get-contact", None, "highlevel-all"),
            ("search_operations", None, "highlevel-orchestrator"),
            ("execute_operation", None, "highlevel-compat"),
            ("search_operations", Some("compat"), "highlevel-compat"),
            ("contacts_get-contact", Some("legacy"), "highlevel-legacy"),
        ] {
            let tool = EndpointTool::find(name, endpoint).map_err(|CliError(what)| what);
            assert_eq!(
                tool.map(|tool| tool.endpoint.name).as_deref(),
                Ok(found),
                "{name}"
            );
        }
    }
}

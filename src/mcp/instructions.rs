//! A server's description of itself before the first call. It names only what its own endpoint has.

use crate::surfaces::toolset::Toolset;
use crate::surfaces::{Endpoint, Listing};

/// One client reads no more characters.
#[cfg(test)]
const LONGEST: usize = 2_048;

/// Precedes everything if HighLevel is the built-in sandbox.
const SANDBOX: &str =
    "This is a sandbox: made-up records of a simulated HighLevel; no message reaches anybody. ";

const ABOUT: &str = "HighLevel (GoHighLevel, LeadConnector) CRM of one location (sub-account): \
contacts, conversations and messages, calendars, opportunities and pipelines, payments, custom fields. \
The location comes from the connection; ";

const LESS: &str = "To shorten an answer, pass output, an object beside the arguments of any list tool: \
{\"fields\": [dotted paths], \"filter\": [{field, op, value}], \"maxItems\", \"allPages\": true}, op one of \
= != > >= < <= before after contains in exists; {\"groupBy\": field or date:month, \"sum\": field} adds up values. ";

/// The instructions of an endpoint.
pub(super) fn instructions(endpoint: &Endpoint, is_simulated: bool) -> String {
    let has = |name: &str| endpoint.resolve(name).is_some();
    let runs = |name: &str| Toolset::find(name).is_some_and(|tool| endpoint.has(tool));
    let (writes, is_compat) = (!endpoint.read_only, has("execute_operation"));
    let has_tools = |shown: fn(&Listing) -> bool| endpoint.list().any(|one| shown(&one));
    let (lists_tools, is_legacy) = (
        has_tools(|one| matches!(one, Listing::Tool(_))),
        has_tools(|one| matches!(one, Listing::Legacy(_))),
    );
    let parts = [
        (is_simulated, SANDBOX),
        (true, ABOUT),
        (is_compat, "pass params.locationId only for another one. "),
        (!is_compat, "pass locationId only for another one. "),
        (
            runs("locations_get-custom-fields"),
            "Custom fields of a contact have only ids: locations_get-custom-fields has their names. ",
        ),
        (writes, "Before writing, read the record. "),
        (
            runs("conversations_send-a-new-message"),
            "conversations_send-a-new-message reaches a real person immediately. ",
        ),
        (
            !is_legacy,
            "An error is JSON: its class and remedy say what to do",
        ),
        (
            is_legacy,
            "The data of an error is JSON: its class and remedy say what to do",
        ),
        (
            writes,
            ": after unknown_outcome, check before you repeat. After needs_confirmation (a status or class) nothing has \
             happened yet: its remedy says how to confirm, once the user agrees",
        ),
        (true, ". An answer with _cut is incomplete. "),
        (lists_tools, LESS),
        (
            lists_tools && has("search_operations"),
            "For everything beyond the listed tools: ",
        ),
        (
            has("call_read"),
            "search_operations finds the operation, with detail schema its arguments, with path the fields inside one. ",
        ),
        (
            has("call_read") && !writes,
            "call_read runs it by its name. ",
        ),
        (
            has("call_write"),
            "call_read, call_write, call_send or call_destructive runs it by its name. A write returns its id and the \
             values sent, with output {\"fields\": [\"*\"]} everything. To write many records: each = {operation: a read, arguments, \
             filter, bind: {argument: field of the row}} previews one call per row; {confirm} alone runs them; \
             repeat it until notRun is 0. ",
        ),
        (
            is_compat,
            "search_operations finds an operation, describe_operation lists its arguments by place (path, \
             query or body of params), execute_operation runs it by its operationId",
        ),
        (
            is_compat && writes,
            "; a write requires an idempotencyKey, and dryRun only shows the request",
        ),
        (
            is_compat,
            ". Answers are HighLevel's own; output {\"fields\": [dotted paths], \"filter\": [{field, op, value}], \
             \"maxItems\", \"allPages\": true} shortens them. list_locations lists the locations. ",
        ),
    ];
    let told = parts.iter().filter(|(is_true, _)| *is_true);
    let told: String = told.map(|(_, text)| *text).collect();
    told.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::surfaces::mention::words;
    use crate::surfaces::toolset;

    /// Every endpoint, with and without writes.
    fn endpoints() -> Vec<Endpoint> {
        let toolsets = toolset::names().map(|name| format!("x/{name}"));
        let own = [
            "",
            "official",
            "official-36",
            "orchestrator",
            "compat",
            "legacy",
        ];
        let own = own.map(str::to_owned).into_iter().chain(toolsets);
        let both = own.flat_map(|name| [format!("{name}/readonly"), name]);
        both.map(|name| Endpoint::parse(&name).expect("an endpoint"))
            .collect()
    }

    #[test]
    fn instructions_name_only_tools_of_the_endpoint() {
        for endpoint in endpoints() {
            for is_simulated in [true, false] {
                let text = instructions(&endpoint, is_simulated);
                assert!(text.chars().count() <= LONGEST, "{}: {text}", endpoint.name);
                assert_eq!(text.starts_with("This is a sandbox"), is_simulated);
                for word in words(&text).filter(|word| !word.starts_with('_')) {
                    let is_class = ["unknown_outcome", "needs_confirmation"].contains(&word);
                    let runs = Toolset::find(word).is_some_and(|tool| endpoint.has(tool));
                    assert!(
                        is_class || runs || endpoint.resolve(word).is_some(),
                        "{}: {word}",
                        endpoint.name
                    );
                }
            }
        }
    }

    /// If a list is not complete, the instructions name every tool that leads to the rest.
    #[test]
    fn instructions_explain_the_tools_that_call_many_operations() {
        for endpoint in endpoints() {
            let text = instructions(&endpoint, false);
            for listing in endpoint.list() {
                if let Listing::Meta(meta) = listing
                    && (meta.calls.is_some() || meta.name.ends_with("_operation"))
                {
                    assert!(text.contains(meta.name), "{}: {}", endpoint.name, meta.name);
                }
            }
        }
    }
}

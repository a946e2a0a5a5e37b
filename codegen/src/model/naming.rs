//! Rules for names of tools and arguments, and their violations.

/// The names that clients accept: langchain, n8n and the model providers agree on this much
/// (`^[a-zA-Z_][a-zA-Z0-9_-]*$`, with room for a client's own prefix up to 64).
pub(crate) const LONGEST_TOOL_NAME: usize = 54;

/// The name by rule: `<document>_<operationId>`.
pub(crate) fn tool_name(document: &str, operation_id: &str) -> String {
    format!("{document}_{operation_id}")
}

/// What is wrong with a tool name, if anything.
pub(crate) fn tool_name_fault(name: &str) -> Option<&'static str> {
    let mut bytes = name.bytes();
    let first = bytes
        .next()
        .is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    let rest = bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    if !first || !rest {
        Some("is not a name that clients accept ([A-Za-z_][A-Za-z0-9_-]*)")
    } else if name.len() > LONGEST_TOOL_NAME {
        Some("is longer than 54 characters")
    } else {
        None
    }
}

/// What is wrong with an argument name, if anything.
pub(crate) fn argument_name_fault(name: &str) -> Option<&'static str> {
    let taken = (1..=64).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'));
    (!taken).then_some("is not a property name that clients accept ([A-Za-z0-9_.-]{1,64})")
}

/// Whether an argument of this name may name a tenant, so that its role must be declared.
pub(crate) fn may_name_tenant(wire_name: &str) -> bool {
    let plain: String = wire_name
        .chars()
        .filter(|letter| letter.is_ascii_alphanumeric())
        .map(|letter| letter.to_ascii_lowercase())
        .collect();
    let names_id = |tenant: &str| {
        let rest = plain.split_once(tenant).map(|(_, rest)| rest);
        rest.is_some_and(|rest| rest.contains("id"))
    };
    ["location", "company", "agency"].into_iter().any(names_id)
        || plain == "altid"
        || plain == "locations"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_judged() {
        fn check(name: &str, taken: bool) {
            assert_eq!(tool_name_fault(name).is_none(), taken, "{name}");
        }
        check("contacts_get-contact", true);
        check("social-media-posting_get-post", true);
        check("a b", false);
        check("1a", false);
        check("", false);
        check(&"a".repeat(54), true);
        check(&"a".repeat(55), false);
    }

    #[test]
    fn tenants_are_recognised() {
        fn check(name: &str, tenant: bool) {
            assert_eq!(may_name_tenant(name), tenant, "{name}");
        }
        check("locationId", true);
        check("location_id", true);
        check("share_location_id", true);
        check("locationIds", true);
        check("companyId", true);
        check("agencyId", true);
        check("agencyName", false);
        check("altId", true);
        check("contactId", false);
        check("companyName", false);
        check("location", false);
        check("overrideLocationConfig", false);
    }
}

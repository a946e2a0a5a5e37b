//! Tools that are the same operation under two names: a rule on one of them binds both.

use std::collections::HashMap;
use std::sync::OnceLock;

use crate::generated::TOOLS;
use crate::runtime::tool::Tool;

/// What HighLevel's documents add to the name of the older of two.
const DEPRECATED: &str = "-deprecated";

/// The other tools that do what `tool` does.
pub fn twins(tool: &Tool) -> &'static [&'static Tool] {
    static ALL: OnceLock<HashMap<&str, Vec<&'static Tool>>> = OnceLock::new();
    let all = ALL.get_or_init(|| {
        let by_name: HashMap<&str, &'static Tool> =
            TOOLS.iter().map(|tool| (tool.name, tool)).collect();
        let mut all: HashMap<&str, Vec<&'static Tool>> = HashMap::new();
        for tool in TOOLS {
            let newer = tool.name.strip_suffix(DEPRECATED);
            if let Some(newer) = newer.and_then(|name| by_name.get(name)) {
                all.entry(tool.name).or_default().push(newer);
                all.entry(newer.name).or_default().push(tool);
            }
        }
        all
    });
    all.get(tool.name).map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::tests::tool;

    #[test]
    fn a_deprecated_form_is_the_twin_of_the_operation() {
        let names = |name| Vec::from_iter(twins(tool(name)).iter().map(|twin| twin.name));
        let (newer, older) = (
            "saas-api_pause-location",
            "saas-api_pause-location-deprecated",
        );
        assert_eq!(names(newer), [older]);
        assert_eq!(names(older), [newer]);
        assert_eq!(names("contacts_add-tags"), Vec::<&str>::new());
        let paired = TOOLS.iter().filter(|tool| !twins(tool).is_empty()).count();
        assert!(paired > 20, "{paired}");
    }
}

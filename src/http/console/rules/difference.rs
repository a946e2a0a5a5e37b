//! The effect of a section of rules on all operations, before it is saved.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::catalog::TOOLS;
use crate::http::pages::rules::DifferenceView;
use policy::{EffectiveRules, RulesVerdict};
use tool::Tool;

/// Most operations that are named for each change.
const MOST_NAMED: usize = 40;

/// `before` and `after`: the rules for a caller under the section.
pub(super) fn compare(before: &EffectiveRules<'_>, after: &EffectiveRules<'_>) -> DifferenceView {
    let now = Timestamp::now();
    let mut changes: BTreeMap<(RulesVerdict, RulesVerdict), Vec<&str>> = BTreeMap::new();
    let mut difference = DifferenceView {
        changes: Vec::new(),
        otherwise: 0,
        unchanged: 0,
    };
    for tool in TOOLS {
        let (was, is) = (before.verdict(tool).0, after.verdict(tool).0);
        if was != is {
            changes.entry((was, is)).or_default().push(tool.name);
        } else if further(before, tool, now) == further(after, tool, now) {
            difference.unchanged += 1;
        } else {
            difference.otherwise += 1;
        }
    }
    let named = changes.into_iter().map(|((was, is), tools)| {
        let some = tools.iter().take(MOST_NAMED);
        let some = some.map(|name| (*name).to_owned()).collect();
        (format!("{} → {}", was.text(), is.text()), tools.len(), some)
    });
    difference.changes = named.collect();
    difference
}

/// Facts besides the verdict: caps, arguments, quiet hours and the like.
fn further(rules: &EffectiveRules<'_>, tool: &Tool, now: Timestamp) -> Vec<String> {
    let text = rules.explain(tool, now);
    // The names of sections and the line of a verdict are no facts about the effect.
    let told = ["Sections", "Listed", "Confirm"];
    let mut is_told = false;
    let lines = text.lines().skip(1).filter(|line| {
        if !line.starts_with(' ') {
            is_told = told.iter().any(|name| line.starts_with(name));
        }
        !is_told
    });
    lines.map(str::to_owned).collect()
}

//! Sections of rules that the store keeps, beside those of the file: read, and known to calls as soon as they change.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::Pipeline;
use crate::catalog::TOOLS;
use policy::{Policy, StoredSection};
use state::StoreError;
use state::rule_sections::RuleSection;

/// From one look at the sections to the next.
const LOOK: Duration = Duration::from_millis(50);

/// As memory has them.
type KnownSections = Result<Vec<RuleSection>, StoreError>;

/// The rules with these sections. One that cannot be read, for it was written for another version, lets nothing through.
pub fn with_stored(rules: Policy, sections: &[RuleSection]) -> Policy {
    let read = sections.iter().map(|section| {
        let text = section.text.as_deref().unwrap_or_default();
        let read = StoredSection::parse(&section.name, text, TOOLS);
        if let Err(problems) = &read {
            let (name, version) = (&section.name, section.version);
            let what = problems.first().map(|problem| problem.what.as_str());
            tracing::error!(
                name,
                version,
                what,
                "a section of rules cannot be read: it lets nothing through"
            );
        }
        (section.name.clone(), read.ok())
    });
    rules.with_stored(read)
}

impl Pipeline {
    /// Has calls know which sections the store keeps, for as long as the process lives: what any process changes is known
    /// within 0.2 seconds. Where they cannot be read, those that were known go on.
    pub async fn follow_rules(self) {
        let mut known: Option<(Arc<Policy>, Arc<KnownSections>)> = None;
        loop {
            let file_rules = Arc::clone(&self.snapshot().file_rules);
            let current = self.controls().rule_sections.current();
            // Settings that were read anew came with the sections of that moment, which may be another now.
            let is_known = known.as_ref().is_some_and(|(rules, sections)| {
                let is_same = || Arc::ptr_eq(sections, &current) || sections == &current;
                Arc::ptr_eq(rules, &file_rules) && is_same()
            });
            if let (false, Ok(sections)) = (is_known, current.as_ref()) {
                self.controls().replace_stored_rules(sections);
                known = Some((file_rules, current));
            }
            sleep(LOOK).await;
        }
    }
}

//! Explains the effect of the rules on one tool, for the person who writes them.

use std::fmt::Write;

use jiff::Timestamp;

use super::section::Section;
use super::selector::Class;
use super::{EffectiveRules, Mode};
use tool::{Effect, Tool};

impl EffectiveRules<'_> {
    /// The explanation in lines: the sections that apply, and the effect of each on the tool.
    pub fn explain(&self, tool: &Tool, now: Timestamp) -> String {
        let bulk = if tool.bulk { ", bulk" } else { "" };
        let mut text = format!("{} ({}{bulk})\n", tool.name, tool.effect.name());
        let places: Vec<&str> = self.sections().map(|one| one.place.as_str()).collect();
        line(&mut text, "Sections", &places.join(", "));
        let listed = match self.shows(tool) {
            Ok(()) => self.allowing(tool),
            Err(denied) => format!("no, by {}", denied.rule),
        };
        line(&mut text, "Listed", &listed);
        let shown = |can_ask: bool| {
            let (mode, rule) = self.confirmation(tool, can_ask);
            let also = match mode {
                Mode::Off => "no confirmation",
                Mode::Refuse => "never let through",
                _ => mode.name(),
            };
            format!("{also}, by {rule}")
        };
        let mut confirmed = vec![shown(true)];
        let cannot = shown(false);
        if !confirmed.contains(&cannot) {
            confirmed.push(format!("where the client cannot ask its user: {cannot}"));
        }
        lines(&mut text, "Confirm", confirmed);
        let caps = self.caps(tool).into_iter().map(|cap| cap.rule);
        lines(&mut text, "Caps", caps.collect());
        if let Some(most) = self.preview_above().filter(|_| Class::Send.holds(tool)) {
            let what = format!("a batch of more than {most} is shown and confirmed first");
            line(&mut text, "Preview", &what);
        }
        if let Some((mode, rule)) = self.confirmation_of_many(tool, 2, true) {
            let what = format!("{} where one request does several, by {rule}", mode.name());
            line(&mut text, "Many", &what);
        }
        if tool.effect != Effect::Read && !self.lockdown_lines().is_empty() {
            lines(&mut text, "Lockdown", self.lockdown_lines());
        }
        let held = |section: &Section| {
            let constraints = section.constraints.iter();
            let binding = constraints.filter(|one| one.binds(tool));
            binding
                .map(|one| format!("{}: {}", one.rule, one.wanted(tool)))
                .collect::<Vec<_>>()
        };
        lines(
            &mut text,
            "Arguments",
            self.sections().flat_map(held).collect(),
        );
        lines(&mut text, "Quiet", self.quiet_lines(tool, now));
        text
    }

    fn allowing(&self, tool: &Tool) -> String {
        let rules: Vec<String> = self
            .sections()
            .filter_map(|section| {
                let rule = section
                    .allow
                    .as_ref()?
                    .iter()
                    .find(|one| one.admits(tool))?;
                Some(format!("{} allow {rule}", section.place))
            })
            .collect();
        if rules.is_empty() {
            "yes".to_owned()
        } else {
            format!("yes, by {}", rules.join(" and "))
        }
    }

    fn quiet_lines(&self, tool: &Tool, now: Timestamp) -> Vec<String> {
        if !super::is_held_back(tool) {
            return Vec::new();
        }
        self.quiet()
            .map(|(section, quiet)| {
                let local = quiet.local(now);
                let holds = if quiet.holds(now) {
                    "holds"
                } else {
                    "does not hold"
                };
                format!("{} quiet {quiet}: {holds} now, at {local}", section.place)
            })
            .collect()
    }
}

fn line(text: &mut String, name: &str, what: &str) {
    // Writing to a String never fails.
    let _ = writeln!(text, "{name:<10}{what}");
}

fn lines(text: &mut String, name: &str, whats: Vec<String>) {
    if whats.is_empty() {
        line(text, name, "none");
    }
    for (index, what) in whats.iter().enumerate() {
        line(text, if index == 0 { name } else { "" }, what);
    }
}

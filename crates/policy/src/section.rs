//! One section of the file, and the tools that it shows.

use std::collections::BTreeMap;

use super::Denial;
use super::caps::CapWindow;
use super::class_mode::ClassMode;
use super::constraint::Constraint;
use super::lockdown::Lockdown;
use super::quiet::Quiet;
use super::selector::{Class, Selector};
use tool::{Effect, Tool};

/// Rules that apply together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Section {
    /// Such as `[locations.acme]`.
    pub place: String,
    pub deny: Vec<Selector>,
    pub allow: Option<Vec<Selector>>,
    pub read_only: bool,
    pub confirm: BTreeMap<Class, ClassMode>,
    pub caps: BTreeMap<Class, Vec<(CapWindow, u32)>>,
    pub quiet: Option<Quiet>,
    pub constraints: Vec<Constraint>,
    /// A batch of more sends than this is previewed; 0 is off.
    pub preview_above: Option<u32>,
    /// The confirmation after a read of other people's words.
    pub lockdown: Option<Lockdown>,
    /// The confirmation of one request that changes or sends more than one thing.
    pub many: Option<ClassMode>,
    /// The caller chose it, not the operator.
    pub is_callers: bool,
    /// It is stored: it adds to the file's requirements, and weakens none.
    pub is_stored: bool,
}

impl Section {
    /// The empty section at `place`.
    pub(crate) fn empty(place: &str) -> Self {
        Self {
            place: place.to_owned(),
            ..Self::default()
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        !self.hides_anything()
            && self.confirm.is_empty()
            && self.caps.is_empty()
            && self.quiet.is_none()
            && self.constraints.is_empty()
            && self.preview_above.is_none()
            && self.lockdown.is_none()
            && self.many.is_none()
    }

    /// Whether it removes any tool from a list.
    pub(crate) fn hides_anything(&self) -> bool {
        self.read_only || self.allow.is_some() || !self.deny.is_empty()
    }

    /// Whether the tool may be listed, which does not depend on arguments or the time of day.
    pub(crate) fn shows(&self, tool: &Tool) -> Result<(), Denial> {
        let denied = |key: &str, what: String| {
            Err(Denial {
                rule: format!("{} {key}", self.place),
                what,
                retry_after: None,
                is_callers: self.is_callers,
            })
        };
        let (name, effect) = (tool.name, tool.effect.name());
        if let Some(rule) = self.deny.iter().find(|rule| rule.matches(tool)) {
            return denied(
                &format!("deny {rule}"),
                format!("The operator denies {name} here."),
            );
        }
        if self.read_only && tool.effect != Effect::Read {
            let whose = match self.is_callers {
                true => "This connection may only read",
                false => "Only reading is allowed here",
            };
            return denied(
                "read_only",
                format!("{whose}, and the effect of {name} is {effect}."),
            );
        }
        match &self.allow {
            Some(allow) if !allow.iter().any(|rule| rule.admits(tool)) => denied(
                "allow",
                format!("{name} is not among what the operator allows here."),
            ),
            _ => Ok(()),
        }
    }
}

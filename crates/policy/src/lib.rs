//! What the operator allows to whom: the rules of one file, for the server, for a location and for an access key. The
//! crate is given tools, texts and times. It has no clock, no files and no list of tools of its own.
//!
//! A call must pass every section that applies to it. Rules apply exactly to what they name: a rule on `tags` does not
//! cover `contact.tags`, and `none_of` does not stop somebody who wants to get past it; `one_of` does.

mod after_strangers;
mod argument;
mod caps;
mod class_mode;
mod constraint;
mod explain;
mod file;
mod lockdown;
mod named;
mod problems;
mod quiet;
mod section;
mod selector;
mod stored;
mod verdict;

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

pub use caps::{Cap, CapWindow};
use class_mode::ClassMode;
pub use named::{BuiltInRules, MOST_NAMED, NamedRules};
pub use problems::PolicyErrors;
use quiet::Quiet;
use section::Section;
pub use selector::Class;
pub use stored::{LONGEST_SECTION, SectionProblem, StoredSection};
pub use verdict::RulesVerdict;

use tool::Arguments;
use tool::{Effect, Tool};

/// The rules of a file. The default has none.
#[derive(Clone, Debug)]
pub struct Policy {
    server: Section,
    locations: BTreeMap<String, Section>,
    named: BTreeMap<String, Section>,
    /// Stored sections, for names that the file does not have.
    stored: BTreeMap<String, Section>,
    /// The section for a named policy that does not exist. It allows nothing.
    absent: Section,
    defaults: PolicyDefaults,
}

/// The limits of the settings where the file has none; 0 is off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PolicyDefaults {
    /// Most sends in any hour and location, if no applicable section sets `caps.send`.
    pub sends_per_hour: u32,
    /// A batch of more sends than this is previewed and confirmed.
    pub preview_above: u32,
}

/// The confirmation of a call before it is sent, from the weakest to the strictest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    Off,
    /// The client asks its user. A client that cannot is refused, unless a section sets another mode for it.
    Elicit,
    /// A second call with the token of the first.
    Token,
    /// A person approves it elsewhere.
    Human,
    Refuse,
}

/// The sections that apply to one call.
#[derive(Clone, Copy, Debug)]
pub struct EffectiveRules<'a> {
    server: &'a Section,
    location: Option<&'a Section>,
    named: [Option<&'a Section>; MOST_NAMED],
    defaults: PolicyDefaults,
}

/// The reason that a call may not be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} The rule: {rule}.")]
pub struct Denial {
    /// Such as `[locations.acme] deny "effect:send"`.
    pub rule: String,
    /// A sentence for the caller.
    pub what: String,
    /// The time until the same call may pass, if it only has to wait.
    pub retry_after: Option<Duration>,
    /// The caller itself chose the rule when it was connected; the person who did so can change that.
    pub is_callers: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            server: Section::empty("[server]"),
            locations: BTreeMap::new(),
            named: BTreeMap::new(),
            stored: BTreeMap::new(),
            absent: Section {
                allow: Some(Vec::new()),
                ..Section::empty("[policies] (this key's policy is not in the file)")
            },
            defaults: PolicyDefaults::default(),
        }
    }
}

impl Denial {
    /// The refusal for a caller that HighLevel has not verified: it names no location, section or rule.
    pub fn anonymous(&self) -> String {
        "The server's rules do not allow this here.".to_owned()
    }
}

impl Policy {
    /// The same rules with the limits of the settings.
    pub fn with_defaults(self, defaults: PolicyDefaults) -> Self {
        Self { defaults, ..self }
    }

    /// The default cap on sends, for the log at the start; `None` if it is off.
    pub fn default_cap(&self) -> Option<String> {
        let most = self.defaults.sends_per_hour;
        (most > 0).then(|| {
            format!(
                "at most {most} sends per hour and location if the rules name no caps.send; the setting \
                 policy.sends_per_hour changes this"
            )
        })
    }

    /// Whether there are no rules at all.
    pub fn is_empty(&self) -> bool {
        self.server.is_empty() && self.locations.is_empty() && self.named.is_empty()
    }

    /// Whether every section is empty.
    pub fn has_no_rule(&self) -> bool {
        self.all_sections().all(Section::is_empty)
    }

    /// Whether lists may differ between callers.
    pub fn hides_anything(&self) -> bool {
        self.all_sections().any(Section::hides_anything)
    }

    /// The aliases that have rules of their own.
    pub fn location_names(&self) -> impl Iterator<Item = &str> {
        self.locations.keys().map(String::as_str)
    }

    /// Whether the file has rules for the location of this alias.
    pub fn has_location(&self, alias: &str) -> bool {
        self.locations.contains_key(alias)
    }

    /// The policies that access keys may name.
    pub fn policy_names(&self) -> impl Iterator<Item = &str> {
        let stored = self.stored.keys();
        let stored = stored.filter(|name| !self.named.contains_key(*name));
        self.named.keys().chain(stored).map(String::as_str)
    }

    pub fn has_policy(&self, name: &str) -> bool {
        self.named.contains_key(name) || self.stored.contains_key(name)
    }

    /// Whether these rules, beside any others, can only take rights away. A section that caps sends replaces the
    /// settings' own cap.
    pub fn only_takes_away(&self, rules: &NamedRules) -> bool {
        match rules {
            NamedRules::BuiltIn(_) | NamedRules::Installed => true,
            NamedRules::Section(name) => {
                let section = self.named.get(name).unwrap_or(&self.absent);
                !section.caps.contains_key(&Class::Send)
            }
        }
    }

    /// The sections that apply to a location, by its alias, and to a key, by the name of its policy. A policy that does
    /// not exist allows nothing.
    pub fn over(&self, location: Option<&str>, named: Option<&str>) -> EffectiveRules<'_> {
        let named = named.map(|name| self.section_called(name));
        self.over_sections(location, named)
    }

    /// The same for a caller with several named rules, all of which apply.
    pub fn over_all<'a>(
        &'a self,
        location: Option<&str>,
        named: impl IntoIterator<Item = &'a NamedRules>,
    ) -> EffectiveRules<'a> {
        let sections = named.into_iter().map(|rules| match rules {
            NamedRules::BuiltIn(rules) => rules.section(),
            NamedRules::Section(name) => self.section_called(name),
            NamedRules::Installed => BuiltInRules::installed(),
        });
        self.over_sections(location, sections)
    }

    fn over_sections<'a>(
        &'a self,
        location: Option<&str>,
        sections: impl IntoIterator<Item = &'a Section>,
    ) -> EffectiveRules<'a> {
        let mut named = [None; MOST_NAMED];
        let mut sections = sections.into_iter();
        for (place, section) in named.iter_mut().zip(&mut sections) {
            *place = Some(section);
        }
        // Too many rules must not bypass any.
        if sections.next().is_some() {
            named = [Some(&self.absent); MOST_NAMED];
        }
        EffectiveRules {
            server: &self.server,
            location: location.and_then(|alias| self.locations.get(alias)),
            named,
            defaults: self.defaults,
        }
    }
}

/// The source of a tool's confirmation.
enum ModeOrigin<'a> {
    Section(&'a Section, Class),
    /// One request does more than one thing.
    Many(&'a Section),
    /// The tool acts on a person's login.
    Person,
    Default(Class),
    NoEffect,
}

impl ModeOrigin<'_> {
    fn text(&self, tool: &Tool) -> String {
        match self {
            Self::Section(section, class) => {
                let mode = section.confirm.get(class).map(|mode| mode.text());
                let (place, mode) = (&section.place, mode.unwrap_or_default());
                format!("{place} confirm {} = {mode:?}", class.name())
            }
            Self::Many(section) => {
                let mode = section.many.map(ClassMode::text).unwrap_or_default();
                format!("{} many = {mode:?}", section.place)
            }
            Self::Person => format!("the default for {}", tool.name),
            Self::Default(class) => format!("the default for {}", class.name()),
            Self::NoEffect => "a tool without an effect".to_owned(),
        }
    }
}

impl<'a> EffectiveRules<'a> {
    /// Whether the tool may be listed and found, which does not depend on arguments or the time of day.
    pub fn shows(&self, tool: &Tool) -> Result<(), Denial> {
        self.sections().try_for_each(|section| section.shows(tool))
    }

    /// Whether lists may be shorter than without rules.
    pub fn hides_anything(&self) -> bool {
        self.sections().any(Section::hides_anything)
    }

    /// Whether the call may be made now, with the arguments that it will send. `tool` is the called variant.
    /// Confirmation and caps are checked later.
    pub fn permits(
        &self,
        tool: &Tool,
        arguments: &Arguments,
        now: impl FnOnce() -> Timestamp,
    ) -> Result<(), Denial> {
        self.shows(tool)?;
        for section in self.sections() {
            for constraint in &section.constraints {
                constraint.check(tool, arguments)?;
            }
        }
        if !is_held_back(tool) {
            return Ok(());
        }
        let now = now();
        match self.quiet_at(now) {
            Some((section, quiet)) => Err(self.too_quiet(section, quiet, now)),
            None => Ok(()),
        }
    }

    /// The strictest confirmation that any section or default requires, and its source. A default applies if `[server]`
    /// does not name the class: a location or a key can add to it, but not weaken it. `can_ask`: the client can ask its
    /// user.
    pub fn confirmation(&self, tool: &Tool, can_ask: bool) -> (Mode, String) {
        self.confirmation_of_call(tool, tool.asks_person, can_ask)
    }

    /// The same for a call about which a person decides, if `[server]` does not name the class.
    pub fn confirmation_of_call(
        &self,
        tool: &Tool,
        asks_person: bool,
        can_ask: bool,
    ) -> (Mode, String) {
        let (mode, origin) = self.strictest(tool, asks_person, can_ask);
        (mode, origin.text(tool))
    }

    /// The confirmation of one request that changes or sends `count` things by `tool`, beside that of each of its
    /// calls; `None` if the sections require none.
    pub fn confirmation_of_many(
        &self,
        tool: &Tool,
        count: usize,
        can_ask: bool,
    ) -> Option<(Mode, String)> {
        if count < 2 || tool.effect == Effect::Read {
            return None;
        }
        let asked = self
            .many()
            .map(|(section, mode)| (mode.of_client(can_ask), section));
        let (mode, section) = asked.max_by_key(|(mode, _)| *mode)?;
        Some((mode, ModeOrigin::Many(section).text(tool)))
    }

    /// Whether the operator's own rules, or the defaults without any, require a person's approval of the call, alone or
    /// as one of many. The caller's own choices are left out.
    pub fn operator_asks_person(&self, tool: &Tool, asks_person: bool, can_ask: bool) -> bool {
        let named = self
            .named
            .map(|section| section.filter(|one| !one.is_callers));
        let operators = Self { named, ..*self };
        let many = operators.confirmation_of_many(tool, 2, can_ask);
        let alone = (
            operators.strictest(tool, asks_person, can_ask).0,
            String::new(),
        );
        let (mode, _) = operators.after_strangers(alone, Duration::ZERO, can_ask);
        many.map_or(mode, |(many, _)| mode.max(many)) >= Mode::Human
    }

    /// Whether a call needs no confirmation, whatever its client can do. Every call checks this.
    pub fn asks_nobody(&self, tool: &Tool) -> bool {
        self.strictest(tool, tool.asks_person, true).0 == Mode::Off
    }

    fn strictest(&self, tool: &Tool, asks_person: bool, can_ask: bool) -> (Mode, ModeOrigin<'a>) {
        let asked = |section: &'a Section, class: Class| {
            let mode = section.confirm.get(&class)?.of_client(can_ask);
            Some((mode, ModeOrigin::Section(section, class)))
        };
        let usual = |class: Class| match asked(self.server, class) {
            Some(asked) => asked,
            None if class != Class::Bulk && asks_person => (Mode::Human, ModeOrigin::Person),
            // Rules can apply to a read of many records. By default it asks nobody.
            None if tool.effect == Effect::Read => {
                (Mode::usual(Class::Read), ModeOrigin::Default(Class::Read))
            }
            None => (Mode::usual(class), ModeOrigin::Default(class)),
        };
        let further = self.location.into_iter();
        let further = further.chain(self.named.into_iter().flatten());
        let further = further
            .flat_map(|section| Class::all_of(tool).filter_map(move |class| asked(section, class)));
        let many = self.many().filter(|_| tool.bulk);
        let many = many.filter(|_| tool.effect != Effect::Read);
        let many = many.map(|(section, mode)| (mode.of_client(can_ask), ModeOrigin::Many(section)));
        let all = Class::all_of(tool).map(usual).chain(further).chain(many);
        all.max_by_key(|(mode, _)| *mode)
            .unwrap_or((Mode::Refuse, ModeOrigin::NoEffect))
    }

    /// The caps that a call of the tool counts under, including reads and single pages of a list.
    pub fn caps(&self, tool: &Tool) -> Vec<Cap> {
        let mut caps = self.caps_of_sections(tool);
        let most = self.defaults.sends_per_hour;
        let mut sections = self.sections();
        if most > 0
            && Class::Send.holds(tool)
            // Neither a caller's own choice nor a stored section may weaken it.
            && !sections.any(|one| !one.is_callers && !one.is_stored && one.caps.contains_key(&Class::Send))
        {
            caps.push(Cap::by_setting(most));
        }
        caps
    }

    /// A batch of more sends than this is previewed and confirmed, on every surface: the smallest number in the
    /// settings or a section. `None`: no limit.
    pub fn preview_above(&self) -> Option<usize> {
        let numbers = self.sections().filter_map(|section| section.preview_above);
        let smallest = std::iter::once(self.defaults.preview_above)
            .chain(numbers)
            .filter(|most| *most > 0)
            .min()?;
        usize::try_from(smallest).ok()
    }

    fn caps_of_sections(&self, tool: &Tool) -> Vec<Cap> {
        self.sections()
            .flat_map(|section| {
                let caps = section.caps.iter().filter(|(class, _)| class.holds(tool));
                caps.flat_map(move |(class, windows)| {
                    let cap = |(window, most): &(CapWindow, u32)| {
                        let mut cap = Cap::new(&section.place, *class, *window, *most);
                        cap.is_callers = section.is_callers;
                        cap
                    };
                    windows.iter().map(cap)
                })
            })
            .collect()
    }

    fn sections(&self) -> impl Iterator<Item = &'a Section> + Clone {
        std::iter::once(self.server)
            .chain(self.location)
            .chain(self.named.into_iter().flatten())
    }

    fn many(&self) -> impl Iterator<Item = (&'a Section, ClassMode)> {
        self.sections()
            .filter_map(|section| Some((section, section.many?)))
    }

    fn quiet(&self) -> impl Iterator<Item = (&'a Section, &'a Quiet)> + Clone {
        self.sections()
            .filter_map(|section| Some((section, section.quiet.as_ref()?)))
    }

    /// The quiet hours that apply now.
    fn quiet_at(&self, now: Timestamp) -> Option<(&'a Section, &'a Quiet)> {
        self.quiet().find(|(_, quiet)| quiet.holds(now))
    }

    fn too_quiet(&self, section: &Section, quiet: &Quiet, now: Timestamp) -> Denial {
        let end = quiet::end(self.quiet().map(|(_, quiet)| quiet), now);
        let again = match end {
            Some(end) => format!("from {} on it may be", quiet.local(end)),
            None => "the quiet hours of all rules together leave no time for it".to_owned(),
        };
        Denial {
            rule: format!("{} quiet", section.place),
            what: format!("Nothing is sent {quiet}; {again}."),
            is_callers: false,
            retry_after: end.and_then(|end| Duration::try_from(end.duration_since(now)).ok()),
        }
    }
}

/// Whether quiet hours apply to the tool.
fn is_held_back(tool: &Tool) -> bool {
    tool.effect == Effect::Send
}

impl Mode {
    pub const ALL: [Self; 5] = [
        Self::Off,
        Self::Elicit,
        Self::Token,
        Self::Human,
        Self::Refuse,
    ];

    /// Its name in the file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Elicit => "elicit",
            Self::Token => "token",
            Self::Human => "human",
            Self::Refuse => "refuse",
        }
    }

    /// The confirmation if the file sets none.
    fn usual(class: Class) -> Self {
        match class {
            Class::Read | Class::Write | Class::Send => Self::Off,
            Class::Money | Class::Destructive | Class::Bulk => Self::Token,
        }
    }
}

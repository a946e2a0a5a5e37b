//! What the operator lets whom do: the rules of one file, for the server, for a location and for an access key. It is
//! given tools, texts and times, and has no clock, no files and no list of tools of its own.
//!
//! A call must pass every section that holds for it. Rules bind exactly what they name: a rule on `tags` says
//! nothing of `contact.tags`, and `none_of` is no match for somebody who wants past it; `one_of` is.

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
    /// Of a store, for names that the file does not have.
    stored: BTreeMap<String, Section>,
    /// Stands for a named policy that there is not, and lets nothing through.
    absent: Section,
    defaults: PolicyDefaults,
}

/// What the settings hold calls to where the file says nothing; 0 is off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PolicyDefaults {
    /// Most sends in any hour and location, where no section that holds names `caps.send`.
    pub sends_per_hour: u32,
    /// A batch of more sends than this is previewed and confirmed.
    pub preview_above: u32,
}

/// How a call is confirmed before it is sent, from the weakest to the strictest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    Off,
    /// The client asks its user; one that cannot is refused, unless a section says what holds for it instead.
    Elicit,
    /// A second call with the token of the first.
    Token,
    /// A person lets it through elsewhere.
    Human,
    Refuse,
}

/// The sections that hold for one call.
#[derive(Clone, Copy, Debug)]
pub struct EffectiveRules<'a> {
    server: &'a Section,
    location: Option<&'a Section>,
    named: [Option<&'a Section>; MOST_NAMED],
    defaults: PolicyDefaults,
}

/// Why a call may not be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} The rule: {rule}.")]
pub struct Denial {
    /// Such as `[locations.acme] deny "effect:send"`.
    pub rule: String,
    /// A sentence for the caller.
    pub what: String,
    /// When the same call may pass, where time is what it lacks.
    pub retry_after: Option<Duration>,
    /// The caller itself chose the rule when it was connected; whoever did so can change that.
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
    /// The refusal for a caller that HighLevel has not proven: it names no location, section or rule.
    pub fn anonymous(&self) -> String {
        "The server's rules do not allow this here.".to_owned()
    }
}

impl Policy {
    /// The same rules over what the settings say.
    pub fn with_defaults(self, defaults: PolicyDefaults) -> Self {
        Self { defaults, ..self }
    }

    /// The default cap on sends, for the log at start; `None` where it is off.
    pub fn default_cap(&self) -> Option<String> {
        let most = self.defaults.sends_per_hour;
        (most > 0).then(|| {
            format!(
                "at most {most} sends an hour and location where the rules name no caps.send; \
                 the setting policy.sends_per_hour changes it"
            )
        })
    }

    /// Whether there are no rules at all.
    pub fn is_empty(&self) -> bool {
        self.server.is_empty() && self.locations.is_empty() && self.named.is_empty()
    }

    /// Whether no section says anything.
    pub fn has_no_rule(&self) -> bool {
        self.all_sections().all(Section::is_empty)
    }

    /// Whether somebody's list may be shorter than another's.
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

    /// Whether these rules, beside any others, let nothing more through. A section that caps sends stands in place of the
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

    /// The sections that hold for a location, by its alias, and for a key, by the name of its policy. A
    /// policy that there is not lets nothing through.
    pub fn over(&self, location: Option<&str>, named: Option<&str>) -> EffectiveRules<'_> {
        let named = named.map(|name| self.section_called(name));
        self.over_sections(location, named)
    }

    /// The same for a caller of several named rules, all of which hold.
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
        // Nobody gets past rules by having too many.
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

/// Where it stands how calls of a tool are confirmed.
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
    /// Whether the tool may be listed and found: what no argument and no time of day changes.
    pub fn shows(&self, tool: &Tool) -> Result<(), Denial> {
        self.sections().try_for_each(|section| section.shows(tool))
    }

    /// Whether lists may be shorter than they are without rules.
    pub fn hides_anything(&self) -> bool {
        self.sections().any(Section::hides_anything)
    }

    /// Whether the call may be made now, by the arguments that it will send. `tool` is the variant that is
    /// called. Confirmation and caps come after.
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

    /// The strictest confirmation that any section or default asks for, and where that stands. A default
    /// holds where `[server]` does not name the class: a location or a key adds to it and takes nothing off.
    /// `can_ask`: the client can ask its user.
    pub fn confirmation(&self, tool: &Tool, can_ask: bool) -> (Mode, String) {
        let (mode, origin) = self.strictest(tool, can_ask);
        (mode, origin.text(tool))
    }

    /// What the sections ask of one request that changes or sends `count` things by `tool`, beside what they ask of each
    /// of its calls; `None` where they ask nothing.
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

    /// Whether the operator's own rules, or what holds without any, have a person let the call through, be it by itself or
    /// as one of many. What the caller chose for itself is left out.
    pub fn operator_asks_person(&self, tool: &Tool, can_ask: bool) -> bool {
        let named = self
            .named
            .map(|section| section.filter(|one| !one.is_callers));
        let operators = Self { named, ..*self };
        let many = operators.confirmation_of_many(tool, 2, can_ask);
        let alone = (operators.strictest(tool, can_ask).0, String::new());
        let (mode, _) = operators.after_strangers(alone, Duration::ZERO, can_ask);
        many.map_or(mode, |(many, _)| mode.max(many)) >= Mode::Human
    }

    /// Whether a call needs no confirmation, whatever its client can: every call asks that.
    pub fn asks_nobody(&self, tool: &Tool) -> bool {
        self.strictest(tool, true).0 == Mode::Off
    }

    fn strictest(&self, tool: &Tool, can_ask: bool) -> (Mode, ModeOrigin<'a>) {
        let asked = |section: &'a Section, class: Class| {
            let mode = section.confirm.get(&class)?.of_client(can_ask);
            Some((mode, ModeOrigin::Section(section, class)))
        };
        let usual = |class: Class| match asked(self.server, class) {
            Some(asked) => asked,
            None if class != Class::Bulk && tool.asks_person => (Mode::Human, ModeOrigin::Person),
            // Rules bind a read of many records; by itself it asks nobody.
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

    /// The caps that a call of the tool counts under, reads and single pages of a list among them.
    pub fn caps(&self, tool: &Tool) -> Vec<Cap> {
        let mut caps = self.caps_of_sections(tool);
        let most = self.defaults.sends_per_hour;
        let mut sections = self.sections();
        if most > 0
            && Class::Send.holds(tool)
            // What a caller chose for itself takes nothing off, nor does what stands in the store.
            && !sections.any(|one| !one.is_callers && !one.is_stored && one.caps.contains_key(&Class::Send))
        {
            caps.push(Cap::by_setting(most));
        }
        caps
    }

    /// A batch of more sends than this is previewed and confirmed, whatever its surface: the smallest number that
    /// the settings or a section say. `None`: however many.
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

    /// The quiet hours of this moment.
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

/// Whether quiet hours are about the tool.
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

    /// As it stands in the file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Elicit => "elicit",
            Self::Token => "token",
            Self::Human => "human",
            Self::Refuse => "refuse",
        }
    }

    /// What is asked where the file says nothing.
    fn usual(class: Class) -> Self {
        match class {
            Class::Read | Class::Write | Class::Send => Self::Off,
            Class::Money | Class::Destructive | Class::Bulk => Self::Token,
        }
    }
}

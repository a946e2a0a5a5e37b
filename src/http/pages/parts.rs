//! The parts of the console, and who sees each.

/// A part of the console.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) enum Part {
    Home,
    Connect,
    Approvals,
    Connections,
    Locations,
    Tools,
    People,
    Keys,
    Clients,
    Audit,
    Usage,
    Live,
    Pause,
    Rules,
}

/// The address and the name of a part.
pub(super) struct PartLink {
    pub part: Part,
    pub path: &'static str,
    pub name: &'static str,
    pub is_for_operators: bool,
}

/// The most frequently needed first.
pub(super) const PARTS: &[PartLink] = &[
    everybody(Part::Home, "/console", "Home"),
    everybody(Part::Connect, "/console/connect", "Connect"),
    everybody(Part::Approvals, "/console/approvals", "Approvals"),
    everybody(Part::Connections, "/console/connections", "Connections"),
    everybody(Part::Locations, "/console/locations", "Sub-accounts"),
    everybody(Part::Tools, "/console/tools", "Try a tool"),
    operators(Part::People, "/console/people", "People"),
    operators(Part::Keys, "/console/keys", "Keys"),
    operators(Part::Clients, "/console/clients", "Assistants"),
    everybody(Part::Audit, "/console/audit", "Audit"),
    everybody(Part::Usage, "/console/usage", "Usage"),
    operators(Part::Live, "/console/live", "Live"),
    operators(Part::Rules, "/console/rules", "Rules"),
    operators(Part::Pause, "/console/pause", "Pause"),
];

const fn everybody(part: Part, path: &'static str, name: &'static str) -> PartLink {
    PartLink {
        part,
        path,
        name,
        is_for_operators: false,
    }
}

const fn operators(part: Part, path: &'static str, name: &'static str) -> PartLink {
    PartLink {
        is_for_operators: true,
        ..everybody(part, path, name)
    }
}

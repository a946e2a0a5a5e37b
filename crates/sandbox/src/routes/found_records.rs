//! Records of a location in the order of a list, of which a page is wanted.

use serde_json::Value;

use crate::call::SandboxCall;
use crate::kind_records::NewestFirst;
use crate::state::{RecordKind, Records};

/// The location's records of a kind by a date that the sandbox gave.
pub(super) fn newest_first<'s>(
    state: &'s Records,
    kind: RecordKind,
    location: &str,
    date: &'static str,
) -> impl Iterator<Item = &'s Value> {
    let found = state.newest_first(kind, location, date);
    found.into_iter().flat_map(NewestFirst::iter)
}

/// Whether the call sets none of these filters. A status of `all` filters nothing.
pub(super) fn filters_nothing(call: &SandboxCall, filters: &[&str]) -> bool {
    filters.iter().all(|name| {
        call.query(name)
            .is_none_or(|value| (*name, value) == ("status", "all"))
    })
}

/// Records in the order of a list, of which a page is wanted.
pub(super) enum FoundRecords<'s> {
    /// A location's, none of which was looked at.
    All(Option<NewestFirst<'s>>),
    List(Vec<&'s Value>),
}

impl<'s> FoundRecords<'s> {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::All(found) => found.map_or(0, NewestFirst::len),
            Self::List(found) => found.len(),
        }
    }

    /// Where the record of that id stands.
    pub(super) fn position(&self, id: &str) -> Option<usize> {
        match self {
            Self::All(found) => found.as_ref()?.position(id),
            Self::List(found) => found.iter().position(|one| one["id"] == id),
        }
    }

    pub(super) fn iter(&self) -> Box<dyn Iterator<Item = &'s Value> + '_> {
        match self {
            Self::All(found) => Box::new((*found).into_iter().flat_map(NewestFirst::iter)),
            Self::List(found) => Box::new(found.iter().copied()),
        }
    }
}

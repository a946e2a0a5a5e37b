//! The holder of a pair of tokens.

use super::pair::Pair;
use crate::upstream::TenantId;

/// The party that the app is installed for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PairHolder {
    Company(TenantId),
    Location(TenantId),
}

impl PairHolder {
    pub(super) fn id(&self) -> &TenantId {
        match self {
            Self::Company(id) | Self::Location(id) => id,
        }
    }

    /// The noun for sentences.
    pub(super) fn noun(&self) -> &'static str {
        match self {
            Self::Company(_) => "company",
            Self::Location(_) => "location",
        }
    }

    /// HighLevel's word.
    pub(super) fn user_type(&self) -> &'static str {
        match self {
            Self::Company(_) => "Company",
            Self::Location(_) => "Location",
        }
    }

    /// Whether the pair's own data, if any, agrees.
    pub(super) fn fits(&self, pair: &Pair) -> bool {
        let member = match self {
            Self::Company(_) => "companyId",
            Self::Location(_) => "locationId",
        };
        let other = match self {
            Self::Company(_) => "Location",
            Self::Location(_) => "Company",
        };
        let is_kind = pair.other("userType") != Some(other);
        is_kind && pair.other(member).is_none_or(|id| id == self.id().as_str())
    }
}

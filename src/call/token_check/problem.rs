//! The reason that a token is not accepted, in words for the person who pasted it.

use std::time::Duration;

/// The reason that a token is not accepted. Nothing was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenProblem {
    /// It does not have the form of a token.
    Form,
    /// The given location is neither an id nor the address of a page.
    Location,
    /// Too many were tried from this address; the time until the next may be.
    Tries(Duration),
    /// HighLevel does not know it.
    Unknown,
    /// It belongs to the agency.
    Agency,
    /// It belongs to another location.
    Elsewhere,
    /// It allows none of these reads.
    Scopes(Vec<&'static str>),
    /// HighLevel did not answer, or not in time.
    NoAnswer,
}

impl TokenProblem {
    /// The problem and its remedy. `crm_name`: the person's name for HighLevel.
    pub fn sentence(&self, crm_name: &str) -> String {
        match self {
            Self::Form => format!(
                "This is not a private integration token. Such a token begins with pit- and has 40 characters. \
                 {crm_name} shows it only once, when it is created. If it is lost, create a new one."
            ),
            Self::Location => format!(
                "This is not a sub-account. Give the address of any page of the sub-account in {crm_name}, or its id."
            ),
            Self::Tries(wait) => {
                let wait = match wait.as_secs().div_ceil(60) {
                    0 | 1 => "a minute".to_owned(),
                    minutes => format!("{minutes} minutes"),
                };
                format!(
                    "Too many tokens were tried from here, so this one was not checked. Try again in {wait}."
                )
            }
            Self::Unknown => format!(
                "{crm_name} does not know this token. It may have been deleted or replaced, or not copied completely."
            ),
            Self::Agency => format!(
                "This token is for the whole agency. Create a token in the sub-account itself, under Settings → \
                 Private Integrations. Or sign in at {crm_name} to connect sub-accounts, if this page offers it."
            ),
            Self::Elsewhere => {
                "The token is valid but belongs to another sub-account than the address. Check the address, or create \
                 a token in that sub-account."
                    .to_owned()
            }
            Self::Scopes(tried) => format!(
                "The token is valid but has none of these permissions: {}. Edit the integration in {crm_name} under \
                 Settings → Private Integrations and tick some of them.",
                tried.join(", ")
            ),
            Self::NoAnswer => format!(
                "{crm_name} did not answer. Nothing was stored. Try again in a minute."
            ),
        }
    }
}

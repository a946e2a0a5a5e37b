//! What people wrote about operations in `openapi/tools/<document>.toml`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::Problem;

/// The tables of one file, by operationId.
pub type DocumentKnowledge = BTreeMap<String, OperationKnowledge>;

/// One operation's table. Every key is documented in `CONTRIBUTING.md`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperationKnowledge {
    /// Replaces `<document>_<operationId>`, which then stays as an alias.
    pub name: Option<String>,
    #[serde(default)]
    pub aliases: Vec<String>,
    pub title: String,
    pub description: String,
    pub effect: Effect,
    /// Why the effect is what it is; for reviewers, never shown to models.
    pub reason: Option<String>,
    #[serde(default)]
    pub bulk: bool,
    #[serde(default)]
    pub additive: bool,
    pub idempotent: Option<bool>,
    #[serde(default)]
    pub paging: Paging,
    #[serde(default)]
    pub arguments: BTreeMap<String, ArgumentKnowledge>,
    #[serde(default)]
    pub renames: Vec<Rename>,
}

/// What is known of one argument, by HighLevel's name for it, or of a field inside one, by its path.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArgumentKnowledge {
    pub text: Option<String>,
    pub name: Option<String>,
    #[serde(default)]
    pub aliases: Vec<String>,
    pub role: Option<TenantRole>,
    pub rule: Option<Rule>,
    pub date: Option<DateForm>,
    pub list: Option<ListStyle>,
    #[serde(default)]
    pub wide: bool,
    pub default_sent: Option<Value>,
    pub constant: Option<Value>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    Read,
    Write,
    Send,
    Money,
    Destructive,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TenantRole {
    None,
    Location,
    Company,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    Fill,
    Explicit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DateForm {
    EpochMs,
    EpochS,
    Date,
    MmDdYyyy,
    DateTime,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ListStyle {
    Comma,
    Repeated,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Rename {
    /// Path of the holder inside the body, such as `customFields[]`.
    pub within: String,
    pub from: String,
    pub to: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Paging {
    pub style: PagingStyle,
    pub page_size: Option<String>,
    /// Dotted path of the list in the answer.
    pub rows: Option<String>,
    pub narrow: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PagingStyle {
    #[default]
    None,
    Cursor,
    Page,
    Offset,
    LastId,
    Window,
}

impl PagingStyle {
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Cursor => "cursor",
            Self::Page => "page",
            Self::Offset => "offset",
            Self::LastId => "last-id",
            Self::Window => "window",
        }
    }
}

/// Reads one file's text.
pub fn parse(document: &str, text: &str) -> Result<DocumentKnowledge, Problem> {
    toml::from_str(text).map_err(|error| {
        Problem::in_document(
            document,
            format!("openapi/tools/{document}.toml"),
            error.to_string().trim_end().to_owned(),
            "correct the key or value there",
        )
    })
}

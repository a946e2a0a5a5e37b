//! What people wrote about operations in `openapi/tools/<document>.toml`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tool::{DateForm, Effect, ListStyle, PagingStyle, Rule, TokenClass};

use crate::error::Problem;

/// The tables of one file, by operationId.
pub type DocumentAnnotations = BTreeMap<String, OperationAnnotations>;

/// One operation's table. Every key is documented in `CONTRIBUTING.md`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperationAnnotations {
    /// Replaces `<document>_<operationId>`, which then stays as an alias.
    pub name: Option<String>,
    #[serde(default)]
    pub aliases: Vec<String>,
    pub title: String,
    pub description: String,
    /// Requests of people and agents in other words than title and description.
    #[serde(default)]
    pub phrases: Vec<String>,
    pub effect: Effect,
    /// The reason for the effect; for reviewers, never shown to models.
    pub reason: Option<String>,
    #[serde(default)]
    pub bulk: bool,
    #[serde(default)]
    pub additive: bool,
    pub idempotent: Option<bool>,
    /// A 2xx proves that the token belongs to the location in the request.
    #[serde(default)]
    pub proves: bool,
    /// The confirmer of a call if the rules name none.
    pub confirm: Option<Confirm>,
    /// The tool that is the same operation under another route.
    pub twin: Option<String>,
    /// The replacement, if HighLevel retires the operation and it has no twin.
    pub replaced_by: Option<String>,
    /// Optional arguments that are shown before the others.
    #[serde(default)]
    pub first: Vec<String>,
    #[serde(default)]
    pub paging: PagingAnnotation,
    /// Summary fields: the few that are shown of a row of the list, or of an answer that is one record; dotted paths.
    pub summary_fields: Option<Vec<String>>,
    /// A list of which HighLevel may silently drop parts, and where the answer shows the kept ones.
    pub read_back: Option<ReadBackAnnotation>,
    /// Arguments of which HighLevel needs at least one.
    #[serde(default)]
    pub at_least_one: Vec<String>,
    /// Arguments of which HighLevel accepts at most one.
    #[serde(default)]
    pub at_most_one: Vec<String>,
    /// The accepted class of token, if the document does not give it.
    pub token: Option<TokenClass>,
    /// Scopes, if neither document nor scope table gives any.
    #[serde(default)]
    pub scopes: Vec<String>,
    #[serde(default)]
    pub arguments: BTreeMap<String, ArgumentAnnotations>,
    /// The argument with the time zone of the call's own times.
    pub timezone: Option<String>,
    /// Start and end of each window of time: arguments, or fields inside them by dotted path.
    #[serde(default)]
    pub windows: Vec<[String; 2]>,
    #[serde(default)]
    pub renames: Vec<RenameAnnotation>,
}

/// Facts about one argument, by HighLevel's name for it, or about a field inside one, by its path.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArgumentAnnotations {
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
    /// A null empties it, although its document's schema does not say so.
    #[serde(default)]
    pub clear: bool,
    pub default_sent: Option<Value>,
    pub constant: Option<Value>,
}

/// The confirmer of a call if the rules name none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Confirm {
    /// A person, never the agent by a token that it was given.
    Human,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TenantRole {
    None,
    Location,
    Company,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RenameAnnotation {
    /// Path of the holder inside the body, such as `customFields[]`.
    pub within: String,
    pub from: String,
    pub to: String,
}

/// Items with an id, in a body field and in the answer.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ReadBackAnnotation {
    /// Argument.
    pub sent: String,
    /// Dotted path in the answer.
    pub found: String,
    /// Arguments that are single texts. The answer has them beside that list under the same names.
    #[serde(default)]
    pub texts: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct PagingAnnotation {
    pub style: PagingStyle,
    pub page_size: Option<String>,
    /// Dotted path of the list in the answer; empty if the answer is the list.
    pub rows: Option<String>,
    pub narrow: Option<String>,
    /// Argument that counts pages (`page`) or rows (`offset`).
    pub position: Option<String>,
    /// Number of the first page.
    pub first: Option<i64>,
    /// Arguments of the next page (`cursor`, `last-id`) with their paths in the answer. A number in a path is an index
    /// in a list, -1 the last.
    pub next: BTreeMap<String, String>,
    /// Path of the value that says whether there is more.
    pub more: Option<String>,
    /// Path of the total number of rows.
    pub total: Option<String>,
    /// How the list continues after the rows that page numbers reach.
    pub deep: Option<DeepPagingAnnotation>,
}

/// The argument that continues a list where page numbers end.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DeepPagingAnnotation {
    /// Rows that page numbers reach.
    pub rows: i64,
    /// The argument that replaces the page number.
    pub argument: String,
    /// Members of a row that may hold its value.
    pub members: Vec<String>,
}

/// Parses one file's text.
pub fn parse(document: &str, text: &str) -> Result<DocumentAnnotations, Problem> {
    toml::from_str(text).map_err(|error| Problem {
        document: Some(document.to_owned()),
        ..Problem::in_toml(format!("openapi/tools/{document}.toml"), &error)
    })
}

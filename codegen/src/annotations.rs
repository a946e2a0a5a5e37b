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
    /// How people and agents ask for it in other words than title and description.
    #[serde(default)]
    pub phrases: Vec<String>,
    pub effect: Effect,
    /// Why the effect is what it is; for reviewers, never shown to models.
    pub reason: Option<String>,
    #[serde(default)]
    pub bulk: bool,
    #[serde(default)]
    pub additive: bool,
    pub idempotent: Option<bool>,
    /// A 2xx shows that the token belongs to the location that the request names.
    #[serde(default)]
    pub proves: bool,
    /// Who confirms a call where the rules say nothing.
    pub confirm: Option<Confirm>,
    /// The tool that is the same operation under another route.
    pub twin: Option<String>,
    /// What to call instead, where HighLevel retires the operation and it has no twin.
    pub replaced_by: Option<String>,
    /// Arguments that are shown before the others that may be left out.
    #[serde(default)]
    pub first: Vec<String>,
    #[serde(default)]
    pub paging: PagingAnnotation,
    /// Summary fields: the few that are shown of a row of the list, or of the answer where it is one record; dotted paths.
    pub summary_fields: Option<Vec<String>>,
    /// A list that HighLevel may drop parts of without saying so, and where the answer shows what it kept.
    pub read_back: Option<ReadBackAnnotation>,
    /// Arguments of which HighLevel needs one or more.
    #[serde(default)]
    pub at_least_one: Vec<String>,
    /// Arguments of which HighLevel takes one.
    #[serde(default)]
    pub at_most_one: Vec<String>,
    /// The class of token that is taken, where the document does not say.
    pub token: Option<TokenClass>,
    /// Scopes, where neither document nor scope table names one.
    #[serde(default)]
    pub scopes: Vec<String>,
    #[serde(default)]
    pub arguments: BTreeMap<String, ArgumentAnnotations>,
    /// Argument that names the time zone of the call's own times.
    pub timezone: Option<String>,
    /// Start and end of each window of time: arguments, or fields inside them by their dotted path.
    #[serde(default)]
    pub windows: Vec<[String; 2]>,
    #[serde(default)]
    pub renames: Vec<RenameAnnotation>,
}

/// What is known of one argument, by HighLevel's name for it, or of a field inside one, by its path.
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
    /// A null empties it, which its document's schema does not say.
    #[serde(default)]
    pub clear: bool,
    pub default_sent: Option<Value>,
    pub constant: Option<Value>,
}

/// Who confirms a call where the rules say nothing.
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
    /// Arguments that are single texts, beside that list in the answer under the same names.
    #[serde(default)]
    pub texts: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct PagingAnnotation {
    pub style: PagingStyle,
    pub page_size: Option<String>,
    /// Dotted path of the list in the answer; empty where the answer is the list.
    pub rows: Option<String>,
    pub narrow: Option<String>,
    /// Argument that counts pages (`page`) or rows (`offset`).
    pub position: Option<String>,
    /// Number of the first page.
    pub first: Option<i64>,
    /// Arguments of the next page (`cursor`, `last-id`) and where the answer holds them; a number
    /// in the path is a place in a list, -1 its last.
    pub next: BTreeMap<String, String>,
    /// Path of what says whether there is more.
    pub more: Option<String>,
    /// Path of the number of all rows.
    pub total: Option<String>,
    /// How the list goes on behind the rows that page numbers reach.
    pub deep: Option<DeepPagingAnnotation>,
}

/// What leads on where page numbers end.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DeepPagingAnnotation {
    /// Rows that page numbers reach.
    pub rows: i64,
    /// Argument that takes the place of the page number.
    pub argument: String,
    /// Members of a row that may hold its value.
    pub members: Vec<String>,
}

/// Reads one file's text.
pub fn parse(document: &str, text: &str) -> Result<DocumentAnnotations, Problem> {
    toml::from_str(text).map_err(|error| Problem {
        document: Some(document.to_owned()),
        ..Problem::in_toml(format!("openapi/tools/{document}.toml"), &error)
    })
}

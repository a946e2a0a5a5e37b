//! The facts about one operation after document, repairs and annotations are joined.

use serde::Serialize;
use serde_json::Value;

use crate::annotations::{PagingAnnotation, ReadBackAnnotation, RenameAnnotation, TenantRole};
use tool::{DateForm, Effect, ListStyle, Media, Place, Rule, TokenClass};

/// One operation as a tool.
#[derive(Clone, Debug, Serialize)]
pub struct Operation {
    pub tool: String,
    pub aliases: Vec<String>,
    pub title: String,
    pub description: String,
    pub phrases: Vec<String>,
    pub toolsets: Vec<String>,
    /// The document in the tool's name.
    pub document: String,
    /// The document with the operation: the same, or one of v3 (`v3/contacts`).
    pub source: String,
    pub operation_id: String,
    pub method: String,
    pub path: String,
    pub version: String,
    pub deprecated: bool,
    pub effect: Effect,
    pub bulk: bool,
    pub additive: bool,
    pub idempotent: bool,
    /// A 2xx proves that the token belongs to the location in the request.
    pub proves: bool,
    /// A person confirms a call if the rules name no confirmer.
    pub asks_person: bool,
    /// Tools that are the same operation under another route.
    pub twins: Vec<String>,
    /// The replacement, if HighLevel retires the operation.
    pub replaced_by: Option<String>,
    pub paging: PagingAnnotation,
    /// Summary fields: the few that are shown of a row, or of the answer.
    pub summary_fields: Vec<String>,
    /// Every documented field of a row, or of the answer; empty if nothing is documented.
    pub answers: Vec<String>,
    pub read_back: Option<ReadBackAnnotation>,
    pub token: TokenClass,
    pub scopes: Vec<String>,
    pub access: Vec<String>,
    pub arguments: Vec<OperationArgument>,
    /// Fields inside arguments that name a tenant.
    pub inner_tenants: Vec<OperationTenant>,
    /// Fields inside arguments that hold a date or time.
    pub inner_dates: Vec<OperationDate>,
    /// The argument with the time zone of the call's own times.
    pub timezone: Option<String>,
    /// Start and end of each window of time.
    pub windows: Vec<[String; 2]>,
    pub renames: Vec<RenameAnnotation>,
    pub body: Body,
    pub media: Media,
    /// Media type of the documented answer; none if a success is documented without a body.
    pub answer_media: Option<String>,
    /// The v3 form of the operation.
    pub v3: V3Operation,
    /// It is the v3 variant of an older operation.
    #[serde(skip)]
    pub is_v3_variant: bool,
    /// JSON Schema 2020-12 that arguments must match.
    #[serde(skip)]
    pub check_schema: Value,
    /// The compact schema shown to clients.
    pub advertised_schema: Value,
}

/// One top-level argument.
#[derive(Clone, Debug, Serialize)]
pub struct OperationArgument {
    pub name: String,
    pub wire_name: String,
    pub aliases: Vec<String>,
    pub place: Place,
    /// HighLevel needs it, whether or not the caller must give it.
    pub required: bool,
    pub text: Option<String>,
    pub role: TenantRole,
    pub rule: Rule,
    pub date: Option<DateForm>,
    pub list: Option<ListStyle>,
    pub wide: bool,
    /// Sent if the caller gives none.
    pub default_sent: Option<Value>,
    /// Sent if the caller gives none, and not shown.
    pub constant: Option<Value>,
    /// Its value, or each value inside it, is a file to upload.
    pub file: bool,
    #[serde(skip)]
    pub schema: Value,
}

/// A field inside an argument that names a tenant.
#[derive(Clone, Debug, Serialize)]
pub struct OperationTenant {
    /// From the argument's name inwards, with `[]` for every item of a list.
    pub steps: Vec<String>,
    pub role: TenantRole,
}

/// A field inside an argument that holds a date or time.
#[derive(Clone, Debug, Serialize)]
pub struct OperationDate {
    /// From the argument's name inwards, with `[]` for every item of a list.
    pub steps: Vec<String>,
    pub form: DateForm,
}

/// The form of the request body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Body {
    None,
    /// A JSON object of the arguments in the body.
    Object {
        required: bool,
    },
    /// One argument is the body.
    Whole {
        required: bool,
    },
}

/// The v3 form of an operation of the older documents.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum V3Operation {
    /// None, or the operation is v3's own.
    #[default]
    None,
    /// The same request under this version.
    Same(String),
    Other(Box<Operation>),
}

/// Method and path of an operation without parameter names: its identity across documents.
pub fn key(method: &str, path: &str) -> String {
    let segments: Vec<&str> = path
        .split('/')
        .map(|segment| {
            if segment.starts_with('{') {
                "{}"
            } else {
                segment
            }
        })
        .collect();
    format!("{} {}", method.to_uppercase(), segments.join("/"))
}

//! What the pipeline knows of one operation once document, repairs and annotations are joined.

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
    /// The document whose name the tool bears.
    pub document: String,
    /// The document the operation stands in: the same, or one of v3 (`v3/contacts`).
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
    /// A 2xx shows that the token belongs to the location that the request names.
    pub proves: bool,
    /// A person confirms a call where the rules say nothing.
    pub asks_person: bool,
    /// Tools that are the same operation under another route.
    pub twins: Vec<String>,
    /// What to call instead, where HighLevel retires the operation.
    pub replaced_by: Option<String>,
    pub paging: PagingAnnotation,
    /// Summary fields: the few that are shown of a row, or of the answer.
    pub summary_fields: Vec<String>,
    /// Every documented field of a row, or of the answer; empty where nothing is documented.
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
    /// Argument that names the time zone of the call's own times.
    pub timezone: Option<String>,
    /// Start and end of each window of time.
    pub windows: Vec<[String; 2]>,
    pub renames: Vec<RenameAnnotation>,
    pub body: Body,
    pub media: Media,
    /// Media type of the documented answer; none where a success is documented without a body.
    pub answer_media: Option<String>,
    /// The same in v3.
    pub v3: V3Operation,
    /// It is the v3 variant of an older operation.
    #[serde(skip)]
    pub is_v3_variant: bool,
    /// JSON Schema 2020-12 that arguments must pass.
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
    /// Needed by HighLevel, whether or not the caller must give it.
    pub required: bool,
    pub text: Option<String>,
    pub role: TenantRole,
    pub rule: Rule,
    pub date: Option<DateForm>,
    pub list: Option<ListStyle>,
    pub wide: bool,
    /// Sent when the caller gives none.
    pub default_sent: Option<Value>,
    /// Sent when the caller gives none, and not shown.
    pub constant: Option<Value>,
    /// Its value, or each inside it, is a file to upload.
    pub file: bool,
    #[serde(skip)]
    pub schema: Value,
}

/// A field inside an argument that names a tenant.
#[derive(Clone, Debug, Serialize)]
pub struct OperationTenant {
    /// From the argument's name inwards, `[]` for every item of a list.
    pub steps: Vec<String>,
    pub role: TenantRole,
}

/// A field inside an argument that holds a date or time.
#[derive(Clone, Debug, Serialize)]
pub struct OperationDate {
    /// From the argument's name inwards, `[]` for every item of a list.
    pub steps: Vec<String>,
    pub form: DateForm,
}

/// How the request body is made up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Body {
    None,
    /// A JSON object of the arguments whose place is the body.
    Object {
        required: bool,
    },
    /// One argument is the body.
    Whole {
        required: bool,
    },
}

/// What v3 has of an operation of the older documents.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum V3Operation {
    /// Nothing, or the operation is v3's own.
    #[default]
    None,
    /// The same request under this version.
    Same(String),
    Other(Box<Operation>),
}

/// Method and path of an operation with parameter names erased: its identity across documents.
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

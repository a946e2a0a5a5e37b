//! The static data of a tool, which the generator writes and rules and server read.

mod arguments;
mod nearest;
mod strangers;

pub use arguments::{Arguments, UnusableArgument, Values};
pub use nearest::{LONGEST_NAME, edit_distance, first_names, name_words, nearest, nearest_shown};
pub use strangers::{StrangerFields, StrangerWords, is_meant};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Media type of nearly every documented answer.
pub const JSON: &str = "application/json";

/// One operation of HighLevel's API as a tool.
#[derive(Clone)]
pub struct Tool {
    /// The name clients call, `<document>_<operationId>` unless corrected.
    pub name: &'static str,
    /// Other names of this tool.
    pub aliases: &'static [&'static str],
    pub title: &'static str,
    pub description: &'static str,
    pub toolsets: &'static [&'static str],
    /// Stem of the operation's document, such as `contacts`.
    pub document: &'static str,
    pub operation_id: &'static str,
    /// Upper-case HTTP method.
    pub method: &'static str,
    /// Path template as documented, such as `/contacts/{contactId}`.
    pub path: &'static str,
    /// Value of the `Version` header.
    pub version: &'static str,
    pub effect: Effect,
    /// Touches many records in one call.
    pub bulk: bool,
    /// Only adds: nothing earlier is changed or lost.
    pub additive: bool,
    /// A second call with the same arguments changes nothing further.
    pub idempotent: bool,
    /// A 2xx proves that the token belongs to the location in the request: HighLevel checks it there.
    pub proves: bool,
    /// A person confirms a call if the rules name no confirmer: the operation creates or changes a login, shares an
    /// account, or gives a person's consent.
    pub asks_person: bool,
    /// Tools that are the same operation under an older or newer route; each names the other. A rule about one applies
    /// to all.
    pub twins: &'static [&'static str],
    /// HighLevel retires it.
    pub deprecated: bool,
    /// The tool to call instead, if known.
    pub replaced_by: Option<&'static str>,
    /// OAuth scopes from the document or HighLevel's scope table; empty if neither has any.
    pub scopes: &'static [&'static str],
    /// Security schemes of the document, such as `Location-Access`, which give the accepted token class.
    pub access: &'static [&'static str],
    pub arguments: &'static [Argument],
    /// Fields inside arguments that name a tenant.
    pub inner_tenants: &'static [InnerTenant],
    /// Fields inside arguments that hold a date or time.
    pub inner_dates: &'static [InnerDate],
    /// The argument with the time zone of the call's own times.
    pub timezone: Option<&'static str>,
    /// Arguments that are the start and the end of one window.
    pub windows: &'static [DateWindow],
    /// Renames inside the body, applied before the check.
    pub renames: &'static [Rename],
    pub paging: Paging,
    /// Summary fields: the few that are shown of a row of the list, or of the answer; dotted paths.
    pub summary_fields: &'static [&'static str],
    /// Every documented field of a row, or of the answer; empty if nothing is documented.
    pub answers: &'static [&'static str],
    pub read_back: Option<ReadBack>,
    pub token: TokenClass,
    /// The form of the body.
    pub media: Media,
    /// Media type of the documented answer; `None` if a success is documented without a body.
    pub answer_media: Option<&'static str>,
    /// JSON Schema for clients: less than the check accepts, in keywords that any client knows.
    pub advertised_schema: &'static str,
    /// JSON Schema that arguments must match before anything is sent.
    pub check_schema: &'static str,
    /// Index of the generated handler that builds its request.
    pub handler: usize,
    /// The same operation in HighLevel's v3.
    pub v3: V3Variant,
}

/// The v3 form of an operation of the older documents.
#[derive(Clone, Copy)]
pub enum V3Variant {
    /// None, or the operation is v3's own.
    None,
    /// The same request under this version.
    Same(&'static str),
    /// Another request for the same tool and the same argument names.
    Other(&'static Tool),
}

/// The version in which an operation is called, if HighLevel has it in both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VersionPreference {
    /// The version that the older document declares for the operation.
    V2,
    V3,
}

impl Tool {
    /// The called variant of this tool, and its version.
    pub fn variant(&'static self, preferred: VersionPreference) -> (&'static Self, &'static str) {
        match (preferred, self.v3) {
            (VersionPreference::V3, V3Variant::Same(version)) => (self, version),
            (VersionPreference::V3, V3Variant::Other(v3)) => (v3, v3.version),
            _ => (self, self.version),
        }
    }

    /// The tool in every variant; all have its name.
    pub fn variants(&self) -> impl Iterator<Item = &Self> {
        let v3 = match self.v3 {
            V3Variant::Other(v3) => Some(v3),
            V3Variant::None | V3Variant::Same(_) => None,
        };
        std::iter::once(self).chain(v3)
    }

    /// Whether its documented answer is neither JSON nor empty, such as a recording.
    pub fn answers_media(&self) -> Option<&'static str> {
        self.answer_media.filter(|media| *media != JSON)
    }

    /// Whether its document describes a success without a body. If a table gives the place of its list, the document is
    /// only incomplete.
    pub fn may_answer_nothing(&self) -> bool {
        self.answer_media.is_none() && self.paging.rows.is_empty()
    }

    /// Its address in memory, which distinguishes the variants of a tool.
    pub fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    /// Whether any of its arguments, or a field inside one, is a date or time.
    pub fn takes_dates(&self) -> bool {
        let mut arguments = self.arguments.iter();
        !self.inner_dates.is_empty() || arguments.any(|one| one.date_form.is_some())
    }

    /// Whether `name` is the tool's name or one of its others.
    pub fn is_called(&self, name: &str) -> bool {
        self.name == name || self.aliases.contains(&name)
    }
}

/// The effect of a call on the account, reviewed by hand instead of derived from the HTTP method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    Read,
    Write,
    /// Reaches a person outside the account, or changes what the public sees or where it is led.
    Send,
    /// Moves or commits money, or decides what customers pay, how, and to whom.
    Money,
    /// Loses data that cannot be brought back through the API, or gives access away: makes or changes a login,
    /// shares an account, connects another one.
    Destructive,
}

impl Effect {
    /// Its name in `openapi/tools/`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Send => "send",
            Self::Money => "money",
            Self::Destructive => "destructive",
        }
    }
}

/// One top-level argument of a tool.
pub struct Argument {
    /// Name in the tool's schema.
    pub name: &'static str,
    /// Other accepted names: HighLevel's spelling, `path_…`, `query_…` and `body_…`.
    pub aliases: &'static [&'static str],
    /// HighLevel's own name for it.
    pub wire_name: &'static str,
    pub place: Place,
    pub role: Role,
    pub date_form: Option<DateForm>,
    /// The form of a list in the query; `None` if the argument is not a list.
    pub list_style: Option<ListStyle>,
    /// May contain characters beyond `[A-Za-z0-9_-]` in the path.
    pub wide_path_value: bool,
    /// JSON text that is sent if the caller gives nothing.
    pub when_absent: Option<&'static str>,
    /// Its value, or each value inside it, is a file to upload.
    pub file: bool,
}

impl Argument {
    /// Whether it names the location to work in.
    pub fn names_location(&self) -> bool {
        matches!(self.role, Role::Location(_))
    }
}

/// The place of an argument in the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    Path,
    Query,
    Header,
    /// A top-level property of the JSON body.
    Body,
    /// The whole JSON body.
    WholeBody,
}

/// Null, or a text of white space: given, but counts as absent.
pub fn is_blank(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        _ => false,
    }
}

impl Place {
    /// A name under HighLevel's own convention, `<place>_<wire name>`.
    pub fn prefixed(self, wire_name: &str) -> String {
        let place = match self {
            Self::Path => "path",
            Self::Query => "query",
            Self::Header => "header",
            Self::Body | Self::WholeBody => "body",
        };
        format!("{place}_{wire_name}")
    }
}

/// The tenant that an argument names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    None,
    Location(Rule),
    Company(Rule),
}

/// How the caller's own tenant binds such an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// The caller's own if absent.
    Fill,
    /// Never filled; must equal the caller's own.
    Explicit,
}

/// A field inside an argument that names a tenant. It is never filled in, and must equal the caller's own.
pub struct InnerTenant {
    /// From the argument's name inwards, such as `["locations", "[]", "id"]`; `[]` is every item.
    pub steps: &'static [&'static str],
    pub role: Role,
}

/// A field inside an argument that holds a date or time.
pub struct InnerDate {
    /// From the argument's name inwards, such as `["rules", "[]", "date"]`; `[]` is every item.
    pub steps: &'static [&'static str],
    pub form: DateForm,
}

/// The start and the end of one window: dotted paths from the arguments' names inwards.
pub struct DateWindow {
    pub start: &'static str,
    pub end: &'static str,
}

/// HighLevel's form of a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DateForm {
    /// Milliseconds since 1970 (string or number as the schema says).
    #[serde(rename = "epoch-ms")]
    EpochMilliseconds,
    #[serde(rename = "epoch-s")]
    EpochSeconds,
    /// `YYYY-MM-DD`
    Date,
    /// `mm-dd-yyyy`
    #[serde(rename = "mm-dd-yyyy")]
    MonthDayYear,
    /// RFC 3339
    DateTime,
    /// A local day as `YYYY-MM-DDT00:00:00.000Z`, whatever its zone.
    UtcMidnight,
    /// `YYYY-MM-DD hh:mm AM`, local time in the zone that the call names.
    #[serde(rename = "local-12h")]
    LocalTwelveHour,
    /// `YYYY-MM-DD HH:mm:ss`, the same.
    #[serde(rename = "local-24h")]
    LocalTwentyFourHour,
    /// `mm-dd-yyyy hh:mm AM`, local time.
    #[serde(rename = "local-12h-month-first")]
    LocalTwelveHourMonthFirst,
}

impl DateForm {
    /// Whether HighLevel takes a day without a time.
    pub fn is_day(self) -> bool {
        matches!(self, Self::Date | Self::MonthDayYear | Self::UtcMidnight)
    }

    /// Whether HighLevel takes a local time without an offset.
    pub fn is_local(self) -> bool {
        matches!(
            self,
            Self::LocalTwelveHour | Self::LocalTwentyFourHour | Self::LocalTwelveHourMonthFirst
        )
    }
}

/// The form of a list of values in the query.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ListStyle {
    /// `k=a,b`
    Comma,
    /// `k=a&k=b`
    Repeated,
}

/// A name inside the body that callers use, with HighLevel's own name.
pub struct Rename {
    /// Path of its object, such as `["customFields", "[]"]`; `[]` is every item.
    pub within: &'static [&'static str],
    pub from: &'static str,
    pub to: &'static str,
}

/// The paging of a list operation.
#[derive(Clone)]
pub struct Paging {
    pub style: PagingStyle,
    /// Argument that sets the page size.
    pub page_size: Option<&'static str>,
    /// Path of the list in the answer, such as `["contacts"]`; empty if the answer is not a list.
    pub rows: &'static [&'static str],
    /// What to ask for instead if an answer is too long and there is no page size.
    pub narrow: Option<&'static str>,
    /// Argument that counts pages or rows.
    pub position: Option<&'static str>,
    /// Number of the first page.
    pub first: i64,
    pub next: &'static [Next],
    /// Path of the value that says whether there is more; empty if there is none.
    pub more: &'static [&'static str],
    /// Path of the total number of rows; empty if there is none.
    pub total: &'static [&'static str],
    /// How the list continues after the rows that page numbers reach.
    pub deep: Option<DeepPaging>,
}

/// HighLevel counts pages up to a number of rows. After them a member of the last row continues the list.
#[derive(Clone)]
pub struct DeepPaging {
    /// Rows that page numbers reach.
    pub rows: i64,
    /// The argument that replaces the page number.
    pub argument: &'static str,
    /// Members of a row that may hold its value.
    pub members: &'static [&'static str],
}

/// A list of which HighLevel may silently drop parts.
#[derive(Clone)]
pub struct ReadBack {
    /// Argument that holds the list; items have an id.
    pub sent: &'static str,
    /// Path of the kept items in the answer.
    pub found: &'static [&'static str],
    /// Arguments that the answer shows beside that list, under the same names.
    pub texts: &'static [&'static str],
}

/// How one page leads to the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PagingStyle {
    /// Everything in one answer.
    #[default]
    None,
    /// Arguments taken from the answer.
    Cursor,
    /// A number of pages.
    Page,
    /// A number of rows.
    Offset,
    /// The id of the last row.
    LastId,
    /// Only a window of time limits the list.
    Window,
}

/// An argument of the next page, with the path of its value in the last answer.
pub struct Next {
    pub argument: &'static str,
    /// Keys, and indexes of lists: `-1` is the last.
    pub path: &'static [&'static str],
}

/// The classes of token that an operation accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TokenClass {
    Location,
    Agency,
    Either,
    /// HighLevel does not say.
    Unknown,
}

impl TokenClass {
    /// Its name in `openapi/tools/`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Location => "location",
            Self::Agency => "agency",
            Self::Either => "either",
            Self::Unknown => "unknown",
        }
    }
}

/// The form of a body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Media {
    #[default]
    Json,
    Form,
    Multipart,
}

//! One stored section of rules: shown, checked against all operations, and written.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::difference::compare;
use super::{SectionUses, query_value};
use crate::catalog::TOOLS;
use crate::http::console::frame;
use crate::http::console::proof::fresh_only;
use crate::http::oauth::SignIn;
use crate::http::oauth::visitor::{ConsoleForm, Visitor, console_token, unavailable};
use crate::http::pages::clean::one_line;
use crate::http::pages::moment::Moment;
use crate::http::pages::notice::PageProblem;
use crate::http::pages::rules::{DifferenceView, SectionPage, VersionRow};
use crate::http::pages::{PageKind, Part};
use policy::{LONGEST_SECTION, StoredSection};
use state::rule_sections::{NewRuleSection, RuleSection, is_name};
use state::sessions::PersonSession;

/// The text of the field, with its result or error.
#[derive(Default)]
struct SectionDraft {
    text: String,
    problems: Vec<(usize, String)>,
    problem: Option<String>,
    difference: Option<DifferenceView>,
}

/// Redirects the form for a new section.
pub(in crate::http::console) async fn begin(
    State(sign_in): State<Arc<SignIn>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let name = query_value(query.as_deref().unwrap_or_default(), "name").to_lowercase();
    let begun = match is_name(&name) {
        true => Ok(sign_in.pages.redirect(&format!("/console/rules/{name}"))),
        false => Err(no_name()),
    };
    frame::respond(&sign_in, &headers, begun, Part::Rules).await
}

fn no_name() -> PageProblem {
    let what =
        "A section's name has at most 40 characters of a-z, 0-9, - and _. It begins with a letter.";
    let problem = PageProblem::new(
        StatusCode::BAD_REQUEST,
        "This is not a name for a section",
        what,
    );
    problem.with_link("/console/rules", "All rules")
}

pub(in crate::http::console) async fn edit(
    State(sign_in): State<Arc<SignIn>>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let version = query_value(query.as_deref().unwrap_or_default(), "version");
    let shown = show(&sign_in, &name, version.parse().ok(), &headers).await;
    sign_in.pages.respond(shown, PageKind::Entry)
}

async fn show(
    sign_in: &SignIn,
    name: &str,
    version: Option<i64>,
    headers: &HeaderMap,
) -> Result<Response, PageProblem> {
    let visitor = Visitor::find(sign_in, headers).await?;
    let session = visitor.signed_in()?;
    frame::operators_only(session)?;
    let versions = versions(sign_in, name).await?;
    let looked_at = match version {
        Some(version) => versions.iter().find(|one| one.version == version),
        None => versions.first(),
    };
    let draft = SectionDraft {
        text: looked_at
            .and_then(|one| one.text.clone())
            .unwrap_or_default(),
        ..SectionDraft::default()
    };
    answer(sign_in, session, (name, &versions), draft).await
}

/// The newest first.
async fn versions(sign_in: &SignIn, name: &str) -> Result<Vec<RuleSection>, PageProblem> {
    if !is_name(name) {
        return Err(no_name());
    }
    let sections = &sign_in.pipeline.controls().rule_sections;
    sections.versions(name).await.map_err(unavailable)
}

/// The newest version, unless it removed the section.
fn present(versions: &[RuleSection]) -> Option<&RuleSection> {
    versions.first().filter(|one| one.text.is_some())
}

async fn answer(
    sign_in: &SignIn,
    session: &PersonSession,
    (name, versions): (&str, &[RuleSection]),
    draft: SectionDraft,
) -> Result<Response, PageProblem> {
    let rows = versions.iter().map(|one| VersionRow {
        version: one.version,
        by: one_line(&one.by, 64),
        at: Moment(one.at),
        is_removal: one.text.is_none(),
    });
    let rows: Vec<VersionRow> = rows.collect();
    let replaces = present(versions).map(|one| one.version.to_string());
    let is_refused = draft.problem.is_some() || !draft.problems.is_empty();
    let checked = match &draft.difference {
        Some(_) => state::sha256(&draft.text),
        None => String::new(),
    };
    let page = SectionPage {
        name,
        text: &draft.text,
        replaces: replaces.as_deref().unwrap_or_default(),
        problems: &draft.problems,
        problem: draft.problem.as_deref(),
        difference: draft.difference.as_ref(),
        checked: &checked,
        uses: &SectionUses::read(sign_in).await?.sentence(name),
        versions: &rows,
        token: &console_token(sign_in, session)?,
    };
    let page = match is_refused {
        true => page.page().with_status(StatusCode::BAD_REQUEST),
        false => page.page(),
    };
    frame::show(sign_in, session, page).await
}

pub(in crate::http::console) async fn write(
    State(sign_in): State<Arc<SignIn>>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let done = write_one(&sign_in, &name, &headers, &body).await;
    frame::respond(&sign_in, &headers, done, Part::Rules).await
}

async fn write_one(
    sign_in: &SignIn,
    name: &str,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Response, PageProblem> {
    let form = ConsoleForm::read(sign_in, headers, body).await?;
    let (session, fields) = (&form.session, &form.fields);
    frame::operators_only(session)?;
    let versions = versions(sign_in, name).await?;
    // Browsers send line ends as CR LF.
    let text = fields.one("text").replace("\r\n", "\n");
    let mut draft = SectionDraft {
        text,
        ..SectionDraft::default()
    };
    let removes = match fields.one("action") {
        "remove" => true,
        "save" | "check" => false,
        _ => {
            return Err(PageProblem::new(
                StatusCode::BAD_REQUEST,
                "No button was pressed",
                "Nothing was done. Open the page again and use its buttons.",
            ));
        }
    };
    if !removes {
        match check(sign_in, name, &draft.text) {
            Ok(difference) => draft.difference = Some(difference),
            Err(problems) => draft.problems = problems,
        }
        // Only a section whose effect was shown is saved.
        let is_seen = fields.one("checked") == state::sha256(&draft.text);
        let saves = fields.one("action") == "save" && is_seen && draft.difference.is_some();
        if !saves {
            return answer(sign_in, session, (name, &versions), draft).await;
        }
    }
    // A section that allows more than before gives rights, within those of the file.
    fresh_only(session)?;
    let person = &session.person;
    let put = sign_in
        .pipeline
        .controls()
        .rule_sections
        .put(NewRuleSection {
            name: name.to_owned(),
            text: (!removes).then(|| draft.text.clone()),
            replaces: fields.one("replaces").parse().ok(),
            by: person.name.clone(),
            actor: Some(person.id.clone()),
        });
    match put.await {
        Ok(_) => Ok(sign_in.pages.redirect("/console/rules")),
        Err(error) if error.is_request() => {
            draft.problem = Some(format!("Nothing was saved: {error}."));
            draft.difference = None;
            answer(sign_in, session, (name, &versions), draft).await
        }
        Err(error) => Err(unavailable(error)),
    }
}

/// The change for callers under the section; else its faults by line.
fn check(sign_in: &SignIn, name: &str, text: &str) -> Result<DifferenceView, Vec<(usize, String)>> {
    if text.len() > LONGEST_SECTION {
        let what = format!("a section has at most {LONGEST_SECTION} bytes");
        return Err(vec![(1, what)]);
    }
    let section = StoredSection::parse(name, text, TOOLS).map_err(|problems| {
        let problems = problems.into_iter();
        problems
            .map(|problem| (problem.line, problem.what))
            .collect::<Vec<_>>()
    })?;
    let rules = &sign_in.pipeline.snapshot().rules;
    let before = match rules.has_policy(name) {
        true => rules.over(None, Some(name)),
        false => rules.over(None, None),
    };
    let after = (**rules)
        .clone()
        .with_stored([(name.to_owned(), Some(section))]);
    Ok(compare(&before, &after.over(None, Some(name))))
}

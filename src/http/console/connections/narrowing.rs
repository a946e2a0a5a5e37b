//! Takes rights from a connection: adds rules beside the consented ones, so that no right is ever added.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::{PATH, check_own, page};
use crate::http::console::{frame, is_operator};
use crate::http::oauth::SignIn;
use crate::http::oauth::visitor::{ConsoleForm, unavailable};
use crate::http::pages::Part;
use crate::http::pages::clean::one_line;
use crate::http::pages::connections::NarrowingRow;
use crate::http::pages::notice::PageProblem;
use policy::{BuiltInRules, NamedRules, Policy};
use state::grants::{GrantRecord, MOST_RULES};
use state::people::Person;

pub(in crate::http::console) async fn narrow(
    State(sign_in): State<Arc<SignIn>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let narrowed = take_away(&sign_in, &headers, &body).await;
    frame::respond(&sign_in, &headers, narrowed, Part::Connections).await
}

async fn take_away(
    sign_in: &SignIn,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Response, PageProblem> {
    let form = ConsoleForm::read(sign_in, headers, body).await?;
    let (person, fields) = (&form.session.person, &form.fields);
    let found = sign_in.grants.get(fields.one("id")).await;
    let Some(grant) = found.map_err(unavailable)? else {
        return Ok(sign_in.pages.redirect(PATH));
    };
    check_own(person, &grant)?;
    let asked = fields.one("rules");
    let back = format!("{PATH}/{}", grant.id);
    let mut offered = choices(sign_in, &grant, person).into_iter();
    if let Some(rules) = offered.find(|row| row.value == asked) {
        let narrowed = sign_in.grants.narrow(&grant.id, &rules.value, &person.id);
        narrowed.await.map_err(unavailable)?;
        return Ok(sign_in.pages.redirect(&back));
    }
    // The button was pressed twice.
    if grant.all_rules().any(|held| held == asked) {
        return Ok(sign_in.pages.redirect(&back));
    }
    let what = "Nothing was changed, because these rules would not restrict this connection. Choose others below.";
    let page = page(sign_in, &form.session, &grant.id, Some(what)).await?;
    frame::show(
        sign_in,
        &form.session,
        page.with_status(StatusCode::BAD_REQUEST),
    )
    .await
}

/// The rules that would take something from the connection: stricter built-in rules, and sections for operators.
pub(super) fn choices(sign_in: &SignIn, grant: &GrantRecord, reader: &Person) -> Vec<NarrowingRow> {
    let snapshot = sign_in.pipeline.snapshot();
    let sections = is_operator(reader).then(|| snapshot.rules.policy_names());
    let sections = sections.into_iter().flatten().map(str::to_owned);
    // Rules that this version does not know allow nothing anyway.
    let held: Option<Vec<_>> = grant.all_rules().map(NamedRules::parse).collect();
    let offered = held.map(|held| stricter(&snapshot.rules, &held, sections));
    let offered = offered.unwrap_or_default();
    let rows = offered.into_iter().map(|rules| match &rules {
        NamedRules::Section(name) => NarrowingRow {
            value: rules.to_string(),
            title: one_line(name, 60),
            text: "This server's own rules, in addition to the present ones.".to_owned(),
        },
        _ => built_in(&rules),
    });
    rows.collect()
}

/// The built-in rules that are stricter than the present ones, and the `sections` that do not apply yet. The last place
/// is reserved for reading only.
fn stricter(
    policy: &Policy,
    held: &[NamedRules],
    sections: impl Iterator<Item = String>,
) -> Vec<NamedRules> {
    let is_looser = |rules: &BuiltInRules| {
        let mut held = held.iter();
        held.any(|one| matches!(one, NamedRules::BuiltIn(one) if is_within(*one, *rules)))
    };
    let built_in = BuiltInRules::ALL.into_iter();
    let built_in = built_in
        .filter(|rules| *rules != BuiltInRules::Everything && !is_looser(rules))
        .map(NamedRules::BuiltIn);
    let sections = sections
        .map(NamedRules::Section)
        .filter(|rules| !held.contains(rules) && policy.only_takes_away(rules));
    let is_last = |rules: &NamedRules| *rules == NamedRules::BuiltIn(BuiltInRules::ReadOnly);
    let places = MOST_RULES.saturating_sub(held.len());
    let all = built_in.chain(sections).filter(|rules| match places {
        0 => false,
        1 => is_last(rules),
        _ => true,
    });
    all.collect()
}

/// Whether `rules` are no stricter than `held`. The list begins with the strictest.
fn is_within(held: BuiltInRules, rules: BuiltInRules) -> bool {
    let place = |one| BuiltInRules::ALL.iter().position(|rules| *rules == one);
    place(held) <= place(rules)
}

fn built_in(rules: &NamedRules) -> NarrowingRow {
    let (title, text) = match rules {
        NamedRules::BuiltIn(BuiltInRules::ReadOnly) => {
            ("Read only", "It looks things up and changes nothing.")
        }
        NamedRules::BuiltIn(BuiltInRules::AskFirst) => (
            "Ask first",
            "It looks things up and changes single records. Messages, payments, deletions and changes to many records \
             wait until a person approves them.",
        ),
        _ => (
            "Everyday work",
            "It also sends single messages, up to 50 a day. Everything else waits until a person approves it.",
        ),
    };
    NarrowingRow {
        value: rules.to_string(),
        title: title.to_owned(),
        text: text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(held: &[&str]) -> Vec<String> {
        let policy = Policy::parse(
            "[policies.front]\ndeny = [\"effect:send\"]\n[policies.loud]\ncaps = { send = { hour = 1000 } }\n",
            "policy.toml",
            crate::catalog::TOOLS,
        );
        let policy = policy.unwrap_or_else(|error| panic!("{error}"));
        let held: Vec<_> = held
            .iter()
            .filter_map(|name| NamedRules::parse(name))
            .collect();
        let sections = policy.policy_names().map(str::to_owned);
        let offered = stricter(&policy, &held, sections);
        offered.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn only_rules_that_restrict_are_offered() {
        for (held, expected) in [
            (
                &["everything"][..],
                &["read-only", "ask-first", "everyday", "section:front"][..],
            ),
            (&["everyday"], &["read-only", "ask-first", "section:front"]),
            (&["ask-first"], &["read-only", "section:front"]),
            (&["read-only"], &["section:front"]),
            (
                &["section:loud"],
                &["read-only", "ask-first", "everyday", "section:front"],
            ),
            (&["section:front"], &["read-only", "ask-first", "everyday"]),
            (
                &["everything", "ask-first"],
                &["read-only", "section:front"],
            ),
            (&["everything", "read-only", "section:front"], &[]),
            // The last place is for reading only.
            (&["everything", "everyday", "ask-first"], &["read-only"]),
            (
                &["everything", "everyday", "ask-first", "section:front"],
                &[],
            ),
        ] {
            assert_eq!(names(held), expected, "{held:?}");
        }
    }
}

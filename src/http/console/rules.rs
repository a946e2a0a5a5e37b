//! The rules, for operators: reads the file's, writes the stored sections, and explains the effect of both on one
//! operation.

mod difference;
mod section;

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::response::Response;
use jiff::Timestamp;

use super::extractors::Operator;
use super::{frame, some};
use crate::call::Snapshot;
use crate::catalog::TOOLS;
use crate::http::oauth::SignIn;
use crate::http::oauth::visitor::unavailable;
use crate::http::pages::PageKind;
use crate::http::pages::clean::one_line;
use crate::http::pages::moment::Moment;
use crate::http::pages::notice::PageProblem;
use crate::http::pages::rules::{
    ExplainAnswer, ExplainQuestion, MOST_FILE, RuleSectionRow, RulesPage,
};
use policy::{BuiltInRules, NamedRules};
pub(super) use section::{begin, edit, write};
use state::sessions::PersonSession;

/// Most aliases to choose from.
const MOST_ALIASES: usize = 100;

pub(super) async fn list(
    State(sign_in): State<Arc<SignIn>>,
    RawQuery(query): RawQuery,
    Operator(session): Operator,
) -> Response {
    let shown = show(&sign_in, &session, query.as_deref().unwrap_or_default()).await;
    sign_in.pages.respond(shown, PageKind::Entry)
}

async fn show(
    sign_in: &SignIn,
    session: &PersonSession,
    query: &str,
) -> Result<Response, PageProblem> {
    let snapshot = sign_in.pipeline.snapshot();
    let sections = &sign_in.pipeline.controls().rule_sections;
    let sections = sections.read().await.map_err(unavailable)?;
    let uses = SectionUses::read(sign_in).await?;
    let rows = sections.iter().map(|section| RuleSectionRow {
        name: section.name.clone(),
        by: one_line(&section.by, 64),
        at: Moment(section.at),
        uses: uses.sentence(&section.name),
        is_shadowed: snapshot.rules.has_in_file(&section.name),
    });
    let rows: Vec<RuleSectionRow> = rows.collect();
    let question = question(&snapshot, query);
    let answered = (!question.tool.is_empty()).then(|| explain(&snapshot, &question));
    let (answer, problem) = match answered.transpose() {
        Ok(answer) => (answer, None),
        Err(problem) => (None, Some(problem)),
    };
    let file = snapshot.rules_text.as_ref();
    let end = file.floor_char_boundary(MOST_FILE);
    let page = RulesPage {
        file: Some(file.get(..end).unwrap_or_default()).filter(|file| !file.is_empty()),
        is_file_cut: end < file.len(),
        sections: &rows,
        question: &question,
        answer: answer.as_ref(),
        problem: problem.as_deref(),
    };
    frame::show(sign_in, session, page.page()).await
}

fn query_value(query: &str, name: &str) -> String {
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    let found = pairs.find(|(key, _)| key == name);
    found.map_or_else(String::new, |(_, value)| value.trim().to_owned())
}

fn question(snapshot: &Snapshot, query: &str) -> ExplainQuestion {
    let accounts = snapshot.locations.iter().take(MOST_ALIASES);
    let built_in = BuiltInRules::ALL.map(|rules| rules.name().to_owned());
    let named = snapshot.rules.policy_names();
    let named = named.map(|name| NamedRules::Section(name.to_owned()).to_string());
    ExplainQuestion {
        tool: one_line(&query_value(query, "tool"), 100),
        location: query_value(query, "location"),
        rules: query_value(query, "rules"),
        locations: accounts
            .map(|account| account.configured.alias.clone())
            .collect(),
        all_rules: named.chain(built_in).collect(),
    }
}

/// The effect of the rules on it, or the reason that it cannot be explained.
fn explain(snapshot: &Snapshot, question: &ExplainQuestion) -> Result<ExplainAnswer, String> {
    let wanted = &question.tool;
    let is_meant = |name: &str, title: &str| name == wanted || title.eq_ignore_ascii_case(wanted);
    let mut tools = TOOLS.iter();
    let tool = tools.find(|tool| is_meant(tool.name, tool.title) || tool.is_called(wanted));
    let tool = tool.ok_or_else(|| {
        let names = TOOLS.iter().map(|tool| (tool.name, tool.name));
        match tool::nearest(wanted, names) {
            Some(near) => format!("There is no operation {wanted}. Did you mean {near}?"),
            None => format!("There is no operation {wanted}."),
        }
    })?;
    let alias = Some(question.location.as_str()).filter(|alias| !alias.is_empty());
    let named = match question.rules.as_str() {
        "" => None,
        text => Some(
            NamedRules::parse(text).ok_or("There are no such rules. Choose some from the list.")?,
        ),
    };
    let rules = snapshot.rules.over_all(alias, &named);
    let (verdict, rule) = rules.verdict(tool);
    Ok(ExplainAnswer {
        verdict: format!("{}: {}, by {rule}", tool.title, verdict.text()),
        lines: rules.explain(tool, Timestamp::now()),
    })
}

/// The keys, people and connections under sections, by section name.
struct SectionUses {
    keys: Vec<(String, String)>,
    people: Vec<(String, String)>,
    grants: Vec<String>,
}

impl SectionUses {
    async fn read(sign_in: &SignIn) -> Result<Self, PageProblem> {
        let keys = sign_in.pipeline.controls().keys.list();
        let keys = keys.await.map_err(unavailable)?;
        let keys = keys.into_iter().filter(|key| key.revoked.is_none());
        let keys = keys.filter_map(|key| Some((key.policy?, key.name)));
        let people = sign_in.people.list().await.map_err(unavailable)?;
        let people = people.into_iter().flat_map(|person| {
            let there = person.locations.iter().filter_map(|one| one.policy.clone());
            let own = person.policy.clone().into_iter().chain(there);
            let name = person.name.clone();
            own.map(move |policy| (policy, name.clone()))
                .collect::<Vec<_>>()
        });
        let grants = sign_in.grants.list(None).await.map_err(unavailable)?;
        let grants = grants.into_iter().filter(|grant| grant.ended.is_none());
        Ok(Self {
            keys: keys.collect(),
            people: people.collect(),
            grants: grants.map(|grant| grant.rules).collect(),
        })
    }

    fn sentence(&self, name: &str) -> String {
        let named = |all: &[(String, String)]| {
            let found = all.iter().filter(|(policy, _)| policy == name);
            let mut found: Vec<String> = found.map(|(_, who)| who.clone()).collect();
            found.dedup();
            found
        };
        let section = NamedRules::Section(name.to_owned()).to_string();
        let connections = self.grants.iter().filter(|rules| **rules == section);
        let mut uses = Vec::new();
        match named(&self.keys).as_slice() {
            [] => {}
            keys => uses.push(format!("access keys ({})", some(keys))),
        }
        match named(&self.people).as_slice() {
            [] => {}
            people => uses.push(format!("people ({})", some(people))),
        }
        match connections.count() {
            0 => {}
            1 => uses.push("one connection".to_owned()),
            many => uses.push(format!("{many} connections")),
        }
        match uses.is_empty() {
            true => "It applies to nothing yet.".to_owned(),
            false => format!("It applies to: {}.", uses.join(", ")),
        }
    }
}

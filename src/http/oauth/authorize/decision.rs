//! Yes or no to a client.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use oauth::AskedScope;
use secrecy::ExposeSecret;

use super::super::SignIn;
use super::super::visitor::{Visitor, unavailable};
use super::AuthorizePage;
use super::choices::{self, EVERY};
use super::client_request::ClientRequest;
use super::consent_form::{ConsentForm, FormHolder};
use super::sent_form::SentForm;
use crate::call::HolderRef;
use crate::http::pages::PageKind;
use crate::http::pages::form::FormFields;
use crate::http::pages::notice::PageProblem;
use state::events::{EventKind, NewEvent};
use state::grants::{GrantHolder, GrantScope, NewGrant};

pub(super) async fn decide(
    State(sign_in): State<Arc<SignIn>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let decided = answer(&sign_in, &headers, &body).await;
    sign_in.pages.respond(decided, PageKind::Consent)
}

async fn answer(
    sign_in: &SignIn,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Response, PageProblem> {
    let sent = SentForm::read(sign_in, headers, body).await;
    let SentForm {
        fields,
        visitor,
        form,
        asked,
    } = match sent {
        Ok(sent) => sent,
        Err(problem) => return problem.answer(&sign_in.pages),
    };
    if fields.one("decision") != "allow" {
        note_denial(sign_in, &visitor, &asked);
        let denied = [
            ("error", "access_denied"),
            ("error_description", "The person said no."),
        ];
        return Ok(sign_in
            .pages
            .redirect(&asked.answer(&sign_in.issuer, &denied)));
    }
    let Some(holder) = holder(sign_in, &visitor, &form) else {
        // The person signed out meanwhile, or somebody else signed in: the question starts again.
        return Ok(sign_in.pages.redirect(&asked.path()));
    };
    let page = AuthorizePage {
        sign_in,
        asked: &asked,
        visitor: &visitor,
    };
    let snapshot = sign_in.pipeline.snapshot();
    let rows = choices::rules(&sign_in.pages.brand, &snapshot.rules, &holder, &asked, None);
    let rules = rows
        .into_iter()
        .find(|row| row.value == fields.one("rules"));
    let Some(rules) = rules else {
        return page.consent(
            &holder,
            Some(&fields),
            Some(&missing("Choose what it may do.")),
        );
    };
    let locations = match chosen_locations(&fields, &choices::reach(&snapshot.locations, &holder)) {
        Ok(locations) => locations,
        Err(problem) => return page.consent(&holder, Some(&fields), Some(&missing(&problem))),
    };
    let grant = NewGrant {
        holder: match &holder {
            HolderRef::Person(person) => GrantHolder::Person(person.id.clone()),
            HolderRef::Key(record) => GrantHolder::Key(record.id.clone()),
        },
        client: asked.client.id.clone(),
        client_name: asked.view().name,
        redirect: asked.redirect.as_str().to_owned(),
        resource: asked.request.resource.as_str().to_owned(),
        // The client's request. The rules express that the person gives less.
        scope: match asked.request.scope {
            AskedScope::Read => GrantScope::Read,
            AskedScope::Write => GrantScope::Write,
        },
        rules: rules.value,
        locations,
        challenge: asked.request.challenge.clone(),
        form: form.id,
    };
    let allowed = sign_in.grants.allow(grant).await.map_err(unavailable)?;
    let Some((_, code)) = allowed else {
        return Err(PageProblem::new(
            StatusCode::CONFLICT,
            "You have answered this already",
            "Your program has received your answer, or has stopped waiting for it. If it is not connected, start again \
             there.",
        ));
    };
    let answer = asked.answer(&sign_in.issuer, &[("code", code.expose_secret())]);
    Ok(sign_in.pages.redirect(&answer))
}

fn missing(what: &str) -> PageProblem {
    PageProblem::new(StatusCode::BAD_REQUEST, "Something is missing", what)
}

/// The person who was asked, if that person is still signed in.
fn holder(sign_in: &SignIn, visitor: &Visitor, form: &ConsentForm) -> Option<HolderRef> {
    match form.holder.as_ref()? {
        FormHolder::Person(id) => {
            let session = visitor.session.as_ref()?;
            let is_same = session.person.id == *id;
            is_same.then(|| HolderRef::Person(Arc::clone(&session.person)))
        }
        FormHolder::Key(id) => {
            let keys = &sign_in.pipeline.controls().keys;
            keys.valid(id).map(HolderRef::Key)
        }
    }
}

/// Aliases within `reach`, or the one for all.
fn chosen_locations(fields: &FormFields, reach: &BTreeSet<String>) -> Result<Vec<String>, String> {
    let others = fields
        .one("others")
        .split([',', ' '])
        .filter(|alias| !alias.is_empty());
    let chosen: Vec<&str> = fields.all("location").chain(others).collect();
    if chosen.contains(&EVERY) {
        return Ok(vec![EVERY.to_owned()]);
    }
    if let Some(unknown) = chosen.iter().find(|alias| !reach.contains(**alias)) {
        let shown: String = unknown.chars().take(60).collect();
        return Err(format!(
            "You have no sub-account “{shown}”. Check the short name."
        ));
    }
    if chosen.is_empty() {
        return Err("Tick at least one sub-account.".to_owned());
    }
    let mut chosen: Vec<String> = chosen.into_iter().map(str::to_owned).collect();
    chosen.sort();
    chosen.dedup();
    Ok(chosen)
}

/// Only for a person who is signed in: others may say no without a record, because anybody can.
fn note_denial(sign_in: &SignIn, visitor: &Visitor, asked: &ClientRequest) {
    if let Some(session) = &visitor.session {
        drop(sign_in.events.add(NewEvent {
            kind: EventKind::GrantDenied,
            actor: Some(session.person.id.clone()),
            subject: None,
            detail: asked.view().name,
        }));
    }
}

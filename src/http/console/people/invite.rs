//! Makes invitations, shows each once, and ends them.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use jiff::SignedDuration;
use secrecy::ExposeSecret;

use super::{PATH, read_fresh, words};
use crate::http::console::administration::{ChosenLocations, chosen_locations, reach_fields};
use crate::http::console::extractors::Operator;
use crate::http::console::frame::{operators_only, respond, show};
use crate::http::console::proof::{self, is_fresh};
use crate::http::oauth::SignIn;
use crate::http::oauth::visitor::{ConsoleForm, console_token, unavailable};
use crate::http::pages::clean::one_line;
use crate::http::pages::form::FormFields;
use crate::http::pages::moment::Moment;
use crate::http::pages::notice::PageProblem;
use crate::http::pages::people::{InvitePage, SectionRow};
use crate::http::pages::{PageKind, Part};
use policy::Policy;
use state::links::{Invitation, Offer};
use state::people::{Person, PersonRole};
use state::sessions::PersonSession;

/// Most sections that are offered, by name.
const MOST_SECTIONS: usize = 50;

/// The value for no section.
const NONE: &str = "none";

pub(in crate::http::console) async fn show_invite(
    State(sign_in): State<Arc<SignIn>>,
    Operator(session): Operator,
) -> Response {
    let shown = async {
        // Checked before the form is filled in, so that no typing is lost.
        match is_fresh(&session) {
            true => form_page(&sign_in, &session, None, None).await,
            false => Ok(sign_in
                .pages
                .redirect(&proof::path("/console/people/invite"))),
        }
    };
    sign_in.pages.respond(shown.await, PageKind::Entry)
}

async fn form_page(
    sign_in: &SignIn,
    session: &PersonSession,
    before: Option<&FormFields>,
    problem: Option<&str>,
) -> Result<Response, PageProblem> {
    let snapshot = sign_in.pipeline.snapshot();
    let page = InvitePage {
        reach: &reach_fields(&snapshot.locations, before),
        rules: &sections(&snapshot.rules, &session.person, before),
        before,
        problem,
        token: &console_token(sign_in, session)?,
    };
    show(sign_in, session, page.page().for_problem(problem)).await
}

/// The sections that this operator may give to others. An operator who is held to one can give no other.
fn sections(policy: &Policy, giver: &Person, before: Option<&FormFields>) -> Vec<SectionRow> {
    let of_giver = giver.policy.as_deref();
    let names = policy
        .policy_names()
        .filter(|name| of_giver.is_none_or(|own| own == *name));
    let none = of_giver.is_none().then(|| SectionRow {
        value: NONE.to_owned(),
        title: "Only the server's rules".to_owned(),
        text: "The rules for everybody apply.".to_owned(),
        is_chosen: false,
    });
    let rows = names.take(MOST_SECTIONS).map(|name| SectionRow {
        value: format!("section:{name}"),
        title: one_line(name, 60),
        text: "This server's own rules, in addition to those for everybody.".to_owned(),
        is_chosen: false,
    });
    let mut rows: Vec<SectionRow> = none.into_iter().chain(rows).collect();
    let chosen = before.map(|before| before.one("rules"));
    let chosen = rows
        .iter()
        .position(|row| chosen == Some(row.value.as_str()));
    if let Some(row) = rows.get_mut(chosen.unwrap_or_default()) {
        row.is_chosen = true;
    }
    rows
}

pub(in crate::http::console) async fn invite(
    State(sign_in): State<Arc<SignIn>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let made = make(&sign_in, &headers, &body).await;
    respond(&sign_in, &headers, made, Part::People).await
}

async fn make(sign_in: &SignIn, headers: &HeaderMap, body: &[u8]) -> Result<Response, PageProblem> {
    let form = read_fresh(sign_in, headers, body).await?;
    let (session, fields) = (&form.session, &form.fields);
    let invitation = match invitation(sign_in, &session.person, fields) {
        Ok(invitation) => invitation,
        Err(problem) => return form_page(sign_in, session, Some(fields), Some(&problem)).await,
    };
    let may = words::describe_invitation(&invitation);
    let days = match fields.one("lasts") {
        "1" => 1,
        "30" => 30,
        _ => 7,
    };
    let made = sign_in.links.make(
        Offer::Invite(invitation),
        SignedDuration::from_hours(days * 24),
        1,
        Some(&session.person.id),
    );
    let (record, text) = match made.await {
        Ok(made) => made,
        Err(error) if error.is_request() => {
            let problem = format!("No invitation was created: {error}.");
            return form_page(sign_in, session, Some(fields), Some(&problem)).await;
        }
        Err(error) => return Err(unavailable(error)),
    };
    let link = format!(
        "{}/console/join#{}",
        sign_in.issuer.as_str(),
        text.expose_secret()
    );
    let name = one_line(fields.one("name"), 64);
    let page = InvitePage::link(&name, &may, Moment(record.expires), &link);
    show(sign_in, session, page).await
}

/// The invitation of a form, within the rights of `giver`.
fn invitation(sign_in: &SignIn, giver: &Person, fields: &FormFields) -> Result<Invitation, String> {
    let snapshot = sign_in.pipeline.snapshot();
    let chosen = fields.one("rules");
    let offered = sections(&snapshot.rules, giver, None);
    if !offered.iter().any(|row| row.value == chosen) {
        return Err("Choose the rules.".to_owned());
    }
    let role = match fields.one("role") {
        "operator" => PersonRole::Operator,
        "member" => PersonRole::Member,
        _ => return Err("Choose the role.".to_owned()),
    };
    let (all_locations, locations) = match (role, chosen_locations(&snapshot.locations, fields)?) {
        // An operator reaches every location anyway.
        (PersonRole::Operator, _) => (false, Vec::new()),
        (PersonRole::Member, ChosenLocations::All) => (true, Vec::new()),
        (PersonRole::Member, ChosenLocations::Only(aliases)) => (false, aliases),
    };
    Ok(Invitation {
        name: fields.one("name").to_owned(),
        role,
        all_locations,
        locations,
        policy: chosen.strip_prefix("section:").map(str::to_owned),
        may_vault: fields.one("connect") == "yes",
        may_approve: fields.one("approve") == "yes",
    })
}

pub(in crate::http::console) async fn uninvite(
    State(sign_in): State<Arc<SignIn>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let ended = end(&sign_in, &headers, &body).await;
    respond(&sign_in, &headers, ended, Part::People).await
}

/// Ending only takes rights away, so it needs no fresh proof.
async fn end(sign_in: &SignIn, headers: &HeaderMap, body: &[u8]) -> Result<Response, PageProblem> {
    let form = ConsoleForm::read(sign_in, headers, body).await?;
    operators_only(&form.session)?;
    let by = Some(form.session.person.id.as_str());
    match sign_in.links.end(form.fields.one("id"), by).await {
        // One that has expired meanwhile is gone, so the goal is reached.
        Ok(_) => Ok(sign_in.pages.redirect(PATH)),
        Err(error) if error.is_request() => Ok(sign_in.pages.redirect(PATH)),
        Err(error) => Err(unavailable(error)),
    }
}

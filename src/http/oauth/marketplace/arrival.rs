//! A person's return from HighLevel: stores the token pair, identifies the person, connects the locations.

use std::sync::Arc;

use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use secrecy::{ExposeSecret, SecretString};

use super::app::MarketplaceApp;
use super::{BEGIN, SignIn};
use crate::config::Who;
use crate::http::oauth::pasted_token::wait_until_known;
use crate::http::oauth::visitor::{Visitor, unavailable};
use crate::http::pages::notice::PageProblem;
use crate::upstream::TenantId;
use crate::upstream::company::MarketplaceInstall;
use state::StoreError;
use state::flows::SignInFlow;
use state::people::{Person, PersonRole};
use state::vault::{CompanyInstall, InstalledLocation};

pub(super) async fn arrive(
    sign_in: &SignIn,
    marketplace: &MarketplaceApp,
    visitor: &Visitor,
    headers: &HeaderMap,
    (code, flow): (SecretString, SignInFlow),
) -> Result<Response, PageProblem> {
    let crm_name = &sign_in.pages.brand.crm_name;
    // Before anything else: the code is good for minutes.
    let redeemed = marketplace.redeem(&code).await;
    let install = redeemed.ok_or_else(|| {
        PageProblem::new(
            StatusCode::BAD_GATEWAY,
            "The sign-in did not work",
            format!("Nothing was connected, because {crm_name} gave no access. Start again."),
        )
        .with_sentence(
            "If this happens again, tell the operator of this server: its log has the reason.",
        )
        .with_link(BEGIN, "Start again")
    })?;
    let person = find_person(sign_in, visitor, &install).await?;
    let is_operator = person.role == PersonRole::Operator;
    if !is_operator && !person.may_vault {
        return Err(PageProblem::new(
            StatusCode::FORBIDDEN,
            "You may not connect sub-accounts here",
            "Nothing was stored. Your invitation is only for sub-accounts that you were given. Ask the operator of \
             this server.",
        )
        .with_link("/console", "Back to your pages"));
    }
    // A location that an operator connects is the server's own.
    let owner = (!is_operator).then(|| person.id.clone());
    let kept = marketplace.installs.keep(&install, owner.as_deref()).await;
    let credential = kept.map_err(unavailable)?;
    connect(sign_in, marketplace, &install, credential, owner.clone())
        .await
        .map_err(unavailable)?;
    let locations = sign_in.vault.list().await.map_err(unavailable)?;
    let appeared: Vec<String> = locations
        .into_iter()
        .filter(|location| location.owner == owner && covers(&install, &location.location))
        .map(|location| location.alias)
        .collect();
    wait_until_known(sign_in, &person, &appeared).await;
    let mut response = sign_in.pages.redirect(flow.text.expose_secret());
    if visitor.session.is_none() {
        visitor
            .sign_in(sign_in, &person, headers, &mut response)
            .await?;
    }
    Ok(response)
}

/// Whether the sign-in named this location.
fn covers(install: &MarketplaceInstall, location: &str) -> bool {
    let mut named = install.location().into_iter().chain(&install.approved);
    named.any(|one| one.as_str() == location)
}

/// The person who is signed in, or whom HighLevel knows as this user.
async fn find_person(
    sign_in: &SignIn,
    visitor: &Visitor,
    install: &MarketplaceInstall,
) -> Result<Arc<Person>, PageProblem> {
    if let Some(session) = &visitor.session {
        return Ok(Arc::clone(&session.person));
    }
    let crm_name = &sign_in.pages.brand.crm_name;
    let Some(user) = &install.user else {
        return Err(PageProblem::new(
            StatusCode::BAD_GATEWAY,
            "The sign-in did not work",
            format!(
                "Nothing was stored, because {crm_name} does not say who you are. Sign in here first, then connect."
            ),
        ));
    };
    if sign_in.settings.who == Who::Anyone {
        let end = user.char_indices().nth_back(5).map_or(0, |(at, _)| at);
        let name = format!("{crm_name} user {}", user.get(end..).unwrap_or_default());
        let made = sign_in.people.with_highlevel_user(user, &name).await;
        return made.map(Arc::new).map_err(refused);
    }
    let people = sign_in.people.list().await.map_err(unavailable)?;
    let known = people
        .into_iter()
        .find(|person| person.highlevel_user.as_ref() == Some(user) && person.ended.is_none());
    known.map(Arc::new).ok_or_else(|| {
        PageProblem::new(
            StatusCode::FORBIDDEN,
            "You need an invitation",
            "Nothing was stored. The operator of this server decides who may use it. Open your invitation and connect \
             from there.",
        )
    })
}

fn refused(error: StoreError) -> PageProblem {
    if error.is_busy() {
        return unavailable(error);
    }
    PageProblem::new(
        StatusCode::FORBIDDEN,
        "You cannot be signed in here",
        format!("Nothing was stored: {error}."),
    )
}

/// Connects the locations. If HighLevel does not return one, its id is used for its name.
async fn connect(
    sign_in: &SignIn,
    marketplace: &MarketplaceApp,
    install: &MarketplaceInstall,
    credential: String,
    owner: Option<String>,
) -> Result<(), StoreError> {
    if let Some(location) = install.location() {
        let found = describe(sign_in, marketplace, &credential, location).await;
        return sign_in
            .vault
            .put_only_location(&credential, owner.as_deref(), found)
            .await
            .map(drop);
    }
    let Some(company) = install.company() else {
        return Ok(());
    };
    let company = CompanyInstall {
        credential,
        company: company.as_str().to_owned(),
        owner,
    };
    let approved = install.approved.iter();
    let told = approved.map(|id| (id.as_str().to_owned(), true)).collect();
    marketplace.sync.look(&company, told, true).await;
    Ok(())
}

/// The only location of an install, as the CRM tells of it.
pub(in crate::http::oauth) async fn describe(
    sign_in: &SignIn,
    marketplace: &MarketplaceApp,
    credential: &str,
    location: &TenantId,
) -> InstalledLocation {
    let installs = &marketplace.installs;
    let reached = installs.of_location(credential, location).into();
    let read = sign_in.pipeline.installed_location(reached, location).await;
    read.unwrap_or_else(|error| {
        tracing::warn!(error, "the name of an installed location is not known");
        InstalledLocation {
            location: location.as_str().to_owned(),
            name: String::new(),
            zone: None,
            comes_back: true,
        }
    })
}

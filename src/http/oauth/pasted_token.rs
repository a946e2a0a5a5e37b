//! A private integration token that a person pastes: tried at the CRM, and stored sealed as the person's own.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::http::HeaderMap;
use tokio::time::{Instant, sleep};

use super::SignIn;
use super::visitor::unavailable;
use crate::call::{HolderRef, TokenProblem, TokenTry};
use crate::config::Who;
use crate::http::client_address::Peer;
use crate::http::pages::clean::one_line;
use crate::http::pages::form::FormFields;
use crate::http::pages::notice::PageProblem;
use state::events::{EventKind, NewEvent};
use state::people::{Person, PersonRole};

/// Calls know a new location within 0.2 seconds. The person who connected it must not see a page without it.
const SOON: Duration = Duration::from_secs(1);
const LOOK: Duration = Duration::from_millis(20);

/// A location that was connected.
pub(in crate::http) struct PastedToken {
    /// Its owner.
    pub person: Arc<Person>,
    /// The result, in words.
    pub done: String,
}

/// Whether this person may paste tokens.
pub(in crate::http) fn may_paste(sign_in: &SignIn, person: &Person) -> bool {
    sign_in.settings.vault && (person.may_vault || person.role == PersonRole::Operator)
}

/// Whether a working token is enough to join.
pub(in crate::http) fn anyone_may_paste(sign_in: &SignIn) -> bool {
    sign_in.settings.vault && sign_in.settings.who == Who::Anyone
}

/// Connects the location of the fields, or fails with a sentence. `person`: the person who is signed in; if nobody is,
/// and anyone may join, a new member.
pub(in crate::http) async fn connect(
    sign_in: &SignIn,
    person: Option<&Arc<Person>>,
    fields: &FormFields,
    (peer, headers): (Option<Extension<Peer>>, &HeaderMap),
) -> Result<Result<PastedToken, String>, PageProblem> {
    let may = match person {
        Some(person) => may_paste(sign_in, person),
        None => anyone_may_paste(sign_in),
    };
    if !may {
        let what = "You may not connect sub-accounts here. Ask the operator of this server.";
        return Ok(Err(what.to_owned()));
    }
    let token = fields.secret("token");
    let peer = peer.map(|Extension(peer)| peer.0);
    let tried = TokenTry {
        location: fields.one("location"),
        token: &token,
        address: sign_in.addresses.client(peer, headers),
    };
    let mut checked = match sign_in.pipeline.check_token(tried).await {
        Ok(checked) => checked,
        Err(problem) => {
            note_refusal(sign_in, person, &problem);
            return Ok(Err(problem.sentence(&sign_in.pages.brand.crm_name)));
        }
    };
    if checked.name.is_empty() {
        // The token may not read the name.
        checked.name = checked.location.as_str().to_owned();
    }
    let person = match person {
        Some(person) => Arc::clone(person),
        None => {
            let name = one_line(&checked.name, 60);
            let made = sign_in.people.make_member(&name).await;
            Arc::new(made.map_err(unavailable)?)
        }
    };
    let done = describe(&checked.name, &checked.can, &checked.cannot);
    // A location that an operator connects is the server's own, for everybody who reaches all.
    let is_operator = person.role == PersonRole::Operator;
    let owner = (!is_operator).then(|| person.id.clone());
    let put = sign_in.vault.put_token(checked.into_new_token(owner));
    let row = put.await.map_err(unavailable)?;
    drop(sign_in.events.add(NewEvent {
        kind: EventKind::LocationAdded,
        actor: Some(person.id.clone()),
        subject: Some(row.id),
        detail: row.alias.clone(),
    }));
    wait_until_known(sign_in, &person, &[row.alias]).await;
    Ok(Ok(PastedToken { person, done }))
}

/// Waits until calls know the location that the person has just connected.
pub(super) async fn wait_until_known(sign_in: &SignIn, person: &Arc<Person>, aliases: &[String]) {
    let deadline = Instant::now() + SOON;
    let holder = HolderRef::Person(Arc::clone(person));
    let are_known = || {
        let snapshot = sign_in.pipeline.snapshot();
        aliases.iter().all(|alias| {
            let account = snapshot.locations.find(alias);
            account.is_some_and(|account| holder.reaches(&account.configured))
        })
    };
    while !are_known() && Instant::now() < deadline {
        sleep(LOOK).await;
    }
}

/// Only for a person who is signed in: refusals of others leave no record, because anybody can cause them.
fn note_refusal(sign_in: &SignIn, person: Option<&Arc<Person>>, problem: &TokenProblem) {
    if let Some(person) = person {
        drop(sign_in.events.add(NewEvent {
            kind: EventKind::LocationRefused,
            actor: Some(person.id.clone()),
            subject: None,
            detail: problem.sentence("HighLevel"),
        }));
    }
}

fn describe(name: &str, can: &[&str], cannot: &[&str]) -> String {
    let name = one_line(name, 80);
    let mut done = format!(
        "{name} is connected. Its token can read: {}.",
        can.join(", ")
    );
    if !cannot.is_empty() {
        done += &format!(
            " It cannot read: {}. To change that, tick more permissions of the integration. You need not paste the \
             token again.",
            cannot.join(", ")
        );
    }
    done
}

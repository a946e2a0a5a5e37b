//! The people who may decide about a waiting call, and may end the connection that sent it.

use std::collections::HashSet;

use crate::http::console::is_operator;
use crate::http::oauth::SignIn;
use crate::http::oauth::visitor::unavailable;
use crate::http::pages::approvals::EndOffer;
use crate::http::pages::notice::PageProblem;
use state::approvals::Approval;
use state::grants::{EndedGrants, GrantHolder};
use state::people::Person;

/// The rights of one person to decide.
pub(super) struct Decider<'a> {
    sign_in: &'a SignIn,
    person: &'a Person,
    /// The names in approvals of this person's grants, and of the person at the console.
    own: HashSet<String>,
}

/// The source of a call, if it can be ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asker<'a> {
    /// A connection, by the id of its grant.
    Connection(&'a str),
    /// An access key, by its id.
    Key(&'a str),
}

impl<'a> Decider<'a> {
    pub(super) async fn new(sign_in: &'a SignIn, person: &'a Person) -> Result<Self, PageProblem> {
        let holder = GrantHolder::Person(person.id.clone());
        let grants = sign_in
            .grants
            .list(Some(holder))
            .await
            .map_err(unavailable)?;
        let own = grants.into_iter().filter(|grant| grant.ended.is_none());
        Ok(Self {
            sign_in,
            person,
            own: own
                .map(|grant| format!("grant:{}", grant.id))
                .chain([format!("person:{}", person.id)])
                .collect(),
        })
    }

    /// An operator decides about everything. Others decide about calls in locations of theirs, and about calls that
    /// wait only because of their own choice to be asked first.
    pub(super) fn may_decide(&self, approval: &Approval) -> bool {
        if is_operator(self.person) || approval.holder_decides && self.own.contains(&approval.who) {
            return true;
        }
        let snapshot = self.sign_in.pipeline.snapshot();
        let mut touched = approval.locations.iter();
        !approval.locations.is_empty()
            && touched.all(|one| {
                let account = snapshot.locations.find(&one.location);
                account.is_some_and(|account| match account.configured.owner() {
                    Some(owner) => owner == self.person.id,
                    None => self.person.may_approve(&one.location),
                })
            })
    }

    /// The person who made a connection may end it. An operator may end any, and keys.
    pub(super) fn may_end<'b>(&self, approval: &'b Approval) -> Option<Asker<'b>> {
        let asker = Asker::parse(&approval.who)?;
        let may = match asker {
            Asker::Connection(_) => is_operator(self.person) || self.own.contains(&approval.who),
            Asker::Key(_) => is_operator(self.person),
        };
        may.then_some(asker)
    }
}

impl<'a> Asker<'a> {
    fn parse(who: &'a str) -> Option<Self> {
        match who.split_once(':')? {
            ("grant", id) => Some(Self::Connection(id)),
            ("key", id) => Some(Self::Key(id)),
            _ => None,
        }
    }

    pub(super) fn offer(self) -> EndOffer {
        match self {
            Self::Connection(_) => EndOffer {
                button: "Deny, and end the connection",
                explanation: "The assistant is disconnected, and all its other requests are denied too. The person who \
                              uses it can connect it again.",
            },
            Self::Key(_) => EndOffer {
                button: "Deny, and revoke the key",
                explanation: "The access key stops working, and so does everything that was connected with it. All its \
                              other requests are denied too. Its programs need another key.",
            },
        }
    }

    /// Ends it, and records by whom. One that has already ended stays so.
    pub(super) async fn end(self, sign_in: &SignIn, person: &Person) -> Result<(), PageProblem> {
        const WHY: &str = "ended when a request was denied";
        match self {
            Self::Connection(id) => {
                let one = EndedGrants::One(id.to_owned());
                let ended = sign_in.grants.end(one, WHY, Some(&person.id));
                ended.await.map_err(unavailable)?;
            }
            Self::Key(id) => {
                let keys = &sign_in.pipeline.controls().keys;
                let revoked = keys.revoke_by(id, Some(&person.id));
                revoked.await.map_err(unavailable)?;
            }
        }
        Ok(())
    }
}

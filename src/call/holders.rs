//! The holder of a key or grant, and the rights that it has at this moment.

use super::access_ref::{
    AccessRef, GrantRef, GrantTerms, HolderRef, connection_ended, person_ended,
};
use super::{Controls, Pipeline};
use crate::upstream::failure::FailureClass;
use crate::upstream::{ConfiguredLocation, Failure};
use state::grants::GrantHolder;

impl Controls {
    /// Whose the grant is, as the holder is now; `None` where that person or key is no more.
    pub fn holder(&self, holder: &GrantHolder) -> Option<HolderRef> {
        match holder {
            GrantHolder::Person(id) => {
                let people = &self.sign_in.as_ref()?.people;
                people.find(id).ok()?.map(HolderRef::Person)
            }
            GrantHolder::Key(id) => self.keys.valid(id).map(HolderRef::Key),
        }
    }

    /// The grant of this id for calls without its token; `None` where it has ended.
    pub(super) async fn grant_again(&self, id: &str) -> Option<GrantRef> {
        let grants = &self.sign_in.as_ref()?.grants;
        let record = grants.get(id).await.ok().flatten()?;
        let holder = self.holder(&record.holder)?;
        Some(GrantRef::new(&GrantTerms::from(&record), holder))
    }

    /// Whether rights were taken from a grant since its call came.
    fn has_narrowed(&self, grant: &GrantRef) -> bool {
        let sign_in = self.sign_in.as_ref();
        sign_in.is_some_and(|sign_in| grant.lost_rights(sign_in.grants.narrowings(&grant.id)))
    }

    /// Whose a grant is that a call came with; `None` where it has ended, or that person or key is no more.
    fn holder_now(&self, grant: &GrantRef) -> Option<HolderRef> {
        let sign_in = self.sign_in.as_ref()?;
        if !sign_in.grants.is_live(&grant.id) {
            return None;
        }
        self.same_holder(grant)
    }

    /// The same of a grant that lasts as long as its holder.
    fn same_holder(&self, grant: &GrantRef) -> Option<HolderRef> {
        self.holder(&match grant.holder() {
            HolderRef::Person(person) => GrantHolder::Person(person.id.clone()),
            HolderRef::Key(record) => GrantHolder::Key(record.id.clone()),
        })
    }
}

impl Pipeline {
    /// Why a key or grant is good no longer, for calls in `location` or at all; from memory.
    pub(super) fn ended(
        &self,
        access: Option<&AccessRef>,
        location: Option<&ConfiguredLocation>,
    ) -> Option<Failure> {
        let access = access?;
        // What was known of keys and grants is forgotten then: it is no sign that they have ended.
        if !self.controls().pauses.is_known() {
            return Some(store_unreadable());
        }
        let (class, what, remedy) = match access {
            AccessRef::Key(key) if self.is_key_valid(&key.id) => return None,
            AccessRef::Key(_) => (
                FailureClass::Auth,
                "Nothing was sent: the access key was revoked or has expired.",
                "Have the server's operator make another.",
            ),
            AccessRef::Console(grant) => match self.controls().same_holder(grant) {
                None => return Some(person_ended()),
                Some(holder) => {
                    let reach = grant.reach.with_holder(holder);
                    if location.is_none_or(|location| reach.contains(location)) {
                        return None;
                    }
                    (
                        FailureClass::Location,
                        "Nothing was sent: you no longer have access to this sub-account.",
                        "Have the server's operator give it to you again.",
                    )
                }
            },
            AccessRef::Grant(grant) => match self.controls().holder_now(grant) {
                None => return Some(connection_ended()),
                Some(_) if self.controls().has_narrowed(grant) => (
                    FailureClass::Refused,
                    "Nothing was sent: the rights of this connection were reduced meanwhile.",
                    "Make the call again; the connection's current rights apply.",
                ),
                Some(holder) => {
                    let reach = grant.reach.with_holder(holder);
                    if location.is_none_or(|location| reach.contains(location)) {
                        return None;
                    }
                    (
                        FailureClass::Location,
                        "Nothing was sent: this connection no longer reaches the location.",
                        "Ask the person who connected it to check its locations.",
                    )
                }
            },
        };
        Some(Failure::new(class, what).with_remedy(remedy))
    }
}

fn store_unreadable() -> Failure {
    let what = "Nothing was sent: the server cannot read its store, so it does not know whether this connection is \
                still valid.";
    Failure::new(FailureClass::Refused, what)
        .with_remedy("Repeat the call in a minute. The server's log has the reason.")
}

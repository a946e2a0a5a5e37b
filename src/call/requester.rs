//! The party that asked for a waiting call, by the names that people know.

use super::Controls;
use state::StoreError;
use state::grants::GrantHolder;

/// By names that others chose: whoever shows them cleans them first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requester {
    /// The client of a connection, or the console.
    pub client: Option<String>,
    /// The person who holds that connection.
    pub person: Option<String>,
    /// The access key, or that which holds the connection.
    pub key: Option<String>,
}

impl Controls {
    /// Of what approvals and audit call `who`. Without a name where it is no key and no connection, or none any more.
    pub async fn requester(&self, who: &str) -> Result<Requester, StoreError> {
        let (kind, id) = who.split_once(':').unwrap_or_default();
        match kind {
            "key" => Ok(Requester {
                key: self.key_name(id),
                ..Requester::default()
            }),
            "grant" => self.connection(id).await,
            "person" => Ok(Requester {
                client: Some("the console".to_owned()),
                person: self.person_name(id),
                ..Requester::default()
            }),
            _ => Ok(Requester::default()),
        }
    }

    async fn connection(&self, id: &str) -> Result<Requester, StoreError> {
        let grant = match &self.sign_in {
            Some(sign_in) => sign_in.grants.get(id).await?,
            None => None,
        };
        let Some(grant) = grant else {
            return Ok(Requester::default());
        };
        let (person, key) = match &grant.holder {
            GrantHolder::Key(id) => (None, self.key_name(id)),
            GrantHolder::Person(id) => (self.person_name(id), None),
        };
        Ok(Requester {
            client: Some(grant.client_name),
            person,
            key,
        })
    }

    fn person_name(&self, id: &str) -> Option<String> {
        let people = &self.sign_in.as_ref()?.people;
        let person = people.find(id).ok().flatten();
        person.map(|person| person.name.clone())
    }

    fn key_name(&self, id: &str) -> Option<String> {
        self.keys.valid(id).map(|key| key.name.clone())
    }
}

impl Requester {
    /// In words, each name as `clean` leaves it; `None` where it has no name.
    pub fn describe(&self, clean: impl Fn(&str) -> String) -> Option<String> {
        let key = self.key.as_deref();
        let key = key.map(|name| format!("access key {}", clean(name)));
        let holder = self.person.as_deref().map(&clean).or(key);
        match (self.client.as_deref(), holder) {
            (Some(client), Some(holder)) => Some(format!("{}, for {holder}", clean(client))),
            (Some(client), None) => Some(clean(client)),
            (None, holder) => holder,
        }
    }
}

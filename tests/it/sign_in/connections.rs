//! An agency where people sign in, and clients that they connected: grants as consent and /token create them.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use highlevel_mcp::call::GrantControls;
use jiff::SignedDuration;
use reqwest::Response;
use ring::digest::{SHA256, digest};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use sqlx::ConnectOptions;
use state::clients::{ClientMethod, ClientRecord, Clients, NewClient};
use state::grants::{GrantHolder, GrantScope, NewGrant, Redemption};
use state::links::{Invitation, Links, Offer};
use state::people::{Person, PersonRole};
use state::vault::{NewToken, VaultLocation};

use super::{HOST, URL};
use crate::agency::{Agency, branch};

const REDIRECT: &str = "https://client.example.test/callback";

/// PKCE's verifier; one is enough for tests.
const VERIFIER: &str = "a-verifier-of-forty-three-characters-or-more";

/// An agency, its address for sign-in, and one client.
pub(super) struct Connections {
    pub agency: Agency,
    pub client: ClientRecord,
}

/// A client that somebody connected.
#[derive(Clone)]
pub(super) struct Connection {
    pub id: String,
    /// The header value that its client sends.
    pub bearer: String,
}

/// The terms that a person allows a client.
#[derive(Clone)]
pub(super) struct Terms<'a> {
    pub holder: GrantHolder,
    pub rules: &'a str,
    pub locations: &'a [&'a str],
    pub scope: GrantScope,
}

impl Terms<'_> {
    /// Every location that the person reaches.
    pub(super) fn of_person(person: &Person) -> Self {
        Self {
            holder: GrantHolder::Person(person.id.clone()),
            rules: "everything",
            locations: &["*"],
            scope: GrantScope::Write,
        }
    }
}

impl Connections {
    pub(super) async fn start(branches: usize, rules: &str) -> Self {
        Self::start_with(branches, rules, &[]).await
    }

    pub(super) async fn start_with(branches: usize, rules: &str, further: &[(&str, &str)]) -> Self {
        let own = [
            ("HIGHLEVEL_MCP_OAUTH_URL", URL),
            ("HIGHLEVEL_MCP_OAUTH_HEADER_HOST", "keys.example.test"),
        ];
        let variables = [&own[..], further].concat();
        let agency = Agency::start_with(branches, rules, &variables).await;
        let client = Clients::new(&agency.server.store()).add(NewClient {
            name: "Test client".to_owned(),
            redirects: vec![REDIRECT.to_owned()],
            method: ClientMethod::None,
        });
        let (client, _) = client.await.expect("a client");
        Self { agency, client }
    }

    pub(super) fn controls(&self) -> &GrantControls {
        let controls = self.agency.server.pipeline.controls();
        controls.sign_in.as_ref().expect("people sign in")
    }

    /// A member who was invited to these locations.
    pub(super) async fn member(&self, name: &str, locations: &[&str]) -> Person {
        self.invited(name, locations, |_| ()).await
    }

    pub(super) async fn invited(
        &self,
        name: &str,
        locations: &[&str],
        change: impl Fn(&mut Invitation),
    ) -> Person {
        let mut invitation = Invitation {
            name: name.to_owned(),
            role: PersonRole::Member,
            all_locations: false,
            locations: locations.iter().map(ToString::to_string).collect(),
            policy: None,
            may_vault: true,
            may_approve: false,
        };
        change(&mut invitation);
        let links = Links::new(&self.agency.server.store());
        let made = links.make(
            Offer::Invite(invitation),
            SignedDuration::from_hours(1),
            1,
            None,
        );
        let (_, text) = made.await.expect("an invitation");
        let joined = links.join(&text, None).await.expect("a store");
        joined.expect("a person")
    }

    /// The record of a person's pasted token for a branch of the sandbox.
    pub(super) async fn paste(&self, person: &Person, number: usize) -> VaultLocation {
        let new = NewToken {
            owner: Some(person.id.clone()),
            location: branch(number),
            name: format!("Own {number:02}"),
            zone: None,
            company: None,
            token: SecretString::from(format!("pit-sandbox-branch-{number:02}")),
        };
        let location = self.controls().vault.put_token(new).await;
        let location = location.expect("a location");
        self.until(|connections| {
            let snapshot = connections.agency.server.pipeline.snapshot();
            snapshot.locations.find(&location.alias).is_some()
        })
        .await;
        location
    }

    /// Waits for a change that every process learns within 0.2 seconds.
    pub(super) async fn until(&self, holds: impl Fn(&Self) -> bool) {
        for _ in 0..100 {
            if holds(self) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("not within two seconds");
    }

    pub(super) async fn connect(&self, terms: Terms<'_>) -> Connection {
        let digest = digest(&SHA256, VERIFIER.as_bytes());
        let new = NewGrant {
            holder: terms.holder,
            client: self.client.id.clone(),
            client_name: self.client.name.clone(),
            redirect: REDIRECT.to_owned(),
            resource: format!("{URL}/mcp"),
            scope: terms.scope,
            rules: terms.rules.to_owned(),
            locations: terms.locations.iter().map(ToString::to_string).collect(),
            challenge: BASE64.encode(digest.as_ref()),
            form: format!("{:032x}", fastrand::u128(..)),
        };
        let grants = &self.controls().grants;
        let allowed = grants.allow(new).await.expect("a store");
        let (grant, code) = allowed.expect("a grant");
        let tokens = grants.redeem(Redemption {
            code,
            client: self.client.id.clone(),
            redirect: Some(REDIRECT.to_owned()),
            verifier: VERIFIER.into(),
            resource: None,
        });
        let tokens = tokens.await.expect("a store").expect("tokens");
        Connection {
            id: grant.id,
            bearer: format!("Bearer {}", tokens.access.expose_secret()),
        }
    }

    /// A call of a tool at the address for sign-in, as a client sends it.
    pub(super) async fn post(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        tool: &str,
        arguments: &Value,
    ) -> Response {
        let params = json!({"name": tool, "arguments": arguments});
        let frame = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
        let mut request = self.agency.server.post(path).header("host", HOST);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.json(&frame).send().await.expect("a reply")
    }

    /// The same. `Err` if the tool reports an error or the server refuses the request.
    pub(super) async fn call_with(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        tool: &str,
        arguments: Value,
    ) -> Result<Value, Value> {
        let answer = self.post(path, headers, tool, &arguments).await;
        let status = answer.status().as_u16();
        let reply: Value = answer.json().await.expect("JSON");
        if status != 200 {
            return Err(json!({"status": status, "error": reply["error_description"]}));
        }
        let result = &reply["result"];
        let text = result["content"][0]["text"].as_str();
        let text = text.unwrap_or_else(|| panic!("no text: {reply}"));
        let value = serde_json::from_str(text).unwrap_or_else(|_| json!(text));
        match result["isError"] == true {
            true => Err(value),
            false => Ok(value),
        }
    }

    pub(super) async fn call(
        &self,
        connection: &Connection,
        tool: &str,
        arguments: Value,
    ) -> Result<Value, Value> {
        let headers = [("authorization", connection.bearer.as_str())];
        let document = tool.split('_').next().unwrap_or_default();
        let path = format!("/mcp/x/{document}");
        self.call_with(&path, &headers, tool, arguments).await
    }

    /// The locations named in HighLevel's requests since number `before`.
    pub(super) async fn reached(&self, before: usize) -> Vec<String> {
        let seen = self.agency.sandbox.requests().await;
        let texts = seen.iter().skip(before).map(Value::to_string);
        let ids = texts.flat_map(|text| {
            let all = (1..=60).map(branch);
            all.filter(move |id| text.contains(id)).collect::<Vec<_>>()
        });
        let mut ids: Vec<String> = ids.collect();
        ids.sort();
        ids.dedup();
        ids
    }

    /// A change as another process makes it: this one has not read it yet.
    pub(super) async fn change_rows(&self, change: &str) {
        let store = self.agency.server.store();
        let path = store.path().expect("a file");
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
        let mut connection = options.connect().await.expect("a connection");
        let change = sqlx::query(sqlx::AssertSqlSafe(change.to_owned()));
        change.execute(&mut connection).await.expect("changed");
    }

    pub(super) async fn requests(&self) -> usize {
        self.agency.sandbox.requests().await.len()
    }
}

//! Connecting by address alone: the credentials that people bring, and their effects.

mod addresses;
mod aliases;
mod approval_links;
mod approval_webhooks;
mod asking;
mod assistants;
mod audit_pages;
pub(crate) mod browser;
mod builder;
mod callers;
mod chosen_rules;
mod commands;
mod connections;
mod consent;
mod console;
mod customer_sign_in;
mod customers;
mod deciding;
mod discovery;
mod document_clients;
mod documents;
mod highlevel;
mod hosts;
mod isolation;
mod kept_answers;
mod keys;
mod live;
mod metadata;
mod narrowing;
mod pages;
mod passkeys;
mod pause;
mod people;
mod program;
mod refreshes;
mod registration;
mod resources;
mod revocation;
mod rule_sections;
mod sub_accounts;
mod tokens;
mod trying;
mod usage;
mod vault;
mod waiting;
mod webhooks;

use axum::body::Bytes;
use reqwest::header::HeaderMap;
use reqwest::{Method, StatusCode};
use secrecy::ExposeSecret;
use serde_json::Value;
use state::links::{FIRST_LASTS, Invitation, Links, Offer};
use state::people::PersonRole;

use crate::agency::Agency;
use browser::{Browser, SIGN_IN};
use test_support::server::TestServer;

/// The address for sign-in in tests. Requests use this host and go to the server's port.
const URL: &str = "https://mcp.example.test";
const HOST: &str = "mcp.example.test";

/// An answer.
struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Reply {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Empty if there is none.
    fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().expect("a text"))
    }
}

/// Sends a request to the address for sign-in, unless `headers` name another host.
async fn ask(
    server: &TestServer,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: &'static str,
) -> Reply {
    let mut request = server
        .http
        .request(method, format!("{}{path}", server.url))
        .body(body);
    if !headers.iter().any(|(name, _)| *name == "host") {
        request = request.header("host", HOST);
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let reply = request.send().await.expect("a reply");
    Reply {
        status: reply.status(),
        headers: reply.headers().clone(),
        body: reply.bytes().await.expect("a body"),
    }
}

/// A server at which people sign in, with this many locations and a section of rules, `front`.
async fn house(branches: usize) -> Agency {
    house_with(branches, &[]).await
}

async fn house_with(branches: usize, further: &[(&str, &str)]) -> Agency {
    let rules = "[server]\nconfirm = { read = \"off\" }\n\n[policies.front]\ndeny = [\"contacts_delete-contact\"]\n";
    Agency::start_with(branches, rules, &[&SIGN_IN, further].concat()).await
}

/// The text of a link, as its recipient gets it.
async fn link(server: &TestServer, offer: Offer) -> String {
    let made = Links::new(&server.store()).make(offer, FIRST_LASTS, 1, None);
    let (_, secret) = made.await.expect("a link");
    secret.expose_secret().to_owned()
}

async fn invite(server: &TestServer, name: &str, locations: &[&str]) -> String {
    let invitation = Invitation {
        name: name.to_owned(),
        role: PersonRole::Member,
        all_locations: false,
        locations: locations.iter().map(ToString::to_string).collect(),
        policy: None,
        may_vault: false,
        may_approve: false,
    };
    link(server, Offer::Invite(invitation)).await
}

/// The first person of the server, called Olga.
async fn sign_in_as_operator(server: &TestServer, browser: &Browser) {
    let link = link(server, Offer::First).await;
    let fields = [("link", link.as_str()), ("name", "Olga")];
    let joined = browser.post("/console/first", &fields).await;
    assert!(joined.location().starts_with("/console"), "{}", joined.text);
}

/// A person who was invited to these locations.
async fn sign_in_as_member(server: &TestServer, browser: &Browser, name: &str, locations: &[&str]) {
    let link = invite(server, name, locations).await;
    let joined = browser.post("/console/join", &[("link", &link)]).await;
    assert!(joined.location().starts_with("/console"), "{}", joined.text);
}

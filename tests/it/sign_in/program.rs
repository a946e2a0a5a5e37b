//! A program as a client: its requests to the endpoints of clients, and an approval without the pages.

use reqwest::{Method, RequestBuilder};
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, Row, SqliteConnection};
use state::clients::Clients;
use state::grants::{GrantHolder, GrantScope, Grants, NewGrant};
use state::keys::{KeyLocations, Keys};

use secrecy::ExposeSecret;

use super::{HOST, Reply, URL};
use test_support::server::TestServer;

pub(super) const REDIRECT: &str = "http://127.0.0.1:5173/callback";
pub(super) const RESOURCE: &str = "https://mcp.example.test/mcp";

/// The values of RFC 7636.
pub(super) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(super) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// A server with sign-in at its host.
pub(super) async fn start(variables: &[(&str, &str)]) -> TestServer {
    start_before("http://127.0.0.1:9", variables).await
}

pub(super) async fn start_before(highlevel: &str, variables: &[(&str, &str)]) -> TestServer {
    let own = [("HIGHLEVEL_MCP_OAUTH_URL", URL)];
    TestServer::start_with(highlevel, &[&own, variables].concat()).await
}

pub(super) fn grants(server: &TestServer) -> Grants {
    let sign_in = server.pipeline.controls().sign_in.clone();
    sign_in.expect("people sign in").grants
}

/// A form, with its changes.
#[derive(Clone)]
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    pub(super) fn new(fields: &[(&str, &str)]) -> Self {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Self(fields.iter().map(own).collect())
    }

    pub(super) fn code(client: &str, code: &str) -> Self {
        Self::new(&[
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", REDIRECT),
            ("code_verifier", VERIFIER),
            ("client_id", client),
            ("resource", RESOURCE),
        ])
    }

    pub(super) fn refresh(client: &str, token: &str) -> Self {
        Self::new(&[
            ("grant_type", "refresh_token"),
            ("refresh_token", token),
            ("client_id", client),
        ])
    }

    pub(super) fn token(client: &str, token: &str) -> Self {
        Self::new(&[("token", token), ("client_id", client)])
    }

    pub(super) fn without(mut self, name: &str) -> Self {
        self.0.retain(|(own, _)| own != name);
        self
    }

    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        self.0.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(super) fn set(self, name: &str, value: &str) -> Self {
        self.without(name).with(name, value)
    }
}

/// A request to the address for sign-in.
pub(super) fn request(server: &TestServer, method: Method, path: &str) -> RequestBuilder {
    let request = server.http.request(method, format!("{}{path}", server.url));
    request.header("host", HOST)
}

pub(super) async fn send(request: RequestBuilder) -> Reply {
    let reply = request.send().await.expect("a reply");
    Reply {
        status: reply.status(),
        headers: reply.headers().clone(),
        body: reply.bytes().await.expect("a body"),
    }
}

pub(super) async fn post(
    server: &TestServer,
    path: &str,
    headers: &[(&str, &str)],
    form: &Form,
) -> Reply {
    let body = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(&form.0)
        .finish();
    let mut request = request(server, Method::POST, path)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    send(request).await
}

/// A client, and its secret if its method has one.
pub(super) async fn register(server: &TestServer, method: &str) -> (String, Option<String>) {
    let clients = Clients::new(&server.store());
    let registered = clients.register(state::clients::NewClient {
        name: "A program".to_owned(),
        redirects: vec![REDIRECT.to_owned()],
        method: state::clients::ClientMethod::parse(method).expect("a method"),
    });
    let (client, secret) = registered.await.expect("written").expect("room");
    let secret = secret.map(|secret| secret.expose_secret().to_owned());
    (client.id, secret)
}

/// The grant that the holder of a key allows.
pub(super) fn new_grant(server: &TestServer, client: &str) -> NewGrant {
    let keys = Keys::new(&server.store());
    let name = format!("key {}", fastrand::u64(..));
    let key = keys.create(&name, KeyLocations::All, None, None).wait();
    NewGrant {
        holder: GrantHolder::Key(key.expect("made").0.id),
        client: client.to_owned(),
        client_name: "A program".to_owned(),
        redirect: REDIRECT.to_owned(),
        resource: RESOURCE.to_owned(),
        scope: GrantScope::Write,
        rules: "everything".to_owned(),
        locations: vec!["*".to_owned()],
        challenge: CHALLENGE.to_owned(),
        form: name,
    }
}

/// The code of a grant.
pub(super) async fn allow(server: &TestServer, new: NewGrant) -> String {
    let allowed = grants(server).allow(new).await.expect("written");
    let (_, code) = allowed.expect("new");
    code.expose_secret().to_owned()
}

/// An allowed client.
pub(super) struct Program {
    pub id: String,
    pub access: String,
    pub refresh: String,
}

impl Program {
    pub(super) async fn connect(server: &TestServer) -> Self {
        let (id, _) = register(server, "none").await;
        let code = allow(server, new_grant(server, &id)).await;
        let reply = post(server, "/token", &[], &Form::code(&id, &code)).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        Self {
            id,
            access: field(&reply.json(), "access_token"),
            refresh: field(&reply.json(), "refresh_token"),
        }
    }

    /// Requests the next tokens with this refresh token.
    pub(super) async fn refresh(&self, server: &TestServer, token: &str) -> Reply {
        post(server, "/token", &[], &Form::refresh(&self.id, token)).await
    }
}

/// MCP's answer to a token.
pub(super) async fn ping(server: &TestServer, token: &str) -> Reply {
    let request = request(server, Method::POST, "/mcp")
        .bearer_auth(token)
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .body(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#);
    send(request).await
}

pub(super) fn field(body: &Value, name: &str) -> String {
    let text = body[name].as_str();
    text.unwrap_or_else(|| panic!("no {name} in {body}"))
        .to_owned()
}

/// Changes rows directly, for example to simulate the passing of time.
pub(super) async fn sql(server: &TestServer, statement: &str) {
    let mut rows = rows(server).await;
    for statement in [statement, "UPDATE revision SET n = n + 1"] {
        let done = sqlx::query(AssertSqlSafe(statement.to_owned())).execute(&mut rows);
        done.await.expect("done");
    }
}

/// The single number that a query returns.
pub(super) async fn number(server: &TestServer, query: &str) -> i64 {
    let mut rows = rows(server).await;
    let row = sqlx::query(AssertSqlSafe(query.to_owned())).fetch_one(&mut rows);
    row.await.expect("a row").get(0)
}

async fn rows(server: &TestServer) -> SqliteConnection {
    let store = server.store();
    let path = store.path().expect("a file").display().to_string();
    let connection = SqliteConnection::connect(&format!("sqlite://{path}")).await;
    connection.expect("a connection")
}

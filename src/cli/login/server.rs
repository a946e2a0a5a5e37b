//! A server's description of its sign-in.

use serde_json::{Value, json};

use crate::cli::CliError;
use crate::cli::web::{
    NO_SIGN_IN, ServerAddress, SignInChallenge, WebAnswer, has_no_sign_in, hello,
};

/// The origin of the server: tokens go to no other.
pub(super) struct SignInServer {
    pub origin: String,
    pub authorize: String,
    pub token: String,
    pub revoke: String,
    /// `None` if the operator makes every client.
    register: Option<String>,
}

impl SignInServer {
    /// Discovers the sign-in like any client that knows only the address.
    pub(super) async fn discover(
        http: &reqwest::Client,
        address: &ServerAddress,
    ) -> Result<Self, CliError> {
        Self::find(http, address).await.map_err(|why| {
            CliError(format!(
                "it is not possible to sign in at {}: {why}. `highlevel-mcp doctor --public {0}` shows details",
                address.endpoint
            ))
        })
    }

    async fn find(http: &reqwest::Client, address: &ServerAddress) -> Result<Self, String> {
        let origin = &address.origin;
        let request = hello(http, reqwest::Method::POST, address.endpoint.as_str());
        let answer = WebAnswer::ask(request).await?;
        let challenge = match SignInChallenge::parse(&answer, origin) {
            Ok(challenge) => challenge,
            Err(_) if has_no_sign_in(http, address).await => return Err(NO_SIGN_IN.to_owned()),
            Err(fault) => return Err(format!("it {fault}")),
        };
        let resource = document(http, &challenge.metadata).await?;
        let is_own = resource["authorization_servers"]
            .as_array()
            .is_some_and(|servers| servers.iter().any(|server| server == origin));
        if !is_own {
            return Err(format!(
                "it sends clients to another server than {origin} to sign in"
            ));
        }
        let metadata = address.path("/.well-known/oauth-authorization-server");
        let metadata = document(http, &metadata).await?;
        if metadata["issuer"] != *origin {
            return Err(format!("{} is another server", metadata["issuer"]));
        }
        let endpoint = |name: &str| {
            let found = metadata[name].as_str().map(str::to_owned);
            found.filter(|found| found.starts_with(&format!("{origin}/")))
        };
        let needed = |name: &str| {
            endpoint(name)
                .ok_or_else(|| format!("its {name} is missing or belongs to another server"))
        };
        Ok(Self {
            origin: origin.clone(),
            authorize: needed("authorization_endpoint")?,
            token: needed("token_endpoint")?,
            revoke: needed("revocation_endpoint")?,
            register: endpoint("registration_endpoint"),
        })
    }

    /// Registers this program at the server. Returns its client id there.
    pub(super) async fn register(&self, http: &reqwest::Client) -> Result<String, CliError> {
        let Some(register) = &self.register else {
            return Err(CliError(format!(
                "clients cannot register themselves at {}. Ask its operator to run `highlevel-mcp clients add login \
                 --redirect http://127.0.0.1/callback`, and give the id by --client-id",
                self.origin
            )));
        };
        let about = json!({
            "client_name": "highlevel-mcp login",
            // For a loopback address the port does not matter.
            "redirect_uris": ["http://127.0.0.1/callback"],
            "token_endpoint_auth_method": "none",
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
        });
        let answer = WebAnswer::ask(http.post(register).json(&about)).await?;
        let id = answer
            .json()
            .and_then(|answer| Some(answer["client_id"].as_str()?.to_owned()));
        match (answer.status, id) {
            (200 | 201, Some(id)) => Ok(id),
            (status, _) => Err(CliError(format!(
                "{register} answers {status} to a client that registers itself: {}",
                words(&answer)
            ))),
        }
    }
}

async fn document(http: &reqwest::Client, url: &str) -> Result<Value, String> {
    let answer = WebAnswer::ask(http.get(url).header("accept", "application/json")).await?;
    let document = answer.json().filter(|_| answer.status == 200);
    document.ok_or_else(|| format!("{url} answers {} without a document", answer.status))
}

/// The text of an error, made safe for a terminal.
pub(super) fn words(answer: &WebAnswer) -> String {
    let body = answer.json().unwrap_or_default();
    let words = body["error_description"]
        .as_str()
        .or_else(|| body["error"].as_str());
    crate::cli::terminal::visible(words.unwrap_or("no reason"))
}

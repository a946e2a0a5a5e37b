//! `login` and `logout`: this program's own sign-in at a server elsewhere, which `stdio --url` then uses, or at
//! HighLevel.

mod callback;
pub(super) mod highlevel;
mod server;
mod tokens;

use std::io::{BufRead, Write};
use std::process::ExitCode;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::Args;
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::output::OutputFlags;
use super::terminal::waiting;
use super::web::{ServerAddress, client};
use super::{CliError, StateFlags, runtime};
use crate::config::Flags;
use callback::{Callback, CallbackParameters, REDIRECT_TO_NOBODY};
use server::SignInServer;
use state::logins::Logins;
use tokens::TokenPurpose;
pub(super) use tokens::{LoginTokens, TokenTrouble};

/// How long a person may take to sign in.
const PATIENCE: Duration = Duration::from_secs(10 * 60);

#[derive(Args)]
pub(super) struct Login {
    /// Address of the server, such as https://mcp.example.com.
    #[arg(long, value_name = "URL", required_unless_present = "highlevel")]
    url: Option<String>,
    /// Sign in at HighLevel itself, with the Marketplace app of the settings. `stdio` and `call` then act in the
    /// sub-account that you choose, unless HIGHLEVEL_TOKEN is set.
    #[arg(long, conflicts_with_all = ["url", "client_id", "paste"])]
    highlevel: bool,
    /// Redirect address of that app, from its page in the Marketplace. The default is the one of oauth.url.
    #[arg(long, value_name = "URL", requires = "highlevel")]
    redirect: Option<String>,
    /// Id of a client that the server's operator added. Without it this program registers itself.
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
    /// Print the address and open no browser.
    #[arg(long)]
    no_browser: bool,
    /// For a browser on another machine: print the address, and then ask for the address at which the browser ends.
    #[arg(long)]
    paste: bool,
    #[command(flatten)]
    output: OutputFlags,
    #[command(flatten)]
    of: StateFlags,
}

#[derive(Args)]
pub(super) struct Logout {
    /// Address of the server, such as https://mcp.example.com.
    #[arg(long, value_name = "URL", required_unless_present = "highlevel")]
    url: Option<String>,
    /// Forget the sign-in at HighLevel.
    #[arg(long, conflicts_with = "url")]
    highlevel: bool,
    #[command(flatten)]
    output: OutputFlags,
    #[command(flatten)]
    of: StateFlags,
}

/// The secrets of a running sign-in that only this program knows.
struct LoginProof {
    state: String,
    verifier: SecretString,
}

impl Login {
    pub(super) fn run(self, flags: &Flags) -> Result<ExitCode, CliError> {
        let Some(url) = &self.url else {
            return highlevel::sign_in(&self, flags);
        };
        let address = ServerAddress::parse(url)?;
        if !address.is_private() {
            return Err(CliError(format!(
                "{url} is not encrypted, but tokens would be sent there. Give an address that begins with https://"
            )));
        }
        // Nobody signs in where it cannot be kept.
        self.of.look(flags)?;
        let tokens = runtime()?.block_on(self.sign_in(&address))?;
        self.of.change(flags, |_, store| {
            let put = Logins::new(store).put(&address.origin, tokens.to_text());
            Ok(put.wait()?)
        })?;
        let text = format!(
            "You are signed in at {0}. `highlevel-mcp stdio --url {0}` serves its tools; `highlevel-mcp logout --url {0}` ends it.\n",
            address.origin
        );
        let record = json!({"server": address.origin, "is_signed_in": true});
        self.output.record(&record, text)?;
        Ok(ExitCode::SUCCESS)
    }

    async fn sign_in(&self, address: &ServerAddress) -> Result<LoginTokens, CliError> {
        let http = client()?;
        let server = waiting("asking the server", SignInServer::discover(&http, address)).await?;
        let callback = match self.paste {
            true => None,
            false => Some(Callback::bind().await?),
        };
        let redirect = callback
            .as_ref()
            .map_or(REDIRECT_TO_NOBODY, |callback| &callback.redirect)
            .to_owned();
        let id = match &self.client_id {
            Some(id) => id.clone(),
            None => server.register(&http).await?,
        };
        let proof = LoginProof::new()?;
        let page = proof.page(&server, &id, &redirect, address)?;
        self.show(&page);
        let parameters = match callback {
            Some(callback) => {
                let wait = waiting(
                    "waiting for you in the browser",
                    callback.wait(&proof.state),
                );
                let patient = tokio::time::timeout(PATIENCE, wait).await;
                patient
                    .map_err(|_| CliError("nobody signed in within ten minutes".to_owned()))??
            }
            None => read_address(
                "After you allow it, your browser ends at a page that cannot be shown.",
                REDIRECT_TO_NOBODY,
            )?,
        };
        let code = parameters.code(&proof.state, &server.origin)?;
        let request = TokenPurpose::Code {
            code,
            redirect: &redirect,
            verifier: &proof.verifier,
        };
        let mut tokens = LoginTokens::new(server, id, address);
        tokens
            .fetch(&http, request)
            .await
            .map_err(|trouble| CliError(trouble.to_string()))?;
        Ok(tokens)
    }

    fn show(&self, page: &str) {
        let opened = !self.no_browser && !self.paste && open::that_detached(page).is_ok();
        let how = if opened {
            "Your browser opens the page to sign in. If it does not, open it yourself:"
        } else {
            "Open this page in a browser to sign in:"
        };
        eprintln!("{how}\n\n{page}\n");
    }
}

impl Logout {
    /// Tells the server. If that fails, the login is forgotten here all the same.
    pub(super) fn run(self, flags: &Flags) -> Result<ExitCode, CliError> {
        let Some(url) = &self.url else {
            return highlevel::sign_out(&self, flags);
        };
        let address = ServerAddress::parse(url)?;
        let (_, store) = self.of.open(flags)?;
        let Some(record) = Logins::new(&store).remove(&address.origin).wait()? else {
            return Err(CliError(format!(
                "you are not signed in at {}",
                address.origin
            )));
        };
        let tokens = LoginTokens::parse(&record.text)?;
        let ended = runtime()?.block_on(async { tokens.revoke(&client()?).await });
        let text = match &ended {
            Ok(()) => format!("You are signed out at {}.\n", address.origin),
            Err(CliError(why)) => format!(
                "The login at {} is removed here, but the server did not receive the sign-out ({why}). End the \
                 connection there, at {0}/console.\n",
                address.origin
            ),
        };
        let record = json!({
            "server": address.origin, "is_signed_in": false, "server_knows": ended.is_ok(),
            "why": ended.err().map(|CliError(why)| why),
        });
        self.output.record(&record, text)?;
        Ok(ExitCode::SUCCESS)
    }
}

impl LoginProof {
    fn new() -> Result<Self, CliError> {
        Ok(Self {
            state: random_text()?,
            verifier: random_text()?.into(),
        })
    }

    /// The page where the person signs in.
    fn page(
        &self,
        server: &SignInServer,
        client: &str,
        redirect: &str,
        address: &ServerAddress,
    ) -> Result<String, CliError> {
        let hash = digest(&SHA256, self.verifier.expose_secret().as_bytes());
        let mut page = reqwest::Url::parse(&server.authorize)?;
        page.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", client)
            .append_pair("redirect_uri", redirect)
            .append_pair("code_challenge", &URL_SAFE_NO_PAD.encode(hash))
            .append_pair("code_challenge_method", "S256")
            .append_pair("state", &self.state)
            .append_pair("scope", "read write offline_access")
            .append_pair("resource", address.endpoint.as_str());
        Ok(page.into())
    }
}

/// 256 random bits.
fn random_text() -> Result<String, CliError> {
    let mut bytes = [0; 32];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.map_err(|_| CliError("the system gives no random numbers".to_owned()))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// The address that the person copies from the browser, which ends at one that begins with `redirect`.
fn read_address(how_it_ends: &str, redirect: &str) -> Result<CallbackParameters, CliError> {
    eprintln!("{how_it_ends} Copy its whole address from the browser and paste it here.");
    eprint!("> ");
    std::io::stderr().flush()?;
    let mut line = String::new();
    if std::io::stdin().lock().read_line(&mut line)? == 0 {
        return Err(CliError(
            "nothing was stored, because stdin ended without an address. Run this in a terminal, where you can paste \
             it".to_owned(),
        ));
    }
    let query = line.trim().split_once('?').map(|(_, query)| query);
    let query = query.ok_or_else(|| {
        CliError(format!(
            "nothing was stored, because this is not the address at which the sign-in ends. It begins with {redirect}? \
             and contains code="
        ))
    })?;
    Ok(CallbackParameters::parse(query))
}

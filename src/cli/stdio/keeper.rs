//! The credential that a relay shows its server: an access key, or a login. One process renews a login for all, before
//! it expires or when the server rejects it.

use std::time::Duration;

use secrecy::SecretString;
use tokio::sync::Mutex;

use crate::cli::CliError;
use crate::cli::login::{LoginTokens, TokenTrouble};
use state::logins::{LoginRecord, Logins};

/// The interval at which another process's renewal is looked up.
const LOOK: Duration = Duration::from_millis(200);

/// After this many look-ups the other process is given up.
const MOST_LOOKS: usize = 200;

/// The credential that a relay shows the server.
pub(super) enum RelayCredential {
    Login(Box<LoginKeeper>),
    /// An access key of the server, valid until it is revoked there.
    Key(SecretString),
}

pub(super) struct LoginKeeper {
    http: reqwest::Client,
    logins: Logins,
    server: String,
    current: Mutex<(LoginRecord, LoginTokens)>,
}

/// An access token with its generation in the login; or the key.
pub(super) struct LoginAccess {
    pub token: SecretString,
    pub generation: i64,
}

impl RelayCredential {
    pub(super) async fn access(&self) -> Result<LoginAccess, String> {
        match self {
            Self::Login(keeper) => keeper.access().await,
            Self::Key(key) => Ok(LoginAccess {
                token: key.clone(),
                generation: 0,
            }),
        }
    }

    /// A newer credential than that of `generation`, which the server rejected; `None` if there is none.
    pub(super) async fn renew(&self, generation: i64) -> Result<Option<LoginAccess>, String> {
        match self {
            Self::Login(keeper) => keeper.renew(generation).await.map(Some),
            Self::Key(_) => Ok(None),
        }
    }
}

impl LoginKeeper {
    /// Fails if nobody has signed in at `server`.
    pub(super) async fn open(
        http: reqwest::Client,
        logins: Logins,
        server: &str,
    ) -> Result<Self, CliError> {
        let current = read(&logins, server).await.map_err(CliError)?;
        Ok(Self {
            http,
            logins,
            server: server.to_owned(),
            current: Mutex::new(current),
        })
    }

    /// A token that is valid for at least a minute, if the server issues one.
    async fn access(&self) -> Result<LoginAccess, String> {
        let mut current = self.current.lock().await;
        if current.1.is_ending() {
            let renewed = self.renew_current(&mut current).await;
            // A token that is still valid may be used while the server cannot be reached.
            if let Err(why) = renewed
                && !current.1.is_good()
            {
                return Err(why);
            }
        }
        Ok(LoginAccess::from_login(&current))
    }

    /// A newer token than that of `generation`, which the server rejected.
    async fn renew(&self, generation: i64) -> Result<LoginAccess, String> {
        let mut current = self.current.lock().await;
        if current.0.generation == generation {
            self.renew_current(&mut current).await?;
        }
        Ok(LoginAccess::from_login(&current))
    }

    /// The caller holds the lock of `current`, so that one task of this process renews at a time.
    async fn renew_current(&self, current: &mut (LoginRecord, LoginTokens)) -> Result<(), String> {
        for _ in 0..MOST_LOOKS {
            let found = read(&self.logins, &self.server).await?;
            if found.0.generation != current.0.generation {
                // Another process has renewed it.
                *current = found;
                return Ok(());
            }
            let begun = self.logins.begin_renewal(&current.0).await;
            if begun.map_err(|error| error.to_string())? {
                return self.ask(current).await;
            }
            tokio::time::sleep(LOOK).await;
        }
        Err(format!(
            "another program is renewing the login at {} and does not finish",
            self.server
        ))
    }

    async fn ask(&self, current: &mut (LoginRecord, LoginTokens)) -> Result<(), String> {
        let mut tokens = LoginTokens::parse(&current.0.text).map_err(|CliError(why)| why)?;
        let asked = tokens.renew(&self.http).await;
        let text = asked.is_ok().then(|| tokens.to_text());
        let ended = self.logins.end_renewal(&current.0, text).await;
        ended.map_err(|error| error.to_string())?;
        match asked {
            Ok(()) => {
                *current = read(&self.logins, &self.server).await?;
                Ok(())
            }
            Err(TokenTrouble::Ended(words)) => Err(format!(
                "The sign-in at {0} has ended ({words}). Run in a terminal: highlevel-mcp login --url {0}",
                self.server
            )),
            Err(trouble) => Err(trouble.to_string()),
        }
    }
}

impl LoginAccess {
    fn from_login((record, tokens): &(LoginRecord, LoginTokens)) -> Self {
        Self {
            token: tokens.access.clone(),
            generation: record.generation,
        }
    }
}

async fn read(logins: &Logins, server: &str) -> Result<(LoginRecord, LoginTokens), String> {
    let found = logins
        .find(server)
        .await
        .map_err(|error| error.to_string())?;
    let record = found.ok_or_else(|| {
        format!("You are not signed in at {server}. Run in a terminal: highlevel-mcp login --url {server}")
    })?;
    let tokens = LoginTokens::parse(&record.text).map_err(|CliError(why)| why)?;
    Ok((record, tokens))
}

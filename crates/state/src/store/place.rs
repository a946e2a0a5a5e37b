//! The place of the rows, and the database's errors as sentences for the operator.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::{PgConnectOptions, PgSslMode};

use crate::StoreError;

/// The place of the rows.
#[derive(Clone, Debug)]
pub(super) enum StorePlace {
    Memory,
    File(PathBuf),
    Database(Arc<DatabaseAddress>),
}

/// A PostgreSQL database.
#[derive(Debug)]
pub(super) struct DatabaseAddress {
    url: SecretString,
    is_pooled: bool,
    /// A host that is reached over a network without TLS.
    open_host: Option<String>,
    /// Its name and its server, for people.
    shown: String,
}

impl StorePlace {
    /// A database at this address.
    pub(super) fn in_database(url: &SecretString) -> Result<Self, StoreError> {
        let address = DatabaseAddress::parse(url)?;
        Ok(Self::Database(Arc::new(address)))
    }

    /// Says so where others on the network may read along.
    pub(super) fn warn_of_network(&self) {
        if let Self::Database(address) = self
            && let Some(host) = &address.open_host
        {
            tracing::warn!(
                "what goes to PostgreSQL at {host} may be read and changed on the way; put sslmode=verify-full into state.url"
            );
        }
    }

    pub(super) fn is_database(&self) -> bool {
        matches!(self, Self::Database(_))
    }

    /// Whether each transaction may use another server connection: the address says so, for PgBouncer.
    pub(super) fn is_pooled(&self) -> bool {
        matches!(self, Self::Database(address) if address.is_pooled)
    }

    pub(super) fn path(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Memory | Self::Database(_) => None,
        }
    }

    /// The database, for people.
    pub(super) fn database(&self) -> Option<&str> {
        match self {
            Self::Database(address) => Some(&address.shown),
            Self::Memory | Self::File(_) => None,
        }
    }

    /// The reason that the database failed, as a sentence.
    pub(super) fn explain(&self, error: &sqlx::Error) -> StoreError {
        match self {
            Self::Memory => StoreError::storage(format!("the store in memory failed: {error}")),
            Self::File(path) => explain_file(path, error),
            Self::Database(address) => explain_database(&address.shown, error),
        }
    }

    /// The error for an answer that takes too long.
    pub(super) fn silent(&self) -> StoreError {
        let shown = self.database().unwrap_or("the store");
        StoreError::away(format!(
            "{shown} did not answer in time; check that its server runs and is not overloaded, and check the network"
        ))
    }
}

impl DatabaseAddress {
    pub(super) fn parse(url: &SecretString) -> Result<Self, StoreError> {
        let text = url.expose_secret();
        // The parser's error may repeat the text, which contains a password.
        let wrong = || {
            StoreError::from(
                "state.url is not an address of a PostgreSQL database; write \
                 postgres://USER:PASSWORD@HOST:5432/DATABASE?sslmode=verify-full"
                    .to_owned(),
            )
        };
        if !["postgres://", "postgresql://"]
            .iter()
            .any(|scheme| text.starts_with(scheme))
        {
            return Err(wrong());
        }
        let options = PgConnectOptions::from_str(text).map_err(|_| wrong())?;
        let host = options.get_host();
        let is_open = !is_of_this_machine(host) && !is_sealed(options.get_ssl_mode());
        let database = options.get_database().unwrap_or(options.get_username());
        Ok(Self {
            shown: format!(
                "PostgreSQL's database {database} at {host}:{}",
                options.get_port()
            ),
            open_host: is_open.then(|| host.to_owned()),
            is_pooled: text.contains("statement-cache-capacity=0"),
            url: url.clone(),
        })
    }

    pub(super) fn shown(&self) -> &str {
        &self.shown
    }

    pub(super) fn url(&self) -> &str {
        self.url.expose_secret()
    }
}

/// By its name, or by a socket in a folder.
fn is_of_this_machine(host: &str) -> bool {
    let is_loopback = |address: IpAddr| address.is_loopback();
    host.starts_with('/') || host == "localhost" || host.parse().is_ok_and(is_loopback)
}

fn is_sealed(mode: PgSslMode) -> bool {
    matches!(
        mode,
        PgSslMode::Require | PgSslMode::VerifyCa | PgSslMode::VerifyFull
    )
}

fn explain_file(path: &Path, error: &sqlx::Error) -> StoreError {
    let path = path.display();
    // https://www.sqlite.org/rescode.html: the lower byte is the kind.
    let kind = code(error).and_then(|code| code.parse::<u32>().ok());
    match kind.map(|code| code & 0xff) {
        Some(5 | 6) => StoreError::busy(format!(
            "{path} has been held by another process for some seconds; end that process, or try again"
        )),
        Some(13) => StoreError::storage(format!(
            "{path} cannot be written: the disk is full; make room on it"
        )),
        Some(8 | 14) => StoreError::storage(format!(
            "{path} cannot be written: {error}; the state folder must belong to the user that runs this, and its file \
             system must allow writing"
        )),
        Some(11 | 26) => StoreError::storage(format!(
            "{path} is broken: {error}; stop every server on it, and put a backup in its place by `highlevel-mcp state restore`"
        )),
        _ => StoreError::storage(format!(
            "{path} cannot be used: {error}; the state folder must belong to the user that runs this, with space on its \
             disk"
        )),
    }
}

/// By the codes of https://www.postgresql.org/docs/current/errcodes-appendix.html.
fn explain_database(shown: &str, error: &sqlx::Error) -> StoreError {
    let Some(code) = code(error) else {
        let what = format!(
            "{shown} cannot be reached: {error}; check that its server runs and that state.url is right"
        );
        return match error {
            sqlx::Error::Io(_) => StoreError::away(what),
            _ => StoreError::storage(what),
        };
    };
    let remedy = match code.as_str() {
        // Lock not available, query cancelled, serialization failure, deadlock, a plan from before a change of the
        // tables.
        "55P03" | "57014" | "40001" | "40P01" | "0A000" => {
            return StoreError::busy(format!(
                "{shown} has been locked by another process for some seconds ({error}); try again, and if this happens \
                 again, find the process in pg_stat_activity"
            ));
        }
        "25006" => {
            "the server is a read-only replica; put the address of the primary into state.url"
        }
        "42501" => {
            "let the user of state.url create tables: GRANT ALL ON SCHEMA public TO that user"
        }
        "53100" => "make room on the disk of its server",
        "53300" => {
            "let the server accept more connections (max_connections): every instance needs three"
        }
        _ => match code.get(..2) {
            Some("28") => "check the user and the password in state.url",
            Some("3D") => "create the database first: CREATE DATABASE",
            Some("57") => "its server stops or starts; try again in a moment",
            _ => "check the log of its server",
        },
    };
    let what = format!("{shown} failed: {error}; {remedy}");
    match code.as_str() {
        "53300" => StoreError::away(what),
        code if code.starts_with("57") => StoreError::away(what),
        _ => StoreError::storage(what),
    }
}

pub(super) fn code(error: &sqlx::Error) -> Option<String> {
    match error {
        sqlx::Error::Database(error) => error.code().map(|code| code.into_owned()),
        _ => None,
    }
}

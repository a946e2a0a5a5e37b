//! A company with its pair file, its store and its HighLevel.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use highlevel_mcp::upstream::company::{
    App, Company, CompanyAppSettings, InstallCredential, Installs, LocationInstall, Oauth,
};
use highlevel_mcp::upstream::{Failure, TenantId};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use state::token_pairs::{StoredPair, TokenPairs};
use state::vault::{CredentialKind, NewInstall, Vault};
use state::{Store, StoreOptions};
use tempfile::TempDir;

use crate::token_endpoints::{ALONE, CLIENT, COMPANY, TokenEndpoints};

pub(crate) struct Fixture {
    pub highlevel: TokenEndpoints,
    pub folder: TempDir,
    /// The pair that was written first.
    pub installed: Value,
    pub company: Company,
    /// Reads the store as another process does.
    pub tokens: TokenPairs,
}

impl Fixture {
    /// A pair whose access token expires in `seconds`.
    pub(crate) async fn ending_in(seconds: i64) -> Self {
        Self::with(&json!({"expires_at": now() + seconds})).await
    }

    /// A pair with further members.
    pub(crate) async fn with(members: &Value) -> Self {
        let highlevel = TokenEndpoints::start().await;
        let folder = tempfile::tempdir().expect("a folder");
        let installed = with(highlevel.install(), members);
        let path = folder.path().join("pair.json");
        write(&path, installed.to_string());
        let company = company_at(highlevel.url(), &path);
        let tokens = TokenPairs::new(&store_beside(&path), COMPANY);
        Self {
            highlevel,
            folder,
            installed,
            company,
            tokens,
        }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("pair.json")
    }

    pub(crate) async fn kept(&self) -> StoredPair {
        kept(&self.tokens).await.expect("a pair")
    }

    /// The pair in the store.
    pub(crate) async fn pair(&self) -> Value {
        members(&self.kept().await)
    }

    /// Whether the next process renews at once.
    pub(crate) async fn is_open(&self) -> bool {
        self.kept().await.is_open
    }

    /// Whether a file of the store contains `text` in plain text.
    pub(crate) fn store_shows(&self, text: &str) -> bool {
        let state = self.folder.path().join("state");
        let mut files = fs::read_dir(state).expect("a folder");
        files.any(|file| {
            let bytes = fs::read(file.expect("a file").path()).expect("read");
            let mut windows = bytes.windows(text.len());
            windows.any(|window| window == text.as_bytes())
        })
    }

    /// Installs the app again: writes the operator's new pair to the file.
    pub(crate) fn install(&self, members: &Value) -> Value {
        let installed = with(self.highlevel.install(), members);
        write(&self.path(), installed.to_string());
        installed
    }

    /// The access token that was written first.
    pub(crate) fn first(&self) -> &str {
        self.installed["access_token"].as_str().expect("a token")
    }

    /// The same company with its own handle on the store, as in another process.
    pub(crate) fn another(&self) -> Company {
        company_at(self.highlevel.url(), &self.path())
    }

    pub(crate) async fn token(&self) -> Result<String, Failure> {
        token_text(self.company.token().await)
    }
}

pub(crate) fn token_text(token: Result<SecretString, Failure>) -> Result<String, Failure> {
    token.map(|token| token.expose_secret().to_owned())
}

pub(crate) fn oauth(base_url: &str) -> Oauth {
    // An error means that a provider is already installed.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .build()
        .expect("a client");
    Oauth::new(http, base_url)
}

/// A company whose store is beside its pair.
pub(crate) fn company_at(base_url: &str, pair_file: &Path) -> Company {
    let store = store_beside(pair_file);
    Company::new(&oauth(base_url), &store, settings(pair_file)).expect("a company")
}

/// The install of a location over the store beside `pair_file`.
pub(crate) fn install_at(base_url: &str, pair_file: &Path, credential: &str) -> LocationInstall {
    let installs = installs(base_url, &vault(&store_beside(pair_file)));
    match installs.of_location(credential, &id(ALONE)) {
        InstallCredential::Location(install) => install,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn installs(base_url: &str, vault: &Vault) -> Installs {
    let app = App {
        client_id: CLIENT.0.to_owned(),
        client_secret: CLIENT.1.into(),
    };
    Installs::new(&oauth(base_url), vault, app)
}

/// Opening blocks, which is not allowed in a task.
pub(crate) fn vault(store: &Store) -> Vault {
    let store = store.clone();
    let opened = std::thread::spawn(move || Vault::new(&store));
    opened.join().expect("no panic")
}

/// A pair of the location as a sign-in stores it.
pub(crate) fn new_install(pair: &Value) -> NewInstall {
    NewInstall {
        client: CLIENT.0.to_owned(),
        kind: CredentialKind::Location,
        holder: ALONE.to_owned(),
        company: Some(COMPANY.to_owned()),
        owner: None,
        pair: pair.to_string().into(),
    }
}

pub(crate) fn store_beside(pair_file: &Path) -> Store {
    let beside = pair_file.parent().expect("a folder");
    let folder = fs::canonicalize(beside).expect("a folder").join("state");
    // Opening blocks, which is not allowed in a task.
    let opened = std::thread::spawn(move || {
        Store::open(&StoreOptions {
            folder: Some(&folder),
            url: None,
            outage_reads: std::time::Duration::ZERO,
            upstream: "highlevel",
            keys: &[],
            audit_file: None,
        })
    });
    opened.join().expect("no panic").expect("a store")
}

pub(crate) async fn kept(tokens: &TokenPairs) -> Option<StoredPair> {
    tokens.read().await.expect("a store")
}

pub(crate) fn members(pair: &StoredPair) -> Value {
    serde_json::from_str(pair.text.expose_secret()).expect("JSON")
}

/// `pair` with `members` merged in. A null removes a member.
pub(crate) fn with(mut pair: Value, members: &Value) -> Value {
    let all = pair.as_object_mut().expect("members");
    for (name, value) in members.as_object().expect("members") {
        match value {
            Value::Null => drop(all.remove(name)),
            value => drop(all.insert(name.clone(), value.clone())),
        }
    }
    pair
}

pub(crate) fn settings(pair_file: &Path) -> CompanyAppSettings {
    CompanyAppSettings {
        company_id: id(COMPANY),
        client_id: CLIENT.0.to_owned(),
        client_secret: CLIENT.1.into(),
        pair_file: pair_file.to_owned(),
    }
}

pub(crate) fn id(text: &str) -> TenantId {
    TenantId::parse(text).expect("an id")
}

/// Writes a file that only its owner can read.
pub(crate) fn write(path: &Path, text: impl AsRef<[u8]>) {
    use std::os::unix::fs::PermissionsExt;
    fs::write(path, text).expect("written");
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("a mode");
}

pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after");
    i64::try_from(since.as_secs()).expect("seconds")
}

/// Advances the paused clock without waiting.
pub(crate) async fn advance(seconds: u64) {
    tokio::time::pause();
    tokio::time::advance(std::time::Duration::from_secs(seconds)).await;
    tokio::time::resume();
}

//! A company with its pair file, and the HighLevel that it is of.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use highlevel_mcp::upstream::company::{Company, CompanyAppSettings, Oauth};
use highlevel_mcp::upstream::{Failure, TenantId};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::mock::{CLIENT, COMPANY, Mock};

pub struct Fixture {
    pub mock: Mock,
    pub folder: TempDir,
    /// What was written first.
    pub installed: Value,
    pub company: Company,
}

impl Fixture {
    /// A pair whose access token ends in so many seconds.
    pub async fn ending_in(seconds: i64) -> Self {
        Self::with(&json!({"expires_at": now() + seconds})).await
    }

    /// A pair with further members.
    pub async fn with(members: &Value) -> Self {
        let mock = Mock::start().await;
        let folder = tempfile::tempdir().expect("a folder");
        let mut installed = mock.install();
        for (name, value) in members.as_object().expect("members") {
            installed[name] = value.clone();
        }
        let path = folder.path().join("pair.json");
        write(&path, installed.to_string());
        let company = company(&mock, &path);
        Self {
            mock,
            folder,
            installed,
            company,
        }
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("pair.json")
    }

    /// Where a renewal has its intent.
    pub fn new_path(&self) -> PathBuf {
        self.folder.path().join("pair.json.new")
    }

    pub fn pair(&self) -> Value {
        read(&self.path())
    }

    /// The access token that was written first.
    pub fn first(&self) -> &str {
        self.installed["access_token"].as_str().expect("a token")
    }

    /// Another company over the same file, as in another process.
    pub fn another(&self) -> Company {
        company(&self.mock, &self.path())
    }

    pub async fn token(&self) -> Result<String, Failure> {
        token_text(self.company.token().await)
    }
}

pub fn token_text(token: Result<SecretString, Failure>) -> Result<String, Failure> {
    token.map(|token| token.expose_secret().to_owned())
}

pub fn oauth(base_url: &str) -> Oauth {
    // An error means that one is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .build()
        .expect("a client");
    Oauth::new(http, base_url)
}

pub fn company(mock: &Mock, pair_file: &Path) -> Company {
    company_at(mock.url(), pair_file)
}

pub fn company_at(base_url: &str, pair_file: &Path) -> Company {
    Company::new(&oauth(base_url), settings(pair_file)).expect("a company")
}

pub fn settings(pair_file: &Path) -> CompanyAppSettings {
    CompanyAppSettings {
        company_id: id(COMPANY),
        client_id: CLIENT.0.to_owned(),
        client_secret: CLIENT.1.into(),
        pair_file: pair_file.to_owned(),
    }
}

pub fn id(text: &str) -> TenantId {
    TenantId::parse(text).expect("an id")
}

/// For its owner alone.
pub fn write(path: &Path, text: impl AsRef<[u8]>) {
    use std::os::unix::fs::PermissionsExt;
    fs::write(path, text).expect("written");
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("a mode");
}

pub fn read(path: &Path) -> Value {
    let text = fs::read(path).expect("a file");
    serde_json::from_slice(&text).expect("JSON")
}

pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after");
    i64::try_from(since.as_secs()).expect("seconds")
}

/// Lets the clock of pauses go on without waiting.
pub async fn advance(seconds: u64) {
    tokio::time::pause();
    tokio::time::advance(std::time::Duration::from_secs(seconds)).await;
    tokio::time::resume();
}

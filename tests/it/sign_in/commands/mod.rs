//! The commands about people and clients, by the real program: their output, their stored results and their refusals.

mod clients;
mod people;
mod rules;

use std::fs;

use secrecy::SecretString;
use state::links::{LinkRecord, Links};
use state::people::Person;
use state::{Store, StoreOptions};
use tempfile::TempDir;

use super::URL;
use crate::stdio::program;

const SETTINGS: &str = r#"
[oauth]
url = "https://mcp.example.test"
[policy]
file = "rules.toml"
[locations.acme]
location_id = "L1"
token = { env = "ACME" }
[locations.globex]
location_id = "L2"
token = { env = "ACME" }
"#;

const RULES: &str = "[policies.front-desk]\ndeny = [\"contacts_delete-contact\"]\n";

/// A folder with settings and state, and the commands in it.
struct Office {
    folder: TempDir,
}

impl Office {
    fn new() -> Self {
        let office = Self {
            folder: tempfile::tempdir().expect("a folder"),
        };
        office.write("settings.toml", SETTINGS);
        office.write("rules.toml", RULES);
        office
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).expect("written");
    }

    fn command(&self, arguments: &[&str]) -> tokio::process::Command {
        let variables = [
            ("HIGHLEVEL_MCP_CONFIG", "settings.toml"),
            ("HIGHLEVEL_MCP_STATE_FOLDER", "state"),
            ("ACME", "pit-acme"),
        ];
        let mut command = program(arguments, &variables);
        command.current_dir(self.folder.path());
        command
    }

    /// Its stdout and stderr. Panics on another exit code.
    async fn run(&self, arguments: &[&str], code: i32) -> (String, String) {
        let done = self.command(arguments).output().await.expect("run");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (printed, said) = (text(&done.stdout), text(&done.stderr));
        assert_eq!(
            done.status.code(),
            Some(code),
            "{arguments:?}: {printed}{said}"
        );
        (printed, said)
    }

    /// The cells of each row of a list.
    async fn rows(&self, arguments: &[&str]) -> Vec<Vec<String>> {
        let (printed, _) = self.run(arguments, 0).await;
        let row = |line: &str| line.split('\t').map(str::to_owned).collect();
        printed.lines().map(row).collect()
    }

    /// The store as a server opens it.
    fn store(&self) -> Store {
        let opened = Store::open(&StoreOptions {
            folder: Some(&self.folder.path().join("state")),
            url: None,
            outage_reads: std::time::Duration::ZERO,
            upstream: "services.leadconnectorhq.com",
            keys: &[],
            audit_file: None,
        });
        opened.expect("a store")
    }

    /// The link of a printed address.
    async fn look(&self, printed: &str, page: &str) -> Option<LinkRecord> {
        let links = Links::new(&self.store());
        links.look(&link_text(printed, page)).await.expect("read")
    }

    async fn join(&self, printed: &str, page: &str) -> Person {
        let links = Links::new(&self.store());
        let joined = links.join(&link_text(printed, page), None).await;
        joined.expect("read").expect("let in")
    }
}

/// One line, with the secret behind the `#`.
fn link_text(printed: &str, page: &str) -> SecretString {
    let text = printed.strip_prefix(&format!("{URL}/console/{page}#"));
    let text = text.unwrap_or_else(|| panic!("no address of {page}: {printed}"));
    assert!(
        text.starts_with("hli_") && text.ends_with('\n'),
        "{printed}"
    );
    text.trim_end().to_owned().into()
}

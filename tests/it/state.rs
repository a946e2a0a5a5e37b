//! Data that outlives the process, by the commands about it: info, backup, rekey, the audit, and a server that stores
//! nothing.

use std::process::Output;

use serde_json::{Value, json};
use state::keys::{KeyLocations, Keys};
use state::{Store, StoreOptions};
use tempfile::TempDir;
use test_support::recording::{Recording, json as answer};

use crate::stdio::program;

/// A folder, and the environment of the commands in it.
struct Desk {
    folder: TempDir,
    variables: Vec<(String, String)>,
}

impl Desk {
    fn new(further: &[(&str, &str)]) -> Self {
        let own = further.iter();
        let own = own.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Self {
            folder: tempfile::tempdir().expect("a folder"),
            variables: own.collect(),
        }
    }

    fn path(&self, name: &str) -> String {
        let path = self.folder.path().join(name);
        path.to_str().expect("UTF-8").to_owned()
    }

    /// A command on the state in `state`, a folder with special characters in its name.
    async fn output(&self, arguments: &[&str]) -> Output {
        let mut variables = vec![("HIGHLEVEL_MCP_STATE_FOLDER", "a state #1/100%")];
        let own = self.variables.iter();
        variables.extend(own.map(|(name, value)| (name.as_str(), value.as_str())));
        let mut command = program(arguments, &variables);
        command.current_dir(self.folder.path());
        command.output().await.expect("run")
    }

    /// Its output. Panics if it ends with another code or without `part`.
    async fn run(&self, arguments: &[&str], code: i32, part: &str) -> String {
        let done = self.output(arguments).await;
        let text = String::from_utf8_lossy(&done.stdout) + String::from_utf8_lossy(&done.stderr);
        assert_eq!(done.status.code(), Some(code), "{arguments:?}: {text}");
        assert!(text.contains(part), "{arguments:?}: no {part:?} in {text}");
        text.into_owned()
    }
}

const TAGS: &str = r#"{"contactId":"c1","tags":["x"]}"#;
const TOKEN: [(&str, &str); 2] = [
    ("HIGHLEVEL_TOKEN", "pit-mine"),
    ("HIGHLEVEL_LOCATION_ID", "L0"),
];

async fn highlevel() -> Recording {
    Recording::start(|_| answer(200, r#"{"tags":["x"]}"#)).await
}

/// Actions in the sandbox have their own file, and actions at one HighLevel are in no other's.
#[tokio::test]
async fn the_audit_of_one_upstream_is_not_anothers() {
    let highlevel = highlevel().await;
    let desk = Desk::new(&TOKEN);
    let contact = r#"{"firstName":"Ada","email":"ada@example.com"}"#;
    let create = ["call", "contacts_create-contact", contact, "--sandbox"];
    desk.run(&create, 0, "ada@example.com").await;
    let own = ["--base-url", &highlevel.url];
    let tags = ["call", "contacts_add-tags", TAGS];
    desk.run(&[&tags[..], &own].concat(), 0, "tags").await;
    for (further, tool, foreign) in [
        (&["--sandbox"][..], "create-contact", "add-tags"),
        (&own, "add-tags", "create-contact"),
    ] {
        let tail = desk
            .run(&[&["audit", "tail"], further].concat(), 0, tool)
            .await;
        assert!(!tail.contains(foreign), "{tail}");
        let export = [&["audit", "export"], further].concat();
        let export = desk.run(&export, 0, "\"begun\"").await;
        let lines = export.lines().map(serde_json::from_str::<Value>);
        let states = lines.map(|line| line.expect("JSON")["state"].clone());
        assert_eq!(states.collect::<Vec<_>>(), [json!("begun"), json!("done")]);
    }
    let nowhere = ["audit", "tail", "--base-url", "http://127.0.0.1:1"];
    desk.run(&nowhere, 2, "there is no store").await;
}

#[tokio::test]
async fn a_store_is_shown_copied_and_sealed_again() {
    let desk = Desk::new(&[]);
    let create = ["keys", "create", "--name", "n8n", "--all-locations"];
    desk.run(&create, 0, "Bearer hlk_").await;
    let info = desk
        .run(&["state", "info", "--json"], 0, "access keys")
        .await;
    let info: Value = serde_json::from_str(&info).expect("JSON");
    assert_eq!(
        (&info["holds"]["access keys"], &info["tables"]),
        (&json!(1), &json!(10))
    );
    assert_eq!(info["keys"].as_array().map(Vec::len), Some(1));
    let file = info["file"].as_str().expect("a file").to_owned();
    assert!(file.ends_with("services.leadconnectorhq.com.db"), "{file}");
    desk.run(&["state", "info"], 0, "access keys\t1\n").await;
    let copy = desk.path("copy.db");
    desk.run(&["state", "backup", &copy], 0, "holds a copy of")
        .await;
    desk.run(&["state", "backup", &copy], 2, "exists already")
        .await;
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(&copy)
        .expect("a copy")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);

    // A new key is put first, everything is sealed again, and the old key is removed.
    let old = desk.folder.path().join("a state #1/100%/store.key");
    let moved = desk.path("old.key");
    std::fs::rename(&old, &moved).expect("moved");
    desk.run(&["keys", "list"], 2, "store.key is missing").await;
    std::fs::write(
        desk.path("new.key"),
        "bmV3IGtleSBvZiAzMiBieXRlcywgYWxsIG9mIHRoZW0=\n",
    )
    .expect("written");
    let keys = |names: &[&str]| {
        let keys = names
            .iter()
            .map(|name| format!("{{ file = \"{}\" }}", desk.path(name)));
        let keys = keys.collect::<Vec<_>>().join(", ");
        std::fs::write(
            desk.path("settings.toml"),
            format!("[state]\nkeys = [{keys}]\n"),
        )
        .expect("written");
    };
    let settings = desk.path("settings.toml");
    let with = |arguments: &[&'static str]| {
        let words = arguments.iter().map(|word| (*word).to_owned());
        words
            .chain(["--config".to_owned(), settings.clone()])
            .collect::<Vec<String>>()
    };
    let run = async |arguments: &[&'static str], code, part| {
        let arguments = with(arguments);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        desk.run(&arguments, code, part).await
    };
    keys(&["new.key"]);
    run(&["keys", "list"], 2, "not the one that sealed it").await;
    keys(&["new.key", "old.key"]);
    run(&["keys", "list"], 0, "n8n").await;
    run(&["state", "rekey"], 0, "sealed values were sealed again").await;
    keys(&["new.key"]);
    run(&["keys", "list"], 0, "n8n").await;
    run(&["state", "rekey"], 0, "0 of ").await;
    std::fs::write(desk.path("new.key"), "short").expect("written");
    run(&["keys", "list"], 2, "32 bytes in base64").await;
}

/// Changes beside the old file never get into the copy.
#[tokio::test]
async fn a_copy_replaces_an_unused_store() {
    let desk = Desk::new(&[]);
    let create = ["keys", "create", "--name", "first", "--all-locations"];
    desk.run(&create, 0, "Bearer hlk_").await;
    let copy = desk.path("copy.db");
    desk.run(&["state", "backup", &copy], 0, "holds a copy of")
        .await;
    let folder = desk.folder.path().join("a state #1/100%");
    let open = || {
        let opened = Store::open(&StoreOptions {
            folder: Some(&folder),
            url: None,
            outage_reads: std::time::Duration::ZERO,
            upstream: "services.leadconnectorhq.com",
            keys: &[],
            audit_file: None,
        });
        opened.expect("a store")
    };
    let server = open();
    let second = Keys::new(&server).create("second", KeyLocations::All, None, None);
    second.await.expect("made");
    let restore = ["state", "restore", copy.as_str()];
    desk.run(&restore, 2, "is in use by another process").await;
    desk.run(&["keys", "list"], 0, "second").await;
    drop(server);
    // As a killed server leaves it.
    let file = folder.join("services.leadconnectorhq.com.db");
    let (beside, kept) = (file.with_extension("db-wal"), desk.path("kept-wal"));
    let server = open();
    let third = Keys::new(&server).create("third", KeyLocations::All, None, None);
    third.await.expect("made");
    std::fs::copy(&beside, &kept).expect("kept");
    drop(server);
    std::fs::copy(&kept, &beside).expect("put back");
    desk.run(&restore, 0, "is restored. The replaced state is in")
        .await;
    let list = desk.run(&["keys", "list"], 0, "first").await;
    assert!(
        !list.contains("second") && !list.contains("third"),
        "{list}"
    );
    // A damaged copy, and a file that is not a copy, change nothing.
    let mut bytes = std::fs::read(&copy).expect("read");
    let middle = bytes.len() / 2;
    bytes[middle..].fill(7);
    std::fs::write(desk.path("damaged.db"), &bytes).expect("written");
    let damaged = desk.path("damaged.db");
    let refused = async |file: &str, part: &str| {
        let text = desk.run(&["state", "restore", file], 2, part).await;
        assert!(
            !text.contains(".restoring") && !text.contains("--state none"),
            "{text}"
        );
    };
    refused(&damaged, "damaged").await;
    std::fs::write(desk.path("none.toml"), "no database at all").expect("written");
    refused(
        &desk.path("none.toml"),
        "none.toml is not a backup of a store",
    )
    .await;
    std::fs::write(desk.path("short.db"), "no").expect("written");
    refused(
        &desk.path("short.db"),
        "short.db is not a backup of a store",
    )
    .await;
    refused(&desk.path("gone.db"), "gone.db cannot be read").await;
    desk.run(&["keys", "list"], 0, "first").await;
    // An emptied store is not taken for a new one.
    std::fs::write(&file, "").expect("emptied");
    std::fs::copy(&kept, &beside).expect("put back");
    desk.run(&["keys", "list"], 2, "is empty or gone").await;
    desk.run(&restore, 0, "is restored").await;
    desk.run(&["keys", "list"], 0, "first").await;
}

/// A command that created an empty store would stop, show or copy nothing, and report success.
#[tokio::test]
async fn no_command_makes_a_store_but_the_first_key() {
    let desk = Desk::new(&[]);
    let copy = desk.path("copy.db");
    let commands: [&[&str]; 7] = [
        &["pause"],
        &["resume"],
        &["keys", "list"],
        &["approvals", "list"],
        &["audit", "tail"],
        &["state", "info"],
        &["state", "backup", &copy],
    ];
    for command in commands {
        desk.run(command, 2, "there is no store").await;
    }
    let create = ["keys", "create", "--name", "n8n", "--all-locations"];
    desk.run(&create, 0, "Bearer hlk_").await;
    desk.run(&["pause"], 0, "services.leadconnectorhq.com.db")
        .await;
    desk.run(&["pause", "--sandbox"], 2, "there is no store")
        .await;
}

/// Without a place to write, reads work, and changes are refused unless the audit is off.
#[tokio::test]
async fn a_server_that_keeps_nothing_reads() {
    let highlevel = highlevel().await;
    let off = ("HIGHLEVEL_MCP_AUDIT_ENABLED", "false");
    for (audited, code, part, sent) in [(true, 1, "keeps no state", 0), (false, 0, "tags", 1)] {
        let mut variables = TOKEN.to_vec();
        variables.extend((!audited).then_some(off));
        let desk = Desk::new(&variables);
        let own = ["--base-url", &highlevel.url, "--state", "none"];
        let read = ["call", "contacts_get-contact", r#"{"contactId":"c1"}"#];
        desk.run(&[&read[..], &own].concat(), 0, "tags").await;
        highlevel.take();
        let tags = ["call", "contacts_add-tags", TAGS];
        desk.run(&[&tags[..], &own].concat(), code, part).await;
        assert_eq!(highlevel.take().len(), sent);
        desk.run(&["keys", "list", "--state", "none"], 2, "there is no state")
            .await;
        let files = std::fs::read_dir(desk.folder.path())
            .expect("a folder")
            .count();
        assert_eq!(files, 0, "nothing was written");
    }
    let desk = Desk::new(&[]);
    let contact = r#"{"firstName":"Ada","email":"ada@example.com"}"#;
    let create = [
        "call",
        "contacts_create-contact",
        contact,
        "--sandbox",
        "--state",
        "none",
    ];
    desk.run(&create, 0, "ada@example.com").await;
    desk.run(
        &["doctor", "--sandbox", "--state", "none"],
        0,
        "nothing is stored",
    )
    .await;
    desk.run(&["doctor", "--sandbox"], 0, "sandbox.db").await;
}

/// If nothing can be written, the error says how calls are still possible. A sandbox needs no folder unless one is set.
#[tokio::test]
async fn a_folder_that_cannot_be_made_leads_on() {
    let highlevel = highlevel().await;
    let desk = Desk::new(&TOKEN);
    std::fs::write(desk.path("file"), "").expect("written");
    let below = desk.path("file/home");
    let read = ["call", "contacts_get-contact", r#"{"contactId":"c1"}"#];
    let at = ["--base-url", &highlevel.url, "--state", &below];
    let remedy = "or --state; `--state none` is enough for reads";
    desk.run(&[&read[..], &at].concat(), 2, remedy).await;
    let create = [
        "call",
        "contacts_create-contact",
        "firstName=Ada",
        "--sandbox",
    ];
    let chosen = [&create[..], &["--state", &below]].concat();
    desk.run(&chosen, 2, remedy).await;
    let homeless = Desk::new(&[("HOME", below.as_str()), ("HIGHLEVEL_MCP_STATE_FOLDER", "")]);
    let said = homeless.run(&create, 0, "Ada").await;
    assert!(said.contains("Nothing of this sandbox is stored"), "{said}");
}

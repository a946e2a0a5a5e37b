//! Sections of rules by the command line: written from a file, named by a key, shown and removed.

use state::people::People;
use state::vault::{NewToken, Vault};

use super::Office;
use super::clients::connect;

#[tokio::test]
async fn a_section_is_written_named_by_a_key_and_removed() {
    let office = Office::new();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("night.toml");
    let path = file.to_str().expect("UTF-8");
    let write = |text: &str| std::fs::write(&file, text).expect("a file");
    let put = ["policy", "sections", "put", "night", path];
    write("read_only = true\ncapz = 1\n");
    let (_, said) = office.run(&put, 2).await;
    for part in ["nothing was written", "line 2: capz is not a key"] {
        assert!(said.contains(part), "{said}");
    }
    let key = [
        "keys",
        "create",
        "--name",
        "n8n",
        "--location",
        "acme",
        "--policy",
        "night",
    ];
    let (_, said) = office.run(&key, 2).await;
    assert!(said.contains("the store has no such section"), "{said}");
    write("read_only = true\n");
    let (printed, _) = office.run(&put, 0).await;
    assert!(printed.contains("night is written, version 1"), "{printed}");
    write("many = \"human\"\n");
    office.run(&put, 0).await;
    let (printed, _) = office
        .run(&["policy", "sections", "show", "night"], 0)
        .await;
    assert_eq!(printed, "many = \"human\"\n");
    let (printed, _) = office.run(&["policy", "sections", "list"], 0).await;
    assert!(printed.starts_with("night\t2\tcommand line\t"), "{printed}");
    office.run(&key, 0).await;
    let remove = ["policy", "sections", "remove", "night"];
    let (printed, _) = office.run(&remove, 0).await;
    assert!(printed.contains("night is removed"), "{printed}");
    for gone in [&remove[..], &["policy", "sections", "show", "night"]] {
        let (_, said) = office.run(gone, 2).await;
        assert!(said.contains("there is no section night"), "{said}");
    }
}

/// The rules of a key or a connection are explained as they apply to its calls.
#[tokio::test]
async fn rules_are_explained_for_a_key_and_for_a_connection() {
    let office = Office::new();
    let tool = "contacts_delete-contact";
    for (name, policy) in [("desk", Some("front-desk")), ("free", None)] {
        let create = ["keys", "create", "--name", name, "--location", "acme"];
        let policy = policy.map(|policy| ["--policy", policy]);
        office
            .run(
                &[&create[..], policy.as_slice().concat().as_slice()].concat(),
                0,
            )
            .await;
    }
    let store = office.store();
    let anna = People::new(&store).make_member("Anna").await.expect("made");
    let id = connect(&store, &anna, "client-1", "read-only").await;
    let denied = "Listed    no, by [policies.front-desk] deny";
    for (caller, part) in [
        (["--key", "desk"], denied),
        (["--key", "free"], "Listed    yes"),
        (["--connection", &id], "read-only"),
        (["--connection", "claude code"], "read-only"),
    ] {
        let explain = [&["policy", "explain", tool], &caller[..]].concat();
        let (printed, said) = office.run(&explain, 0).await;
        assert!(
            printed.contains(part),
            "{caller:?}: no {part:?} in {printed}"
        );
        assert!(!said.contains("Careful"), "{said}");
        // The key reaches only acme.
        let elsewhere = [&explain[..], &["--location", "globex"]].concat();
        let (_, said) = office.run(&elsewhere, 0).await;
        assert!(said.contains("does not reach globex"), "{said}");
    }
    let (printed, _) = office
        .run(&["policy", "explain", tool, "--key", "desk", "--json"], 0)
        .await;
    assert!(printed.contains(r#""who":"key:"#), "{printed}");
    office.run(&["keys", "revoke", "desk"], 0).await;
    let (_, said) = office
        .run(&["policy", "explain", tool, "--key", "desk"], 0)
        .await;
    assert!(said.contains("the key desk is revoked"), "{said}");
    for (caller, part) in [
        (
            ["--key", "dsk"],
            "there is no access key dsk; did you mean desk?",
        ),
        (["--connection", "gra_1"], "there is no connection gra_1"),
    ] {
        let explain = [&["policy", "explain", tool], &caller[..]].concat();
        let (_, said) = office.run(&explain, 2).await;
        assert!(said.contains(part), "{said}");
    }
}

/// The completion request of a shell, as fish sends it.
#[tokio::test]
async fn connected_locations_complete_beside_those_of_the_settings() {
    let office = Office::new();
    office.run(&["invite", "Anna", "--operator"], 0).await;
    let kept = Vault::new(&office.store()).put_token(NewToken {
        owner: None,
        location: "loc-1".to_owned(),
        name: "Actors Guild".to_owned(),
        zone: None,
        company: None,
        token: "pit-1".to_owned().into(),
    });
    let alias = kept.await.expect("kept").alias;
    let line = ["--", "highlevel-mcp", "call", "--location", "ac"];
    let mut command = office.command(&line);
    let done = command.env("COMPLETE", "fish").output().await.expect("run");
    let offered = String::from_utf8_lossy(&done.stdout).into_owned();
    assert_eq!(offered.trim(), format!("acme\n{alias}"), "{done:?}");
}

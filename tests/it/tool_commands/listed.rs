//! `tools`: the tools that it lists, finds and shows, and that every example runs.

use serde_json::Value;

use super::run;
use super::terminal::Terminal;

#[tokio::test]
async fn tools_of_every_endpoint_are_listed_shown_and_called() {
    async fn check(arguments: &[&str], parts: &[&str]) {
        let done = run(arguments).await;
        assert_eq!(
            done.code,
            Some(0),
            "{arguments:?}: {}{}",
            done.stdout,
            done.stderr
        );
        for part in parts {
            assert!(
                done.stdout.contains(part),
                "{arguments:?}: no {part:?} in {}",
                done.stdout
            );
        }
    }
    check(
        &["tools", "list", "orchestrator"],
        &[
            "search_operations\tread\t",
            "call_destructive\tdestructive\t",
            "list_locations\tread\t",
        ],
    )
    .await;
    check(&["tools", "list", "compat"], &["execute_operation\tany\t"]).await;
    check(
        &["tools", "list", "legacy"],
        &["contacts_get-contact\tread\t"],
    )
    .await;
    check(
        &["tools", "show", "search_operations"],
        &["Search operations", "queries", "string[]"],
    )
    .await;
    check(&["tools", "show", "execute_operation"], &["operationId"]).await;
    check(
        &[
            "tools",
            "show",
            "contacts_get-contact",
            "--endpoint",
            "legacy",
        ],
        &["path_contactId"],
    )
    .await;
    check(
        &[
            "call",
            "--sandbox",
            "search_operations",
            "queries[]=text a contact",
            "limit=1",
        ],
        &["conversations_send-a-new-message"],
    )
    .await;
    check(
        &["call", "--sandbox", "list_locations"],
        &["locHarborDental00001"],
    )
    .await;
    check(
        &[
            "call",
            "--sandbox",
            "--endpoint",
            "compat",
            "search_operations",
            "query=text a contact",
        ],
        &["operationId"],
    )
    .await;
}

#[tokio::test]
async fn words_find_tools_as_the_server_finds_them() {
    let found = run(&["tools", "search", "add", "a", "tag", "--limit", "3"]).await;
    let lines: Vec<&str> = found.stdout.lines().collect();
    assert_eq!(lines.len(), 3, "{}", found.stdout);
    assert!(
        found.stdout.contains("contacts_add-tags\twrite\t"),
        "{}",
        found.stdout
    );
    let json = run(&["tools", "search", "add a tag", "--limit", "3", "--json"]).await;
    let json: Value = serde_json::from_str(&json.stdout).expect("JSON");
    let names = json["results"].as_array().expect("results").iter();
    let names: Vec<&str> = names.filter_map(|one| one["name"].as_str()).collect();
    let first = lines.iter().filter_map(|line| line.split('\t').next());
    assert_eq!(names, first.collect::<Vec<_>>());
    for limit in ["0", "21"] {
        assert_eq!(
            run(&["tools", "search", "tag", "--limit", limit])
                .await
                .code,
            Some(2)
        );
    }
    let long = "tag ".repeat(200);
    let long = run(&["tools", "search", &long]).await;
    assert_eq!(long.code, Some(2));
    assert!(
        long.stderr.contains("at most 400 characters"),
        "{}",
        long.stderr
    );
}

#[tokio::test]
async fn a_wrong_name_is_answered_with_the_right_one_and_no_wall_of_names() {
    for (arguments, expected) in [
        (
            &["tools", "show", "get-contact"][..],
            "did you mean contacts_get-contact?",
        ),
        (
            &["call", "get-contact", "--sandbox"],
            "did you mean contacts_get-contact?",
        ),
        (
            &["tools", "list", "contcts"],
            "there is no toolset contcts; did you mean contacts?",
        ),
        (
            &["tools", "scopes", "contacts+calenders"],
            "did you mean calendars?",
        ),
        (
            &["tools", "list", "orchestrater"],
            "did you mean orchestrator?",
        ),
    ] {
        let done = run(arguments).await;
        assert_eq!(done.code, Some(2), "{arguments:?}");
        assert!(
            done.stderr.contains(expected),
            "{arguments:?}: {}",
            done.stderr
        );
        assert!(done.stderr.len() < 200, "{arguments:?}: {}", done.stderr);
    }
}

#[tokio::test]
async fn a_tool_is_shown_with_everything_that_a_call_needs() {
    let shown = run(&["tools", "show", "contacts_create-contact"])
        .await
        .stdout;
    for part in [
        "Create contact\ncontacts_create-contact (write)\n",
        "\nArguments\n",
        "\nExample\n  highlevel-mcp call contacts_create-contact ",
        "Answer",
        "contacts.write",
        "POST /contacts/",
    ] {
        assert!(shown.contains(part), "no {part:?} in {shown}");
    }
    let line = |name: &str| {
        shown
            .lines()
            .position(|line| line.trim_start().starts_with(name))
    };
    assert!(line("firstName").is_some(), "{shown}");
    let get = run(&["tools", "show", "contacts_update-contact"])
        .await
        .stdout;
    let first = get.lines().skip_while(|line| *line != "Arguments").nth(1);
    let first = first.expect("an argument");
    assert!(
        first.contains("contactId") && first.contains("required"),
        "{get}"
    );
    let json = run(&["tools", "show", "contacts_create-contact", "--json"])
        .await
        .stdout;
    let json: Value = serde_json::from_str(&json).expect("JSON alone");
    assert_eq!(json["name"], "contacts_create-contact");
    assert!(json["inputSchema"]["properties"]["firstName"].is_object());
}

#[tokio::test]
async fn scopes_are_a_table_or_a_list_to_paste() {
    let table = run(&["tools", "scopes", "official"]).await.stdout;
    assert!(
        table.contains("contacts.readonly\tcontacts_get-all-tasks, "),
        "{table}"
    );
    let bare = run(&["tools", "scopes", "official", "--plain"])
        .await
        .stdout;
    let scopes: Vec<&str> = bare.lines().collect();
    let first = table.lines().filter_map(|line| line.split('\t').next());
    assert_eq!(scopes, first.collect::<Vec<_>>());
}

/// The example of `tools show` is accepted by the tool: as a line, and as JSON.
#[tokio::test]
async fn the_examples_of_tools_run() {
    let list = run(&["tools", "list", "official"]).await.stdout;
    let official = list.lines().filter_map(|line| line.split('\t').next());
    let others = [
        "call_read",
        "call_write",
        "call_send",
        "call_destructive",
        "invoices_create-invoice",
    ];
    for name in official.chain(others) {
        let shown = run(&["tools", "show", name]).await.stdout;
        let prefix = "  highlevel-mcp call ";
        let examples: Vec<&str> = shown
            .lines()
            .filter(|line| line.starts_with(prefix))
            .collect();
        assert_eq!(examples.len(), 2, "{name}: {shown}");
        let mut requests = Vec::new();
        for example in examples {
            let script = example.replacen("highlevel-mcp", "\"$PROGRAM\"", 1) + " --dry-run";
            let mut shell = tokio::process::Command::new("sh");
            shell.args(["-c", &script]).env_clear();
            shell.env("PROGRAM", env!("CARGO_BIN_EXE_highlevel-mcp"));
            shell.env("HIGHLEVEL_MCP_STATE_FOLDER", crate::stdio::STATE);
            let done = shell.output().await.expect("run");
            let text = String::from_utf8_lossy(&done.stdout).into_owned();
            // A read through a call tool has no dry run. The error shows that its arguments are accepted.
            if name == "call_read" {
                let errors = String::from_utf8_lossy(&done.stderr).into_owned();
                assert!(
                    errors.contains("has no dry run"),
                    "{example}: {text} {errors}"
                );
            } else {
                assert!(done.status.success(), "{example}: {text}");
            }
            requests.push(text);
        }
        assert_eq!(requests[0], requests[1], "{name}");
    }
}

#[tokio::test]
async fn long_lists_go_through_the_pager_of_a_terminal() {
    let folder = tempfile::tempdir().expect("a folder");
    let script = folder.path().join("pager");
    std::fs::write(&script, "#!/bin/sh\nread line\necho \"paged: $1\"\n").expect("written");
    let allowed = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&script, allowed).expect("allowed");
    let pager = format!("{} with", script.display());
    async fn check(arguments: &[&str], pager: &str, code: i32, part: &str, not: &str) {
        let path = ("PATH", "/usr/bin:/bin");
        let (status, seen) = Terminal::run(arguments, &[("PAGER", pager), path])
            .end()
            .await;
        assert_eq!(status.code(), Some(code), "{seen}");
        assert!(
            seen.contains(part) && !seen.contains(not),
            "{pager:?}: {seen}"
        );
    }
    // It ends after one line, before most of the output is written. That is not an error.
    check(
        &["tools", "list"],
        &pager,
        0,
        "paged: with",
        "contacts_get-contact",
    )
    .await;
    check(
        &["tools", "list", "--no-pager"],
        &pager,
        0,
        "contacts_get-contact",
        "paged",
    )
    .await;
    check(&["tools", "list"], "", 0, "contacts_get-contact", "paged").await;
    check(
        &["tools", "list"],
        "/gone/pager",
        0,
        "contacts_get-contact",
        "paged",
    )
    .await;
    // Also the calls and the history of keys.
    let state = folder.path().to_str().expect("UTF-8");
    let create = ["keys", "create", "--name", "n8n", "--all-locations"];
    let made = run(&[&create[..], &["--state", state]].concat()).await;
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    for list in [&["audit", "events"][..], &["logs"]] {
        let list = [list, &["--state", state]].concat();
        check(&list, &pager, 0, "paged: with", "key made").await;
        check(&list, "", 0, "key made", "paged").await;
    }
    let piped = run(&["tools", "list"]).await;
    assert!(piped.stdout.contains("contacts_get-contact\tread\t"));
}

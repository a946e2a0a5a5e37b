//! Calls that have to be confirmed: at the terminal, by `--yes`, by a confirm token, and by a person in the console.

use serde_json::{Value, json};

use super::terminal::Terminal;
use super::{ACCOUNT, Machine};

const DELETE: [&str; 3] = ["call", "contacts_delete-contact", r#"{"contactId":"c1"}"#];

/// The end of HighLevel's answer for a contact, and for a deletion.
const CONTACT: &str =
    r#"{"contact":{"id":"c1","firstName":"Ada","lastName":"Abbott"},"succeded":true,"total":0}"#;

#[tokio::test]
async fn a_person_at_the_terminal_says_yes_or_no() {
    async fn check(typed: &str, code: i32, deleted: usize, last: &str) {
        let machine = Machine::new(200, CONTACT).await;
        let mut terminal = Terminal::run(&machine.arguments(&DELETE), &ACCOUNT);
        terminal.wait_for("Send it? [y/N]").await;
        assert_eq!(machine.deleted(), 0, "before the answer");
        terminal.type_in(typed);
        let (status, seen) = terminal.end().await;
        assert_eq!(status.code(), Some(code), "{seen}");
        for part in [
            "Delete",
            "contacts_delete-contact (destructive)",
            "Location  L0",
            "Ada Abbott (contactId c1",
            "DELETE /contacts/c1",
            last,
        ] {
            assert!(seen.contains(part), "no {part:?} in {seen}");
        }
        assert_eq!(machine.deleted(), deleted, "{typed:?}");
    }
    check("y\n", 0, 1, "succeded").await;
    check("n\n", 1, 0, "nothing was sent").await;
    check("\n", 1, 0, "nothing was sent").await;
    // The end of the input.
    check("\u{4}", 1, 0, "nothing was sent").await;
}

#[tokio::test]
async fn ctrl_c_at_the_question_sends_nothing() {
    let machine = Machine::new(200, CONTACT).await;
    let mut terminal = Terminal::run(&machine.arguments(&DELETE), &ACCOUNT);
    terminal.wait_for("Send it? [y/N]").await;
    terminal.interrupt().await;
    let (status, _) = terminal.end().await;
    assert!(!status.success());
    assert_eq!(machine.deleted(), 0);
}

#[tokio::test]
async fn a_script_says_yes_by_a_flag() {
    let machine = Machine::new(200, CONTACT).await;
    let done = machine.run(&[&DELETE[..], &["--yes"]].concat()).await;
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert!(done.stdout.contains("succeded"), "{}", done.stdout);
    assert_eq!(machine.deleted(), 1);
}

#[tokio::test]
async fn a_preview_says_how_it_is_confirmed_and_another_process_confirms_it() {
    let machine = Machine::new(200, CONTACT).await;
    let asked = machine.run(&DELETE).await;
    assert_eq!(asked.code, Some(1));
    let preview: Value = serde_json::from_str(&asked.stdout).expect("JSON");
    assert_eq!(preview["status"], "needs_confirmation");
    let token = preview["confirm"].as_str().expect("a token");
    assert!(asked.stderr.contains("--yes"), "{}", asked.stderr);
    assert!(asked.stderr.contains(token), "{}", asked.stderr);
    assert_eq!(machine.deleted(), 0);
    let confirmed = json!({"contactId": "c1", "confirm": token}).to_string();
    for _ in 0..2 {
        let done = machine
            .run(&["call", "contacts_delete-contact", &confirmed])
            .await;
        assert_eq!(done.code, Some(0), "{}", done.stdout);
        assert_eq!(machine.deleted(), 1, "once, however often it is repeated");
    }
}

#[tokio::test]
async fn a_waiting_call_names_the_command_that_approves_it() {
    let machine = Machine::new(200, CONTACT).await;
    let rules = machine.state.path().join("rules.toml");
    std::fs::write(&rules, "[server]\nconfirm = { destructive = \"human\" }\n").expect("written");
    let settings = machine.state.path().join("settings.toml");
    let file = rules.to_str().expect("a path");
    std::fs::write(&settings, format!("[policy]\nfile = {file:?}\n")).expect("written");
    let with_rules = ["--config", settings.to_str().expect("a path")];
    // The yes of the person who types the command is not an approval.
    let asked = [&DELETE[..], &["--yes"], &with_rules].concat();
    let asked = machine.run(&asked).await;
    assert_eq!(asked.code, Some(1), "{}", asked.stdout);
    assert_eq!(machine.deleted(), 0);
    let preview: Value = serde_json::from_str(&asked.stdout).expect("JSON");
    let handle = preview["confirm"].as_str().expect("a handle").to_owned();
    let approve = format!("highlevel-mcp approvals approve {handle}");
    assert!(asked.stderr.contains(&approve), "{}", asked.stderr);
    let mut terminal = Terminal::run(
        &machine.arguments(&[&DELETE[..], &with_rules].concat()),
        &ACCOUNT,
    );
    terminal.wait_for("approvals approve").await;
    let (status, seen) = terminal.end().await;
    assert_eq!(status.code(), Some(1));
    assert!(seen.contains("Ada Abbott"), "{seen}");
    let approved = machine.run(&["approvals", "approve", &handle]).await;
    assert_eq!(approved.code, Some(0), "{}", approved.stderr);
    let confirmed = json!({"contactId": "c1", "confirm": handle}).to_string();
    let call = ["call", "contacts_delete-contact", &confirmed];
    let done = machine.run(&[&call[..], &with_rules].concat()).await;
    assert_eq!(done.code, Some(0), "{}", done.stdout);
    assert_eq!(machine.deleted(), 1);
}

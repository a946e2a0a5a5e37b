//! A token in the system's keyring: stored by one command, read by the next.

use std::process::Stdio;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use super::branch;
use super::commands::Desk;

/// Unlocks its own keyring, then runs the command that follows.
const UNLOCKED: &str = "printf secret | gnome-keyring-daemon --unlock --components=secrets >/dev/null 2>&1; exec \"$@\"";

#[tokio::test]
async fn a_token_is_kept_in_the_keyring_and_used_from_there() {
    for needed in ["dbus-run-session", "gnome-keyring-daemon"] {
        if Command::new(needed)
            .arg("--version")
            .output()
            .await
            .is_err()
        {
            eprintln!("SKIPPED: a token in the system's keyring ({needed} is not installed)");
            return;
        }
    }
    let desk = Desk::new().await;
    std::fs::write(desk.path("settings.toml"), "").expect("written");
    let id = branch(1);
    let add = [
        "locations",
        "add",
        "b01",
        "--location-id",
        &id,
        "--token-keyring",
    ];
    let test = ["locations", "test", "b01"];
    check(&desk, &add, "no token", 2, "stdin holds no HighLevel token").await;
    check(&desk, &add, "pit-sandbox-branch-01\n", 0, "b01 is in").await;
    let settings = std::fs::read_to_string(desk.path("settings.toml")).expect("settings");
    assert!(settings.contains("keyring = \"b01\""), "{settings}");
    assert!(!settings.contains("pit-sandbox"), "{settings}");
    check(&desk, &test, "", 0, "b01").await;
    std::fs::remove_dir_all(desk.path("home")).expect("the keyring is gone");
    check(
        &desk,
        &test,
        "",
        2,
        "the keyring has no entry b01 of highlevel-mcp",
    )
    .await;
}

/// Runs a command in a session with a keyring in the desk's folder.
async fn check(desk: &Desk, arguments: &[&str], stdin: &str, code: i32, part: &str) {
    let home = desk.path("home");
    std::fs::create_dir_all(&home).expect("a home");
    let ours = desk.command(arguments);
    let ours = ours.as_std();
    let mut session = Command::new("dbus-run-session");
    session
        .args(["--", "sh", "-c", UNLOCKED, "sh"])
        .arg(ours.get_program())
        .args(ours.get_args())
        .env_clear()
        .envs(
            ours.get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        )
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", &home)
        .env("XDG_RUNTIME_DIR", &home)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = session.spawn().expect("a session");
    let mut input = child.stdin.take().expect("stdin");
    input.write_all(stdin.as_bytes()).await.expect("written");
    drop(input);
    let done = child.wait_with_output().await.expect("run");
    Desk::judge(arguments, &done, code, part);
}

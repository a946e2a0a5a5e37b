//! Completions in real shells, and manual pages in a real `man`.

use std::path::Path;

use tokio::process::Command;

use super::run;
use super::terminal::Terminal;

/// The typed text when Tab is pressed, and the words that the shell then offers.
const TYPED: [(&str, &[&str]); 5] = [
    (
        "highlevel-mcp connect cl",
        &["claude-code", "claude-desktop"],
    ),
    ("highlevel-mcp serve --", &["--listen", "--allowed-host"]),
    (
        "highlevel-mcp tools show contacts_get-cont",
        &["contacts_get-contact", "contacts_get-contacts"],
    ),
    ("highlevel-mcp tools list cal", &["calendars"]),
    ("highlevel-mcp call --location har", &["harbor", "harlem"]),
];

const LOCATIONS: &str = "[locations.harbor]\nlocation_id = \"locA\"\ntoken = { env = \"A\" }\n\
                         [locations.harlem]\nlocation_id = \"locB\"\ntoken = { env = \"B\" }\n";

/// A person's machine with the program on its PATH, and two locations in its settings.
struct Home {
    folder: tempfile::TempDir,
}

impl Home {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let program = env!("CARGO_BIN_EXE_highlevel-mcp");
        let link = folder.path().join("highlevel-mcp");
        std::os::unix::fs::symlink(program, link).expect("linked");
        std::fs::write(folder.path().join("settings.toml"), LOCATIONS).expect("written");
        Self { folder }
    }

    /// `None` if there is no such program. It then prints a note.
    fn command(&self, name: &str, arguments: &[&str]) -> Option<Command> {
        let path = ["/usr/bin", "/bin"].map(|folder| Path::new(folder).join(name));
        let Some(path) = path.iter().find(|path| path.exists()) else {
            eprintln!("skipped: there is no {name} here");
            return None;
        };
        let home = self.folder.path();
        let mut command = Command::new(path);
        command
            .args(arguments)
            .env_clear()
            .env("PATH", format!("{}:/usr/bin:/bin", home.display()))
            .env("HOME", home)
            .env("HIGHLEVEL_MCP_CONFIG", home.join("settings.toml"))
            .env("PS1", "> ")
            .kill_on_drop(true);
        Some(command)
    }
}

/// Types into a shell at a terminal, and presses Tab: once for the common prefix, then for the list.
async fn check_typed(shell: &str, arguments: &[&str], setup: &str) {
    let home = Home::new();
    if home.command(shell, &[]).is_none() {
        return;
    }
    // A terminal of its own, as in a window.
    let Some(command) = home.command("setsid", &[&["--ctty", shell], arguments].concat()) else {
        return;
    };
    let mut terminal = Terminal::start(command);
    terminal.type_in(&format!("{setup}; printf 'rea%s\\n' dy\n"));
    terminal.wait_for("ready").await;
    for (typed, offered) in TYPED {
        terminal.clear();
        terminal.type_in(&format!("{typed}\t\t\t"));
        for one in offered {
            terminal.wait_for(one).await;
        }
        // Ctrl-U deletes the line.
        terminal.type_in("\u{15}");
    }
}

#[tokio::test]
async fn bash_completes() {
    let setup = "source <(highlevel-mcp completions bash)";
    check_typed("bash", &["--norc", "--noprofile", "-i"], setup).await;
}

#[tokio::test]
async fn zsh_completes() {
    let setup = "autoload -U compinit; compinit -D; source <(highlevel-mcp completions zsh)";
    check_typed("zsh", &["-f", "-i"], setup).await;
}

#[tokio::test]
async fn fish_completes() {
    let home = Home::new();
    for (typed, offered) in TYPED {
        let script = format!("highlevel-mcp completions fish | source; complete -C '{typed}'");
        let Some(mut command) = home.command("fish", &["--no-config", "-c", &script]) else {
            return;
        };
        let done = command.output().await.expect("run");
        let text = String::from_utf8_lossy(&done.stdout).into_owned();
        for one in offered {
            assert!(text.contains(one), "{typed}: no {one} in {text}");
        }
    }
}

#[tokio::test]
async fn the_manual_has_a_page_for_every_command() {
    let home = Home::new();
    let folder = home.folder.path().join("man/man1");
    let path = folder.to_str().expect("a path");
    let made = run(&["man", path]).await;
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    for (page, part) in [
        ("highlevel-mcp.1", "highlevel-mcp"),
        (
            "highlevel-mcp-call.1",
            "highlevel-mcp call contacts_get-contacts limit=20",
        ),
        ("highlevel-mcp-tools-show.1", "--endpoint"),
    ] {
        let file = folder.join(page);
        assert!(file.exists(), "{page}");
        let arguments = ["-l", "--warnings", file.to_str().expect("a path")];
        let Some(mut man) = home.command("man", &arguments) else {
            return;
        };
        let done = man
            .env("MANWIDTH", "100")
            .env("LC_ALL", "C.UTF-8")
            .output()
            .await
            .expect("run");
        let text = String::from_utf8_lossy(&done.stdout).replace('\u{2010}', "-");
        assert!(text.contains(part), "{page}: no {part:?} in {text}");
        assert!(
            done.stderr.is_empty(),
            "{}",
            String::from_utf8_lossy(&done.stderr)
        );
    }
}

//! The help of the command line: commands in groups, examples that run, settings under a heading of their own.

use clap::{Arg, Command, CommandFactory};

use super::Cli;
use super::terminal::narrow_columns;

/// Widest line: longer ones are hard to read.
const WIDEST: usize = 100;

/// The commands in the order in which people need them.
const GROUPS: [(&str, &[&str]); 7] = [
    (
        "Start",
        &[
            "init", "serve", "stdio", "connect", "doctor", "sandbox", "config",
        ],
    ),
    ("Tools", &["tools", "call"]),
    ("Locations and keys", &["locations", "keys", "policy"]),
    (
        "People",
        &["invite", "people", "connections", "clients", "console"],
    ),
    (
        "Watch and stop",
        &[
            "status",
            "logs",
            "approvals",
            "audit",
            "usage",
            "pause",
            "resume",
            "state",
        ],
    ),
    ("Remote servers", &["login", "logout"]),
    ("Shell", &["completions", "man"]),
];

/// Commands that no setting affects.
const WITHOUT_SETTINGS: [&str; 5] = ["tools", "sandbox", "policy check", "completions", "man"];

/// Commands by their path, with lines that call them.
const EXAMPLES: [(&str, &[&str]); 64] = [
    (
        "init",
        &[
            "init",
            "init --sandbox --client claude-code --yes",
            "init --token-file pit.token --location LOCATION_ID --client cursor --yes",
        ],
    ),
    (
        "serve",
        &[
            "serve --sandbox",
            "serve --listen 127.0.0.1:8500",
            "serve --config agency.toml",
        ],
    ),
    (
        "stdio",
        &[
            "stdio --sandbox",
            "stdio --tools contacts+calendars",
            "stdio --location branch-01",
        ],
    ),
    (
        "sandbox",
        &[
            "sandbox --branches 40",
            "sandbox --fail 503=0.01 --latency 200",
            "sandbox --log requests.jsonl",
        ],
    ),
    (
        "tools list",
        &[
            "tools list",
            "tools list contacts+calendars",
            "tools list orchestrator",
        ],
    ),
    (
        "tools search",
        &[
            "tools search reschedule an appointment",
            "tools search refund --limit 3 --json",
        ],
    ),
    (
        "tools show",
        &[
            "tools show contacts_create-contact",
            "tools show call_write --json",
            "tools show contacts_get-contact --endpoint legacy",
        ],
    ),
    (
        "tools scopes",
        &[
            "tools scopes official",
            "tools scopes contacts --plain",
            "tools scopes --app official",
        ],
    ),
    (
        "call",
        &[
            "call contacts_get-contacts limit=20 query=ann",
            "call contacts_create-contact firstName=Ann 'tags[]=new' address1='1 Main Street'",
            "call contacts_create-contact '{\"firstName\": \"Ann\"}' --dry-run",
            "call contacts_update-contact contactId=CONTACT_ID customFields:=@fields.json",
            "call contacts_delete-contact contactId=CONTACT_ID --location branch-01 --yes",
            "call search_operations queries='text a contact'",
        ],
    ),
    (
        "doctor",
        &[
            "doctor",
            "doctor --sandbox --json",
            "doctor --public https://mcp.example.com",
        ],
    ),
    ("config show", &["config show", "config show --json"]),
    ("config defaults", &["config defaults"]),
    ("config check", &["config check --config agency.toml"]),
    (
        "connect",
        &[
            "connect claude-code --sandbox",
            "connect cursor --write",
            "connect vscode --write --dry-run",
        ],
    ),
    ("locations list", &["locations list --config agency.toml"]),
    (
        "locations add",
        &[
            "locations add branch-01 --location-id LOCATION_ID --token-file branch-01.token --config agency.toml",
        ],
    ),
    (
        "locations import",
        &[
            "locations import agency.csv --dry-run",
            "locations import --from-agency main",
        ],
    ),
    (
        "locations remove",
        &["locations remove branch-01 --config agency.toml"],
    ),
    (
        "locations test",
        &["locations test", "locations test branch-01 branch-02"],
    ),
    (
        "login",
        &[
            "login --url https://mcp.example.com",
            "login --highlevel --redirect https://mcp.example.com/connect/crm/callback",
        ],
    ),
    (
        "logout",
        &["logout --url https://mcp.example.com", "logout --highlevel"],
    ),
    (
        "keys create",
        &[
            "keys create --name n8n --location branch-01 --policy front-desk",
            "keys create --name reports --all-locations --expires 90d",
        ],
    ),
    ("keys list", &["keys list"]),
    ("keys revoke", &["keys revoke n8n"]),
    (
        "invite",
        &[
            "invite Ada --operator",
            "invite Ben --locations branch-01 --may-approve --for 2d",
        ],
    ),
    ("people list", &["people list"]),
    ("people end", &["people end Ben"]),
    ("connections list", &["connections list --ended"]),
    (
        "connections end",
        &["connections end --person Ben", "connections end --all"],
    ),
    ("clients list", &["clients list"]),
    (
        "clients add",
        &["clients add Reports --redirect https://reports.example.com/back --secret"],
    ),
    ("clients block", &["clients block CLIENT_ID"]),
    ("clients unblock", &["clients unblock CLIENT_ID"]),
    ("clients remove", &["clients remove CLIENT_ID"]),
    ("console", &["console", "console --person Ada --no-browser"]),
    ("console link", &["console link --person Ada"]),
    ("policy check", &["policy check rules.toml"]),
    (
        "policy explain",
        &["policy explain contacts_delete-contact --location branch-01 --file rules.toml"],
    ),
    ("policy sections list", &["policy sections list"]),
    ("policy sections show", &["policy sections show front-desk"]),
    (
        "policy sections put",
        &["policy sections put front-desk front-desk.toml"],
    ),
    (
        "policy sections remove",
        &["policy sections remove front-desk"],
    ),
    ("status", &["status", "status --json", "status --ready"]),
    ("logs", &["logs -f"]),
    (
        "approvals list",
        &["approvals list", "approvals list --all"],
    ),
    (
        "approvals show",
        &["approvals show apr_rYFS3WxHyfsMCnpdo8Mo"],
    ),
    ("approvals webhooks test", &["approvals webhooks test"]),
    (
        "approvals approve",
        &["approvals approve apr_rYFS3WxHyfsMCnpdo8Mo --by Ada"],
    ),
    (
        "approvals deny",
        &["approvals deny apr_rYFS3WxHyfsMCnpdo8Mo --by Ada --note 'wrong contact'"],
    ),
    (
        "pause",
        &[
            "pause --reason 'wrong prices'",
            "pause --location branch-01",
        ],
    ),
    ("resume", &["resume", "resume --location branch-01"]),
    ("audit tail", &["audit tail -f", "audit tail -n 50"]),
    (
        "audit search",
        &[
            "audit search --tool 'contacts_*' --since 12h",
            "audit search --outcome refused --json",
        ],
    ),
    ("audit show", &["audit show 1795880621"]),
    ("audit export", &["audit export --since 7d"]),
    ("audit events", &["audit events -n 50"]),
    (
        "usage",
        &[
            "usage",
            "usage --month 2026-11 --csv",
            "usage --from 2026-11-01 --to 2026-11-15 --by day,effect --location branch-01",
        ],
    ),
    ("state info", &["state info --json"]),
    ("state backup", &["state backup copy.db"]),
    ("state restore", &["state restore copy.db"]),
    (
        "state copy",
        &["state copy --to postgres://highlevel@db.example.com/highlevel"],
    ),
    ("state rekey", &["state rekey"]),
    (
        "completions",
        &["completions bash", "completions zsh", "completions fish"],
    ),
    ("man", &["man ~/.local/share/man/man1"]),
];

/// The commands as their help shows them.
pub(super) fn command() -> Command {
    let plain = Cli::command();
    let settings: Vec<Arg> = plain.get_arguments().cloned().collect();
    let groups = groups(&plain);
    explained(plain, "", &settings)
        .max_term_width(WIDEST)
        .mut_args(|arg| arg.help_heading("Settings"))
        .help_template(format!(
            "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{groups}{{options}}{{after-help}}"
        ))
}

/// Every command with its line, under the headings of the groups.
fn groups(command: &Command) -> String {
    let mut text = String::new();
    for (heading, names) in GROUPS {
        text += &format!("{heading}:\n");
        let rows = names.iter().filter_map(|name| {
            let about = command.find_subcommand(name)?.get_about()?.to_string();
            // Equally wide in every group.
            Some([format!("{name:<12}"), about])
        });
        text += &narrow_columns("  ", rows);
        text.push('\n');
    }
    text + "Settings:\n"
}

/// The command at `path` and all below it, with examples. A noun without a verb lists its verbs.
fn explained(command: Command, path: &str, settings: &[Arg]) -> Command {
    let mut command = command;
    if WITHOUT_SETTINGS.contains(&path) {
        // Commands accept them, so that a script may give them everywhere.
        command = command.args(settings.iter().map(|arg| arg.clone().hide(true)));
    }
    if let Some((_, lines)) = EXAMPLES.iter().find(|(of, _)| *of == path) {
        let lines: Vec<String> = lines
            .iter()
            .map(|line| format!("  highlevel-mcp {line}"))
            .collect();
        command = command.after_help(format!("Examples:\n{}", lines.join("\n")));
    }
    // `console` runs without a subcommand.
    if command.has_subcommands() && path != "console" {
        command = command
            .subcommand_required(true)
            .arg_required_else_help(true);
    }
    command.mut_subcommands(|inner| {
        let path = format!("{path} {}", inner.get_name());
        explained(inner, path.trim_start(), settings)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process;

    /// Paths of all commands that do something.
    fn leaves(command: &Command, path: &str, found: &mut Vec<String>) {
        for inner in command.get_subcommands() {
            let path = format!("{path} {}", inner.get_name())
                .trim_start()
                .to_owned();
            if inner.has_subcommands() {
                leaves(inner, &path, found);
            }
            if !inner.has_subcommands() || path == "console" {
                found.push(path);
            }
        }
    }

    /// Splits a line as a shell does.
    fn words(line: &str) -> Vec<String> {
        let script = format!("printf '%s\\n' highlevel-mcp {line}");
        let done = process::Command::new("sh").args(["-c", &script]).output();
        let text = String::from_utf8(done.expect("run").stdout).expect("text");
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn every_command_stands_in_one_group() {
        let command = Cli::command();
        let mut known: Vec<&str> = command.get_subcommands().map(Command::get_name).collect();
        let mut grouped: Vec<&str> = GROUPS
            .iter()
            .flat_map(|(_, names)| names.iter().copied())
            .collect();
        known.sort_unstable();
        grouped.sort_unstable();
        assert_eq!(grouped, known);
    }

    /// Its table is written by hand.
    #[test]
    fn every_command_stands_in_the_documentation() {
        let table = include_str!("../../docs/cli.md");
        let rows: String = table
            .lines()
            .filter(|line| line.starts_with("| `"))
            .collect();
        for command in Cli::command().get_subcommands() {
            let name = command.get_name();
            let is_there = [' ', '`'].map(|end| rows.contains(&format!("`{name}{end}")));
            assert!(is_there.contains(&true), "docs/cli.md has no row of {name}");
        }
    }

    #[test]
    fn every_command_has_examples_and_they_are_taken() {
        let mut known = Vec::new();
        leaves(&Cli::command(), "", &mut known);
        let mut with_examples: Vec<&str> = EXAMPLES.iter().map(|(path, _)| *path).collect();
        known.sort_unstable();
        with_examples.sort_unstable();
        assert_eq!(with_examples, known);
        for (path, lines) in EXAMPLES {
            assert!(!lines.is_empty(), "{path}");
            for line in lines {
                assert!(line.starts_with(path), "{line}");
                let taken = command().try_get_matches_from(words(line));
                assert!(taken.is_ok(), "{line}: {}", taken.expect_err("refused"));
            }
        }
    }

    #[test]
    fn a_noun_without_a_verb_shows_its_help_and_fails() {
        let command = Cli::command();
        let nouns = command
            .get_subcommands()
            .filter(|inner| inner.has_subcommands() && inner.get_name() != "console");
        let nouns: Vec<&str> = nouns.map(Command::get_name).collect();
        assert!(nouns.len() > 8, "{nouns:?}");
        for noun in nouns {
            let refused = super::command().try_get_matches_from(["highlevel-mcp", noun]);
            let error = refused.expect_err("help");
            assert_eq!(error.exit_code(), 2, "{noun}");
            assert!(error.to_string().contains("Commands:"), "{noun}: {error}");
        }
    }

    #[test]
    fn settings_stand_under_their_heading_where_they_mean_something() {
        let help = |line: &[&str]| {
            let line = [&["highlevel-mcp"], line, &["--help"]].concat();
            let shown = command().try_get_matches_from(line).expect_err("help");
            shown.to_string()
        };
        let serve = help(&["serve"]);
        let (options, settings) = serve.split_once("Settings:").expect("a heading");
        for flag in ["--config <FILE>", "--base-url <URL>", "--state <FOLDER>"] {
            assert!(
                settings.contains(flag) && !options.contains(flag),
                "{serve}"
            );
        }
        assert!(
            settings.contains("Examples:\n  highlevel-mcp serve --sandbox"),
            "{serve}"
        );
        for line in [
            &["tools", "list"][..],
            &["policy", "check"],
            &["completions"],
        ] {
            let help = help(line);
            assert!(!help.contains("--base-url"), "{help}");
        }
        let all = help(&[]);
        let places = GROUPS.map(|(heading, _)| all.find(&format!("{heading}:\n")));
        assert!(
            places.is_sorted() && places.iter().all(Option::is_some),
            "{all}"
        );
    }

    #[test]
    fn the_address_of_the_server_stands_in_its_help() {
        let defaults: toml::Table = crate::config::DEFAULTS.parse().expect("settings");
        let listen = defaults["server"]["listen"].as_str().expect("an address");
        let mut command = command();
        let serve = command.find_subcommand_mut("serve").expect("serve");
        let help = serve.render_help().to_string();
        assert!(help.contains(&format!("{listen} by default")), "{help}");
    }

    #[test]
    fn help_is_no_wider_than_people_read() {
        fn check(command: &mut Command) {
            let help = command.render_long_help().to_string();
            for line in help.lines() {
                // A line to copy is not wrapped, and clap does not wrap a usage line.
                let starts = ["  highlevel-mcp ", "Usage: "];
                let is_example = starts.into_iter().any(|start| line.starts_with(start));
                assert!(is_example || line.chars().count() <= WIDEST, "{line}");
            }
            command.get_subcommands_mut().for_each(check);
        }
        let mut command = command();
        command.build();
        check(&mut command);
    }
}

//! Parts of the page on installing: the measured ways, and the links that add the server to a client.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

use super::product::Product;
use crate::docs::parts::GeneratedPart;
use crate::error::{Errors, Problem};

/// The measurements of `packaging/try --record`.
const MEASURED: &str = "packaging/measured.tsv";

/// Like encodeURIComponent, except for the four characters that Markdown and shells interpret.
const COMPONENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// A way to install: its name in [`MEASURED`], its name for readers, and its requirements.
const WAYS: [(&str, &str, &str); 5] = [
    ("npm", "npm", "Node.js 18 or later"),
    ("container", "Container", "Docker, Podman or another engine"),
    (
        "mcpb",
        "Desktop bundle (`.mcpb`)",
        "Claude Desktop, or another client that takes bundles",
    ),
    ("deb", "Debian package", "Debian 10, Ubuntu 20.04, or later"),
    ("source", "Source", "Rust 1.95 or later, and a C compiler"),
];

/// The tables of docs/install.md.
pub(in crate::docs) fn parts(root: &Path) -> Result<Vec<GeneratedPart>, Errors> {
    Ok(vec![
        GeneratedPart {
            name: "ways to install",
            text: ways(&read_measurements(root)?),
        },
        GeneratedPart {
            name: "links of clients",
            text: clients(&Product::read(root)?),
        },
    ])
}

/// The ways with their measurements.
fn ways(measured: &[Measurement]) -> String {
    let mut table =
        "| Way | Needs | First answer after | Download | On disk |\n|---|---|---|---|---|\n"
            .to_owned();
    for (name, title, needs) in WAYS {
        let figures = match measured.iter().find(|one| one.way == name) {
            Some(one) => format!("{} s | {} MB | {} MB", one.seconds, one.download, one.disk),
            None => "not measured | |".to_owned(),
        };
        let _ = writeln!(table, "| {title} | {needs} | {figures} |");
    }
    table
}

/// Links and commands that add the server to a client.
fn clients(product: &Product) -> String {
    let server = &product.facts.server;
    let package = &product.package.name;
    let repository = product.repository();
    let mut table = "| Client | Sandbox | Account |\n|---|---|---|\n".to_owned();
    let sandbox = format!("npx -y {package} {}", product.facts.sandbox.join(" "));
    let account = format!("npx -y {package} {}", product.facts.account.join(" "));
    let flags: String = variables(product, |name| format!("--env {name}=… "));
    let rows = [
        (
            "Cursor",
            format!("[Add to Cursor]({})", cursor_link(product, false)),
            format!("[Add to Cursor]({})", cursor_link(product, true)),
        ),
        (
            "VS Code",
            format!("[Add to VS Code]({})", vscode_link(product, false)),
            format!("[Add to VS Code]({})", vscode_link(product, true)),
        ),
        (
            "Claude Code",
            format!("`claude mcp add {server} -- {sandbox}`"),
            format!(
                "`claude plugin marketplace add {repository}`, then `claude plugin install {package}@{package}`"
            ),
        ),
        (
            "Codex",
            format!("`codex mcp add {server} -- {sandbox}`"),
            format!("`codex mcp add {server} {flags}-- {account}`"),
        ),
        (
            "Gemini CLI",
            format!("`gemini mcp add {server} {sandbox}`"),
            format!("`gemini extensions install {repository}`"),
        ),
    ];
    for (client, sandbox, account) in rows {
        let _ = writeln!(table, "| {client} | {sandbox} | {account} |");
    }
    table
}

/// The measurement of one way by `packaging/try`.
struct Measurement {
    way: String,
    seconds: String,
    download: String,
    disk: String,
}

fn read_measurements(root: &Path) -> Result<Vec<Measurement>, Problem> {
    let text = fs::read_to_string(root.join(MEASURED)).map_err(|error| {
        Problem::new(
            MEASURED,
            format!("cannot be read: {error}"),
            "run `packaging/try --record` with the ways and the program",
        )
    })?;
    let lines = text.lines().map(|line| {
        let fields: Vec<&str> = line.split('\t').collect();
        let is_figure = |text: &&str| text.parse::<f64>().is_ok();
        match <[&str; 4]>::try_from(fields) {
            Ok([way, figures @ ..]) if figures.iter().all(is_figure) => {
                let [seconds, download, disk] = figures.map(str::to_owned);
                Ok(Measurement {
                    way: way.to_owned(),
                    seconds,
                    download,
                    disk,
                })
            }
            _ => Err(Problem::new(
                MEASURED,
                format!("{line:?} is not a way, seconds, and two sizes"),
                "run `packaging/try --record` with the ways and the program",
            )),
        }
    });
    lines.collect()
}

/// The command that a client starts. `value` gives the value of a variable, if there is an account.
fn command(product: &Product, value: Option<&dyn Fn(&str) -> String>) -> Map<String, Value> {
    let arguments = match value {
        Some(_) => &product.facts.account,
        None => &product.facts.sandbox,
    };
    let package = ["-y", &product.package.name].map(str::to_owned);
    let arguments: Vec<String> = package.into_iter().chain(arguments.clone()).collect();
    let mut command = Map::new();
    command.insert("command".to_owned(), "npx".into());
    command.insert("args".to_owned(), json!(arguments));
    if let Some(value) = value {
        let env = product.environment(|one| value(&one.id));
        command.insert("env".to_owned(), env.into());
    }
    command
}

/// Cursor shows the settings before it adds them, and its user fills in the values there. It is a web address, because
/// pages of repositories do not link to addresses of programs.
fn cursor_link(product: &Product, is_account: bool) -> String {
    let empty = |_: &str| String::new();
    let config = Value::from(command(product, is_account.then_some(&empty)));
    let config = STANDARD.encode(config.to_string());
    let config = utf8_percent_encode(&config, COMPONENT);
    format!(
        "https://cursor.com/en/install-mcp?name={}&config={config}",
        product.facts.server
    )
}

/// VS Code asks for the values, and stores secret ones.
fn vscode_link(product: &Product, is_account: bool) -> String {
    let input = |id: &str| format!("${{input:{id}}}");
    let config = Value::from(command(product, is_account.then_some(&input))).to_string();
    let config = utf8_percent_encode(&config, COMPONENT);
    let server = &product.facts.server;
    let mut link =
        format!("https://insiders.vscode.dev/redirect/mcp/install?name={server}&config={config}");
    if is_account {
        let asked = product.facts.variables.iter();
        let asked: Vec<Value> = asked
            .map(|one| {
                json!({
                    "id": one.id,
                    "type": "promptString",
                    "description": format!("{}. {}", one.title, one.text),
                    "password": one.is_secret,
                })
            })
            .collect();
        let asked = Value::from(asked).to_string();
        let _ = write!(link, "&inputs={}", utf8_percent_encode(&asked, COMPONENT));
    }
    link
}

fn variables(product: &Product, text: impl Fn(&str) -> String) -> String {
    let variables = product.facts.variables.iter();
    variables.map(|one| text(&one.name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unmeasured_way_is_marked() {
        let npm = Measurement {
            way: "npm".to_owned(),
            seconds: "1.9".to_owned(),
            download: "12.3".to_owned(),
            disk: "30.0".to_owned(),
        };
        let table = ways(&[npm]);
        assert!(
            table.contains("| Node.js 18 or later | 1.9 s | 12.3 MB | 30.0 MB |"),
            "{table}"
        );
        assert!(table.contains("compiler | not measured | | |"), "{table}");
    }

    /// Links are public: they name what is asked for, and contain no values.
    #[test]
    fn links_hold_settings_and_no_values() {
        let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
        let product = Product::read(root).expect("a product");
        let link = vscode_link(&product, true);
        for part in [
            "config=%7B%22command%22%3A%22npx%22%2C%22args%22%3A%5B%22-y%22%2C%22highlevel-mcp%22%2C%22stdio%22%5D",
            "%22HIGHLEVEL_TOKEN%22%3A%22%24%7Binput%3Atoken%7D%22",
            "&inputs=%5B%7B%22id%22%3A%22token%22",
        ] {
            assert!(link.contains(part), "{link} lacks {part}");
        }
        let link = cursor_link(&product, true);
        let config = link.split_once("config=").expect("a config").1;
        let config = config
            .replace("%3D", "=")
            .replace("%2B", "+")
            .replace("%2F", "/");
        let config: Value =
            serde_json::from_slice(&STANDARD.decode(config).expect("base64")).expect("JSON");
        assert_eq!(
            config,
            json!({
                "command": "npx",
                "args": ["-y", "highlevel-mcp", "stdio"],
                "env": {"HIGHLEVEL_TOKEN": "", "HIGHLEVEL_LOCATION_ID": ""},
            })
        );
    }
}

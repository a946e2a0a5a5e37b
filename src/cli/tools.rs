//! `tools`: what there is to call, and the scopes that it needs.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;

use clap::Subcommand;

use super::terminal::{Text, table};
use super::{CliError, print};
use crate::surfaces::{UnknownToolset, nearest, tools_in};
use tool::{Effect, TokenClass, Tool};

#[derive(Subcommand)]
pub(super) enum ToolsCommand {
    /// Every tool with its effect and title.
    List {
        /// Toolsets joined by `+`; without it every tool.
        toolsets: Option<String>,
    },
    /// One tool in full.
    Show {
        /// Tool name.
        name: String,
    },
    /// The scopes that a token needs, and which tools need each.
    Scopes {
        /// Toolsets joined by `+`; without it every tool.
        toolsets: Option<String>,
        /// On one line, as a Marketplace app for sub-accounts asks for them: without those that only an agency's app may have.
        #[arg(long)]
        app: bool,
    },
}

pub(super) fn run(command: Option<ToolsCommand>) -> Result<ExitCode, CliError> {
    let tools = |toolsets: Option<String>| -> Result<Vec<&'static Tool>, UnknownToolset> {
        tools_in(toolsets.as_deref().unwrap_or("all"))
    };
    match command.unwrap_or(ToolsCommand::List { toolsets: None }) {
        ToolsCommand::List { toolsets } => {
            let row = |tool: &&Tool| {
                let effect = match tool.effect {
                    Effect::Read => Text::good(tool.effect.name()),
                    Effect::Write => Text::warning(tool.effect.name()),
                    _ => Text::bad(tool.effect.name()),
                };
                [tool.name.into(), effect, tool.title.into()]
            };
            let rows = tools(toolsets)?.iter().map(row).collect();
            table(["Tool", "Effect", "Title"], rows)?;
        }
        ToolsCommand::Show { name } => print(shown(find(&tools(None)?, &name)?)?)?,
        ToolsCommand::Scopes {
            toolsets,
            app: false,
        } => print(scopes(&tools(toolsets)?))?,
        ToolsCommand::Scopes {
            toolsets,
            app: true,
        } => {
            let scopes: Vec<&str> = app_scopes(&tools(toolsets)?).into_iter().collect();
            print(format_args!("{}\n", scopes.join(" ")))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The tool, or a refusal that names the nearest one.
pub(super) fn find(tools: &[&'static Tool], name: &str) -> Result<&'static Tool, CliError> {
    let found = tools.iter().copied().find(|tool| tool.is_called(name));
    found.ok_or_else(|| {
        let hint = match nearest(name, |one| tools.iter().any(|tool| tool.name == one.name)) {
            Some(near) => format!("did you mean {near}?"),
            None => "`highlevel-mcp tools` lists them".to_owned(),
        };
        CliError(format!("there is no tool {name}; {hint}"))
    })
}

/// A Markdown list, as it stands in the README.
pub(super) fn scopes(tools: &[&Tool]) -> String {
    let mut by_scope: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for tool in tools {
        for scope in tool.scopes {
            by_scope.entry(scope).or_default().push(tool.name);
        }
    }
    by_scope
        .into_iter()
        .map(|(scope, tools)| format!("- `{scope}`: {}\n", tools.join(", ")))
        .collect()
}

/// What an app for sub-accounts can have of the tools' scopes, and what signing in by it needs.
fn app_scopes(tools: &[&'static Tool]) -> BTreeSet<&'static str> {
    let of_locations = tools.iter().filter(|tool| tool.token != TokenClass::Agency);
    let scopes = of_locations.flat_map(|tool| tool.scopes.iter().copied());
    scopes.chain(["oauth.readonly", "oauth.write"]).collect()
}

fn shown(tool: &Tool) -> Result<String, serde_json::Error> {
    let schema: serde_json::Value = serde_json::from_str(tool.advertised_schema)?;
    let list = |items: &[&str]| {
        if items.is_empty() {
            "none known".to_owned()
        } else {
            items.join(", ")
        }
    };
    Ok(format!(
        "{} ({})\n{}\n\n{} {}\nVersion   {}\nEffect    {}\nScopes    {}\nToolsets  {}\n\nArguments\n{schema:#}\n",
        tool.name,
        tool.title,
        tool.description,
        tool.method,
        tool.path,
        tool.version,
        tool.effect.name(),
        list(tool.scopes),
        list(tool.toolsets),
    ))
}

//! `tools`: lists and explains tools, and the scopes that they need.

mod endpoint_tool;
mod example;
mod scopes;
mod shown;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::Value;

use super::json::print_json;
use super::output::{Column, OutputFlags, TableRow, Text, note};
use super::pager::PagerFlags;
use super::{CliError, print};
use crate::catalog::TOOLS;
use crate::surfaces::search::{Detail, Search, search};
use crate::surfaces::{Endpoint, Listing, UnknownToolset, tools_in};
pub(super) use endpoint_tool::EndpointTool;
use tool::Tool;

#[derive(Subcommand)]
pub(super) enum ToolsCommand {
    /// List every tool with its effect and title.
    List(ToolListFlags),
    /// Find tools by a description, the best match first.
    Search(ToolSearchFlags),
    /// Show one tool: its purpose, arguments, an example call and its answer.
    Show(ToolShowFlags),
    /// List the scopes that a token needs, with the tools that need each.
    Scopes(ScopesFlags),
}

#[derive(Args)]
pub(super) struct ToolListFlags {
    /// Toolsets joined by `+`, or an endpoint: official, orchestrator, legacy, compat.
    #[arg(value_name = "TOOLSETS", default_value = "all")]
    endpoint: String,
    #[command(flatten)]
    output: OutputFlags,
    #[command(flatten)]
    pager: PagerFlags,
}

#[derive(Args)]
pub(super) struct ToolSearchFlags {
    /// What you want to do, in a few words.
    #[arg(required = true)]
    words: Vec<String>,
    /// Largest number of tools to show.
    #[arg(long, value_name = "NUMBER", default_value_t = 10, value_parser = clap::value_parser!(u8).range(1..=20))]
    limit: u8,
    /// Print JSON, the answer of search_operations.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(super) struct ToolShowFlags {
    /// Tool name.
    #[arg(value_name = "TOOL")]
    name: String,
    /// Endpoint of the tool. Needed because legacy and compat have tools with the same names as others.
    #[arg(long, value_name = "ENDPOINT")]
    endpoint: Option<String>,
    /// Print only the tool as JSON, as clients list it.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    pager: PagerFlags,
}

#[derive(Args)]
pub(super) struct ScopesFlags {
    /// Toolsets joined by `+`.
    #[arg(value_name = "TOOLSETS", default_value = "all")]
    toolsets: String,
    /// Print only the scopes, one per line.
    #[arg(long, conflicts_with_all = ["app", "json"])]
    plain: bool,
    /// Print the scopes on one line, for a Marketplace app for sub-accounts. Scopes that only an agency's app may have
    /// are left out.
    #[arg(long, conflicts_with = "json")]
    app: bool,
    #[command(flatten)]
    output: OutputFlags,
    #[command(flatten)]
    pager: PagerFlags,
}

impl ToolsCommand {
    pub(super) fn run(self) -> Result<ExitCode, CliError> {
        match self {
            Self::List(list) => list.run()?,
            Self::Search(flags) => flags.run()?,
            Self::Show(show) => show.run()?,
            Self::Scopes(scopes) => scopes.run()?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The tool, or an error with the names that were probably meant.
pub(super) fn find(tools: &[&'static Tool], name: &str) -> Result<&'static Tool, CliError> {
    let found = tools.iter().copied().find(|tool| tool.is_called(name));
    let known = || tools.iter().map(|tool| tool.name).collect::<Vec<_>>();
    found.ok_or_else(|| endpoint_tool::unknown(name, &known()))
}

/// A tool as a list shows it.
#[derive(Serialize)]
struct ToolListRow {
    tool: &'static str,
    effect: &'static str,
    title: &'static str,
}

impl ToolListRow {
    fn new(listing: &Listing) -> Self {
        Self {
            tool: listing.name(),
            effect: endpoint_tool::effect(listing),
            title: endpoint_tool::title(listing),
        }
    }
}

impl TableRow<3> for ToolListRow {
    const COLUMNS: [Column; 3] = [
        Column::copied("Tool"),
        Column::copied("Effect"),
        Column::prose("Title"),
    ];

    fn cells(&self) -> [Text; 3] {
        let effect = match self.effect {
            "read" => Text::good(self.effect),
            "write" => Text::warning(self.effect),
            other => Text::bad(other),
        };
        [self.tool.into(), effect, self.title.into()]
    }
}

impl ToolListFlags {
    fn run(self) -> Result<(), CliError> {
        let endpoint = Endpoint::parse(&self.endpoint)?;
        let listings = endpoint.list();
        let rows: Vec<ToolListRow> = listings.map(|one| ToolListRow::new(&one)).collect();
        let none = format!("{} has no tools.", self.endpoint);
        self.output.paged_rows(&rows, none, &self.pager)
    }
}

impl ToolSearchFlags {
    fn run(self) -> Result<(), CliError> {
        let asked = Search {
            queries: vec![self.words.join(" ")],
            limit: Some(self.limit.into()),
            detail: if self.json {
                Detail::Signature
            } else {
                Detail::Names
            },
            ..Search::default()
        };
        let found = search(&asked, |_| true)?;
        if self.json {
            return print_json(&found);
        }
        let named = ["results", "nearest"]
            .into_iter()
            .find_map(|list| found[list].as_array());
        let rows = named.into_iter().flatten().filter_map(|one| {
            let name = one["name"].as_str()?;
            let tool = TOOLS.iter().find(|tool| tool.name == name)?;
            Some(ToolListRow::new(&Listing::Tool(tool)))
        });
        let rows: Vec<ToolListRow> = rows.collect();
        let hint = found["hint"].as_str();
        if rows.is_empty() {
            note(hint.unwrap_or("No tool matches."));
            return Ok(());
        }
        OutputFlags::default().rows(&rows, "")?;
        hint.into_iter().for_each(note);
        Ok(())
    }
}

impl ToolShowFlags {
    fn run(self) -> Result<(), CliError> {
        let tool = EndpointTool::find(&self.name, self.endpoint.as_deref())?;
        if self.json {
            let descriptor: Value = crate::mcp::descriptor(&tool.listing)?;
            return print_json(&descriptor);
        }
        self.pager
            .print(shown::text(&tool, self.endpoint.as_deref())?)
    }
}

impl ScopesFlags {
    fn run(self) -> Result<(), CliError> {
        let tools: Result<_, UnknownToolset> = tools_in(&self.toolsets);
        let tools = tools?;
        match (self.plain, self.app) {
            (true, _) => print(scopes::names(&tools)),
            (_, true) => print(scopes::for_app(&tools)),
            _ => {
                let none = "These tools need no scope.";
                let rows = scopes::list(&tools);
                self.output.paged_rows(&rows, none, &self.pager)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::table::tests::check_fits;

    #[test]
    fn tools_fit_a_terminal() {
        let longest = TOOLS.iter().max_by_key(|tool| tool.name.len());
        let mut row = ToolListRow::new(&Listing::Tool(longest.expect("a tool")));
        row.title = "Add a contact to a campaign";
        check_fits(&ToolListRow::COLUMNS, &[row.cells().into()]);
    }
}

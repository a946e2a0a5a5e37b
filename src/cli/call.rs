//! `call`: one tool call from the terminal.

mod arguments;
mod preview;

use std::fs::File;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde_json::{Map, Value, json};

use super::json::print_json;
use super::login::highlevel;
use super::question::{ask, can_ask};
use super::sandbox::SandboxListener;
use super::terminal::{print_relayed, waiting};
use super::tools::EndpointTool;
use super::{CliError, prepared_by, principal, print_bytes, rehearsal, runtime};
use crate::call::{Answer, CallContext, CallerKind, Elicitation, Pipeline, Principal, Request};
use crate::catalog::TOOLS;
use crate::config::{Config, Flags};
use crate::surfaces::search::fields;
use crate::surfaces::{Listing, Session};
use crate::telemetry::Telemetry;
use crate::upstream::Caller;
use crate::upstream::failure::FailureClass;
use arguments::{LineSchema, read};
use preview::{Preview, Yes};
use tool::Tool;

/// Arguments of the tools that call any operation.
const DRY_RUN: &str = "dryRun";
const CONFIRM: &str = "confirm";
const EACH: &str = "each";
const OPERATION: [&str; 2] = ["operation", "operationId"];

#[derive(Args)]
pub(super) struct CallCommand {
    /// Tool name. `highlevel-mcp tools list` shows all tools, `highlevel-mcp tools search WORDS` finds tools.
    #[arg(value_name = "TOOL")]
    name: String,
    /// Arguments: name=text, name=@FILE for the text in a file, name:=JSON; inner.name=… for a field inside, list[]=…
    /// for an item. Or all arguments as one JSON object: '{…}', @FILE, or - for stdin.
    #[arg(value_name = "ARGUMENT")]
    arguments: Vec<String>,
    /// Show the request that would be sent, without the token, and send nothing.
    #[arg(long)]
    dry_run: bool,
    /// Confirm without asking, for scripts. A call that needs a person's approval still waits for it.
    #[arg(long, short)]
    yes: bool,
    /// Endpoint of the tool. Needed because legacy and compat have tools with the same names as others.
    #[arg(long, value_name = "ENDPOINT")]
    endpoint: Option<String>,
    /// Act in one of the server's own locations, by its alias.
    #[arg(long, value_name = "ALIAS")]
    location: Option<String>,
    /// Write the whole answer to FILE: a recording or document unchanged, anything else as one line of JSON.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Print one JSON object on one line, and ask no questions. An answer that is not an object is its field `text`.
    #[arg(long)]
    json: bool,
    /// Call a simulated HighLevel, with made-up records that last as long as this call.
    #[arg(long)]
    sandbox: bool,
}

impl CallCommand {
    pub(super) fn run(self, flags: &Flags) -> Result<ExitCode, CliError> {
        let tool = EndpointTool::find(&self.name, self.endpoint.as_deref())?;
        let arguments = arguments_of(&tool, &self.arguments)?;
        let sandbox = SandboxListener::when(self.sandbox)?;
        let mut config = Config::load(flags)?;
        // Limits are for models. A file or a pipe takes the whole answer.
        config.tools.max_file_bytes = usize::MAX;
        if let Some(path) = &self.output {
            check_writable(path)?;
            config.tools.max_answer_bytes = usize::MAX;
        }
        let runtime = runtime()?;
        runtime.block_on(async { sandbox.as_ref().map(SandboxListener::serve).transpose() })?;
        if let Some((config, pipeline)) = rehearsal(&config, sandbox.as_ref())? {
            let context = self.context(&config, &pipeline)?;
            let call = Call {
                tool: &tool,
                arguments: arguments.clone(),
                dry_run: true,
                pipeline: &pipeline,
            };
            // A dry run of `each` reads its rows.
            let sends_nothing = has_dry_run(&tool)? && !arguments.contains_key(EACH);
            if self.dry_run || sends_nothing {
                let answer = runtime.block_on(call.make(&context, None))?;
                // What the rules refuse is written down below.
                let is_invalid = answer.class == Some(FailureClass::Invalid);
                if self.dry_run || is_invalid && answer.did_nothing {
                    return self.end(&call, &answer);
                }
            }
        }
        let (config, pipeline) = prepared_by(config, sandbox.as_ref(), Telemetry::start_quietly)?;
        let call = Call {
            tool: &tool,
            arguments,
            dry_run: self.dry_run,
            pipeline: &pipeline,
        };
        let mut context = self.context(&config, &pipeline)?;
        let answer = runtime.block_on(call.make(&context, None))?;
        let preview = Preview::new(&answer).filter(|_| !self.dry_run);
        let answer = match preview {
            None => answer,
            Some(preview) => match self.confirm(&preview, call.operation(), &answer)? {
                None => return Ok(ExitCode::from(1)),
                Some(confirm) => {
                    if let Yes::Answered(token) = preview.yes {
                        context.elicitation = Elicitation::Accepted(token);
                    }
                    runtime.block_on(call.make(&context, confirm))?
                }
            },
        };
        pipeline.telemetry().finish();
        self.end(&call, &answer)
    }

    /// Whom the call is made for, and who can be asked.
    fn context(&self, config: &Config, pipeline: &Pipeline) -> Result<CallContext, CliError> {
        let has_account = self.location.is_some() || !config.account.is_empty();
        let is_anonymous = !has_account
            && pipeline.snapshot().locations.is_empty()
            && highlevel::caller(config, pipeline)?.is_none();
        let principal = match self.dry_run && is_anonymous {
            true => Principal::with_account(CallerKind::Local, Caller::nobody()),
            false => principal(config, pipeline, self.location.as_deref())?,
        };
        Ok(CallContext {
            surface: "call".to_owned(),
            // Whoever typed the command is the user, and says yes at the question or by --yes.
            elicitation: match self.yes || self.asks() {
                true => Elicitation::Supported,
                false => Elicitation::Unsupported,
            },
            // An approval is told of at once; nobody waits for it here.
            pages: Elicitation::Declined,
            ..CallContext::with_principal(principal)
        })
    }

    /// Prints the answer, and where arguments are wrong how to find the right ones.
    fn end(&self, call: &Call<'_>, answer: &Answer) -> Result<ExitCode, CliError> {
        let asks = answer.class == Some(FailureClass::NeedsConfirmation);
        // A call that was only previewed did not happen, so a script sees a failure.
        let failed = answer.is_error || asks;
        let is_delivered = self.deliver(answer, failed)?;
        if answer.class == Some(FailureClass::Invalid) && answer.did_nothing {
            let name = call.operation().map_or(call.tool.name(), |tool| tool.name);
            let endpoint = match (&call.tool.listing, &self.endpoint) {
                (Listing::Legacy(_), Some(endpoint)) => format!(" --endpoint {endpoint}"),
                _ => String::new(),
            };
            eprintln!("`highlevel-mcp tools show {name}{endpoint}` shows its arguments");
        }
        Ok(ExitCode::from(u8::from(failed || !is_delivered)))
    }

    /// Asks the person at the terminal, or `--yes`, to agree to what `preview` shows. Returns the confirm token to call
    /// again with, if the yes needs one; `None` if nobody agreed, after printing how somebody can.
    fn confirm(
        &self,
        preview: &Preview,
        operation: Option<&Tool>,
        answer: &Answer,
    ) -> Result<Option<Option<String>>, CliError> {
        let lines = preview.lines(operation);
        let token = match &preview.yes {
            Yes::Person(handle) => {
                match self.asks() {
                    true => eprint!("{lines}"),
                    false => self.show(&answer.text)?,
                }
                eprintln!("{}", person_decides(handle, preview.page(), self.sandbox));
                return Ok(None);
            }
            Yes::Answered(_) => None,
            Yes::Token(token) => Some(token.clone()),
        };
        if self.yes {
            return Ok(Some(token));
        }
        if self.asks() {
            eprint!("{lines}");
            let agrees = ask("Send it?")?;
            if !agrees {
                eprintln!("nothing was sent");
            }
            return Ok(agrees.then_some(token));
        }
        self.show(&answer.text)?;
        let confirm = token.map_or_else(String::new, |token| {
            format!(", or with confirm={token} and the same arguments, within 30 minutes")
        });
        eprintln!("nothing was sent. Repeat the command with --yes to send it{confirm}");
        Ok(None)
    }

    /// Writes the answer to its destination: a file, the terminal, or a pipe. False if the file cannot be written.
    fn deliver(&self, answer: &Answer, failed: bool) -> Result<bool, CliError> {
        let request = match self.dry_run && !failed {
            true => request_in(&answer.text),
            false => None,
        };
        let text = request.unwrap_or_else(|| answer.text.clone());
        let notes = answer.notes.as_deref();
        if let Some(notes) = notes.filter(|_| !self.json) {
            eprintln!("{notes}");
        }
        let text = match self.json {
            true => as_object(&text, notes),
            false => text,
        };
        let bytes = answer.file().map(|file| file.bytes.as_slice());
        match (&self.output, bytes) {
            (Some(path), _) if !failed => {
                if let Err(error) = std::fs::write(path, bytes.unwrap_or(text.as_bytes())) {
                    let shown = path.display();
                    eprintln!(
                        "the call was made, but {shown} cannot be written: {error}. Its answer is on stdout"
                    );
                    self.show(&text)?;
                    return Ok(false);
                }
                // For a file, prints its description; its content goes to the output.
                match bytes {
                    Some(_) => self.show(&text)?,
                    None if self.json => self.show(&json!({"file": path}).to_string())?,
                    None => {}
                }
            }
            (_, Some(bytes)) if !self.json && !std::io::stdout().is_terminal() => {
                print_bytes(bytes)?;
            }
            (_, None) => self.show(&text)?,
            (_, Some(_)) => {
                self.show(&text)?;
                eprintln!("give --output FILE to write it there");
            }
        }
        Ok(true)
    }

    /// Whether a person at the terminal can and may be asked.
    fn asks(&self) -> bool {
        !self.json && can_ask()
    }

    fn show(&self, text: &str) -> Result<(), CliError> {
        match self.json {
            true => print_relayed(&format!("{}\n", as_object(text, None))),
            false => show(text),
        }
    }
}

/// Fails if the file cannot be written: it is too late once the call was made.
fn check_writable(path: &Path) -> Result<(), CliError> {
    let is_new = !path.exists();
    let opened = File::options().create(true).append(true).open(path);
    let shown = path.display();
    opened.map_err(|error| {
        CliError(format!(
            "nothing was sent: {shown} cannot be written: {error}. Give another --output"
        ))
    })?;
    if is_new {
        // A call that fails leaves no empty file.
        let _ = std::fs::remove_file(path);
    }
    Ok(())
}

/// An answer as one object on one line: the answer itself if it is an object, else an object around it.
fn as_object(text: &str, notes: Option<&str>) -> String {
    let parse = |text: &str| serde_json::from_str::<Value>(text).ok();
    match (parse(text), notes) {
        (Some(whole @ Value::Object(_)), _) => whole.to_string(),
        (Some(other), _) => json!({"answer": other}).to_string(),
        (None, notes) => json!({"text": text, "notes": notes.and_then(parse)}).to_string(),
    }
}

/// One call, made once, or twice if somebody has to agree.
struct Call<'a> {
    tool: &'a EndpointTool,
    arguments: Map<String, Value>,
    dry_run: bool,
    pipeline: &'a Pipeline,
}

impl Call<'_> {
    async fn make(
        &self,
        context: &CallContext,
        confirm: Option<String>,
    ) -> Result<Answer, CliError> {
        let mut arguments = self.arguments.clone();
        if let Listing::Tool(tool) = self.tool.listing {
            let mut request = Request::for_tool(tool, arguments, context)
                .map_err(|failure| CliError(failure.text()))?;
            request.options.dry_run = self.dry_run;
            request.options.confirm = confirm.or(request.options.confirm);
            let call = self.pipeline.execute(request);
            return Ok(waiting("waiting for HighLevel's answer", call).await);
        }
        let name = self.tool.name();
        if self.dry_run {
            if !has_dry_run(self.tool)? {
                return Err(CliError(format!(
                    "{name} has no dry run. `highlevel-mcp call --dry-run` shows what an operation would send"
                )));
            }
            arguments.insert(DRY_RUN.to_owned(), true.into());
        }
        if let Some(confirm) = confirm {
            arguments.insert(CONFIRM.to_owned(), confirm.into());
        }
        let session = Session {
            pipeline: self.pipeline,
            context,
            read_only: false,
            progress: &|_, _| {},
        };
        let surface = self.tool.endpoint.resolve(name).map(|(surface, _)| surface);
        let surface = surface.ok_or_else(|| CliError(format!("there is no tool {name}")))?;
        let call = surface.call(name, arguments, &session);
        Ok(waiting("waiting for HighLevel's answer", call).await)
    }

    /// The operation of the call, directly or through a tool that calls any operation.
    fn operation(&self) -> Option<&'static Tool> {
        let named = OPERATION
            .iter()
            .find_map(|name| self.arguments.get(*name)?.as_str());
        let own = self.tool.operation();
        own.or_else(|| {
            TOOLS
                .iter()
                .find(|tool| tool.is_called(named.unwrap_or_default()))
        })
    }
}

fn has_dry_run(tool: &EndpointTool) -> Result<bool, CliError> {
    if let Listing::Tool(_) = tool.listing {
        return Ok(true);
    }
    let schema = tool.schema()?;
    let mut known = fields(&schema).into_iter();
    Ok(known.any(|(name, _)| name == DRY_RUN))
}

fn arguments_of(tool: &EndpointTool, given: &[String]) -> Result<Map<String, Value>, CliError> {
    let operation = tool.operation().into_iter();
    let files = operation.flat_map(|tool| tool.arguments.iter().filter(|argument| argument.file));
    let line = LineSchema {
        schema: &tool.schema()?,
        files: files.map(|argument| argument.name).collect(),
    };
    read(given, &line)
}

/// The request that a dry run shows; `None` if it shows several.
fn request_in(text: &str) -> Option<String> {
    let shown: Value = serde_json::from_str(text).ok()?;
    let request = ["request", "resolvedRequest"]
        .into_iter()
        .find_map(|name| shown.get(name));
    request.map(Value::to_string)
}

fn person_decides(handle: &str, page: Option<&str>, sandbox: bool) -> String {
    let sandbox = if sandbox { " --sandbox" } else { "" };
    let page = page.map_or_else(String::new, |page| format!(" or at {page}"));
    format!(
        "nothing was sent. A person has to approve it with `highlevel-mcp approvals approve {handle}{sandbox}`{page}. \
         Then repeat the command with confirm={handle} and the same arguments"
    )
}

/// Formats JSON for a terminal; in a pipe, prints anything unchanged.
fn show(text: &str) -> Result<(), CliError> {
    let value = serde_json::from_str::<Value>(text).ok();
    match value.filter(|_| std::io::stdout().is_terminal()) {
        Some(value) => print_json(&value),
        None if text.ends_with('\n') => print_relayed(text),
        None => print_relayed(&format!("{text}\n")),
    }
}

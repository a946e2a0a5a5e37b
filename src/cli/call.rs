//! `call`: one tool call from the terminal.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde_json::{Map, Value};

use super::sandbox::SandboxListener;
use super::terminal::{print_relayed, waiting};
use super::{CliError, account, prepared_by, print_bytes, runtime};
use crate::call::{CallContext, Request};
use crate::config::{Config, Flags, read_stdin, read_text};
use crate::surfaces::tools_in;
use crate::telemetry::Telemetry;
use crate::upstream::failure::FailureClass;

#[derive(Args)]
pub(super) struct CallCommand {
    /// Tool name; `highlevel-mcp tools` lists them.
    name: String,
    /// Arguments as a JSON object, or @FILE that holds it, or - to read it from stdin.
    #[arg(default_value = "{}")]
    arguments: String,
    /// Show the request that would be sent, without the credential; send nothing.
    #[arg(long)]
    dry_run: bool,
    /// Act in one of the server's own locations, by its alias.
    #[arg(long, value_name = "ALIAS")]
    location: Option<String>,
    /// Write the answer to FILE, whole: a recording or document as it is, anything else as one line of JSON.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Call a simulated HighLevel, with made-up records that last as long as this call.
    #[arg(long)]
    sandbox: bool,
}

impl CallCommand {
    pub(super) fn run(self, flags: &Flags) -> Result<ExitCode, CliError> {
        let tool = super::tools::find(&tools_in("all")?, &self.name)?;
        let arguments = arguments(&self.arguments)?;
        let sandbox = SandboxListener::when(self.sandbox)?;
        let mut config = Config::load(flags)?;
        // Limits are for models; a file or a pipe takes what HighLevel gives.
        config.tools.max_file_bytes = usize::MAX;
        if self.output.is_some() {
            config.tools.max_answer_bytes = usize::MAX;
        }
        let (config, pipeline) = prepared_by(config, sandbox.as_ref(), Telemetry::start_quietly)?;
        let caller = account(&config, &pipeline, self.location.as_deref())?;
        let context = CallContext {
            surface: "call".to_owned(),
            ..CallContext::local(caller)
        };
        let mut request = Request::for_tool(tool, arguments, &context)
            .map_err(|failure| CliError(failure.text()))?;
        request.options.dry_run = self.dry_run;
        let answer = runtime()?.block_on(async {
            sandbox.map(SandboxListener::serve).transpose()?;
            let call = pipeline.execute(request);
            Ok::<_, CliError>(waiting("waiting for HighLevel's answer", call).await)
        })?;
        pipeline.telemetry().finish();
        // What was only previewed did not happen: to a script it failed.
        let asks = answer.class == Some(FailureClass::NeedsConfirmation);
        let failed = answer.is_error || asks;
        let preview = self.dry_run && !failed;
        let text = match preview {
            true => serde_json::from_str::<Value>(&answer.text)?["request"].to_string(),
            false => answer.text.clone(),
        };
        if let Some(notes) = &answer.notes {
            eprintln!("{notes}");
        }
        let bytes = answer.file().map(|file| file.bytes.as_slice());
        match (&self.output, bytes) {
            (Some(path), _) if !failed => {
                let written = std::fs::write(path, bytes.unwrap_or(text.as_bytes()));
                let shown = path.display();
                written.map_err(|error| CliError(format!("{shown} cannot be written: {error}")))?;
                // What a file is, is said; the rest is in it.
                if bytes.is_some() {
                    show(&text)?;
                }
            }
            (_, Some(bytes)) if !std::io::stdout().is_terminal() => print_bytes(bytes)?,
            (_, None) => show(&text)?,
            (_, Some(_)) => {
                show(&text)?;
                eprintln!("give --output FILE to have it written there");
            }
        }
        Ok(ExitCode::from(u8::from(failed)))
    }
}

/// Indented on a terminal, one line in a pipe.
fn show(text: &str) -> Result<(), CliError> {
    let value = serde_json::from_str::<Value>(text).ok();
    match value.filter(|_| std::io::stdout().is_terminal()) {
        Some(value) => print_relayed(&format!("{value:#}\n")),
        None if text.ends_with('\n') => print_relayed(text),
        None => print_relayed(&format!("{text}\n")),
    }
}

fn arguments(given: &str) -> Result<Map<String, Value>, CliError> {
    let unreadable = |place: &str, error| CliError(format!("{place} cannot be read: {error}"));
    let text = match given.strip_prefix('@') {
        Some(file) => read_text(Path::new(file)).map_err(|error| unreadable(file, error))?,
        None if given == "-" => read_stdin().map_err(|error| unreadable("stdin", error))?,
        None => given.to_owned(),
    };
    // Programs of Windows begin a file with a byte order mark.
    let text = text.trim_start_matches('\u{feff}');
    serde_json::from_str(text).map_err(|error| {
        CliError(format!(
            "the arguments are no JSON object: {error}; give them as '{{\"name\": \"value\"}}', @FILE or -"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn arguments_come_from_a_file_with_or_without_its_mark() {
        #[track_caller]
        fn check(text: &str, expected: Option<Value>) {
            let file = tempfile::NamedTempFile::new().expect("a file");
            std::fs::write(file.path(), text).expect("written");
            let read = arguments(&format!("@{}", file.path().display()));
            assert_eq!(read.ok().map(Value::Object), expected, "{text:?}");
        }
        let given = json!({"contactId": "c"});
        check(r#"{"contactId": "c"}"#, Some(given.clone()));
        check("\u{feff}{\"contactId\": \"c\"}\r\n", Some(given));
        check("\u{feff}", None);
        check("[]", None);
    }
}

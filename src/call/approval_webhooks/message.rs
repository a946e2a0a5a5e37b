//! The message about waiting calls: its content, and its form for each receiver.
//!
//! It has nothing of the calls' arguments or records: chats store messages, and more people read them than may decide.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::call::Requester;
use crate::call::approval_words::{describe_effect, operation_title, short_name};
use state::approvals::Approval;

/// The most locations that are named for one call.
const MOST_LOCATIONS: usize = 5;

/// The name of a caller that is neither a key nor a connection of ours.
const NOBODY: &str = "a program with its own token or key";

/// The parts of a waiting call that a message shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct WaitingCall {
    handle: String,
    tool: String,
    title: String,
    effect: String,
    calls: usize,
    /// Aliases of the first few.
    locations: Vec<String>,
    /// The number of further locations.
    unnamed: usize,
    who: String,
    expires: Timestamp,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ApprovalMessage {
    /// The number of waiting calls.
    pub waiting: usize,
    calls: Vec<WaitingCall>,
    console: Option<String>,
    is_sample: bool,
}

impl WaitingCall {
    pub(super) fn new(approval: &Approval, requester: &Requester) -> Self {
        let locations = approval.locations.iter().take(MOST_LOCATIONS);
        let locations: Vec<String> = locations.map(|one| short_name(&one.location)).collect();
        Self {
            handle: approval.handle.clone(),
            tool: short_name(&approval.tool),
            title: operation_title(approval),
            effect: approval.effect.clone(),
            calls: approval.locations.iter().map(|one| one.calls).sum(),
            unnamed: approval.locations.len() - locations.len(),
            locations,
            who: requester
                .describe(short_name)
                .unwrap_or_else(|| NOBODY.to_owned()),
            expires: approval.expires,
        }
    }

    /// An invented call.
    pub(super) fn sample() -> Self {
        Self {
            handle: "apr_sample".to_owned(),
            tool: "contacts_delete-contact".to_owned(),
            title: "Sample: nothing waits".to_owned(),
            effect: "destructive".to_owned(),
            calls: 1,
            locations: vec!["acme".to_owned()],
            unnamed: 0,
            who: "Claude, for Ada".to_owned(),
            expires: Timestamp::UNIX_EPOCH,
        }
    }

    fn count(&self) -> String {
        match self.calls {
            1 => "1 action".to_owned(),
            many => format!("{many} actions"),
        }
    }

    fn place(&self) -> String {
        let mut names = self.locations.join(", ");
        if self.unnamed > 0 {
            names += &format!(" and {} more", self.unnamed);
        }
        names
    }

    fn until(&self) -> String {
        self.expires.strftime("%Y-%m-%d %H:%M UTC").to_string()
    }

    /// Each fact with its name.
    fn facts(&self) -> [(&'static str, String); 4] {
        let effect = describe_effect(&self.effect);
        [
            ("What it does", format!("{effect} ({})", self.count())),
            ("Where", self.place()),
            ("Asked for by", self.who.clone()),
            ("Waits until", self.until()),
        ]
    }

    fn line(&self) -> String {
        let (title, count, place, who) = (&self.title, self.count(), self.place(), &self.who);
        format!(
            "{title} ({count}) in {place}, asked for by {who}, waits until {}",
            self.until()
        )
    }
}

impl ApprovalMessage {
    /// `console`: the console's address without a slash at its end. `unnamed`: the number of further waiting
    /// calls.
    pub(super) fn new(calls: Vec<WaitingCall>, unnamed: usize, console: Option<&str>) -> Self {
        Self {
            waiting: calls.len() + unnamed,
            calls,
            console: console.map(str::to_owned),
            is_sample: false,
        }
    }

    pub(super) fn sample(console: Option<&str>) -> Self {
        Self {
            is_sample: true,
            ..Self::new(vec![WaitingCall::sample()], 0, console)
        }
    }

    /// The page to decide at: of the one call, or the list.
    fn page(&self) -> Option<String> {
        let console = self.console.as_deref()?;
        Some(match self.calls.as_slice() {
            [one] if self.waiting == 1 && !self.is_sample => page(console, one),
            _ => format!("{console}/console/approvals"),
        })
    }

    fn title(&self) -> String {
        match self.calls.as_slice() {
            [one] if self.waiting == 1 => one.title.clone(),
            _ => format!("{} requests wait for a decision", self.waiting),
        }
    }

    /// The lines below the title, if there are several calls.
    fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.calls.iter().map(WaitingCall::line).collect();
        let unnamed = self.waiting - self.calls.len();
        if unnamed > 0 {
            lines.push(format!("and {unnamed} more"));
        }
        lines
    }

    /// The only call; `None` if there are several.
    fn single(&self) -> Option<&WaitingCall> {
        self.calls.first().filter(|_| self.waiting == 1)
    }

    /// The command to decide with if there is no page.
    fn command(&self) -> Option<String> {
        let command = match self.single() {
            Some(one) => format!("highlevel-mcp approvals approve {}", one.handle),
            None => "highlevel-mcp approvals list".to_owned(),
        };
        self.console
            .is_none()
            .then(|| format!("Decide with: {command}"))
    }

    pub(super) fn plain_body(&self) -> Value {
        let event = match self.is_sample {
            true => "approvals.test",
            false => "approvals.waiting",
        };
        let call = |call: &WaitingCall| {
            json!({
                "handle": call.handle, "tool": call.tool, "title": call.title, "effect": call.effect, "calls": call.calls,
                "locations": call.locations, "locationCount": call.locations.len() + call.unnamed, "who": call.who,
                "expires": call.expires, "url": self.console.as_deref().map(|console| page(console, call)),
            })
        };
        let calls: Vec<Value> = self.calls.iter().map(call).collect();
        json!({"event": event, "waiting": self.waiting, "calls": calls})
    }

    /// Slack parses mark-up in these texts, so names are escaped: none becomes a link or a mention.
    pub(super) fn slack_body(&self) -> Value {
        let text = |text: &str| json!({"type": "plain_text", "text": text, "emoji": false});
        let mut blocks = vec![json!({"type": "header", "text": text(&self.title())})];
        match self.single() {
            Some(one) => {
                let facts = one.facts();
                let facts = facts
                    .iter()
                    .map(|(name, what)| text(&format!("{name}\n{what}")));
                blocks.push(json!({"type": "section", "fields": facts.collect::<Vec<_>>()}));
            }
            None => {
                let lines = self.lines();
                blocks.extend(
                    lines
                        .iter()
                        .map(|line| json!({"type": "section", "text": text(line)})),
                );
            }
        }
        if let Some(command) = self.command() {
            blocks.push(json!({"type": "section", "text": text(&command)}));
        }
        if let Some(page) = self.page() {
            let button = json!({"type": "button", "text": text("Look at it and decide"), "url": page, "style": "primary"});
            blocks.push(json!({"type": "actions", "elements": [button]}));
        }
        // The text in a phone's notification.
        let summary = format!("{}: {}", self.title(), self.lines().join("; "));
        json!({"text": escape(&summary), "blocks": blocks})
    }

    /// Names go into text runs, in which Teams parses no Markdown: none becomes a link or a mention.
    pub(super) fn teams_body(&self) -> Value {
        let run =
            |text: &str, weight: &str| json!({"type": "TextRun", "text": text, "weight": weight});
        let block = |runs: Vec<Value>| json!({"type": "RichTextBlock", "inlines": runs});
        let title =
            json!({"type": "TextRun", "text": self.title(), "weight": "bolder", "size": "large"});
        let mut body = vec![block(vec![title])];
        match self.single() {
            Some(one) => body.extend(one.facts().iter().map(|(name, what)| {
                block(vec![
                    run(&format!("{name}: "), "bolder"),
                    run(what, "default"),
                ])
            })),
            None => body.extend(
                self.lines()
                    .iter()
                    .map(|line| block(vec![run(line, "default")])),
            ),
        }
        body.extend(
            self.command()
                .map(|command| block(vec![run(&command, "default")])),
        );
        let mut card = json!({
            "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
            "type": "AdaptiveCard",
            "version": "1.4",
            "body": body,
        });
        if let Some(page) = self.page() {
            let open =
                json!({"type": "Action.OpenUrl", "title": "Look at it and decide", "url": page});
            card["actions"] = json!([open]);
        }
        let attachment = json!({
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": card,
        });
        json!({"type": "message", "attachments": [attachment]})
    }
}

fn page(console: &str, call: &WaitingCall) -> String {
    format!("{console}/console/approvals/{}", call.handle)
}

/// Escapes the three characters that have a meaning in Slack.
fn escape(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    text.replace('>', "&gt;")
}

#[cfg(test)]
mod tests;

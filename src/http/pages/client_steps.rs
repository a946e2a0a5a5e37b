//! The steps to connect each client: the sections of docs/connect.md, with this server's own address.

use std::sync::LazyLock;

use maud::{Markup, html};

use crate::http::access::NeededProof;

/// Pages show the text of the repository, so there is no second text that could differ.
const DOCUMENT: &str = include_str!("../../../docs/connect.md");

/// The document's placeholders for the server's address, and for the host to which tokens are sent.
const SIGN_IN_ORIGIN: &str = "https://mcp.example.com";
const TOKEN_ORIGIN: &str = "https://keys.example.com";

/// A client and its steps.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::http) struct ClientSteps {
    /// The client's name.
    pub name: &'static str,
    /// The name in an address.
    pub slug: String,
    /// For every server; or, if there are steps without sign-in, only for servers with sign-in.
    setup: Vec<Block>,
    sign_in: Vec<Block>,
    without_sign_in: Vec<Block>,
    by_header: Vec<Block>,
}

/// How the connected server identifies a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) enum StepsFor {
    /// The client signs in.
    SignIn,
    /// No credential: the server has an account of its own, and is on this machine.
    OwnAccount,
    /// It sends a key that the operator makes in a header, or a token.
    Key,
    /// It sends the key of the server's settings in a header, or a token.
    SettingsKey,
    /// It sends a token in a header: no key would open anything.
    Token,
}

#[derive(Debug, PartialEq, Eq)]
enum Block {
    Paragraph(String),
    Steps(Vec<String>),
    /// To be pasted unchanged.
    Code(String),
}

static ALL: LazyLock<Vec<ClientSteps>> = LazyLock::new(|| {
    let sections = DOCUMENT.split("\n## ").skip(1);
    sections.filter_map(ClientSteps::parse).collect()
});

impl ClientSteps {
    /// In the order of the document.
    pub(in crate::http) fn all() -> &'static [Self] {
        &ALL
    }

    pub(in crate::http) fn find(slug: &str) -> Option<&'static Self> {
        Self::all().iter().find(|one| one.slug == slug)
    }

    fn parse(section: &'static str) -> Option<Self> {
        let (name, text) = section.split_once('\n')?;
        let letters = name.chars().map(|letter| match letter {
            letter if letter.is_ascii_alphanumeric() => letter.to_ascii_lowercase(),
            _ => '-',
        });
        let letters: String = letters.collect();
        let words = letters.split('-').filter(|word| !word.is_empty());
        let slug = words.collect::<Vec<_>>().join("-");
        let part = |text: &'static str, label| text.split_once(label).unwrap_or((text, ""));
        // Facts about versions are only for debugging.
        let (text, _) = part(text, "\nKnown issue: ");
        let (text, by_header) = part(text, "\nBy header: ");
        let (text, without_sign_in) = part(text, "\nWithout sign-in: ");
        let (setup, sign_in) = part(text, "\nSign-in: ");
        Some(Self {
            name,
            slug,
            setup: blocks(setup),
            sign_in: blocks(sign_in),
            without_sign_in: blocks(without_sign_in),
            by_header: blocks(by_header),
        })
    }

    /// The steps for a server at `endpoint`.
    pub(in crate::http) fn show(&self, endpoint: &str, steps_for: StepsFor) -> Markup {
        let origin = endpoint.trim_end_matches("/mcp");
        let own = |text: &str| {
            let text = text.replace(SIGN_IN_ORIGIN, origin);
            text.replace(TOKEN_ORIGIN, origin)
        };
        html! {
            @match steps_for {
                StepsFor::SignIn => {}
                StepsFor::OwnAccount => {
                    p class="note" { "This server needs no sign-in and no token from programs on this computer." }
                }
                StepsFor::Key => {
                    p class="note" {
                        "This server has no sign-in. Your assistant sends an access key of this server, or a token, \
                         with each request. "
                        code { "highlevel-mcp keys create" } " creates a key."
                    }
                }
                StepsFor::SettingsKey => {
                    p class="note" {
                        "This server has no sign-in. Your assistant sends the access key from the server's settings ("
                        code { "server.access_key" } "), or a token, with each request."
                    }
                }
                StepsFor::Token => {
                    p class="note" {
                        "This server has no sign-in and no account of its own. Your assistant sends a token with each \
                         request."
                    }
                }
            }
            @for block in self.steps(steps_for) { (block.show(own)) }
        }
    }

    /// Only the steps that work at such a server.
    fn steps(&self, steps_for: StepsFor) -> impl Iterator<Item = &Block> {
        let (first, then): (&[Block], &[Block]) = match steps_for {
            StepsFor::SignIn => (&self.setup, &self.sign_in),
            StepsFor::Key | StepsFor::SettingsKey | StepsFor::Token
                if !self.by_header.is_empty() =>
            {
                (&self.by_header, &[])
            }
            _ if !self.without_sign_in.is_empty() => (&self.without_sign_in, &[]),
            _ => (&self.setup, &[]),
        };
        first.iter().chain(then)
    }
}

impl From<NeededProof> for StepsFor {
    fn from(needed: NeededProof) -> Self {
        match needed {
            NeededProof::Nothing => Self::OwnAccount,
            NeededProof::Key => Self::Key,
            NeededProof::SettingsKey => Self::SettingsKey,
            NeededProof::Token => Self::Token,
        }
    }
}

impl Block {
    fn show(&self, own: impl Fn(&str) -> String) -> Markup {
        html! {
            @match self {
                Self::Paragraph(text) => p { (inline(&own(text))) },
                Self::Steps(steps) => ol { @for step in steps { li { (inline(&own(step))) } } },
                Self::Code(text) => pre tabindex="0" { code { (own(text)) } },
            }
        }
    }
}

/// Parses the part of Markdown that the document uses: paragraphs, numbered steps, and code in fences or indented.
fn blocks(text: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if line.starts_with("```") {
            let code: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            found.push(Block::Code(code.join("\n")));
        } else if line.starts_with("    ") {
            let mut code = vec![line];
            while let Some(next) = lines.next_if(|next| next.starts_with("    ")) {
                code.push(next);
            }
            let code: Vec<&str> = code.iter().map(|line| line.trim_start()).collect();
            found.push(Block::Code(code.join("\n")));
        } else if !line.trim().is_empty() {
            let mut text = vec![line.trim()];
            while let Some(next) = lines.next_if(|next| is_prose(next)) {
                text.push(next.trim());
            }
            push_prose(&mut found, text.join(" "));
        }
    }
    found
}

/// Whether a line continues the paragraph or step before it.
fn is_prose(line: &str) -> bool {
    !line.trim().is_empty() && !line.starts_with("```") && step(line).is_none()
}

fn push_prose(found: &mut Vec<Block>, text: String) {
    match (step(&text), found.last_mut()) {
        (Some(step), Some(Block::Steps(steps))) => steps.push(step.to_owned()),
        (Some(step), _) => found.push(Block::Steps(vec![step.to_owned()])),
        (None, _) => found.push(Block::Paragraph(text)),
    }
}

/// The text of a numbered step.
fn step(line: &str) -> Option<&str> {
    let (number, text) = line.split_once(". ")?;
    number
        .chars()
        .all(|letter| letter.is_ascii_digit())
        .then_some(text)
}

/// `code`, *names of buttons*, and links, of which only the text stays.
fn inline(text: &str) -> Markup {
    html! {
        @for (index, part) in text.split('`').enumerate() {
            @if index % 2 == 1 { code { (part) } } @else { (emphasized(part)) }
        }
    }
}

fn emphasized(text: &str) -> Markup {
    html! {
        @for (index, part) in text.split('*').enumerate() {
            @if index % 2 == 1 { b { (part) } } @else { (without_links(part)) }
        }
    }
}

/// `[text](address)`: addresses in the repository are useless at this server.
fn without_links(text: &str) -> String {
    let mut rest = text;
    let mut shown = String::new();
    while let Some((before, after)) = rest.split_once('[') {
        shown.push_str(before);
        let link = after
            .split_once("](")
            .and_then(|(name, after)| Some((name, after.split_once(')')?.1)));
        let Some((name, after)) = link else {
            shown.push('[');
            rest = after;
            continue;
        };
        shown.push_str(name);
        rest = after;
    }
    shown.push_str(rest);
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_client_of_the_document_has_its_steps() {
        let names: Vec<&str> = ClientSteps::all().iter().map(|one| one.name).collect();
        let rows = DOCUMENT
            .lines()
            .skip_while(|line| *line != "|---|---|---|---|");
        let rows = rows.skip(1).take_while(|line| line.starts_with('|'));
        let table: Vec<&str> = rows
            .filter_map(|row| row.split('|').nth(1))
            .map(str::trim)
            .collect();
        assert_eq!(names, table);
        for one in ClientSteps::all() {
            for (steps_for, part) in [
                (StepsFor::SignIn, ""),
                (StepsFor::OwnAccount, "needs no sign-in"),
                (StepsFor::Key, "an access key"),
                (StepsFor::SettingsKey, "server.access_key"),
                (StepsFor::Token, "sends a token"),
            ] {
                let html = one
                    .show("http://127.0.0.1:8550/mcp", steps_for)
                    .into_string();
                assert!(html.contains(part), "{}: {html}", one.name);
                for word in ["example.com", "](", "```", "Known issue", "HighLevel"] {
                    assert!(!html.contains(word), "{} has {word}: {html}", one.name);
                }
            }
            let html = one.show("http://127.0.0.1:8550/mcp", StepsFor::OwnAccount);
            let html = html.into_string();
            for word in [
                "OAuth",
                "login",
                "mcp auth",
                "Authenticate",
                "<b>Connect",
                "Register",
            ] {
                assert!(!html.contains(word), "{} has {word}: {html}", one.name);
            }
            for steps_for in [
                StepsFor::SignIn,
                StepsFor::OwnAccount,
                StepsFor::Key,
                StepsFor::SettingsKey,
                StepsFor::Token,
            ] {
                assert!(one.steps(steps_for).next().is_some(), "{}", one.name);
            }
            assert_eq!(ClientSteps::find(&one.slug), Some(one));
        }
    }

    #[test]
    fn steps_name_the_address_of_this_server() {
        fn check(slug: &str, steps_for: StepsFor, part: &str) {
            let steps = ClientSteps::find(slug).expect("a client");
            let html = steps
                .show("https://mcp.acme.example/mcp", steps_for)
                .into_string();
            assert!(html.contains(part), "{part} is not in {html}");
        }
        check(
            "claude-code",
            StepsFor::SignIn,
            "<code>claude mcp add --transport http ghl https://mcp.acme.example/mcp</code></pre>",
        );
        check(
            "claude-code",
            StepsFor::Token,
            "<code>highlevel-mcp connect claude-code --url https://mcp.acme.example/mcp</code>",
        );
        check(
            "cursor",
            StepsFor::SignIn,
            "&quot;url&quot;: &quot;https://mcp.acme.example/mcp&quot;\n",
        );
        check(
            "chatgpt",
            StepsFor::SignIn,
            "<ol><li><b>Settings → Apps → Advanced settings</b>",
        );
        check(
            "codex",
            StepsFor::OwnAccount,
            "<code>codex mcp add ghl --url https://mcp.acme.example/mcp</code></pre>",
        );
        check(
            "codex",
            StepsFor::SignIn,
            "<code>codex mcp login ghl</code>",
        );
        check("n8n", StepsFor::OwnAccount, "<b>Authentication</b> to None");
        for steps_for in [StepsFor::OwnAccount, StepsFor::Token] {
            check("chatgpt", steps_for, "it cannot use this server");
        }
    }

    #[test]
    fn markdown_is_read_as_far_as_the_document_goes() {
        let text = "A *b* `c*d`\ngoes on.\n\n1. one\n   more\n2. two\n\n    code [x](y)\n\n```json\n{\n  \"a\": 1\n}\n```\n";
        let found = blocks(text);
        let expected = [
            Block::Paragraph("A *b* `c*d` goes on.".to_owned()),
            Block::Steps(vec!["one more".to_owned(), "two".to_owned()]),
            Block::Code("code [x](y)".to_owned()),
            Block::Code("{\n  \"a\": 1\n}".to_owned()),
        ];
        assert_eq!(found, expected);
        let shown = inline("A *b* `c*d` [e](../f.py), [g] <h>").into_string();
        assert_eq!(shown, "A <b>b</b> <code>c*d</code> e, [g] &lt;h&gt;");
    }
}
